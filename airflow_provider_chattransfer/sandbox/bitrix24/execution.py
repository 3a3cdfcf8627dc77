# SPDX-License-Identifier: Apache-2.0
"""One request on its way through its methods: whether they may run, how long they take, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..clock import Clock
from . import batch, errors
from .access import Identity
from .limits import OperatingTime
from .methods import Ask, Method, Page, find
from .model import World, iso
from .openlines import OpenLines
from .switches import BatchBilling, MissingScope, Statuses, Switches

BATCH = "batch"

_Counter = tuple[str, str]


class CutOff(Exception):
    """The request took longer than the cloud lets one take; what had begun by then was carried out."""


@dataclass(slots=True)
class Execution:
    """The methods of one request, on behalf of ``identity``. Raises ``RestError`` and `CutOff`."""

    world: World
    openlines: OpenLines
    operating: OperatingTime
    clock: Clock
    identity: Identity
    request_number: int
    seconds: float = 0.0

    def plain(self, method: Method, params: dict[str, Any], *, typed: bool) -> dict[str, Any]:
        """The body of a plain call, whose parameters are ``typed`` when they came as JSON."""
        counter = (self.identity.counter, method.name)
        answer = self._run(method, params, counter=counter, checked=True, typed=typed)
        self._cut_off()
        body: dict[str, Any] = {"result": answer.result}
        if answer.next is not None:
            body["next"] = answer.next
        if answer.total is not None:
            body["total"] = answer.total
        return {**body, "time": answer.time}

    def batched(self, params: dict[str, Any]) -> dict[str, Any]:
        """The body of a batch, whose own operating time counts only where it is billed for its commands."""
        started, counter = self.clock.now(), (self.identity.counter, BATCH)
        if self.operating.blocks(counter, now=started):
            raise errors.operation_time_limit()
        if self.world.switches.statuses is Statuses.DOCS:
            batch.check(params)
        result = batch.run(params, self._command)
        if self._billing is BatchBilling.BATCH:
            self.operating.spend(counter, self.seconds, now=started)
        self._cut_off()
        return {"result": result, "time": self._time(started, self.seconds, counter)}

    @property
    def _billing(self) -> BatchBilling:
        return self.world.switches.batch_billing

    def _command(self, name: str, params: dict[str, Any]) -> batch.Answer:
        self._cut_off()
        method = find_in(self.world, name)
        counter = (self.identity.counter, method.name)
        if self._billing is BatchBilling.APART and not self.identity.app:
            counter = ("webhook:", method.name)
        return self._run(method, params, counter=counter, checked=self._billing is not BatchBilling.BATCH, nested=True)

    def _run(
        self,
        method: Method,
        params: dict[str, Any],
        *,
        counter: _Counter,
        checked: bool,
        nested: bool = False,
        typed: bool = False,
    ) -> batch.Answer:
        """Run a method; ``checked`` bills it to ``counter``, otherwise the batch around it is billed."""
        started = self.clock.now()
        self._check_scope(method, nested=nested)
        if checked and self.operating.blocks(counter, now=started):
            raise errors.operation_time_limit()
        seconds = self.operating.takes(method.name)
        self.seconds += seconds
        if checked:
            self.operating.spend(counter, seconds, now=started)
        else:
            counter = (self.identity.counter, BATCH)
        answer = method.handle(
            Ask(
                method=method.name,
                params=params,
                identity=self.identity,
                world=self.world,
                openlines=self.openlines,
                request_number=self.request_number,
                typed=typed,
            )
        )
        page = answer if isinstance(answer, Page) else Page(answer)
        return batch.Answer(page.result, page.total, page.next, self._time(started, seconds, counter))

    def _check_scope(self, method: Method, *, nested: bool) -> None:
        if not method.scopes or method.scopes & self.identity.scopes:
            return
        if self.world.switches.missing_scope is MissingScope.NOT_FOUND:
            raise errors.method_not_found()
        raise errors.insufficient_scope(credential="" if nested else self.identity.credential)

    def _cut_off(self) -> None:
        limit = self.world.switches.request_seconds
        if limit and self.seconds > limit:
            raise CutOff

    def _time(self, started: float, seconds: float, counter: _Counter) -> dict[str, Any]:
        """``time``, with whole numbers where portals since rest 25.700 have them."""
        whole = self.world.switches.whole_seconds
        time: dict[str, Any] = {
            "start": int(started) if whole else started,
            "finish": round(started + seconds, 6),
            "duration": round(seconds, 6),
            "processing": int(seconds) if whole else seconds,
            "date_start": iso(started),
            "date_finish": iso(started + seconds),
        }
        if self.world.switches.operating_in_time:
            time["operating_reset_at"] = self.operating.reset_at(counter, now=started)
            time["operating"] = self.operating.operating(counter, now=started)
        return time


def is_absent(name: str, switches: Switches) -> bool:
    """Whether a portal with these ``switches`` has no method of that name."""
    reports = name.startswith("imopenlines.v2.") and not switches.v2_methods
    return reports or (name == "imbot.v2.Bot.list" and not switches.bot_list)


def find_in(world: World, name: str) -> Method:
    """The method of that name on this portal; raises ``RestError``."""
    found = find(name)
    if found is None or is_absent(found.name, world.switches):
        raise errors.method_not_found()
    return found
