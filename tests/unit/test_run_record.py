# SPDX-License-Identifier: Apache-2.0
"""What a run's ledger remembers, read back from its entries alone."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_chattransfer.chats.model import Chat, Json, Outcome, Result, RetryAction, Target, Transfer
from airflow_provider_chattransfer.chats.run_record import (
    MAX_TRANSFERS_PER_ENTRY,
    Intent,
    NullRecordStore,
    RunRecord,
)
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
        results = [Result(each, outcome, reason, retry) for each in transfers]
        record.write_intents(chats[:2], now=101.5)
        record.write_results(results[:2], unmoved=[each.id for each in chats[:1]])
        record.write_results_and_intents(results[2:], chats[2:], unmoved=[each.id for each in chats[1:2]], now=102.5)
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

    @pytest.mark.parametrize(
        "entry",
        [
            {"something": "else"},
            {"settled": [], "unmoved": [], "sent": []},
            {"settled": []},
            {"settled": None, "sent": [], "at": 1},
        ],
    )
    def test_a_record_refuses_what_is_not_an_entry(self, entry: Json) -> None:
        store = Lines()
        store.append(entry)
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
        assert RunRecord.read(store) == record


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
        results: list[Result] = []
        for start in range(0, len(transfers), 50):
            piece = transfers[start : start + 50]
            chats = [Chat(each.chat_id, False, "1000000", None, False, "100", "10") for each in piece]
            record.write_results_and_intents(results, chats, now=1.0)
            results = [Result(each, Outcome.FAILED, "x" * 300, RetryAction.RESEND) for each in piece]
        record.write_results(results)
        assert max(map(len, store.lines)) < STATE_STORE_LIMIT
        assert len(store.lines) == 100 + 1 + 1000 + 1

    @pytest.mark.parametrize("letter", ["x", '"', "\n", "ж", "😀"])
    def test_entries_of_a_run_that_gives_up_fit_into_the_task_state_store(self, letter: str) -> None:
        largest = str(2**63 - 1)
        transfers = [transfer(str(10**18 + number), f"agent:{largest}", f"agent:{largest}") for number in range(1000)]
        record, store = planned(*transfers)
        chats = [Chat(each.chat_id, False, largest, largest, True, largest, largest, 2**63) for each in transfers]
        results = [Result(each, Outcome.FAILED, letter * 300, RetryAction.READ_FIRST) for each in transfers]
        record.write_results_and_intents(results, chats, now=1e9 + 0.123456)
        assert max(map(len, store.lines)) < STATE_STORE_LIMIT
        assert RunRecord.read(store) == record

    def test_entries_that_the_store_does_not_take_leave_outcomes_known_and_no_intent(self) -> None:
        record, store = planned(transfer("1"), transfer("2"))
        record.write_intents([Chat("1", owner="7")], now=1.0)
        kept = list(store.lines)

        def full(entry: Json) -> None:
            raise ConnectionError

        store.append = full  # type: ignore[method-assign]
        with pytest.raises(ConnectionError):
            record.write_results_and_intents([Result(transfer("1"), Outcome.ACCEPTED)], [Chat("2")], now=2.0)
        assert (list(record.results), list(record.sent), store.lines) == (["1"], [], kept)


class TestMemory:
    def test_memory_of_a_record_is_that_of_its_results(self) -> None:
        """A chat costs its place in two tables; what was given to the record is kept, not a copy of it."""
        transfers = [transfer(str(10**9 + number)) for number in range(5000)]
        results = [Result(each, Outcome.ACCEPTED) for each in transfers]
        tracemalloc.start()
        try:
            record = RunRecord(NullRecordStore())
            record.write_plan(transfers, now=1.0)
            for start in range(0, len(transfers), 50):
                chats = [Chat(each.chat_id, owner="7", queue="3") for each in transfers[start : start + 50]]
                record.write_intents(chats, now=2.0)
                record.write_results(results[start : start + 50])
            bytes_per_chat = tracemalloc.get_traced_memory()[0] / len(transfers)
        finally:
            tracemalloc.stop()
        assert bytes_per_chat < 150
