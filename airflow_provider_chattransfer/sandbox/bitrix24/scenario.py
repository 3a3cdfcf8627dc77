# SPDX-License-Identifier: Apache-2.0
"""Builds the portal of a scenario: generates what it counts, adds what it lists, refuses contradictions."""

from __future__ import annotations

import random
from collections.abc import Mapping
from math import inf
from typing import Any

from ..chat_generator import generate_chats
from ..validation import MAX_NUMBER, boolean, number, shown, whole_number
from . import fake_data
from .model import (
    GENERAL_CHAT_ID,
    App,
    Bot,
    Chat,
    Line,
    PortalData,
    QueueType,
    Session,
    Status,
    TransferLogEntry,
    User,
    UserKind,
    Webhook,
)
from .switches import Switches

KEYS = {
    "operators",
    "queues",
    "chats",
    "people",
    "customers",
    "switches",
    "webhooks",
    "bots",
    "apps",
    "rate",
    "operating",
}
OPERATOR_KEYS = {"id", "name", "active", "present", "paused", "kind", "admin"}
QUEUE_KEYS = {
    "id",
    "name",
    "members",
    "active",
    "crm",
    "crm_transfer_change",
    "check_available",
    "max_chat",
    "queue_time",
    "queue_type",
    "deleted",
}
CHAT_KEYS = {
    "id",
    "owner",
    "queue",
    "state",
    "customer",
    "offered_to",
    "pinned",
    "vote",
    "messages",
    "bot",
    "locked_for",
    "answer_locked_for",
    "broken",
}
WEBHOOK_KEYS = {"user", "code", "scopes", "expires_in"}
BOT_KEYS = {"client_id", "app_id", "id"}
APP_KEYS = {"client_id", "client_secret", "user", "scopes", "access_token", "refresh_token"}

ADMIN_ID, DISMISSED_ID, EXTRANET_ID, BOT_ID, APP_BOT_ID = 1, 90, 91, 80, 81
FIRST_CHAT_ID, FIRST_CUSTOMER_ID, FIRST_GENERATED_OPERATOR_ID = 101, 5001, 17
SCOPES = frozenset({"imopenlines", "imbot", "im", "crm", "user"})

VOTES = ("like", "dislike")
QUEUE_NAMES = {3: "Support", 4: "Sales"}
DEFAULT_MEMBERS = {3: (7, 8, 12, 15), 4: (16, 12)}
DEFAULT_CHATS = 40


def build(scenario: Mapping[str, Any], *, rng: random.Random, now: float) -> PortalData:
    """Return the portal of ``scenario``; raise ``ValueError`` for unknown keys and impossible chats."""
    check_keys(scenario, KEYS, "bitrix24")
    data = PortalData(switches=Switches.from_json(scenario.get("switches", {})), started_at=now)
    operators = _add_users(data, scenario.get("operators", len(fake_data.OPERATORS)), rng)
    _add_lines(data, scenario.get("queues", len(QUEUE_NAMES)), operators)
    _add_credentials(data, scenario)
    chats = scenario.get("chats", DEFAULT_CHATS)
    for index, value in enumerate(_chats_as_list(data, chats, operators)):
        _add_chat(data, value, index=index, rng=rng, now=now)
    return data


