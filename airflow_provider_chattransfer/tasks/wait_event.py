# SPDX-License-Identifier: Apache-2.0
"""The event with which a trigger ends a wait, as the task reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ..chats.model import TransferReport
from ..chats.stored_json import read_stored


@dataclass(frozen=True, slots=True)
class WaitEnded:
    """What a trigger's event says: the report as it stands, and the error that ended the wait, if one did.

    ``permanent`` tells that a retry of the task would meet the same error; ``retry_after`` is the number of seconds for
    which it would. ``out_of_time`` tells that the task itself ran out of time before the receivers did.
    """

    report: TransferReport
    error: str | None = None
    permanent: bool = False
    retry_after: float | None = None
    out_of_time: bool = False

    def to_event(self) -> dict[str, Any]:
        """Return the payload of the event."""
        return {
            "report": self.report.to_json(),
            "error": self.error,
            "permanent": self.permanent,
            "retry_after": self.retry_after,
            "out_of_time": self.out_of_time,
        }

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Read an event; raises ``ValueError`` that names the member for one that this trigger does not send."""
        if not isinstance(event, Mapping):
            raise ValueError(f"this is not an event of AcceptTransferTrigger: {type(event).__name__}")
        try:
            return cls(
                report=TransferReport.from_json(read_stored(event.get("report"), dict[str, Any], of="report")),
                error=read_stored(event.get("error"), str | None, of="error"),
                permanent=read_stored(event.get("permanent", False), bool, of="permanent"),
                retry_after=read_stored(event.get("retry_after"), float | None, of="retry_after"),
                out_of_time=read_stored(event.get("out_of_time", False), bool, of="out_of_time"),
            )
        except ValueError as problem:
            raise ValueError(f"this is not an event of AcceptTransferTrigger: {problem}") from None
