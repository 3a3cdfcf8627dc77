# SPDX-License-Identifier: Apache-2.0
"""What is run while the answers are tampered with: every operator, the sensor and the hooks' methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_chattransfer.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_chattransfer.hooks.superoffice import SuperOfficeHook
from airflow_provider_chattransfer.operators.accept import AcceptTransferOperator
from airflow_provider_chattransfer.operators.transfer import (
    ReassignChatsOperator,
    TransferChatOperator,
    TransferChatsOperator,
)
from airflow_provider_chattransfer.sensors.accept_transfer import AcceptTransferSensor

Run = Callable[[Any], Any]
"""Runs a task with a context, or calls a method; returns its result."""

MINE = ("111", "112", "113")
"""The chats of agent 7, who goes home."""

CHATS = ("120", *MINE)
"""The first of them is with agent 12 already, to whom all are to go: no other answer may be taken for its own."""

OTHERS = [{"id": 999, "owner": 8, "queue": 3}, {"id": 120, "owner": 12, "queue": 3}]
SOON = {"accept_after": [0.01, 0.05]}
NEVER = {"ignore": 1.0}

BITRIX24: dict[str, Any] = {
    "chats": [
        *({"id": int(each), "owner": 7, "queue": 3, "customer": 5000 + int(each)} for each in MINE),
        *OTHERS,
        {"id": 131, "state": "waiting", "queue": 4},
        {"id": 132, "state": "waiting", "queue": 4},
    ],
    "people": SOON,
}
SUPEROFFICE: dict[str, Any] = {
    "chats": [*({"id": int(each), "owner": 7, "queue": 3} for each in MINE), *OTHERS],
    "people": SOON,
}
FIRST_SESSION = 332
"""Of chat 111 in the sandbox."""


@dataclass(frozen=True)
class Errand:
    """One thing that a user asks for.

    ``named`` are the chats that it may touch, ``sends`` whether it may touch any; ``reports`` those that its report
    has to have, each once.
    """

    name: str
    service: str
    run: Run = field(repr=False)
    named: tuple[str, ...] = CHATS
    reports: tuple[str, ...] = CHATS
    scenario: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    sends: bool = True

    @property
    def moves(self) -> bool:
        """Whether its chats are moved, and not only accepted or waited for."""
        return self.name not in ("a sensor", "an acceptance")

    def scenarios(self) -> dict[str, Any]:
        """Return the scenario of each service."""
        mine = {**(BITRIX24 if self.service == "bitrix24" else SUPEROFFICE), **self.scenario}
        other = "superoffice" if self.service == "bitrix24" else "bitrix24"
        return {self.service: mine, other: {"chats": 0}}


def task(operator: Callable[..., Any], conn_id: str, **options: Any) -> Run:
    """Return a run of an operator."""
    return lambda context: operator(task_id="task", conn_id=conn_id, **options).execute(context)


def moved_to(target: object, *chat_ids: object) -> list[dict[str, object]]:
    return [{"chat_id": each, "to": target} for each in chat_ids]


WAIT: dict[str, Any] = {
    "wait_for_acceptance": True, "accept_within": 0.2, "poll_interval": 0.03, "deferrable": False,
}  # fmt: skip
PENDING = {"switches": {"accept_mode": "pending"}}
B24, B24_APP = "bitrix24_default", "bitrix24_app"
SO, SO_ONLINE, SO_SYSTEM = "superoffice_default", "superoffice_online", "superoffice_system"
LEAVING, COMING = ["agent:7"], [12, "agent:15"]


def _of_bitrix24() -> list[Errand]:
    def errand(name: str, run: Run, **more: Any) -> Errand:
        return Errand(name, "bitrix24", run, **more)

    chats = moved_to("agent:12", *CHATS)
    named = [
        {"chat_id": f"session:{FIRST_SESSION}", "to": "agent:operator12@portal.example"},
        {"chat_id": "crm:lead:15112", "to": "queue:Sales", "from": "agent:7"},
        {"chat_id": "chat113", "to": "queue"},
    ]
    waiting = {"chats": [{"id": 111, "state": "waiting", "queue": 3, "offered_to": 12}, *OTHERS], **PENDING}
    return [
        errand("one", task(TransferChatOperator, B24, chat_id=111, to="agent:12"), named=("111",), reports=("111",)),
        errand("chats", task(TransferChatsOperator, B24, transfers=chats)),
        errand("one that is there", task(TransferChatOperator, B24, chat_id=120, to=12), named=CHATS[:1],
               reports=CHATS[:1]),
        errand("chats by an application", task(TransferChatsOperator, B24_APP, transfers=chats)),
        errand("chats that may fail", task(TransferChatsOperator, B24, transfers=chats, max_failed_ratio=1)),
        errand("chats by names", task(TransferChatsOperator, B24, transfers=named), named=MINE, reports=MINE),
        errand("of an agent", task(ReassignChatsOperator, B24, from_agents=LEAVING, to=COMING), named=MINE, reports=()),
        errand(
            "of a name",
            task(ReassignChatsOperator, B24, from_agents=["agent:operator7@portal.example"], to=[12, "queue:Sales"]),
            named=MINE,
            reports=(),
        ),
        errand(
            "of a queue", task(ReassignChatsOperator, B24, from_queue="queue:Sales", to=COMING),
            named=("131", "132"), reports=(),
        ),
        errand(
            "the least loaded",
            task(ReassignChatsOperator, B24, chat_ids=MINE, to=[*COMING, "queue:4"], strategy="least_loaded"),
            named=MINE,
            reports=MINE,
        ),
        errand("pending", task(TransferChatsOperator, B24, transfers=chats), scenario=PENDING),
        errand("a wait", task(TransferChatsOperator, B24, transfers=chats, **WAIT), scenario=PENDING),
        errand("a dry run", task(TransferChatsOperator, B24, transfers=chats, dry_run=True), sends=False),
        errand("an acceptance", task(AcceptTransferOperator, B24, chat_id=111),
               named=("111",), reports=("111",), scenario={**waiting, "people": NEVER}),
        errand("a sensor", task(AcceptTransferSensor, B24, transfers=chats[1:2], accept_within=0.2, poll_interval=0.03,
                                timeout=5, deferrable=False), reports=("111",), scenario=waiting, sends=False),
        errand("a test", lambda _: Bitrix24Hook(B24).test_connection(), reports=(), sends=False),
        errand("a test of an application", lambda _: Bitrix24Hook(B24_APP).test_connection(), reports=(), sends=False),
        errand("a registration", lambda _: str(Bitrix24Hook(B24).register_bot()), reports=(), sends=False,
               scenario={"bots": []}),
        errand("a call", lambda _: Bitrix24Hook(B24).transfer(chat_id=111, user_id=12), named=("111",), reports=()),
    ]  # fmt: skip


def _of_superoffice() -> list[Errand]:
    def errand(name: str, run: Run, **more: Any) -> Errand:
        return Errand(name, "superoffice", run, **more)

    chats = moved_to("agent:12", *CHATS)
    named = [
        {"chat_id": 111, "to": "agent:agent12"},
        {"chat_id": "chat112", "to": "agent:15", "from": "agent:agent7"},
        {"chat_id": 113, "to": "queue"},
    ]
    mine = {"id": 111, "owner": 7, "queue": 3, "transfer_to": 12}
    waiting = {"chats": [mine, *OTHERS]}
    return [
        errand("one", task(TransferChatOperator, SO, chat_id=111, to="agent:12"), named=("111",), reports=("111",)),
        errand("chats", task(TransferChatsOperator, SO, transfers=chats)),
        errand("one that is there", task(TransferChatOperator, SO, chat_id=120, to=12), named=CHATS[:1],
               reports=CHATS[:1]),
        errand("chats online", task(TransferChatsOperator, SO_ONLINE, transfers=chats)),
        errand("chats that may fail", task(TransferChatsOperator, SO, transfers=chats, max_failed_ratio=1)),
        errand("chats by names", task(TransferChatsOperator, SO, transfers=named), named=MINE, reports=MINE),
        errand("of an agent", task(ReassignChatsOperator, SO, from_agents=LEAVING, to=COMING), named=MINE, reports=()),
        errand("of a name", task(ReassignChatsOperator, SO, from_agents=["agent:agent7"], to=["agent:agent12"]),
               reports=()),
        errand("the least loaded",
               task(ReassignChatsOperator, SO, chat_ids=MINE, to=COMING, strategy="least_loaded"),
               named=MINE, reports=MINE),
        errand("a wait", task(TransferChatsOperator, SO, transfers=chats, **WAIT)),
        errand("nobody accepts", task(TransferChatsOperator, SO, transfers=chats), scenario={"people": NEVER}),
        errand("a dry run", task(TransferChatsOperator, SO, transfers=chats, dry_run=True), sends=False),
        errand("an acceptance", task(AcceptTransferOperator, SO, chat_id=111), named=("111",), reports=("111",),
               scenario={**waiting, "people": NEVER}),
        errand("a sensor", task(AcceptTransferSensor, SO, transfers=chats[1:2], accept_within=0.2, poll_interval=0.03,
                                timeout=5, deferrable=False), reports=("111",), scenario=waiting, sends=False),
        errand("a test", lambda _: SuperOfficeHook(SO).test_connection(), reports=(), sends=False),
        errand("a test online", lambda _: SuperOfficeHook(SO_ONLINE).test_connection(), reports=(), sends=False),
        errand("a test of a system user", lambda _: SuperOfficeHook(SO_SYSTEM).test_connection(), reports=(),
               sends=False),
    ]  # fmt: skip


ERRANDS = {"bitrix24": _of_bitrix24(), "superoffice": _of_superoffice()}