def check_keys(value: Mapping[str, Any], allowed: set[str], what: str) -> None:
    """Raise ``ValueError`` for keys that nothing reads."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{what} must be an object, got {shown(value)}")
    if unknown := set(value) - allowed:
        raise ValueError(f"unknown keys in {what}: {sorted(unknown)}")


def _add_users(data: PortalData, value: Any, rng: random.Random) -> list[int]:
    data.users[ADMIN_ID] = User(ADMIN_ID, "Portal Admin", admin=True, email="admin@portal.example")
    data.users[DISMISSED_ID] = User(DISMISSED_ID, "Fred Former", active=False, present=False)
    data.users[EXTRANET_ID] = User(EXTRANET_ID, "Gina Guest", kind=UserKind.EXTRANET)
    operators = _generated_operators(value, rng) if isinstance(value, int) else value
    ids: list[int] = []
    for operator in operators:
        check_keys(operator, OPERATOR_KEYS, "an operator")
        number_of = _id(operator["id"], "an operator's id")
        user = User(
            id=number_of,
            name=str(operator.get("name") or fake_data.OPERATORS.get(number_of) or fake_data.operator(len(ids), rng)),
            kind=UserKind(operator.get("kind", UserKind.EMPLOYEE)),
            active=boolean(operator.get("active", True), "active"),
            present=boolean(operator.get("present", operator.get("active", True)), "present"),
            paused=boolean(operator.get("paused", False), "paused"),
            admin=boolean(operator.get("admin", False), "admin"),
            email=f"operator{number_of}@portal.example",
        )
        if user.id in ids:
            raise ValueError(f"operator {user.id} is there twice")
        data.users[user.id] = user
        ids.append(user.id)
    return [user for user in ids if data.users[user].kind is UserKind.EMPLOYEE]


def _generated_operators(count: int, rng: random.Random) -> list[dict[str, Any]]:
    known = list(fake_data.OPERATORS)[:count]
    more = range(FIRST_GENERATED_OPERATOR_ID, FIRST_GENERATED_OPERATOR_ID + max(0, count - len(known)) + 4)
    free = [user for user in more if user not in (BOT_ID, APP_BOT_ID, DISMISSED_ID, EXTRANET_ID)]
    return [{"id": user} for user in known] + [{"id": user} for user in free[: count - len(known)]]


def _add_lines(data: PortalData, value: Any, operators: list[int]) -> None:
    lines: list[dict[str, Any]] = [{"id": 3 + index} for index in range(value)] if isinstance(value, int) else value
    for queue in lines:
        check_keys(queue, QUEUE_KEYS, "a queue")
        line_id = _id(queue["id"], "a queue's id")
        if line_id in data.lines:
            raise ValueError(f"queue {line_id} is there twice")
        members = [_id(user, "a member") for user in queue.get("members", _default_members(line_id, operators))]
        if unknown := [user for user in members if user not in data.users]:
            raise ValueError(f"queue {line_id} has members that do not exist: {unknown}")
        data.lines[line_id] = Line(
            id=line_id,
            name=str(queue.get("name", QUEUE_NAMES.get(line_id, f"Line {line_id}"))),
            members=members,
            active=boolean(queue.get("active", True), "active"),
            crm=boolean(queue.get("crm", True), "crm"),
            crm_transfer_change=boolean(queue.get("crm_transfer_change", True), "crm_transfer_change"),
            check_available=boolean(queue.get("check_available", True), "check_available"),
            max_chat=whole_number(queue.get("max_chat", 0), "max_chat"),
            queue_time=number(queue.get("queue_time", 0.0), "queue_time"),
            queue_type=QueueType(queue.get("queue_type", QueueType.EVENLY)),
            deleted=boolean(queue.get("deleted", False), "deleted"),
        )


def _default_members(line_id: int, operators: list[int]) -> list[int]:
    known = DEFAULT_MEMBERS.get(line_id)
    if known is None:
        return operators
    more = [user for user in operators if user not in fake_data.OPERATORS]
    return [user for user in known if user in operators] + more or operators


def _add_credentials(data: PortalData, scenario: Mapping[str, Any]) -> None:
    for webhook in scenario.get("webhooks", [{"user": ADMIN_ID, "code": "secretcode"}]):
        check_keys(webhook, WEBHOOK_KEYS, "a webhook")
        _add_webhook(data, webhook)
    for operator in [user for user in data.users.values() if user.kind is UserKind.EMPLOYEE and not user.admin]:
        code = f"secretcode{operator.id}"
        data.webhooks.setdefault((operator.id, code), Webhook(operator.id, code, SCOPES | {"timeman"}))
    default_app = {"client_id": "local.chattransfer", "client_secret": "appsecret", "refresh_token": "refresh-1"}
    for app in scenario.get("apps", [default_app]):
        check_keys(app, APP_KEYS, "an app")
        user = _id(app.get("user", ADMIN_ID), "an app's user")
        if user not in data.users:
            raise ValueError(f"an app acts as user {user}, who does not exist")
        data.apps[str(app["client_id"])] = App(
            client_id=str(app["client_id"]),
            client_secret=str(app.get("client_secret", "appsecret")),
            user=user,
            scopes=_scopes(app),
            access_token=str(app.get("access_token", "")),
            refresh_token=str(app.get("refresh_token", "refresh-1")),
        )
    default_bots = [{"client_id": "chattransfer", "id": BOT_ID}, {"app_id": "local.chattransfer", "id": APP_BOT_ID}]
    for bot in scenario.get("bots", default_bots):
        check_keys(bot, BOT_KEYS, "a bot")
        bot_id = _id(bot["id"], "a bot's id")
        if bot_id in data.users:
            raise ValueError(f"bot {bot_id} has the id of a colleague")
        app_id = str(bot["app_id"]) if "app_id" in bot else f"custom{bot['client_id']}"
        code = str(bot.get("client_id", f"bot{bot_id}"))
        data.bots.append(Bot(id=bot_id, app_id=app_id, code=code))
        data.users[bot_id] = User(bot_id, f"Bot {bot_id}", kind=UserKind.BOT)
    if not data.switches.client_id_required:
        _add_built_in_bot(data)


def _scopes(value: Mapping[str, Any]) -> frozenset[str]:
    scopes = value.get("scopes", SCOPES)
    if isinstance(scopes, str):
        raise ValueError(f"scopes must be a list, got {scopes!r}")
    return frozenset(scopes)


def _add_webhook(data: PortalData, value: Mapping[str, Any]) -> None:
    user, code = _id(value["user"], "a webhook's user"), str(value["code"])
    if user not in data.users:
        raise ValueError(f"a webhook acts as user {user}, who does not exist")
    data.webhooks[user, code] = Webhook(
        user=user,
        code=code,
        scopes=_scopes(value),
        expires_at=data.started_at + number(value["expires_in"], "expires_in") if "expires_in" in value else inf,
    )


def _add_built_in_bot(data: PortalData) -> None:
    """Add a bot of the portal's own, which belongs to no app: older servers use the first such bot for any webhook."""
    bot = next(user for user in range(2, FIRST_CUSTOMER_ID) if user not in data.users)
    data.bots.append(Bot(id=bot, app_id="", code="marta"))
    data.users[bot] = User(bot, "Marta AI", kind=UserKind.BOT)


