# SPDX-License-Identifier: Apache-2.0
"""The HTTP server: one port for both services and the control plane."""

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
from .fault_effects import ERROR_PAGE, FaultedRequest, apply_fault
from .page import routes as page_routes
from .request_body import BodyTooLargeError, read_body
from .sandbox import Sandbox
from .service import HttpRequest, HttpResponse

HOST = "127.0.0.1"
"""Loopback only: the sandbox has no protection and must not be reachable from elsewhere."""

BODY_TOO_LARGE_PAGE = ERROR_PAGE.format("413 Request Entity Too Large")
"""What a gateway answers; neither service documents a limit."""

HTTP_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


class _Protocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol, which gives the application its transport so that a fault can cut the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}

    def shutdown(self) -> None:
        """Close the connection; abort it if a fault still holds back the response."""
        super().shutdown()
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()


def create_application(sandbox: Sandbox) -> Starlette:
    """Return the ASGI application of ``sandbox``.

    A request is executed once it has been received whole, and then without an ``await``: no two requests interleave,
    and a client that disconnects does not stop its request.
    """

    async def serve(request: Request) -> Response:
        try:
            body = await read_body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        except BodyTooLargeError:
            return Response(
                BODY_TOO_LARGE_PAGE, status_code=413, media_type="text/html", headers={"connection": "close"}
            )
        service = sandbox.service_at(request.url.path)
        if service is None:
            return JSONResponse({"error": f"nothing is served at {request.url.path}"}, status_code=404)
        received = _http_request(request, body, number=sandbox.next_request_number())
        sandbox.count(service, received)
        sandbox.advance()
        fault = sandbox.faults.take(service, received)
        if fault is None:
            return _response(service.answer(received), sandbox)
        response = await apply_fault(
            FaultedRequest(
                fault,
                service,
                received,
                advance=sandbox.advance,
                wait_for_disconnect=lambda: _wait_for_disconnect(request),
            )
        )
        if response is not None:
            return _response(response, sandbox)
        request.state.transport.abort()
        return Response(status_code=500)

    return Starlette(
        routes=[*page_routes(), *control.routes(sandbox), Route("/{path:path}", serve, methods=HTTP_METHODS)]
    )


def _http_request(request: Request, body: bytes, *, number: int) -> HttpRequest:
    return HttpRequest(
        number=number,
        verb=request.method,
        path=request.scope["raw_path"].decode("ascii") if request.scope.get("raw_path") else request.url.path,
        query=request.scope["query_string"].decode("ascii", "replace"),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        peer=request.client.host if request.client else HOST,
        scheme=request.url.scheme,
    )


def _response(response: HttpResponse, sandbox: Sandbox) -> Response:
    """Return ``response`` as starlette's; its ``Date`` is the sandbox's time, as a real server's is its own time."""
    date = format_datetime(sandbox.clock.utc(), usegmt=True)
    headers = {"content-type": response.content_type, "date": date, **response.headers}
    return Response(content=response.body, status_code=response.status, headers=headers)


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class SandboxServer:
    """The sandbox's server: in a thread of this process for tests and the demo, or in the foreground by `run`.

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
        """Bind the port; 0 takes a free one. With ``certificate`` (PEM) the sandbox serves https.

        The private ``key`` is in the certificate's file unless it is given. Raises ``ValueError`` for an invalid
        scenario and for a key without a certificate, ``OSError`` for files that cannot be used and for a port that is
        taken.
        """
        self.sandbox = Sandbox(scenario)
        self._scheme = "https" if certificate else "http"
        self._server = uvicorn.Server(_config(self.sandbox, certificate=certificate, key=key))
        self._socket = socket.create_server((HOST, port))
        self._port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self.run, name="sandbox", daemon=True)

    def run(self) -> None:
        """Serve in this thread until interrupted."""
        self._server.run([self._socket])

    def start(self) -> SandboxServer:
        """Start serving in a thread; return once the port answers."""
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


def _config(sandbox: Sandbox, *, certificate: Path | None, key: Path | None) -> uvicorn.Config:
    if key and not certificate:
        raise ValueError("a key needs its certificate")
    config = uvicorn.Config(
        create_application(sandbox),
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
