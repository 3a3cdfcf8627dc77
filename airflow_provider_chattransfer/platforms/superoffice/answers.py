# SPDX-License-Identifier: Apache-2.0
"""Tell the good answers of a WebAPI from its several shapes of an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...exceptions import (
    MisdirectedError,
    NotFoundError,
    RateLimitError,
    RequestRefusedError,
    ResponseLostError,
    UnexpectedResponseError,
    as_code,
)
from ..transport import NO_JSON, Response, gateway_error

CHECK_HOST = "check that host is the address of a WebAPI, up to and without /api/v1"
"""The advice where something else answers."""


def understand_answer(response: Response, method: str) -> Any:
    """Return the body of a good answer; raise what a bad one means. A 200 may hold an error object as well."""
    status, body = response.status, response.body
    if status == 404:
        what = f"not found; {CHECK_HOST}" if body is NO_JSON else "not found"
        raise NotFoundError(what, method=method, code=str(status))
    if status == 200 and body is NO_JSON:
        raise UnexpectedResponseError(
            f"this is no answer of a SuperOffice WebAPI; {CHECK_HOST}", method=method, code="200"
        )
    if status == 421:
        raise MisdirectedError("the tenant is not at this address", method=method, code="421")
    if status == 429:
        raise RateLimitError("too many requests", method=method, code="429", retry_after=response.retry_after)
    if status == 204:
        return None
    if body is NO_JSON or status in (502, 503, 504):
        raise gateway_error(response, method=method)
    if status >= 500:
        raise ResponseLostError("the server failed", method=method, code=_type(body) or str(status))
    if status >= 400 or _is_error(body):
        raise RequestRefusedError("the service refused", method=method, code=_type(body) or str(status))
    if status != 200:
        raise gateway_error(response, method=method)
    return body


def _is_error(body: Any) -> bool:
    if not isinstance(body, Mapping) or "ChatSessionId" in body:
        return False
    return bool(body.get("Error")) or "Message" in body or "ExceptionType" in body


def _type(body: Any) -> str | None:
    """Return the code in the shapes in which errors come: REST and SOAP. Their texts are dropped."""
    return as_code(body.get("ErrorType") or body.get("ExceptionType")) if isinstance(body, Mapping) else None
