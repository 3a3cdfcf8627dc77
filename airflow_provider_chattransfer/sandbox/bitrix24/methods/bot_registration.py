# SPDX-License-Identifier: Apache-2.0
"""Registers the bot that transfers need: ``imbot.v2.Bot.*`` and the older ``imbot.register`` and its kin.

Documented at https://apidocs.bitrix24.com (chat-bots-v2: bots; outdated: bots). A bot belongs to an application or,
when a webhook registers it, to ``custom`` followed by its CLIENT_ID or botToken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .. import errors
from ..errors import RestError
from ..model import Bot, User, UserKind, format_time
from ..php import array, is_empty, is_yes, to_int, to_str, upper_keys
from ..switches import BotCodes
from .registry import MethodCall, method

MAX_TOKEN_LENGTH = 40
MAX_BOTS_PER_APP, MAX_BOTS_PER_APP_V2 = 5, 100
BOT_TYPES = {"bot", "network", "openline", "supervisor", "personal"}
LEGACY_TYPES = {"B": "bot", "O": "openline", "H": "bot", "S": "supervisor"}
LEGACY_EVENTS = {
    "EVENT_MESSAGE_ADD": "Message add",
    "EVENT_MESSAGE_UPDATE": "",
    "EVENT_MESSAGE_DELETE": "",
    "EVENT_WELCOME_MESSAGE": "Welcome message",
    "EVENT_BOT_DELETE": "Bot delete",
}
"""The handlers of ``imbot.register`` in the order in which they are checked; those with a name are required."""
LEGACY_CODES = {
    "BOT_TOKEN_NOT_SPECIFIED": "ACCESS_DENIED",
    "BOT_CODE_REQUIRED": "CODE_ERROR",
    "BOT_PROPERTIES_REQUIRED": "NAME_ERROR",
    "BOT_REGISTER_FAILED": "WRONG_REQUEST",
    "BOT_LIMIT_EXCEEDED": "MAX_COUNT_ERROR",
    "BOT_CODE_ALREADY_TAKEN": "WRONG_REQUEST",
    "BOT_INVALID_CALLBACK": "EVENT_MESSAGE_ADD_ERROR",
    "BOT_ID_REQUIRED": "BOT_ID_ERROR",
    "BOT_NOT_FOUND": "BOT_ID_ERROR",
    "BOT_OWNERSHIP_ERROR": "APP_ID_ERROR",
}
"""The code of the older methods for each code of ``imbot.v2`` that they do not have."""

PAGE_SIZE = 50


@method("imbot.v2.Bot.register", scope="imbot")
def register(call: MethodCall) -> dict[str, Any]:
    """Register a bot. A second call with the same code changes nothing and returns the existing bot.

    No document gives the answer to a botToken above 40 characters; here it is BOT_REGISTER_FAILED.
    """
    fields = _object(call.params.get("fields"))
    app_id = _app_id(call, fields.get("botToken"))
    code, name = to_str(fields.get("code")), to_str(_object(fields.get("properties")).get("name"))
    kind, mode = (to_str(fields.get(key)) or default for key, default in (("type", "bot"), ("eventMode", "fetch")))
    if not code:
        raise _refused(call, "BOT_CODE_REQUIRED", "Bot code is required")
    if not name:
        raise _refused(call, "BOT_PROPERTIES_REQUIRED", "Bot properties are required")
    if kind not in BOT_TYPES:
        raise _refused(call, "BOT_INVALID_TYPE", "Invalid bot type")
    if mode not in ("fetch", "webhook"):
        raise _refused(call, "BOT_INVALID_EVENT_MODE", "Invalid event mode")
    if mode == "webhook" and is_empty(fields.get("webhookUrl")):
        raise _refused(call, "BOT_WEBHOOK_URL_REQUIRED", "Webhook URL is required")
    if mode == "webhook" and not _is_address(fields["webhookUrl"]):
        raise _refused(call, "BOT_INVALID_CALLBACK", "Invalid callback URL")
    bot = _by_code(call, code)
    if bot is None:
        if len(app_id) > len("custom") + MAX_TOKEN_LENGTH and not call.identity.app:
            raise _refused(call, "BOT_REGISTER_FAILED", "Bot registration failed")
        if len(_of_app(call, app_id)) >= MAX_BOTS_PER_APP_V2:
            raise _refused(call, "BOT_LIMIT_EXCEEDED", "Bot limit exceeded")
        open_lines = kind == "openline" or _is_true(fields.get("isSupportOpenline"))
        bot = _add(call, Bot(_free_id(call), app_id, code, kind, open_lines), name)
    elif bot.app_id != app_id:
        raise _refused(call, "BOT_CODE_ALREADY_TAKEN", "Bot code is already taken")
    return {"bot": _bot(bot), "users": [_user(call, bot)]}


@method("imbot.v2.Bot.list", scope="imbot")
def list_bots(call: MethodCall) -> dict[str, Any]:
    """Return the bots of the application or of the botToken; ``filter.type``, ``limit`` and ``offset`` are read."""
    kind = _object(call.params.get("filter")).get("type")
    mine = [bot for bot in _of_app(call, _app_id(call, call.params.get("botToken"))) if kind in (None, bot.kind)]
    offset, limit = max(0, to_int(call.params.get("offset"))), max(0, to_int(call.params.get("limit"))) or PAGE_SIZE
    page = mine[offset : offset + limit]
    return {
        "bots": [_bot(bot) for bot in page],
        "users": [_user(call, bot) for bot in page],
        "hasNextPage": len(mine) > offset + limit,
    }


@method("imbot.v2.Bot.unregister", scope="imbot")
def unregister(call: MethodCall) -> bool:
    """Remove a bot of the caller's own."""
    app_id = _app_id(call, call.params.get("botToken"))
    if is_empty(call.params.get("botId")):
        raise _refused(call, "BOT_ID_REQUIRED", "Bot ID is required")
    bot = _by_id(call, call.params["botId"])
    if bot is None:
        raise _refused(call, "BOT_NOT_FOUND", "Bot not found")
    if bot.app_id != app_id:
        raise _refused(call, "BOT_OWNERSHIP_ERROR", "Bot is registered by another application", status=403)
    return _remove(call, bot)


