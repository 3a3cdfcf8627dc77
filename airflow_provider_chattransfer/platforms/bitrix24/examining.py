# SPDX-License-Identifier: Apache-2.0
"""What an account may do on a portal, told by one batch of reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import NotUnderstood, PlatformError, Unreachable
from ..examination import Examination, Right
from .auth import Way
from .bots import SCOPE as BOTS_SCOPE
from .bots import list_bots
from .client import Bitrix24Client, Command
from .codes import REGISTER_ONE, lacks
from .moving import host_of
from .operating import BATCH

LINES_SCOPE, CRM_SCOPE, MESSENGER_SCOPE = "imopenlines", "crm", "im"


def examine(client: Bitrix24Client) -> Examination:
    """Who we are to the portal and what it lets us do, without changing anything. Raises a ``PlatformError``.

    ``profile`` and ``scope`` need no scope. Whether the reports show all lines cannot be told: rows that the user may
    not see are missing without an error (``imopenlines.v2.Session.list``).
    """
    commands = [
        Command("profile", {}),
        Command("scope", {}),
        list_bots(client.auth),
        Command("imopenlines.v2.Session.list", {"limit": 1}),
    ]
    try:
        profile, scopes, bots, sessions = client.batches(commands)
    except Unreachable as error:
        told = error.args[0]
        advice = "" if "ca_bundle" in told else "; check host of the connection"
        raise Unreachable(f"{told}{advice}", method=error.method) from None
    if not isinstance(scopes, list) or not isinstance(profile, Mapping):
        raise next(
            (each for each in (profile, scopes) if isinstance(each, PlatformError)),
            NotUnderstood("the portal does not tell who we are", method=BATCH),
        )
    return Examination(
        where=_where(client),
        who=f"user {profile.get('ID')} by {client.auth.who}",
        rights=list(_rights(frozenset(map(str, scopes)), bots=bots, sessions=sessions, client=client)),
        clock_ahead=client.clock_ahead,
    )


def _where(client: Bitrix24Client) -> str:
    named, found = host_of(client.auth.portal), host_of(client.address)
    return f"{named}" if named == found else f"{found} (host of the connection still says {named}: change it)"


def _rights(scopes: frozenset[str], *, bots: Any, sessions: Any, client: Bitrix24Client) -> Iterator[Right]:
    way = client.auth.way
    shut = None if LINES_SCOPE in scopes else f"the {way} {lacks(LINES_SCOPE, way=way)}"
    yield Right("transfer", shut or _missing_bot(bots, way=way), needed=True)
    yield Right("accept", shut)
    yield Right("wait", shut, needed=True)
    yield Right("list", shut or _missing_for_a_list(sessions, scopes, way=way))
    if isinstance(bots, PlatformError):
        blind = BOTS_SCOPE not in scopes
        why = f"the {way} {lacks(BOTS_SCOPE, way=way)}" if blind else f"the portal does not tell [{bots.code}]"
        yield Right("tell whether its bot is registered, without which no transfer succeeds", why)
    if MESSENGER_SCOPE not in scopes:
        why = f"the {way} {lacks('im.user.list.get', way=way)}"
        yield Right("tell people from bots, and check receivers before it transfers", why)


def _missing_bot(bots: Any, *, way: Way) -> str | None:
    """What is missing of the bot; ``None`` also when the portal does not tell."""
    if isinstance(bots, PlatformError) or not isinstance(bots, Mapping) or bots.get("bots"):
        return None
    whose = "for bot_client_id of the connection" if way is Way.WEBHOOK else "by the application"
    return f"no bot is registered {whose}; {REGISTER_ONE}"


def _missing_for_a_list(sessions: Any, scopes: frozenset[str], *, way: Way) -> str | None:
    """What is missing for finding other agents' chats, by the ways of `listing`."""
    if not isinstance(sessions, PlatformError) or CRM_SCOPE in scopes:
        return None
    own = "; only chats of its own user can be found" if MESSENGER_SCOPE in scopes else ""
    return (
        f"it may not see the reports of Open Channels [{sessions.code}], and {lacks(CRM_SCOPE, way=way)}{own}; chats "
        "that are named by chat_ids need neither"
    )
