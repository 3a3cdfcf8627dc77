# SPDX-License-Identifier: Apache-2.0
"""Rows of transfers, as a DAG author, a plan or a report writes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_chattransfer.chats.model import Outcome, Target
from airflow_provider_chattransfer.chats.rows import TransferRow, each_once, transfer_rows

AGENT = Target.agent("12")


class Unshown:
    """A key that cannot be told."""

    def __repr__(self) -> str:
        raise RuntimeError


class TestRows:
    def test_the_same_chat_twice_with_the_same_target_is_one_row(self) -> None:
        rows = transfer_rows([{"chat_id": 112, "to": "agent:12"}, {"chat_id": "chat112", "to": "12"}])
        assert rows == [TransferRow("112", AGENT)]

    def test_the_same_chat_with_two_targets_is_an_error(self) -> None:
        with pytest.raises(ValueError, match=r"transfers\[1\]: chat 112 is to go to agent:15, and to agent:12"):
            transfer_rows([{"chat_id": 112, "to": "agent:12"}, {"chat_id": 112, "to": "agent:15"}])

    def test_the_same_chat_from_two_people_is_an_error(self) -> None:
        rows = [{"chat_id": 112, "to": "agent:12", "from": "agent:7"}, {"chat_id": 112, "to": 12, "from": "agent:8"}]
        with pytest.raises(ValueError, match=r"transfers\[1\]: chat 112 is to be taken from agent:8, and from agent:7"):
            transfer_rows(rows)

    def test_the_same_chat_is_taken_from_whoever_one_row_names(self) -> None:
        named, not_named = {"chat_id": 112, "to": "agent:12", "from": "agent:7"}, {"chat_id": 112, "to": "agent:12"}
        for rows in ([named, not_named], [not_named, named]):
            assert transfer_rows(rows) == [TransferRow("112", AGENT, Target.agent("7"))]

    def test_rows_of_a_report_keep_their_source_and_outcome(self) -> None:
        row = {
            "chat_id": "112", "from": "agent:7", "to": "agent:12", "outcome": "failed", "reason": "why", "hop": None,
            "because": None, "sent_at": None, "accepted_at": None, "seconds_to_accept": None, "link": None,
        }  # fmt: skip
        assert transfer_rows([row]) == [TransferRow("112", AGENT, Target.agent("7"), Outcome.FAILED, "why")]

    def test_rows_that_name_somebody_stay_until_the_name_is_looked_up(self) -> None:
        """The number and the name may be the same person's."""
        rows = transfer_rows([{"chat_id": 112, "to": to} for to in ("agent:12", "agent:Anna", 12, "agent:Anna")])
        assert [str(row.target) for row in rows] == ["agent:12", "agent:Anna"]
        known = [("transfers", replace(row, target=AGENT)) for row in rows]
        assert each_once(known) == [TransferRow("112", AGENT)]
        with pytest.raises(ValueError, match="chat 112 is to go to agent:15, and to agent:12 in another entry"):
            each_once([known[0], ("transfers", replace(rows[1], target=Target.agent("15")))])

    @pytest.mark.parametrize("given", [[], (), "[]", set()])
    def test_an_empty_list_of_rows_stays_empty(self, given: Any) -> None:
        assert transfer_rows(given) == []

    @pytest.mark.parametrize(
        "row",
        [
            {"chat_id": 1}, {"to": "agent:1"}, "112", None, 1, ["chat_id", "to"],
            {"chat_id": 1, "to": "agent:1", "too": 1},
            {"chat_id": 1, "to": "agent:1", 5: 1}, {"chat_id": True, "to": "agent:1"},
            {"chat_id": 1, "to": ["agent:1"]},
            {"chat_id": 1, "to": None}, {"chat_id": 1, "to": "agent:1", "from": []}, {"chat_id": "{{ x }}", "to": "1"},
            {"chat_id": 1, "to": "agent:1", "outcome": "moved"}, {"chat_id": 1, "to": "agent:1", "reason": ["x"]},
            {"chat_id": "9" * 5000, "to": "agent:1"}, {"chat_id": 1, "to": "agent:" + "9" * 5000},
            {"x" * 10_000: 1, "chat_id": 1, "to": "agent:1"},
            {"chat_id": "{{ x }}" * 100, "to": "agent:1"}, {"chat_id": 1, "to": "agent:" + "é" * 400},
            {"chat_id": 1, "to": "agent:1", "a\nb\x1b": 1}, {"chat_id": 1, "to": "agent:1", Unshown(): 1},
        ],
    )  # fmt: skip
    def test_an_invalid_row_is_a_short_error_that_names_its_place(self, row: Any) -> None:
        with pytest.raises(ValueError, match=r"transfers\[0\]") as refused:
            transfer_rows([row])
        assert len(str(refused.value)) < 300
        assert str(refused.value).isprintable()

    @pytest.mark.parametrize("given", [{"chat_id": 1}, 1, None, "112", "{'chat_id': 1}", b"[]", "{{ x }}"])
    def test_anything_but_a_list_of_rows_is_an_error(self, given: Any) -> None:
        with pytest.raises(ValueError, match="transfers: "):
            transfer_rows(given)
