# SPDX-License-Identifier: Apache-2.0
"""Chat sessions and topics as entities, for both flavours: create, replace, patch, delete.

"HTTP PUT replaces the entire entity": what the body leaves out gets the default value of its type, as .NET binds it,
so that a session saved without its `User` loses that user. What saving changes beyond the values is not documented;
here it is nothing. Members that the sandbox works out itself or has no data for stay as they are: the messages' copies
and dates, `Contact`, `Project`, `Sale`, `Ticket`, and of a topic all carriers but `OpeningHours`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

from . import errors
from .binding import WebApiCall, lower
from .carriers import OPENING_HOURS
from .model import Centre, ChatSession, Customer, Status, Topic
from .patch import ConflictError, patched
from .sessions import Sessions
from .switches import Switches

STORED = ("CustomerAlias", "CustomerHost", "CustomerName", "CustomerEmail", "CustomerPhone", "CustomerConsented",
          "CustomerCompanyName", "AlertLevel")  # fmt: skip
"""Members of a session that are kept and mean nothing here."""


class Entities:
    """What the tenant's database lets a caller do with whole entities. Nobody is refused: rights are not simulated."""

    def __init__(self, centre: Centre, sessions: Sessions, switches: Switches) -> None:
        self._centre = centre
        self._sessions = sessions
        self._switches = switches

    def save_session(self, call: WebApiCall, body: Any, *, session_id: int | None = None) -> ChatSession | None:
        """Return the session that ``body`` replaces, a new one for the id 0; ``None`` when there is none with the id.

        ``session_id`` stands for the one in the body.
        """
        entity = call.entity(body, "ChatSessionEntity", like=call.carriers.blank_session())
        number = entity["ChatSessionId"] if session_id is None else session_id
        topic = self._topic_in(entity)
        session = self._centre.sessions.get(number) if number else self._sessions.draft(topic, actor=call.actor)
        if session is None:
            return None
        values = self._values(session, entity, call)
        if not number:
            self._sessions.begin(session, actor=call.actor)
        self._sessions.save(session, values, actor=call.actor)
        return session

    def patch_session(self, call: WebApiCall, session: ChatSession) -> None:
        """Carry out the patch in the body.

        Raises `RefusalError`: 409 for a `test` that fails, 412 when the session has changed since
        `If-Unmodified-Since`.
        """
        self.save_session(call, _patched(call, call.carriers.session(session), session.changed), session_id=session.id)

    def save_topic(self, call: WebApiCall, body: Any, *, topic_id: int | None = None) -> Topic | None:
        """As `save_session`, for a topic. A new one has nobody in it."""
        blank = call.carriers.blank_topic()
        entity = call.entity(body, "ChatTopicEntity", like=blank)
        number = entity["ChatTopicId"] if topic_id is None else topic_id
        topic = self._centre.topic(number) if number else Topic(id=self._centre.new_topic_id(), name="", roles={})
        if topic is None:
            return None
        stored = {name: entity[name] for name, default in blank.items() if isinstance(default, (int, str))}
        del stored["LastAccept"]
        if entity["OpeningHours"] is not None:
            stored["OpeningHours"] = call.entity(entity["OpeningHours"], "OpeningHours", like=OPENING_HOURS)
        saved = replace(topic, name=entity["Name"] or "", stored=stored, changed=self._sessions.now())
        self._centre.topics[topic.id] = saved
        return saved

    def patch_topic(self, call: WebApiCall, topic: Topic) -> Topic | None:
        """As `patch_session`."""
        return self.save_topic(call, _patched(call, call.carriers.topic(topic), topic.changed), topic_id=topic.id)

    def delete_topic(self, topic: Topic) -> None:
        """Nobody finds it again. The sessions that were in it stay; what becomes of them is not documented."""
        self._centre.topics[topic.id] = replace(topic, roles={}, deleted=True)

    def _values(self, session: ChatSession, entity: Mapping[str, Any], call: WebApiCall) -> dict[str, Any]:
        """Return the attributes of ``session`` as ``entity`` has them.

        An empty `SessionKey` or `WhenRequested` leaves what was there: without them the session would not be one.
        """
        shown = call.carriers.session(session)
        return {
            "topic": self._topic_in(entity).id,
            "customer": self._customer(session, entity["Person"], call),
            "status": _status(entity["Status"], call),
            "key": entity["SessionKey"] or session.key,
            "requested": _date(entity, "WhenRequested", session.requested, call) or session.requested,
            "started": _date(entity, "WhenStarted", session.started, call),
            "ended": _date(entity, "WhenEnded", session.ended, call),
            "user": self._associate(entity["User"], call),
            "transfer_to": self._associate(entity["TransferTo"], call),
            "queue_position": entity["InitialQueuePos"],
            "rank": entity["Rank"],
            "chatbot": entity["ChatbotIsActive"],
            "rating": entity["Rating"],
            "stored": {**session.stored, **{name: entity[name] for name in STORED if entity[name] != shown[name]}},
        }

    def _topic_in(self, entity: Mapping[str, Any]) -> Topic:
        topic = self._centre.topic(entity["TopicId"])
        return topic or self._unknown("ChatTopic", entity["TopicId"])

    def _associate(self, carrier: Mapping[str, Any] | None, call: WebApiCall) -> int | None:
        """Return the associate in a carrier; the id 0 stands for nobody."""
        number = _id_in(carrier, "AssociateId", call)
        return (
            None if not number else number if number in self._centre.associates else self._unknown("Associate", number)
        )

    def _customer(self, session: ChatSession, carrier: Mapping[str, Any] | None, call: WebApiCall) -> Customer:
        number = _id_in(carrier, "PersonId", call)
        if number in (0, session.customer.id):
            return replace(session.customer, known=bool(number))
        customers = (other.customer for other in self._centre.sessions.values() if other.customer.known)
        found = next((customer for customer in customers if customer.id == number), None)
        return found or self._unknown("Person", number)

    def _unknown(self, what: str, number: object) -> NoReturn:
        raise errors.invalid_argument(f"{what} id {number} not found", status=self._switches.error_status)


