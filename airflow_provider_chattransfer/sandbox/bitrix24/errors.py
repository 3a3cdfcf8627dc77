# SPDX-License-Identifier: Apache-2.0
"""The errors of the REST API itself: code, text, and the HTTP status by the server source and by the documentation.

The statuses of the server source are also those of the documentation's newest table of system errors; ``documented`` is
the status in that table until August 2026, where it was different.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .switches import StatusSource


class RestError(Exception):
    """The error response to a call. Its body has no ``time``."""

    def __init__(
        self,
        code: str,
        description: str,
        *,
        status: int = 400,
        documented: int | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.description = description
        self.status = status
        self.documented = documented or status
        self.extra = dict(extra or {})

    def to_json(self) -> dict[str, Any]:
        """Return the body."""
        return {"error": self.code, "error_description": self.description, **self.extra}

    def status_by(self, statuses: StatusSource) -> int:
        """Return the HTTP status by the source or by the documentation."""
        return self.documented if statuses is StatusSource.DOCS else self.status


def method_not_found() -> RestError:
    """Return the error of an unknown method, checked before the credentials (server source, REST front controller)."""
    return RestError("ERROR_METHOD_NOT_FOUND", "Method not found!", status=404)


def no_auth() -> RestError:
    """Return the error of a request with neither a webhook nor a token nor a session."""
    return RestError("NO_AUTH_FOUND", "Wrong authorization data", status=401)


def invalid_credentials() -> RestError:
    """Return the error of a webhook that does not exist, has expired, or belongs to a dismissed user."""
    return RestError("INVALID_CREDENTIALS", "Invalid request credentials", status=401, documented=403)


def insufficient_scope(*, credential: str) -> RestError:
    """Return the error of a method outside the granted scopes of ``credential``; inside a batch its text is empty."""
    text = f"The request requires higher privileges than provided by the {credential}" if credential else ""
    return RestError("insufficient_scope", text, status=401, documented=403)


def expired_token() -> RestError:
    """Return the error of an access token past its lifetime."""
    return RestError("expired_token", "The access token provided has expired.", status=401)


def invalid_token() -> RestError:
    """Return the error of an access token that was never issued."""
    return RestError("invalid_token", "Unable to get application by token", status=401)


def authorization_error() -> RestError:
    """Return the error of an access token whose user has been dismissed."""
    return RestError("authorization_error", "Unable to authorize user", status=401)


def user_not_authorized() -> RestError:
    """Return the error of a browser without a signed-in session (server source, ``rest/lib/sessionauth/auth.php``)."""
    extended = {"extended_error": "user_not_authorized"}
    return RestError("access_denied", "User not authorized", status=401, extra=extended)


def session_failed() -> RestError:
    """Return the error of a browser whose token is not that of its session."""
    return RestError("session_failed", "Sessid check failed", status=401)


def wrong_auth_type() -> RestError:
    """Return the error of a method that is closed to browsers' sessions; the documentation omits the final period."""
    text = "Access for this method not allowed by session authorization."
    return RestError("WRONG_AUTH_TYPE", text, status=403)


def https_required() -> RestError:
    """Return the error of plain http on a portal that requires https."""
    return RestError("INVALID_REQUEST", "Https required.", status=401, documented=400)


def portal_deleted() -> RestError:
    """Return the error of a portal whose public part is closed, checked before the method's name."""
    return RestError("PORTAL_DELETED", "Portal was deleted", status=403, documented=500)


def overload_limit() -> RestError:
    """Return the error of a portal that Bitrix24 has blocked; only its support lifts that."""
    return RestError("OVERLOAD_LIMIT", "REST API is blocked due to overload.", status=401, documented=503)


def no_rest_plan(*, app: bool) -> RestError:
    """Return the error of a plan without REST API; applications and webhooks get different texts."""
    text = "REST is available only on commercial plans." if app else "REST is available only by subscription."
    return RestError("ACCESS_DENIED", text, status=401, documented=403)


def application_not_installed() -> RestError:
    """Return the error of an application that was removed from the portal."""
    return RestError("ERROR_OAUTH", "Application not installed", status=401)


def application_not_found() -> RestError:
    """Return the error of an application that is installed but switched off."""
    return RestError("APPLICATION_NOT_FOUND", "Application not found", status=401)


def user_access_error() -> RestError:
    """Return the error of an application that the administrator has reserved for other users."""
    text = "The user does not have access to the application."
    return RestError("user_access_error", text, status=401, documented=403)


def confirm_waiting() -> RestError:
    """Return the error while the administrator has not yet confirmed the application's calls."""
    return RestError("METHOD_CONFIRM_WAITING", "Waiting for confirmation", status=401)


def confirm_denied() -> RestError:
    """Return the error after the administrator has denied the application's calls."""
    return RestError("METHOD_CONFIRM_DENIED", "Method call denied", status=403)


def query_limit() -> RestError:
    """Return the error of the intensity limit, which the cloud's front end sends ahead of PHP."""
    return RestError("QUERY_LIMIT_EXCEEDED", "Too many requests", status=503)


def operation_time_limit() -> RestError:
    """Return the error of a method that has used up its operating time of the last ten minutes."""
    return RestError("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.", status=429)


def batch_length() -> RestError:
    """Return the error of a command beyond the fiftieth; in ``result_error`` by the source."""
    return RestError("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded", documented=400)


def batch_method() -> RestError:
    """Return the error of ``batch``, ``upload`` or ``download`` inside a batch; in ``result_error`` by the source."""
    text = "Method is not allowed for batch usage"
    return RestError("ERROR_BATCH_METHOD_NOT_ALLOWED", text, documented=405)
