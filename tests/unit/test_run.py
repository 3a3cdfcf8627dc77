# SPDX-License-Identifier: Apache-2.0
"""The bulk run, driven without a network: a world that lies, loses answers and says no."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_chattransfer.chats.model import Chat, Outcome, Reading, Result, Target, Transfer, Unread
from airflow_provider_chattransfer.chats.run import (
    Move,
    Pause,
    Read,
    Reply,
    Send,
    Sent,
    Steps,
    Stop,
    hand_over,
    preview,
)
from airflow_provider_chattransfer.chats.settling import Answer, Answered, NotSent, Refused, Unclear

HABITS = ["good", "pending", "does nothing", "loses the answer", "loses the request", "refuses", "busy", "not sent"]


@dataclass
class World:
    """A service with one habit for each chat, and the truth about how often each was moved."""

    chats: dict[str, Reading]
    habits: Mapping[str, str] = field(default_factory=dict)
    stops_after_sends: int | None = None
    moved: Counter[str] = field(default_factory=Counter)
    sent: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    read_since_send: set[str] = field(default_factory=set)

    def drive(self, steps: Steps) -> list[Result]:
        reply: Reply = None
        while True:
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
                    reply = {chat_id: self.chats[chat_id] for chat_id in chat_ids}
                case Send(moves=moves):
                    reply = self.send(moves)
                case Pause(seconds=seconds):
                    self.pauses.append(seconds)

    def send(self, moves: Sequence[Move]) -> Sent:
        if self.stops_after_sends == 0:
            return Sent({}, Stop("signed out"))
        if self.stops_after_sends is not None:
            self.stops_after_sends -= 1
        return Sent({move.transfer.chat_id: self.send_one(move) for move in moves})

    def send_one(self, move: Move) -> Answer:
        chat_id = move.transfer.chat_id
        assert chat_id in self.read_since_send, "a chat was sent that was not read before"
        self.read_since_send.discard(chat_id)
        self.sent.append(chat_id)
        habit = self.habits.get(chat_id, "good")
        if habit == "not sent" or (habit == "busy" and self.sent.count(chat_id) < 3):
            return NotSent("limited") if habit == "not sent" else Refused("locked", passing=True)
        if habit == "refuses":
            return Refused("no such operator")
        if habit == "loses the request" and self.sent.count(chat_id) < 2:
            return Unclear("timeout")
        if habit != "does nothing":
            self.move(move.transfer, pending=habit == "pending")
        return Unclear("timeout") if habit == "loses the answer" else Answered()

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
        self.chats[transfer.chat_id] = replace(chat, trace=(chat.trace or 0) + 1)


def one(chat: Reading, *, habit: str = "good", to: str = "agent:12", source: str | None = None) -> tuple[Result, World]:
    world = World({"1": chat}, {"1": habit})
    origin = None if source is None else Target.parse(source)
    transfer = Transfer(chat_id="1", target=Target.parse(to), source=origin)
    return world.drive(hand_over([transfer], chunk=50))[0], world


OPEN = Chat(id="1", owner="7", queue="3", session="5", trace=10)


class TestEveryChat:
    @given(
        data=st.data(),
        number=st.integers(0, 40),
        chunk=st.integers(1, 50),
        stops=st.one_of(st.none(), st.integers(0, 5)),
    )
    def test_comes_out_once_in_order_and_is_moved_at_most_once(
        self, data: st.DataObject, number: int, chunk: int, stops: int | None
    ) -> None:
        chat_ids = [str(each) for each in range(1, number + 1)]
        states = st.sampled_from(["open", "closed", "unread", "there", "waiting"])
        chats: dict[str, Reading] = {}
        for chat_id in chat_ids:
            state = data.draw(states)
            chat = Chat(id=chat_id, owner="7", queue="3", session="1", trace=1)
            readings: dict[str, Reading] = {
                "open": chat,
                "closed": replace(chat, closed=True, owner=None),
                "unread": Unread("not there"),
                "there": replace(chat, owner="12"),
                "waiting": replace(chat, owner=None),
            }
            chats[chat_id] = readings[state]
        habits = {chat_id: data.draw(st.sampled_from(HABITS)) for chat_id in chat_ids}
        targets = st.sampled_from(["agent:12", "queue:4", "queue"]).map(Target.parse)
        transfers = [Transfer(chat_id=chat_id, target=data.draw(targets)) for chat_id in chat_ids]
        world = World(dict(chats), habits, stops_after_sends=stops)

        results = world.drive(hand_over(transfers, chunk=chunk))

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

    def test_is_read_before_and_after(self) -> None:
        _, world = one(OPEN)
        assert world.steps == ["Read", "Send", "Read", "Progress"]


class TestOneChat:
    def test_that_the_target_owns_is_accepted(self) -> None:
        result, _ = one(OPEN)
        assert (result.outcome, str(result.transfer.source)) == (Outcome.ACCEPTED, "agent:7")

    def test_that_nobody_owns_yet_is_requested(self) -> None:
        result, _ = one(OPEN, habit="pending")
        assert result.outcome is Outcome.REQUESTED

    def test_of_which_the_answer_is_lost_is_judged_by_its_state(self) -> None:
        result, world = one(OPEN, habit="loses the answer")
        assert (result.outcome, world.sent) == (Outcome.ACCEPTED, ["1"])

    def test_of_which_the_request_is_lost_is_sent_again(self) -> None:
        result, world = one(OPEN, habit="loses the request")
        assert (result.outcome, world.sent, world.pauses) == (Outcome.ACCEPTED, ["1", "1"], [2.0])

    def test_that_the_service_claims_to_have_moved_and_did_not_has_failed(self) -> None:
        result, world = one(OPEN, habit="does nothing")
        assert result.outcome is Outcome.FAILED
        assert "not performed" in (result.reason or "")
        assert world.sent == ["1"]

    def test_that_is_locked_for_a_moment_is_tried_again(self) -> None:
        result, world = one(OPEN, habit="busy")
        assert (result.outcome, world.pauses) == (Outcome.ACCEPTED, [2.0, 10.0])

    def test_that_never_gets_through_has_failed_with_its_cause(self) -> None:
        result, world = one(OPEN, habit="not sent")
        assert (result.outcome, result.reason) == (Outcome.FAILED, "not performed, tried 4 times: limited")
        assert world.moved["1"] == 0

    def test_that_is_closed_is_skipped_and_never_sent(self) -> None:
        result, world = one(replace(OPEN, closed=True, owner=None))
        assert (result.outcome, result.reason, world.sent) == (Outcome.SKIPPED, "closed", [])

    def test_that_somebody_else_has_by_now_is_skipped(self) -> None:
        result, world = one(replace(OPEN, owner="9"), source="agent:7")
        assert (result.outcome, result.reason) == (Outcome.SKIPPED, "no longer with agent:7, now with agent:9")
        assert not world.sent

    def test_that_is_at_its_target_already_is_unchanged(self) -> None:
        result, world = one(replace(OPEN, owner="12"), source="agent:7")
        assert (result.outcome, world.sent) == (Outcome.UNCHANGED, [])

    def test_that_waits_in_the_target_queue_already_is_unchanged(self) -> None:
        result, world = one(replace(OPEN, owner=None), to="queue:3")
        assert (result.outcome, world.sent) == (Outcome.UNCHANGED, [])

    def test_that_goes_back_to_its_own_queue_is_requested(self) -> None:
        result, _ = one(OPEN, to="queue")
        assert result.outcome is Outcome.REQUESTED

    def test_that_is_on_its_way_to_the_target_already_is_not_sent_again(self) -> None:
        result, world = one(replace(OPEN, offered_to="12", shows_offers=True))
        assert (result.outcome, world.sent) == (Outcome.REQUESTED, [])


class TestARunThatStops:
    def test_accounts_for_every_chat(self) -> None:
        chat_ids = [str(number) for number in range(1, 11)]
        world = World({each: replace(OPEN, id=each) for each in chat_ids}, stops_after_sends=2)
        transfers = [Transfer(chat_id=each, target=Target.parse("agent:12")) for each in chat_ids]
        results = world.drive(hand_over(transfers, chunk=3))
        assert [result.outcome for result in results] == [Outcome.ACCEPTED] * 6 + [Outcome.FAILED] * 4
        assert {result.reason for result in results[6:]} == {"not sent: signed out"}
        assert len(world.sent) == 6


class TestPreview:
    def test_sends_nothing(self) -> None:
        world = World({"1": OPEN, "2": replace(OPEN, id="2", closed=True)})
        transfers = [Transfer(chat_id=each, target=Target.parse("agent:12")) for each in ("1", "2")]
        results = world.drive(preview(transfers, chunk=50))
        assert [result.outcome for result in results] == [Outcome.PLANNED, Outcome.SKIPPED]
        assert not world.sent