def _patched(call: WebApiCall, entity: Mapping[str, Any], changed: float) -> dict[str, Any]:
    unless = call.request.headers.get("if-unmodified-since")
    if unless is not None and int(changed) > _moment(unless):
        raise errors.message(412, "The entity has changed since the given time.")
    try:
        return patched(entity, call.body)
    except ConflictError as problem:
        raise errors.message(409, str(problem)) from None
    except ValueError as problem:
        raise errors.message(400, "The request is invalid.", str(problem)) from None


def _moment(text: str) -> float:
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        raise errors.message(400, "The request is invalid.", f"Not a date: {text}") from None


def _date(entity: Mapping[str, Any], name: str, present: float | None, call: WebApiCall) -> float | None:
    """Return the date in ``entity``; the ``present`` one where it is written alike, so that no fraction is lost."""
    if entity[name] == call.dates.entity(present):
        return present
    try:
        return call.dates.member(entity[name])
    except ValueError:
        raise errors.unbound(name, "System.DateTime", status=call.unbound_status) from None


def _status(text: str | None, call: WebApiCall) -> Status:
    """By name in any case or by number, as Json.NET reads an enum."""
    wanted = (text or "Invalid").casefold()
    found = next((status for status in Status if wanted in (status.name.casefold(), str(int(status)))), None)
    if found is None:
        raise errors.unbound("Status", "SuperOffice.Data.ChatSessionStatus", status=call.unbound_status)
    return found


def _id_in(carrier: Mapping[str, Any] | None, name: str, call: WebApiCall) -> int:
    return int(call.bound(name, lower(carrier or {}).get(name.casefold()), like=0))
