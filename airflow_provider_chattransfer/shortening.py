# SPDX-License-Identifier: Apache-2.0
"""Cut texts to the lengths that errors, reasons and log lines may have."""

from __future__ import annotations

MAX_SENTENCE_LETTERS = 300
"""Letters of an error, and of the reason in a result: a report of thousands of chats has as many."""


def cut(text: str, room: int) -> str:
    """Return ``text`` in at most ``room`` letters, without its end."""
    return text if len(text) <= room else f"{text[: room - 1]}…"


def without_middle(text: str, *, most: int) -> str:
    """Return ``text`` in at most ``most`` letters, without its middle: an error ends with its code."""
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}…{text[1 - half :]}"
