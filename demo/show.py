# SPDX-License-Identifier: Apache-2.0
"""What the demo prints: who has how many chats, what became of them, and who needs a human."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

Json = Mapping[str, Any]

MEANING = {
    "accepted": "the receiver has it",
    "requested": "on its way, nobody has accepted",
    "unchanged": "was there already",
    "skipped": "closed, or gone elsewhere",
    "failed": "not moved",
    "planned": "dry run",
}


def holders(service: Json) -> Counter[str]:
    """How many open chats each agent has, and how many wait in each queue."""
    counted: Counter[str] = Counter({f"agent:{agent['id']}": 0 for agent in service["agents"] if agent["active"]})
    for chat in service["chats"]:
        if chat["state"] != "closed":
            counted[f"agent:{chat['owner']}" if chat["owner"] else f"queue:{chat['queue']}"] += 1
    return counted


def floor(service: Json, *, before: Counter[str] | None = None, title: str = "") -> Table:
    """Who has how many chats; with ``before``, next to what it was."""
    now = holders(service)
    names = {f"agent:{each['id']}": each["name"] for each in service["agents"]}
    names |= {f"queue:{each['id']}": each["name"] for each in service["queues"]}
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("", style="bold")
    table.add_column("")
    if before is not None:
        table.add_column("before", justify="right")
    table.add_column("now", justify="right")
    table.add_column("")
    for holder in sorted(now.keys() | (before or Counter()).keys(), key=_place):
        if not now[holder] and not (before and before[holder]):
            continue
        counts = [str(now[holder])] if before is None else [str(before[holder]), str(now[holder])]
        bar = Text("▇" * max(1 if now[holder] else 0, now[holder] // 4), style="cyan")
        table.add_row(holder, names.get(holder, ""), *counts, bar)
    return table


def _place(holder: str) -> tuple[str, int]:
    kind, _, number = holder.partition(":")
    return kind, int(number)


def progress(service: Json, requests: int, *, before: Counter[str], title: str) -> Group:
    """Return the floor while the DAG runs."""
    return Group(floor(service, before=before, title=title), Text(f"requests: {requests}", style="dim"))


def line(service: Json, requests: int) -> str:
    """Return the floor in one line."""
    held = ", ".join(f"{holder} {count}" for holder, count in sorted(holders(service).items()) if count)
    return f"  {requests:>4} requests   {held}"


def outcomes(console: Console, report: Json) -> None:
    """Show the counts of a report, and every chat that somebody has to look after."""
    table = Table(title="The report", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for column in ("outcome", "chats", ""):
        table.add_column(column, justify="right" if column == "chats" else "left")
    for outcome, count in report["counts"].items():
        table.add_row(outcome, str(count), MEANING[outcome], style=None if count else "dim")
    console.print(table)
    human = [each for each in report["transfers"] if each["outcome"] in ("requested", "failed")]
    console.print(f"\n[bold]{len(human)} chats need a human{':' if human else ''}[/bold]", highlight=False)
    for each in human:
        why = each["reason"] or "nobody has accepted it yet"
        line = f"  chat {each['chat_id']}  {each['from']} → {each['to']}  {each['outcome']}: {why}"
        console.print(line, highlight=False)


def picture(console: Console, *, title: str) -> str:
    """Return what a recording console printed as SVG, without the fonts that rich would have it load from elsewhere."""
    return re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title=title), flags=re.DOTALL)


def verdict(console: Console, problems: Sequence[str], *, chats: int, requests: int, seconds: float) -> None:
    """Whether the report and the sandbox's ledger agree."""
    console.print(f"\n{requests} requests, {seconds:.1f} s in all, for {chats} chats.", highlight=False)
    if not problems:
        console.print(
            "[green]The report equals the sandbox's ledger: every chat moved exactly once, none touched that "
            "should not be.[/green]"
        )
    for problem in problems:
        console.print(f"[red]✗ {problem}[/red]", highlight=False)
