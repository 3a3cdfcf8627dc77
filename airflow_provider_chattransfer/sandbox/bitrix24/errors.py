# SPDX-License-Identifier: Apache-2.0
"""The errors of the REST API: code, text, HTTP status, and the two tables of statuses that there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .switches import Statuses

_DOCUMENTED_STATUS = {
    "INVALID_CREDENTIALS": 403,
    "INSUFFICIENT_SCOPE": 403,
    "INVALID_REQUEST": 400,
    "ACCESS_DENIED": 403,
    "USER_ACCESS_ERROR": 403,
    "OVERLOAD_LIMIT": 503,
}
"""Where the documentation's table of system errors differs from the server source."""


class RestError(Exception):
    """A call that is refused. Bodies of errors carry no ``time``."""

    def __init__(
        self, code: str, description: str, *, status: int = 400, extra: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.description = description
        self.status = status
        self.extra = dict(extra or {})

    def to_json(self) -> dict[str, Any]:
        """The body."""
        return {"error": self.code, "error_description": self.description, **self.extra}

    def status_by(self, statuses: Statuses) -> int:
        """The HTTP status, by the source or by the documentation."""
        if statuses is Statuses.SOURCE:
            return self.status
        return _DOCUMENTED_STATUS.get(self.code.upper(), self.status)


def method_not_found() -> RestError:
    """Checked before anything about credentials (server source, REST front controller)."""
    return RestError("ERROR_METHOD_NOT_FOUND", "Method not found!", status=404)


def no_auth() -> RestError:
    """Neither a webhook nor a token."""
    return RestError("NO_AUTH_FOUND", "Wrong authorization data", status=401)


def invalid_credentials() -> RestError:
    """A webhook that does not exist, or whose user was dismissed."""
    return RestError("INVALID_CREDENTIALS", "Invalid request credentials", status=401)


def insufficient_scope(*, in_batch: bool) -> RestError:
    """A method of a scope that was not granted; inside a batch the text is empty."""
    text = "" if in_batch else "The request requires higher privileges than provided by the webhook token"
    return RestError("insufficient_scope", text, status=401)


def expired_token() -> RestError:
    """An access token past its hour."""
    return RestError("expired_token", "The access token provided has expired.", status=401)


def invalid_token() -> RestError:
    """An access token that nobody issued."""
    return RestError("invalid_token", "Unable to get application by token", status=401)


def https_required() -> RestError:
    """Plain http on a portal that insists."""
    return RestError("INVALID_REQUEST", "Https required.", status=401)


def query_limit() -> RestError:
    """Sent by the cloud's front end, ahead of PHP."""
    return RestError("QUERY_LIMIT_EXCEEDED", "Too many requests", status=503)


def operation_time_limit() -> RestError:
    """The method has used up its time of the last ten minutes."""
    return RestError("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.", status=429)
