# SPDX-License-Identifier: Apache-2.0
"""Read the headers of an answer that tell a time: when it was written, and when to come back."""

from __future__ import annotations

import re
import time
from datetime import UTC
from email.utils import parsedate_to_datetime

from ..exceptions import MAX_PAUSE_SECONDS

MAX_CLOCK_AHEAD_SECONDS = 10 * 366 * 86_400.0
"""Seconds by which a service's clock may differ from ours; a ``Date`` beyond that is ignored."""

SECONDS = re.compile(r"\d+(?:\.\d*)?", re.ASCII)
"""Match the seconds of ``Retry-After``."""


def read_clock_ahead(date: str | None) -> float | None:
    """Return by how many seconds the clock behind the header ``Date`` is ahead of ours; ``None`` where unknown."""
    try:
        sent_at = parsedate_to_datetime(date or "")
        ahead = sent_at.replace(tzinfo=sent_at.tzinfo or UTC).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return ahead if abs(ahead) < MAX_CLOCK_AHEAD_SECONDS else None


def read_retry_after(value: str | None) -> float | None:
    """Read ``Retry-After`` in seconds, a day at most; neither service uses the form with a date."""
    found = SECONDS.fullmatch(value.strip()) if value is not None else None
    return min(float(found.group()), MAX_PAUSE_SECONDS) if found else None
