# SPDX-License-Identifier: Apache-2.0
"""What a request asks for: its method, its credentials and its parameters, read the way the server reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import unquote

from ..wire import Call
from . import php

ROOT = "/rest/"


@dataclass(frozen=True, slots=True)
class RestRequest:
    """A request to ``/rest/``. ``webhook`` is its user and code, or ``None`` when a token is expected."""

    method: str
    webhook: tuple[str, str] | None
    token: str
    params: dict[str, Any]


def read(call: Call) -> RestRequest:
    """The request in ``call``; a path that names no method has an empty one."""
    parts = [unquote(part) for part in call.path[len(ROOT) :].rstrip("/").split("/")]
    params = parameters(call)
    token = _token(call, params)
    if len(parts) == 1:
        return RestRequest(method_name(parts[0]), None, token, params)
    if len(parts) == 3:
        return RestRequest(method_name(parts[2]), (parts[0], parts[1]), token, params)
    return RestRequest("", None, token, params)


def method_name(text: str) -> str:
    """The method without the ``.json`` that clients may put after it."""
    return text.removesuffix(".json")


def parameters(call: Call) -> dict[str, Any]:
    """Query string and body as one array; the body wins. Malformed JSON is dropped without a word."""
    return {**php.parse_str(call.query), **_body(call)}


def _body(call: Call) -> dict[str, Any]:
    content_type = call.headers.get("content-type", "").lower()
    if content_type.startswith("application/json"):
        return _json(call.body)
    if content_type.startswith("multipart/form-data"):
        return _multipart(call)
    return php.parse_str(call.body.decode("utf-8", "replace"))


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    if isinstance(value, list):
        return {str(index): item for index, item in enumerate(value)}
    return value if isinstance(value, dict) else {}


def _multipart(call: Call) -> dict[str, Any]:
    head = f"Content-Type: {call.headers['content-type']}\r\n\r\n".encode()
    message: Message = BytesParser(policy=HTTP).parsebytes(head + call.body)
    fields: dict[str, Any] = {}
    for part in message.get_payload() if message.is_multipart() else []:
        if isinstance(part, Message):
            content = part.get_payload(decode=True)
            text = content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
            php.put(fields, str(part.get_param("name", "", header="content-disposition")), text.rstrip("\r\n"))
    return fields


def _token(call: Call, params: Mapping[str, Any]) -> str:
    scheme, _, value = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value:
        return value.strip()
    return php.to_str(params.get("auth") or params.get("access_token"))
