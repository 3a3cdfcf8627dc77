# SPDX-License-Identifier: Apache-2.0
"""Look up colleagues and open lines of a portal by number and by name, and chats by their session or CRM entity."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from typing_extensions import override

from ...chats.model import Chat, Reading, Target, TargetKind, UnreadableChat
from ...chats.references import is_chat_id
from ...exceptions import CredentialsError, PlatformError, RequestRefusedError
from ..decoding import Id, TextIfKnown
from ..directory import MAX_CANDIDATES, Directory, Entry, Unresolved, called, closest, not_allowed
from ..paging import Paging
from .client import Bitrix24Client
from .commands import Command
from .mapping import Dialog
from .receivers import Receivers

LINES = "imopenlines.config.list.get"

PAGE_LINES = 200
"""The most lines that ``imopenlines.config.list.get`` gives at once."""

MAX_LINES = 10_000
"""More open lines than any portal has."""

EMPLOYEE = "employee"
"""``USER_TYPE`` of colleagues; others are extranet users and those who write by e-mail."""


@dataclass(frozen=True, slots=True)
class UserRow:
    """A row of ``user.get`` and ``user.search``; which members it has depends on the scope.

    None of them is a login: in the cloud the login is the e-mail address.
    """

    ID: Id
    NAME: TextIfKnown = None
    SECOND_NAME: TextIfKnown = None
    LAST_NAME: TextIfKnown = None
    EMAIL: TextIfKnown = None
    USER_TYPE: TextIfKnown = None

    def entry(self) -> Entry:
        """Return the user with all orders in which a full name is written."""
        first, second, last = ((each or "").strip() for each in (self.NAME, self.SECOND_NAME, self.LAST_NAME))
        orders = ((first, last), (first, second, last), (last, first), (last, first, second), (self.EMAIL or "",))
        names = (" ".join(filter(None, parts)) for parts in orders)
        return Entry(Target.agent(self.ID), tuple(dict.fromkeys(filter(None, names))))


@dataclass(frozen=True, slots=True)
class LineRow:
    """A row of ``imopenlines.config.list.get``."""

    ID: Id
    LINE_NAME: TextIfKnown = None


@dataclass(frozen=True, slots=True)
class ChatRow:
    """A row of ``imopenlines.crm.chat.get``."""

    CHAT_ID: Id


class PortalDirectory(Directory):
    """Looks up numbers together with what is asked about receivers anyway, and all names in one batch.

    A user is found with ``user.get`` by e-mail address and with ``user.search`` by full name (scope ``user``, or
    ``user_basic``), a line with ``imopenlines.config.list.get``.
    """

    def __init__(self, client: Bitrix24Client, receivers: Receivers) -> None:
        super().__init__()
        self._client = client
        self._receivers = receivers

    @override
    def look_up(self, targets: Sequence[Target]) -> Mapping[Target, Target | Unresolved]:
        numbers = [target for target in targets if target.name is None]
        self._receivers.look_up(numbers)
        known: dict[Target, Target | Unresolved] = {
            target: Unresolved(stranger) if (stranger := self._receivers.why_unknown(target)) else target
            for target in numbers
        }
        people = [target for target in targets if target.name is not None and target.is_agent]
        answers = self._client.batches([_search(person.name or "") for person in people])
        known |= {person: _found(person, answer) for person, answer in zip(people, answers, strict=True)}
        lines = [target for target in targets if target.name is not None and not target.is_agent]
        return known | (self._lines(lines) if lines else {})

    def _lines(self, wanted: Sequence[Target]) -> dict[Target, Target | Unresolved]:
        try:
            entries = [
                Entry(Target(TargetKind.QUEUE, row.ID), (row.LINE_NAME,) if row.LINE_NAME else ())
                for row in self._all_lines()
            ]
        except (RequestRefusedError, CredentialsError) as error:
            return {line: not_allowed(line, _unless_shut_out(error)) for line in wanted}
        return {line: called(line, entries, near=closest(line.name or "", entries)) for line in wanted}

    def _all_lines(self) -> Iterator[LineRow]:
        """Yield every line once, page by page.

        A page with nothing new is the last, since old portals return all lines at once.
        """
        seen: set[str] = set()
        paging = Paging(method=LINES, most=MAX_LINES)
        while True:
            page = {"select": ["ID", "LINE_NAME"], "order": {"ID": "ASC"}, "limit": PAGE_LINES, "offset": len(seen)}
            command = Command(LINES, {"PARAMS": page}, list[LineRow])
            rows = [row for row in self._client.call(command, repeatable=True) if row.ID not in seen]
            yield from rows
            seen.update(row.ID for row in rows)
            if len(rows) < PAGE_LINES:
                return
            paging.note_page(row.ID for row in rows)


class ChatReferences:
    """Finds chats by a session's number or by the CRM entity that they belong to."""

    def __init__(self, client: Bitrix24Client, *, read: Callable[[Sequence[str]], Mapping[str, Reading]]) -> None:
        """Read chats by their numbers with ``read``."""
        self._client = client
        self._read = read
        self._known: dict[str, str] = {}

    def resolve(self, references: Sequence[str]) -> Mapping[str, str]:
        """Return the number of each chat; a reference that is a number costs no request.

        Of several chats of one CRM entity the open one is meant, or the newest where all are closed. Raises
        ``ValueError`` for a reference to nothing, to several open chats, and to a session after which its chat has had
        another one.
        """
        unknown = [each for each in dict.fromkeys(references) if not is_chat_id(each) and each not in self._known]
        answers = self._client.batches([_chat_command(each) for each in unknown])
        chats = {each: _chats_in(each, answer) for each, answer in zip(unknown, answers, strict=True)}
        several = [chat for found in chats.values() if len(found) > 1 for chat in found]
        readings = self._read(list(dict.fromkeys(several))) if several else {}
        self._known.update({each: _the_one(each, found, readings) for each, found in chats.items()})
        return {each: each if is_chat_id(each) else self._known[each] for each in references}


