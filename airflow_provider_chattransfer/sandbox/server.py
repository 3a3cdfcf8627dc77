# SPDX-License-Identifier: Apache-2.0
"""The sandbox on HTTP: one port, both services, and the control plane under ``/sandbox/``."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from .faults import Fault, FaultKind
from .floor import Floor
from .wire import Call, Reply

HOST = "127.0.0.1"
"""Loopback only: the sandbox has no protection and must not be reachable from elsewhere."""

VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
GATEWAY_PAGE = b"<html><head><title>%d</title></head><body><center><h1>%d</h1></center><hr>nginx</body></html>"
GATEWAY_STATUS = {
    FaultKind.HTML_502_BEFORE: 502,
    FaultKind.HTML_502_AFTER: 502,
    FaultKind.HTML_503_BEFORE: 503,
    FaultKind.HTML_503_AFTER: 503,
}


class _Protocol(H11Protocol):
    """uvicorn's HTTP/1.1, telling the application its transport so that a fault can cut the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def application(floor: Floor) -> Starlette:
    """The ASGI application of ``floor``."""

    async def serve(request: Request) -> Response:
        service = floor.service_at(request.url.path)
        if service is None:
            return JSONResponse({"error": f"nothing is served at {request.url.path}"}, status_code=404)
        call = Call(
            number=floor.number_of_next_request(),
            verb=request.method,
            path=request.scope["raw_path"].decode("ascii") if request.scope.get("raw_path") else request.url.path,
            query=request.url.query,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.body(),
            peer=request.client.host if request.client else HOST,
        )
        floor.count(service, call)
        floor.advance()
        fault = floor.faults.take(service.name, service.methods_of(call))
        if fault is None:
            return _response(service.answer(call))
        if fault.kind is FaultKind.DELAY_BEFORE:
            await asyncio.sleep(fault.seconds)
        reply = service.answer(call) if fault.kind.applied or fault.kind is FaultKind.DELAY_BEFORE else None
        return await _go_wrong(fault, request, reply)

    async def state(_: Request) -> Response:
        return JSONResponse(floor.state())

    async def ledger(request: Request) -> Response:
        floor.advance()
        since = int(request.query_params.get("since", 0))
        return JSONResponse({"changes": [change.to_json() for change in floor.ledger.changes(since=since)]})

    async def reset(request: Request) -> Response:
        try:
            floor.reset(await _json_object(request))
        except (ValueError, TypeError, KeyError) as problem:
            return JSONResponse({"error": str(problem)}, status_code=400)
        return JSONResponse(floor.state())

    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            floor.faults.clear()
            return JSONResponse({"faults": []})
        try:
            fault = Fault.from_json(await _json_object(request))
        except (ValueError, TypeError, KeyError) as problem:
            return JSONResponse({"error": str(problem)}, status_code=400)
        floor.faults.add(fault)
        return JSONResponse({"armed": fault.kind})

    return Starlette(
        routes=[
            Route("/sandbox/state", state, methods=["GET"]),
            Route("/sandbox/ledger", ledger, methods=["GET"]),
            Route("/sandbox/reset", reset, methods=["POST"]),
            Route("/sandbox/faults", faults, methods=["POST", "DELETE"]),
            Route("/{path:path}", serve, methods=VERBS),
        ]
    )


async def _json_object(request: Request) -> dict[str, Any]:
    body = await request.body()
    value = json.loads(body) if body.strip() else {}
    if not isinstance(value, dict):
        raise ValueError("the body must be a JSON object")
    return value


def _response(reply: Reply) -> Response:
    headers = {"content-type": reply.content_type, **reply.headers}
    return Response(content=reply.body, status_code=reply.status, headers=headers)


async def _go_wrong(fault: Fault, request: Request, reply: Reply | None) -> Response:
    if status := GATEWAY_STATUS.get(fault.kind):
        return Response(GATEWAY_PAGE % (status, status), status_code=status, media_type="text/html")
    if fault.kind is FaultKind.DELAY_AFTER:
        await asyncio.sleep(fault.seconds)
    if reply is not None and fault.kind is not FaultKind.DROP_AFTER:
        return _response(reply)
    request.state.transport.abort()
    return Response(status_code=500)


class SandboxServer:
    """The sandbox in a thread of this process, for tests and the demo.

    >>> with SandboxServer() as sandbox:  # doctest: +SKIP
    ...     requests.get(f"{sandbox.url}/sandbox/state")
    """

    def __init__(self, scenario: Mapping[str, Any] | None = None, *, port: int = 0) -> None:
        """``port=0`` takes a free one."""
        self.floor = Floor(scenario)
        self._server = uvicorn.Server(_config(self.floor, port=port))
        self._thread = threading.Thread(target=self._server.run, name="sandbox", daemon=True)

    def start(self) -> SandboxServer:
        """Start serving; returns when the port answers."""
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
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"{HOST}:{port}"

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``."""
        return f"http://{self.address}"

    def __enter__(self) -> SandboxServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def serve(scenario: Mapping[str, Any] | None, *, port: int) -> None:
    """Serve in the foreground until interrupted."""
    uvicorn.Server(_config(Floor(scenario), port=port)).run()


def _config(floor: Floor, *, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        application(floor),
        host=HOST,
        port=port,
        http=_Protocol,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
