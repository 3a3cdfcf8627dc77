# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a service, typed by cause; ``retry_decision`` says what each cause means for a retry.

No message holds a secret, or anything of a customer: errors are made of a method's name, the service's code and our
own words. A service's text is not among them, since nobody knows what it may repeat.
"""

from __future__ import annotations

import math
import re

from .shortening import MAX_SENTENCE_LETTERS, cut, without_middle

MAX_PAUSE_SECONDS = 86_400.0
"""Seconds: what a service says about when to come back is cut to that."""

IN_THE_REPORT = "Every chat is in the report (XCom)"
"""Where the error of a task sends its reader."""

CODE = re.compile(r"[A-Za-z_][\w.`]{0,99}|\d{1,5}", re.ASCII)
"""What an error code of a service looks like: ``OPERATOR_WRONG``, ``SoNotFoundException``, ``404``."""


def as_code(value: object) -> str | None:
    """Return the error code that a service gave; ``None`` for what is none, and may be any text."""
    if type(value) is int:
        return str(value) if 0 <= value <= 99_999 else None
    return value if isinstance(value, str) and CODE.fullmatch(value) else None


class TransferError(RuntimeError):
    """The root of what can end a task.

    ``permanent`` tells that a retry would meet the same; ``retry_advice`` says in words what one does, or why not.
    ``retry_after``: in how many seconds the service will take requests again, where it told.
    """

    permanent: bool = False
    retry_after: float | None = None
    retry_advice: str = "a retry reads first, and goes on where this try stopped"


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
        return without_middle(f"{self.method}: {self.args[0]}{code}", most=MAX_SENTENCE_LETTERS)


class CredentialsError(PlatformError):
    """The service does not know us, or does not let us do this."""

    permanent = True
    retry_advice = "a retry would be turned away as well; put the connection right, then clear the task"


class TokenExpiredError(CredentialsError):
    """A token or ticket has run out, or was ended: nothing was carried out, and a new one may help."""


class RequestRefusedError(PlatformError):
    """The service understood and said no: this chat, this target, this argument."""

    permanent = True
    retry_advice = "a retry would be refused as well; put right what the service's code names, then clear the task"


class NotFoundError(RequestRefusedError):
    """There is no such thing, or we may not see it."""


class NotAppliedError(PlatformError):
    """The request has changed nothing, for sure: it may be sent again."""


class RateLimitError(NotAppliedError):
    """Too many requests, or too much work. ``retry_after`` in seconds, where known; a day at most.

    ``too_fast`` when fewer requests per second would have helped.
    """

    retry_advice = "a retry goes on when the service's limit lets it"

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
        self.retry_after = min(max(retry_after or 0.0, 0.0), MAX_PAUSE_SECONDS) if known else None
        self.too_fast = too_fast


class UnreachableError(NotAppliedError):
    """No connection could be made."""


class TokenStoreError(NotAppliedError):
    """The token store cannot be used; nothing was asked of the service."""

    retry_advice = "a retry goes on when the token store can be used again"

    def __init__(self, message: str) -> None:
        super().__init__(message, method="token store")


class HostFileError(NotAppliedError):
    """A file or folder by which this user's processes on this host take turns is not what it should be."""

    retry_advice = "a retry goes on when the file is put right"

    def __init__(self, message: str) -> None:
        super().__init__(message, method="files of this host")


class CoordinationError(NotAppliedError):
    """What the processes and hosts that act on one account share cannot be asked; the message names the place."""

    retry_advice = "a retry goes on when the coordination can be reached again"

    def __init__(self, message: str) -> None:
        super().__init__(message, method="coordination")


class ResponseLostError(PlatformError):
    """The connection broke, or a gateway answered. Whether the request was carried out is not known."""


class UnexpectedResponseError(PlatformError):
    """The answer is not one that this service gives. Whether the request was carried out is not known."""

    permanent = True
    retry_advice = "no retry, since somebody has to look at it; what is known stays on record: clear the task to go on"


