# SPDX-License-Identifier: Apache-2.0
"""Operators that move chats: one, a list, or all that somebody has."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowTaskTimeout, BaseOperator, conf

from ..chats.inputs import as_id
from ..chats.ledger import Ledger, Unkept
from ..chats.model import Chat, Result, Target, Transfer, TransferReport, ids, transfers_from_json
from ..chats.planning import Strategy, plan_transfers
from ..chats.run import hand_over, preview
from ..chats.waiting import LONGEST_WAIT, AcceptancePoller
from .journal import ledger_of
from .reporting import hand_in, push, pushed_if_not_written, report_file, waited_for
from .retrying import retry_by_cause, without_vain_retries

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from ..platforms.base import ChatPlatform
    from ..platforms.turns import Turn

Plan = Callable[["ChatPlatform"], list[Transfer]]
"""Asks a platform which chats are to go where. Its input has been checked."""


class _TransferOperator(BaseOperator):
    """What all operators that move chats have in common.

    :param conn_id: a connection of type ``bitrix24`` or ``superoffice`` (templated).
    :param bot_leaves: Bitrix24's LEAVE: the bot leaves the chat at once. No effect on SuperOffice.
    :param wait_for_acceptance: go on only when the receivers have accepted, or ``accept_within`` is over.
    :param accept_within: how long the receivers have; chats that nobody has accepted by then are reported as
        ``requested``, and the task succeeds. ``None`` waits a day at the most.
    :param poll_interval: seconds between two looks while waiting.
    :param deferrable: wait in the triggerer, without a worker.
    :param dry_run: read and plan, but send nothing; chats that would be sent are ``planned``.
    :param max_failed_ratio: the share of chats that may fail before the task fails, 0 to 1. When all fail, it
        fails in any case.
    :param report_path: a local or object-store path to which the report is written as JSON (templated).
    """

    template_fields: Sequence[str] = ("conn_id", "report_path")
    ui_color = "#d9ead3"

    def __init__(
        self,
        *,
        conn_id: str,
        bot_leaves: bool = False,
        wait_for_acceptance: bool = False,
        accept_within: timedelta | None = None,
        poll_interval: float = 15.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        dry_run: bool = False,
        max_failed_ratio: float = 0.0,
        report_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        retry_by_cause(self)
        self.conn_id = conn_id
        self.bot_leaves = bot_leaves
        self.wait_for_acceptance = wait_for_acceptance
        self.accept_within = accept_within
        self.poll_interval = poll_interval
        self.deferrable = deferrable
        self.dry_run_only = dry_run
        self.max_failed_ratio = max_failed_ratio
        self.report_path = report_path
        self._killed = False

    @abstractmethod
    def plan(self) -> Plan:
        """Check the input and return what has to be asked of the platform; raises ``ValueError``."""

    @without_vain_retries
    def execute(self, context: Context) -> dict[str, Any]:
        """Move the chats and return the report as plain JSON.

        Raises ``ValueError`` for bad input before anything is sent, ``ChatsNotTransferred`` when too many chats
        failed, ``NotWritten`` when its record cannot be kept, and a ``PlatformError`` when the service cannot even be
        asked which chats there are.
        """
        from ..hooks.base import open_platform

        self._check_options()
        plan = self.plan()
        ledger = self._ledger(context)
        with open_platform(self.conn_id) as platform:
            known = self._report(platform, ledger)
            with pushed_if_not_written(context, lambda: known(ledger.open_results("the record could not be written"))):
                report = self._move(context, platform, plan, ledger)
                self.log.info("%s", report)
                if self.wait_for_acceptance and report.waiting and not self.dry_run_only:
                    report = self._wait(context, platform, report, ledger)
        return hand_in(context, report, ledger=ledger, max_failed_ratio=self.max_failed_ratio)

    @without_vain_retries
    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Go on after the wait in the triggerer, from the event alone."""
        ledger = self._ledger(context)
        report = waited_for(context, event, ledger=ledger)
        return hand_in(context, report, ledger=ledger, max_failed_ratio=self.max_failed_ratio)

    def on_kill(self) -> None:
        """Send nothing more; the run then accounts for what is left."""
        self._killed = True

    def _ledger(self, context: Context) -> Ledger:
        if self.dry_run_only:
            return Ledger(Unkept())
        inputs = {name: getattr(self, name) for name in self.template_fields if name != "report_path"}
        inputs["bot_leaves"] = self.bot_leaves
        return ledger_of(context, inputs=inputs, report_path=self.report_path)

    def _move(self, context: Context, platform: ChatPlatform, plan: Plan, ledger: Ledger) -> TransferReport:
        from ..platforms.base import SendOptions
        from ..platforms.driving import carry_out

        if ledger.has_plan:
            settled = len(ledger.results)
            self.log.info("An earlier try got to %d of %d chats; going on from there", settled, len(ledger.plan))
        else:
            if not self.dry_run_only:
                platform.check_may_send()
            ledger.write_plan(plan(platform), now=datetime.now(UTC).timestamp())
        report = self._report(platform, ledger)
        if ledger.finished_by is not None:
            return report(ledger.open_results("the run had ended"))
        self._tell_who_is_stuck(platform, ledger)
        run = preview(ledger.plan, chunk=platform.chunk)
        if not self.dry_run_only:
            run = hand_over(ledger.plan, chunk=platform.chunk, ledger=ledger)
        try:
            results = carry_out(
                run,
                platform,
                options=SendOptions(bot_leaves=self.bot_leaves),
                ledger=ledger,
                turn=None if self.dry_run_only else self._turn(context, platform, ledger),
                interrupted=lambda: self._killed,
            )
        except AirflowTaskTimeout:
            push(context, report(ledger.open_results("the task ran out of time")))
            raise
        return report(results)

    def _tell_who_is_stuck(self, platform: ChatPlatform, ledger: Ledger) -> None:
        """Say before anything is sent whose chats cannot be moved; the report says it of each of them."""
        counts = Counter(transfer.source for transfer in ledger.plan)
        for source, count in counts.items():
            if source is not None and source.is_agent and (why := platform.why_stuck(Chat(id="", owner=source.id))):
                self.log.warning("None of the %d chats of %s can be sent: %s", count, source, why)

    @staticmethod
    def _turn(context: Context, platform: ChatPlatform, ledger: Ledger) -> Turn:
        from ..platforms.turns import Turn

        ti = context["ti"]
        run = f"{ti.dag_id} {ti.run_id} {ti.task_id} {ti.map_index}"
        return Turn(platform.account, run=run, since=ledger.planned_at or 0.0)

    def _report(self, platform: ChatPlatform, ledger: Ledger) -> Callable[[Sequence[Result]], TransferReport]:
        """The report of results; it covers all tries."""
        return lambda results: TransferReport(
            platform=platform.name,
            conn_id=self.conn_id,
            dry_run=self.dry_run_only,
            results=tuple(results),
            report_path=self.report_path,
            started_at=datetime.fromtimestamp(ledger.planned_at or 0.0, UTC),
            finished_at=datetime.now(UTC),
        )

    def _wait(self, context: Context, platform: ChatPlatform, report: TransferReport, ledger: Ledger) -> TransferReport:
        from ..platforms.driving import watch
        from ..platforms.errors import PlatformError

        if ledger.deadline is None:
            ledger.write_deadline((datetime.now(UTC) + (self.accept_within or LONGEST_WAIT)).timestamp())
        deadline = ledger.deadline or 0.0
        if self.deferrable:
            from ..triggers.accept_transfer import AcceptTransferTrigger

            trigger = AcceptTransferTrigger(
                conn_id=self.conn_id, report=report.to_json(), deadline=deadline, poll_interval=self.poll_interval
            )
            self.defer(trigger=trigger, method_name="execute_complete")
        poller = AcceptancePoller(report, deadline=deadline)
        try:
            return watch(poller, platform, interval=self.poll_interval)
        except (AirflowTaskTimeout, PlatformError):
            push(context, poller.report)
            raise
        finally:
            ledger.write_waited_for(poller.settled)

    def _check_options(self) -> None:
        check_wait(self.accept_within, self.poll_interval)
        ratio = self.max_failed_ratio
        if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 <= ratio <= 1:
            raise ValueError(f"max_failed_ratio: {self.max_failed_ratio!r} is not a share between 0 and 1")
        if self.report_path:
            report_file(self.report_path)


