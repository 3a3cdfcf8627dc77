# SPDX-License-Identifier: Apache-2.0
"""Two runs over the same chats at the same time."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_chattransfer.chats.claims import Claim, Stage
from airflow_provider_chattransfer.chats.model import Chat, Outcome, Result
from airflow_provider_chattransfer.chats.run import run_transfers
from airflow_provider_chattransfer.exceptions import LockTimeoutError
from airflow_provider_chattransfer.platforms.account_lock import MAX_WAIT_SECONDS, AccountLock
from airflow_provider_chattransfer.platforms.claim_log import KEPT_SECONDS, MAX_BYTES
from airflow_provider_chattransfer.platforms.file_lock import host_file
from airflow_provider_chattransfer.platforms.runner import run_to_end

from ..support.reports import outcomes_of
from .conftest import ClockedSandbox, to

CHATS = [str(1000 + number) for number in range(60)]
HOLDER = """
import sys
from airflow_provider_chattransfer.chats.model import Chat
from airflow_provider_chattransfer.platforms.account_lock import AccountLock
account_lock = AccountLock(sys.argv[1], run="holder", since=0.0)
account_lock.acquire()
account_lock.claim([Chat(id="1", owner="7", queue="3")])
print("taken", flush=True)
sys.stdin.read()
"""


class TestTwoRunsAtTheSameTime:
    @pytest.mark.parametrize("service", ["bitrix24", "superoffice"])
    def test_two_runs_at_once_move_each_chat_once_and_the_second_leaves_what_the_first_did(
        self, stage: ClockedSandbox, service: str
    ) -> None:
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
            steps = run_transfers(to(target, *CHATS, source="agent:7"), chunk=platform.chunk)
            return run_to_end(
                steps, platform, account_lock=AccountLock(platform.account, run=target, since=began)
            ).results

        with ThreadPoolExecutor() as pool:
            first, second = pool.map(run, ["agent:12", "agent:15"])

        moved = Counter(stage.moved(service))
        assert set(moved) == set(CHATS)
        assert set(moved.values()) == {1}
        arrived = "accepted" if service == "bitrix24" else "requested"
        assert {tuple(sorted(pair)) for pair in zip(outcomes_of(first), outcomes_of(second), strict=True)} == {
            (arrived, "skipped")
        }
        reasons = {result.reason for result in [*first, *second]} - {None}
        assert reasons <= (
            {"no longer with agent:7, now with agent:12", "no longer with agent:7, now with agent:15"}
            if service == "bitrix24"
            else {f"another run has moved it, now with agent:7, offered to agent:{each}" for each in (12, 15)}
        )


MANY = [str(2000 + number) for number in range(160)]
RUNNER = """
import sys, threading
from airflow_provider_chattransfer.chats import run
from airflow_provider_chattransfer.chats.model import Transfer, Target
from airflow_provider_chattransfer.platforms import runner
from tests.chaos import matrix
run.PAUSES_SECONDS, run.MAX_REQUEST_SECONDS = (0.0, 0.1, 0.4, 2.0, 2.5), 2.0
url, service, target, source, *chat_ids = sys.argv[1:]
line = matrix.Transport(pace=matrix.open_pace(), read_timeout=30.0)
platform = getattr(matrix, service)(url, line)
account_lock = matrix.AccountLock(platform.account, run=target, since=1.0)
account_lock._begin()
print("begun", flush=True)
assert sys.stdin.readline() == "go\\n"
stopped = threading.Event()
threading.Thread(target=lambda: sys.stdin.readline() and stopped.set(), daemon=True).start()
send = platform.send
def sending(*arguments):
    print("sending", flush=True)
    return send(*arguments)
platform.send = sending
transfers = [Transfer(each, Target.parse(target), Target.parse(source) if source else None) for each in chat_ids]
def interrupted():
    if target == "agent:12" and interrupted.asked:
        print("about to send", flush=True)
        stopped.wait(30)
    interrupted.asked += 1
    return stopped.is_set()
