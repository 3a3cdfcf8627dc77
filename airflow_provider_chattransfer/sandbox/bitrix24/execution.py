# SPDX-License-Identifier: Apache-2.0
"""Executes the methods of one request: scopes, operating time, and the body of the response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..clock import Clock
from . import batch, errors
from .authentication import Identity
from .limits import OperatingTime
from .methods import Method, MethodCall, Page, find_method
from .model import PortalData, format_time
from .openlines import OpenLines
from .switches import BatchBilling, MissingScope, StatusSource, Switches

BATCH = "batch"

_Counter = tuple[str, str]


class GatewayTimeoutError(Exception):
    """The request took longer than the cloud allows; the commands that had begun by then were executed."""


@dataclass(slots=True)
class Execution:
    """The methods of one request, called by ``identity``. Raises ``RestError`` and `GatewayTimeoutError`."""

    data: PortalData
    openlines: OpenLines
    operating: OperatingTime
    clock: Clock
    identity: Identity
    request_number: int
    seconds: float = 0.0

    def run_single(self, method: Method, params: dict[str, Any], *, typed: bool) -> dict[str, Any]:
        """Return the body of a single call; ``typed`` tells that the parameters came as JSON."""
        counter = (self.identity.counter, method.name)
        answer = self._run(method, params, counter=counter, checked=True, typed=typed)
        self._check_request_time()
        body: dict[str, Any] = {"result": answer.result}
        if answer.next is not None:
            body["next"] = answer.next
        if answer.total is not None:
            body["total"] = answer.total
        return {**body, "time": answer.time}

    def run_batch(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return the body of a batch. Its own operating time counts only if the batch is billed for its commands."""
        started, counter = self.clock.now(), (self.identity.counter, BATCH)
        if self.operating.blocks(counter, now=started):
            raise errors.operation_time_limit()
        if self.data.switches.statuses is StatusSource.DOCS:
            batch.check_commands(params)
        result = batch.run_commands(params, self._command)
        if self._billing is BatchBilling.BATCH:
            self.operating.spend(counter, self.seconds, now=started)
        self._check_request_time()
        return {"result": result, "time": self._time(started, self.seconds, counter)}

    @property
    def _billing(self) -> BatchBilling:
        return self.data.switches.batch_billing

    def _command(self, name: str, params: dict[str, Any]) -> batch.CommandResult:
        self._check_request_time()
        method = require_method(self.data, name)
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
    ) -> batch.CommandResult:
        """Run a method; bill its time to ``counter`` if ``checked``, otherwise to the batch around it."""
        started = self.clock.now()
        self._check_scope(method, nested=nested)
        if checked and self.operating.blocks(counter, now=started):
            raise errors.operation_time_limit()
        seconds = self.operating.seconds_of(method.name)
        self.seconds += seconds
        if checked:
            self.operating.spend(counter, seconds, now=started)
        else:
            counter = (self.identity.counter, BATCH)
        answer = method.handler(
            MethodCall(
                method=method.name,
                params=params,
                identity=self.identity,
                data=self.data,
                openlines=self.openlines,
                request_number=self.request_number,
                typed=typed,
            )
        )
        page = answer if isinstance(answer, Page) else Page(answer)
        return batch.CommandResult(page.result, page.total, page.next, self._time(started, seconds, counter))

    def _check_scope(self, method: Method, *, nested: bool) -> None:
        if not method.scopes or method.scopes & self.identity.scopes:
            return
        if self.data.switches.missing_scope is MissingScope.NOT_FOUND:
            raise errors.method_not_found()
        raise errors.insufficient_scope(credential="" if nested else self.identity.credential)

    def _check_request_time(self) -> None:
        limit = self.data.switches.request_seconds
        if limit and self.seconds > limit:
            raise GatewayTimeoutError

    def _time(self, started: float, seconds: float, counter: _Counter) -> dict[str, Any]:
        """Return ``time``, with whole numbers as portals since rest 25.700 have them."""
        whole = self.data.switches.whole_seconds
        time: dict[str, Any] = {
            "start": int(started) if whole else started,
            "finish": round(started + seconds, 6),
            "duration": round(seconds, 6),
            "processing": int(seconds) if whole else seconds,
            "date_start": format_time(started),
            "date_finish": format_time(started + seconds),
        }
        if self.data.switches.operating_in_time:
            time["operating_reset_at"] = self.operating.reset_at(counter, now=started)
            time["operating"] = self.operating.operating(counter, now=started)
        return time


def is_missing(name: str, switches: Switches) -> bool:
    """Return whether a portal with these ``switches`` lacks the method ``name``."""
    reports = name.startswith("imopenlines.v2.") and not switches.v2_methods
    return reports or (name == "imbot.v2.Bot.list" and not switches.bot_list)


def require_method(data: PortalData, name: str) -> Method:
    """Return the method ``name`` of this portal; raise ``RestError`` if it has none."""
    found = find_method(name)
    if found is None or is_missing(found.name, data.switches):
        raise errors.method_not_found()
    return found
