# SPDX-License-Identifier: Apache-2.0
"""The tenant `Cust12345`: takes a call, finds out who asks for what, and answers."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from ..clock import Clock
from ..ledger import Ledger
from ..people import People
from ..wire import Call, Reply
from . import errors, scenario
from .agents import ChatAgent
from .ask import FORM_TYPE, Ask, body_of, options
from .carriers import Carriers
from .dates import Dates
from .identity import Identity
from .model import ChatSession
from .rest import Rest
from .routes import Routes, segments_of
from .scenario import TENANT
from .sessions import SERVICE, Sessions

VERSION = "Release_11.10_2026.10.28_01"
NET_SERVER_VERSION = "11.10.9432.1028"
STATE_LIFETIME = 600.0
"""Seconds that the answer about the tenant's state is valid."""

STATES_IN_SERVICE = ("Running", "OnlineMaintenance")
ACCEPTED = ("", "*/*", "application/*", "text/*", "application/json", "text/json")
READABLE_BODY = ("POST", "PUT", "PATCH")


class Tenant:
    """SuperOffice chat of one customer (see the module `scenario` for what can be set up)."""

    name = SERVICE

    def __init__(self, scenario_: Mapping[str, Any], *, clock: Clock, ledger: Ledger, rng: random.Random) -> None:
        """Raises `ValueError` for a scenario that is not one."""
        self._clock = clock
        self._centre = scenario.centre(scenario_, now=clock.now(), rng=rng)
        self._settings = scenario.settings(scenario_, self._centre, now=clock.now())
        switches = self._settings.switches
        people = People(self._settings.people, rng=rng)
        self._sessions = Sessions(self._centre, people=people, clock=clock, ledger=ledger, switches=switches)
        self._identity = Identity(self._centre, self._settings, clock=clock, rng=rng)
        agent = ChatAgent(self._centre, self._sessions, switches)
        rest = Rest(self._centre, self._sessions, switches, agent=agent)
        self._routes = Routes([*agent.routes(), *rest.routes()])
        self._recent: deque[float] = deque()

    def serves(self, path: str) -> bool:
        """Whether ``path`` is the tenant's, the sign-in's or the tenant state's."""
        first, *rest = path.casefold().strip("/").split("/")
        return first in (TENANT.casefold(), "login") or (first == "api" and rest[:1] == ["state"])

    def methods_of(self, call: Call) -> list[str]:
        """The operation under all its names (see `Route.names`); `state`, `tokens` and `api` for the others."""
        segments = segments_of(call.path)
        if (inner := _inside_api(segments)) is not None:
            found = self._routes.find(call.verb, inner)
            return found[0].names if found else []
        return [{"api": "state", "login": "tokens"}.get(segments[0].casefold(), "api")]

    def answer(self, call: Call) -> Reply:
        """Carry out ``call``."""
        try:
            return self._answer(call)
        except errors.Refusal as refusal:
            return refusal.reply

    def advance(self) -> None:
        """Let the people do what is due."""
        self._sessions.advance()

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
                }
                for associate in associates
            ],
            "queues": [
                {"id": str(topic.id), "name": topic.name, "members": [str(number) for number in sorted(topic.members)]}
                for topic in topics
            ],
            "chats": [_chat(session) for session in self._centre.sessions.values()],
        }

    def _answer(self, call: Call) -> Reply:
        segments = segments_of(call.path)
        folded = [segment.casefold() for segment in segments]
        if folded[:2] == ["api", "state"] and len(folded) == 3:
            _only("GET", call)
            return Reply.json(self._tenant_state(call, segments[2]))
        if folded == ["login", "common", "oauth", "tokens"]:
            _only("POST", call)
            return Reply.json(self._identity.renewed(_form(call), call.headers), headers={"cache-control": "no-store"})
        self._check_service(call)
        if folded == [TENANT.casefold(), "api"]:
            _only("GET", call)
            return Reply.json({"v1": f"{self._base(call)}/v1", "NetServerVersion": NET_SERVER_VERSION})
        if (inner := _inside_api(segments)) is None:
            raise errors.message(404, f"No HTTP resource was found that matches the request URI '{call.path}'.")
        self._check_rate()
        return self._invoke(call, inner)

    def _invoke(self, call: Call, segments: Sequence[str]) -> Reply:
        """An operation of the WebAPI: who asks is settled before what he asks."""
        caller = self._identity.caller(call.headers)
        if not segments:
            _only("GET", call)
            return Reply.json({name: f"{self._base(call)}/v1/{name}" for name in self._routes.templates()})
        route, parts = self._routes.require(call.verb, segments, call.origin + call.path)
        _check_accept(call)
        dates = self._dates(call)
        switches = self._settings.switches
        method = route.template.removeprefix("Agents/Chat/")
        ask = Ask(
            call=call,
            method=method,
            base=self._base(call),
            caller=caller,
            dates=dates,
            carriers=Carriers(self._centre, dates),
            query=options(call.query),
            body=body_of(call) if call.verb in READABLE_BODY else None,
            parts=parts,
            lenient=switches.lenient_types or call.headers.get("content-type", "").startswith(FORM_TYPE),
            unbound_status=400 if method == route.template else switches.binder_error_status,
        )
        answer = route.handler(ask)
        return answer if isinstance(answer, Reply) else Reply.json(answer)

    def _base(self, call: Call) -> str:
        """The address of the API: where the tenant lives, else where the caller reached us."""
        if (host := self._settings.data_host) is None:
            return f"{call.origin}/{TENANT}/api"
        _, mark, port = call.headers.get("host", "").rpartition(":")
        return f"http://{host}{mark}{port if mark else ''}/{TENANT}/api"

    def _check_service(self, call: Call) -> None:
        host = call.headers.get("host", "").rpartition(":")[0] or call.headers.get("host", "")
        if self._settings.data_host not in (None, host):
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
            switches = self._settings.switches
            headers = {"retry-after": "1"} if switches.retry_after else None
            raise errors.message(switches.rate_status, "Too many requests.", headers=headers)
        self._recent.append(now)

    def _dates(self, call: Call) -> Dates:
        try:
            return Dates.asked_by(call.headers.get("so-timezone"), base=self._settings.time_zone)
        except ValueError as problem:
            raise errors.invalid_argument(str(problem)) from problem

    def _tenant_state(self, call: Call, tenant: str) -> dict[str, Any]:
        """`GET /api/state/{tenant}`; needs no credential. A tenant that is not ours is unknown."""
        ours = tenant.casefold() == TENANT.casefold()
        state = self._settings.tenant_state if ours else "Unknown"
        api = self._base(call) if ours else None
        until = datetime.fromtimestamp(self._clock.now() + STATE_LIFETIME, UTC).replace(tzinfo=None)
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
    """What follows `/Cust12345/api/v1`; ``None`` for another address."""
    prefix = [segment.casefold() for segment in segments[:3]]
    return segments[3:] if prefix == [TENANT.casefold(), "api", "v1"] else None


def _only(verb: str, call: Call) -> None:
    if call.verb != verb:
        raise errors.message(405, f"The requested resource does not support http method '{call.verb}'.")


def _check_accept(call: Call) -> None:
    kinds = {kind.partition(";")[0].strip().casefold() for kind in call.headers.get("accept", "").split(",")}
    if not kinds.intersection((*ACCEPTED, "application/json-patch+json", "application/merge-patch+json")):
        raise errors.message(406, "The sandbox answers in JSON only.")


def _form(call: Call) -> dict[str, str]:
    """The parameters of the token endpoint: SuperOffice's documents put them in the query, its own code in a form."""
    return dict([*parse_qsl(call.query), *parse_qsl(call.body.decode("utf-8", "replace"))])