class NotAllowedError(CredentialsError):
    """403: the service knows the user, and does not let them do this, with this chat perhaps."""


class LockTimeoutError(NotAppliedError):
    """Another run has kept the account lock for longer than sending any piece takes."""

    retry_advice = "a retry goes on when the other run is done"

    def __init__(self, message: str) -> None:
        super().__init__(message, method="turn")


class ReadTooLongAgoError(NotAppliedError):
    """Signing in, or waiting for a limit, took so long that the chats must be read again before they are sent."""

    def __init__(self, *, method: str) -> None:
        super().__init__("not sent: it took so long to come to it that it must be read again", method=method)


class MisdirectedError(NotAppliedError):
    """421: the tenant does not live there (any more). Nothing was carried out."""


class TenantOutOfServiceError(CredentialsError):
    """The tenant is in a state in which it serves nobody, or there is none."""


class RecordWriteError(TransferError):
    """What has to outlive the task could not be written; nothing was sent after that. The report has been pushed."""

    retry_advice = (
        "a retry goes on from what is on record: it reads what is open there, and sends what was surely not moved"
    )

    def __init__(self, what: str, cause: BaseException) -> None:
        super().__init__(
            f"{what} could not be written ({type(cause).__name__}), so nothing more was sent. Every chat is accounted "
            f"for in the report, in the XCom return_value. {self.retry_advice[0].upper()}{self.retry_advice[1:]}"
        )


class RecordNotKeptError(TransferError):
    """The record cannot be kept where it is to be, so that nothing was sent."""

    retry_advice = "a retry goes on when the record can be kept"

    def __init__(self, where: str, cause: BaseException) -> None:
        super().__init__(
            f"the record of this run cannot be kept in {where[:150]} ({type(cause).__name__}), so nothing was sent; "
            "check the task's report_path, or record_path under [chattransfer] in Airflow's configuration"
        )


class RecordReadError(TransferError):
    """What an earlier try has put on record cannot be read; nothing was sent after that."""

    permanent = True
    retry_advice = "a retry would not be able to read it either; look at the record, delete it to start anew"

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(
            f"{problem}. Nothing was sent: what an earlier try of this task has sent cannot be told. Look at {where}, "
            "delete it to start anew, then clear the task"
        )


class RecordTakenOverError(RuntimeError):
    """Another try of the same task has taken its record over, so this one does nothing more."""


class BrokenRecordError(ValueError):
    """An entry of the record is not one that we have written: nothing can be told of what an earlier try has done."""


class ChatsNotTransferredError(TransferError):
    """More chats failed than the task may leave behind. The report has been pushed as ``return_value``."""

    def __init__(self, summary: str, *, retry_advice: str, permanent: bool, retry_after: float | None = None) -> None:
        """``permanent``: all that failed was moved and did not stay, or a retry would be stopped by the same cause."""
        super().__init__(f"{summary}. {IN_THE_REPORT}. {_sentence(retry_advice)}")
        self.retry_advice = retry_advice
        self.permanent = permanent
        self.retry_after = retry_after


class WaitInterruptedError(TransferError):
    """The service could not be asked any more whether chats are accepted. The report has been pushed."""

    GOES_ON = "a retry goes on waiting"
    GIVES_UP = "a retry would be turned away as well; put the cause right, then clear the task"

    def __init__(self, cause: str, *, open_chats: int, permanent: bool, retry_after: float | None = None) -> None:
        """``open_chats`` is how many transfers nobody was seen to accept."""
        self.retry_advice = self.GIVES_UP if permanent else self.GOES_ON
        self.permanent = permanent
        self.retry_after = retry_after
        left = f"{open_chats} transfers were not seen to be accepted"
        super().__init__(
            f"the wait for acceptance broke off: {cut(cause, 120)}. {left}. {_sentence(self.retry_advice)}"
        )


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:]
