# SPDX-License-Identifier: Apache-2.0
"""Reading the body of a request, within a limit of length and of nesting."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from .validation import validate

MAX_BODY_BYTES = 16 * 1024 * 1024
"""The longest body. Neither service documents a limit; a batch of Bitrix24 has some tens of thousands of bytes."""


class BodyTooLargeError(ValueError):
    """The body has more than `MAX_BODY_BYTES` bytes; the rest of it is not read."""

    def __init__(self) -> None:
        super().__init__(f"the body may have at most {MAX_BODY_BYTES} bytes")


async def read_body(request: Request) -> bytes:
    """Return the body; raise `BodyTooLargeError` as early as possible, and starlette's ``ClientDisconnect``."""
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
    """Return the JSON object in ``body``; an empty body is an empty object.

    Raises ``ValueError``, with ``what`` as the name of the text, for anything else and for what `validation.validate`
    refuses.
    """
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
