# SPDX-License-Identifier: Apache-2.0
"""The tenant `Cust12345`: takes a call, finds out who asks for what, and answers."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ..clock import Clock
from ..ledger import Ledger
from ..scheduler import Scheduler
from ..service import HttpRequest, HttpResponse
from ..simulated_agents import SimulatedAgents
from ..simulated_customers import SimulatedCustomers
from . import errors, lists, scenario
from .agents import ChatAgent
from .archive_agent import ArchiveAgent
from .binding import FORM_TYPE, JSON_TYPES, WebApiCall, options
from .carriers import Carriers
from .dates import Dates
from .entities import Entities
from .identity import Identity
from .login import Login
from .model import ChatSession
from .rest import Rest
from .roles import TopicRoles
from .routes import Routes, segments_of
from .scenario import TENANT
from .sessions import SERVICE, Sessions
from .settings import Settings

VERSION = "Release_11.10_2026.10.28_01"
NET_SERVER_VERSION = "11.10.9432.1028"
STATE_LIFETIME_SECONDS = 600.0
"""Seconds that the answer about the tenant's state is valid."""

STATES_IN_SERVICE = ("Running", "OnlineMaintenance")
ACCEPTED = {"": "application/json", "*/*": "application/json", "application/*": "application/json",
            "text/*": "text/json"}  # fmt: skip
"""What the ranges of `Accept` stand for."""


