# SPDX-License-Identifier: Apache-2.0
"""Decide when the next request of an account may go: pure functions of the time, a document and a limit.

The document is shared by all that act on the account; a request reserves its slot in it, and then waits for that. Times
are those of the store that keeps the document.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from ...chats.model import Json
from ...exceptions import MAX_PAUSE_SECONDS
from ..rate import RateLimit

CLOCK_HEADROOM = 0.999
"""The share of a bucket's rate that is used: clocks of two machines differ by less than a thousandth. What the network
and busy machines make uneven is taken up by places of the bucket that are left free.
"""

FREE_SHARE = 0.06
"""The share of a bucket's places that are left free at least."""

FREE_SECONDS = 0.5
"""Seconds of requests for which places are left free at least. A request that is later than half of that is not sent in
its slot any more: a process that was stopped would send beside those whose turn it is.
"""

MIN_LATE_SECONDS = 0.1
"""Seconds that a request may always be later than its slot, since no machine is on time. Where a bucket has no places
that could be left free for that, requests are that much farther apart.
"""

COUNT_HEADROOM = 0.95
"""The share of a limit that is used where the bucket holds no more than a second's requests. Such a limit may be a
count per second, and has no places that could be left free.
"""

USER_SECONDS = 300.0
"""Seconds for which a process counts as one of the account's users after its last request."""

MAX_USERS = 64
"""Users that the document names at most, those of late."""

FUTURE_SECONDS = 2 * MAX_PAUSE_SECONDS
"""A document that has the bucket full for longer than this is from another clock."""

MIN_SHARE = 0.1
"""The least share of a limit that we use, whatever other clients do."""

RECOVERY_PER_SECOND = 0.5 / 600
"""How much our share grows per second: from half to all of it in ten minutes."""

REPEATED_WITHIN_SECONDS = 60.0
"""Seconds. A second refusal within this time does not come from what an earlier run has left in the bucket: a full one
drains in half a minute.
"""


@dataclass(frozen=True, slots=True)
class Bucket:
    """How a limit is kept: seconds between two requests, seconds that may be ahead of that, and how late one may be."""

    interval: float
    ahead: float
    late: float

    @classmethod
    def of(cls, limit: RateLimit) -> Bucket:
        """Return the bucket that never fills the one of ``limit``."""
        if limit.burst > limit.per_second:
            rate = limit.per_second * CLOCK_HEADROOM
            free = max(FREE_SHARE * limit.burst, FREE_SECONDS * limit.per_second, 1.0)
            places = max(1, math.floor(limit.burst - free))
            late = (limit.burst - places) / limit.per_second / 2
            interval = 1 / rate + 2 * max(0.0, MIN_LATE_SECONDS - late)
        else:
            rate = limit.per_second * COUNT_HEADROOM
            places = max(1, math.floor(limit.burst * (1 - COUNT_HEADROOM)))
            interval, late = 1 / rate, 0.0
        return cls(interval, (places - 1) * interval, max(late, MIN_LATE_SECONDS))

    def divided(self, users: int) -> Bucket:
        """Return the part of one of ``users`` that do not know of each other."""
        return self if users == 1 else replace(self, interval=self.interval * users, ahead=0.0)


@dataclass(frozen=True, slots=True)
class User:
    """One of those that share the pace of an account.

    ``users`` is among how many the limit is divided, where they cannot share a document. ``served_at`` is the slot of
    the last request that the service took. ``bucket_full`` tells to assume a full bucket, since others may have filled
    it unseen.
    """

    name: str
    limit: RateLimit
    users: int = 1
    served_at: float | None = None
    bucket_full: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """When a request may go: ``wait`` seconds from now.

    ``moved`` is by how many seconds closings had moved all slots when it was given out, ``late`` how many seconds too
    late it may be used. ``per_second`` and ``halved_at`` tell how fast the account goes, ``users`` how many share it.
    """

    at: float
    wait: float
    moved: float
    late: float
    per_second: float
    halved_at: float | None
    users: int


