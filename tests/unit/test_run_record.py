# SPDX-License-Identifier: Apache-2.0
"""What a run's ledger remembers, read back from its entries alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_chattransfer.chats.model import Chat, Outcome, Result, RetryAction, Target, Transfer
from airflow_provider_chattransfer.chats.run_record import MAX_TRANSFERS_PER_ENTRY, Intent, RunRecord
from tests.support.record_stores import Lines

STATE_STORE_LIMIT = 64 * 1024
"""Bytes of one value, by Airflow's default ``[state_store] max_value_storage_bytes``."""


def transfer(chat_id: str = "1", to: str = "agent:12", source: str | None = "agent:7") -> Transfer:
    return Transfer(chat_id, Target.parse(to), None if source is None else Target.parse(source))


def planned(*transfers: Transfer) -> tuple[RunRecord, Lines]:
    store = Lines()
    record = RunRecord.read(store)
    record.write_plan(transfers, now=100.0)
    return record, store


IDS = st.integers(1, 10**9).map(str)
TARGETS = st.one_of(st.just("queue"), IDS.map("agent:{}".format), IDS.map("queue:{}".format)).map(Target.parse)
TRANSFERS = st.builds(
    Transfer, chat_id=IDS, target=TARGETS, source=st.one_of(st.none(), TARGETS), offered=st.booleans()
)
MAYBE_ID = st.one_of(st.none(), IDS)
CHATS = st.builds(
    Chat,
    id=IDS,
    owner=MAYBE_ID,
    offered_to=MAYBE_ID,
    shows_offers=st.booleans(),
    queue=MAYBE_ID,
    session=MAYBE_ID,
    revision=st.one_of(st.none(), st.integers(0)),
)


class TestARunRecord:
    @given(
        transfers=st.lists(TRANSFERS, unique_by=lambda each: each.chat_id, max_size=8),
        chats=st.lists(CHATS, unique_by=lambda each: each.id, max_size=8),
        outcome=st.sampled_from(Outcome),
        reason=st.one_of(st.none(), st.text()),
        retry=st.sampled_from(RetryAction),
    )
    def test_a_record_is_read_back_as_it_was_written(
        self, transfers: list[Transfer], chats: list[Chat], outcome: Outcome, reason: str | None, retry: RetryAction
    ) -> None:
        record, store = planned(*transfers)
        record.write_intents(chats, now=101.5)
        record.write_results([Result(each, outcome, reason, retry) for each in transfers])
        record.write_deadline(200.0)
        read = RunRecord.read(store)
        assert read == record
        assert read.plan == transfers
        assert (read.planned_at, read.deadline, read.finished_by) == (100.0, 200.0, None)

    @pytest.mark.parametrize("ends", [{"to": "agent:Jane Doe"}, {"to": "queue:Support"}, {"source": "agent:Jane Doe"}])
    def test_a_record_refuses_names_that_were_not_looked_up(self, ends: dict[str, str]) -> None:
        with pytest.raises(ValueError, match=r"(agent:Jane Doe|queue:Support) was not looked up"):
            planned(transfer(), transfer("2", **ends))

    def test_a_record_is_empty_where_nothing_was_kept(self) -> None:
        record = RunRecord.read(Lines())
        assert (record.has_plan, record.plan, record.sent, record.results) == (False, [], {}, {})

    def test_a_record_has_no_plan_before_all_of_it_is_written(self) -> None:
        transfers = [transfer(str(number)) for number in range(1, 2 * MAX_TRANSFERS_PER_ENTRY)]
        _, store = planned(*transfers)
        store.lines.pop()
        cut_off = RunRecord.read(store)
        assert not cut_off.has_plan
        cut_off.write_plan(transfers[:3], now=1.0)
        assert RunRecord.read(store).plan == transfers[:3]

    def test_a_record_refuses_what_is_not_an_entry(self) -> None:
        store = Lines()
        store.append({"something": "else"})
        with pytest.raises(ValueError, match="entry 1 of the run's record cannot be read"):
            RunRecord.read(store)

    def test_a_record_that_starts_anew_is_empty(self) -> None:
        record, store = planned(transfer())
        record.write_intents([Chat("1", owner="7")], now=1.0)
        record.write_results([Result(transfer(), Outcome.ACCEPTED)])
        record.write_deadline(5.0)
        record.write_finished(series=3)
        assert RunRecord.read(store).finished_by == 3
        record.start_anew()
        assert RunRecord.read(store) == RunRecord(store)


class TestAnIntent:
    def test_an_intent_stays_until_the_outcome_is_known(self) -> None:
        record, _ = planned(transfer())
        record.write_intents([Chat("1", owner="7", revision=5)], now=101.0)
        assert record.sent == {"1": Intent(Chat("1", owner="7", revision=5), at=101.0)}
        record.write_results([Result(transfer(), Outcome.FAILED, "not known", RetryAction.READ_FIRST)])
        assert "1" in record.sent
        record.write_results([Result(transfer(), Outcome.ACCEPTED)])
        assert not record.sent

    def test_an_intent_is_removed_when_the_chat_was_not_moved(self) -> None:
        record, _ = planned(transfer())
        record.write_intents([Chat("1", owner="7")], now=101.0)
        record.write_results([], unmoved=["1"])
        assert not record.sent

    def test_an_intent_holds_nothing_about_the_customer(self) -> None:
        record, store = planned(transfer())
        record.write_intents([Chat("1", owner="7", customer="contact 4711")], now=101.0)
        assert "4711" not in "".join(store.lines)


class TestResultsOfARunThatWasStopped:
    def test_results_of_a_stopped_run_say_what_is_known_about_each_chat(self) -> None:
        record, _ = planned(transfer("1"), transfer("2"), transfer("3"))
        record.write_intents([Chat("1", owner="7"), Chat("2", owner="7")], now=1.0)
        record.write_results([Result(transfer("1"), Outcome.ACCEPTED)])
        assert [(result.outcome, result.reason) for result in record.open_results("the task ran out of time")] == [
            (Outcome.ACCEPTED, None),
            (Outcome.FAILED, "not known: it was sent, and not read back: the task ran out of time"),
            (Outcome.FAILED, "not attempted: the task ran out of time"),
        ]


class TestEntries:
    def test_entries_of_fifty_thousand_chats_fit_into_the_task_state_store(self) -> None:
        transfers = [transfer(str(10**9 + number), source="agent:1000000") for number in range(50_000)]
        record, store = planned(*transfers)
        for start in range(0, len(transfers), 50):
            piece = transfers[start : start + 50]
            record.write_intents(
                [Chat(each.chat_id, False, "1000000", None, False, "100", "10") for each in piece], now=1.0
            )
            record.write_results([Result(each, Outcome.FAILED, "x" * 300, RetryAction.RESEND) for each in piece])
        assert max(map(len, store.lines)) < STATE_STORE_LIMIT
        assert len(store.lines) == 100 + 1 + 2 * 1000
