# SPDX-License-Identifier: Apache-2.0
"""The control plane under ``/sandbox/``: state, ledger, reset, clock and faults."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .request_body import BodyTooLargeError, parse_json_object, read_body
from .same_origin import same_origin_only
from .sandbox import Sandbox
from .validation import shown

MAX_ERROR_LENGTH = 600
"""Letters of an error message; a longer one is cut."""

Handler = Callable[[Sandbox, Request], Awaitable[Any]]
"""Returns a JSON value; raises ``ValueError`` for a request that it does not understand."""


def routes(sandbox: Sandbox) -> list[Route]:
    """Return the routes of the control plane of ``sandbox``."""
    return [
        _route(sandbox, "GET", "/sandbox/state", _state),
        _route(sandbox, "GET", "/sandbox/ledger", _ledger),
        _route(sandbox, "POST", "/sandbox/reset", _reset),
        _route(sandbox, "POST", "/sandbox/clock", _clock),
        _route(sandbox, "GET", "/sandbox/faults", _faults),
        _route(sandbox, "POST", "/sandbox/faults", _arm),
        _route(sandbox, "DELETE", "/sandbox/faults", _disarm),
    ]


def _route(sandbox: Sandbox, verb: str, path: str, answer: Handler) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await answer(sandbox, request))
        except BodyTooLargeError as problem:
            return JSONResponse({"error": str(problem)}, status_code=413, headers={"connection": "close"})
        except ClientDisconnect:
            return Response(status_code=400)
        except (ValueError, OverflowError) as problem:
            return JSONResponse({"error": _shortened(str(problem))}, status_code=400)

    return Route(path, same_origin_only(endpoint), methods=[verb])


async def _state(sandbox: Sandbox, _: Request) -> dict[str, Any]:
    return sandbox.state()


async def _ledger(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    since = request.query_params.get("since", "0")
    if not since.isdecimal():
        raise ValueError(f"'since' must be the number of a change, 0 or more, got {shown(since)}")
    sandbox.advance()
    return {
        "epoch": sandbox.epoch,
        "changes": [change.to_json() for change in sandbox.ledger.changes(since=int(since))],
    }


async def _reset(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    sandbox.reset(await _json_object(request))
    return sandbox.state()


async def _clock(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    change = await _json_object(request)
    if not change or set(change) - {"skip", "speed"}:
        raise ValueError(f"the clock takes 'skip', 'speed' or both, got {shown(sorted(change))}")
    sandbox.clock.change(**change)
    return sandbox.time()


async def _faults(sandbox: Sandbox, _: Request) -> dict[str, Any]:
    return {"faults": sandbox.faults.to_json()}


async def _arm(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    sandbox.faults.arm(await _json_object(request))
    return {"faults": sandbox.faults.to_json()}


async def _disarm(sandbox: Sandbox, _: Request) -> dict[str, Any]:
    sandbox.faults.clear()
    return {"faults": sandbox.faults.to_json()}


async def _json_object(request: Request) -> dict[str, Any]:
    return parse_json_object(await read_body(request), "the body")


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_ERROR_LENGTH else f"{text[:MAX_ERROR_LENGTH]}…"
