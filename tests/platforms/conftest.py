# SPDX-License-Identifier: Apache-2.0
"""The platforms over real HTTP: a sandbox whose clock is the only one, and a server that answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import pytest
import requests

from airflow_provider_chattransfer.chats.model import Json, Result, Target, Transfer, TransferReport
from airflow_provider_chattransfer.chats.run import run_transfers
from airflow_provider_chattransfer.platforms.at_once import AtOnce
from airflow_provider_chattransfer.platforms.base import ChatPlatform, SendOptions
from airflow_provider_chattransfer.platforms.bitrix24.auth import Webhook
from airflow_provider_chattransfer.platforms.bitrix24.client import Bitrix24Client
from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform
from airflow_provider_chattransfer.platforms.runner import run_to_end
from airflow_provider_chattransfer.platforms.superoffice.auth import Basic, SuperOfficeAuth
from airflow_provider_chattransfer.platforms.superoffice.client import SuperOfficeClient
from airflow_provider_chattransfer.platforms.superoffice.platform import SuperOfficePlatform
from airflow_provider_chattransfer.platforms.superoffice.tenant import Site
from airflow_provider_chattransfer.platforms.transport import Transport
from airflow_provider_chattransfer.sandbox.sandbox import Sandbox
from airflow_provider_chattransfer.sandbox.server import SandboxServer
from airflow_provider_chattransfer.sandbox.service import HttpRequest, Service
from airflow_provider_chattransfer.testing.sandbox import ChatSandbox

from ..support.paces import open_pace

SUPERVISOR = Basic("tje0", "Tje0")


class ClockedSandbox(ChatSandbox):
    """The sandbox, what reached it, and platforms that live by its clock: a pause takes no time."""

    def __init__(self, server: SandboxServer) -> None:
        super().__init__(url=server.url)
        self.server = server
        self.calls: list[HttpRequest] = []
        self.slept: list[float] = []
        self._opened: list[Transport] = []

    def reset(self, **scenario: Any) -> None:
        """Start anew; without a limit of requests on Bitrix24 unless the scenario has one."""
        scenario["bitrix24"] = {"rate": None, **scenario.get("bitrix24", {})}
        requests.post(f"{self.url}/sandbox/reset", json=scenario, timeout=10).raise_for_status()
        self.calls.clear()

    def moved(self, service: str) -> list[str]:
        """Return the chats that a request moved, one entry for each time."""
        moves = ("transferred", "reset")
        return [each["chat_id"] for each in self.ledger(service) if each["request"] and each["change"] in moves]

    def asked(self, service: str = "bitrix24") -> list[str]:
        """Return the last part of the path of each request, in order."""
        mine = (call for call in self.calls if self.server.sandbox.service_at(call.path).name == service)  # type: ignore[union-attr]
        return [call.path.rpartition("/")[2] for call in mine]

    def now(self) -> float:
        """Return the sandbox's time."""
        return self.server.sandbox.clock.now()

    def sleep(self, seconds: float) -> None:
        """Let the sandbox's time pass at once, and remember for how long."""
        self.slept.append(seconds)
        self.server.sandbox.clock.skip(seconds)

    def transport(self, *, read_timeout: float = 5.0) -> Transport:
        """Return a transport whose pace lets everything through until the service closes it."""
        pace = open_pace(clock=self.now, sleep=self.sleep)
        transport = Transport(pace=pace, read_timeout=read_timeout, sleep=self.sleep)
        self._opened.append(transport)
        return transport

    def webhook(self, *, user: int = 1, code: str = "secretcode", bot: str = "chattransfer") -> Bitrix24Client:
        """Return a client of the portal."""
        auth = Webhook(portal=self.url, user_id=str(user), code=code, bot_client_id=bot)
        return Bitrix24Client(auth=auth, transport=self.transport(), clock=self.now)

    def bitrix24(self, **webhook: Any) -> Bitrix24Platform:
        """Return the portal as a platform."""
        return Bitrix24Platform(self.webhook(**webhook))

    def web_api(
        self, credentials: SuperOfficeAuth = SUPERVISOR, *, transport: Transport | None = None
    ) -> SuperOfficeClient:
        """Return a client of the tenant, as the supervisor unless told otherwise."""
        return SuperOfficeClient(
            address=Site(f"{self.url}/Cust12345"), auth=credentials, transport=transport or self.transport()
        )

    def superoffice(self, credentials: SuperOfficeAuth = SUPERVISOR) -> SuperOfficePlatform:
        """Return the tenant as a platform that reads with ``credentials`` and sends as each owner, at one pace."""
        transport = self.transport()

        def identity(agent: str) -> SuperOfficeClient:
            return self.web_api(Basic(f"agent{agent}", f"Secret{agent}"), transport=transport)

        return SuperOfficePlatform(self.web_api(credentials, transport=transport), identities=identity)

    def run_to_end(
        self, platform: ChatPlatform, transfers: Sequence[Transfer], *, bot_leaves: bool = False
    ) -> list[Result]:
        """Return the whole run, as an operator drives it."""
        steps = run_transfers(transfers, chunk=platform.chunk)
        options = SendOptions(frozenset({"bot_leaves"} if bot_leaves else ()))
        return list(run_to_end(steps, platform, options=options, sleep=self.sleep, clock=self.now).results)

    def close(self) -> None:
        """Close what was opened."""
        for transport in self._opened:
            transport.close()