def _chats_as_list(data: PortalData, chats: Any, operators: list[int]) -> list[dict[str, Any]]:
    """Return the chats as a list, whether the scenario lists them, counts them, or counts them by state."""
    if isinstance(chats, Mapping):
        members = [user for user in operators if any(user in line.members for line in data.lines.values())]
        return generate_chats(chats, agents=members, queues=list(data.lines))
    return _generated_chats(data, chats, operators) if isinstance(chats, int) else chats


def _generated_chats(data: PortalData, count: int, operators: list[int]) -> list[dict[str, Any]]:
    """Return ``count`` chats in a pattern of forty: two thirds belong to the first two operators."""
    if count and not (operators and data.lines):
        raise ValueError("generated chats need an operator and a queue")
    if not count:
        return []
    first, second = operators[0], operators[min(1, len(operators) - 1)]
    others = operators[2:] or operators
    queue = next(iter(data.lines))
    chats: list[dict[str, Any]] = []
    for index in range(count):
        place = index % DEFAULT_CHATS
        chat: dict[str, Any] = {"id": FIRST_CHAT_ID + index, "customer": FIRST_CUSTOMER_ID + index}
        if place < 14:
            chat["owner"] = first
        elif place < 24:
            chat["owner"] = second
        elif place < 32:
            chat["owner"] = others[index % len(others)]
        elif place < 35:
            chat |= {"state": "waiting", "queue": queue}
        elif place < 37:
            chat |= {"state": "waiting", "offered_to": first}
        else:
            chat |= {"state": "closed", "owner": first}
        if place in (4, 14):
            chat["customer"] = FIRST_CUSTOMER_ID + index - place + (3 if place == 4 else 0)
        chats.append(chat)
    return chats