@method("imbot.register", scope="imbot")
def register_legacy(call: MethodCall) -> int:
    """Register a bot with handlers for its events, and return its id.

    The same code of the same application is the same bot.
    """
    params = upper_keys(call.params)
    app_id = _legacy_app_id(call, params)
    _check_handlers(params)
    code, properties = to_str(params.get("CODE")), upper_keys(params.get("PROPERTIES"))
    name = " ".join(filter(None, (to_str(properties.get(key)) for key in ("NAME", "LAST_NAME"))))
    if not code:
        raise RestError("CODE_ERROR", "Bot code isn't specified")
    if not name:
        raise RestError("NAME_ERROR", "Bot name isn't specified")
    bot = _by_code(call, code)
    if bot is None:
        if len(_of_app(call, app_id)) >= MAX_BOTS_PER_APP:
            text = f"Has reached the maximum number of bots for application (max: {MAX_BOTS_PER_APP})"
            raise RestError("MAX_COUNT_ERROR", text)
        kind = LEGACY_TYPES.get(to_str(params.get("TYPE")), "bot")
        open_lines = kind == "openline" or is_yes(params.get("OPENLINE"))
        bot = _add(call, Bot(_free_id(call), app_id, code, kind, open_lines), name)
    elif bot.app_id != app_id:
        raise RestError("WRONG_REQUEST", "Bot can't be created")
    return bot.id


@method("imbot.unregister", scope="imbot")
def unregister_legacy(call: MethodCall) -> bool:
    """Remove a bot of the caller's own by BOT_ID."""
    params = upper_keys(call.params)
    app_id = _legacy_app_id(call, params)
    bot = _by_id(call, params.get("BOT_ID"))
    if bot is None:
        raise RestError("BOT_ID_ERROR", "Bot not found")
    if bot.app_id != app_id:
        raise RestError("APP_ID_ERROR", "Bot was installed by another REST application")
    return _remove(call, bot)


