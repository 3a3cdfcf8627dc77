# SPDX-License-Identifier: Apache-2.0
"""Check each page of a list before the next one is asked for, so that every list ends."""

from __future__ import annotations

from collections.abc import Iterable

from ..exceptions import UnexpectedResponseError

DOES_NOT_ADVANCE = "the list does not go on behind its last row"


class Paging:
    """Tells a list that advances from one that shows the same rows for ever; one object for each list that is read."""

    def __init__(self, *, method: str, most: int) -> None:
        """Expect at most ``most`` rows; ``method`` is for the error."""
        self._method = method
        self._most = most
        self._seen: set[str] = set()

    def note_page(self, rows: Iterable[str]) -> None:
        """Note a page that is not the last one, by the ids of its rows.

        Raises ``UnexpectedResponseError`` when none of them is new, and when there are too many.
        """
        known = len(self._seen)
        self._seen.update(rows)
        if len(self._seen) == known:
            raise UnexpectedResponseError(DOES_NOT_ADVANCE, method=self._method)
        if len(self._seen) >= self._most:
            raise UnexpectedResponseError(f"the list does not end within {self._most} rows", method=self._method)
