# SPDX-License-Identifier: Apache-2.0
"""The bodies of requests, as far as one may be long and nested."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from .validation import validate

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Bytes of a body. Neither service documents a limit; a batch of Bitrix24 has some tens of thousands."""


class BodyTooLargeError(ValueError):
    """A body of more than `MAX_BODY_BYTES` bytes; the rest of it is not read."""

    def __init__(self) -> None:
        super().__init__(f"the body may have at most {MAX_BODY_BYTES} bytes")


async def read_body(request: Request) -> bytes:
    """The body; raises `BodyTooLargeError` as soon as it is known to be, and starlette's ``ClientDisconnect``."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > len(str(MAX_BODY_BYTES)) or int(announced) > MAX_BODY_BYTES):
        raise BodyTooLargeError
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_BODY_BYTES:
            raise BodyTooLargeError
        pieces.append(piece)
    return b"".join(pieces)


def parse_json_object(body: bytes, what: str) -> dict[str, Any]:
    """The JSON object that ``body`` is, nothing being an empty one; raises ``ValueError``, with ``what`` it is called,
    for anything else, and for what `figures.validate` refuses."""
    try:
        value = json.loads(body, parse_constant=_not_json) if body.strip() else {}
    except RecursionError:
        raise ValueError(f"{what} is nested too deeply") from None
    except ValueError as problem:
        raise ValueError(f"{what} is not JSON: {problem}") from problem
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be a JSON object")
    validate(value, "")
    try:
        json.dumps(value, ensure_ascii=False).encode()  # half a character could be read, and never be shown again
    except ValueError as problem:
        raise ValueError(f"{what} is not JSON: {problem}") from problem
    return value


def _not_json(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