@dataclass(frozen=True, slots=True)
class AccountPace:
    """What the document of an account holds.

    ``empty_at`` is when the bucket will have drained (generic cell rate algorithm). Nothing goes before ``open_at``;
    ``moved`` is by how many seconds closings have moved all slots that were given out. Our share of the limit was
    ``halved_to`` at ``halved_at``. Those who were alone go on together from ``together_at``. ``users`` has each user's
    limit, and when they asked last.
    """

    empty_at: float = 0.0
    open_at: float = 0.0
    moved: float = 0.0
    halved_to: float = 1.0
    halved_at: float | None = None
    refused_at: float | None = None
    served_at: float | None = None
    together_at: float = 0.0
    users: Mapping[str, tuple[float, int, float]] = field(default_factory=dict)

    @classmethod
    def read(cls, document: Json | None, *, now: float) -> AccountPace:
        """Return what ``document`` says; one that is none of ours, or of another clock, counts as missing."""
        try:
            known = {each.name: document[each.name] for each in fields(cls)} if document else {}
            pace = cls(**known)
            users = {str(name): _user(entry) for name, entry in pace.users.items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            return cls()
        numbers = (pace.empty_at, pace.open_at, pace.moved, pace.halved_to, pace.together_at)
        moments = (each for each in (pace.halved_at, pace.refused_at, pace.served_at) if each is not None)
        if not all(map(_is_number, (*numbers, *moments))) or not 0 < pace.halved_to <= 1:
            return cls()
        return cls() if pace.empty_at > now + FUTURE_SECONDS else replace(pace, users=users)

    def bucket(self, user: User) -> Bucket:
        """Return how the strictest of the limits in use is kept."""
        limits = [entry[:2] for entry in self.users.values()]
        rate = min([user.limit.per_second, *(per_second for per_second, _ in limits)])
        burst = min([user.limit.burst, *(burst for _, burst in limits)])
        return Bucket.of(RateLimit(rate, burst)).divided(user.users)

    def joined(self, user: User, *, now: float) -> AccountPace:
        """Return the pace with ``user`` among those who use it now."""
        users = {name: entry for name, entry in self.users.items() if now - entry[2] <= USER_SECONDS}
        users[user.name] = (user.limit.per_second, user.limit.burst, round(now, 1))
        late = sorted(users, key=lambda name: users[name][2])[: max(0, len(users) - MAX_USERS)]
        served = max((at for at in (self.served_at, user.served_at) if at is not None), default=None)
        return replace(self, users={name: entry for name, entry in users.items() if name not in late}, served_at=served)

    def share(self, now: float) -> float:
        """Return our share of the limit, from ``MIN_SHARE`` to 1."""
        if self.halved_at is None:
            return 1.0
        return min(1.0, self.halved_to + (now - self.halved_at) * RECOVERY_PER_SECOND)

    def refused(self, went_at: float, *, now: float) -> AccountPace:
        """Return the pace after a request of the slot ``went_at`` was refused for coming too soon after others.

        We keep to the limit, so it shows somebody else who uses the account. One refusal may come from what was sent
        before we began; several with nothing served in between are an outage; and those of requests that were under
        way together are one.
        """
        if self.refused_at is not None and went_at <= self.refused_at:
            return self
        share, last = self.share(now), self.refused_at
        known = share < 1 or (last is not None and now - last < REPEATED_WITHIN_SECONDS)
        served = self.served_at is not None and (last is None or self.served_at > last)
        if known and served and share > MIN_SHARE:
            return replace(self, refused_at=now, halved_to=max(MIN_SHARE, share / 2), halved_at=now)
        return replace(self, refused_at=now)

    def slot(self, at: float, bucket: Bucket, *, now: float) -> Slot:
        """Return the slot ``at`` of this pace."""
        share = self.share(now)
        return Slot(
            at=at,
            wait=max(0.0, at - now),
            moved=self.moved,
            late=bucket.late,
            per_second=share / bucket.interval,
            halved_at=self.halved_at if share < 1 else None,
            users=len(self.users),
        )


def reserve(now: float, document: Json | None, user: User) -> tuple[Json, Slot]:
    """Reserve the next slot for ``user``; those who asked before have the earlier ones."""
    pace = AccountPace.read(document, now=now).joined(user, now=now)
    bucket = pace.bucket(user)
    empty_at = max(pace.empty_at, now + bucket.ahead) if user.bucket_full else pace.empty_at
    at = max(now, empty_at - bucket.ahead)
    pace = replace(pace, empty_at=max(empty_at, now) + bucket.interval / pace.share(now))
    return asdict(pace), pace.slot(at, bucket, now=now)


def keep(now: float, document: Json | None, user: User, slot: Slot) -> tuple[Json | None, Slot]:
    """Return ``slot`` as it is after the time that was slept for it; the document only where it has changed.

    It is as much later as the account was closed meanwhile, so that nobody loses their place to those who came later.
    One whose user has slept for too long is lost, and another one is reserved, which may be used twice as late: also a
    machine that is never on time gets through.
    """
    pace = AccountPace.read(document, now=now)
    moved = max(0.0, pace.moved - slot.moved)
    at = max(slot.at + moved, pace.open_at) if moved else slot.at
    if now - at > slot.late:
        document, another = reserve(now, document, user)
        return document, replace(another, late=2 * slot.late)
    return None, replace(slot, at=at, wait=max(0.0, at - now), moved=slot.moved + moved)


def close(
    now: float, document: Json | None, user: User, *, seconds: float, refused_at: float | None = None
) -> tuple[Json, Slot]:
    """Let nothing pass for ``seconds``, and after that only what drains: the bucket is full.

    At most a day; a value that is no number closes it for no time. ``refused_at`` is the slot of a request that was
    refused for coming too soon. The slot that is returned is the next free one, and not reserved.
    """
    pace = AccountPace.read(document, now=now).joined(user, now=now)
    if refused_at is not None:
        pace = pace.refused(refused_at, now=now)
    bucket = pace.bucket(user)
    pause = 0.0 if math.isnan(seconds) else min(max(seconds, 0.0), MAX_PAUSE_SECONDS)
    open_at = max(pace.open_at, now + pause)
    moved = open_at - max(pace.open_at, now)
    empty_at = max(pace.empty_at + moved, open_at + bucket.ahead)
    pace = replace(pace, open_at=open_at, moved=pace.moved + moved, empty_at=empty_at)
    return asdict(pace), pace.slot(empty_at - bucket.ahead, bucket, now=now)


def meet(now: float, document: Json | None, *, within: float) -> tuple[Json | None, float]:
    """Return in how many seconds those who were alone go on together, ``within`` which all of them will have asked.

    All go on at one time, which the first one names: before that, one of them would add the whole pace to the shares of
    those who are still alone.
    """
    pace = AccountPace.read(document, now=now)
    if 0 <= pace.together_at - now <= within:
        return None, pace.together_at - now
    return asdict(replace(pace, together_at=now + within)), within


def _user(entry: Any) -> tuple[float, int, float]:
    per_second, burst, at = entry
    if not _is_number(at):
        raise ValueError("no time")
    limit = RateLimit(per_second, burst)
    return limit.per_second, limit.burst, at


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