def _add_chat(data: PortalData, value: Mapping[str, Any], *, index: int, rng: random.Random, now: float) -> None:
    check_keys(value, CHAT_KEYS, "a chat")
    chat_id = _id(value.get("id", FIRST_CHAT_ID + index), "a chat's id")
    if chat_id in data.chats or chat_id == GENERAL_CHAT_ID:
        raise ValueError(f"chat {chat_id} is there twice")
    holder = value["owner"] if value.get("owner") is not None else value.get("offered_to")
    line = _line_of_chat(data, value, holder)
    state, holder = _state_of_chat(data, value, line, holder, chat_id)
    customer = _customer(data, _id(value.get("customer", FIRST_CUSTOMER_ID + index), "customer"), rng)
    created_at = now - rng.randrange(300, 7200)
    phone = rng.random() < 0.2
    chat = data.chats[chat_id] = Chat(
        id=chat_id,
        customer=customer.id,
        connector="whatsappbytwilio" if phone else "livechat",
        line=line.id,
        external=customer.phone.lstrip("+") if phone else str(1700 + chat_id),
        title=fake_data.title(chat_id, line.name, rng),
        created_at=created_at,
        changed_at=created_at + 60,
        lead=10000 + customer.id,
        messages=whole_number(value.get("messages", rng.randrange(2, 12)), "messages"),
        last_text=fake_data.sentence(rng),
        locked_until=now + number(value.get("locked_for", 0.0), "locked_for"),
        answer_locked_until=now + number(value.get("answer_locked_for", 0.0), "answer_locked_for"),
        broken=boolean(value.get("broken", False), "broken"),
    )
    data.last_message += chat.messages
    chat.last_message = data.last_message
    _add_first_session(data, chat, line, state, holder, pinned=boolean(value.get("pinned", False), "pinned"), now=now)
    if (vote := value.get("vote")) not in (None, *VOTES):
        raise ValueError(f"chat {chat_id} has the unknown vote {vote!r}")
    data.sessions[chat.last_session].vote = vote or ""
    if value.get("bot") and data.bots:
        chat.members.add(data.bots[0].id)


def _line_of_chat(data: PortalData, value: Mapping[str, Any], holder: Any) -> Line:
    if "queue" in value:
        line = data.lines.get(_id(value["queue"], "queue"))
    else:
        mine = (line for line in data.lines.values() if holder is not None and _id(holder, "owner") in line.members)
        line = next(mine, next(iter(data.lines.values()), None))
    if line is None:
        raise ValueError(f"chat {value.get('id')} is in queue {value.get('queue')}, which does not exist")
    return line


def _state_of_chat(
    data: PortalData, value: Mapping[str, Any], line: Line, holder: Any, chat_id: int
) -> tuple[str, int]:
    """Return the state and the holder: the owner, the operator asked, or for a closed chat its last owner."""
    owned = value.get("owner") is not None
    offered = value.get("offered_to") is not None
    state = value.get("state", "open" if owned else "waiting")
    if state not in ("open", "waiting", "closed"):
        raise ValueError(f"chat {chat_id} has the unknown state {state!r}")
    if state == "open" and "owner" not in value and line.members:
        holder = line.members[0]
    if (owned and offered) or (owned and state == "waiting") or (offered and state != "waiting"):
        raise ValueError(
            f"chat {chat_id} is {state}, but has owner {value.get('owner')!r} and"
            f" offered_to {value.get('offered_to')!r}"
        )
    if holder is None and state == "open":
        raise ValueError(f"chat {chat_id} is open, but has no owner")
    if holder is not None and _id(holder, "owner") not in data.users:
        raise ValueError(f"chat {chat_id} is with user {holder}, who does not exist")
    return state, 0 if holder is None else _id(holder, "owner")


def _id(value: Any, what: str) -> int:
    return whole_number(value, what, least=1, most=MAX_NUMBER)


def _customer(data: PortalData, customer: int, rng: random.Random) -> User:
    user = data.users.get(customer)
    if user is None:
        name, email, phone = fake_data.person(rng)
        user = data.users[customer] = User(customer, name, kind=UserKind.CONNECTOR, email=email, phone=phone)
    if user.kind is not UserKind.CONNECTOR:
        raise ValueError(f"customer {customer} is a colleague")
    return user


def _add_first_session(
    data: PortalData, chat: Chat, line: Line, state: str, holder: int, *, pinned: bool, now: float
) -> None:
    session = Session(
        id=data.new_session_id(),
        chat_id=chat.id,
        line=line.id,
        created_at=chat.created_at,
        operator=holder,
        responsible=holder,
        crm=line.crm,
        pinned=pinned,
    )
    data.sessions[session.id] = session
    chat.last_session = session.id
    chat.members = {chat.customer}
    if holder:
        session.asked.add(holder)
        session.transfer_log.append(
            TransferLogEntry(chat.created_at, session.id, None, holder, line.id, None, "auto", "AUTO", "USER", None)
        )
    if state == "closed":
        session.status, session.answered_at, session.closed_at = Status.CLOSE, chat.created_at + 30, now - 60
    else:
        chat.session = session.id
        chat.members |= {holder} - {0}
    if state == "open":
        session.status, session.answered_at, chat.owner = Status.OPERATOR, chat.created_at + 30, holder
    session.take_snapshot(chat.created_at, messages=chat.messages)
