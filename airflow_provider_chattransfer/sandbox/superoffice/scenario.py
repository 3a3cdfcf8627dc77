# SPDX-License-Identifier: Apache-2.0
"""From a scenario's JSON to a tenant's first state: generated, listed, or the default one.

Keys: `operators`, `queues` (chat topics) and `chats`, each a number or a list of objects; `people`, `switches`;
`rate` (calls per second, or null); `tokens` (credential to associate id, or to
`{"associate": 7, "expires_in": 60}`); `application` (`client_id`, `client_secret`, `system_token`, `public_key`,
`consent`); `refresh_tokens` (token to associate id); `time_zone` (of the server); `tenant_state`; `data_host` (the only
host name on which the tenant's data is served, for 421 elsewhere; or `{"name": "localhost", "after": 60}`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..chat_generator import generate_chats
from ..validation import boolean, shown, whole_number
from . import fake_data
from .model import (
    Associate,
    AssociateType,
    Centre,
    ChatSession,
    Customer,
    MessageType,
    Role,
    SpecialType,
    Status,
    Topic,
)

TENANT = "Cust12345"
SUPERVISOR_ID = 5
FIRST_SESSION_ID = 150
FIRST_CUSTOMER_ID = 5001
EJUSER_OFFSET = 5
"""An ejuser id is an associate id plus this, so that one taken for the other names a wrong but real person."""

DEFAULT_AGENTS = (7, 8, 12, 15, 21)
DEFAULT_CHATS = 30
OWNERS = (0, 1, 0, None, 1, 2, 1, 0, 0, None)
"""Who has the generated session at this place of ten: the first agent, the second, another (2), or nobody."""

WAITING_PLACE, CLOSED_PLACE, PENDING_INDEX, REPEATED_CUSTOMER = 3, 9, 1, 6
KEYS = {"operators", "queues", "chats", "people", "customers", "switches", "rate", "tokens", "application",
        "refresh_tokens", "time_zone", "tenant_state", "data_host"}  # fmt: skip
OPERATOR_KEYS = {"id", "login", "password", "name", "present", "type", "deleted", "ejuser"}
QUEUE_KEYS = {"id", "name", "members", "managers", "listeners"}
CHAT_KEYS = {"id", "owner", "queue", "state", "status", "customer", "known", "transfer_to", "messages"}


def centre(scenario: Mapping[str, Any], *, now: float, rng: random.Random) -> Centre:
    """Return the data of ``scenario``; raises `ValueError` for what is contradictory or unknown."""
    known("scenario of superoffice", scenario, KEYS)
    associates, present = _associates(scenario.get("operators"))
    result = Centre(associates=associates, topics=_topics(scenario.get("queues"), associates), present=present)
    _Chats(result, now=now, rng=rng).add(scenario.get("chats", DEFAULT_CHATS))
    return result


def _associates(value: Any) -> tuple[list[Associate], set[int]]:
    entries = _operator_entries(value)
    associates = [_from_entry(entry, place) for place, entry in enumerate(entries)]
    _distinct("operators", [associate.id for associate in associates])
    _distinct("logins", [associate.login.casefold() for associate in associates])
    _distinct("ejuser ids", [associate.ejuser_id for associate in associates])
    present = {
        associate.id
        for associate, entry in zip(associates, entries, strict=True)
        if associate.chats and boolean(entry.get("present", True), "present")
    }
    return associates, present


def _operator_entries(value: Any) -> list[Mapping[str, Any]]:
    """Return the listed operators; for a number that many agents, with the supervisor and the two who cannot chat."""
    if isinstance(value, list):
        return [known("operator", entry, OPERATOR_KEYS) for entry in value]
    agents = list(DEFAULT_AGENTS) if value is None else _agent_numbers(_amount("operators", value))
    return [
        {"id": SUPERVISOR_ID, "login": "tje0", "password": "Tje0", "name": "Tone Jespersen"},
        *({"id": number} for number in agents),
        {"id": max(90, agents[-1] + 1) if agents else 90, "deleted": True},
        {"id": max(99, agents[-1] + 2) if agents else 99, "login": "system", "type": AssociateType.SYSTEM.value},
    ]


def _agent_numbers(amount: int) -> list[int]:
    """Return the default agents first, then the numbers from 22 on, leaving out the two who cannot chat."""
    numbers = list(DEFAULT_AGENTS[:amount])
    number = DEFAULT_AGENTS[-1]
    while len(numbers) < amount:
        number += 1
        numbers.append(number)
    return numbers


def _from_entry(entry: Mapping[str, Any], place: int) -> Associate:
    number = whole_number(entry["id"], "an operator's id", least=1)
    login = str(entry.get("login", f"agent{number}"))
    return Associate(
        id=number,
        ejuser_id=whole_number(entry.get("ejuser", number + EJUSER_OFFSET), "ejuser", least=1),
        person_id=1000 + number,
        login=login,
        password=str(entry.get("password", f"Secret{number}")),
        full_name=str(entry.get("name", fake_data.AGENT_NAMES[place % len(fake_data.AGENT_NAMES)])),
        type=AssociateType(entry.get("type", AssociateType.INTERNAL)),
        deleted=boolean(entry.get("deleted", False), "deleted"),
    )


def _topics(value: Any, associates: Sequence[Associate]) -> list[Topic]:
    numbers = {associate.id for associate in associates}
    agents = [associate.id for associate in associates if associate.chats and associate.id != SUPERVISOR_ID]
    listeners = [SUPERVISOR_ID] if SUPERVISOR_ID in numbers else []
    if isinstance(value, list):
        entries = [known("queue", entry, QUEUE_KEYS) for entry in value]
    else:
        amount = 2 if value is None else _amount("queues", value)
        sales = [number for number in agents if number in (12, 21)] or agents
        names = ["Support", "Sales", *(f"Topic {number}" for number in range(5, amount + 3))]
        entries = [
            {"id": 3 + place, "name": name, "members": sales if name == "Sales" else agents}
            for place, name in enumerate(names[:amount])
        ]
    topics = [
        Topic(
            id=whole_number(entry["id"], "a queue's id", least=1),
            name=str(entry.get("name", f"Topic {entry['id']}")),
            roles=_roles(
                members=entry.get("members", agents),
                managers=entry.get("managers", ()),
                listeners=entry.get("listeners", listeners),
            ),
        )
        for entry in entries
    ]
    _distinct("queues", [topic.id for topic in topics])
    for topic in topics:
        if strangers := topic.people - numbers:
            raise ValueError(f"queue {topic.id} names operators who do not exist: {sorted(strangers)}")
    return topics


def _roles(*, members: Sequence[int], managers: Sequence[int], listeners: Sequence[int]) -> dict[int, frozenset[Role]]:
    """By associate; those who take chats or manage can listen in, those who take chats are notified."""
    those = {
        Role.RESPOND: {*members},
        Role.MANAGE: {*managers},
        Role.LISTEN: {*members, *managers, *listeners},
        Role.NOTIFY: {*members},
    }
    return {number: frozenset(role for role in Role if number in those[role]) for number in sorted(those[Role.LISTEN])}


@dataclass(slots=True)
class _Chats:
    """Fills a centre with sessions."""

    centre: Centre
    now: float
    rng: random.Random
    customers: dict[int, Customer] = field(default_factory=dict)
    ranks: Counter[int] = field(default_factory=Counter)

    def add(self, value: Any) -> None:
        """Add the listed sessions, or a number of generated ones, in all or by state."""
        entries: Sequence[Mapping[str, Any]]
        if isinstance(value, list):
            entries = [known("chat", entry, CHAT_KEYS) for entry in value]
        elif isinstance(value, Mapping):
            entries = generate_chats(value, agents=self._agents(), queues=list(self.centre.topics))
        else:
            entries = self._generated(_amount("chats", value))
        for place, entry in enumerate(entries):
            self._add(entry, place, of=len(entries))

    def _agents(self) -> list[int]:
        """Those who take chats of a topic."""
        return [
            associate.id
            for associate in self.centre.chat_users()
            if any(associate.id in topic.members for topic in self.centre.topics.values())
        ]

    def _generated(self, amount: int) -> list[Mapping[str, Any]]:
        agents = self._agents()
        if amount and not (agents and self.centre.topics):
            raise ValueError("chats cannot be generated without an agent in a queue")
        return [self._entry(place, agents) for place in range(amount)]

    def _entry(self, place: int, agents: Sequence[int]) -> Mapping[str, Any]:
        """Return the session at ``place`` of the generated ones: most belong to the first two agents, who go home."""
        ten = place % len(OWNERS)
        repeated = place % 7 == REPEATED_CUSTOMER
        customer = FIRST_CUSTOMER_ID + (place - 2 if repeated else place)
        entry: dict[str, Any] = {"id": FIRST_SESSION_ID + place, "customer": customer, "known": customer % 5 != 0}
        if ten == WAITING_PLACE:
            topics = list(self.centre.topics)
            return {**entry, "state": "waiting", "queue": topics[place // len(OWNERS) % len(topics)]}
        if ten == CLOSED_PLACE:
            return {**entry, "state": "closed", "owner": agents[0]}
        who = OWNERS[ten] or 0
        others = agents[2:] or agents
        owner = others[place // len(OWNERS) % len(others)] if who == 2 else agents[who % len(agents)]
        if place == PENDING_INDEX and len(agents) > 2:
            entry["transfer_to"] = agents[2]
        return {**entry, "owner": owner, "queue": self._topic_of(owner, last=who == 2)}

    def _topic_of(self, owner: int, *, last: bool = False) -> int:
        topics = self.centre.topics.values()
        own = [topic.id for topic in topics if owner in topic.people] or [topic.id for topic in topics]
        if not own:
            raise ValueError("a chat needs a queue")
        return own[-1] if last else own[0]

    def _add(self, entry: Mapping[str, Any], place: int, *, of: int) -> None:
        number = (
            whole_number(entry["id"], "a chat's id", least=1)
            if "id" in entry
            else max(self.centre.sessions, default=FIRST_SESSION_ID - 1) + 1
        )
        if number in self.centre.sessions:
            raise ValueError(f"chat {number} is listed twice")
        owner, asked = entry.get("owner"), entry.get("transfer_to")
        status = _status(number, entry, place)
        self._check(number, status, owner, asked)
        topic = entry.get("queue", self._topic_of(owner) if owner is not None else next(iter(self.centre.topics), None))
        if topic not in self.centre.topics:
            raise ValueError(f"chat {number}: no queue {topic!r}")
        requested = self.now - 60.0 * (of - place) - 600.0
        session = ChatSession(
            id=number,
            topic=topic,
            customer=self._customer(entry, place),
            status=status,
            key=fake_data.session_key(self.rng),
            requested=requested,
            user=owner,
            transfer_to=asked,
            started=requested + 45.0 if owner is not None else None,
            ended=requested + 400.0 if status.ended else None,
            queue_position=1 + place % 4,
        )
        self._talk(session, whole_number(entry.get("messages", 3 if owner is not None else 1), "messages"))
        if owner is not None and status.active:
            self.ranks[owner] += 1
            session.rank = self.ranks[owner]
        self.centre.sessions[number] = session

    def _check(self, number: int, status: Status, owner: Any, asked: Any) -> None:
        agents = {associate.id for associate in self.centre.chat_users()}
        for role, associate in (("owner", owner), ("transfer_to", asked)):
            if associate is not None and associate not in agents:
                raise ValueError(f"chat {number}: {role} {associate!r} is not an operator who can chat")
        if status.active and owner is None:
            raise ValueError(f"chat {number}: an open chat has an owner")
        if owner is not None and not (status.active or status.ended):
            raise ValueError(f"chat {number}: a waiting chat has no owner")
        if asked is not None and (not status.active or asked == owner):
            raise ValueError(f"chat {number}: only an open chat is transferred, and to somebody else")

    def _customer(self, entry: Mapping[str, Any], place: int) -> Customer:
        number = whole_number(entry.get("customer", FIRST_CUSTOMER_ID + place), "customer", least=1)
        if number not in self.customers:
            known = boolean(entry.get("known", True), "known")
            self.customers[number] = fake_data.customer(number, known=known, rng=self.rng)
        return self.customers[number]

    def _talk(self, session: ChatSession, amount: int) -> None:
        """Write a conversation of ``amount`` messages whose last one fits the status."""
        at = session.requested
        self.centre.write(session, at=at, type=MessageType.SPECIAL, special=SpecialType.NEW_SESSION)
        last_is_agent = session.status is Status.UserLast or session.status.ended
        author = self.centre.associates[session.user].full_name if session.user is not None else ""
        for place in range(amount):
            at += 60.0
            turn = (amount - 1 - place) % 2 == (0 if last_is_agent else 1)
            by_agent = turn and place > 0 and session.user is not None
            texts = fake_data.QUESTIONS if place == 0 else fake_data.REPLIES if by_agent else fake_data.ANSWERS
            self.centre.write(
                session,
                at=at,
                type=MessageType.TO_CUSTOMER if by_agent else MessageType.TO_USER,
                text=self.rng.choice(texts),
                author=author if by_agent else session.customer.first_name,
            )


def _status(number: int, entry: Mapping[str, Any], place: int) -> Status:
    """Return the status that ``state`` stands for, or ``status`` by its own name."""
    state = entry.get("state", "waiting" if entry.get("owner") is None else "open")
    if state not in ("open", "waiting", "closed"):
        raise ValueError(f"chat {number}: state must be open, waiting or closed, got {state!r}")
    usual = {
        "open": Status.UserLast if place % 3 == 0 else Status.CustomerLast,
        "waiting": Status.InQueue,
        "closed": Status.Closed,
    }[state]
    name = entry.get("status", usual.name)
    if name not in Status.__members__:
        raise ValueError(f"chat {number}: no status {name!r}")
    status = Status[name]
    if "state" in entry and state != state_of(status):
        raise ValueError(f"chat {number}: status {name} is not {state}")
    return status


def state_of(status: Status) -> str:
    """``open``, ``waiting`` or ``closed``, as ``GET /sandbox/state`` speaks of chats."""
    return "open" if status.active else "closed" if status.ended else "waiting"


def known(what: str, value: Any, keys: set[str]) -> Mapping[str, Any]:
    """``value``, if it is an object with these ``keys`` at most; raises `ValueError`."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{what} must be an object, got {shown(value)}")
    if unknown := set(value) - keys:
        raise ValueError(f"unknown keys in the {what}: {sorted(unknown)}")
    return value


def _amount(what: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{what} must be a list or a number, got {shown(value)}")
    return value


def _distinct(what: str, values: Sequence[Any]) -> None:
    if len(set(values)) != len(values):
        raise ValueError(f"{what} are not distinct")
