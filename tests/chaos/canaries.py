# SPDX-License-Identifier: Apache-2.0
"""Canaries: secrets and customers' data that are planted in the sandbox, and the search for them afterwards."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

import requests
from sqlalchemy import Connection, MetaData, select

Json = dict[str, Any]

SECRETS = {
    "webhook": "canaryWebhook1",
    "bot": "canary-bot-2",
    "supervisor": "canaryPassword3",
    "token": "8A:Cust12345.canaryToken4",
    "agent": "canaryPassword5",
    "wrong": "canaryWrong6",
}
"""What signs in, or tries to."""

PRIVATE = frozenset(
    {
        # Bitrix24: people, chats and what was written in them
        *("name", "first_name", "last_name", "title", "text", "email", "phone", "work_phone", "personal_mobile"),
        *("entity_id", "message"),
        # SuperOffice: the same, and the key of a session
        *("customername", "customeremail", "customerphone", "customerhost", "customercompany", "firstmessage"),
        *("lastmessage", "sessionkey", "fullname", "personfullname"),
    }
)
"""The keys, in lower case, under which the services tell who somebody is and what was said."""

SHORTEST = 7
"""Characters; what is shorter is found everywhere."""


def scenario() -> Json:
    """Return a reset of the sandbox in which only ``SECRETS`` sign in, and people answer at once."""
    agents = [{"id": agent, "password": SECRETS["agent"]} for agent in (7, 8, 12, 15)]
    supervisor = {"id": 5, "login": "tje0", "password": SECRETS["supervisor"]}
    return {
        "bitrix24": {
            "webhooks": [{"user": 1, "code": SECRETS["webhook"]}],
            "bots": [{"client_id": SECRETS["bot"], "id": 80}],
        },
        "superoffice": {
            "operators": [supervisor, *agents],
            "queues": [{"id": 3, "managers": [5]}],
            "tokens": {SECRETS["token"]: 7},
        },
    }


def connections(url: str) -> dict[str, Json]:
    """Airflow connections to the sandbox at ``url``: good ones, and under ``wrong_…`` those that nobody lets in."""
    bitrix24 = {"conn_type": "bitrix24", "host": url, "login": "1", "password": SECRETS["webhook"]}
    superoffice = {"conn_type": "superoffice", "host": f"{url}/Cust12345"}
    pace = {"requests_per_second": 1000, "burst": 1000}
    bot = {**pace, "bot_client_id": SECRETS["bot"]}
    supervisor = {**superoffice, "login": "tje0", "password": SECRETS["supervisor"]}
    as_agents = {**pace, "agent_conn_id": "superoffice_agent_{agent}"}
    return {
        "bitrix24_default": {**bitrix24, "extra": bot},
        "bitrix24_impatient": {**bitrix24, "extra": {**bot, "timeout": 0.05}},
        "wrong_code": {**bitrix24, "password": SECRETS["wrong"], "extra": bot},
        "wrong_bot": {**bitrix24, "extra": {**pace, "bot_client_id": SECRETS["wrong"]}},
        "wrong_fields": {**bitrix24, "login": SECRETS["webhook"], "password": "1", "extra": bot},
        "wrong_port": {**bitrix24, "host": "http://127.0.0.1:9", "extra": bot},
        "wrong_scheme": {**bitrix24, "host": url.replace("http:", "https:"), "extra": bot},
        "wrong_host": {**bitrix24, "host": f"{url}/rest/2/{SECRETS['webhook']}/", "extra": bot},
        "superoffice_default": {**supervisor, "extra": as_agents},
        "superoffice_impatient": {**supervisor, "extra": {**as_agents, "timeout": 0.05}},
        **{f"superoffice_agent_{agent}": _agent(superoffice, agent) for agent in (8, 12, 15)},
        "superoffice_agent_7": {**superoffice, "extra": {"access_token": SECRETS["token"]}},
        "wrong_password": {**supervisor, "password": SECRETS["wrong"], "extra": pace},
        "wrong_token": {**superoffice, "extra": {**pace, "access_token": f"8A:Cust12345.{SECRETS['wrong']}"}},
        "wrong_header": {**superoffice, "extra": {**pace, "access_token": f"{SECRETS['token']}\n"}},
        "wrong_letter": {**superoffice, "extra": {**pace, "access_token": f"{SECRETS['token']}…"}},
        "wrong_agents": {**supervisor, "extra": {**pace, "agent_conn_id": "wrong_agent_{agent}"}},
        "wrong_agent_7": {**superoffice, "login": "agent7", "password": SECRETS["wrong"]},
    }


def _agent(superoffice: Json, agent: int) -> Json:
    return {**superoffice, "login": f"agent{agent}", "password": SECRETS["agent"]}


def planted(url: str, *, chats: int | None = None) -> frozenset[str]:
    """All that must be found nowhere: the secrets, and what the services, asked for it, tell of people.

    ``chats``: of so many chats of each service at the most.
    """
    known = {word for answer in _told(url, chats) for word in _private(answer) if len(word) >= SHORTEST}
    return frozenset({*SECRETS.values(), *known, *(word.split(" - ")[0] for word in known if " - " in word)})


def _told(url: str, number: int | None) -> Iterator[Any]:
    chats = requests.get(f"{url}/sandbox/state", timeout=10).json()
    rest = f"{url}/rest/1/{SECRETS['webhook']}"
    yield requests.post(f"{rest}/user.get", json={}, timeout=10).json()
    for chat in chats["bitrix24"]["chats"][:number]:
        yield requests.post(f"{rest}/imopenlines.dialog.get", json={"CHAT_ID": chat["id"]}, timeout=10).json()
        history = {"CHAT_ID": chat["id"], "SESSION_ID": chat["session"]}
        yield requests.post(f"{rest}/imopenlines.session.history.get", json=history, timeout=10).json()
    chat_agent = f"{url}/Cust12345/api/v1/Agents/Chat"
    supervisor = ("tje0", SECRETS["supervisor"])
    yield requests.post(f"{chat_agent}/ChatSessionsForUser", auth=supervisor, timeout=10).json()
    for chat in chats["superoffice"]["chats"][:number]:
        said = {"ChatSessionId": int(chat["id"]), "After": 0}
        yield requests.post(f"{chat_agent}/GetChatMessages", json=said, auth=supervisor, timeout=10).json()


def _private(value: Any, key: str = "") -> Iterator[str]:
    """Yield the texts that stand under a private key, at any depth."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _private(item, str(name).lower())
    elif isinstance(value, list):
        for item in value:
            yield from _private(item, key)
    elif isinstance(value, str) and key in PRIVATE and not value.isdigit():
        yield value.strip()


def write_rows(connection: Connection, file: TextIO) -> None:
    """Every row of every table of a database, as text."""
    metadata = MetaData()
    metadata.reflect(bind=connection)
    for table in metadata.sorted_tables:
        file.writelines(f"{table.name}: {tuple(row)!r}\n" for row in connection.execute(select(table)))


def leaks(words: frozenset[str], *, within: Path) -> list[str]:
    """Each word that a file below ``within`` holds, in any of its spellings: ``log.txt: canaryWebhook1``."""
    texts = {file: file.read_bytes() for file in sorted(within.rglob("*")) if file.is_file()}
    return [
        f"{file.relative_to(within)}: {word}"
        for word in sorted(words)
        for file, text in texts.items()
        if any(spelling in text for spelling in spellings(word))
    ]


def spellings(word: str) -> set[bytes]:
    """``word`` as it is, as in JSON and in a URL; a long one also as the three ways in which base64 may cut it."""
    plain = word.encode()
    cut = {b64encode(b"x" * shift + plain)[4 if shift else 0 : -4] for shift in range(3)} if len(word) > 11 else set()
    return {plain, json.dumps(word)[1:-1].encode(), quote(word).encode(), quote(word, safe="").encode(), *cut}
