# SPDX-License-Identifier: Apache-2.0
"""Summarise a report for the person on call: counts for each receiver, and every chat that needs a human."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ..chats.model import Outcome, Result, TransferReport
from ..shortening import cut

log = logging.getLogger(__name__)

NEEDS_A_HUMAN = (Outcome.REQUESTED, Outcome.FAILED)
"""Outcomes after which somebody has to look at the chat."""

MAX_LISTED_CHATS = 200
"""Chats that need a human, as the log lists them at most; the report has all of them."""

MAX_IDS_PER_REASON = 2
"""Chats that an error names for each reason."""


def log_summary(report: TransferReport) -> None:
    """Log the counts for each receiver, then every chat that needs a human, one line each."""
    for line in summary(report):
        log.info("%s", line)


def summary(report: TransferReport) -> Iterator[str]:
    """Yield the lines of the table and of the list: outcomes always in the same order, ids and reasons only."""
    yield from _table(report)
    human = [result for result in report.results if result.outcome in NEEDS_A_HUMAN]
    if not human:
        yield "No chat needs a human."
        return
    yield f"{len(human)} chats need a human:" if len(human) > 1 else "1 chat needs a human:"
    for result in human[:MAX_LISTED_CHATS]:
        transfer, why = result.transfer, result.reason or "nobody has accepted it yet"
        yield f"  chat {transfer.chat_id}  {transfer.source or '?'} -> {transfer.target}  {result.outcome}: {why}"
    if len(human) > MAX_LISTED_CHATS:
        yield f"  and {len(human) - MAX_LISTED_CHATS} more, all in the report"


def group_by_reason(failed: Sequence[Result], *, room: int) -> str:
    """Return the reasons of chats that failed, the most frequent first, each with some of its chats.

    The text has at most ``room`` letters.
    """
    chats: dict[str, list[str]] = {}
    for result in failed:
        chats.setdefault(result.reason or "no reason", []).append(result.transfer.chat_id)
    groups = sorted(chats.items(), key=lambda group: -len(group[1]))
    parts: list[str] = []
    left = room
    for number, (reason, ids) in enumerate(groups):
        chats_named = _chats_named(ids)
        if parts and len(chats_named) + len(reason) + 2 > left:
            rest = sum(len(each) for _, each in groups[number:])
            parts.append(f"and {rest} more for other reasons" if rest > 1 else "and 1 more")
            break
        words = f"{chats_named}: {cut(reason, max(20, left - len(chats_named) - 2))}"
        parts.append(words)
        left -= len(words) + 2
    return cut("; ".join(parts), room)


def _table(report: TransferReport) -> Iterator[str]:
    counted = report.counts
    shown = [outcome for outcome in Outcome if counted[outcome]] or [Outcome.ACCEPTED]
    receivers: dict[str, Counter[Outcome]] = {}
    for result in report.results:
        receivers.setdefault(str(result.transfer.target), Counter())[result.outcome] += 1
    if not receivers:
        yield "No chat was to be moved."
        return
    rows = [*receivers.items(), ("all", Counter(counted))] if len(receivers) > 1 else list(receivers.items())
    width = max(len("receiver"), *(len(name) for name, _ in rows))
    yield f"{'receiver':<{width}}" + "".join(f"  {outcome.value:>9}" for outcome in shown)
    for name, counts in rows:
        yield f"{name:<{width}}" + "".join(f"  {counts[outcome]:>9}" for outcome in shown)


def _chats_named(ids: Iterable[str]) -> str:
    ids = list(ids)
    if len(ids) == 1:
        return f"chat {ids[0]}"
    named = ", ".join(ids[:MAX_IDS_PER_REASON])
    return f"chats {named}" + (f" and {len(ids) - MAX_IDS_PER_REASON} more" if len(ids) > MAX_IDS_PER_REASON else "")
