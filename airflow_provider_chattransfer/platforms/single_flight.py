# SPDX-License-Identifier: Apache-2.0
"""Let one thread at a time find something out, for all that need it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from ..exceptions import PlatformError

T = TypeVar("T")


class SingleFlight:
    """Guards what several threads find out at the same moment: one asks, the others wait, and take what it came to.

    An error is shared as well, by those that waited for it: none of them asks again what was answered just now.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended = 0
        self._error: PlatformError | None = None

    def run(self, find: Callable[[], T], *, known: Callable[[], T | None]) -> T:
        """Return what ``known`` tells, unless that is ``None``, else what ``find`` comes to.

        Both are called under the lock, so that ``find`` may not come here again. Raises what ``find`` raises.
        """
        ended = self._ended
        with self._lock:
            if (found := known()) is not None:
                return found
            if self._error is not None and self._ended != ended:
                raise self._error
            self._error = None
            try:
                return find()
            except PlatformError as error:
                self._error = error
                raise
            finally:
                self._ended += 1
