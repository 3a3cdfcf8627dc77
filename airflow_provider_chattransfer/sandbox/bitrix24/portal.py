# SPDX-License-Identifier: Apache-2.0
"""The portal as a service: leads a request through limits, method and credentials to its execution."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from ..agenda import Agenda
from ..clock import Clock
from ..customers import Customers
from ..ledger import Ledger
from ..people import People
from ..wire import Call, Reply
from . import batch, encoding, errors, request, scenario
from .access import Access, Identity
from .errors import RestError
from .execution import CutOff, Execution, find_in
from .limits import LeakyBucket, OperatingTime
from .model import World
from .openlines import SERVICE, OpenLines
from .state import state
from .switches import PortalState
from .tokens import Tokens

OAUTH_ROOT = "/oauth/"
AUTHORIZE_PATH, TOKEN_PATH = "/oauth/authorize", "/oauth/token"
DEFAULT_RATE = {"per_second": 2, "burst": 50}
HTML_TYPE = "text/html"
MOVED_PAGE = b"<html><head><title>302 Found</title></head><body><center><h1>302 Found</h1></center></body></html>"
CUT_OFF_PAGE = (
    b"<html><head><title>504 Gateway Time-out</title></head>"
    b"<body><center><h1>504 Gateway Time-out</h1></center><hr><center>nginx</center></body></html>"
)


class Portal:
    """A Bitrix24 portal with open lines, at ``/rest/``, and its authorisation server, at ``/oauth/``."""

    name = SERVICE

    def __init__(
        self, value: Mapping[str, Any], *, clock: Clock, agenda: Agenda, ledger: Ledger, rng: random.Random
    ) -> None:
        """Build the portal of a scenario; raises ``ValueError`` for one that is not."""
        world = scenario.build(value, rng=rng, now=clock.now())
        self._clock = clock
        self._world: World = world
        self._tokens = Tokens(world, rng)
        self._tokens.start(now=clock.now())
        self._access = Access(world, self._tokens)
        self._rate = LeakyBucket.from_json(
            value.get("rate", DEFAULT_RATE), refused_count=world.switches.refused_requests_count
        )
        self._operating = OperatingTime.from_json(value.get("operating", {}))
        people = People(value.get("people", {}), rng=rng, agenda=agenda)
        customers = Customers(value.get("customers", {}), rng=rng, agenda=agenda)
        self._openlines = OpenLines(world, people=people, customers=customers, ledger=ledger, agenda=agenda)
        self._openlines.start()

    def serves(self, path: str) -> bool:
        """``/rest/…`` and ``/oauth/…``."""
        return path.startswith((request.ROOT, OAUTH_ROOT))

    def methods_of(self, call: Call) -> list[str]:
        """The method of the path, and for ``batch`` those of its commands, too."""
        if not call.path.startswith(request.ROOT):
            return [call.path.strip("/").replace("/", ".")]
        asked = request.read(call)
        if not asked.is_batch:
            return [asked.method]
        nested = [batch.method_of(command) for command in batch.commands(asked.params).values()]
        return [asked.method, *filter(None, nested)]

    def expire(self, call: Call) -> bool:
        """Let the OAuth access token of ``call`` expire; a webhook carries none."""
        if not call.path.startswith(request.ROOT):
            return False
        asked = request.read(call)
        return asked.webhook is None and self._tokens.expire(asked.token, now=self._clock.now())

    def overloaded(self, status: int) -> Reply:
        """503 of the intensity limit or 429 of the operating limit, as `answer` gives them."""
        return self._refuse(errors.query_limit() if status == 503 else errors.operation_time_limit())

    def state(self) -> dict[str, Any]:
        """Agents, queues and chats."""
        return state(self._world)

    def answer(self, call: Call) -> Reply:
        """Carry out a request.

        First comes what the front end sees to, the portal's address and the intensity limit; then whether there is a
        portal at all, the method's name, the credentials, and what the method itself checks.
        """
        if not call.path.startswith(request.ROOT):
            return self._answer_oauth(call)
        if address := self._new_address(call):
            return Reply(status=302, body=MOVED_PAGE, content_type=HTML_TYPE, headers={"Location": address})
        if self._rate and not self._rate.admits(call.peer, now=self._clock.now()):
            return self._refuse(errors.query_limit())
        asked = request.read(call)
        try:
            return encoding.reply(self._answer_rest(asked, call), xml=asked.xml)
        except RestError as problem:
            return self._refuse(problem, xml=asked.xml)
        except CutOff:
            return Reply(status=504, body=CUT_OFF_PAGE, content_type=HTML_TYPE)

    def _refuse(self, problem: RestError, *, xml: bool = False) -> Reply:
        return encoding.reply(problem.to_json(), status=problem.status_by(self._world.switches.statuses), xml=xml)

    def _new_address(self, call: Call) -> str | None:
        """Where a request to a portal that was renamed should have gone."""
        asked, _, number = call.headers.get("host", "").lower().partition(":")
        host = self._world.switches.moved_to
        if not host or asked == host:
            return None
        port = f":{number}" if number.isdecimal() else ""
        query = f"?{call.query}" if call.query else ""
        return f"{call.scheme}://{host}{port}{call.path}{query}"

    def _answer_oauth(self, call: Call) -> Reply:
        params, now = request.parameters(call), self._clock.now()
        path = call.path.rstrip("/")
        if path == TOKEN_PATH:
            status, body = self._tokens.grant(params, origin=call.origin, now=now)
            return encoding.reply(body, status=status)
        address = self._tokens.authorize(params, origin=call.origin, now=now) if path == AUTHORIZE_PATH else None
        if address is None:
            return encoding.reply({"error": "invalid_client", "error_description": "Wrong client"}, status=404)
        return Reply(status=302, body=MOVED_PAGE, content_type=HTML_TYPE, headers={"Location": address})

    def _answer_rest(self, asked: request.RestRequest, call: Call) -> dict[str, Any]:
        if self._world.switches.portal_state is PortalState.DELETED:
            raise errors.portal_deleted()
        method = None if asked.is_batch else find_in(self._world, asked.method)
        execution = Execution(
            world=self._world,
            openlines=self._openlines,
            operating=self._operating,
            clock=self._clock,
            identity=self._identify(asked, call),
            request=call.number,
        )
        return execution.plain(method, asked.params, typed=asked.typed) if method else execution.batched(asked.params)

    def _identify(self, asked: request.RestRequest, call: Call) -> Identity:
        if self._world.switches.https_required and call.scheme != "https":
            raise errors.https_required()
        now = self._clock.now()
        if asked.webhook is not None:
            return self._access.of_webhook(*asked.webhook, now=now)
        if asked.token:
            return self._access.of_token(asked.token, now=now)
        if asked.sessid is not None:
            return self._access.of_session(call.headers, asked.sessid)
        raise errors.no_auth()
