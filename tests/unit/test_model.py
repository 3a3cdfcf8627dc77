# SPDX-License-Identifier: Apache-2.0
"""The words of the domain, read and written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_chattransfer.chats.inputs import as_id
from airflow_provider_chattransfer.chats.model import (
    Outcome,
    Result,
    Target,
    Transfer,
    TransferReport,
)

IDS = st.integers(1, 2**31).map(str)
TARGETS = st.one_of(
    IDS.map(lambda number: f"agent:{number}"), IDS.map(lambda number: f"queue:{number}"), st.just("queue")
).map(Target.parse)
TIMES = st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC))
REPORTS = st.builds(
    TransferReport,
    platform=st.sampled_from(["bitrix24", "superoffice"]),
    conn_id=st.text(),
    results=st.lists(
        st.builds(
            Result,
            transfer=st.builds(
                Transfer, chat_id=IDS, target=TARGETS, source=st.one_of(st.none(), TARGETS), offered=st.just(False)
            ),
            outcome=st.sampled_from(Outcome),
            reason=st.one_of(st.none(), st.text()),
        ),
        max_size=20,
        unique_by=lambda result: result.transfer.chat_id,
    ).map(tuple),
    started_at=TIMES,
    finished_at=TIMES,
    dry_run=st.booleans(),
    report_path=st.one_of(st.none(), st.text()),
)


class TestTarget:
    @given(target=TARGETS)
    def test_a_target_reads_back_what_it_writes(self, target: Target) -> None:
        assert Target.parse(str(target)) == target

    @pytest.mark.parametrize(
        "text",
        ["agnet:12", "agent:", "agent", "queue:", "queue:-3", "agent:0", "0", "", "agent:1 2", None, 0, 1.5, True],
    )
    def test_a_mistyped_target_is_an_error_that_names_the_argument_and_the_value(self, text: object) -> None:
        with pytest.raises(ValueError, match="to: ") as error:
            Target.parse(text)
        assert repr(text) in str(error.value)


class TestIds:
    @pytest.mark.parametrize(("value", "read"), [(112, "112"), ("112", "112"), (" 0112 ", "112")])
    def test_an_id_is_a_number_or_its_string(self, value: object, read: str) -> None:
        assert as_id(value, of="chat_id") == read

    @pytest.mark.parametrize("value", ["chat112", "", "1.5", 1.5, True, None, 0, -1, "0", "²"])
    def test_any_other_id_is_an_error_that_names_the_argument(self, value: object) -> None:
        with pytest.raises(ValueError, match="chat_id"):
            as_id(value, of="chat_id")


class TestAReason:
    @pytest.mark.parametrize("length", [0, 1, 299, 300])
    def test_a_reason_is_kept_up_to_300_letters(self, length: int) -> None:
        result = Result(Transfer("112", Target.agent("12")), Outcome.FAILED, "x" * length)
        assert result.reason == "x" * length

    @pytest.mark.parametrize("length", [301, 302, 60_000])
    def test_a_longer_reason_loses_its_middle_and_keeps_its_code(self, length: int) -> None:
        result = Result(Transfer("112", Target.agent("12")), Outcome.FAILED, "m: " + "x" * length + " [CODE]")
        assert result.reason is not None
        assert len(result.reason) == 300
        assert result.reason.startswith("m: x")
        assert result.reason.endswith("x [CODE]")
        again = Result.from_json({**result.to_json(), "reason": "x" * length})
        assert len(again.reason or "") == 300


class TestReport:
    @given(report=REPORTS)
    def test_a_report_is_the_same_after_json_and_back(self, report: TransferReport) -> None:
        assert TransferReport.from_json(json.loads(json.dumps(report.to_json()))) == report
        assert json.loads("".join(report.lines())) == report.to_json()

    @given(report=REPORTS)
    def test_the_counts_of_a_report_sum_to_its_chats(self, report: TransferReport) -> None:
        assert sum(report.to_json()["counts"].values()) == len(report.results)
        assert set(report.to_json()["counts"]) == set(Outcome)

    @given(report=REPORTS)
    @settings(max_examples=5)
    def test_moments_of_a_report_without_a_time_zone_are_utc(self, report: TransferReport) -> None:
        """Those of several reports are compared."""
        told = report.to_json()
        naive = {member: told[member].removesuffix("+00:00") for member in ("started_at", "finished_at")}
        assert TransferReport.from_json({**told, **naive}) == report

    def test_anything_but_a_report_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="not a transfer report"):
            TransferReport.from_json({"platform": "bitrix24"})

    @pytest.mark.parametrize("wrong", [None, 1.5, [], {}, ["x"], [["x"]], "x", True, [None]], ids=repr)
    @pytest.mark.parametrize("member", ["platform", "conn_id", "dry_run", "transfers", "started_at", "finished_at"])
    @given(report=REPORTS)
    @settings(max_examples=1)
    def test_the_error_names_the_wrong_member_of_a_report(
        self, member: str, wrong: Any, report: TransferReport
    ) -> None:
        right: dict[str, list[Any]] = {"transfers": [[]], "dry_run": [True], "platform": ["x"], "conn_id": ["x"]}
        moment = member.endswith("_at") and isinstance(wrong, float)
        if moment or any(type(each) is type(wrong) and each == wrong for each in right.get(member, [])):
            return
        with pytest.raises(ValueError, match=member):
            TransferReport.from_json({**report.to_json(), member: wrong})

    @pytest.mark.parametrize("wrong", [1, [], {}, "moved", True], ids=repr)
    @pytest.mark.parametrize("member", ["chat_id", "to", "outcome", "reason", "from"])
    def test_the_error_names_the_wrong_member_of_a_row_with_its_place(self, member: str, wrong: Any) -> None:
        row = {"chat_id": "112", "from": "agent:7", "to": "agent:12", "outcome": "accepted", "reason": None}
        good = {(member, wrong) for member, wrong in [("chat_id", 1), ("to", 1), ("from", 1)]}
        if isinstance(wrong, int) and (member, wrong) in good and wrong is not True:
            return
        if member == "reason" and wrong == "moved":
            return
        report = {"platform": "bitrix24", "conn_id": "x", "dry_run": False, "transfers": [row, {**row, member: wrong}]}
        moments = dict.fromkeys(("started_at", "finished_at"), "2026-11-21T21:00:00+00:00")
        with pytest.raises(ValueError, match=rf"transfers\[1\]: {member}"):
            TransferReport.from_json({**report, **moments})
