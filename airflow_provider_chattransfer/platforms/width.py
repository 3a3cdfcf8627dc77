# SPDX-License-Identifier: Apache-2.0
"""Find out how many requests of an account to have under way at once."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

SLOWED_DOWN = 2.0
"""How many times as long a request may take as the fastest one of its kind before more at once do not help."""


@dataclass(slots=True)
class Width:
    """How many requests may be under way: from one to ``most``.

    It grows by one with each request that went well, until there was trouble for the first time; after that by one with
    each round of them. It is halved when the service refuses to be asked so fast, or gives no answer.
    """

    most: int
    now: int = 1
    _went_well: int = 0
    _had_trouble: bool = False
    _fastest: dict[Hashable, float] = field(default_factory=dict)

    def note(self, *, seconds: float, kind: Hashable, trouble: bool) -> None:
        """Learn from a request of ``kind`` that took ``seconds``, without its wait for the pace."""
        if trouble:
            self.now, self._went_well, self._had_trouble = max(1, self.now // 2), 0, True
            return
        fastest = self._fastest[kind] = min(seconds, self._fastest.get(kind, seconds))
        self._went_well += 1
        is_due = not self._had_trouble or self._went_well >= self.now
        if is_due and self.now < self.most and seconds <= SLOWED_DOWN * fastest:
            self.now, self._went_well = self.now + 1, 0
