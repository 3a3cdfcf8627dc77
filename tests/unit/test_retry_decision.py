# SPDX-License-Identifier: Apache-2.0
"""What follows each error: a repeat, a read, the next chat or the end, and what a retry of the task does."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

import pytest

from airflow_provider_chattransfer import exceptions
from airflow_provider_chattransfer.exceptions import ChatsNotTransferredError, RateLimitError, WaitInterruptedError
from airflow_provider_chattransfer.retry_decision import Decision, NextStep, decide

REPEAT = Decision(NextStep.REPEAT, not_applied=True)
SEND_LATER = Decision(NextStep.SEND_LATER, not_applied=True)
READ_FIRST = Decision(NextStep.READ_FIRST)
STOP = Decision(NextStep.STOP, not_applied=True, permanent=True)
NOT_OURS = Decision(NextStep.NOT_OURS)

DECISIONS: Mapping[str, tuple[Decision, Decision]] = {
    "TransferError": (READ_FIRST, READ_FIRST),
    "PlatformError": (READ_FIRST, READ_FIRST),
    "CredentialsError": (STOP, STOP),
    "TokenExpiredError": (STOP, STOP),
    "NotAllowedError": (STOP, STOP),
    "TenantOutOfServiceError": (STOP, STOP),
    "RequestRefusedError": (Decision(NextStep.SKIP_CHAT, permanent=True),) * 2,
    "NotFoundError": (Decision(NextStep.SKIP_CHAT, permanent=True),) * 2,
    "NotAppliedError": (SEND_LATER, SEND_LATER),
    "RateLimitError": (REPEAT, REPEAT),
    "UnreachableError": (REPEAT, REPEAT),
    "TokenStoreError": (SEND_LATER, SEND_LATER),
    "HostFileError": (SEND_LATER, SEND_LATER),
    "CoordinationError": (SEND_LATER, SEND_LATER),
    "LockTimeoutError": (SEND_LATER, SEND_LATER),
    "MisdirectedError": (SEND_LATER, SEND_LATER),
    "ReadTooLongAgoError": (SEND_LATER, SEND_LATER),
    "ResponseLostError": (READ_FIRST, Decision(NextStep.REPEAT)),
    "UnexpectedResponseError": (Decision(NextStep.READ_FIRST, permanent=True),) * 2,
    "RecordWriteError": (READ_FIRST, READ_FIRST),
    "RecordNotKeptError": (READ_FIRST, READ_FIRST),
    "RecordReadError": (Decision(NextStep.STOP, permanent=True),) * 2,
    "RecordTakenOverError": (NOT_OURS, NOT_OURS),
    "BrokenRecordError": (NOT_OURS, NOT_OURS),
    "ChatsNotTransferredError": (READ_FIRST, READ_FIRST),
    "WaitInterruptedError": (READ_FIRST, READ_FIRST),
}
"""By error what is decided where its request is not repeatable, and where it is."""

ARGUMENTS = {
    "method": "m",
    "cause": OSError(),
    "retry_advice": "again",
    "permanent": False,
    "open_chats": 1,
}


def instance(name: str) -> BaseException:
    """Raise an error as the product does: with as few arguments as it needs."""
    kind = getattr(exceptions, name)
    given: list[object] = []
    named: dict[str, object] = {}
    for parameter in inspect.signature(kind.__init__).parameters.values():
        if parameter.name == "self" or parameter.default is not parameter.empty:
            continue
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = ARGUMENTS[parameter.name]
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            given.append(OSError() if parameter.name == "cause" and name.startswith("Record") else "words")
    return kind(*given, **named)  # type: ignore[no-any-return]


@pytest.mark.parametrize("repeatable", [False, True], ids=["once", "repeatable"])
@pytest.mark.parametrize("name", DECISIONS)
def test_every_error_has_one_decision(name: str, repeatable: bool) -> None:
    assert decide(instance(name), repeatable=repeatable) == DECISIONS[name][repeatable]


def test_no_public_error_is_left_out() -> None:
    public = {
        name
        for name, kind in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(kind, BaseException) and kind.__module__ == exceptions.__name__ and not name.startswith("_")
    }
    assert public == DECISIONS.keys()


def test_bad_input_ends_a_task_and_errors_of_others_are_left_to_them() -> None:
    assert decide(ValueError("to: missing")) == STOP
    for error in (UnicodeError(), KeyError("x"), OSError(), RuntimeError(), SystemExit(1)):
        assert decide(error) == NOT_OURS


def test_an_error_that_ended_a_run_or_a_wait_for_good_ends_the_task() -> None:
    ended = ChatsNotTransferredError("2 of 2", retry_advice="no", permanent=True)
    broken_off = WaitInterruptedError("no", open_chats=1, permanent=True)
    assert decide(ended) == decide(broken_off) == Decision(NextStep.STOP, permanent=True)


def test_the_hint_of_a_service_is_when_to_come_back() -> None:
    limited = RateLimitError("too many", method="m", retry_after=7)
    stopped = ChatsNotTransferredError("1 of 2", retry_advice="later", permanent=False, retry_after=700)
    assert [decide(each).after_seconds for each in (limited, stopped)] == [7, 700]
