# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a service, typed by cause, and what each cause means for a run and for a retry of its task.

No message holds a secret, or anything of a customer: errors are made of a method's name, the service's code and our
own words. A service's text is not among them, since nobody knows what it may repeat.
"""

from __future__ import annotations

import math
import re

from ..chats.inputs import LONGEST_SENTENCE, without_middle

LONGEST_PAUSE = 86_400.0
"""Seconds that a hint of a service is believed at most."""

CODE = re.compile(r"[A-Za-z_][\w.`]{0,99}|\d{1,5}", re.ASCII)
"""What an error code of a service looks like: ``OPERATOR_WRONG``, ``SoNotFoundException``, ``404``."""


def as_code(value: object) -> str | None:
    """The error code that a service gave; ``None`` for what is none, and may be any text."""
    if type(value) is int:
        return str(value) if 0 <= value <= 99_999 else None
    return value if isinstance(value, str) and CODE.fullmatch(value) else None


class TransferError(RuntimeError):
    """The root of what can end a task.

    ``permanent`` tells that a retry would meet the same; ``a_retry`` says in words what one does, or why not.
    ``retry_after``: in how many seconds the service will take requests again, where it told.
    """

    permanent: bool = False
    retry_after: float | None = None
    a_retry: str = "a retry reads first, and goes on where this try stopped"


def is_permanent(error: BaseException) -> bool:
    """Whether a retry of the task would end with the same error: bad input, and what says so itself.

    Bad input is a plain ``ValueError``. Its subclasses (``UnicodeError``, a library's own) are not told by us.
    """
    return type(error) is ValueError or (isinstance(error, TransferError) and error.permanent)


class PlatformError(TransferError):
    """A service did not do what it was asked.

    ``method`` is the API method, ``code`` the service's own code for the trouble, where it gave one. A text that is too
    long loses its middle.
    """

    def __init__(self, message: str, *, method: str, code: str | None = None) -> None:
        super().__init__(message)
        self.method = method
        self.code = code

    def __str__(self) -> str:
        code = f" [{self.code}]" if self.code else ""
        return without_middle(f"{self.method}: {self.args[0]}{code}", most=LONGEST_SENTENCE)


class WrongCredentials(PlatformError):
    """The service does not know us, or does not let us do this."""

    permanent = True
    a_retry = "a retry would be turned away as well; put the connection right, then clear the task"


class Expired(WrongCredentials):
    """A token or ticket has run out, or was ended: nothing was carried out, and a new one may help."""


class RequestRefused(PlatformError):
    """The service understood and said no: this chat, this target, this argument."""

    permanent = True
    a_retry = "a retry would be refused as well; put right what the service's code names, then clear the task"


class Missing(RequestRefused):
    """There is no such thing, or we may not see it."""


class NotCarriedOut(PlatformError):
    """The request has changed nothing, for sure: it may be sent again."""


class Limited(NotCarriedOut):
    """Too many requests, or too much work. ``retry_after`` in seconds, where known; a day at most.

    ``too_fast`` when fewer requests per second would have helped.
    """

    a_retry = "a retry goes on when the service's limit lets it"

    def __init__(
        self,
        message: str,
        *,
        method: str,
        code: str | None = None,
        retry_after: float | None = None,
        too_fast: bool = True,
    ) -> None:
        super().__init__(message, method=method, code=code)
        known = retry_after is not None and not math.isnan(retry_after)
        self.retry_after = min(max(retry_after or 0.0, 0.0), LONGEST_PAUSE) if known else None
        self.too_fast = too_fast


class Unreachable(NotCarriedOut):
    """No connection could be made."""


class StoreFailed(NotCarriedOut):
    """The token store cannot be used; nothing was asked of the service."""

    a_retry = "a retry goes on when the token store can be used again"

    def __init__(self, message: str) -> None:
        super().__init__(message, method="token store")


class HostFileUnusable(NotCarriedOut):
    """A file or folder by which this user's processes on this host take turns is not what it should be."""

    a_retry = "a retry goes on when the file is put right"

    def __init__(self, message: str) -> None:
        super().__init__(message, method="files of this host")


class Interrupted(PlatformError):
    """The connection broke, or a gateway answered. Whether the request was carried out is not known."""


class NotUnderstood(PlatformError):
    """The answer is not one that this service gives. Whether the request was carried out is not known."""

    permanent = True
    a_retry = "no retry, since somebody has to look at it; what is known stays on record: clear the task to go on"
