# SPDX-License-Identifier: Apache-2.0
"""The portal as a service: takes a request through limits, method and credentials to its execution."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from ..clock import Clock
from ..ledger import Ledger
from ..scheduler import Scheduler
from ..service import HttpRequest, HttpResponse
from ..simulated_agents import SimulatedAgents
from ..simulated_customers import SimulatedCustomers
from . import batch, encoding, errors, scenario
from .authentication import Authenticator, Identity
from .errors import RestError
from .execution import Execution, GatewayTimeoutError, require_method
from .limits import LeakyBucket, OperatingTime
from .model import PortalData
from .openlines import SERVICE, OpenLines
from .rest_request import REST_ROOT, RestRequest, parse_parameters, parse_request
from .state import portal_state
from .switches import PortalState
from .tokens import Tokens

OAUTH_ROOT = "/oauth/"
AUTHORIZE_PATH, TOKEN_PATH = "/oauth/authorize", "/oauth/token"
DEFAULT_RATE = {"per_second": 2, "burst": 50}
HTML_TYPE = "text/html"
MOVED_PAGE = b"<html><head><title>302 Found</title></head><body><center><h1>302 Found</h1></center></body></html>"
GATEWAY_TIMEOUT_PAGE = (
    b"<html><head><title>504 Gateway Time-out</title></head>"
    b"<body><center><h1>504 Gateway Time-out</h1></center><hr><center>nginx</center></body></html>"
)


class Portal:
    """A Bitrix24 portal with open lines, at ``/rest/``, and its authorisation server, at ``/oauth/``."""

    name = SERVICE

    def __init__(
        self, value: Mapping[str, Any], *, clock: Clock, scheduler: Scheduler, ledger: Ledger, rng: random.Random
    ) -> None:
        """Build the portal of a scenario; raise ``ValueError`` if the scenario is invalid."""
        data = scenario.build(value, rng=rng, now=clock.now())
        self._clock = clock
        self._data: PortalData = data
        self._tokens = Tokens(data, rng)
        self._tokens.start(now=clock.now())
        self._authenticator = Authenticator(data, self._tokens)
        self._rate = LeakyBucket.from_json(
            value.get("rate", DEFAULT_RATE), refused_count=data.switches.refused_requests_count
        )
        self._operating = OperatingTime.from_json(value.get("operating", {}))
        agents = SimulatedAgents(value.get("people", {}), rng=rng, scheduler=scheduler)
        customers = SimulatedCustomers(value.get("customers", {}), rng=rng, scheduler=scheduler)
        self._openlines = OpenLines(data, agents=agents, customers=customers, ledger=ledger, scheduler=scheduler)
        self._openlines.start()

    def serves(self, path: str) -> bool:
        """Return whether ``path`` is below ``/rest/`` or ``/oauth/``."""
        return path.startswith((REST_ROOT, OAUTH_ROOT))

    def methods_of(self, request: HttpRequest) -> list[str]:
        """Return the method of the path, and for ``batch`` those of its commands too."""
        if not request.path.startswith(REST_ROOT):
            return [request.path.strip("/").replace("/", ".")]
        rest_request = parse_request(request)
        if not rest_request.is_batch:
            return [rest_request.method]
        nested = [batch.method_of(command) for command in batch.parse_commands(rest_request.params).values()]
        return [rest_request.method, *filter(None, nested)]

    def expire(self, request: HttpRequest) -> bool:
        """Expire the OAuth access token of ``request``; a webhook carries none."""
        if not request.path.startswith(REST_ROOT):
            return False
        rest_request = parse_request(request)
        return rest_request.webhook is None and self._tokens.expire(rest_request.token, now=self._clock.now())

    def overloaded(self, status: int) -> HttpResponse:
        """Return the 503 of the intensity limit or the 429 of the operating limit, as `answer` does."""
        return self._refuse(errors.query_limit() if status == 503 else errors.operation_time_limit())

    def state(self) -> dict[str, Any]:
        """Return agents, queues and chats."""
        return portal_state(self._data)

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Execute a request and return the response.

        The front end comes first: the portal's address and the intensity limit. Then follow the state of the portal,
        the method's name, the credentials, and what the method itself checks.
        """
        if not request.path.startswith(REST_ROOT):
            return self._answer_oauth(request)
        if address := self._new_address(request):
            return HttpResponse(status=302, body=MOVED_PAGE, content_type=HTML_TYPE, headers={"Location": address})
        if self._rate and not self._rate.admits(request.peer, now=self._clock.now()):
            return self._refuse(errors.query_limit())
        rest_request = parse_request(request)
        try:
            return encoding.reply(self._answer_rest(rest_request, request), xml=rest_request.xml)
        except RestError as problem:
            return self._refuse(problem, xml=rest_request.xml)
        except GatewayTimeoutError:
            return HttpResponse(status=504, body=GATEWAY_TIMEOUT_PAGE, content_type=HTML_TYPE)

    def _refuse(self, problem: RestError, *, xml: bool = False) -> HttpResponse:
        return encoding.reply(problem.to_json(), status=problem.status_by(self._data.switches.statuses), xml=xml)

    def _new_address(self, request: HttpRequest) -> str | None:
        """Return where a request to a renamed portal should have gone, or ``None``."""
        named, _, number = request.headers.get("host", "").lower().partition(":")
        host = self._data.switches.moved_to
        if not host or named == host:
            return None
        port = f":{number}" if number.isdecimal() else ""
        query = f"?{request.query}" if request.query else ""
        return f"{request.scheme}://{host}{port}{request.path}{query}"

    def _answer_oauth(self, request: HttpRequest) -> HttpResponse:
        params, now = parse_parameters(request), self._clock.now()
        path = request.path.rstrip("/")
        if path == TOKEN_PATH:
            status, body = self._tokens.grant(params, origin=request.origin, now=now)
            return encoding.reply(body, status=status)
        address = self._tokens.authorize(params, origin=request.origin, now=now) if path == AUTHORIZE_PATH else None
        if address is None:
            return encoding.reply({"error": "invalid_client", "error_description": "Wrong client"}, status=404)
        return HttpResponse(status=302, body=MOVED_PAGE, content_type=HTML_TYPE, headers={"Location": address})

    def _answer_rest(self, rest_request: RestRequest, request: HttpRequest) -> dict[str, Any]:
        if self._data.switches.portal_state is PortalState.DELETED:
            raise errors.portal_deleted()
        method = None if rest_request.is_batch else require_method(self._data, rest_request.method)
        execution = Execution(
            data=self._data,
            openlines=self._openlines,
            operating=self._operating,
            clock=self._clock,
            identity=self._identify(rest_request, request),
            request_number=request.number,
        )
        return (
            execution.run_single(method, rest_request.params, typed=rest_request.typed)
            if method
            else execution.run_batch(rest_request.params)
        )

    def _identify(self, rest_request: RestRequest, request: HttpRequest) -> Identity:
        if self._data.switches.https_required and request.scheme != "https":
            raise errors.https_required()
        now = self._clock.now()
        if rest_request.webhook is not None:
            return self._authenticator.by_webhook(*rest_request.webhook, now=now)
        if rest_request.token:
            return self._authenticator.by_token(rest_request.token, now=now)
        if rest_request.sessid is not None:
            return self._authenticator.by_session(request.headers, rest_request.sessid)
        raise errors.no_auth()
