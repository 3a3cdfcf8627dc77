# SPDX-License-Identifier: Apache-2.0
"""The sandbox on HTTP: one port for both services and the control plane."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Mapping
from email.utils import format_datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from . import control
from .bodies import TooLarge, whole_body
from .floor import Floor
from .page import routes as page_routes
from .trouble import PAGE, Victim, go_wrong
from .wire import Call, Reply

HOST = "127.0.0.1"
"""Loopback only: the sandbox has no protection and must not be reachable from elsewhere."""

TOO_LARGE_PAGE = PAGE.format("413 Request Entity Too Large")
"""What a gateway answers; neither service documents a limit."""

VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


class _Protocol(H11Protocol):
    """uvicorn's HTTP/1.1, telling the application its transport so that a fault can cut the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}

    def shutdown(self) -> None:
        """Close the connection; one that a fault keeps waiting is cut."""
        super().shutdown()
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()


def application(floor: Floor) -> Starlette:
    """The ASGI application of ``floor``.

    A request is carried out when it has come in whole, and then without a pause: no two of them interleave, and a
    client that goes away does not stop what it has asked for.
    """

    async def serve(request: Request) -> Response:
        try:
            body = await whole_body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        except TooLarge:
            return Response(TOO_LARGE_PAGE, status_code=413, media_type="text/html", headers={"connection": "close"})
        service = floor.service_at(request.url.path)
        if service is None:
            return JSONResponse({"error": f"nothing is served at {request.url.path}"}, status_code=404)
        call = _call(request, body, number=floor.number_of_next_request())
        floor.count(service, call)
        floor.advance()
        fault = floor.faults.take(service, call)
        if fault is None:
            return _response(service.answer(call), floor)
        reply = await go_wrong(Victim(fault, service, call, advance=floor.advance, hang_up=lambda: _hang_up(request)))
        if reply is not None:
            return _response(reply, floor)
        request.state.transport.abort()
        return Response(status_code=500)

    return Starlette(routes=[*page_routes(), *control.routes(floor), Route("/{path:path}", serve, methods=VERBS)])


def _call(request: Request, body: bytes, *, number: int) -> Call:
    return Call(
        number=number,
        verb=request.method,
        path=request.scope["raw_path"].decode("ascii") if request.scope.get("raw_path") else request.url.path,
        query=request.scope["query_string"].decode("ascii", "replace"),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        peer=request.client.host if request.client else HOST,
        scheme=request.url.scheme,
    )


def _response(reply: Reply, floor: Floor) -> Response:
    """``reply`` as HTTP, dated by the sandbox's clock: a real server's ``Date`` is the time in its answers, too."""
    date = format_datetime(floor.clock.utc(), usegmt=True)
    headers = {"content-type": reply.content_type, "date": date, **reply.headers}
    return Response(content=reply.body, status_code=reply.status, headers=headers)


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class SandboxServer:
    """The sandbox: in a thread of this process for tests and the demo, or in the foreground by `run`.

    >>> with SandboxServer() as sandbox:  # doctest: +SKIP
    ...     requests.get(f"{sandbox.url}/sandbox/state")
    """

    def __init__(
        self,
        scenario: Mapping[str, Any] | None = None,
        *,
        port: int = 0,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        """Take the port; 0 is a free one. With ``certificate`` (PEM, its ``key`` in the same file or beside it) the
        sandbox speaks https.

        Raises ``ValueError`` for a scenario that is not one and for a key without a certificate, ``OSError`` for
        files that cannot be used and for a port that is taken.
        """
        self.floor = Floor(scenario)
        self._scheme = "https" if certificate else "http"
        self._server = uvicorn.Server(_config(self.floor, certificate=certificate, key=key))
        self._socket = socket.create_server((HOST, port))
        self._port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self.run, name="sandbox", daemon=True)

    def run(self) -> None:
        """Serve in this thread until interrupted."""
        self._server.run([self._socket])

    def start(self) -> SandboxServer:
        """Start serving in a thread; returns when the port answers."""
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.01)
        return self

    def stop(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        self._thread.join(timeout=10)

    @property
    def address(self) -> str:
        """``127.0.0.1:<port>``."""
        return f"{HOST}:{self._port}"

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``, or the same with ``https``."""
        return f"{self._scheme}://{self.address}"

    def __enter__(self) -> SandboxServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _config(floor: Floor, *, certificate: Path | None, key: Path | None) -> uvicorn.Config:
    if key and not certificate:
        raise ValueError("a key needs its certificate")
    config = uvicorn.Config(
        application(floor),
        http=_Protocol,
        ws="none",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    try:
        config.load()
    except OSError as problem:
        raise OSError(f"the certificate {certificate} cannot be used: {problem}") from problem
    return config
