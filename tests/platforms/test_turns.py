# SPDX-License-Identifier: Apache-2.0
"""Two runs over the same chats at the same time."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_chattransfer.chats.model import Result
from airflow_provider_chattransfer.chats.run import hand_over
from airflow_provider_chattransfer.platforms.driving import carry_out
from airflow_provider_chattransfer.platforms.turns import LONGEST, REMEMBERED, Turn, TurnNotGiven

from .conftest import Stage, outcomes, to

CHATS = [str(1000 + number) for number in range(60)]
HOLDER = """
import sys
from airflow_provider_chattransfer.platforms.turns import Turn
turn = Turn(sys.argv[1], run="holder", since=0.0)
turn.take()
print("taken", flush=True)
sys.stdin.read()
"""


class TestTwoRunsAtTheSameTime:
    @pytest.mark.parametrize("service", ["bitrix24", "superoffice"])
    def test_move_each_chat_once_and_the_second_leaves_what_the_first_did(self, stage: Stage, service: str) -> None:
        chats = [{"id": int(chat_id), "owner": 7, "queue": 3} for chat_id in CHATS]
        stage.reset(**{service: {"chats": chats, "people": {"ignore": 1}}})
        sending, began = threading.Event(), time.time()

        def run(target: str) -> Sequence[Result]:
            platform = getattr(stage, service)()
            send = platform.send

            def slowly(*arguments: object) -> object:
                sending.set()
                threading.Event().wait(0.2)
                return send(*arguments)

            platform.send = slowly
            if target == "agent:15":
                sending.wait(10)
            steps = hand_over(to(target, *CHATS, source="agent:7"), chunk=platform.chunk)
            return carry_out(steps, platform, turn=Turn(platform.account, run=target, since=began))

        with ThreadPoolExecutor() as pool:
            first, second = pool.map(run, ["agent:12", "agent:15"])

        moved = Counter(stage.moved(service))
        assert set(moved) == set(CHATS)
        assert set(moved.values()) == {1}
        arrived = "accepted" if service == "bitrix24" else "requested"
        assert {tuple(sorted(pair)) for pair in zip(outcomes(first), outcomes(second), strict=True)} == {
            (arrived, "skipped")
        }
        assert {result.reason for result in [*first, *second]} == {None, "another run has just moved it"}


class TestATurn:
    def test_is_given_to_one_at_a_time(self) -> None:
        first, second = a_turn("portal"), a_turn("portal", patient=False)
        first.take()
        with pytest.raises(TurnNotGiven, match="another run on this host"):
            second.take()
        first.give_back()
        second.take()
        second.give_back()

    def test_goes_to_who_waits_before_it_is_taken_again(self) -> None:
        greedy, waiting = a_turn("fair"), a_turn("fair", run="waiting")
        order: list[str] = []
        greedy.take()

        def wait() -> None:
            waiting.take()
            order.append("waiting")
            waiting.give_back()

        with ThreadPoolExecutor() as pool:
            done = pool.submit(wait)
            while stands_in_the_door(waiting) is False:
                time.sleep(0.01)
            greedy.give_back()
            greedy.take()
            order.append("greedy")
            greedy.give_back()
            done.result(10)
        assert order == ["waiting", "greedy"]

    def test_is_taken_once_by_who_has_it(self) -> None:
        turn = a_turn("portal")
        turn.take()
        turn.take()
        turn.give_back()
        turn.give_back()

    def test_is_another_one_for_another_account(self) -> None:
        first, second = a_turn("portal"), a_turn("tenant", patient=False)
        first.take()
        second.take()
        first.give_back()
        second.give_back()

    def test_ends_with_a_process_that_is_killed(self) -> None:
        holder = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", HOLDER, "killed"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout is not None
        assert holder.stdout.readline() == "taken\n"
        with pytest.raises(TurnNotGiven):
            a_turn("killed", patient=False).take()
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait(10)
        turn = a_turn("killed")
        turn.take()
        turn.give_back()

    def test_tells_what_other_runs_have_sent_since_the_run_began(self) -> None:
        account = f"told {time.time()}"
        earlier, began = a_turn(account, run="another"), time.time()
        earlier.take()
        earlier.note(["1", "2"])
        earlier.give_back()
        assert told(account, run="mine", since=began) == {"1", "2"}
        assert told(account, run="another", since=began) == set()
        assert told(account, run="mine", since=time.time() + 1) == set()

    def test_forgets_what_was_sent_a_day_ago(self, monkeypatch: pytest.MonkeyPatch) -> None:
        account = f"old {time.time()}"
        turn = a_turn(account, run="another")
        turn.take()
        turn.note(["1"])
        turn.give_back()
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + REMEMBERED + 1)
        assert told(account, run="mine", since=0.0) == set()
        monkeypatch.undo()
        assert told(account, run="mine", since=0.0) == set()

    def test_overlooks_what_was_cut_off_in_the_middle(self) -> None:
        account = f"cut off {time.time()}"
        turn = a_turn(account, run="another")
        turn.take()
        turn.note(["1"])
        assert turn._file is not None
        turn._file.write('{"run": "x", "at"')
        turn.give_back()
        turn.take()
        turn.note(["2"])
        turn.give_back()
        assert told(account, run="mine", since=0.0) == {"1", "2"}


def stands_in_the_door(turn: Turn) -> bool:
    """Whether somebody waits for his turn."""
    with open(turn._door, "a+") as door:
        try:
            fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def a_turn(account: str, *, run: str = "run", since: float = 0.0, patient: bool = True) -> Turn:
    """A turn; one that is not patient finds the longest wait over at its second look."""
    if patient:
        return Turn(account, run=run, since=since)
    return Turn(account, run=run, since=since, clock=Ticking(), sleep=lambda _: None)


def told(account: str, *, run: str, since: float) -> set[str]:
    turn = a_turn(account, run=run, since=since)
    turn.take()
    turn.give_back()
    return set(turn.sent_by_others)


class Ticking:
    """A clock on which every look is half the longest wait later."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        self._now += LONGEST / 2
        return self._now
