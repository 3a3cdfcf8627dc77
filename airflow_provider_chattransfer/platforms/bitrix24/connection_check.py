# SPDX-License-Identifier: Apache-2.0
"""Tell what an account may do on a portal, by one batch of reads."""

from __future__ import annotations

from collections.abc import Iterator

from ...exceptions import PlatformError, UnreachableError
from ..connection_check import Capability, ConnectionCheck
from .auth import Way
from .bots import SCOPE as BOTS_SCOPE
from .bots import Bots, list_bots
from .client import Bitrix24Client
from .commands import Command, who_we_are
from .error_codes import REGISTER_ONE, lacks
from .listing import SessionPage
from .redirects import host_of

LINES_SCOPE, CRM_SCOPE, MESSENGER_SCOPE = "imopenlines", "crm", "im"


def check_connection(client: Bitrix24Client) -> ConnectionCheck:
    """Tell who we are to the portal and what it lets us do, without changing anything. Raises a ``PlatformError``.

    ``profile`` and ``scope`` need no scope. Whether the reports show all lines cannot be told: rows that the user may
    not see are missing without an error (``imopenlines.v2.Session.list``).
    """
    commands = [
        who_we_are(),
        Command("scope", {}, list[str]),
        list_bots(client.auth),
        Command("imopenlines.v2.Session.list", {"limit": 1}, SessionPage),
    ]
    try:
        profile, scopes, bots, sessions = client.batches(commands)
    except UnreachableError as error:
        told = error.args[0]
        advice = "" if "ca_bundle" in told else "; check host of the connection"
        raise UnreachableError(f"{told}{advice}", method=error.method) from None
    if isinstance(profile, PlatformError):
        raise profile
    if isinstance(scopes, PlatformError):
        raise scopes
    return ConnectionCheck(
        where=_where(client),
        who=f"user {profile.ID} by {client.auth.who}",
        capabilities=list(_rights(frozenset(scopes), bots=bots, sessions=sessions, client=client)),
        clock_ahead=client.clock_ahead,
    )


def _where(client: Bitrix24Client) -> str:
    named, found = host_of(client.auth.portal), host_of(client.address)
    return f"{named}" if named == found else f"{found} (host of the connection still says {named}: change it)"


def _rights(
    scopes: frozenset[str], *, bots: Bots | PlatformError, sessions: SessionPage | PlatformError, client: Bitrix24Client
) -> Iterator[Capability]:
    way = client.auth.way
    shut = None if LINES_SCOPE in scopes else f"the {way} {lacks(LINES_SCOPE, way=way)}"
    yield Capability("transfer", shut or _missing_bot(bots, way=way), needed=True)
    yield Capability("accept", shut)
    yield Capability("wait", shut, needed=True)
    yield Capability("list", shut or _missing_for_a_list(sessions, scopes, way=way))
    if isinstance(bots, PlatformError):
        blind = BOTS_SCOPE not in scopes
        why = f"the {way} {lacks(BOTS_SCOPE, way=way)}" if blind else f"the portal does not tell{_code(bots)}"
        yield Capability("tell whether its bot is registered, without which no transfer succeeds", why)
    if MESSENGER_SCOPE not in scopes:
        why = f"the {way} {lacks('im.user.list.get', way=way)}"
        yield Capability("tell people from bots, and check receivers before it transfers", why)


def _missing_bot(bots: Bots | PlatformError, *, way: Way) -> str | None:
    """Tell what the bot lacks; ``None`` also when the portal does not tell."""
    if isinstance(bots, PlatformError) or bots.bots:
        return None
    whose = "for bot_client_id of the connection" if way is Way.WEBHOOK else "by the application"
    return f"no bot is registered {whose}; {REGISTER_ONE}"


def _missing_for_a_list(sessions: SessionPage | PlatformError, scopes: frozenset[str], *, way: Way) -> str | None:
    """Tell what is missing for finding other agents' chats, by the ways of ``listing``."""
    if not isinstance(sessions, PlatformError) or CRM_SCOPE in scopes:
        return None
    own = "; only chats of its own user can be found" if MESSENGER_SCOPE in scopes else ""
    return (
        f"it may not see the reports of Open Channels{_code(sessions)}, and {lacks(CRM_SCOPE, way=way)}{own}; chats "
        "that are named by chat_ids need neither"
    )


def _code(error: PlatformError) -> str:
    return f" [{error.code}]" if error.code else ""