class Tenant:
    """SuperOffice chat of one customer (see the module `scenario` for what can be set up)."""

    name = SERVICE

    def __init__(
        self, scenario_: Mapping[str, Any], *, clock: Clock, scheduler: Scheduler, ledger: Ledger, rng: random.Random
    ) -> None:
        """Raise `ValueError` for a scenario that is not one."""
        self._clock = clock
        self._centre = scenario.centre(scenario_, now=clock.now(), rng=rng)
        self._settings = Settings.from_json(scenario_, self._centre, now=clock.now())
        switches = self._settings.switches
        self._agents = SimulatedAgents(self._settings.people, rng=rng, scheduler=scheduler)
        customers = SimulatedCustomers(self._settings.customers, rng=rng, scheduler=scheduler)
        self._sessions = Sessions(
            self._centre,
            agents=self._agents,
            customers=customers,
            scheduler=scheduler,
            ledger=ledger,
            switches=switches,
        )
        self._sessions.start()
        tokens = copy(rng)  # its own draws: whoever signs in does not change what people do
        self._identity = Identity(self._centre, self._settings, clock=clock, rng=tokens)
        self._login = Login(self._centre, self._settings, identity=self._identity, clock=clock, rng=tokens)
        entities = Entities(self._centre, self._sessions, switches)
        roles = TopicRoles(self._centre, self._sessions)
        agent = ChatAgent(self._centre, self._sessions, switches, entities=entities, roles=roles)
        rest = Rest(self._centre, self._sessions, switches, agent=agent, entities=entities, roles=roles)
        archives = ArchiveAgent(self._centre, switches)
        self._routes = Routes([*agent.routes(), *archives.routes(), *rest.routes(), *lists.routes(self._centre)])
        self._recent: deque[float] = deque()

    def serves(self, path: str) -> bool:
        """Whether ``path`` is the tenant's, the sign-in's or the tenant state's."""
        first, *rest = path.casefold().strip("/").split("/")
        return first in (TENANT.casefold(), "login") or (first == "api" and rest[:1] == ["state"])

    def methods_of(self, request: HttpRequest) -> list[str]:
        """Return the operation under all its names (see `Route.names`).

        For the others the last word of the address (`tokens`, `Authenticate`), `state` and `api`.
        """
        segments = segments_of(request.path)
        if (inner := _inside_api(segments)) is not None:
            found = self._routes.find(request.verb, inner)
            return found[0].names if found else []
        return [{"api": "state", "login": segments[-1]}.get(segments[0].casefold(), "api")]

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Carry out ``request``."""
        try:
            return self._answer(request)
        except errors.ServiceError as exception:
            agent = [part.casefold() for part in segments_of(request.path)[3:4]] == ["agents"]
            return exception.of_agent(self._settings.switches.agent_errors) if agent else exception.response
        except errors.RefusalError as refusal:
            return refusal.response
        except RecursionError:
            return errors.message(400, "The request is invalid.", "It is nested too deeply.").response

    def expire(self, request: HttpRequest) -> bool:
        """Let the Bearer token or ticket of ``request`` expire; `Basic` carries none."""
        return self._identity.expire(request.headers)

    def overloaded(self, status: int) -> HttpResponse:
        """How a call above the scenario's `rate` is answered, with ``status``."""
        headers = {"retry-after": "1"} if self._settings.switches.retry_after else None
        return errors.message(status, "Too many requests.", headers=headers).response

    def state(self) -> dict[str, Any]:
        """Agents, queues and chats."""
        associates, topics = self._centre.associates.values(), self._centre.topics.values()
        return {
            "agents": [
                {
                    "id": str(associate.id),
                    "name": associate.full_name,
                    "active": associate.chats,
                    "present": associate.id in self._centre.present,
                    "paused": self._agents.is_on_break(associate.id),
                }
                for associate in associates
            ],
            "queues": [
                {"id": str(topic.id), "name": topic.name, "members": [str(number) for number in sorted(topic.members)]}
                for topic in topics
            ],
            "chats": [_chat(session) for session in self._centre.sessions.values()],
        }

    def _answer(self, request: HttpRequest) -> HttpResponse:
        segments = segments_of(request.path)
        folded = [segment.casefold() for segment in segments]
        online = self._settings.switches.installation != "onsite"
        if folded[:2] == ["api", "state"] and len(folded) == 3 and online:
            _only("GET", request)
            return HttpResponse.json(self._tenant_state(request, segments[2]))
        if folded[0] == "login" and online:
            return self._login.answer(request, segments[1:], api=self._base(request))
        self._check_service(request)
        if folded == [TENANT.casefold(), "api"]:
            _only("GET", request)
            return HttpResponse.json({"v1": f"{self._base(request)}/v1", "NetServerVersion": NET_SERVER_VERSION})
        if (inner := _inside_api(segments)) is None:
            raise errors.no_resource(request.path)
        self._check_rate()
        return self._invoke(request, inner)

    def _invoke(self, request: HttpRequest, segments: Sequence[str]) -> HttpResponse:
        """Return an operation of the WebAPI: who asks is settled before what they ask."""
        caller = self._identity.caller(request.headers)
        if not segments:
            _only("GET", request)
            return HttpResponse.json(self._routes.listing(f"{self._base(request)}/v1"))
        route, parts = self._routes.require(request.verb, segments, request.origin + request.path)
        content_type = _accepted(request)
        dates = self._dates(request)
        switches = self._settings.switches
        method = route.template.removeprefix("Agents/Chat/")
        call = WebApiCall(
            request=request,
            method=method,
            base=self._base(request),
            caller=caller,
            dates=dates,
            carriers=Carriers(self._centre, dates),
            query=options(request.query),
            parts=parts,
            lenient=switches.lenient_types or request.headers.get("content-type", "").casefold().startswith(FORM_TYPE),
            unbound_status=switches.binder_error_status if route.template.startswith("Agents/") else 400,
        )
        answer = route.handler(call)
        return (
            answer
            if isinstance(answer, HttpResponse)
            else replace(HttpResponse.json(answer), content_type=content_type)
        )

    def _base(self, request: HttpRequest) -> str:
        """Return the address of the API: where the tenant lives, else where the caller reached us."""
        if (host := self._only_host()) is None:
            return f"{request.origin}/{TENANT}/api"
        _, mark, port = request.headers.get("host", "").rpartition(":")
        return f"{request.scheme}://{host}{mark}{port if mark else ''}/{TENANT}/api"

    def _only_host(self) -> str | None:
        """Return the only host name at which the data is served; ``None`` for any."""
        host = self._settings.data_host
        return host.name if host is not None and host.since <= self._clock.now() else None

    def _check_service(self, request: HttpRequest) -> None:
        host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
        if self._only_host() not in (None, host.lower()):
            raise errors.misdirected()
        if self._settings.tenant_state not in STATES_IN_SERVICE:
            raise errors.maintenance()

    def _check_rate(self) -> None:
        if self._settings.rate is None:
            return
        now = self._clock.now()
        while self._recent and self._recent[0] <= now - 1.0:
            self._recent.popleft()
        if len(self._recent) >= self._settings.rate:
            raise errors.RefusalError(self.overloaded(self._settings.switches.rate_status))
        self._recent.append(now)

    def _dates(self, request: HttpRequest) -> Dates:
        try:
            return Dates.asked_by(request.headers.get("so-timezone"), base=self._settings.time_zone)
        except ValueError as problem:
            raise errors.invalid_argument(str(problem)) from problem

    def _tenant_state(self, request: HttpRequest, tenant: str) -> dict[str, Any]:
        """`GET /api/state/{tenant}`; needs no credential. A tenant that is not ours is unknown, and has no address.

        `ValidUntil` is by the computer's clock, not the sandbox's: the caller compares it with their own.
        """
        state = self._settings.tenant_state if tenant.casefold() == TENANT.casefold() else "Unknown"
        ours = state != "Unknown"
        api = self._base(request) if ours else None
        until = datetime.fromtimestamp(time.time() + STATE_LIFETIME_SECONDS, UTC).replace(tzinfo=None)
        return {
            "ContextIdentifier": TENANT if ours else tenant,
            "Endpoint": api.removesuffix("/api") if api else None,
            "State": state,
            "IsRunning": state in STATES_IN_SERVICE,
            "ValidUntil": f"{until.isoformat(timespec='microseconds')}4Z",
            "Api": api,
            "Version": VERSION,
        }


def _chat(session: ChatSession) -> dict[str, Any]:
    return {
        "id": str(session.id),
        "state": scenario.state_of(session.status),
        "owner": None if session.user is None else str(session.user),
        "offered_to": None if session.transfer_to is None else str(session.transfer_to),
        "queue": str(session.topic),
        "customer": str(session.customer.id),
        "transfers": session.transfers,
        "messages": len(session.messages),
    }


def _inside_api(segments: Sequence[str]) -> Sequence[str] | None:
    """Return what follows `/Cust12345/api/v1`; ``None`` for another address."""
    prefix = [segment.casefold() for segment in segments[:3]]
    return segments[3:] if prefix == [TENANT.casefold(), "api", "v1"] else None


def _only(verb: str, request: HttpRequest) -> None:
    if request.verb != verb:
        raise errors.wrong_verb(request.verb)


def _accepted(request: HttpRequest) -> str:
    """Return the content type of the answer: the first in `Accept` that is JSON; the sandbox has no XML."""
    for kind in request.headers.get("accept", "").split(","):
        kind = kind.partition(";")[0].strip().casefold()
        if (kind := ACCEPTED.get(kind, kind)) in JSON_TYPES:
            return f"{kind}; charset=utf-8"
    raise errors.message(406, "The sandbox answers in JSON only.")
