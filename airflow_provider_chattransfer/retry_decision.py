# SPDX-License-Identifier: Apache-2.0
"""Decide what comes after an error: the one place that says what a repeat, a run and a retry of the task may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .exceptions import (
    CredentialsError,
    NotAppliedError,
    PlatformError,
    RateLimitError,
    RequestRefusedError,
    ResponseLostError,
    TransferError,
    UnreachableError,
)


class NextStep(StrEnum):
    """What may follow a failed request, or a failed task."""

    REPEAT = "repeat"
    """Send the same request again, after ``after_seconds`` where that is known."""

    SEND_LATER = "send later"
    """Nothing was carried out, and an immediate repeat would not help: a later round or try sends it."""

    READ_FIRST = "read first"
    """Read before anything is sent again: it may have been carried out."""

    SKIP_CHAT = "skip this chat"
    """Do not repeat it: the service has refused this chat, and may take others."""

    STOP = "stop"
    """End: every request would fail alike until somebody has removed the cause."""

    NOT_OURS = "not ours"
    """Leave the error to whoever raised it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done about one error.

    ``not_applied``: the service has certainly carried out nothing. ``permanent``: a retry of the task would end with
    the same error. ``after_seconds``: when the service takes requests again, as it said itself.
    """

    next_step: NextStep
    not_applied: bool = False
    permanent: bool = False
    after_seconds: float | None = None


def decide(error: BaseException, *, repeatable: bool = False) -> Decision:
    """Decide by the type of ``error``; ``repeatable`` tells that carrying out its request twice does no harm.

    Bad input is a plain ``ValueError``. Its subclasses (``UnicodeError``, a library's own) are not raised by us.
    """
    if isinstance(error, TransferError):
        return Decision(
            _next_step(error, repeatable=repeatable),
            not_applied=isinstance(error, NotAppliedError | CredentialsError),
            permanent=error.permanent,
            after_seconds=error.retry_after,
        )
    if type(error) is ValueError:
        return Decision(NextStep.STOP, not_applied=True, permanent=True)
    return Decision(NextStep.NOT_OURS)


def _next_step(error: TransferError, *, repeatable: bool) -> NextStep:
    match error:
        case CredentialsError():
            return NextStep.STOP
        case RequestRefusedError():
            return NextStep.SKIP_CHAT
        case RateLimitError() | UnreachableError():
            return NextStep.REPEAT
        case NotAppliedError():
            return NextStep.SEND_LATER
        case ResponseLostError() if repeatable:
            return NextStep.REPEAT
        case PlatformError():
            return NextStep.READ_FIRST
    return NextStep.STOP if error.permanent else NextStep.READ_FIRST
