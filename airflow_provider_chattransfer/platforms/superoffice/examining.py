# SPDX-License-Identifier: Apache-2.0
"""What a SuperOffice account may do, found out by asking; nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from ..errors import RequestRefused, WrongCredentials
from ..examination import Examination, Right
from .client import SuperOfficeClient

T = TypeVar("T")

SYSTEM = "SystemAssociate"
"""``UserType`` of the application's own user (enum AssociateType)."""

GIVE = "give the user's role the right to read them in SuperOffice Admin"

NAMED = 3
"""How many of the agents whose connections are missing are named."""


@dataclass(frozen=True, slots=True)
class Myself:
    """Who is signed in."""

    id: str
    is_system_user: bool

    def __str__(self) -> str:
        return f"{'the system user, ' if self.is_system_user else ''}associate {self.id}"


def examine(client: SuperOfficeClient, *, identities: Callable[[str], SuperOfficeClient] | None) -> Examination:
    """Who ``client`` is, and what it may do, by itself or by the agents' ``identities``; some six requests.

    Raises a ``PlatformError`` when the service does not let us in.
    """
    where = client.address.look_up()
    principal = client.principal()
    me = Myself(id=principal.AssociateId, is_system_user=principal.UserType == SYSTEM)
    acting = _by_agents(client, identities) if identities is not None else _by_itself(client, me)
    return Examination(
        where=where,
        who=str(me) if identities is not None or me.is_system_user else f"{me}, who moves his own chats only",
        rights=[*_reading(client), *acting],
        clock_ahead=client.clock_ahead,
    )


def _reading(client: SuperOfficeClient) -> Iterator[Right]:
    """To list is to read the archive, to wait is to read one session again and again."""
    newest, refused = _asked(client.newest)
    yield Right("list", missing=refused and f"reading chat sessions is refused {refused}: {GIVE}", needed=True)
    if newest is not None:
        _, refused = _asked(lambda: client.entity(newest))
    yield Right("wait", missing=refused and f"reading a chat session is refused {refused}: {GIVE}", needed=True)


def _by_itself(client: SuperOfficeClient, me: Myself) -> Iterator[Right]:
    """What SuperOffice lets the owner of a chat do, and nobody else."""
    missing, needed = None, True
    if me.is_system_user:
        missing, needed = "a system user has no chats; name the agents' connections in agent_conn_id", False
    elif me.id not in _chat_users(client, unless_told=me.id):
        missing = f"associate {me.id} has no chat licence; give him one in SuperOffice Admin, Users"
    elif _asked(client.topics)[0] == []:
        missing = f"associate {me.id} has no role in any chat channel; give him one in SuperOffice Admin, Chat"
    yield Right("transfer", missing=missing, needed=needed)
    yield Right("accept", missing=missing)


def _by_agents(client: SuperOfficeClient, identities: Callable[[str], SuperOfficeClient]) -> Iterator[Right]:
    """Which of those who can be given chats have a connection to act by."""
    agents = sorted(_chat_users(client), key=int)
    without = {agent: why for agent in agents if (why := _why_not(identities, agent))}
    nobody = next(iter(without.values())) if without and len(without) == len(agents) else None
    yield Right("transfer", missing=nobody, needed=True)
    yield Right("accept", missing=nobody)
    if without and nobody is None:
        named = ", ".join(list(without)[:NAMED])
        more = f" and {len(without) - NAMED} others" if len(without) > NAMED else ""
        likewise = "; and so for each of them" if len(without) > 1 else ""
        yield Right(f"act as agent {named}{more}", missing=f"{next(iter(without.values()))}{likewise}")


def _why_not(identities: Callable[[str], SuperOfficeClient], agent: str) -> str | None:
    try:
        identities(agent)
    except ValueError as missing:
        return str(missing)
    return None


def _chat_users(client: SuperOfficeClient, *, unless_told: str = "") -> set[str]:
    """The associates with a chat licence; ``unless_told`` alone where the service does not say."""
    items, refused = _asked(client.chat_users)
    if refused or items is None:
        return {unless_told} - {""}
    return {item.Id for item in items if item.Id}


def _asked(ask: Callable[[], T]) -> tuple[T | None, str | None]:
    """The answer, or the code with which it was refused, in brackets."""
    try:
        return ask(), None
    except (RequestRefused, WrongCredentials) as error:
        return None, f"[{error.code}]"
