# SPDX-License-Identifier: Apache-2.0
"""The portal as a service: routes a request through limits, method, credentials and scope to its method."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from ..clock import Clock
from ..ledger import Ledger
from ..people import People
from ..wire import Call, Reply
from . import batch, errors, request, scenario
from .access import Access, Identity
from .errors import RestError
from .limits import LeakyBucket, OperatingTime
from .methods import Ask, Method, Page, find
from .model import World, iso
from .openlines import SERVICE, OpenLines
from .state import state
from .switches import BatchBilling, MissingScope

TOKEN_PATH = "/oauth/token"
DEFAULT_RATE = {"per_second": 2, "burst": 50}


class Portal:
    """A Bitrix24 portal with open lines, at ``/rest/`` and ``/oauth/``."""

    name = SERVICE

    def __init__(self, value: Mapping[str, Any], *, clock: Clock, ledger: Ledger, rng: random.Random) -> None:
        """Build the portal of a scenario; raises ``ValueError`` for one that is not."""
        world = scenario.build(value, rng=rng, now=clock.now())
        self._clock = clock
        self._world: World = world
        self._access = Access(world, rng)
        self._access.start(now=clock.now())
        self._rate = LeakyBucket.from_json(
            value.get("rate", DEFAULT_RATE), refused_count=world.switches.refused_requests_count
        )
        self._operating = OperatingTime.from_json(value.get("operating", {}))
        people = People(value.get("people", {}), rng=rng)
        self._openlines = OpenLines(world=world, people=people, ledger=ledger, clock=clock)

    def serves(self, path: str) -> bool:
        """``/rest/…`` and ``/oauth/…``."""
        return path.startswith((request.ROOT, "/oauth/"))

    def methods_of(self, call: Call) -> list[str]:
        """The method of the path, and for ``batch`` those of its commands, too."""
        if not call.path.startswith(request.ROOT):
            return ["oauth.token"]
        asked = request.read(call)
        if asked.method.lower() != "batch":
            return [asked.method]
        nested = [batch.method_of(command) for command in batch.commands(asked.params).values()]
        return [asked.method, *filter(None, nested)]

    def advance(self) -> None:
        """Let people act."""
        self._openlines.advance()

    def state(self) -> dict[str, Any]:
        """Agents, queues and chats."""
        return state(self._world)

    def answer(self, call: Call) -> Reply:
        """Carry out a request. Limits come first, then the method's name, then the credentials."""
        if not call.path.startswith(request.ROOT):
            return self._answer_oauth(call)
        try:
            return Reply.json(self._answer_rest(call))
        except RestError as problem:
            return Reply.json(problem.to_json(), status=problem.status_by(self._world.switches.statuses))

    def _answer_oauth(self, call: Call) -> Reply:
        if call.path.rstrip("/") != TOKEN_PATH:
            return Reply.json({"error": "not_found"}, status=404)
        status, body = self._access.refresh(request.parameters(call), origin=call.origin, now=self._clock.now())
        return Reply.json(body, status=status)

    def _answer_rest(self, call: Call) -> dict[str, Any]:
        started = self._clock.now()
        if self._rate and not self._rate.admits(call.peer, now=started):
            raise errors.query_limit()
        asked = request.read(call)
        is_batch = asked.method.lower() == "batch"
        method = None if is_batch else self._method(asked.method)
        identity = self._identify(asked)
        if method is not None:
            answer = self._execute(method, asked.params, identity, call, counter=(identity.counter, method.name))
            return self._envelope(answer)
        return self._answer_batch(asked.params, identity, call, started)

    def _answer_batch(self, params: dict[str, Any], identity: Identity, call: Call, started: float) -> dict[str, Any]:
        seconds = 0.0

        def execute(name: str, nested: dict[str, Any]) -> batch.Answer:
            nonlocal seconds
            method = self._method(name)
            seconds += self._operating.takes(name)
            return self._execute(
                method, nested, identity, call, counter=self._counter_in_batch(identity, method), in_batch=True
            )

        counter = (identity.counter, "batch")
        if self._operating.blocks(counter, now=started):
            raise errors.operation_time_limit()
        result = batch.run(params, execute)
        return {"result": result, "time": self._time(started, seconds, counter)}

    def _counter_in_batch(self, identity: Identity, method: Method) -> tuple[str, str]:
        billing = self._world.switches.batch_billing
        if billing is BatchBilling.BATCH:
            return identity.counter, "batch"
        if billing is BatchBilling.APART and not identity.app:
            return "webhook:", method.name
        return identity.counter, method.name

    def _method(self, name: str) -> Method:
        found = find(name)
        if found is None or (found.name.startswith("imopenlines.v2.") and not self._world.switches.v2_methods):
            raise errors.method_not_found()
        return found

    def _identify(self, asked: request.RestRequest) -> Identity:
        if self._world.switches.https_required:
            raise errors.https_required()
        if asked.webhook is not None:
            return self._access.of_webhook(*asked.webhook)
        return self._access.of_token(asked.token, now=self._clock.now())

    def _execute(
        self,
        method: Method,
        params: dict[str, Any],
        identity: Identity,
        call: Call,
        *,
        counter: tuple[str, str],
        in_batch: bool = False,
    ) -> batch.Answer:
        started = self._clock.now()
        if method.scopes and not method.scopes & identity.scopes:
            if self._world.switches.missing_scope is MissingScope.NOT_FOUND:
                raise errors.method_not_found()
            raise errors.insufficient_scope(in_batch=in_batch)
        if self._operating.blocks(counter, now=started):
            raise errors.operation_time_limit()
        seconds = self._operating.takes(method.name)
        self._operating.spend(counter, seconds, now=started)
        result = method.handle(
            Ask(
                method=method.name,
                params=params,
                identity=identity,
                world=self._world,
                openlines=self._openlines,
                request=call.number,
            )
        )
        page = result if isinstance(result, Page) else Page(result)
        return batch.Answer(page.result, page.total, page.next, self._time(started, seconds, counter))

    def _envelope(self, answer: batch.Answer) -> dict[str, Any]:
        body: dict[str, Any] = {"result": answer.result}
        if answer.next is not None:
            body["next"] = answer.next
        if answer.total is not None:
            body["total"] = answer.total
        return {**body, "time": answer.time}

    def _time(self, started: float, seconds: float, counter: tuple[str, str]) -> dict[str, Any]:
        """``time``: ``start`` is a whole number, ``operating`` 0 or a float (portals since rest 25.700)."""
        time: dict[str, Any] = {
            "start": int(started),
            "finish": round(started + seconds, 6),
            "duration": round(seconds, 6),
            "processing": 0,
            "date_start": iso(started),
            "date_finish": iso(started + seconds),
        }
        if self._world.switches.operating_in_time:
            time["operating_reset_at"] = self._operating.reset_at(counter, now=started)
            time["operating"] = self._operating.operating(counter, now=started) or 0
        return time
