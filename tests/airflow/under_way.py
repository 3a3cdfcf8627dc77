# SPDX-License-Identifier: Apache-2.0
"""Transfers that are under way in the sandbox, on either service, and what can become of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import requests

from airflow_provider_chattransfer.chats.model import Outcome, Result, Target, Transfer, TransferReport
from airflow_provider_chattransfer.sandbox.bitrix24 import Portal
from airflow_provider_chattransfer.sandbox.superoffice.model import Centre, Status
from airflow_provider_chattransfer.sandbox.superoffice.tenant import Tenant

from .conftest import Sandbox

SENDER = 7
NEVER = {"ignore": 1.0}
SOON = {"accept_after": [0.05, 0.15]}


class Desk(ABC):
    """One service with chats 201, 202, … that agent 7 has and that are being transferred."""

    service: str
    conn_id: str
    read_methods: tuple[str, ...]

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def open(self, to: Sequence[int], **habits: Any) -> list[dict[str, str]]:
        """One chat under way to each agent of ``to``, who all have these ``habits``; as a sensor is told of them."""
        chats = [{"id": 201 + place, "owner": SENDER} for place in range(len(to))]
        self.reset(chats=chats, people=habits)
        for chat, agent in zip(chats, to, strict=True):
            self.transfer(chat["id"], agent)
        return [{"chat_id": str(chat["id"]), "to": f"agent:{agent}"} for chat, agent in zip(chats, to, strict=True)]

    @abstractmethod
    def reset(self, **scenario: Any) -> None:
        """Start anew."""

    @abstractmethod
    def transfer(self, chat: int, agent: int) -> None:
        """Ask ``agent`` to take the chat."""

    @abstractmethod
    def take(self, chat: int, agent: int) -> None:
        """Let ``agent``, who was not asked, have the chat."""

    @abstractmethod
    def accept(self, chat: int, agent: int) -> None:
        """Let ``agent``, who was asked, accept."""

    @abstractmethod
    def close(self, chat: int) -> None:
        """End the chat."""

    @abstractmethod
    def lock_out(self) -> None:
        """Let the connection's account sign in no more."""

    @property
    def requests(self) -> int:
        """How many requests the service has had."""
        return self.sandbox.server.sandbox.requests[self.service]

    def break_off(self, kind: str, *, count: int = 1, **fault: Any) -> None:
        """Let the next reads of chats go wrong."""
        for method in self.read_methods:
            self.sandbox.fault(kind=kind, service=self.service, method=method, count=count, **fault)

    def report(self, transfers: Iterable[dict[str, str]]) -> dict[str, Any]:
        """Return the report of a task that has sent ``transfers``."""
        now = datetime.now(UTC)
        results = tuple(
            Result(
                Transfer(each["chat_id"], Target.parse(each["to"]), source=Target.agent(str(SENDER))), Outcome.REQUESTED
            )
            for each in transfers
        )
        report = TransferReport(
            platform=self.service, conn_id=self.conn_id, results=results, started_at=now, finished_at=now
        )
        return report.to_json()


class Bitrix24Desk(Desk):
    """A portal that asks an agent before it makes him the owner."""

    service = "bitrix24"
    conn_id = "bitrix24_default"
    read_methods = ("imopenlines.dialog.get",)

    def reset(self, **scenario: Any) -> None:
        pending = {"accept_mode": "pending"}
        self.sandbox.reset(bitrix24={"rate": None, "switches": pending, **scenario}, superoffice={"chats": 0})

    def transfer(self, chat: int, agent: int) -> None:
        transfer = {"CHAT_ID": chat, "USER_ID": agent, "CLIENT_ID": "chattransfer"}
        self._call("1/secretcode", "imopenlines.bot.session.transfer", transfer)

    def take(self, chat: int, agent: int) -> None:
        self._call(f"{agent}/secretcode{agent}", "imopenlines.operator.answer", {"CHAT_ID": chat})

    accept = take

    def close(self, chat: int) -> None:
        self._call("1/secretcode", "imopenlines.operator.another.finish", {"CHAT_ID": chat})

    def lock_out(self) -> None:
        portal = next(each for each in self.sandbox.server.sandbox.services if isinstance(each, Portal))
        del portal._data.webhooks[1, "secretcode"]

    def _call(self, webhook: str, method: str, params: dict[str, Any]) -> None:
        reply = requests.post(f"{self.sandbox.url}/rest/{webhook}/{method}", json=params, timeout=10)
        assert reply.json()["result"] is True, reply.text


class SuperOfficeDesk(Desk):
    """A tenant; its read by list and its read of one session are both reads of chats."""

    service = "superoffice"
    conn_id = "superoffice_default"
    read_methods = ("ChatSessionsForUser", "GetChatSessionEntity")

    def reset(self, **scenario: Any) -> None:
        self.sandbox.reset(superoffice=scenario, bitrix24={"chats": 0})

    def transfer(self, chat: int, agent: int) -> None:
        self._act("TransferChatSession", chat, by=SENDER, ToAssociate=str(agent))

    def take(self, chat: int, agent: int) -> None:
        self.transfer(chat, agent)
        self.accept(chat, agent)

    def accept(self, chat: int, agent: int) -> None:
        self._act("AcceptChatSessionTransfer", chat, by=agent)

    def close(self, chat: int) -> None:
        """No method closes a session: the customer leaves it."""
        self._centre.sessions[chat].status = Status.Closed

    def lock_out(self) -> None:
        self._centre._by_login["tje0"] = replace(self._centre._by_login["tje0"], password="another")

    @property
    def _centre(self) -> Centre:
        return next(each for each in self.sandbox.server.sandbox.services if isinstance(each, Tenant))._centre

    def _act(self, method: str, chat: int, *, by: int, **body: Any) -> None:
        url = f"{self.sandbox.url}/Cust12345/api/v1/Agents/Chat/{method}"
        reply = requests.post(url, json={"ChatSessionId": chat, **body}, auth=(f"agent{by}", f"Secret{by}"), timeout=10)
        assert reply.json()["ChatSessionId"] == chat, reply.text


DESKS: tuple[type[Desk], ...] = (Bitrix24Desk, SuperOfficeDesk)
