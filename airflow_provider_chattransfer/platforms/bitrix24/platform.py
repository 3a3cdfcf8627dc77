# SPDX-License-Identifier: Apache-2.0
"""Move the dialogues of Bitrix24 Open Lines: Bitrix24 as a ``ChatPlatform``."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from typing_extensions import override

from ...chats.estimate import Cost, OperatingCost
from ...chats.inputs import as_id
from ...chats.model import Chat, Reading, Target, TargetKind, UnreadableChat
from ...chats.reconciliation import Answer, Answered, OutcomeUnknown, Refused
from ...chats.run import Move, Sent, Stop
from ...exceptions import (
    NotFoundError,
    PlatformError,
    RequestRefusedError,
    UnexpectedResponseError,
)
from ...retry_decision import decide
from ..at_once import AtOnce
from ..base import ChatPlatform, SendOptions, answer_to, is_overload, stop_after
from ..connection_check import ConnectionCheck
from ..rate import RateLimit
from ..reading_age import sending_what_was_read_again, was_read_too_long_ago
from .client import Bitrix24Client
from .commands import BATCH_SIZE, Command
from .connection_check import check_connection
from .directory import ChatReferences, PortalDirectory
from .error_codes import TRANSFER
from .history import TransferHistory
from .listing import DialogFinder
from .mapping import Dialog
from .operating_time import LIMIT_SECONDS, WINDOW_SECONDS
from .receivers import Receivers

log = logging.getLogger(__name__)

RATE_LIMIT = RateLimit(per_second=2.0, burst=50)
"""The documented limit of all plans but Enterprise (5 a second, 250 at once), per portal and source address."""

MAX_AT_ONCE = 8
"""Requests that are under way at once at most. Each works on up to fifty dialogues."""

SENT_WITHIN_SECONDS = 4.0
"""Seconds that the batches of one chunk take at the pace of the limit, for each of the times that they are read, sent
and read back.
"""

BOT_LEAVES = "bot_leaves"
"""The operators' switch for LEAVE of ``imopenlines.bot.session.transfer``."""

LOOK_UPS = 2
"""Requests of a run for what is known of people: those who have the chats, and those who are to get them."""

READ_TIMEOUT_SECONDS = 75.0
"""Seconds. The server works on a request for up to 60 s; a client that gives up earlier does not know the outcome."""

TRANSIENT_REFUSALS = frozenset({"operator_wrong", "wrong_chat"})
"""The code of a refused transfer, today and in older versions. It also comes while another transfer of the chat is
under way, for up to 60 s, so a later try may succeed.
"""


