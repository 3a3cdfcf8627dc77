# SPDX-License-Identifier: Apache-2.0
"""``make chaos``: random schedules of faults, kills and people, each judged chat by chat.

``python -m tests.chaos --seed 123`` replays one, and shows all that happened.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from .harness import Harness
from .schedules import Played, Schedule, play

SCHEDULES = 1000


def main() -> int:
    """Play the schedules, print the figures; 0 when nothing was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--schedules", type=int, default=SCHEDULES, help="how many (default: %(default)s)")
    parser.add_argument("--first", type=int, default=1, help="the seed of the first one (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="replay the schedule of this seed only")
    parser.add_argument("--stages", type=int, default=os.cpu_count() or 1, help="how many at the same time")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        return replay(arguments.seed)
    started = time.monotonic()
    seeds = range(arguments.first, arguments.first + arguments.schedules)
    total = Total()
    for played in play_all(seeds, stages=max(1, arguments.stages)):
        total.add(played)
        if played.violations:
            print(f"{_replay_command(played.schedule.seed)}\n  " + "\n  ".join(played.violations), flush=True)
    total.show(seconds=time.monotonic() - started)
    return 1 if total.violations else 0


def replay(seed: int) -> int:
    """Play one schedule and show its course."""
    schedule = Schedule.of(seed)
    with Harness() as stage:
        played = play(schedule, stage)
        print(stage.log())
    for name in schedule.__slots__:
        print(f"{name}: {getattr(schedule, name)}")
    for change in (each for each in played.changes if each["change"] != "wrote"):
        who = f"request {change['request']}" if change["request"] else change["by"]
        moved = f"{change['before']} → {change['after']}"
        print(f"  {change['at'][11:23]} {change['chat_id']} {change['change']}: {moved}, {who}")
    for number, ended in enumerate(played.ended, start=1):
        print(f"try {number}: {'killed' if ended.killed else ended.cause or 'well'}")
        for entry in ended.report["transfers"] if ended.report else []:
            print(f"  {entry['chat_id']} {entry['from']} → {entry['to']}: {entry['outcome']}, {entry['reason']}")
    print("\n".join(played.violations) or "no violation")
    return 1 if played.violations else 0


def play_all(seeds: Sequence[int], *, stages: int) -> Iterator[Played]:
    """Play the schedules of ``seeds`` on several stages at once, and give out each when it is done."""
    done: SimpleQueue[Played | None] = SimpleQueue()

    def run(pile: Sequence[int]) -> None:
        try:
            with Harness() as stage:
                for seed in pile:
                    done.put(play(Schedule.of(seed), stage))
        finally:
            done.put(None)

    with ThreadPoolExecutor(stages) as pool:
        runs = [pool.submit(run, seeds[place::stages]) for place in range(stages)]
        for _ in runs:
            yield from iter(done.get, None)
        for each in runs:
            each.result()


class Total:
    """The figures of all schedules."""

    def __init__(self) -> None:
        self.schedules = self.tries = self.violations = 0
        self.kills: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()

    def add(self, played: Played) -> None:
        """Count one in."""
        self.schedules += 1
        self.tries += played.tries
        self.violations += len(played.violations)
        self.kills += played.kills
        self.faults += played.faults
        self.outcomes += played.outcomes

    def show(self, *, seconds: float) -> None:
        """Print them."""
        print(f"\n{self.schedules} schedules, {self.tries} tries, {self.outcomes.total()} chats, {seconds:.0f} s")
        for what, counted in (("kills", self.kills), ("faults", self.faults), ("outcomes", self.outcomes)):
            print(f"\n{counted.total()} {what}")
            for name, count in sorted(counted.items()):
                print(f"  {count:>6}  {name}")
        print(f"\n{self.violations} violations")


def _replay_command(seed: int) -> str:
    return f"python -m tests.chaos --seed {seed}"


if __name__ == "__main__":
    sys.exit(main())
