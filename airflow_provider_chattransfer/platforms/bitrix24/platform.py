# SPDX-License-Identifier: Apache-2.0
"""Move the dialogues of Bitrix24 Open Lines: Bitrix24 as a ``ChatPlatform``."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from typing_extensions import override

from ...chats.estimate import Cost, OperatingCost
from ...chats.inputs import as_id
from ...chats.model import Chat, Reading, Target, TargetKind, UnreadableChat
from ...chats.reconciliation import Answer, Answered, OutcomeUnknown, Refused
from ...chats.run import Move, Sent
from ...exceptions import (
    NotFoundError,
    PlatformError,
    RequestRefusedError,
    UnexpectedResponseError,
)
from ...retry_decision import decide
from ..base import ChatPlatform, SendOptions, answer_to, stop_after
from ..connection_check import ConnectionCheck
from ..rate import RateLimit
from ..transport import MAX_READ_AGE_SECONDS
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

    @property
    @override
    def cost(self) -> Cost:
        limit, seconds = self.client.rate_limit, self.client.operating_seconds(TRANSFER)
        return Cost(
            chats_per_request=(BATCH_SIZE, BATCH_SIZE, BATCH_SIZE),
            per_second=limit.per_second,
            burst=limit.burst,
            once=LOOK_UPS,
            operating=OperatingCost(seconds, LIMIT_SECONDS, WINDOW_SECONDS),
        )

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
        commands = [Command("imopenlines.dialog.get", {"CHAT_ID": int(chat_id)}, Dialog) for chat_id in chat_ids]
        answers = zip(chat_ids, self.client.batches(commands), strict=True)
        chats = {chat_id: _reading(answer, of=chat_id) for chat_id, answer in answers}
        owners = {chat.owner for chat in chats.values() if isinstance(chat, Chat) and chat.owner}
        bots = self._receivers.are_bots(sorted(owners, key=int))
        return {chat_id: _without_bot(chat, bots) for chat_id, chat in chats.items()}

    @override
    def send(self, moves: Sequence[Move], options: SendOptions) -> Sent:
        began, destinations = self.client.clock(), {move.transfer.chat_id: _destination(move) for move in moves}
        self._receivers.look_up(destinations.values())
        answers: dict[str, Answer] = {}
        commands: dict[str, Command] = {}
        for chat_id, target in destinations.items():
            if refusal := self._receivers.why_refused(target):
                answers[chat_id] = Refused(refusal, lasting=True)
            else:
                commands[chat_id] = self._transfer_command(chat_id, target=target, bot_leaves=BOT_LEAVES in options.on)
        seen = {move.transfer.chat_id: move.chat for move in moves}
        for part, results in self._in_parts(commands, seen=seen, read_at=began):
            answers.update(zip(part, map(_answer, results), strict=True))
            errors = [result for result in results if isinstance(result, PlatformError)]
            if stop := next(filter(None, map(stop_after, errors)), None):
                return Sent(answers, stop)
            if len(errors) == len(results) and all(decide(error).not_applied for error in errors):
                break
        return Sent(answers)

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

    def _in_parts(
        self, commands: Mapping[str, Command], *, seen: Mapping[str, Chat], read_at: float
    ) -> Iterator[tuple[list[str], list[Any | PlatformError]]]:
        """Send ``commands``, as many per request as the portal can do in time.

        Yield the chats and the results of each request.

        A chat that was ``seen`` at ``read_at``, and that is too long ago, is read again first, and is not sent if it
        has changed or cannot be read.
        """
        rest = list(commands)
        while rest:
            count = self.client.make_room([commands[chat_id] for chat_id in rest])
            part, rest = rest[:count], rest[count:]
            if self.client.clock() - read_at > MAX_READ_AGE_SECONDS:
                try:
                    chats, read_at = self.read_chats(part), self.client.clock()
                except PlatformError as error:
                    log.warning("Sending ends here, since chats could not be read again: %s", error)
                    return
                part = [chat_id for chat_id in part if _is_still(seen[chat_id], chats[chat_id])]
            if part:
                yield part, self._send_part([commands[chat_id] for chat_id in part])

    def _send_part(self, commands: Sequence[Command]) -> list[Any | PlatformError]:
        """Send one request.

        An error that concerns all its commands becomes the result of each, since other requests have results of their
        own.
        """
        try:
            return self.client.batch(commands, repeatable=False)
        except PlatformError as error:
            return [error] * len(commands)

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


def _without_bot(chat: Reading, bots: frozenset[str]) -> Reading:
    """Clear the owner of a dialogue that a bot leads: nobody has accepted it."""
    return replace(chat, owner=None) if isinstance(chat, Chat) and chat.owner in bots else chat


def _answer(result: Any | PlatformError) -> Answer:
    if isinstance(result, RequestRefusedError):
        return Refused(str(result), passing=(result.code or "").lower() in TRANSIENT_REFUSALS, code=result.code)
    if isinstance(result, PlatformError):
        return answer_to(result)
    return Answered() if result is True else OutcomeUnknown(f"the portal answered {type(result).__name__}, not true")
