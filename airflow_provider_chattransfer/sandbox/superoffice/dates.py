# SPDX-License-Identifier: Apache-2.0
"""How a caller wants times written: by default naive in the tenant's zone, otherwise as `SO-TimeZone` says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

NULL_DATE = "0001-01-01T00:00:00"
"""What stands for "no date"."""

MAX_DATE = "9999-12-31T23:59:59"
"""The latest date of .NET, with nines for a fraction; it is the same in every zone."""

LAST_DAY = datetime(9999, 12, 30, tzinfo=UTC).timestamp()
"""From here on a date may be beyond the latest one in some zone, and is written as that."""

ZONES = {
    "UTC": "UTC", "1": "UTC", "AU-ACT": "Australia/Canberra", "36": "Australia/Canberra", "BD": "Asia/Dhaka",
    "50": "Asia/Dhaka", "CA-QC": "America/Toronto", "114": "America/Toronto", "DK": "Europe/Copenhagen",
    "140": "Europe/Copenhagen", "FR": "Europe/Paris", "156": "Europe/Paris", "NO": "Europe/Oslo",
    "261": "Europe/Oslo", "US-CA": "America/Los_Angeles", "425": "America/Los_Angeles",
    "US-HI": "Pacific/Honolulu", "433": "Pacific/Honolulu", "US-NY": "America/New_York", "460": "America/New_York",
}  # fmt: skip
"""SuperOffice's own names and numbers of time zones, as far as its page on them lists them."""


@dataclass(frozen=True, slots=True)
class Dates:
    """Writes times in ``zone``. ``with_offset`` is the header's `includeTZOffset`, ``base`` the server's own zone."""

    zone: tzinfo
    base: tzinfo
    with_offset: bool = False

    @classmethod
    def asked_by(cls, header: str | None, *, base: tzinfo) -> Dates:
        """As the header `SO-TimeZone` asks (`UTC,includeTZOffset`); raises `ValueError` for an unknown zone."""
        if not header or not header.strip():
            return cls(zone=base, base=base)
        code, *options = (part.strip() for part in header.split(","))
        with_offset = "includetzoffset" in map(str.casefold, options)
        return cls(zone=zone(code) if code else base, base=base, with_offset=with_offset)

    def entity(self, at: float | None) -> str:
        """Return a date of an entity: seven digits of a second, year 1 for none."""
        return self._written(at, self.zone)

    def posted(self, at: float) -> str:
        """`ChatMessage.WhenPosted`, which is in UTC whatever the caller's zone."""
        return self._written(at, UTC)

    def row(self, at: float | None) -> str:
        """Return a date in a row of an archive: whole seconds, always naive."""
        if at is None:
            return NULL_DATE
        if at >= LAST_DAY:
            return MAX_DATE
        return datetime.fromtimestamp(at, self.zone).replace(tzinfo=None).isoformat(timespec="seconds")

    def parsed(self, text: str) -> float:
        """Return a date from a filter; a naive one is in the caller's zone. Raises `ValueError`."""
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=self.zone)).timestamp()

    def member(self, text: str | None) -> float | None:
        """Return a date of an entity in a body, ``None`` for year 1 and for none. Raises `ValueError`."""
        return None if not text or text.startswith("0001-") else self.parsed(text)

    def _written(self, at: float | None, zone: tzinfo) -> str:
        if at is None:
            return _null_date(zone) if self.with_offset else NULL_DATE
        moment = datetime.fromtimestamp(min(at, LAST_DAY), zone)
        text = f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}4"
        if at >= LAST_DAY:
            text = f"{MAX_DATE}.9999999"
        return text + _offset(moment) if self.with_offset else text


def zone(code: str) -> tzinfo:
    """Return the zone with this name of SuperOffice's or of the tz database; raises `ValueError` when there is none."""
    code = ZONES.get(code.upper(), code)
    if code == "UTC":
        return UTC
    try:
        return ZoneInfo(code)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        raise ValueError(f"unknown time zone: {code!r}") from problem


def _null_date(zone: tzinfo) -> str:
    """No date with an offset: midnight in UTC, where that is not before year 1 (`0001-01-01T01:00:00+01:00`).

    A zone has its standard offset then, not the local mean time of its town.
    """
    winter = next(moment for month in (1, 7) if not (moment := datetime(2000, month, 1, tzinfo=zone)).dst())
    east = max(winter.utcoffset() or timedelta(), timedelta())
    return (datetime(1, 1, 1) + east).isoformat(timespec="seconds") + _offset(winter)


def _offset(moment: datetime) -> str:
    if moment.tzinfo is UTC:
        return "Z"
    text = moment.strftime("%z")
    return f"{text[:3]}:{text[3:5]}"