class Bitrix24Platform(ChatPlatform):
    """Reads and moves dialogues in batches of fifty, each batch one request."""

    name = "bitrix24"
    chunk = BATCH_SIZE
    send_options = frozenset({BOT_LEAVES})

    def __init__(self, client: Bitrix24Client) -> None:
        self.client = client
        self.account = client.auth.portal
        self.actor = client.auth.actor
        self._finder = DialogFinder(client)
        self._receivers = Receivers(client)
        self._history = TransferHistory(client)
        self._directory = PortalDirectory(client, self._receivers)
        self._references = ChatReferences(client, read=self.read_chats)
        self._at_once = AtOnce(MAX_AT_ONCE)

    @property
    @override
    def cost(self) -> Cost:
        limit, seconds = self.client.rate_limit, self.client.operating_seconds(TRANSFER)
        return Cost(
            chats_per_request=(BATCH_SIZE, BATCH_SIZE, BATCH_SIZE),
            per_second=limit.per_second,
            burst=limit.burst,
            once=LOOK_UPS,
            in_flight=MAX_AT_ONCE,
            operating=OperatingCost(seconds, LIMIT_SECONDS, WINDOW_SECONDS),
        )

    @property
    @override
    def max_chunk(self) -> int:
        in_time = int(self.client.rate_limit.per_second * SENT_WITHIN_SECONDS)
        return BATCH_SIZE * min(MAX_AT_ONCE, max(1, in_time))

    @property
    @override
    def requests(self) -> int:
        return self.client.requests

    def check_targets(self, targets: Sequence[Target]) -> None:
        """Accept every target: Bitrix24 has both agents and queues."""

    def check_source(self, source: Target) -> None:
        """Accept every source: chats are taken from agents and from queues."""

    def check_may_send(self) -> None:
        """Let every account try; the portal says what it lacks."""

    @override
    def resolve(self, targets: Sequence[Target], *, of: str) -> Mapping[Target, Target]:
        return self._directory.resolve(targets, of=of)

    @override
    def resolve_chats(self, references: Sequence[str]) -> Mapping[str, str]:
        return self._references.resolve(references)

    @override
    def find_agents_chats(self, agents: Sequence[str]) -> list[Chat]:
        return self._finder.of_agents(agents)

    @override
    def find_waiting_chats(self, queue: str) -> list[Chat]:
        return self._finder.waiting_in(queue)

    @override
    def read_chats(self, chat_ids: Sequence[str]) -> Mapping[str, Reading]:
        commands = {
            chat_id: Command("imopenlines.dialog.get", {"CHAT_ID": int(chat_id)}, Dialog) for chat_id in chat_ids
        }
        parts = self._at_once.map(
            lambda part: list(self.client.batches([commands[chat_id] for chat_id in part])),
            self._parts(commands),
            kind="read",
            troubled=lambda results: any(map(is_overload, results)),
        )
        answers = zip(chat_ids, chain.from_iterable(parts), strict=True)
        chats = {chat_id: _reading(answer, of=chat_id) for chat_id, answer in answers}
        owners = {chat.owner for chat in chats.values() if isinstance(chat, Chat) and chat.owner}
        bots = self._receivers.are_bots(sorted(owners, key=int))
        return {chat_id: _without_bot(chat, bots) for chat_id, chat in chats.items()}

    @override
    def send(self, moves: Sequence[Move], options: SendOptions) -> Sent:
        destinations = {move.transfer.chat_id: _destination(move) for move in moves}
        self._receivers.look_up(destinations.values())
        answers: dict[str, Answer] = {}
        commands: dict[str, Command] = {}
        for chat_id, target in destinations.items():
            if refusal := self._receivers.why_refused(target):
                answers[chat_id] = Refused(refusal, lasting=True)
            else:
                commands[chat_id] = self._transfer_command(chat_id, target=target, bot_leaves=BOT_LEAVES in options.on)
        seen = {move.transfer.chat_id: move.chat for move in moves}
        parts = self._at_once.map(
            lambda part: self._send_part({chat_id: commands[chat_id] for chat_id in part}, seen=seen),
            self._parts(commands),
            kind="send",
            troubled=lambda results: any(map(is_overload, results.values())),
            is_last=lambda results: _is_last(results.values()),
        )
        results = {chat_id: result for part in parts for chat_id, result in part.items()}
        answers.update((chat_id, _answer(result)) for chat_id, result in results.items())
        return Sent(answers, _why_stop(results.values()))

    @override
    def transfer_history(self, moves: Sequence[Move], *, since: Mapping[str, float]) -> Mapping[str, bool | None]:
        return self._history.carried_out(moves, since=since)

    @override
    def receiver_of(self, chat: Reading) -> Target:
        return Target.agent(self.client.user_id())

    @override
    def accept(self, chat: Chat) -> Answer:
        command = Command("imopenlines.operator.answer", {"CHAT_ID": int(chat.id)})
        return _answer(self.client.batch([command], repeatable=False)[0])

    @override
    def check_connection(self) -> ConnectionCheck:
        return check_connection(self.client)

    @override
    def close(self) -> None:
        self.client.close()

    def _parts(self, commands: Mapping[str, Command]) -> list[list[str]]:
        """Divide chats among requests, each with as many ``commands`` as the portal can do in the time of one."""
        chat_ids = list(commands)
        size = self.client.fitting(list(commands.values())) if commands else 1
        return [chat_ids[start : start + size] for start in range(0, len(chat_ids), size)]

    def _send_part(
        self, commands: Mapping[str, Command], *, seen: Mapping[str, Chat]
    ) -> dict[str, Any | PlatformError]:
        """Send ``commands``, in one request unless there is little operating time left; return the results by chat.

        Chats that had to wait for too long since they were ``seen`` are read again first, and are not sent if they have
        changed or cannot be read. After an error that would strike all others as well, those are not sent either.
        """
        results: dict[str, Any | PlatformError] = {}
        rest = list(commands)
        while rest:
            count = self.client.make_room([commands[chat_id] for chat_id in rest])
            part, rest = rest[:count], rest[count:]
            if not was_read_too_long_ago():
                got = self._send_request({chat_id: commands[chat_id] for chat_id in part})
            else:
                try:
                    part = self._still_as(seen, part)
                except PlatformError as error:
                    log.warning("Sending ends here, since chats could not be read again: %s", error)
                    break
                with sending_what_was_read_again():
                    got = self._send_request({chat_id: commands[chat_id] for chat_id in part})
            results.update(got)
            if got and _is_last(got.values()):
                break
        return results

    def _still_as(self, seen: Mapping[str, Chat], chat_ids: Sequence[str]) -> list[str]:
        """Read chats again, and return those that have not changed since they were ``seen``."""
        chats = self.read_chats(chat_ids)
        return [chat_id for chat_id in chat_ids if _is_still(seen[chat_id], chats[chat_id])]

    def _send_request(self, commands: Mapping[str, Command]) -> dict[str, Any | PlatformError]:
        """Send one request.

        An error that concerns all its commands becomes the result of each, since other requests have results of their
        own.
        """
        if not commands:
            return {}
        try:
            return dict(zip(commands, self.client.batch(list(commands.values()), repeatable=False), strict=True))
        except PlatformError as error:
            return dict.fromkeys(commands, error)

    def _transfer_command(self, chat_id: str, *, target: Target, bot_leaves: bool) -> Command:
        """Build ``imopenlines.bot.session.transfer`` with exactly one destination.

        Names are in upper case and ``LEAVE`` is a string, since the server takes no other spelling. CLIENT_ID is sent
        by webhooks, which are refused without it; an application's bot is found by its token.
        """
        params: dict[str, int | str] = {
            "CHAT_ID": int(chat_id),
            "USER_ID" if target.is_agent else "QUEUE_ID": int(target.id or 0),
            "LEAVE": "Y" if bot_leaves else "N",
        }
        if self.client.auth.bot_client_id is not None:
            params["CLIENT_ID"] = self.client.auth.bot_client_id
        return Command(TRANSFER, params)


