# SPDX-License-Identifier: Apache-2.0
"""Find out by asking what a SuperOffice account may do; nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Thread
from typing import TypeVar

from ...exceptions import CredentialsError, PlatformError, RequestRefusedError
from ..connection_check import Capability, ConnectionCheck
from .client import SuperOfficeClient

T = TypeVar("T")

SYSTEM = "SystemAssociate"
"""``UserType`` of the application's own user (enum AssociateType)."""

GIVE = "give the user's role the right to read them in SuperOffice Admin"

Identities = Callable[[str], SuperOfficeClient]

MAX_CHECK_SECONDS = 4.0
"""Seconds for asking as whom the agents' connections sign in: half of what the button Test has."""

MAX_DESCRIBED = 5
"""How many wrong connections of agents are described one by one."""

MAX_NAMED = 3
"""How many agents without a connection are named."""


@dataclass(frozen=True, slots=True)
class Myself:
    """The associate who is signed in."""

    id: str
    is_system_user: bool

    def __str__(self) -> str:
        return f"{'the system user, ' if self.is_system_user else ''}associate {self.id}"


def check_connection(client: SuperOfficeClient, *, identities: Identities | None) -> ConnectionCheck:
    """Tell who ``client`` is, and what it may do, by itself or by the agents' ``identities``.

    Makes some six requests, and one or two for each agent. Raises a ``PlatformError`` when the service does not let us
    in.
    """
    where = client.address.describe()
    principal = client.principal()
    me = Myself(id=principal.AssociateId, is_system_user=principal.UserType == SYSTEM)
    capabilities, remarks = list(_reading(client)), list[str]()
    if identities is None:
        capabilities += _by_itself(client, me)
    else:
        agents = sorted(_chat_users(client), key=int)
        capabilities += _by_agents(agents, identities)
        remarks += _signing_in(agents, identities)
    return ConnectionCheck(
        where=where,
        who=str(me) if identities is not None or me.is_system_user else f"{me}, who moves their own chats only",
        capabilities=capabilities,
        remarks=remarks,
        clock_ahead=client.clock_ahead,
    )


def _reading(client: SuperOfficeClient) -> Iterator[Capability]:
    """Check the reads: to list is to read the archive, to wait is to read one session again and again."""
    newest, refused = _asked(client.newest)
    yield Capability("list", missing=refused and f"reading chat sessions is refused {refused}: {GIVE}", needed=True)
    if newest is not None:
        _, refused = _asked(lambda: client.entity(newest))
    yield Capability("wait", missing=refused and f"reading a chat session is refused {refused}: {GIVE}", needed=True)


def _by_itself(client: SuperOfficeClient, me: Myself) -> Iterator[Capability]:
    """Check what SuperOffice lets only the owner of a chat do."""
    missing, needed = None, True
    if me.is_system_user:
        missing, needed = "a system user has no chats; name the agents' connections in agent_conn_id", False
    elif me.id not in _chat_users(client, unless_told=me.id):
        missing = f"associate {me.id} has no chat licence; give them one in SuperOffice Admin, Users"
    elif _asked(client.topics)[0] == []:
        missing = f"associate {me.id} has no role in any chat channel; give them one in SuperOffice Admin, Chat"
    yield Capability("transfer", missing=missing, needed=needed)
    yield Capability("accept", missing=missing)


def _by_agents(agents: Sequence[str], identities: Identities) -> Iterator[Capability]:
    """Tell which agents who can be given chats have a connection to act by."""
    without = {agent: why for agent in agents if (why := _why_not(identities, agent))}
    nobody = next(iter(without.values())) if without and len(without) == len(agents) else None
    yield Capability("transfer", missing=nobody, needed=True)
    yield Capability("accept", missing=nobody)
    if without and nobody is None:
        named = ", ".join(list(without)[:MAX_NAMED])
        more = f" and {len(without) - MAX_NAMED} others" if len(without) > MAX_NAMED else ""
        likewise = "; and so for each of them" if len(without) > 1 else ""
        yield Capability(f"act as agent {named}{more}", missing=f"{next(iter(without.values()))}{likewise}")


def _signing_in(agents: Sequence[str], identities: Identities) -> Iterator[str]:
    """Check of each agent whose connection is there whether it signs in, and as whom.

    Asks one after the other for ``MAX_CHECK_SECONDS`` seconds; a request that hangs longer is abandoned.
    """
    there = [agent for agent in agents if _why_not(identities, agent) is None]
    told: dict[str, str | None] = {}

    def ask() -> None:
        for agent in there:
            told[agent] = _trouble(identities(agent), agent)

    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(MAX_CHECK_SECONDS)
    known = dict(told)
    if good := [agent for agent, trouble in known.items() if trouble is None]:
        yield f"{_of_agents(good)} {'signs in as that agent' if len(good) == 1 else 'sign in as those agents'}."
    bad = [f"{_of_agents([agent])} {trouble}." for agent, trouble in known.items() if trouble is not None]
    yield from bad[:MAX_DESCRIBED]
    if len(bad) > MAX_DESCRIBED:
        yield f"So it is, or otherwise wrong, with {len(bad) - MAX_DESCRIBED} more."
    if rest := len(there) - len(known):
        yield f"{rest} of the agents' connections {'was' if rest == 1 else 'were'} not asked, for want of time."


def _trouble(client: SuperOfficeClient, agent: str) -> str | None:
    """Tell why ``client`` does not act as ``agent``; ``None`` when it does."""
    try:
        found = client.principal().AssociateId
    except PlatformError as error:
        return f"cannot sign in: {error}"
    return None if found == agent else f"signs in as associate {found}, and not as agent {agent}"


def _of_agents(agents: Sequence[str]) -> str:
    if len(agents) == 1:
        return f"The connection of agent {agents[0]}"
    return f"The connections of agents {', '.join(agents[:-1])} and {agents[-1]}"


def _why_not(identities: Identities, agent: str) -> str | None:
    try:
        identities(agent)
    except ValueError as missing:
        return str(missing)
    return None


def _chat_users(client: SuperOfficeClient, *, unless_told: str = "") -> set[str]:
    """Return the associates with a chat licence; ``unless_told`` alone where the service does not say."""
    items, refused = _asked(client.chat_users)
    if refused or items is None:
        return {unless_told} - {""}
    return {item.Id for item in items if item.Id}


def _asked(ask: Callable[[], T]) -> tuple[T | None, str | None]:
    """Return the answer, or the code with which it was refused, in brackets."""
    try:
        return ask(), None
    except (RequestRefusedError, CredentialsError) as error:
        return None, f"[{error.code}]"
