# SPDX-License-Identifier: Apache-2.0
"""Reads a request as the server does: its method, its credentials and its parameters.

Paths as in the server source (REST front controller), parameters as in ``rest/classes/general/rest_util.php``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import unquote

from ..service import HttpRequest
from . import php

REST_ROOT = "/rest/"
JSON_TYPE = "application/json"
TRANSPORTS = ("json", "xml")


@dataclass(frozen=True, slots=True)
class RestRequest:
    """A request to ``/rest/``.

    ``webhook`` is its user and code, ``None`` when a token or a session is expected. ``sessid`` is the token of a
    browser's session, ``None`` for other clients. ``typed`` tells that the body is JSON.
    """

    method: str
    xml: bool
    webhook: tuple[str, str] | None
    token: str
    sessid: str | None
    params: dict[str, Any]
    typed: bool

    @property
    def is_batch(self) -> bool:
        """Whether it is a ``batch``."""
        return self.method.lower() == "batch"


def parse_request(request: HttpRequest) -> RestRequest:
    """Return ``request`` as a request to ``/rest/``; for a path that names no method, the method is empty.

    ``/rest/api/…``, where version 3 of the API is, names none: it has no method for open lines.
    """
    parts = [unquote(part) for part in request.path[len(REST_ROOT) :].rstrip("/").split("/")]
    named = len(parts) in (1, 3)
    method, transport = _method(parts[-1] if named else "")
    params = parse_parameters(request)
    return RestRequest(
        method=method,
        xml=transport == "xml",
        webhook=(parts[0], parts[1]) if len(parts) == 3 else None,
        token=_token(request, params),
        sessid=_sessid(request, params),
        params=params,
        typed=request.verb == "POST" and _content_type(request) == JSON_TYPE,
    )


def _method(text: str) -> tuple[str, str]:
    """Return the method, and the transport that may follow it.

    A transport in upper case is understood only when the server tries the name in lower case, which it does first.
    """
    name, _, transport = text.rpartition(".")
    if not name or transport.lower() not in TRANSPORTS:
        return text, TRANSPORTS[0]
    return name if transport in TRANSPORTS else name.lower(), transport.lower()


def parse_parameters(request: HttpRequest) -> dict[str, Any]:
    """Return query string and body as one array; the body wins.

    Only a POST has a body. Malformed JSON is ignored.
    """
    return {**php.parse_str(request.query), **(_body(request) if request.verb == "POST" else {})}


def _body(request: HttpRequest) -> dict[str, Any]:
    content_type = _content_type(request)
    if content_type == JSON_TYPE:
        return _json(request.body)
    if content_type.lower() == "multipart/form-data":
        return _multipart(request)
    return php.parse_str(request.body.decode("utf-8", "replace"))


def _content_type(request: HttpRequest) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip()


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body.decode(), parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode()  # PHP takes no half of a surrogate pair
    except (ValueError, RecursionError):
        return {}
    if php.depth(value) > php.MAX_JSON_DEPTH:
        return {}
    if isinstance(value, list):
        return {str(index): item for index, item in enumerate(value)}
    return value if isinstance(value, dict) else {}


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _multipart(request: HttpRequest) -> dict[str, Any]:
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message: Message = BytesParser(policy=HTTP).parsebytes(head + request.body)
    fields: dict[str, Any] = {}
    for part in message.get_payload() if message.is_multipart() else []:
        if isinstance(part, Message):
            content = part.get_payload(decode=True)
            text = content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
            php.put_variable(fields, str(part.get_param("name", "", header="content-disposition")), text.rstrip("\r\n"))
    return fields


def _token(request: HttpRequest, params: Mapping[str, Any]) -> str:
    """Return the access token of the header, else ``auth``, even an empty one, else ``access_token``."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    given = (params[name] for name in ("auth", "access_token") if name in params)
    return next((php.to_str(value) for value in given if not isinstance(value, list | dict)), "")


def _sessid(request: HttpRequest, params: Mapping[str, Any]) -> str | None:
    if "sessid" not in params and "x-bitrix-csrf-token" not in request.headers:
        return None
    return php.to_str(params.get("sessid"))
