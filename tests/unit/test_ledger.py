# SPDX-License-Identifier: Apache-2.0
"""What a run's ledger remembers, read back from its entries alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_chattransfer.chats.ledger import PLAN_PIECE, Intent, Ledger
from airflow_provider_chattransfer.chats.model import Chat, Outcome, Result, Retry, Target, Transfer
from tests.journals import Lines

STATE_STORE_LIMIT = 64 * 1024
"""Bytes of one value, by Airflow's default ``[state_store] max_value_storage_bytes``."""


def transfer(chat_id: str = "1", to: str = "agent:12", source: str | None = "agent:7") -> Transfer:
    return Transfer(chat_id, Target.parse(to), None if source is None else Target.parse(source))


def planned(*transfers: Transfer) -> tuple[Ledger, Lines]:
    journal = Lines()
    ledger = Ledger.read(journal)
    ledger.write_plan(transfers, now=100.0)
    return ledger, journal


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
    trace=st.one_of(st.none(), st.integers(0)),
)


class TestALedger:
    @given(
        transfers=st.lists(TRANSFERS, unique_by=lambda each: each.chat_id, max_size=8),
        chats=st.lists(CHATS, unique_by=lambda each: each.id, max_size=8),
        outcome=st.sampled_from(Outcome),
        reason=st.one_of(st.none(), st.text()),
        retry=st.sampled_from(Retry),
    )
    def test_that_is_read_back_is_the_one_that_was_written(
        self, transfers: list[Transfer], chats: list[Chat], outcome: Outcome, reason: str | None, retry: Retry
    ) -> None:
        ledger, journal = planned(*transfers)
        ledger.write_intents(chats, now=101.5)
        ledger.write_results([Result(each, outcome, reason, retry) for each in transfers])
        ledger.write_deadline(200.0)
        read = Ledger.read(journal)
        assert read == ledger
        assert read.plan == transfers
        assert (read.planned_at, read.deadline, read.finished_by) == (100.0, 200.0, None)

    @pytest.mark.parametrize("ends", [{"to": "agent:Jane Doe"}, {"to": "queue:Support"}, {"source": "agent:Jane Doe"}])
    def test_takes_nobody_who_was_not_looked_up(self, ends: dict[str, str]) -> None:
        with pytest.raises(ValueError, match=r"(agent:Jane Doe|queue:Support) was not looked up"):
            planned(transfer(), transfer("2", **ends))

    def test_is_empty_where_nothing_was_kept(self) -> None:
        ledger = Ledger.read(Lines())
        assert (ledger.has_plan, ledger.plan, ledger.sent, ledger.results) == (False, [], {}, {})

    def test_has_no_plan_before_all_of_it_is_written(self) -> None:
        transfers = [transfer(str(number)) for number in range(1, 2 * PLAN_PIECE)]
        _, journal = planned(*transfers)
        journal.lines.pop()
        cut_off = Ledger.read(journal)
        assert not cut_off.has_plan
        cut_off.write_plan(transfers[:3], now=1.0)
        assert Ledger.read(journal).plan == transfers[:3]

    def test_refuses_what_is_no_entry(self) -> None:
        journal = Lines()
        journal.append({"something": "else"})
        with pytest.raises(ValueError, match="entry 1 of the run's record cannot be read"):
            Ledger.read(journal)

    def test_that_starts_anew_forgets_what_was(self) -> None:
        ledger, journal = planned(transfer())
        ledger.write_intents([Chat("1", owner="7")], now=1.0)
        ledger.write_results([Result(transfer(), Outcome.ACCEPTED)])
        ledger.write_deadline(5.0)
        ledger.write_finished(series=3)
        assert Ledger.read(journal).finished_by == 3
        ledger.start_anew()
        assert Ledger.read(journal) == Ledger(journal)


class TestAnIntent:
    def test_stays_until_it_is_known_what_became_of_it(self) -> None:
        ledger, _ = planned(transfer())
        ledger.write_intents([Chat("1", owner="7", trace=5)], now=101.0)
        assert ledger.sent == {"1": Intent(Chat("1", owner="7", trace=5), at=101.0)}
        ledger.write_results([Result(transfer(), Outcome.FAILED, "not known", Retry.LOOK)])
        assert "1" in ledger.sent
        ledger.write_results([Result(transfer(), Outcome.ACCEPTED)])
        assert not ledger.sent

    def test_is_gone_when_nothing_was_moved(self) -> None:
        ledger, _ = planned(transfer())
        ledger.write_intents([Chat("1", owner="7")], now=101.0)
        ledger.write_results([], unmoved=["1"])
        assert not ledger.sent

    def test_holds_nothing_about_the_customer(self) -> None:
        ledger, journal = planned(transfer())
        ledger.write_intents([Chat("1", owner="7", customer="contact 4711")], now=101.0)
        assert "4711" not in "".join(journal.lines)


class TestResultsOfARunThatWasStopped:
    def test_say_of_each_chat_what_is_known(self) -> None:
        ledger, _ = planned(transfer("1"), transfer("2"), transfer("3"))
        ledger.write_intents([Chat("1", owner="7"), Chat("2", owner="7")], now=1.0)
        ledger.write_results([Result(transfer("1"), Outcome.ACCEPTED)])
        assert [(result.outcome, result.reason) for result in ledger.open_results("the task ran out of time")] == [
            (Outcome.ACCEPTED, None),
            (Outcome.FAILED, "not known: it was sent, and not read back: the task ran out of time"),
            (Outcome.FAILED, "not attempted: the task ran out of time"),
        ]


class TestEntries:
    def test_fit_into_the_task_state_store_at_fifty_thousand_chats(self) -> None:
        transfers = [transfer(str(10**9 + number), source="agent:1000000") for number in range(50_000)]
        ledger, journal = planned(*transfers)
        for start in range(0, len(transfers), 50):
            piece = transfers[start : start + 50]
            ledger.write_intents(
                [Chat(each.chat_id, False, "1000000", None, False, "100", "10") for each in piece], now=1.0
            )
            ledger.write_results([Result(each, Outcome.FAILED, "x" * 300, Retry.SEND) for each in piece])
        assert max(map(len, journal.lines)) < STATE_STORE_LIMIT
        assert len(journal.lines) == 100 + 1 + 2 * 1000