@method("imbot.bot.list", scope="imbot")
def list_legacy(call: MethodCall) -> Any:
    """Return all bots of the portal by id, whoever registered them."""
    if call.identity.session:
        raise errors.wrong_auth_type()
    return array(
        {
            str(bot.id): {
                "ID": bot.id,
                "NAME": call.data.users[bot.id].name,
                "CODE": bot.code,
                "OPENLINE": "Y" if bot.open_lines else "N",
            }
            for bot in call.data.bots
        }
    )


def _refused(call: MethodCall, code: str, text: str, *, status: int = 400) -> RestError:
    """Return the error of a method of ``imbot.v2``, with its own ``code`` or that of the older method."""
    old = call.data.switches.bot_codes is BotCodes.OLD
    return RestError(LEGACY_CODES.get(code, code) if old else code, text, status=status)


def _app_id(call: MethodCall, token: Any) -> str:
    if call.identity.app:
        return call.identity.app
    if is_empty(token):
        raise _refused(call, "BOT_TOKEN_NOT_SPECIFIED", "Bot token is not specified")
    return f"custom{to_str(token)}"


def _legacy_app_id(call: MethodCall, params: Mapping[str, Any]) -> str:
    if call.identity.session:
        raise errors.wrong_auth_type()
    if call.identity.app:
        return call.identity.app
    client_id = to_str(params.get("CLIENT_ID"))
    if not client_id:
        raise RestError("ACCESS_DENIED", "Access denied! Client ID not specified", status=403)
    return f"custom{client_id}"


def _check_handlers(params: Mapping[str, Any]) -> None:
    for key, event in LEGACY_EVENTS.items():
        address = params.get("EVENT_HANDLER") or params.get(key)
        if is_empty(address) and event:
            raise RestError(f"{key}_ERROR", f'Handler for "{event}" event isn\'t specified')
        if not is_empty(address) and not _is_address(address):
            raise RestError(f"{key}_ERROR", "Wrong handler URL")


def _is_address(value: Any) -> bool:
    return bool(re.match(r"https?://[^/\s]+", to_str(value)))


def _is_true(value: Any) -> bool:
    return value is True or value in ("Y", "1", "true")


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _by_code(call: MethodCall, code: str) -> Bot | None:
    return next((bot for bot in call.data.bots if bot.code == code), None)


def _by_id(call: MethodCall, bot_id: Any) -> Bot | None:
    return next((bot for bot in call.data.bots if bot.id == to_int(bot_id)), None)


def _of_app(call: MethodCall, app_id: str) -> list[Bot]:
    return [bot for bot in call.data.bots if bot.app_id == app_id]


def _free_id(call: MethodCall) -> int:
    return max(call.data.users) + 1


def _add(call: MethodCall, bot: Bot, name: str) -> Bot:
    call.data.bots.append(bot)
    call.data.users[bot.id] = User(bot.id, name, kind=UserKind.BOT)
    return bot


def _remove(call: MethodCall, bot: Bot) -> bool:
    """Remove the bot and dismiss its user, whom chats may still name."""
    call.data.bots.remove(bot)
    call.data.users[bot.id].active = False
    return True


def _bot(bot: Bot) -> dict[str, Any]:
    return {
        "id": bot.id,
        "code": bot.code,
        "type": bot.kind,
        "isHidden": False,
        "isSupportOpenline": bot.open_lines,
        "isReactionsEnabled": True,
        "backgroundId": None,
        "language": "en",
        "moduleId": "rest",
        "appId": bot.app_id,
        "eventMode": "fetch",
        "countMessage": 0,
        "countCommand": 0,
        "countChat": 0,
        "countUser": 0,
    }


def _user(call: MethodCall, bot: Bot) -> dict[str, Any]:
    user = call.data.users[bot.id]
    return {
        "id": user.id,
        "active": user.active,
        "name": user.name,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "workPosition": "",
        "color": "#df532d",
        "avatar": "",
        "gender": "M",
        "birthday": "",
        "extranet": False,
        "bot": True,
        "connector": False,
        "externalAuthId": "bot",
        "status": "online",
        "idle": False,
        "lastActivityDate": format_time(call.now),
        "absent": False,
        "departments": [1],
        "phones": False,
        "type": "bot",
    }
