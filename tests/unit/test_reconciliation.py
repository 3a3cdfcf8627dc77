# SPDX-License-Identifier: Apache-2.0
"""What a chat's state proves about its transfer, rule by rule."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_chattransfer.chats.claims import Claim, Stage, stages
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
from airflow_provider_chattransfer.chats.reconciliation import (
    CLAIMED_BY_OTHER_RUN,
    Answer,
    Answered,
    NotApplied,
    OutcomeUnknown,
    Refused,
    Resolution,
    after_accepting,
    after_sending,
    before_accepting,
    before_sending,
    needs_history,
    while_waiting,
)

OPEN = Chat(id="1", owner="7", queue="3", session="5", revision=10)
WAITING = replace(OPEN, owner=None)
CLOSED = replace(OPEN, owner=None, closed=True)
OFFERED = replace(OPEN, offered_to="12", shows_offers=True)
"""With its owner, who has asked agent 12 to take it; the service shows that."""

YES = Answered()
NO = Refused("no such operator")
LOCKED = Refused("locked", passing=True)
LOST = OutcomeUnknown("timeout")
LIMITED = NotApplied("limited")


def transfer(to: str = "agent:12", source: str | None = None, *, offered: bool = False) -> Transfer:
    origin = None if source is None else Target.parse(source)
    return Transfer(chat_id="1", target=Target.parse(to), source=origin, offered=offered)


def outcome(settled: Resolution | None) -> str | None:
    return None if settled is None else settled.outcome.value


BEFORE: list[tuple[str, Transfer, Reading, str | None]] = [
    ("cannot be read", transfer(), UnreadableChat("not there"), "failed"),
    ("is closed", transfer(), CLOSED, "skipped"),
    ("is closed and was its receiver's", transfer(), replace(CLOSED, owner="12"), "skipped"),
    ("is its receiver's", transfer(), replace(OPEN, owner="12"), "unchanged"),
    ("is its receiver's, and was to be taken from another", transfer("agent:12", "agent:7"),
     replace(OPEN, owner="12"), "unchanged"),
    ("is offered to its receiver", transfer(), OFFERED, "requested"),
    ("is offered to somebody else", transfer("agent:15"), OFFERED, None),
    ("waits in the queue it is to go to", transfer("queue:3"), WAITING, "unchanged"),
    ("waits in its own queue", transfer("queue"), WAITING, "unchanged"),
    ("waits in another queue", transfer("queue:4"), WAITING, None),
    ("is offered to one who goes home, and is to go to its queue", transfer("queue:3", "agent:7", offered=True),
     replace(WAITING, offered_to="7"), None),
    ("was offered to one who goes home, and was taken by another", transfer("agent:12", "agent:7", offered=True),
     replace(OPEN, owner="9"), "skipped"),
    ("is with its source", transfer("agent:12", "agent:7"), OPEN, None),
    ("is with somebody else than its source", transfer("agent:12", "agent:8"), OPEN, "skipped"),
    ("waits, and was to be taken from an agent", transfer("agent:12", "agent:7"), WAITING, "skipped"),
    ("waits in the queue it is taken from", transfer("agent:12", "queue:3"), WAITING, None),
    ("was picked up from the queue it is taken from", transfer("agent:12", "queue:3"), OPEN, "skipped"),
    ("waits in another queue than the one it is taken from", transfer("agent:12", "queue:4"), WAITING, "skipped"),
    ("is to be taken from whoever has it", transfer(), OPEN, None),
    ("is offered to the one it is taken from, and nobody owns it", transfer("agent:12", "agent:7"),
     replace(WAITING, offered_to="7", shows_offers=True), None),
    ("is offered to the one it is taken from, and is to go to its queue", transfer("queue:3", "agent:7"),
     replace(WAITING, offered_to="7", shows_offers=True), None),
    ("rings at somebody else than its source", transfer("agent:12", "agent:7"),
     replace(WAITING, offered_to="9", shows_offers=True), "skipped"),
    ("rings at its source, and somebody else owns it", transfer("agent:12", "agent:7"),
     replace(OPEN, owner="9", offered_to="7", shows_offers=True), "skipped"),
    ("waits in some queue, and is taken from its own", transfer("agent:12", "queue"), WAITING, None),
]  # fmt: skip


class TestBeforeATransferIsSent:
    @pytest.mark.parametrize(("_", "wish", "chat", "expected"), BEFORE, ids=[each[0] for each in BEFORE])
    def test_the_state_before_sending_decides_about_a_chat_that(
        self, _: str, wish: Transfer, chat: Reading, expected: str | None
    ) -> None:
        assert outcome(before_sending(wish, chat)) == expected

    def test_the_reason_of_a_skipped_chat_says_who_has_it_now(self) -> None:
        settled = before_sending(transfer("agent:12", "agent:8"), OPEN)
        assert settled is not None
        assert settled[:2] == (Outcome.SKIPPED, "no longer with agent:8, now with agent:7")

    def test_the_reason_of_a_chat_that_nobody_can_send_says_why(self) -> None:
        settled = before_sending(transfer(), OPEN, send_blocker="there is no connection for agent 7")
        assert settled == (Outcome.FAILED, "not sent: there is no connection for agent 7", RetryAction.RESEND)

    def test_a_chat_that_nobody_can_send_but_need_not_be_sent_is_no_failure(self) -> None:
        settled = before_sending(transfer(), replace(OPEN, owner="12"), send_blocker="nobody can")
        assert settled is not None
        assert settled.outcome is Outcome.UNCHANGED

    def test_the_reason_of_an_unreadable_chat_is_the_services(self) -> None:
        settled = before_sending(transfer(), UnreadableChat("not there"))
        assert settled == (Outcome.FAILED, "not there", RetryAction.RESEND)


HERE, THERE = OPEN, replace(OPEN, owner="9")
OLD = replace(WAITING, shows_offers=False)
"""As a service shows a chat that does not show offers: one that rings looks like one that waits."""

BESIDE: list[tuple[str, Claim, Chat, str | None]] = [
    ("at it", Claim(HERE, Stage.IN_PROGRESS, 1.0), HERE, "held"),
    ("at it for an hour", Claim(HERE, Stage.IN_PROGRESS, 3600.0), HERE, "held"),
    ("at it since before we began", Claim(HERE, Stage.IN_PROGRESS, 1.0, recent=False), HERE, "held"),
    ("gone a moment ago", Claim(HERE, Stage.UNKNOWN, 59.9), HERE, "held"),
    ("gone a moment ago, before we began", Claim(HERE, Stage.UNKNOWN, 59.9, recent=False), HERE, "held"),
    ("gone so long ago that nothing of it can happen", Claim(HERE, Stage.UNKNOWN, 60.0), HERE, None),
    ("done, and the chat is back", Claim(HERE, Stage.MOVED, 1.0), HERE, None),
    ("at it, and has moved it", Claim(HERE, Stage.IN_PROGRESS, 1.0), THERE, "skipped"),
    ("gone, and has moved it", Claim(HERE, Stage.UNKNOWN, 99.0), THERE, "skipped"),
    ("done with it", Claim(HERE, Stage.MOVED, 99.0), THERE, "skipped"),
    ("gone a moment ago, before we began, and has moved it", Claim(HERE, Stage.UNKNOWN, 9.0, recent=False), THERE,
     "skipped"),
    ("gone long before we began, and somebody has moved it", Claim(HERE, Stage.UNKNOWN, 99.0, recent=False), THERE,
     None),
    ("done before we began", Claim(HERE, Stage.MOVED, 1.0, recent=False), THERE, None),
    ("done, and it rings at another", Claim(HERE, Stage.MOVED, 1.0), replace(OFFERED, offered_to="15"), "skipped"),
    ("done, and waits in another queue", Claim(WAITING, Stage.MOVED, 1.0), replace(WAITING, queue="4"), "skipped"),
    ("done, where the service does not show whom it has asked", Claim(OLD, Stage.MOVED, 1.0), OLD, "skipped"),
    ("gone, where the service does not show whom it has asked", Claim(OLD, Stage.UNKNOWN, 99.0), OLD, None),
]  # fmt: skip


class TestBesideAnotherRun:
    @pytest.mark.parametrize(("_", "claim", "chat", "expected"), BESIDE, ids=[each[0] for each in BESIDE])
    def test_the_claim_of_another_run_decides_about_a_chat_when_it_is(
        self, _: str, claim: Claim, chat: Chat, expected: str | None
    ) -> None:
        settled = before_sending(transfer(), chat, claims=[claim])
        assert ("held" if settled is CLAIMED_BY_OTHER_RUN else outcome(settled)) == expected

    @pytest.mark.parametrize(("chat", "expected"), [
        (replace(OPEN, owner="12"), "unchanged"), (OFFERED, "requested"), (CLOSED, "skipped"),
        (UnreadableChat("no"), "failed"),
    ])  # fmt: skip
    def test_the_state_of_a_chat_counts_before_the_claim_of_another_run(self, chat: Reading, expected: str) -> None:
        settled = before_sending(transfer(), chat, claims=[Claim(OPEN, Stage.IN_PROGRESS, 1.0)])
        assert settled is not CLAIMED_BY_OTHER_RUN
        assert outcome(settled) == expected

    def test_one_claim_in_progress_is_enough_to_hold_a_chat_back(self) -> None:
        claims = [
            Claim(OPEN, Stage.UNKNOWN, 99.0),
            Claim(OPEN, Stage.IN_PROGRESS, 1.0),
            Claim(OPEN, Stage.UNKNOWN, 99.0),
        ]
        assert before_sending(transfer(), OPEN, claims=claims) is CLAIMED_BY_OTHER_RUN

    def test_a_claim_is_waited_for_before_a_send_blocker_counts(self) -> None:
        assert (
            before_sending(transfer(), OPEN, claims=[Claim(OPEN, Stage.IN_PROGRESS, 1.0)], send_blocker="nobody")
            is CLAIMED_BY_OTHER_RUN
        )

    def test_a_chat_claimed_by_another_run_fails_and_a_retry_sends_it(self) -> None:
        assert (CLAIMED_BY_OTHER_RUN.outcome, CLAIMED_BY_OTHER_RUN.retry) == (Outcome.FAILED, RetryAction.RESEND)

    def test_the_reason_says_who_has_the_chat_and_to_whom_it_is_offered(self) -> None:
        settled = before_sending(transfer("agent:15"), OFFERED, claims=[Claim(OPEN, Stage.MOVED, 1.0)])
        assert settled is not None
        assert settled.reason == "another run has moved it, now with agent:7, offered to agent:12"


COME_TO: list[tuple[Outcome, RetryAction, Stage]] = [
    (Outcome.ACCEPTED, RetryAction.NONE, Stage.MOVED),
    (Outcome.REQUESTED, RetryAction.NONE, Stage.MOVED),
    (Outcome.FAILED, RetryAction.NONE, Stage.MOVED),
    (Outcome.FAILED, RetryAction.READ_FIRST, Stage.UNKNOWN),
    (Outcome.FAILED, RetryAction.RESEND, Stage.NOT_MOVED),
    (Outcome.SKIPPED, RetryAction.NONE, Stage.NOT_MOVED),
    (Outcome.UNCHANGED, RetryAction.NONE, Stage.NOT_MOVED),
]


class TestWhatOtherRunsAreTold:
    @pytest.mark.parametrize(("come_to", "retry", "stage"), COME_TO)
    def test_a_settled_chat_releases_its_claim_with_its_stage(
        self, come_to: Outcome, retry: RetryAction, stage: Stage
    ) -> None:
        assert stages([Result(transfer(), come_to, retry=retry)], ["2"]) == {"1": stage, "2": Stage.NOT_MOVED}


MOVED = replace(OPEN, owner="12", revision=11)
PENDING = replace(OPEN, owner=None, revision=11)
TOUCHED = replace(OPEN, revision=11)
SHOWN = replace(OPEN, shows_offers=True)

AFTER: list[tuple[str, Transfer, Chat, Answer, Reading, str | None]] = [
    ("its receiver has", transfer(), OPEN, YES, MOVED, "accepted"),
    ("its receiver has, though the answer was lost", transfer(), OPEN, LOST, MOVED, "accepted"),
    ("its receiver has, though it was refused", transfer(), OPEN, NO, MOVED, "accepted"),
    ("nobody has, after a yes", transfer(), OPEN, YES, PENDING, "requested"),
    ("nobody has, after the answer was lost", transfer(), OPEN, LOST, PENDING, "failed"),
    ("is offered to its receiver", transfer(), SHOWN, YES, OFFERED, "requested"),
    ("rings at its receiver, though the answer was lost", transfer(), SHOWN, LOST, OFFERED, "requested"),
    ("is as before, after a yes", transfer(), OPEN, YES, OPEN, "failed"),
    ("is as before, after a yes to a service that shows offers", transfer(), SHOWN, YES, SHOWN, "failed"),
    ("is as before, after a refusal", transfer(), OPEN, NO, OPEN, "failed"),
    ("is as before, after a refusal that may pass", transfer(), OPEN, LOCKED, OPEN, None),
    ("is as before, after the answer was lost", transfer(), OPEN, LOST, OPEN, None),
    ("is as before, since it was not sent", transfer(), OPEN, LIMITED, OPEN, None),
    ("got a message only, after the answer was lost", transfer(), OPEN, LOST, TOUCHED, "failed"),
    ("waits as before, after a yes that did nothing", transfer(), WAITING, YES, WAITING, "failed"),
    ("waits with a message more, after a yes", transfer(), WAITING, YES, replace(WAITING, revision=11), "requested"),
    ("is closed by now, after a yes", transfer(), OPEN, YES, replace(CLOSED, revision=12), "failed"),
    ("is closed by now, and was not sent", transfer(), OPEN, LIMITED, replace(CLOSED, revision=12), "failed"),
    ("somebody else has taken, after a yes", transfer(), OPEN, YES, replace(OPEN, owner="9"), "failed"),
    ("somebody else has taken, after the answer was lost", transfer(), OPEN, LOST, replace(OPEN, owner="9"), "failed"),
    ("cannot be read any more", transfer(), OPEN, YES, UnreadableChat("gone"), "failed"),
    ("waits in its new queue", transfer("queue:4"), OPEN, YES, replace(PENDING, queue="4"), "requested"),
    ("was taken in its new queue", transfer("queue:4"), OPEN, YES, replace(OPEN, owner="9", queue="4"), "accepted"),
    ("waits in its new queue, though the answer was lost", transfer("queue:4"), OPEN, LOST,
     replace(PENDING, queue="4"), "requested"),
    ("waits in its own queue again", transfer("queue"), OPEN, YES, PENDING, "requested"),
    ("is still with its owner, after a yes to its own queue", transfer("queue"), OPEN, YES, OPEN, "failed"),
    ("is still in its old queue", transfer("queue:4"), OPEN, YES, OPEN, "failed"),
]  # fmt: skip


NOTHING_NEW = replace(SHOWN, revision=None)
PROVEN: list[tuple[str, Transfer, Chat, Chat, bool | None, str | None]] = [
    ("got a message only, and was transferred", transfer(), OPEN, TOUCHED, True, "failed"),
    ("got a message only, and was not transferred", transfer(), OPEN, TOUCHED, False, None),
    ("got a message only, and the history does not tell", transfer(), OPEN, TOUCHED, None, "failed"),
    ("nobody has, and was transferred", transfer(), OPEN, PENDING, True, "requested"),
    ("nobody has, and a history that lags does not show why", transfer(), OPEN, PENDING, False, "failed"),
    ("came back from its queue to the same agent", transfer("queue:3"), OPEN, TOUCHED, True, "accepted"),
    ("has no trace and looks as before", transfer(), NOTHING_NEW, NOTHING_NEW, None, "failed"),
    ("has no trace and was not transferred", transfer(), NOTHING_NEW, NOTHING_NEW, False, None),
    ("has no trace and was declined", transfer(), NOTHING_NEW, NOTHING_NEW, True, "failed"),
    ("somebody else has taken, whatever the history says", transfer(), OPEN, replace(OPEN, owner="9"), False, "failed"),
]


class TestAfterATransferToWhichNoAnswerCame:
    @pytest.mark.parametrize(
        ("_", "wish", "before", "after", "carried_out", "expected"), PROVEN, ids=[each[0] for each in PROVEN]
    )
    def test_the_state_after_no_answer_decides_about_a_chat_that(
        self, _: str, wish: Transfer, before: Chat, after: Chat, carried_out: bool | None, expected: str | None
    ) -> None:
        assert outcome(after_sending(wish, before, LOST, after, carried_out=carried_out)) == expected

    def test_history_is_asked_only_where_the_state_does_not_tell(self) -> None:
        doubtful = after_sending(transfer(), OPEN, LOST, TOUCHED)
        assert needs_history(LOST, doubtful)
        assert not needs_history(YES, doubtful)
        assert not needs_history(LOST, after_sending(transfer(), OPEN, LOST, MOVED))
        assert not needs_history(LOST, after_sending(transfer(), OPEN, LOST, replace(OPEN, owner="9")))
        assert not needs_history(LOST, after_sending(transfer(), OPEN, LOST, OPEN))


class TestAfterATransferWasSent:
    @pytest.mark.parametrize(
        ("_", "wish", "before", "answer", "after", "expected"), AFTER, ids=[each[0] for each in AFTER]
    )
    def test_the_state_after_sending_decides_about_a_chat_that(
        self, _: str, wish: Transfer, before: Chat, answer: Answer, after: Reading, expected: str | None
    ) -> None:
        assert outcome(after_sending(wish, before, answer, after)) == expected

    def test_a_chat_whose_receiver_declined_at_once_says_so(self) -> None:
        settled = after_sending(transfer(), SHOWN, Answered(OFFERED), SHOWN)
        assert settled == (
            Outcome.FAILED,
            "rejected: agent:12 did not take it, agent:7 has it still",
            RetryAction.NONE,
        )

    def test_a_chat_that_was_not_moved_though_the_service_said_yes_says_so(self) -> None:
        settled = after_sending(transfer(), OPEN, YES, OPEN)
        assert settled is not None
        assert settled.reason is not None
        assert settled.reason.startswith("not performed: the service answered that all is well, and did nothing; check")

    @given(
        to=st.sampled_from(["agent:12", "queue:3", "queue:4", "queue"]),
        answer=st.sampled_from([YES, NO, LOCKED, LOST, LIMITED]),
        owner=st.sampled_from([None, "7", "9", "12"]),
        offered_to=st.sampled_from([None, "9", "12"]),
        queue=st.sampled_from(["3", "4"]),
        revision=st.integers(10, 12),
        closed=st.booleans(),
        shows=st.booleans(),
    )
    def test_an_outcome_is_never_better_than_the_state_proves(
        self,
        to: str,
        answer: Answer,
        owner: str | None,
        offered_to: str | None,
        queue: str,
        revision: int,
        closed: bool,
        shows: bool,
    ) -> None:
        after = Chat("1", closed, owner, offered_to if shows else None, shows, queue, "5", revision)
        before = replace(OPEN, shows_offers=shows)
        settled = after_sending(transfer(to), before, answer, after)
        if settled is not None and settled.outcome is Outcome.ACCEPTED:
            assert not closed
            assert owner is not None
            assert owner == "12" or to.startswith("queue")
        if settled is not None and settled.outcome is Outcome.REQUESTED:
            assert not closed
            assert owner is None or after.offered_to == "12"
            assert after.moved_since(before)
        if settled is None:
            assert not isinstance(answer, Answered), "a yes is never sent again"
            assert not closed, "a closed chat is never opened again"


WAIT: list[tuple[str, Transfer, Reading, str | None]] = [
    ("its receiver has taken", transfer(), MOVED, "accepted"),
    ("still rings at its receiver", transfer(), OFFERED, None),
    ("nobody has, where offers are not shown", transfer(), PENDING, None),
    ("rings no more and is its sender's", transfer("agent:12", "agent:7"), SHOWN, "failed"),
    ("somebody else has", transfer("agent:12", "agent:7"), replace(OPEN, owner="9"), "failed"),
    ("is offered to somebody else", transfer(), replace(OFFERED, offered_to="15"), "failed"),
    ("is back in its queue", transfer(), replace(SHOWN, owner=None), "failed"),
    ("is closed", transfer(), CLOSED, "failed"),
    ("cannot be read", transfer(), UnreadableChat("gone"), "failed"),
    ("waits in its queue", transfer("queue:3"), WAITING, None),
    ("waits in its own queue", transfer("queue"), WAITING, None),
    ("was taken in its queue", transfer("queue:3"), OPEN, "accepted"),
    ("has gone to another queue", transfer("queue:4"), WAITING, "failed"),
]


class TestWhileWaiting:
    @pytest.mark.parametrize(("_", "wish", "chat", "expected"), WAIT, ids=[each[0] for each in WAIT])
    def test_the_state_while_waiting_decides_about_a_chat_that(
        self, _: str, wish: Transfer, chat: Reading, expected: str | None
    ) -> None:
        assert outcome(while_waiting(wish, chat)) == expected

    @pytest.mark.parametrize(
        ("chat", "reason"),
        [
            (SHOWN, "rejected: agent:12 did not take it, agent:7 has it still"),
            (replace(SHOWN, owner=None), "not accepted by agent:12: back in its queue"),
            (replace(SHOWN, owner="9"), "not accepted by agent:12: agent:9 has it"),
        ],
    )
    def test_the_reason_of_a_failed_wait_says_where_the_chat_has_gone(self, chat: Chat, reason: str) -> None:
        settled = while_waiting(transfer("agent:12", "agent:7"), chat)
        assert settled == (Outcome.FAILED, reason, RetryAction.NONE)

    def test_a_chat_whose_answer_is_not_understood_is_read_again(self) -> None:
        assert while_waiting(transfer(), UnreadableChat.not_understood("another chat")) is None
        assert outcome(while_waiting(transfer(), UnreadableChat("not there"))) == "failed"


class TestARefusal:
    @pytest.mark.parametrize(("lasting", "retry"), [(True, RetryAction.AFTER_FIX), (False, RetryAction.RESEND)])
    def test_a_lasting_refusal_is_for_a_clear_and_not_for_a_retry(self, lasting: bool, retry: RetryAction) -> None:
        settled = after_sending(transfer(), OPEN, Refused("no such line", lasting=lasting), OPEN)
        assert settled == (Outcome.FAILED, "no such line", retry)


ACCEPT: list[tuple[str, Reading, str | None]] = [
    ("is offered to the one who accepts", OFFERED, None),
    ("nobody has, where offers are not shown", WAITING, None),
    ("is offered to somebody else", replace(OFFERED, offered_to="15"), "skipped"),
    ("is not being transferred", SHOWN, "skipped"),
    ("somebody has, where offers are not shown", OPEN, "skipped"),
    ("he has already", MOVED, "unchanged"),
    ("is closed", CLOSED, "skipped"),
    ("cannot be read", UnreadableChat("gone"), "failed"),
]


class TestAccepting:
    @pytest.mark.parametrize(("_", "chat", "expected"), ACCEPT, ids=[each[0] for each in ACCEPT])
    def test_the_state_before_accepting_decides_about_a_chat_that(
        self, _: str, chat: Reading, expected: str | None
    ) -> None:
        assert outcome(before_accepting(transfer(), chat)) == expected

    @pytest.mark.parametrize("answer", [YES, NO, LOST, LIMITED])
    def test_an_acceptance_has_worked_when_the_receiver_owns_the_chat_whatever_the_answer(self, answer: Answer) -> None:
        assert after_accepting(transfer(), answer, MOVED).outcome is Outcome.ACCEPTED

    @pytest.mark.parametrize("answer", [YES, NO, LOST, LIMITED])
    @pytest.mark.parametrize("after", [OFFERED, WAITING, CLOSED, UnreadableChat("gone")])
    def test_an_acceptance_has_failed_when_the_receiver_does_not_own_the_chat(
        self, answer: Answer, after: Reading
    ) -> None:
        settled = after_accepting(transfer(), answer, after)
        assert settled.outcome is Outcome.FAILED
        assert settled.reason
