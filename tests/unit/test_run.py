# SPDX-License-Identifier: Apache-2.0
"""The bulk run, driven without a network: a world that lies, loses answers and says no."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_chattransfer.chats.claims import Claim, Stage
from airflow_provider_chattransfer.chats.model import (
    Chat,
    Outcome,
    Reading,
    Result,
    RetryAction,
    Target,
    Transfer,
    UnreadableChat,
)
from airflow_provider_chattransfer.chats.reconciliation import Answer, Answered, NotApplied, OutcomeUnknown, Refused
from airflow_provider_chattransfer.chats.run import (
    MAX_READ_AGE_SECONDS,
    MAX_SAME_FAILURES,
    MAX_STALE_IN_A_ROW,
    PAUSES_SECONDS,
    ROUNDS_WHEN_REFUSED,
    CheckHistory,
    Confirm,
    HistoryFindings,
    Intend,
    Move,
    Pause,
    Progress,
    Read,
    Reply,
    Seen,
    Send,
    Sent,
    Steps,
    Stop,
    dry_run_transfers,
    run_transfers,
)
from airflow_provider_chattransfer.chats.run_record import NullRecordStore, RunRecord
from tests.support.record_stores import Lines

HABITS = [
    *("good", "pending", "does nothing", "loses the answer", "loses the request", "never answers"),
    *("refuses", "busy", "not sent"),
]


Others = Callable[["World", float], Mapping[str, Sequence[Claim]]]
"""What other runs have noted after so many seconds; they may do something in the world meanwhile."""


class KilledError(Exception):
    """The worker is gone."""


@dataclass
class World:
    """A service with one habit for each chat, and the truth about how often each was moved."""

    chats: dict[str, Reading]
    habits: Mapping[str, str] = field(default_factory=dict)
    stops_after_sends: int | None = None
    blind_after_sends: int | None = None
    late: list[Transfer] = field(default_factory=list)
    moved: Counter[str] = field(default_factory=Counter)
    sent: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    read_since_send: set[str] = field(default_factory=set)
    record: RunRecord = field(default_factory=lambda: RunRecord(NullRecordStore()))
    remembers: bool = True
    killed_at: int | None = None
    others: Others | None = None
    in_time: int | None = None
    seconds_per_chunk: float = 0.0
    read_sizes: list[int] = field(default_factory=list)

    def drive(self, steps: Steps) -> list[Result]:
        """Carry out ``steps``; ``KilledError`` after as many as ``killed_at``, the last one done and not replied to."""
        reply: Reply = None
        while True:
            if self.killed_at is not None and len(self.steps) >= self.killed_at:
                raise KilledError
            try:
                step = steps.send(reply)
            except StopIteration as end:
                results: list[Result] = end.value
                return results
            reply = None
            self.steps.append(type(step).__name__)
            match step:
                case Read(chat_ids=chat_ids):
                    self.read_since_send |= set(chat_ids)
                    self.read_sizes.append(len(chat_ids))
                    claims = {} if self.others is None else self.others(self, sum(self.pauses))
                    reply = Seen({chat_id: self.chats[chat_id] for chat_id in chat_ids}, claims)
                    if self.blind_after_sends is not None and len(self.sent) >= self.blind_after_sends:
                        reply = Stop("out of reach")
                case Send(moves=moves):
                    reply = self.send(moves)
                case Pause(seconds=seconds):
                    self.pauses.append(seconds)
                case Intend(moves=moves):
                    self.record.write_intents([move.chat for move in moves], now=0.0)
                case Confirm(results=settled, unmoved=unmoved):
                    self.record.write_results(settled, unmoved=unmoved)
                case CheckHistory(moves=moves):
                    told = {move.transfer.chat_id: self.moved[move.transfer.chat_id] > 0 for move in moves}
                    reply = HistoryFindings(told if self.remembers else {})

    def send(self, moves: Sequence[Move]) -> Sent:
        if self.stops_after_sends == 0:
            return Sent({}, Stop("signed out"))
        if self.stops_after_sends is not None:
            self.stops_after_sends -= 1
        in_time = moves if self.in_time is None else moves[: self.in_time]
        late = {move.transfer.chat_id: NotApplied("read long ago", stale=True) for move in moves[len(in_time) :]}
        answers = {move.transfer.chat_id: self.send_one(move) for move in in_time}
        return Sent({**answers, **late}, age=self.seconds_per_chunk)

    def send_one(self, move: Move) -> Answer:
        chat_id = move.transfer.chat_id
        assert chat_id in self.read_since_send, "a chat was sent that was not read before"
        assert chat_id in self.record.sent, "a chat was sent without its intent on record"
        self.read_since_send.discard(chat_id)
        self.sent.append(chat_id)
        habit = self.habits.get(chat_id, "good")
        if habit == "always busy":
            return Refused("locked", passing=True)
        if habit == "not sent" or (habit == "busy" and self.sent.count(chat_id) < 3):
            return NotApplied("limited") if habit == "not sent" else Refused("locked", passing=True)
        if habit == "refuses":
            return Refused("no such operator", code="NO")
        if habit == "never answers" or (habit == "loses the request" and self.sent.count(chat_id) < 2):
            return OutcomeUnknown("timeout")
        if habit == "comes late":
            self.late.append(move.transfer)
            return OutcomeUnknown("timeout") if len(self.late) == 1 else NotApplied("limited")
        if habit == "is taken by another":
            self.give(chat_id, to="9")
        elif habit != "does nothing":
            self.move(move.transfer, pending=habit == "pending")
        return OutcomeUnknown("timeout") if habit == "loses the answer" else Answered()

    def give(self, chat_id: str, *, to: str) -> None:
        """Somebody takes a chat by hand."""
        chat = self.chats[chat_id]
        assert isinstance(chat, Chat)
        self.chats[chat_id] = replace(chat, owner=to)

    def arrive_late(self) -> None:
        """Carry out what the service had taken and not carried out yet."""
        for transfer in self.late[:1]:
            self.move(transfer, pending=False)
        self.late.clear()

    def move(self, transfer: Transfer, *, pending: bool) -> None:
        self.moved[transfer.chat_id] += 1
        chat = self.chats[transfer.chat_id]
        assert isinstance(chat, Chat)
        if not transfer.target.is_agent:
            chat = replace(chat, owner=None, queue=transfer.target.id or chat.queue)
        elif pending:
            chat = replace(chat, owner=None)
        else:
            chat = replace(chat, owner=transfer.target.id)
        self.chats[transfer.chat_id] = replace(chat, revision=(chat.revision or 0) + 1)


def one(chat: Reading, *, habit: str = "good", to: str = "agent:12", source: str | None = None) -> tuple[Result, World]:
    world = World({"1": chat}, {"1": habit})
    origin = None if source is None else Target.parse(source)
    transfer = Transfer(chat_id="1", target=Target.parse(to), source=origin)
    return world.drive(run_transfers([transfer], chunk=50))[0], world


OPEN = Chat(id="1", owner="7", queue="3", session="5", revision=10)


class TestEveryChat:
    @given(
        data=st.data(),
        number=st.integers(0, 40),
        chunk=st.integers(1, 50),
        stops=st.one_of(st.none(), st.integers(0, 5)),
    )
    def test_every_chat_comes_out_once_in_order_and_is_moved_at_most_once(
        self, data: st.DataObject, number: int, chunk: int, stops: int | None
    ) -> None:
        chat_ids = [str(each) for each in range(1, number + 1)]
        states = st.sampled_from(["open", "closed", "unread", "there", "waiting"])
        chats: dict[str, Reading] = {}
        for chat_id in chat_ids:
            state = data.draw(states)
            chat = Chat(id=chat_id, owner="7", queue="3", session="1", revision=1)
            readings: dict[str, Reading] = {
                "open": chat,
                "closed": replace(chat, closed=True, owner=None),
                "unread": UnreadableChat("not there"),
                "there": replace(chat, owner="12"),
                "waiting": replace(chat, owner=None),
            }
            chats[chat_id] = readings[state]
        habits = {chat_id: data.draw(st.sampled_from(HABITS)) for chat_id in chat_ids}
        targets = st.sampled_from(["agent:12", "queue:4", "queue"]).map(Target.parse)
        transfers = [Transfer(chat_id=chat_id, target=data.draw(targets)) for chat_id in chat_ids]
        world = World(dict(chats), habits, stops_after_sends=stops)

        results = world.drive(run_transfers(transfers, chunk=chunk))

        assert [result.transfer.chat_id for result in results] == chat_ids
        assert all(count == 1 for count in world.moved.values())
        for result in results:
            chat_id, after = result.transfer.chat_id, world.chats[result.transfer.chat_id]
            if result.outcome in (Outcome.ACCEPTED, Outcome.REQUESTED):
                assert world.moved[chat_id] == 1
            if result.outcome is Outcome.ACCEPTED:
                assert isinstance(after, Chat)
                assert after.owner is not None
            if result.outcome in (Outcome.SKIPPED, Outcome.UNCHANGED):
                assert world.moved[chat_id] == 0
            if isinstance(after, Chat) and after.closed:
                assert chat_id not in world.sent, "a closed chat would be opened again"

    def test_every_chat_is_read_before_and_after(self) -> None:
        _, world = one(OPEN)
        assert world.steps == ["Read", "Intend", "Send", "Read", "Confirm", "Progress"]


class TestOneChat:
    def test_a_chat_that_the_target_owns_is_accepted(self) -> None:
        result, _ = one(OPEN)
        assert (result.outcome, str(result.transfer.source)) == (Outcome.ACCEPTED, "agent:7")

    def test_a_chat_that_nobody_owns_yet_is_requested(self) -> None:
        result, _ = one(OPEN, habit="pending")
        assert result.outcome is Outcome.REQUESTED

    def test_a_chat_whose_answer_is_lost_is_judged_by_its_state(self) -> None:
        result, world = one(OPEN, habit="loses the answer")
        assert (result.outcome, world.sent) == (Outcome.ACCEPTED, ["1"])

    def test_a_chat_whose_request_is_lost_is_sent_again(self) -> None:
        result, world = one(OPEN, habit="loses the request")
        assert (result.outcome, world.sent, world.pauses) == (Outcome.ACCEPTED, ["1", "1"], [2.0, 10.0, 50.0])

    def test_a_chat_that_the_service_claims_to_have_moved_and_did_not_has_failed(self) -> None:
        result, world = one(OPEN, habit="does nothing")
        assert result.outcome is Outcome.FAILED
        assert "not performed" in (result.reason or "")
        assert world.sent == ["1"]

    def test_a_chat_that_is_locked_for_a_moment_is_tried_again(self) -> None:
        result, world = one(OPEN, habit="busy")
        assert (result.outcome, world.pauses) == (Outcome.ACCEPTED, [2.0, 10.0])

    def test_a_chat_that_never_gets_through_has_failed_with_its_cause(self) -> None:
        result, world = one(OPEN, habit="not sent")
        assert (result.outcome, result.reason) == (Outcome.FAILED, "not performed: limited")
        assert world.moved["1"] == 0

    def test_a_chat_whose_requests_never_get_an_answer_is_not_known(self) -> None:
        """The last one may still be carried out."""
        result, world = one(OPEN, habit="never answers")
        assert result.outcome is Outcome.FAILED
        assert (result.reason or "").startswith("not known: it was sent, nothing has changed yet")
        assert (result.retry, world.moved["1"]) == (RetryAction.READ_FIRST, 0)

    def test_a_chat_that_is_closed_is_skipped_and_never_sent(self) -> None:
        result, world = one(replace(OPEN, closed=True, owner=None))
        assert (result.outcome, result.reason, world.sent) == (Outcome.SKIPPED, "closed", [])

    def test_a_chat_that_somebody_else_has_by_now_is_skipped(self) -> None:
        result, world = one(replace(OPEN, owner="9"), source="agent:7")
        assert (result.outcome, result.reason) == (Outcome.SKIPPED, "no longer with agent:7, now with agent:9")
        assert not world.sent

    def test_a_chat_that_is_at_its_target_already_is_unchanged(self) -> None:
        result, world = one(replace(OPEN, owner="12"), source="agent:7")
        assert (result.outcome, world.sent) == (Outcome.UNCHANGED, [])

    def test_a_chat_that_waits_in_the_target_queue_already_is_unchanged(self) -> None:
        result, world = one(replace(OPEN, owner=None), to="queue:3")
        assert (result.outcome, world.sent) == (Outcome.UNCHANGED, [])

    def test_a_chat_that_goes_back_to_its_own_queue_is_requested(self) -> None:
        result, _ = one(OPEN, to="queue")
        assert result.outcome is Outcome.REQUESTED

    def test_a_chat_that_is_on_its_way_to_the_target_already_is_not_sent_again(self) -> None:
        result, world = one(replace(OPEN, offered_to="12", shows_offers=True))
        assert (result.outcome, world.sent) == (Outcome.REQUESTED, [])


class TestAChatThatAnotherRunIsAt:
    """Its note is no outcome: only the state says that a chat has moved."""

    def test_a_chat_that_another_run_gives_up_is_sent(self) -> None:
        result, world = beside(lambda world, after: Stage.IN_PROGRESS if after < 62 else None)
        assert (result.outcome, world.sent, world.pauses) == (Outcome.ACCEPTED, ["1"], [2.0, 10.0, 50.0])

    def test_a_chat_of_a_killed_run_is_sent_when_its_requests_cannot_take_effect_any_more(self) -> None:
        result, world = beside(lambda world, after: Stage.UNKNOWN)
        assert (result.outcome, world.sent, sum(world.pauses)) == (Outcome.ACCEPTED, ["1"], 62.0)

    def test_a_chat_that_another_run_claims_to_the_end_fails_and_a_retry_sends_it(self) -> None:
        result, world = beside(lambda world, after: Stage.IN_PROGRESS)
        assert (result.outcome, result.retry, world.sent) == (Outcome.FAILED, RetryAction.RESEND, [])
        assert "another run is at it" in (result.reason or "")
        assert sum(world.pauses) == sum(PAUSES_SECONDS)

    @pytest.mark.parametrize("stage", [Stage.IN_PROGRESS, Stage.UNKNOWN, Stage.MOVED])
    @pytest.mark.parametrize("source", [None, "agent:7"])
    def test_a_chat_that_another_run_moves_meanwhile_is_skipped_with_who_has_it(
        self, source: str | None, stage: Stage
    ) -> None:
        result, world = beside(moving(stage, to="9"), source=source)
        assert (result.outcome, world.sent) == (Outcome.SKIPPED, [])
        assert (result.reason or "").endswith("now with agent:9")

    @pytest.mark.parametrize("source", [None, "agent:7"])
    def test_a_chat_that_another_run_moves_to_the_same_target_is_unchanged(self, source: str | None) -> None:
        result, world = beside(moving(Stage.IN_PROGRESS, to="12"), source=source)
        assert (result.outcome, world.sent) == (Outcome.UNCHANGED, [])

    def test_a_chat_that_another_run_claims_keeps_no_other_chat_waiting(self) -> None:
        world = World({each: replace(OPEN, id=each) for each in ("1", "2")}, others=noted(lambda *_: Stage.IN_PROGRESS))
        results = world.drive(run_transfers(to_twelve(["1", "2"]), chunk=1))
        assert [each.outcome for each in results] == [Outcome.FAILED, Outcome.ACCEPTED]
        assert world.steps.index("Send") < world.steps.index("Pause")

    def test_a_chat_that_another_run_moved_during_our_own_try_is_no_failure(self) -> None:
        """Ours was killed before the service took it; theirs found the chat where ours had."""
        others = noted(moving(Stage.MOVED, to="9"))
        result, world = resumed(OPEN, killed_at=2, meanwhile=lambda world: setattr(world, "others", others))
        assert (result.outcome, world.sent) == (Outcome.SKIPPED, [])

    def test_a_chat_that_another_run_takes_from_where_we_put_it_is_not_skipped(self) -> None:
        """It found the chat with our target: ours had been carried out."""

        def others(world: World, after: float) -> Mapping[str, Sequence[Claim]]:
            world.give("1", to="9")
            return {"1": [Claim(replace(OPEN, owner="12"), Stage.MOVED, age=1.0)]}

        result, _ = resumed(OPEN, killed_at=3, meanwhile=lambda world: setattr(world, "others", others))
        assert result.outcome is Outcome.FAILED

    def test_a_chat_that_cannot_be_claimed_is_not_sent(self) -> None:
        steps = run_transfers(to_twelve(["1"]), chunk=50)
        assert isinstance(next(steps), Read)
        assert isinstance(steps.send(Seen({"1": OPEN})), Intend)
        assert steps.send(Stop("no space left")) == Confirm([], [])
        assert isinstance(steps.send(None), Progress)
        assert isinstance(steps.send(None), Confirm)
        with pytest.raises(StopIteration) as end:
            steps.send(None)
        assert end.value.value[0].reason == "not sent: no space left"
        assert end.value.value[0].retry is RetryAction.RESEND


def beside(stage: Callable[[World, float], Stage | None], *, source: str | None = None) -> tuple[Result, World]:
    """Return a run over chat 1, at which another run is."""
    world = World({"1": OPEN}, others=noted(stage))
    transfer = Transfer("1", Target.parse("agent:12"), source=None if source is None else Target.parse(source))
    return world.drive(run_transfers([transfer], chunk=50))[0], world


def noted(stage: Callable[[World, float], Stage | None]) -> Others:
    """Return what another run has noted of chat 1 when ours began, as far as it stands after so many seconds."""

    def others(world: World, after: float) -> Mapping[str, Sequence[Claim]]:
        now = stage(world, after)
        return {} if now is None else {"1": [Claim(OPEN, now, age=after)]}

    return others


def moving(stage: Stage, *, to: str) -> Callable[[World, float], Stage]:
    """Another run that has moved the chat when it is read in the third round."""

    def moved(world: World, after: float) -> Stage:
        if after >= 12.0:
            world.give("1", to=to)
        return stage if after >= 12.0 else Stage.IN_PROGRESS

    return moved


class TestAChatThatTheServiceRefusesForAMoment:
    def test_it_is_sent_three_times_and_keeps_nobody_waiting_after_that(self) -> None:
        result, world = one(OPEN, habit="always busy")
        assert (result.outcome, result.reason) == (Outcome.FAILED, "not performed: locked")
        assert (world.sent, world.pauses) == (["1"] * ROUNDS_WHEN_REFUSED, [2.0, 10.0])
        assert result.retry is RetryAction.RESEND


class TestAChatThatWasReadTooLongAgo:
    def test_it_is_read_again_at_once_and_sent(self) -> None:
        chat_ids = [str(number) for number in range(1, 11)]
        world = World({each: replace(OPEN, id=each) for each in chat_ids}, in_time=3)
        results = world.drive(run_transfers(to_twelve(chat_ids), chunk=8))
        assert {each.outcome for each in results} == {Outcome.ACCEPTED}
        assert (world.pauses, sorted(world.moved)) == ([], sorted(chat_ids))

    def test_chunks_get_smaller_and_grow_again(self) -> None:
        chat_ids = [str(number) for number in range(1, 101)]
        world = World({each: replace(OPEN, id=each) for each in chat_ids}, in_time=16)
        world.drive(run_transfers(to_twelve(chat_ids), chunk=4, max_chunk=32))
        assert world.read_sizes[:4] == [4, 4, 8, 8]
        assert max(world.read_sizes) == 32
        assert world.moved == Counter(chat_ids)

    def test_a_run_that_takes_long_for_each_chunk_halves_them(self) -> None:
        chat_ids = [str(number) for number in range(1, 41)]
        world = World({each: replace(OPEN, id=each) for each in chat_ids}, seconds_per_chunk=MAX_READ_AGE_SECONDS + 1)
        world.drive(run_transfers(to_twelve(chat_ids), chunk=10, max_chunk=40))
        assert world.read_sizes[:6:2] == [10, 5, 2]

    def test_it_waits_for_the_next_round_where_nothing_can_be_sent_in_time(self) -> None:
        world = World({"1": OPEN}, in_time=0)
        (result,) = world.drive(run_transfers(to_twelve(["1"]), chunk=8))
        assert (result.outcome, world.moved) == (Outcome.FAILED, Counter())
        assert world.pauses == list(PAUSES_SECONDS[1:])
        assert len(world.read_sizes) == MAX_STALE_IN_A_ROW * len(PAUSES_SECONDS)


class TestARunThatStops:
    def test_a_run_that_stops_accounts_for_every_chat(self) -> None:
        chat_ids = [str(number) for number in range(1, 11)]
        world = World({each: replace(OPEN, id=each) for each in chat_ids}, stops_after_sends=2)
        transfers = [Transfer(chat_id=each, target=Target.parse("agent:12")) for each in chat_ids]
        results = world.drive(run_transfers(transfers, chunk=3))
        assert [result.outcome for result in results] == [Outcome.ACCEPTED] * 6 + [Outcome.FAILED] * 4
        assert {result.reason for result in results[6:]} == {"not sent: signed out"}
        assert len(world.sent) == 6


class TestARunWhoseChatsFailAlikeInARow:
    def test_a_run_stops_when_chats_in_a_row_are_refused_with_the_same_code(self) -> None:
        chat_ids = [str(number) for number in range(1, 2 * MAX_SAME_FAILURES + 51)]
        world = World({each: replace(OPEN, id=each) for each in chat_ids}, dict.fromkeys(chat_ids, "refuses"))
        results = world.drive(run_transfers(to_twelve(chat_ids), chunk=50))
        assert len(world.sent) == MAX_SAME_FAILURES
        assert {result.reason for result in results[:MAX_SAME_FAILURES]} == {"no such operator"}
        assert {result.reason for result in results[MAX_SAME_FAILURES:]} == {
            f"not sent: {MAX_SAME_FAILURES} chats in a row were refused with NO"
        }

    def test_a_run_stops_when_chats_in_a_row_get_no_answer(self) -> None:
        chat_ids = [str(number) for number in range(1, 2 * MAX_SAME_FAILURES + 51)]
        world = World({each: replace(OPEN, id=each) for each in chat_ids}, dict.fromkeys(chat_ids, "never answers"))
        results = world.drive(run_transfers(to_twelve(chat_ids), chunk=50))
        assert len(world.sent) == MAX_SAME_FAILURES
        why = f"{MAX_SAME_FAILURES} chats in a row got no answer: timeout"
        assert {result.reason for result in results[:MAX_SAME_FAILURES]} == {
            f"not known: it was sent, and no answer came: timeout; then the run ended: {why}"
        }
        assert {result.retry for result in results[:MAX_SAME_FAILURES]} == {RetryAction.READ_FIRST}
        assert {result.reason for result in results[MAX_SAME_FAILURES:]} == {f"not sent: {why}"}

    def test_a_run_goes_on_when_the_state_of_unanswered_chats_shows_that_they_moved(self) -> None:
        chat_ids = [str(number) for number in range(1, 2 * MAX_SAME_FAILURES + 51)]
        world = World({each: replace(OPEN, id=each) for each in chat_ids}, dict.fromkeys(chat_ids, "loses the answer"))
        results = world.drive(run_transfers(to_twelve(chat_ids), chunk=50))
        assert {result.outcome for result in results} == {Outcome.ACCEPTED}

    def test_a_run_goes_on_when_the_same_failures_are_not_in_a_row(self) -> None:
        chat_ids = [str(number) for number in range(1, 2 * MAX_SAME_FAILURES + 51)]
        habits = {each: "good" if int(each) % MAX_SAME_FAILURES == 0 else "refuses" for each in chat_ids}
        world = World({each: replace(OPEN, id=each) for each in chat_ids}, habits)
        world.drive(run_transfers(to_twelve(chat_ids), chunk=50))
        assert len(world.sent) == len(chat_ids)


def to_twelve(chat_ids: Sequence[str]) -> list[Transfer]:
    return [Transfer(chat_id=each, target=Target.parse("agent:12")) for each in chat_ids]


class TestARunThatIsKilled:
    @given(
        data=st.data(),
        number=st.integers(1, 20),
        chunk=st.integers(1, 7),
        kills=st.lists(st.integers(1, 30), min_size=1, max_size=4),
        remembers=st.booleans(),
    )
    def test_a_run_that_is_killed_goes_on_and_moves_no_chat_twice(
        self, data: st.DataObject, number: int, chunk: int, kills: list[int], remembers: bool
    ) -> None:
        chat_ids = [str(each) for each in range(1, number + 1)]
        habits = {chat_id: data.draw(st.sampled_from(HABITS)) for chat_id in chat_ids}
        targets = st.sampled_from(["agent:12", "queue:4", "queue"]).map(Target.parse)
        transfers = [Transfer(chat_id=chat_id, target=data.draw(targets)) for chat_id in chat_ids]
        store = Lines()
        world = World({each: replace(OPEN, id=each) for each in chat_ids}, habits, remembers=remembers)
        RunRecord.read(store).write_plan(transfers, now=1.0)
        for kill in [*kills, None]:
            world.steps.clear()
            world.killed_at = kill
            world.record = RunRecord.read(store)
            try:
                results = world.drive(run_transfers(world.record.plan, chunk=chunk, record=world.record))
            except KilledError:
                customers_write(world, data)
                people_answer(world, data)
            else:
                break

        assert [result.transfer.chat_id for result in results] == chat_ids
        assert all(count <= 1 for count in world.moved.values())
        for result in results:
            moved = world.moved[result.transfer.chat_id]
            if result.outcome in (Outcome.ACCEPTED, Outcome.REQUESTED):
                assert moved == 1, "a chat is reported that was not moved"
            if result.outcome in (Outcome.UNCHANGED, Outcome.SKIPPED):
                assert moved == 0, "an earlier try moved it: it is accepted or requested"

    def test_a_retry_sends_a_chat_that_a_killed_run_only_intended_to_send(self) -> None:
        result, world = resumed(OPEN, killed_at=2)
        assert (result.outcome, world.sent) == (Outcome.ACCEPTED, ["1"])

    def test_a_retry_reads_a_chat_that_a_killed_run_had_sent_and_does_not_send_it_again(self) -> None:
        result, world = resumed(OPEN, killed_at=3)
        assert (result.outcome, world.sent) == (Outcome.ACCEPTED, ["1"])
        assert str(result.transfer.source) == "agent:7"

    def test_a_retry_does_not_read_a_chat_that_a_killed_run_had_confirmed(self) -> None:
        result, world = resumed(OPEN, killed_at=5)
        assert (result.outcome, world.steps) == (Outcome.ACCEPTED, [])

    def test_a_retry_finds_the_request_of_a_killed_run_on_an_older_portal(self) -> None:
        result, world = resumed(OPEN, killed_at=3, habit="pending")
        assert (result.outcome, world.sent) == (Outcome.REQUESTED, ["1"])

    def test_a_retry_that_cannot_know_what_a_killed_run_did_says_so_and_does_not_send(self) -> None:
        result, world = resumed(OPEN, killed_at=3, habit="pending", remembers=False)
        assert (result.outcome, world.sent) == (Outcome.FAILED, ["1"])
        assert result.reason == ("not known: an earlier try was stopped when it had sent it; nobody owns the chat now")

    def test_a_retry_after_a_refusal_does_not_report_a_persons_transfer_as_its_own(self) -> None:
        result, world = resumed(OPEN, killed_at=5, habit="busy", meanwhile=lambda world: world.give("1", to="12"))
        assert (result.outcome, world.sent) == (Outcome.UNCHANGED, ["1"])


class TestARunThatEndedAndIsRetried:
    """Its task failed, with a report, and Airflow tries it again."""

    def test_a_retry_sends_again_what_was_refused(self) -> None:
        results, world = retried({"1": "refuses"})
        assert world.sent == ["1", "1"]
        assert results[0].outcome is Outcome.FAILED

    def test_a_retry_sends_what_was_not_attempted(self) -> None:
        results, world = retried({"1": "good", "2": "good"}, stops_after_sends=1, chunk=1)
        assert world.sent == ["1", "2"]
        assert [result.outcome for result in results] == [Outcome.ACCEPTED, Outcome.ACCEPTED]

    def test_a_retry_first_reads_what_could_not_be_read_back(self) -> None:
        results, world = retried({"1": "loses the answer"}, blind_after_sends=1)
        assert world.sent == ["1"]
        assert results[0].outcome is Outcome.ACCEPTED

    def test_a_retry_recognises_what_was_carried_out_after_the_read_back(self) -> None:
        results, world = retried({"1": "comes late"})
        assert world.moved["1"] == 1
        assert results[0].outcome is Outcome.ACCEPTED

    def test_a_retry_does_not_send_again_what_somebody_else_has_taken(self) -> None:
        results, world = retried({"1": "is taken by another"})
        assert world.sent == ["1"]
        assert results[0].reason == "taken by agent:9"

    def test_a_retry_does_not_report_a_persons_transfer_as_its_own(self) -> None:
        results, _ = retried({"1": "not sent"}, meanwhile=lambda world: world.give("1", to="12"))
        assert results[0].outcome is Outcome.UNCHANGED


def retried(
    habits: Mapping[str, str],
    *,
    chunk: int = 50,
    meanwhile: Callable[[World], None] = lambda world: None,
    stops_after_sends: int | None = None,
    blind_after_sends: int | None = None,
) -> tuple[list[Result], World]:
    """Return a run that comes to its end, and the one that goes on after it."""
    store = Lines()
    world = World(
        {each: replace(OPEN, id=each) for each in habits},
        habits,
        stops_after_sends=stops_after_sends,
        blind_after_sends=blind_after_sends,
    )
    RunRecord.read(store).write_plan(to_twelve(list(habits)), now=1.0)
    for _ in range(2):
        world.record = RunRecord.read(store)
        results = world.drive(run_transfers(world.record.plan, chunk=chunk, record=world.record))
        world.stops_after_sends = world.blind_after_sends = None
        world.arrive_late()
        meanwhile(world)
        meanwhile = lambda world: None  # noqa: E731
    return results, world


def resumed(
    chat: Chat,
    *,
    killed_at: int,
    habit: str = "good",
    remembers: bool = True,
    meanwhile: Callable[[World], None] = lambda world: None,
) -> tuple[Result, World]:
    """Return a run of one chat that is killed after so many steps, and the one that goes on after it."""
    store = Lines()
    world = World({"1": chat}, {"1": habit}, remembers=remembers, killed_at=killed_at)
    RunRecord.read(store).write_plan(to_twelve(["1"]), now=1.0)
    for _ in range(2):
        world.record = RunRecord.read(store)
        world.steps.clear()
        try:
            result = world.drive(run_transfers(world.record.plan, chunk=50, record=world.record))[0]
        except KilledError:
            world.killed_at = None
            meanwhile(world)
    return result, world


def customers_write(world: World, data: st.DataObject) -> None:
    """Between two tries some customers send a message."""
    for chat_id in data.draw(st.sets(st.sampled_from(sorted(world.chats)))):
        chat = world.chats[chat_id]
        assert isinstance(chat, Chat)
        world.chats[chat_id] = replace(chat, revision=(chat.revision or 0) + 1)


def people_answer(world: World, data: st.DataObject) -> None:
    """Between two tries some chats that nobody has are taken, by one who should or by one who happens to be there."""
    free = sorted(each.id for each in world.chats.values() if isinstance(each, Chat) and each.owner is None)
    for chat_id in data.draw(st.sets(st.sampled_from(free))) if free else ():
        chat = world.chats[chat_id]
        assert isinstance(chat, Chat)
        world.chats[chat_id] = replace(chat, owner=data.draw(st.sampled_from(["7", "9", "12"])))


class TestADryRun:
    def test_a_dry_run_sends_nothing(self) -> None:
        world = World({"1": OPEN, "2": replace(OPEN, id="2", closed=True)})
        transfers = [Transfer(chat_id=each, target=Target.parse("agent:12")) for each in ("1", "2")]
        results = world.drive(dry_run_transfers(transfers, chunk=50))
        assert [result.outcome for result in results] == [Outcome.PLANNED, Outcome.SKIPPED]
        assert not world.sent
