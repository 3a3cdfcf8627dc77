# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a service, typed by cause, and what each cause means for a run.

No message holds a secret: errors are made of a method's name, the service's code and our own words.
"""

from __future__ import annotations


class PlatformError(RuntimeError):
    """A service did not do what it was asked.

    ``method`` is the API method, ``code`` the service's own code for the trouble, where it gave one.
    """

    def __init__(self, message: str, *, method: str, code: str | None = None) -> None:
        super().__init__(message)
        self.method = method
        self.code = code

    def __str__(self) -> str:
        code = f" [{self.code}]" if self.code else ""
        return f"{self.method}: {self.args[0]}{code}"


class WrongCredentials(PlatformError):
    """The service does not know us, or does not let us do this."""


class RequestRefused(PlatformError):
    """The service understood and said no: this chat, this target, this argument."""


class Missing(RequestRefused):
    """There is no such thing, or we may not see it."""


class NotCarriedOut(PlatformError):
    """The request has changed nothing, for sure: it may be sent again."""


class Limited(NotCarriedOut):
    """Too many requests. ``retry_after`` in seconds, where known."""

    def __init__(self, message: str, *, method: str, code: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, method=method, code=code)
        self.retry_after = retry_after


class Unreachable(NotCarriedOut):
    """No connection could be made."""


class Interrupted(PlatformError):
    """The connection broke, or a gateway answered. Whether the request was carried out is not known."""


class NotUnderstood(PlatformError):
    """The answer is not one that this service gives. Whether the request was carried out is not known."""