interrupted.asked = 0
steps = run.run_transfers(transfers, chunk=platform.chunk if service == "bitrix24" else 50)
results = runner.run_to_end(steps, platform, account_lock=account_lock, interrupted=interrupted).results
print("came to", *(result.outcome for result in results), flush=True)
"""


class TestTheFirstOfTwoRuns:
    """In processes of their own: it claims its second piece of chats, and comes to its end before it sends them."""

    @pytest.fixture
    def begin(self, stage: ClockedSandbox) -> Iterator[Callable[..., subprocess.Popen[str]]]:
        begun: list[subprocess.Popen[str]] = []

        def begin(service: str, target: str, source: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-c", RUNNER, stage.url, service, target, source, *MANY],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            begun.append(process)
            return process

        yield begin
        for process in begun:
            process.kill()
            process.communicate()

    @pytest.mark.parametrize(
        ("service", "source", "ends"),
        [
            ("bitrix24", "agent:7", "marked failed"),
            ("bitrix24", "", "SIGKILL"),
            ("superoffice", "agent:7", "SIGKILL while it sends"),
        ],
    )
    def test_the_first_of_two_runs_leaves_the_rest_to_the_second_when_it_ends(
        self, stage: ClockedSandbox, begin: Callable[..., subprocess.Popen[str]], service: str, source: str, ends: str
    ) -> None:
        chats = [{"id": int(chat_id), "owner": 7, "queue": 3} for chat_id in MANY]
        stage.reset(**{service: {"chats": chats, "people": {"ignore": 1}}})
        first, second = begin(service, "agent:12", source), begin(service, "agent:15", source)
        assert first.stdout is not None
        assert second.stdout is not None
        for each in (first.stdout, second.stdout):
            assert each.readline() == "begun\n"
        tell(first, "go")
        if ends == "SIGKILL while it sends":
            method = "imopenlines.bot.session.transfer" if service == "bitrix24" else "TransferChatSession"
            stage.fault(kind="delay_before", service=service, method=method, seconds=1.0, count=1)
            assert first.stdout.readline() == "sending\n"
            time.sleep(0.3)
        else:
            while first.stdout.readline() != "about to send\n":
                pass
        if ends == "marked failed":
            tell(first, "stop")
        else:
            first.send_signal(signal.SIGKILL)
        told = second.communicate("go\n", timeout=60)[0].splitlines()
        came_to = dict(zip(MANY, told[-1].removeprefix("came to ").split(), strict=True))

        moved = Counter(stage.moved(service))
        assert set(moved.values()) == {1}, "none was moved twice"
        assert set(moved) == set(MANY), "and none was left"
        first_moved = [each for each in MANY if came_to[each] == "skipped"]
        assert first_moved, "the first has moved nothing, so nothing is tested"
        arrived = "accepted" if service == "bitrix24" else "requested"
        assert set(came_to.values()) == {"skipped", arrived}
        where = {each: chat["owner"] for each, chat in stage.chats(service).items()}
        if service == "bitrix24":
            assert {str(where[each]) for each in first_moved} == {"12"}


def tell(process: subprocess.Popen[str], word: str) -> None:
    """Say a word to a process."""
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


class TestATurn:
    def test_the_account_lock_is_held_by_one_run_at_a_time(self) -> None:
        first, second = an_account_lock("portal"), an_account_lock("portal", patient=False)
        first.acquire()
        with pytest.raises(LockTimeoutError, match="another run on this host"):
            second.acquire()
        first.release()
        second.acquire()
        second.release()

    def test_the_account_lock_goes_to_a_waiter_before_its_holder_reacquires_it(self) -> None:
        greedy, waiting = an_account_lock("fair"), an_account_lock("fair", run="waiting")
        order: list[str] = []
        greedy.acquire()

        def wait() -> None:
            waiting.acquire()
            order.append("waiting")
            waiting.release()

        with ThreadPoolExecutor() as pool:
            done = pool.submit(wait)
            while is_waiting("fair") is False:
                time.sleep(0.01)
            greedy.release()
            greedy.acquire()
            order.append("greedy")
            greedy.release()
            done.result(10)
        assert order == ["waiting", "greedy"]

    def test_the_account_lock_is_acquired_once_by_its_holder(self) -> None:
        account_lock = an_account_lock("portal")
        account_lock.acquire()
        account_lock.acquire()
        account_lock.release()
        account_lock.release()

    def test_the_account_lock_is_another_one_for_another_account(self) -> None:
        first, second = an_account_lock("portal"), an_account_lock("tenant", patient=False)
        first.acquire()
        second.acquire()
        first.release()
        second.release()

    def test_the_account_lock_of_a_killed_process_is_released_and_so_is_its_claim(self) -> None:
        holder = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", HOLDER, "killed"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout is not None
        assert holder.stdout.readline() == "taken\n"
        with pytest.raises(LockTimeoutError):
            an_account_lock("killed", patient=False).acquire()
        os.kill(holder.pid, signal.SIGKILL)
        holder.communicate()
        (claim,) = told("killed")
        assert claim.stage is Stage.UNKNOWN
        assert 0 <= claim.age < 30
        told("killed", run="third")
        assert len(list(host_file("killed", "").parent.glob("*.run"))) == 0, "what it left is swept up"


HERE = Chat(id="1", owner="7", offered_to=None, queue="3")


class TestAClaim:
    """Of chat 1, by another run."""

    def test_a_claim_tells_the_state_and_that_its_run_is_at_it(self) -> None:
        other = claiming("told")
        (claim,) = told("told")
        assert (claim.chat, claim.stage) == (HERE, Stage.IN_PROGRESS)
        other.close()

    def test_a_claim_is_not_shown_to_its_own_run_nor_to_its_retry(self) -> None:
        claiming("own").close()
        assert told("own", run="another") == []

    @pytest.mark.parametrize("stage", [Stage.MOVED, Stage.UNKNOWN])
    def test_a_claim_tells_what_its_run_has_come_to(self, stage: Stage) -> None:
        other = claiming("come to")
        other.release_claims({"1": stage, "2": Stage.MOVED})
        assert [claim.stage for claim in told("come to")] == [stage]
        other.close()
        assert [claim.stage for claim in told("come to", run="third")] == [stage]

    def test_a_claim_is_gone_when_the_chat_was_left_alone(self) -> None:
        other = claiming("left")
        other.release_claims({"1": Stage.NOT_MOVED})
        assert told("left") == []
        other.close()

    def test_a_claim_of_a_run_that_was_killed_is_released_by_its_retry(self) -> None:
        claiming("again").close()
        retry = an_account_lock("again", run="another")
        retry.acquire()
        retry.release_claims({"1": Stage.MOVED})
        retry.close()
        assert [claim.stage for claim in told("again")] == [Stage.MOVED]

    def test_a_claim_is_recent_if_it_was_made_since_we_began(self) -> None:
        claiming("since").close()
        assert [claim.recent for claim in told("since", since=1.0)] == [False]
        claiming("since").close()
        assert [claim.recent for claim in told("since", since=1.0)] == [True], "by a retry, too"
        assert [claim.recent for claim in told("since", since=2.0)] == [False], "not for another plan of ours"

    def test_a_claim_is_not_recent_if_we_have_claimed_the_chat_after_it(self) -> None:
        mine = an_account_lock("after", run="mine")
        mine.acquire()
        mine.release()
        claiming("after").close()
        mine.acquire()
        assert [claim.recent for claim in mine.claims_of_others(["1"])["1"]] == [True]
        mine.claim([HERE])
        assert [claim.recent for claim in mine.claims_of_others(["1"])["1"]] == [False]
        mine.close()

    def test_a_claim_is_recent_if_its_run_was_done_with_it_since_we_began(self) -> None:
        """It had claimed the chat before, and moved it when we had planned."""
        other = claiming("done")
        assert [claim.recent for claim in told("done", since=1.0)] == [False]
        other.release_claims({"1": Stage.MOVED})
        assert [claim.recent for claim in told("done", since=1.0)] == [True]
        other.close()

    def test_a_claim_made_while_we_waited_for_the_lock_is_recent(self) -> None:
        other, mine = an_account_lock("waiting", run="another"), an_account_lock("waiting", run="mine")
        other.acquire()
        with ThreadPoolExecutor() as pool:
            taken = pool.submit(mine.acquire)
            while not is_waiting("waiting"):
                time.sleep(0.01)
            other.claim([HERE])
            other.release()
            taken.result(10)
        assert [claim.recent for claim in mine.claims_of_others(["1"])["1"]] == [True]
        mine.close()
        other.close()

    @pytest.mark.parametrize("jump", [0.0, -1e6, 1e6])
    def test_a_claim_is_as_old_as_it_is_whatever_the_clocks_on_the_wall_tell(
        self, jump: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        claiming("jump").close()
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + jump)
        assert [0 <= claim.age < 30 for claim in told("jump")] == [True]

    def test_a_claim_from_before_the_host_was_started_anew_counts_from_now(self) -> None:
        claiming("started", clock=lambda: 5e6).close()
        now = [100.0]
        account_lock = AccountLock("started", run="mine", since=0.0, clock=lambda: now[0])
        account_lock.acquire()
        assert [claim.age for claim in account_lock.claims_of_others(["1"])["1"]] == [0.0]
        account_lock.release()
        now[0] += 60.0
        account_lock.acquire()
        assert [claim.age for claim in account_lock.claims_of_others(["1"])["1"]] == [60.0]
        account_lock.close()

    def test_a_claim_is_forgotten_after_a_day(self) -> None:
        claiming("old", clock=lambda: 1.0).close()
        assert len(told("old", clock=lambda: KEPT_SECONDS)) == 1
        assert told("old", clock=lambda: KEPT_SECONDS + 2) == []
        assert "chats" not in host_file("old", ".claims").read_text()

    def test_a_claim_outlasts_a_rewrite_of_the_claim_log(self) -> None:
        claiming("anew", clock=lambda: 1.0, run="old").close()
        recent = claiming("anew", clock=lambda: 50_000.0)
        recent.release_claims({"1": Stage.MOVED})
        mine = an_account_lock("anew", run="mine", clock=lambda: 50_000.0)
        mine.acquire()
        mine.release()
        claiming("anew", clock=lambda: KEPT_SECONDS + 2, run="third").close()
        mine.acquire()
        claims = mine.claims_of_others(["1"])["1"]
        assert sorted((claim.stage, claim.recent) for claim in claims) == [("moved", False), ("unknown", True)]
        mine.close()
        recent.close()

    def test_a_claim_that_was_cut_off_with_its_process_is_ignored(self) -> None:
        claiming("cut").close()
        line = json.dumps({"run": "x", "holder": "0" * 16, "at": 1.0, "chats": {"1": ["7", None, "3"]}})
        for end in (0, 1, 9, 30, len(line) - 2, len(line) - 1):
            with host_file("cut", ".claims").open("a") as claims:
                claims.write("\n" + line[:end])
        claiming("cut", run="third").close()
        assert len(told("cut")) == 2

    def test_a_claim_is_whole_though_the_line_before_was_cut_off(self) -> None:
        other = an_account_lock("whole", run="another")
        other.acquire()
        with host_file("whole", ".claims").open("a") as claims:
            claims.write('\n{"run": "x", "at"')
        other.claim([HERE])
        other.close()
        assert len(told("whole")) == 1


class TestARunThatIsOver:
    def test_a_run_that_is_over_has_noted_what_became_of_each_chat(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"chats": [{"id": int(each), "owner": 7, "queue": 3} for each in CHATS[:2]]})
        platform = stage.bitrix24()
        stopped = iter([False, True])
        steps = run_transfers(to("agent:12", *CHATS[:2]), chunk=1)
        account_lock = AccountLock(platform.account, run="another", since=0.0)
        results = run_to_end(steps, platform, account_lock=account_lock, interrupted=lambda: next(stopped)).results
        assert outcomes_of(results) == ["accepted", "failed"]
        mine = an_account_lock(platform.account, run="mine")
        mine.acquire()
        claims = mine.claims_of_others(CHATS[:2])
        assert {chat_id: [claim.stage for claim in of] for chat_id, of in claims.items()} == {CHATS[0]: [Stage.MOVED]}
        mine.close()


BROKEN = {
    "no JSON": b"what is this\n",
    "no ASCII": b"\xff\xfe\x00\n",
    "zeros": b"\0" * 100,
    "no object": b"[1]\n",
    "null": b'{"at": null}\n',
    "wrong types": b'{"run": 1, "at": 1.0, "began": 1.0}\n',
    "no number": b'{"run": "x", "at": null, "began": 1.0}\n',
    "not finite": b'{"run": "x", "at": NaN, "began": 1.0}\n',
    "a switch": b'{"run": "x", "at": true, "began": 1.0}\n',
    "5,000 digits": b'{"run": "x", "at": ' + b"9" * 5000 + b"}\n",
    "nested": b'{"run": "x", "at": ' + b"[" * 100_000 + b"\n",
    "chats of another kind": b'{"run": "x", "at": 1.0, "holder": "0123456789abcdef", "chats": [1]}\n',
    "places of another kind": b'{"run": "x", "at": 1.0, "holder": "0123456789abcdef", "chats": {"1": [1, 2, 3]}}\n',
    "a holder elsewhere": b'{"run": "x", "at": 1.0, "holder": "../../../etc/pw", "chats": {"1": [null, null, null]}}\n',
    "a stage that is none": b'{"run": "x", "at": 1.0, "ended": {"1": "gone"}}\n',
    "another entry": b'{"run": "x", "at": 1.0}\n',
}


class TestABookThatIsNone:
    @pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
    def test_an_unreadable_claim_log_is_begun_anew_with_one_warning(
        self, content: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        host_file("broken", ".claims").write_bytes(content)
        host_file("broken", ".claims").chmod(0o600)
        other = claiming("broken")
        assert len(told("broken")) == 1
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert str(host_file("broken", ".claims")) in caplog.text
        other.close()

    def test_a_huge_claim_log_is_begun_anew_too(self, caplog: pytest.LogCaptureFixture) -> None:
        with host_file("huge", ".claims").open("wb") as claims:
            claims.truncate(MAX_BYTES + 1)
        host_file("huge", ".claims").chmod(0o600)
        assert told("huge") == []
        assert len(caplog.records) == 1

    def test_an_unreadable_claim_log_does_not_stop_a_run_that_began_with_another(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        mine = an_account_lock("meanwhile", run="mine")
        mine.acquire()
        mine.release()
        with host_file("meanwhile", ".claims").open("ab") as claims:
            claims.write(BROKEN["null"])
        mine.acquire()
        mine.claim([HERE])
        assert len(told("meanwhile", run="third", take=False)) == 1
        assert len(caplog.records) == 1
        mine.close()


class TestARunThatCannotTakeItsTurn:
    def test_a_run_that_cannot_acquire_the_lock_sends_nothing_and_says_why_for_each_chat(
        self, stage: ClockedSandbox
    ) -> None:
        chats = [{"id": int(chat_id), "owner": 7, "queue": 3} for chat_id in CHATS[:3]]
        stage.reset(bitrix24={"chats": chats})
        platform = stage.bitrix24()
        host_file(platform.account, ".account.lock").mkdir()
        steps = run_transfers(to("agent:12", *CHATS[:3]), chunk=platform.chunk)
        results = run_to_end(steps, platform, account_lock=AccountLock(platform.account, run="mine", since=0.0)).results
        assert {result.outcome for result in results} == {Outcome.FAILED}
        assert all(".account.lock (a folder of user" in (result.reason or "") for result in results)
        assert stage.moved("bitrix24") == []

    def test_a_run_without_disk_space_for_its_claim_sends_nothing(
        self, stage: ClockedSandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its claim cannot be noted, so that others would not see what it sends."""
        stage.reset(bitrix24={"chats": [{"id": 1000, "owner": 7, "queue": 3}]})
        platform = stage.bitrix24()
        write = os.write

        def full(descriptor: int, data: bytes) -> int:
            return write(descriptor, data[:20]) if b'"chats"' in data else write(descriptor, data)

        monkeypatch.setattr(os, "write", full)
        steps = run_transfers(to("agent:12", "1000"), chunk=platform.chunk)
        (result,) = run_to_end(
            steps, platform, account_lock=AccountLock(platform.account, run="mine", since=0.0)
        ).results
        assert "No space left on device" in (result.reason or "")
        assert stage.moved("bitrix24") == []