def _search(name: str) -> Command:
    if "@" in name:
        return Command("user.get", {"FILTER": {"EMAIL": name}}, list[UserRow])
    return Command("user.search", {"FILTER": {"FIND": name}}, list[UserRow])


def _found(person: Target, answer: list[UserRow] | PlatformError) -> Target | Unresolved:
    """Return the colleague among the rows of a search.

    The portal's own comparison is looser than ours, and it ignores conditions that it does not know.
    """
    if isinstance(answer, PlatformError):
        return not_allowed(person, _unless_shut_out(answer))
    colleagues = [row for row in answer if row.USER_TYPE in (None, "", EMPLOYEE)]
    if "@" in (person.name or ""):
        if colleagues and not any(row.EMAIL for row in colleagues):
            return not_allowed(person, "the scope user_brief hides e-mail addresses; give the scope user or user_basic")
        return called(person, [row.entry() for row in colleagues])
    entries = [row.entry() for row in colleagues]
    return called(person, entries, near=entries)


def _unless_shut_out(error: PlatformError) -> PlatformError:
    """Return the refusal of one method, to be reported; raise every other error."""
    refused = isinstance(error, RequestRefusedError) or (error.code or "").lower() in (
        "insufficient_scope",
        "access_denied",
    )
    if not refused:
        raise error
    return error


def _chat_command(reference: str) -> Command:
    kind, *entity, number = reference.split(":")
    if kind == "session":
        return Command("imopenlines.dialog.get", {"SESSION_ID": number}, Dialog)
    params = {"CRM_ENTITY_TYPE": entity[0], "CRM_ENTITY": number, "ACTIVE_ONLY": "N"}
    return Command("imopenlines.crm.chat.get", params, list[ChatRow])


def _chats_in(reference: str, answer: Dialog | list[ChatRow] | PlatformError) -> list[str]:
    """Return the chats that an answer names, including those that still wait in a queue (hence ACTIVE_ONLY=N)."""
    if isinstance(answer, PlatformError):
        raise ValueError(f"there is no chat {reference}, or it cannot be looked up: {_unless_shut_out(answer)}")
    if isinstance(answer, Dialog):
        return [_chat_of_session(reference, answer.reading())]
    if not answer:
        raise ValueError(f"{reference} has no chat; write the number of one")
    return list(dict.fromkeys(row.CHAT_ID for row in answer))


def _chat_of_session(reference: str, chat: Reading) -> str:
    """Return the number of the chat if it still has the session or is closed.

    With a newer session it is not the one that was named.
    """
    if isinstance(chat, UnreadableChat):
        raise ValueError(f"there is no chat {reference}: {chat.reason}")
    if chat.session not in (None, reference.removeprefix("session:")):
        raise ValueError(f"{reference} is over, and its chat {chat.id} has another session: write the chat's number")
    return chat.id


def _the_one(reference: str, chats: Sequence[str], readings: Mapping[str, Reading]) -> str:
    still_open = [each for each in chats if isinstance(chat := readings.get(each), Chat) and not chat.closed]
    if len(still_open) > 1:
        named = ", ".join(sorted(still_open, key=int)[:MAX_CANDIDATES])
        raise ValueError(f"{reference} has {len(still_open)} open chats, {named}: write the number of one")
    return still_open[0] if still_open else max(chats, key=int)
