# SPDX-License-Identifier: Apache-2.0
"""A server between a client and the sandbox, which changes what the sandbox answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

HUGE = "a number of 5,000 digits"
"""Stands for such a number in what a tampering returns, since no Python can write it."""

DEEP = "a list in a list, 100,000 deep"
"""Stands for such a list."""


@dataclass(frozen=True)
class Exchange:
    """A request that the sandbox has answered: the last part of its path, what was asked, and the answer."""

    method: str
    path: str
    asked: Any
    answer: Any


@dataclass(frozen=True)
class Given:
    """An answer to give: JSON or bytes, and where they are not the sandbox's, its status and more headers."""

    answer: Any
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


JSON = {"Content-Type": "application/json"}

Tampering = Callable[[Exchange], Any]
"""Returns the answer to give: JSON, bytes as they are, or ``Given``."""

Refusing = Callable[[Exchange], Given | None]
"""Returns the answer to a request that the sandbox is not to hear of; there is no answer in the exchange."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Says nothing: a client may hang up on an answer that it does not like."""


class Answers:
    """What the sandbox answers, after ``tampering``; ``heard`` holds every exchange as the sandbox answered it.

    To what ``refusing`` has an answer, the sandbox never hears.
    """

    def __init__(self, sandbox: str) -> None:
        self.begin()
        self._sandbox = sandbox
        self._session = requests.Session()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def begin(self) -> None:
        """Change nothing any more, and forget what was heard."""
        self.tampering: Tampering = lambda exchange: exchange.answer
        self.refusing: Refusing = lambda exchange: None
        self.heard: list[Exchange] = []

    def start(self) -> None:
        """Serve until ``stop``."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()

    def asked(self) -> list[str]:
        """Return the last part of the path of each request."""
        return [each.method for each in self.heard]

    def forward(self, verb: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes, dict[str, str]]:
        """Ask the sandbox, and return the status, what is to be answered, and headers to add.

        Where the sandbox names its own address, this server's is put: what is sent there comes here as well.
        """
        method = path.partition("?")[0].rstrip("/").rpartition("/")[2]
        unanswered = Exchange(method, path, _parsed(body), None)
        if (refusal := self.refusing(unanswered)) is not None:
            self.heard.append(unanswered)
            return refusal.status or 200, written(refusal.answer), dict(refusal.headers)
        kept = {name: value for name, value in headers.items() if name.lower() not in ("host", "content-length")}
        answer = self._session.request(
            verb, f"{self._sandbox}{path}", headers=kept, data=body, timeout=30, allow_redirects=False
        )
        content = answer.content.replace(self._sandbox.encode(), self.url.encode())
        exchange = replace(unanswered, answer=_parsed(content))
        self.heard.append(exchange)
        given = self.tampering(exchange)
        if not isinstance(given, Given):
            given = Given(given)
        return given.status or answer.status_code, written(given.answer), dict(given.headers)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answers = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, content, headers = answers.forward(self.command, self.path, dict(self.headers), body)
                self.send_response_only(status)
                for name, value in {"Date": self.date_time_string(), **JSON, **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_POST

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        return Handler


def written(answer: Any) -> bytes:
    """Return an answer as bytes: infinity as ``1e999``, ``HUGE`` and ``DEEP`` as what they stand for."""
    if isinstance(answer, bytes):
        return answer
    text = json.dumps(answer).replace("Infinity", "1e999").replace(json.dumps(HUGE), "9" * 5000)
    return text.replace(json.dumps(DEEP), "[" * 100_000 + "]" * 100_000).encode()


def _parsed(content: bytes) -> Any:
    """Return the value of a JSON text; ``None`` where there is nothing, and bytes as they are where they are none."""
    if not content.strip():
        return None
    try:
        return json.loads(content)
    except ValueError:
        return content


@contextmanager
def tampered(sandbox: str) -> Iterator[Answers]:
    """Yield a server before the sandbox at the base URL ``sandbox``."""
    answers = Answers(sandbox)
    answers.start()
    try:
        yield answers
    finally:
        answers.stop()