def claiming(account: str, *, run: str = "another", clock: Callable[[], float] = time.monotonic) -> AccountLock:
    """Return the turn of another run, which has claimed chat 1 and given its turn back, and lives."""
    account_lock = an_account_lock(account, run=run, clock=clock)
    account_lock.acquire()
    account_lock.claim([HERE])
    account_lock.release()
    return account_lock


def told(
    account: str,
    *,
    run: str = "mine",
    since: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
    take: bool = True,
) -> list[Claim]:
    """Return what ``run`` is told of chat 1."""
    account_lock = an_account_lock(account, run=run, since=since, clock=clock)
    if take:
        account_lock.acquire()
    else:
        account_lock._begin()
    claims: Mapping[str, Sequence[Claim]] = account_lock.claims_of_others(["1"])
    account_lock.close()
    return list(claims.get("1", []))


def is_waiting(account: str) -> bool:
    """Whether somebody waits for his turn."""
    with open(host_file(account, ".waiting.lock"), "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def an_account_lock(
    account: str,
    *,
    run: str = "run",
    since: float = 0.0,
    patient: bool = True,
    clock: Callable[[], float] = time.monotonic,
) -> AccountLock:
    """Return a turn; one that is not patient finds the longest wait over at its second look."""
    if patient:
        return AccountLock(account, run=run, since=since, clock=clock)
    return AccountLock(account, run=run, since=since, clock=Ticking(), sleep=lambda _: None)


class Ticking:
    """A clock on which every look is half the longest wait later."""

    def __init__(self) -> None:
        self._now = time.monotonic()

    def __call__(self) -> float:
        self._now += MAX_WAIT_SECONDS / 2
        return self._now