def destination(*, user_id: object = None, queue_id: object = None, transfer_id: object = None) -> Target:
    """Return the target that the parameters of ``imopenlines.bot.session.transfer`` name.

    Exactly one must be given: servers and documents disagree about which of several wins. Raises ``ValueError``.
    """
    given = {"USER_ID": user_id, "QUEUE_ID": queue_id, "TRANSFER_ID": transfer_id}
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise ValueError(f"exactly one of {', '.join(given)} must be given, not {' and '.join(named) or 'none'}")
    if transfer_id is not None:
        return parse_transfer_id(transfer_id)
    if user_id is not None:
        return Target.agent(as_id(user_id, of="USER_ID"))
    return Target(TargetKind.QUEUE, as_id(queue_id, of="QUEUE_ID"))


def parse_transfer_id(transfer_id: object) -> Target:
    """Read Bitrix24's own spelling of a destination, TRANSFER_ID: ``12`` is a user, ``queue3`` an open line.

    It is understood here and never sent: servers and documents disagree about its precedence. Raises ``ValueError`` for
    any other text.
    """
    text = str(transfer_id)
    kind = TargetKind.QUEUE if text.startswith(TargetKind.QUEUE) else TargetKind.AGENT
    return Target(kind, as_id(text.removeprefix(TargetKind.QUEUE), of=f"TRANSFER_ID {text!r}"))


def _destination(move: Move) -> Target:
    """Return the target of a move; for a chat's own queue the number of its line, as the server wants it."""
    target = move.transfer.target
    return target if target.id is not None else replace(target, id=move.chat.queue)


def _reading(answer: Dialog | PlatformError, *, of: str) -> Reading:
    """Return the chat that was asked for; a wrong answer about it concerns no other chat."""
    if isinstance(answer, NotFoundError):
        return UnreadableChat(f"not there, or this account may not see it [{answer.code}]")
    if isinstance(answer, RequestRefusedError):
        return UnreadableChat(str(answer))
    if isinstance(answer, UnexpectedResponseError):
        return UnreadableChat.not_understood(answer)
    if isinstance(answer, PlatformError):
        raise answer
    if answer.id != of:
        return UnreadableChat.not_understood("the portal shows another chat in its place")
    return answer.reading()


def _is_still(seen: Chat, now: Reading) -> bool:
    return isinstance(now, Chat) and not now.moved_since(seen)


def _why_stop(results: Iterable[Any | PlatformError]) -> Stop | None:
    """Return why a run must end after these results; ``None`` where it may go on."""
    errors = (result for result in results if isinstance(result, PlatformError))
    return next(filter(None, map(stop_after, errors)), None)


def _is_last(results: Collection[Any | PlatformError]) -> bool:
    """Tell whether other requests would meet what these results have met: the portal took none of the commands."""
    if _why_stop(results) is not None:
        return True
    return bool(results) and all(isinstance(each, PlatformError) and decide(each).not_applied for each in results)


def _without_bot(chat: Reading, bots: frozenset[str]) -> Reading:
    """Clear the owner of a dialogue that a bot leads: nobody has accepted it."""
    return replace(chat, owner=None) if isinstance(chat, Chat) and chat.owner in bots else chat


def _answer(result: Any | PlatformError) -> Answer:
    if isinstance(result, RequestRefusedError):
        return Refused(str(result), passing=(result.code or "").lower() in TRANSIENT_REFUSALS, code=result.code)
    if isinstance(result, PlatformError):
        return answer_to(result)
    return Answered() if result is True else OutcomeUnknown(f"the portal answered {type(result).__name__}, not true")
