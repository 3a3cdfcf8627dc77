# SPDX-License-Identifier: Apache-2.0
"""Read the transfers that a sensor waits for from what an upstream task or a DAG author gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, TypeGuard

from ..chats.model import Json, Outcome, Result, Transfer, TransferReport
from ..chats.references import rows
from ..chats.rows import TransferRow, each_once, transfer_rows
from ..chats.run_record import RunRecord

if TYPE_CHECKING:
    from ..platforms.base import ChatPlatform


@dataclass(frozen=True, slots=True)
class AwaitedTransfers:
    """Rows, each with the outcome that it has so far.

    ``platform`` is the service that reports name, and ``started_at`` when the first of them began; ``None`` where there
    were no reports. ``dry_run``: all reports were of dry runs, so that nothing was sent.
    """

    rows: tuple[TransferRow, ...]
    platform: str | None = None
    started_at: datetime | None = None
    dry_run: bool = False

    @classmethod
    def read(cls, value: object) -> Self:
        """Read a report, a list of reports, or rows; a task that left no report (``None`` in a list) adds nothing.

        Raises ``ValueError`` for anything else, with the place and the member.
        """
        if isinstance(value, Mapping):
            return cls._of_reports([value])
        given = rows(_without_gaps(value), of="transfers")
        if given and all("platform" in each or "transfers" in each for each in given):
            return cls._of_reports(given)
        return cls(tuple(transfer_rows(given)))

    @classmethod
    def _of_reports(cls, values: Iterable[Mapping[str, Any]]) -> Self:
        try:
            reports = [TransferReport.from_json(each) for each in values]
        except ValueError as problem:
            raise ValueError(f"transfers: {problem}") from None
        platforms = sorted({report.platform for report in reports})
        if len(platforms) > 1:
            raise ValueError(
                f"transfers: the reports are of {' and '.join(platforms)}; wait for each by its own sensor"
            )
        results: dict[str, Result] = {}
        for report in reports:
            results |= {result.transfer.chat_id: result for result in report.results}
        return cls(
            tuple(map(_row, results.values())),
            platform=next(iter(platforms), None),
            started_at=min((report.started_at for report in reports), default=None),
            dry_run=bool(reports) and all(report.dry_run for report in reports),
        )

    @property
    def waiting(self) -> list[TransferRow]:
        """Those that nobody has accepted yet."""
        return [row for row in self.rows if row.outcome in (None, Outcome.REQUESTED)]

    def check(self, platform: ChatPlatform, *, conn_id: str) -> None:
        """Raise ``ValueError`` when the transfers are not those of ``platform``. No request is made."""
        if self.platform is None:
            platform.check_targets([row.target for row in self.waiting])
        elif self.waiting and self.platform != platform.name:
            raise ValueError(
                f"transfers: the report is of {self.platform}, and connection {conn_id!r} of {platform.name}"
            )

    def to_json(self) -> Json:
        """Return everything that decides what is waited for; the same rows give the same."""
        return {"wait": [[row.chat, str(row.target), row.outcome and row.outcome.value] for row in self.rows]}

    def resolved(self, platform: ChatPlatform) -> Self:
        """Return the same with numbers for names, looked up on ``platform``."""
        found = platform.chats_by_number([row.chat for row in self.rows], of="transfers")
        ends = [end for row in self.rows for end in (row.target, row.source) if end is not None]
        named = platform.resolve([end for end in ends if end.name is not None], of="transfers")
        known = [
            replace(
                row,
                chat=found[row.chat],
                target=named.get(row.target, row.target),
                source=row.source and named.get(row.source, row.source),
            )
            for row in self.rows
        ]
        rows = each_once(("transfers", row) for row in known)
        return replace(self, rows=tuple(rows), platform=platform.name)

    @property
    def results(self) -> list[Result]:
        """What is known about each transfer without a poll."""
        return [
            Result(Transfer(row.chat, row.target, row.source), row.outcome or Outcome.REQUESTED, row.reason)
            for row in self.rows
        ]

    def report(self, record: RunRecord, *, conn_id: str, at: datetime) -> TransferReport:
        """Return the report as it stands at ``at``, with what ``record`` knows."""
        results = [record.results.get(each.transfer.chat_id, each) for each in self.results]
        if record.has_plan:
            results = [record.results.get(each.chat_id) or Result(each, Outcome.REQUESTED) for each in record.plan]
        recorded = record.recorded_for or record.owner
        return TransferReport(
            platform=self.platform or (recorded.platform if recorded else ""),
            conn_id=conn_id,
            results=tuple(results),
            started_at=self.started_at or at,
            finished_at=at,
            dry_run=self.dry_run,
        )


def _without_gaps(value: object) -> object:
    """Return the reports of several tasks, mapped or not, in one list, without those that are missing."""
    if not _is_list(value):
        return value
    return [each for entry in value for each in (entry if _is_list(entry) else [entry]) if each is not None]


def _is_list(value: object) -> TypeGuard[Iterable[Any]]:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | bytearray | Mapping)


def _row(result: Result) -> TransferRow:
    transfer = result.transfer
    return TransferRow(transfer.chat_id, transfer.target, transfer.source, result.outcome, result.reason)
