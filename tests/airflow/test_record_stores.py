# SPDX-License-Identifier: Apache-2.0
"""The record beside the report, of which only the latest try of a task may go on writing."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_chattransfer.exceptions import RecordTakenOverError
from airflow_provider_chattransfer.tasks.file_record_store import FileRecordStore


@pytest.fixture
def report(tmp_path: Path) -> str:
    return str(tmp_path / "report.json")


def opened(report: str) -> FileRecordStore:
    """Return the journal as a try of the task begins with it."""
    record_store = FileRecordStore(f"{report}.ledger/run")
    list(record_store.entries())
    return record_store


class TestTheRecordBesideTheReport:
    def test_the_record_beside_the_report_is_read_by_the_next_try(self, report: str) -> None:
        record_store = opened(report)
        record_store.append({"planned_at": 1})
        record_store.append({"deadline": 2})
        assert list(opened(report).entries()) == [{"planned_at": 1}, {"deadline": 2}]

    def test_the_record_beside_the_report_is_not_written_by_a_try_that_another_has_taken_it_from(
        self, report: str
    ) -> None:
        orphan = opened(report)
        orphan.append({"planned_at": 1})
        heir = opened(report)
        with pytest.raises(RecordTakenOverError, match="sends nothing more"):
            orphan.append({"deadline": 2})
        heir.append({"deadline": 3})
        with pytest.raises(RecordTakenOverError):
            orphan.append({"deadline": 4})
        assert list(opened(report).entries()) == [{"planned_at": 1}, {"deadline": 3}]

    def test_the_record_beside_the_report_goes_on_in_the_place_of_an_entry_that_was_cut_off(
        self, report: str, tmp_path: Path
    ) -> None:
        opened(report).append({"planned_at": 1})
        Path(f"{report}.ledger", "run", "000002.jsonl").write_text('{"deadl')
        opened(report).append({"deadline": 2})
        assert list(opened(report).entries()) == [{"planned_at": 1}, {"deadline": 2}]
