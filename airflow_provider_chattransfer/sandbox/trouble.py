# SPDX-License-Identifier: Apache-2.0
"""What a fault does to one request: what the service still does, and what the client gets to see of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

from .faults import Fault, FaultKind
from .wire import Call, Reply, Service

PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>nginx</body></html>"


@dataclass(frozen=True, slots=True)
class Victim:
    """The request that a fault strikes. ``advance`` lets everything happen that is due by then; ``hang_up`` returns
    when the client has gone."""

    fault: Fault
    service: Service
    call: Call
    advance: Callable[[], None]
    hang_up: Callable[[], Awaitable[None]]

    def carry_out(self) -> Reply:
        """Let the service do what it is asked, after all that was due before."""
        self.advance()
        return self.service.answer(self.call)


Course = Callable[[Victim], Awaitable[Reply | None]]
"""How a fault takes its course; ends with the answer, or with ``None`` for a connection that is cut."""


async def go_wrong(victim: Victim) -> Reply | None:
    """Let the fault take its course; ``None`` when the connection is to be cut without an answer."""
    return await COURSES[victim.fault.kind](victim)


async def pause(seconds: float | None) -> None:
    """Let real time pass, and other requests through."""
    await asyncio.sleep(seconds or 0)


async def _cut(_: Victim) -> None:
    return None


async def _hang(victim: Victim) -> None:
    try:
        await asyncio.wait_for(victim.hang_up(), timeout=victim.fault.seconds)
    except TimeoutError:
        return


async def _late(victim: Victim) -> Reply:
    await pause(victim.fault.seconds)
    return victim.carry_out()


async def _held_back(victim: Victim) -> Reply:
    reply = victim.carry_out()
    await pause(victim.fault.seconds)
    return reply


async def _truncated(victim: Victim) -> Reply:
    reply = victim.carry_out()
    return replace(reply, body=reply.body[: len(reply.body) // 2])


async def _wrong_content_type(victim: Victim) -> Reply:
    return replace(victim.carry_out(), content_type="text/html; charset=utf-8")


async def _answered(victim: Victim) -> Reply:
    return victim.carry_out()


def _gateway(status: HTTPStatus) -> Course:
    page = Reply(status=status, body=PAGE.format(f"{status} {status.phrase}").encode(), content_type="text/html")

    async def course(_: Victim) -> Reply:
        return page

    return course


def _overloaded(status: HTTPStatus) -> Course:
    async def course(victim: Victim) -> Reply:
        return victim.service.overloaded(status)

    return course


def _after(rest: Course) -> Course:
    async def course(victim: Victim) -> Reply | None:
        victim.carry_out()
        return await rest(victim)

    return course


COURSES: Mapping[FaultKind, Course] = {
    FaultKind.DROP_BEFORE: _cut,
    FaultKind.DROP_AFTER: _after(_cut),
    FaultKind.HTML_502_BEFORE: _gateway(HTTPStatus.BAD_GATEWAY),
    FaultKind.HTML_502_AFTER: _after(_gateway(HTTPStatus.BAD_GATEWAY)),
    FaultKind.HTML_503_BEFORE: _gateway(HTTPStatus.SERVICE_UNAVAILABLE),
    FaultKind.HTML_503_AFTER: _after(_gateway(HTTPStatus.SERVICE_UNAVAILABLE)),
    FaultKind.ERROR_503: _overloaded(HTTPStatus.SERVICE_UNAVAILABLE),
    FaultKind.ERROR_429: _overloaded(HTTPStatus.TOO_MANY_REQUESTS),
    FaultKind.DELAY_BEFORE: _late,
    FaultKind.DELAY_AFTER: _held_back,
    FaultKind.HANG_BEFORE: _hang,
    FaultKind.HANG_AFTER: _after(_hang),
    FaultKind.TRUNCATED_JSON: _truncated,
    FaultKind.WRONG_CONTENT_TYPE: _wrong_content_type,
    FaultKind.TOKEN_EXPIRED: _answered,
}
