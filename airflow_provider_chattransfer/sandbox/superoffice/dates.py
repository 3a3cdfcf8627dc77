# SPDX-License-Identifier: Apache-2.0
"""How a caller wants times written: by default naive in the tenant's zone, otherwise as `SO-TimeZone` says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

NULL_DATE = "0001-01-01T00:00:00"
"""What stands for "no date"."""


@dataclass(frozen=True, slots=True)
class Dates:
    """Writes times in ``zone``. ``with_offset`` is the header's `includeTZOffset`."""

    zone: tzinfo
    with_offset: bool = False

    @classmethod
    def asked_by(cls, header: str | None, *, base: tzinfo) -> Dates:
        """As the header `SO-TimeZone` asks (`UTC,includeTZOffset`); raises `ValueError` for an unknown zone."""
        if not header or not header.strip():
            return cls(zone=base)
        code, *options = (part.strip() for part in header.split(","))
        return cls(zone=zone(code) if code else base, with_offset="includetzoffset" in map(str.casefold, options))

    def entity(self, at: float | None) -> str:
        """A date of an entity: seven digits of a second, year 1 for none."""
        return self._written(at, self.zone)

    def posted(self, at: float) -> str:
        """`ChatMessage.WhenPosted`, which is in UTC whatever the caller's zone."""
        return self._written(at, UTC)

    def row(self, at: float | None) -> str:
        """A date in a row of an archive: whole seconds, always naive."""
        if at is None:
            return NULL_DATE
        return datetime.fromtimestamp(at, self.zone).replace(tzinfo=None).isoformat(timespec="seconds")

    def parsed(self, text: str) -> float:
        """A date from a filter; a naive one is in the caller's zone. Raises `ValueError`."""
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=self.zone)).timestamp()

    def _written(self, at: float | None, zone: tzinfo) -> str:
        moment = datetime(1, 1, 1, tzinfo=zone) if at is None else datetime.fromtimestamp(at, zone)
        text = NULL_DATE if at is None else f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}4"
        return text + _offset(moment) if self.with_offset else text


def zone(code: str) -> tzinfo:
    """The zone with this name; raises `ValueError` when there is none."""
    if code.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(code)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        raise ValueError(f"unknown time zone: {code!r}") from problem


def _offset(moment: datetime) -> str:
    if moment.tzinfo is UTC:
        return "Z"
    text = moment.strftime("%z")
    return f"{text[:3]}:{text[3:5]}"
