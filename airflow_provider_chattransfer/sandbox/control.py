# SPDX-License-Identifier: Apache-2.0
"""The control plane under ``/sandbox/``: look behind the services, start anew, let time pass, let things go wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .bodies import TooLarge, json_object, whole_body
from .figures import shown
from .floor import Floor
from .visitors import for_own_use

ERROR_MAX = 600
"""Letters of an error."""

Answer = Callable[[Floor, Request], Awaitable[Any]]
"""Answers with a JSON value; raises ``ValueError`` for a request that cannot be understood."""


def routes(floor: Floor) -> list[Route]:
    """The addresses of the control plane of ``floor``."""
    return [
        _route(floor, "GET", "/sandbox/state", _state),
        _route(floor, "GET", "/sandbox/ledger", _ledger),
        _route(floor, "POST", "/sandbox/reset", _reset),
        _route(floor, "POST", "/sandbox/clock", _clock),
        _route(floor, "GET", "/sandbox/faults", _faults),
        _route(floor, "POST", "/sandbox/faults", _arm),
        _route(floor, "DELETE", "/sandbox/faults", _disarm),
    ]


def _route(floor: Floor, verb: str, path: str, answer: Answer) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await answer(floor, request))
        except TooLarge as problem:
            return JSONResponse({"error": str(problem)}, status_code=413, headers={"connection": "close"})
        except ClientDisconnect:
            return Response(status_code=400)
        except (ValueError, OverflowError) as problem:
            return JSONResponse({"error": _shortened(str(problem))}, status_code=400)

    return Route(path, for_own_use(endpoint), methods=[verb])


async def _state(floor: Floor, _: Request) -> dict[str, Any]:
    return floor.state()


async def _ledger(floor: Floor, request: Request) -> dict[str, Any]:
    since = request.query_params.get("since", "0")
    if not since.isdecimal():
        raise ValueError(f"'since' must be the number of a change, 0 or more, got {shown(since)}")
    floor.advance()
    return {
        "epoch": floor.epoch,
        "changes": [change.to_json() for change in floor.ledger.changes(since=int(since))],
    }


async def _reset(floor: Floor, request: Request) -> dict[str, Any]:
    floor.reset(await _json_object(request))
    return floor.state()


async def _clock(floor: Floor, request: Request) -> dict[str, Any]:
    change = await _json_object(request)
    if not change or set(change) - {"skip", "speed"}:
        raise ValueError(f"the clock takes 'skip', 'speed' or both, got {shown(sorted(change))}")
    floor.clock.change(**change)
    return floor.time()


async def _faults(floor: Floor, _: Request) -> dict[str, Any]:
    return {"faults": floor.faults.to_json()}


async def _arm(floor: Floor, request: Request) -> dict[str, Any]:
    floor.faults.arm(await _json_object(request))
    return {"faults": floor.faults.to_json()}


async def _disarm(floor: Floor, _: Request) -> dict[str, Any]:
    floor.faults.clear()
    return {"faults": floor.faults.to_json()}


async def _json_object(request: Request) -> dict[str, Any]:
    return json_object(await whole_body(request), "the body")


def _shortened(text: str) -> str:
    return text if len(text) <= ERROR_MAX else f"{text[:ERROR_MAX]}…"
