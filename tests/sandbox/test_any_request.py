# SPDX-License-Identifier: Apache-2.0
"""Whatever a client sends, a simulated service answers as the real one would, and never fails."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_chattransfer.sandbox.bitrix24.methods.registry import METHODS
from airflow_provider_chattransfer.sandbox.sandbox import Sandbox
from airflow_provider_chattransfer.sandbox.server import SandboxServer
from airflow_provider_chattransfer.sandbox.service import HttpRequest, HttpResponse

from .bitrix24_client import PortalClient
from .raw_http import connection, status
from .superoffice_client import SUPERVISOR, TenantClient

FLOOR = Sandbox({"bitrix24": {"rate": None, "operating": None, "chats": 5}, "superoffice": {"chats": 5}})
PORTAL, TENANT = FLOOR.services
ROUTES = [(route.verb, route.template) for route in TENANT._routes._routes]  # type: ignore[attr-defined]
BROKEN = (500, 501)

WORDS = """
CHAT_ID USER_ID QUEUE_ID TRANSFER_ID CLIENT_ID SESSION_ID USER_CODE ID PARAMS filter order select start limit offset
sessionId operatorIdList status dateFrom dateTo dateCreateFrom fields botToken botId cmd halt properties name code
type CRM_ENTITY FIND DIALOG_ID ChatSessionId ToAssociate ChatPresence Message ChatTopicId Useragents After
ProviderName Columns SortOrder Restriction Restrictions Page PageSize Options User TransferTo Status Values Operator
InterParenthesis Direction UserId AssociateId OpeningHours op path value
"""
NAMES = st.sampled_from(WORDS.split())
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 3, 7, 12, 101, 150, 2**31, 2**63, -1, 10**300]),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.sampled_from(
        ["7", "chat101", "crm|lead|1", "a|b|c|d", "Y", "9" * 4000, "0001-01-01T00:00:00+14:00", "rowcount"]
    ),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=4),
    max_leaves=8,
)
BODIES = st.one_of(
    st.dictionaries(NAMES, VALUES, max_size=5).map(lambda value: json.dumps(value).encode()),
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=40),
    st.sampled_from(
        [b"[" * 10_000 + b"]" * 10_000, b'{"CHAT_ID":' * 700 + b"1" + b"}" * 700, b'{"ID": 1e999}', b"NaN"]
    ),
)
FORMS = ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
TYPES = st.sampled_from(["application/json", "text/json", "text/xml", *FORMS])


def call(verb: str, path: str, body: bytes, content_type: str, **headers: str) -> HttpRequest:
    return HttpRequest(
        number=1,
        verb=verb,
        path=path,
        query="",
        headers={"host": "127.0.0.1:8024", "content-type": content_type, **headers},
        body=body,
        peer="127.0.0.1",
        scheme="http",
    )


@settings(max_examples=200)
@given(method=st.sampled_from(sorted(METHODS)), body=BODIES, content_type=TYPES, xml=st.booleans())
def test_no_request_breaks_bitrix24(method: str, body: bytes, content_type: str, xml: bool) -> None:
    path = f"/rest/1/secretcode/{METHODS[method].name}{'.xml' if xml else ''}"
    asked = call("POST", path, body, content_type)
    PORTAL.methods_of(asked)
    assert PORTAL.answer(asked).status not in BROKEN


@settings(max_examples=100)
@given(commands=st.dictionaries(st.text(max_size=3), st.sampled_from(sorted(METHODS)), max_size=3), value=VALUES)
def test_no_batch_breaks_bitrix24(commands: dict[str, str], value: Any) -> None:
    references = quote(json.dumps(value))
    cmd = {key: f"{name}?ID=$result[0]&CHAT_ID[]={references}" for key, name in commands.items()}
    for body in ({"cmd": cmd, "halt": value}, {"cmd": value}):
        asked = call("POST", "/rest/1/secretcode/batch", json.dumps(body).encode(), "application/json")
        PORTAL.methods_of(asked)
        assert PORTAL.answer(asked).status not in BROKEN


@settings(max_examples=200)
@given(
    route=st.sampled_from(ROUTES),
    part=st.sampled_from(["150", "3", "7", "0", "-1", "x", "9" * 4000, "%00"]),
    body=BODIES,
    content_type=TYPES,
)
def test_no_request_breaks_superoffice(route: tuple[str, str], part: str, body: bytes, content_type: str) -> None:
    verb, template = route
    path = "/Cust12345/api/v1/" + re.sub(r"\{[^}]*\}", part, template)
    reply: HttpResponse = TENANT.answer(call(verb, path, body, content_type, authorization="Bearer 8A:Cust12345.tje0"))
    assert reply.status not in BROKEN or b"does not simulate" in reply.body


@pytest.mark.parametrize("depth", [600, 900, 1000, 10_000])
def test_nested_json_is_answered_as_what_cannot_be_read(portal: PortalClient, desk: TenantClient, depth: int) -> None:
    """Send it over HTTP, where the stack is deeper: PHP drops JSON nested more than 512 deep, ASP.NET refuses it."""
    deep = "[" * depth + "]" * depth
    body = f'{{"CHAT_ID": 112, "X": {deep}}}'
    reply = portal.post("1/secretcode/imopenlines.dialog.get", data=body, headers={"Content-Type": "application/json"})
    assert (reply.status_code, "error" in reply.json()) == (400, True)
    body = f'{{"ChatSessionId": 157, "ToAssociate": {deep}}}'
    reply = desk.send("POST", "Agents/Chat/TransferChatSession", by=SUPERVISOR, data=body,
                      headers={"Content-Type": "application/json"})  # fmt: skip
    assert (reply.status_code, reply.json()["Message"]) == (400, "The request is invalid.")


def test_an_upgrade_to_another_protocol_is_not_waited_for(sandbox_server: SandboxServer) -> None:
    head = f"POST /rest/1/secretcode/profile HTTP/1.1\r\nHost: {sandbox_server.address}\r\nContent-Length: 0\r\n"
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n"
    with connection(sandbox_server) as one:
        one.sendall(f"{head}{upgrade}\r\n".encode())
        assert status(one) == 200
