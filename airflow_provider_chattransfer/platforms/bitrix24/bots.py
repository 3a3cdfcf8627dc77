# SPDX-License-Identifier: Apache-2.0
"""Find the bot that transfers need, and register it where there is none (``imbot.v2.Bot.*``, scope ``imbot``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...exceptions import RequestRefusedError
from ..decoding import Id
from .auth import Bitrix24Auth
from .client import Bitrix24Client
from .commands import Command

SCOPE = "imbot"
REGISTER = "imbot.v2.Bot.register"

MAX_TOKEN_LETTERS = 40
"""Characters of a botToken at most."""

ADVICE: Mapping[str, str] = {
    "bot_code_already_taken": "another application, or a webhook with another bot_client_id, has a bot of this code: "
    "choose another code",
    "bot_limit_exceeded": "there are as many bots already as the portal lets one application have: unregister one",
    "bot_register_failed": "the portal does not say why: try another code, or a shorter bot_client_id",
}
"""What to do about the documented codes of the method."""


@dataclass(frozen=True, slots=True)
class ListedBot:
    """A bot in an answer of ``imbot.v2.Bot.*``."""

    id: Id


@dataclass(frozen=True, slots=True)
class Bots:
    """The result of ``imbot.v2.Bot.list``: the bots of an account."""

    bots: list[ListedBot]


@dataclass(frozen=True, slots=True)
class RegisteredBot:
    """The result of ``imbot.v2.Bot.register``."""

    bot: ListedBot


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot, which is a user of the portal.

    ``is_new`` tells that it was registered just now; ``None`` where the portal does not tell.
    """

    id: str
    code: str
    is_new: bool | None

    def __str__(self) -> str:
        """Return a sentence for an administrator."""
        if self.is_new is None:
            return f"The bot {self.code} is registered; it is user {self.id}."
        if self.is_new:
            return f"The bot {self.code} is registered now; it is user {self.id}."
        return f"The bot {self.code} was there already, and is as it was; it is user {self.id}."


def list_bots(auth: Bitrix24Auth) -> Command:
    """Build the command that lists the bots of an account."""
    return Command("imbot.v2.Bot.list", {"limit": 50, **_token(auth)}, Bots)


def register_bot(client: Bitrix24Client, *, code: str, name: str) -> Bot:
    """Register the bot without which no chat is transferred; where one of this code is there, nothing changes.

    A webhook registers it with its ``bot_client_id`` as botToken; an application's bot is known by its token. It is of
    the type for open lines, and nothing is sent to it: its events could be fetched, and are not. Raises ``ValueError``
    for what the portal would not take, and a ``PlatformError``.
    """
    for field, value in (("code", code), ("name", name)):
        if not value.strip():
            raise ValueError(f"{field}: empty; a bot needs one")
    if len(client.auth.bot_client_id or "") > MAX_TOKEN_LETTERS:
        raise ValueError(
            f"bot_client_id: longer than the {MAX_TOKEN_LETTERS} characters that {REGISTER} takes; shorten it"
        )
    known = _known(client)
    fields = {
        "code": code,
        "type": "openline",
        "eventMode": "fetch",
        "isSupportOpenline": True,
        "properties": {"name": name},
        **_token(client.auth),
    }
    try:
        registered: RegisteredBot = client.call(Command(REGISTER, {"fields": fields}, RegisteredBot), repeatable=True)
    except RequestRefusedError as refused:
        raise _advised(refused) from None
    return Bot(id=registered.bot.id, code=code, is_new=None if known is None else registered.bot not in known)


def _known(client: Bitrix24Client) -> list[ListedBot] | None:
    """Return the bots that there are; ``None`` where the portal does not list them: no document says that it can."""
    try:
        listed: Bots = client.call(list_bots(client.auth), repeatable=True)
    except RequestRefusedError:
        return None
    return listed.bots


def _token(auth: Bitrix24Auth) -> Mapping[str, str]:
    return {} if auth.bot_client_id is None else {"botToken": auth.bot_client_id}


def _advised(refused: RequestRefusedError) -> RequestRefusedError:
    text = ADVICE.get((refused.code or "").lower())
    return RequestRefusedError(text, method=refused.method, code=refused.code) if text else refused