class TransferChatOperator(_TransferOperator):
    """Move one chat to an agent or a queue.

    :param chat_id: the chat's number (templated).
    :param to: ``agent:12``, ``queue:3``, or ``queue`` for the chat's own queue (templated).
    """

    template_fields: Sequence[str] = ("chat_id", "to", *_TransferOperator.template_fields)

    def __init__(self, *, chat_id: int | str | XComArg, to: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.chat_id = chat_id
        self.to = to

    def plan(self) -> Plan:
        transfer = Transfer(chat_id=as_id(self.chat_id, of="chat_id"), target=Target.parse(self.to))
        return _checked([transfer])


class TransferChatsOperator(_TransferOperator):
    """Move a list of chats, each to its own target.

    :param transfers: ``[{"chat_id": 112, "to": "agent:12"}, …]``; the same chat twice with the same target is sent
        once (templated).
    """

    template_fields: Sequence[str] = ("transfers", *_TransferOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {"transfers": "json"}

    def __init__(self, *, transfers: Sequence[Mapping[str, Any]] | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.transfers = transfers

    def plan(self) -> Plan:
        if isinstance(self.transfers, str | bytes | Mapping) or not isinstance(self.transfers, Sequence):
            raise ValueError(f"transfers: {self.transfers!r} is not a list of transfers")
        transfers = transfers_from_json(self.transfers)
        if not transfers:
            raise ValueError("transfers: the list is empty")
        return _checked(transfers)


class ReassignChatsOperator(_TransferOperator):
    """Share out all chats that some agents have, or that wait in a queue, or that are named.

    Exactly one of ``from_agents``, ``from_queue`` and ``chat_ids`` says which chats.

    :param from_agents: the ids of agents; all their open chats are taken, on Bitrix24 also those that only ring at
        them (templated).
    :param from_queue: the id of a queue; the chats that wait in it are taken (templated).
    :param chat_ids: the numbers of chats, whoever has them; one that a receiver has already stays (templated).
    :param to: the receivers, ``["agent:12", "agent:15", "queue:3"]`` (templated).
    :param strategy: ``round_robin``, ``least_loaded`` or ``keep_together`` (templated).
    """

    template_fields: Sequence[str] = (
        "from_agents",
        "from_queue",
        "chat_ids",
        "to",
        "strategy",
        *_TransferOperator.template_fields,
    )

    def __init__(
        self,
        *,
        to: Sequence[str] | XComArg,
        from_agents: Sequence[int | str] | XComArg | None = None,
        from_queue: int | str | XComArg | None = None,
        chat_ids: Sequence[int | str] | XComArg | None = None,
        strategy: str = Strategy.ROUND_ROBIN.value,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.to = to
        self.from_agents = from_agents
        self.from_queue = from_queue
        self.chat_ids = chat_ids
        self.strategy = strategy

    def plan(self) -> Plan:
        strategy = Strategy.parse(self.strategy)
        targets = _targets(self.to)
        find, sources = self._selection()
        if both := [str(source) for source in sources if source in targets]:
            raise ValueError(f"to: {', '.join(both)} is also the one whose chats are to be taken")

        def ask(platform: ChatPlatform) -> list[Transfer]:
            platform.check_targets(targets)
            chats = find(platform)
            loads = _loads(platform, targets) if strategy is Strategy.LEAST_LOADED and chats else None
            holders = sources or [chat.holder for chat in chats if chat.holder is not None]
            return plan_transfers(chats, targets, strategy=strategy, loads=loads, sources=holders)

        return ask

    def _selection(self) -> tuple[Callable[[ChatPlatform], list[Chat]], list[Target]]:
        """How to find the chats, and from whom they are taken."""
        options = ("from_agents", "from_queue", "chat_ids")
        given = [name for name in options if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"exactly one of {', '.join(options)} must be given, not {' and '.join(given) or 'none'}")
        if self.from_agents is not None:
            agents = ids(self.from_agents, of="from_agents")
            return lambda platform: platform.find_agents_chats(agents), [Target.agent(agent) for agent in agents]
        if self.from_queue is not None:
            queue = as_id(self.from_queue, of="from_queue")
            return lambda platform: platform.find_waiting_chats(queue), [Target.parse(f"queue:{queue}")]
        chat_ids = ids(self.chat_ids, of="chat_ids")
        return lambda platform: _named(platform, chat_ids), []


def check_wait(accept_within: timedelta | None, poll_interval: float) -> None:
    """Raise ``ValueError`` for a wait that is none."""
    if accept_within is not None and (not isinstance(accept_within, timedelta) or accept_within <= timedelta(0)):
        raise ValueError(f"accept_within: {accept_within!r} is not a positive timedelta")
    if isinstance(poll_interval, bool) or not isinstance(poll_interval, int | float) or poll_interval <= 0:
        raise ValueError(f"poll_interval: {poll_interval!r} is not a positive number of seconds")


def _checked(transfers: list[Transfer]) -> Plan:
    def ask(platform: ChatPlatform) -> list[Transfer]:
        platform.check_targets([transfer.target for transfer in transfers])
        return transfers

    return ask


def _targets(to: object) -> list[Target]:
    if isinstance(to, str | bytes | Mapping) or not isinstance(to, Sequence):
        raise ValueError(f"to: {to!r} is not a list of targets; write ['agent:12', 'queue:3']")
    targets = list(dict.fromkeys(Target.parse(text) for text in to))
    if not targets:
        raise ValueError("to: the list is empty")
    return targets


def _named(platform: ChatPlatform, chat_ids: Sequence[str]) -> list[Chat]:
    """Named chats as they are now; one that cannot be read takes nobody's turn, and fails in the run."""
    readings = platform.read_chats(chat_ids)
    found = (readings[chat_id] for chat_id in chat_ids)
    return [
        chat if isinstance(chat, Chat) else Chat(id=chat_id, closed=True)
        for chat_id, chat in zip(chat_ids, found, strict=True)
    ]


def _loads(platform: ChatPlatform, targets: Sequence[Target]) -> Mapping[Target, int]:
    """How many open chats each target has, by the same listing that finds chats to move."""
    loads: Counter[Target] = Counter()
    agents = [target.id for target in targets if target.is_agent and target.id is not None]
    for chat in platform.find_agents_chats(agents) if agents else []:
        loads[Target.agent(chat.owner or chat.offered_to or "")] += 1
    for target in targets:
        if not target.is_agent and target.id is not None:
            loads[target] = len(platform.find_waiting_chats(target.id))
    return loads
