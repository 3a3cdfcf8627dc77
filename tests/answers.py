# SPDX-License-Identifier: Apache-2.0
"""A server between a client and the sandbox, which changes what the sandbox answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

HUGE = "a number of 5,000 digits"
"""Stands for such a number in what a tampering returns, since no Python can write it."""


@dataclass(frozen=True)
class Exchange:
    """A request that the sandbox has answered: the last part of its path, what was asked, and the answer."""

    method: str
    path: str
    asked: Any
    answer: Any


Tampering = Callable[[Exchange], Any]
"""Returns the answer to give: JSON, or bytes as they are."""


class Answers:
    """What the sandbox answers, after ``tampering``; ``heard`` holds every exchange as the sandbox answered it.

    What is ``forbidden``, by its method and what is asked, is answered with 403, and never reaches the sandbox.
    """

    def __init__(self, sandbox: str) -> None:
        self.begin()
        self._sandbox = sandbox
        self._session = requests.Session()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def begin(self) -> None:
        """Change nothing any more, and forget what was heard."""
        self.tampering: Tampering = lambda exchange: exchange.answer
        self.forbidden: Callable[[str, Any], bool] = lambda method, asked: False
        self.heard: list[Exchange] = []

    def start(self) -> None:
        """Serve until ``stop``."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()

    def asked(self) -> list[str]:
        """The last part of the path of each request."""
        return [each.method for each in self.heard]

    def forward(self, verb: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Ask the sandbox, and return the status and what is to be answered."""
        method, asked = path.partition("?")[0].rpartition("/")[2], json.loads(body) if body.strip() else None
        if self.forbidden(method, asked):
            return 403, written({"Message": "forbidden"})
        kept = {name: value for name, value in headers.items() if name.lower() not in ("host", "content-length")}
        answer = self._session.request(
            verb, f"{self._sandbox}{path}", headers=kept, data=body, timeout=30, allow_redirects=False
        )
        parsed = json.loads(answer.content) if answer.content else None
        exchange = Exchange(method, path, asked, parsed)
        self.heard.append(exchange)
        return answer.status_code, written(self.tampering(exchange))

    def _handler(answers: Answers) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, content = answers.forward(self.command, self.path, dict(self.headers), body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_POST

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        return Handler


def written(answer: Any) -> bytes:
    """An answer as bytes: infinity as ``1e999``, and ``HUGE`` as the number that it stands for."""
    if isinstance(answer, bytes):
        return answer
    text = json.dumps(answer).replace("Infinity", "1e999").replace(json.dumps(HUGE), "9" * 5000)
    return text.encode()


@contextmanager
def tampered(sandbox: str) -> Iterator[Answers]:
    """A server before the sandbox at the base URL ``sandbox``."""
    answers = Answers(sandbox)
    answers.start()
    try:
        yield answers
    finally:
        answers.stop()