@pytest.fixture
def stage(sandbox_server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClockedSandbox]:
    """Yield a fresh sandbox that records what reaches it."""
    stage = ClockedSandbox(sandbox_server)
    count = Sandbox.count

    def record(sandbox: Sandbox, service: Service, call: HttpRequest) -> None:
        stage.calls.append(call)
        count(sandbox, service, call)

    monkeypatch.setattr(Sandbox, "count", record)
    stage.reset()
    yield stage
    stage.close()


P = TypeVar("P", Bitrix24Platform, SuperOfficePlatform)


def one_at_a_time(platform: P) -> P:
    """Return a platform that makes one request after the other.

    A script answers in order; and where time is virtual, the pauses of several threads would add up.
    """
    platform._at_once = AtOnce(1)
    return platform


def to(target: str, *chat_ids: str, source: str | None = None) -> list[Transfer]:
    """Transfers of ``chat_ids`` to ``target``."""
    origin = None if source is None else Target.parse(source)
    return [Transfer(chat_id=chat_id, target=Target.parse(target), source=origin) for chat_id in chat_ids]


def report(platform: ChatPlatform, results: Sequence[Result]) -> Json:
    """Return the report of a run that ends now."""
    now = datetime.now(UTC)
    return TransferReport(platform.name, "test", tuple(results), started_at=now, finished_at=now).to_json()


def query_of(call: HttpRequest) -> dict[str, str]:
    """Return the query of a request."""
    return dict(parse_qsl(call.query))


@dataclass(frozen=True)
class Scripted:
    """An answer that a test prescribes; ``status`` 0 cuts the connection instead."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: Any, *, status: int = 200) -> Scripted:
        """``value`` as the body."""
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


@dataclass
class Heard:
    """A request as it came in."""

    verb: str
    path: str
    headers: dict[str, str]
    body: Any


class Script:
    """A server that gives the prescribed answers in order, the last one for ever, and remembers who asked what."""

    def __init__(self) -> None:
        self.answers: list[Scripted] = []
        self.heard: list[Heard] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def play(self, *answers: Scripted) -> None:
        """Answer with these."""
        self.answers = list(answers)

    def start(self) -> None:
        """Serve until ``stop``."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        script = self

        class Handler(BaseHTTPRequestHandler):
            disable_nagle_algorithm = True
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                form = "form" in self.headers.get("Content-Type", "")
                body = dict(parse_qsl(raw.decode())) if form else json.loads(raw) if raw.strip() else None
                script.heard.append(Heard(self.command, self.path, dict(self.headers), body))
                answer = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
                if not answer.status:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        return Handler


@pytest.fixture
def script() -> Iterator[Script]:
    """Yield a server that answers as it is told."""
    script = Script()
    script.start()
    yield script
    script.stop()


@pytest.fixture
def portal(script: Script, stage: ClockedSandbox) -> Bitrix24Client:
    """Return a client of a portal that answers as it is told."""
    auth = Webhook(portal=script.url, user_id="1", code="secretcode", bot_client_id="chattransfer")
    return Bitrix24Client(auth=auth, transport=stage.transport())


@pytest.fixture
def tenant(script: Script, stage: ClockedSandbox) -> SuperOfficeClient:
    """Return a client of a tenant that answers as it is told."""
    return SuperOfficeClient(address=Site(script.url), auth=SUPERVISOR, transport=stage.transport())
