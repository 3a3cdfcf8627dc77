# SPDX-License-Identifier: Apache-2.0
"""Map a Bitrix24 dialogue, as the portal shows it, to a ``Chat``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BeforeValidator

from ...chats.model import Chat, Reading, UnreadableChat
from ..decoding import (
    CountIfKnown,
    Id,
    IdIfKnown,
    IdOrZero,
    OptionalId,
    TextIfKnown,
    read_id_if_known,
    read_id_or_zero,
)

SESSION_FIELD = 5
LINE_FIELD = 7
"""Positions in ``entity_data_1``, ten fields split by ``|``; old portals have fewer (server source,
``imopenlines/lib/chat.php``)."""

OPEN_LINE = "LINES"

CLOSED = frozenset({"closed", "spam"})
"""The statuses of a session that has ended (``imopenlines.v2.Session.list``)."""


@dataclass(frozen=True, slots=True)
class LineData:
    """What ``entity_data_1`` holds.

    ``session`` is ``None`` when the dialogue is closed, and the line that it was moved to is ``None`` until it was
    moved.
    """

    session: str | None
    moved_to: str | None


def _line_data(value: object) -> LineData | None:
    """Read ``entity_data_1``; ``None`` for a chat that belongs to no open line. Raises ``ValueError`` for wrong ids."""
    fields = value.split("|") if isinstance(value, str) else []
    if len(fields) <= SESSION_FIELD:
        return None
    moved_to = fields[LINE_FIELD] if len(fields) > LINE_FIELD else "0"
    return LineData(session=read_id_or_zero(fields[SESSION_FIELD]), moved_to=read_id_or_zero(moved_to or "0"))


def _parts(value: object) -> list[str]:
    return value.split("|") if isinstance(value, str) else []


Parts = Annotated[list[str], BeforeValidator(_parts)]
"""A text that is split by ``|``; no parts where there is none."""


@dataclass(frozen=True, slots=True)
class Dialog:
    """The result of ``imopenlines.dialog.get``; names and texts are dropped.

    ``entity_id`` is ``connector|line|external chat|user``, ``entity_data_2`` pairs of a CRM object and its id.
    """

    id: Id
    owner: IdOrZero
    entity_type: TextIfKnown = None
    entity_id: Parts = field(default_factory=list)
    entity_data_1: Annotated[LineData | None, BeforeValidator(_line_data)] = None
    entity_data_2: Parts = field(default_factory=list)
    last_message_id: CountIfKnown = None
    message_count: CountIfKnown = None

    def reading(self) -> Reading:
        """Return the ``Chat`` of this dialogue."""
        data = self.entity_data_1
        if self.entity_type != OPEN_LINE or data is None:
            return UnreadableChat("not a dialogue of an open line")
        return Chat(
            id=self.id,
            closed=data.session is None,
            owner=self.owner,
            queue=data.moved_to or self._first_line(),
            session=data.session,
            revision=self.last_message_id or self.message_count,
            customer=self._customer(),
        )

    def _first_line(self) -> str | None:
        return read_id_if_known(self.entity_id[1]) if len(self.entity_id) > 1 else None

    def _customer(self) -> str | None:
        """Return one key for all dialogues of one person: their CRM contact, or else their user id in the channel."""
        linked = dict(zip(self.entity_data_2[::2], self.entity_data_2[1::2], strict=False))
        if contact := read_id_if_known(linked.get("CONTACT")):
            return f"contact {contact}"
        return f"user {self.entity_id[3]}" if len(self.entity_id) > 3 else None


@dataclass(frozen=True, slots=True)
class Session:
    """An item of ``imopenlines.v2.Session.list``. The operator of a new session was asked, and has not accepted."""

    id: Id
    chatId: Id
    operatorId: OptionalId
    status: str
    configId: OptionalId = None
    userId: IdIfKnown = None
    crmEntityType: TextIfKnown = None
    crmEntityId: IdIfKnown = None

    def chat(self) -> Chat:
        """Return the ``Chat`` of this session."""
        asked = self.status == "new"
        contact = self.crmEntityId if self.crmEntityType == "contact" else None
        user = f"user {self.userId}" if self.userId else None
        return Chat(
            id=self.chatId,
            closed=self.status in CLOSED,
            owner=None if asked else self.operatorId,
            offered_to=self.operatorId if asked else None,
            queue=self.configId,
            session=self.id,
            customer=f"contact {contact}" if contact else user,
        )
