# SPDX-License-Identifier: Apache-2.0
"""A few of the random schedules of ``make chaos``, and that its judge sees what it is there to see."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from .harness import ROOT
from .judge import Case, Wanted, judge
from .schedules import Schedule

FEW = 12


class TestRandomSchedules:
    def test_random_schedules_lose_no_chat_and_move_none_twice(self) -> None:
        command = [sys.executable, "-m", "tests.chaos", "--schedules", str(FEW)]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)  # noqa: S603
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert f"{FEW} schedules" in ran.stdout

    def test_random_schedules_are_the_same_from_the_same_seed(self) -> None:
        assert Schedule.of(123) == Schedule.of(123)
        assert Schedule.of(123) != Schedule.of(124)


def change(what: str, chat_id: str = "1001", *, request: int | None = 3, at: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "service": "bitrix24",
        "chat_id": chat_id,
        "change": what,
        "request": request,
        "at": f"2026-11-21T22:00:{at:02}+00:00",
        "after": "agent:12",
        **more,
    }


MOVED = [change("transferred"), change("accepted", request=None)]


def report(
    outcome: str = "accepted", *, reason: str | None = None, chats: tuple[str, ...] = ("1001",)
) -> dict[str, Any]:
    entries = [{"chat_id": each, "to": "agent:12", "outcome": outcome, "reason": reason} for each in chats]
    return {"platform": "bitrix24", "counts": {outcome: len(entries)}, "transfers": entries}


def record(outcome: str = "accepted", *, finished: bool = True) -> list[dict[str, Any]]:
    settled = ["1001", "agent:12", None, False, outcome, None, "nothing"]
    entries: list[dict[str, Any]] = [
        {"plan": [["1001", "agent:12", None, False]]},
        {"planned_at": 1.0},
        {"settled": [settled], "unmoved": []},
    ]
    return entries + ([{"finished_by": 0}] if finished else [])


def judged(**evidence: Any) -> list[str]:
    case: dict[str, Any] = {"report": report(), "changes": MOVED, "record": record(), "ended": True} | evidence
    return judge(Case(Wanted(["1001"], named=True), **case))


class TestTheJudge:
    def test_the_judge_finds_nothing_where_all_agree(self) -> None:
        assert judged() == []

    def test_the_judge_lets_a_customer_come_back_to_the_chats_receiver(self) -> None:
        came_back = [change("closed", request=None), change("reopened", request=None), MOVED[1]]
        assert judged(changes=came_back) == []
        assert judged(changes=[MOVED[1]]) == ["chat 1001 is accepted, and was moved 0 times"]

    @pytest.mark.parametrize(
        ("evidence", "violation"),
        [
            ({"changes": [MOVED[0], *MOVED]}, "was moved 2 times"),
            ({"changes": [*MOVED, change("transferred", "902")]}, "nobody wanted that"),
            ({"changes": [change("closed", request=None), change("reopened", at=30), *MOVED]}, "opened it again"),
            ({"report": report(chats=())}, "reported []"),
            ({"report": report(chats=("1001", "1001"))}, "has 2 outcomes"),
            ({"report": {**report(), "counts": {"accepted": 2}}}, "counts sum to 2 of 1"),
            ({"report": report("requested"), "changes": [], "record": record("requested")}, "nobody has asked"),
            ({"report": report("failed", reason="not sent: out of reach")}, "was moved, and the report says"),
            ({"report": report("failed")}, "does not say why"),
            ({"report": report("skipped"), "record": record("skipped")}, "is skipped, and was moved 1 times"),
            ({"record": record("requested")}, "the record says requested"),
            ({"record": []}, "the record plans []"),
            ({"record": record(finished=False)}, "its record does not say so"),
        ],
    )
    def test_the_judge_sees(self, evidence: dict[str, Any], violation: str) -> None:
        assert any(violation in each for each in judged(**evidence)), judged(**evidence)
