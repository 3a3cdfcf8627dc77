# SPDX-License-Identifier: Apache-2.0
"""A schedule: who hands over what to whom, what goes wrong meanwhile, and when the worker dies; all by a seed."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_chattransfer.sandbox.faults import FaultKind

from .harness import Ended, Harness, Task
from .judge import Case, Wanted, judge
from .kills import HALVES, Kill, Point

FIRST_CHAT = 1001
STRANGERS = (901, 902)
"""Chats of somebody else, which nobody is to touch."""

SENDERS = (7, 8)
RECEIVERS = (12, 15)
LAG = 0.005
"""Real seconds that a second of a pause takes where the service is slow."""

SLOW = 50.0
"""Seconds that it then takes for a request, by that measure; nobody rests or closes chats meanwhile."""

FURTHER_TRIES = 3
"""Tries after the last kill, as many as the task may need to succeed."""

SERVICES: Mapping[str, Mapping[str, Any]] = {
    "bitrix24": {
        "sends": ["imopenlines.bot.session.transfer"],
        "reads": ["imopenlines.dialog.get", "im.user.list.get", "imopenlines.v2.Session.list", "batch"],
        "receivers": [["agent:12"], ["agent:12", "agent:15"], ["queue:4"], ["queue:4", "agent:15"]],
        "switches": {
            "accept_mode": ["auto", "pending"],
            "v2_methods": [True, True, False],
            "reports_lag": [0.0, 0.0, 20.0],
            "lock_seconds": [0.0, 0.0, 5.0],
            "refused_transfer_reopens": [True, False],
        },
    },
    "superoffice": {
        "sends": ["TransferChatSession", "ResetChatSession"],
        "reads": ["ChatSessionsForUser", "GetChatSessionEntity", "ChatSession", "GetChatMessages"],
        "receivers": [["agent:12"], ["agent:12", "agent:15"], ["queue"], ["agent:12", "agent:21"]],
        "switches": {
            "overwrite_pending": [True, False],
            "transfer_to_ended": ["noop", "error"],
            "agent_errors": ["object", "exception_info", "null"],
            "away_target": ["apply", "noop"],
        },
    },
}

FAULTS = sorted(set(FaultKind) - {FaultKind.TOKEN_EXPIRED})
"""All kinds; only a token can expire, and connections to the sandbox sign in by webhook and password."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything that a seed decides.

    ``rests`` are the seconds between two tries, by the sandbox's clock, and ``lag`` how many real seconds each second
    of a worker's pause takes.
    """

    seed: int
    service: str
    scenario: Mapping[str, Any]
    operator: str
    options: Mapping[str, Any]
    wanted: Wanted
    chunk: int
    beside_report: bool
    skew: float
    faults: Sequence[Mapping[str, Any]]
    kills: Sequence[Kill]
    rests: Sequence[float]
    lag: float

    @classmethod
    def of(cls, seed: int) -> Schedule:
        """Return the schedule of a seed, the same one in each run."""
        rng = random.Random(f"chaos {seed}")  # noqa: S311
        service = rng.choice(sorted(SERVICES))
        chats = [
            {"id": FIRST_CHAT + number, "owner": rng.choice(SENDERS), "queue": 3}
            for number in range(rng.randint(3, 18))
        ]
        operator, options, wanted = _task(rng, service, chats)
        beside_report = rng.random() < 0.4
        faults = [_fault(rng, service) for _ in range(rng.choice([0, 1, 1, 2, 3]))]
        kills = [_kill(rng, beside_report) for _ in range(rng.choice([0, 1, 1, 2, 3]))]
        late = rng.random() < 0.1
        rests = [rng.choice([0.0, 0.0, 3.0, 300.0]) for _ in range(8)]
        scenario = _scenario(rng, service, chats)
        if late:
            faults, kills = [_late(service), *faults], [Kill(Point.SENT, rng.choice([1, 2])), *kills]
            scenario, rests = {**scenario, "customers": {}}, [0.0] * len(rests)
        return cls(
            seed=seed,
            service=service,
            scenario=scenario,
            operator=operator,
            options=options,
            wanted=wanted,
            chunk=rng.randint(1, 8),
            beside_report=beside_report,
            skew=rng.choice([0.0, 0.0, -300.0, 300.0]),
            faults=faults,
            kills=kills,
            rests=rests,
            lag=LAG if late else 0.0,
        )


@dataclass(slots=True)
class Played:
    """What came of a schedule: its violations, and what was thrown at it."""

    schedule: Schedule
    violations: list[str]
    tries: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    ended: list[Ended] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)


def play(schedule: Schedule, stage: Harness) -> Played:
    """Run a schedule from a fresh sandbox to the end of its task, and judge after each try."""
    played = Played(schedule, violations=[])
    stage.sandbox.reset(seed=schedule.seed, **{schedule.service: schedule.scenario})
    for fault in schedule.faults:
        stage.sandbox.fault(**fault)
    task = _prepare(schedule, stage)
    kills: list[Kill | None] = [*schedule.kills, *[None] * FURTHER_TRIES]
    for kill, rest in zip(kills, schedule.rests, strict=False):
        ended = task.attempt(kill)
        time.sleep(0.0 if ended.killed else SLOW * schedule.lag)
        played.tries += 1
        played.ended.append(ended)
        if ended.killed and kill is not None:
            played.kills[kill.point.value] += 1
        played.changes = stage.sandbox.ledger(schedule.service)
        played.violations += [each for each in _judged(schedule, ended, played) if each not in played.violations]
        if ended.well:
            break
        stage.sandbox.skip(rest)
    _note(played, stage)
    return played


def _judged(schedule: Schedule, ended: Ended, played: Played) -> list[str]:
    if ended.error is not None and not ended.cause.startswith(EXPECTED):
        return [f"the task ended with {ended.cause}"]
    case = Case(
        wanted=schedule.wanted, report=ended.report, changes=played.changes, record=ended.record, ended=ended.well
    )
    return judge(case)


ERRORS = "airflow_provider_chattransfer.exceptions."
EXPECTED = ("airflow_provider_chattransfer.tasks.report.ChatsNotTransferredError", ERRORS)
"""Errors with which a task may end: some chats failed, or the service could not even be asked which chats there are."""


def _note(played: Played, stage: Harness) -> None:
    last = next((ended.report for ended in reversed(played.ended) if ended.report is not None), None)
    for entry in last["transfers"] if last else []:
        known = "" if not (entry["reason"] or "").startswith("not known") else ", not known"
        played.outcomes[entry["outcome"] + known] += 1
    for fault in stage.faults():
        played.faults[fault["kind"]] += fault["struck"]


def _prepare(schedule: Schedule, stage: Harness) -> Task:
    clock = {"skew": schedule.skew, "lag": schedule.lag}
    task = stage.task(schedule.service, schedule.operator, chunk=schedule.chunk, **clock)
    task.set(**schedule.options)
    return task.keep_beside_report() if schedule.beside_report else task


def _task(rng: random.Random, service: str, chats: Sequence[Mapping[str, Any]]) -> tuple[str, dict[str, Any], Wanted]:
    """Return the operator, its arguments, and what it is to do."""
    receivers = rng.choice(SERVICES[service]["receivers"])
    numbers = [str(chat["id"]) for chat in chats]
    waits = rng.random() < 0.3
    options: dict[str, Any] = {"max_failed_ratio": rng.choice([0.0, 0.0, 0.5])}
    if waits:
        options |= {"wait_for_acceptance": True, "accept_within": rng.choice([20.0, 120.0]), "poll_interval": 5.0}
    match rng.choice(["listed", "named", "found", "found"]):
        case "listed":
            wanted = [{"chat_id": number, "to": rng.choice(receivers)} for number in numbers]
            return "TransferChatsOperator", {**options, "transfers": wanted}, Wanted(numbers, named=True, waits=waits)
        case "named":
            options |= {"chat_ids": numbers, "to": receivers}
            return "ReassignChatsOperator", options, Wanted(numbers, named=True, waits=waits)
        case _:
            options |= {"from_agents": list(SENDERS), "to": receivers, "strategy": rng.choice(STRATEGIES)}
            return "ReassignChatsOperator", options, Wanted(numbers, named=False, waits=waits)


STRATEGIES = ("round_robin", "least_loaded", "keep_together")


CUSTOMERS: Sequence[Mapping[str, Any]] = (
    {},
    {},
    {"write_after": [5, 120]},
    {"close_after": [1, 2000]},
    {"write_after": [1, 60], "close_after": [1, 900]},
)


def _scenario(rng: random.Random, service: str, chats: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    people: dict[str, Any] = {
        "accept_after": rng.choice([[0, 0], [0.05, 2], [1, 30]]),
        "reject": rng.choice([0, 0, 0.2]),
        "ignore": rng.choice([0, 0, 0.3]),
    }
    customers = rng.choice(CUSTOMERS)
    if customers and rng.random() < 0.3:
        customers = {**customers, "return_after": [1, 60]}
    switches = {name: rng.choice(values) for name, values in SERVICES[service]["switches"].items()}
    strangers = [{"id": number, "owner": 15, "queue": 3} for number in STRANGERS]
    return {"chats": [*strangers, *chats], "people": people, "customers": customers, "switches": switches}


def _fault(rng: random.Random, service: str) -> dict[str, Any]:
    kind = rng.choice(FAULTS)
    methods = SERVICES[service]
    fault: dict[str, Any] = {"kind": kind.value, "service": service}
    fault["method"] = rng.choice(methods[rng.choice(["sends", "sends", "reads"])])
    if rng.random() < 0.15:
        fault["method"] = None
    fault["count"] = 1 if kind.startswith("hang_") else rng.choice([1, 1, 2, 5, 12])
    if rng.random() < 0.4:
        fault["share"] = rng.choice([0.1, 0.3, 0.6])
    if kind.startswith("delay_"):
        fault["seconds"] = 0.02
    return fault


def _late(service: str) -> dict[str, Any]:
    """Let the service work on what is sent for a while; a worker that is killed meanwhile does not stop it."""
    return {"kind": "delay_before", "service": service, "method": SERVICES[service]["sends"][0], "seconds": SLOW * LAG}


def _kill(rng: random.Random, beside_report: bool) -> Kill:
    points = [point for point in Point if beside_report or point not in HALVES]
    return Kill(rng.choice(points), rng.choice([1, 1, 2, 3]))
