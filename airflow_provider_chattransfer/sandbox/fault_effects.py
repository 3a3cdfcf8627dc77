# SPDX-License-Identifier: Apache-2.0
"""What a fault does to a request: whether the service still executes it, and what the client receives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

from .faults import Fault, FaultKind
from .service import HttpRequest, HttpResponse, Service

ERROR_PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>nginx</body></html>"


@dataclass(frozen=True, slots=True)
class FaultedRequest:
    """A request that a fault strikes.

    ``advance`` runs every scheduled action that is due. ``wait_for_disconnect`` returns once the client has gone.
    """

    fault: Fault
    service: Service
    request: HttpRequest
    advance: Callable[[], None]
    wait_for_disconnect: Callable[[], Awaitable[None]]

    def answer(self) -> HttpResponse:
        """Run the scheduled actions that are due, then let the service execute the request."""
        self.advance()
        return self.service.answer(self.request)


Effect = Callable[[FaultedRequest], Awaitable[HttpResponse | None]]
"""Returns the response, or ``None`` if the connection is to be cut."""


async def apply_fault(faulted: FaultedRequest) -> HttpResponse | None:
    """Return the response that the fault leaves; ``None`` means that the connection is to be cut without one."""
    return await EFFECTS[faulted.fault.kind](faulted)


async def sleep(seconds: float | None) -> None:
    """Wait in real time, while other requests are served."""
    await asyncio.sleep(seconds or 0)


async def _drop(_: FaultedRequest) -> None:
    return None


async def _hang(faulted: FaultedRequest) -> None:
    try:
        await asyncio.wait_for(faulted.wait_for_disconnect(), timeout=faulted.fault.seconds)
    except TimeoutError:
        return


async def _delay_before(faulted: FaultedRequest) -> HttpResponse:
    await sleep(faulted.fault.seconds)
    return faulted.answer()


async def _delay_after(faulted: FaultedRequest) -> HttpResponse:
    response = faulted.answer()
    await sleep(faulted.fault.seconds)
    return response


async def _truncated(faulted: FaultedRequest) -> HttpResponse:
    response = faulted.answer()
    return replace(response, body=response.body[: len(response.body) // 2])


async def _wrong_content_type(faulted: FaultedRequest) -> HttpResponse:
    return replace(faulted.answer(), content_type="text/html; charset=utf-8")


async def _answer(faulted: FaultedRequest) -> HttpResponse:
    return faulted.answer()


def _gateway_error(status: HTTPStatus) -> Effect:
    page = HttpResponse(
        status=status, body=ERROR_PAGE.format(f"{status} {status.phrase}").encode(), content_type="text/html"
    )

    async def effect(_: FaultedRequest) -> HttpResponse:
        return page

    return effect


def _service_error(status: HTTPStatus) -> Effect:
    async def effect(faulted: FaultedRequest) -> HttpResponse:
        return faulted.service.overloaded(status)

    return effect


def _after(rest: Effect) -> Effect:
    async def effect(faulted: FaultedRequest) -> HttpResponse | None:
        faulted.answer()
        return await rest(faulted)

    return effect


EFFECTS: Mapping[FaultKind, Effect] = {
    FaultKind.DROP_BEFORE: _drop,
    FaultKind.DROP_AFTER: _after(_drop),
    FaultKind.HTML_502_BEFORE: _gateway_error(HTTPStatus.BAD_GATEWAY),
    FaultKind.HTML_502_AFTER: _after(_gateway_error(HTTPStatus.BAD_GATEWAY)),
    FaultKind.HTML_503_BEFORE: _gateway_error(HTTPStatus.SERVICE_UNAVAILABLE),
    FaultKind.HTML_503_AFTER: _after(_gateway_error(HTTPStatus.SERVICE_UNAVAILABLE)),
    FaultKind.ERROR_503: _service_error(HTTPStatus.SERVICE_UNAVAILABLE),
    FaultKind.ERROR_429: _service_error(HTTPStatus.TOO_MANY_REQUESTS),
    FaultKind.DELAY_BEFORE: _delay_before,
    FaultKind.DELAY_AFTER: _delay_after,
    FaultKind.HANG_BEFORE: _hang,
    FaultKind.HANG_AFTER: _after(_hang),
    FaultKind.TRUNCATED_JSON: _truncated,
    FaultKind.WRONG_CONTENT_TYPE: _wrong_content_type,
    FaultKind.TOKEN_EXPIRED: _answer,
}
