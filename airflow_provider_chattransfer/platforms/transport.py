# SPDX-License-Identifier: Apache-2.0
"""Send the requests of an account: in time, at its pace, repeated where that is safe, and no secret in an error."""

from __future__ import annotations

import logging
import platform as python_platform
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from tenacity import RetryCallState, Retrying, stop_after_attempt, wait_exponential

from .. import __version__
from ..exceptions import (
    PlatformError,
    RateLimitError,
    ResponseLostError,
    UnexpectedResponseError,
)
from ..retry_decision import NextStep, decide
from . import answer_bodies
from .answer_bodies import ACCEPTED_ENCODING
from .answer_bodies import NO_JSON as NO_JSON
from .answer_headers import read_clock_ahead, read_retry_after
from .bounded_session import AnswerTooLargeError, BoundedSession, exchange
from .coordination.pace import Pace
from .exchange_errors import FAILURES, exchange_error
from .log_filter import silence_http_logs
from .rate import RateLimit
from .reading_age import MAX_READ_AGE_SECONDS, check_reading_age

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_SECONDS = 5.0
"""Seconds to wait for a connection to one address of a host."""

MAX_ANSWER_MEGABYTES = 64
"""Megabytes that the body of an answer may have, unpacked. A list of 10,000 chats has less than 20."""

MAX_ATTEMPTS = 12
"""How often a request is made at most; the pauses between are one to two minutes together, longer than a service is
away that is down for a minute."""

MAX_HINT_SECONDS = 660.0
"""Seconds of a ``retry_after`` that are waited for at most: Bitrix24's operating limit looks back ten minutes."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    ``method`` is the API method's name for messages; ``url`` may hold secrets. ``sends_json`` has ``null`` sent where
    ``json`` is ``None``. ``repeatable`` tells that carrying it out twice does no harm (a read).
    """

    method: str
    url: str = field(repr=False)
    verb: str = "POST"
    json: Any = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    sends_json: bool = False
    query: Mapping[str, str] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: the status, the headers that matter and the parsed body, which may hold customers' data.

    ``body`` is ``NO_JSON`` where the text was none; ``location`` is where a redirect points, and may hold secrets.
    """

    status: int
    body: Any = field(repr=False)
    retry_after: float | None = None
    location: str | None = field(default=None, repr=False)


Understand = Callable[[Response], Any]
"""Turns a response into a value, or raises the ``PlatformError`` that it means."""


class Transport:
    """Sends requests of one account."""

    def __init__(
        self,
        *,
        pace: Pace,
        read_timeout: float,
        attempts: int | None = None,
        ca_bundle: str | None = None,
        max_answer_megabytes: int = MAX_ANSWER_MEGABYTES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Send each request at ``pace``.

        ``read_timeout`` is for a whole exchange, from the connection to the last byte of the answer, in seconds; it
        must be longer than the service takes at most, or an answer is lost. ``attempts`` is how often a request is made
        at most. ``ca_bundle`` is a file of certificates to trust in place of the usual ones, as PEM; it is given with
        each request, since a session's own loses against the environment. ``max_answer_megabytes`` bounds an answer's
        body, unpacked.

        Several identities may share one transport: so no cookie is kept, and no ``.netrc`` replaces a header.
        ``clock_ahead`` is by how many seconds the service's clock, as its last answer told it, is ahead of ours;
        ``requests`` counts the requests that were made, about: threads may count two as one.
        """
        self._pace = pace
        self._seconds = read_timeout
        self._max_bytes = max_answer_megabytes * 10**6
        self._attempts = attempts
        self._ca_bundle = ca_bundle
        self._sleep = sleep
        self._session = BoundedSession()
        self._session.auth = _keep_headers
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers["User-Agent"] = user_agent()
        self.clock_ahead = 0.0
        self.requests = 0

    def send(self, request: Request, understand: Understand) -> Any:
        """Send ``request`` and return what ``understand`` makes of the response.

        A request that was certainly not carried out is repeated, one that perhaps was only if it is
        ``repeatable``; what is left after that is raised as a ``PlatformError``.
        """

        def should_repeat(state: RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome else None
            if error is None:
                return False
            decision = decide(error, repeatable=request.repeatable)
            hint = decision.after_seconds or 0.0
            in_time = hint <= MAX_HINT_SECONDS if request.repeatable else state.idle_for + hint <= MAX_READ_AGE_SECONDS
            return decision.next_step is NextStep.REPEAT and in_time

        retrying = Retrying(
            retry=should_repeat,
            wait=_pause,
            stop=stop_after_attempt(self._attempts or MAX_ATTEMPTS),
            sleep=self._sleep,
            before_sleep=_log_retry,
            reraise=True,
        )
        return retrying(self._send_once, request, understand)

    @property
    def rate_limit(self) -> RateLimit:
        """The limit that the connection, or the service, sets."""
        return self._pace.limit

    def pause(self, seconds: float) -> None:
        """Wait before the next request."""
        self._sleep(seconds)

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def _send_once(self, request: Request, understand: Understand) -> Any:
        self._pace.wait()
        if not request.repeatable:
            check_reading_age(method=request.method)
        self.requests += 1
        response = self._exchange(request)
        try:
            answer = understand(response)
        except PlatformError as error:
            if isinstance(error, RateLimitError):
                if error.too_fast:
                    self._close_pace(decide(error).after_seconds)
            elif response.status == 503:
                self._close_pace(response.retry_after)
            raise
        self._pace.served()
        return answer

    def _close_pace(self, hint: float | None) -> None:
        """Let no request of the account through for as long as the service says, or for a second."""
        self._pace.close_for(min(hint or 1.0, MAX_HINT_SECONDS), too_fast=True)

    def _exchange(self, request: Request) -> Response:
        """Send ``request`` once, and read the response; raises a ``PlatformError``."""
        answer = self._try_exchange(request)
        if isinstance(answer, PlatformError):
            raise answer
        log.debug("%s: HTTP %d", request.method, answer.status)
        if (ahead := read_clock_ahead(answer.headers.get("Date"))) is not None:
            self.clock_ahead = ahead
        return Response(
            status=answer.status,
            body=_json(answer, request),
            retry_after=read_retry_after(answer.headers.get("Retry-After")),
            location=answer.headers.get("Location"),
        )

    def _try_exchange(self, request: Request) -> _Answer | PlatformError:
        """Return the answer, or the error in place of one of requests.

        That is not even chained: its text contains the URL.
        """
        with silence_http_logs(), exchange(self._seconds, most_bytes=self._max_bytes) as bounds:
            try:
                return self._request(request)
            except AnswerTooLargeError:
                text = f"the answer of {_host(request)} has more than {self._max_bytes // 10**6} MB, which is what "
                return UnexpectedResponseError(
                    f"{text}max_answer_megabytes of the connection allows", method=request.method
                )
            except FAILURES as error:
                return exchange_error(error, bounds, host=_host(request), method=request.method)

    def _request(self, request: Request) -> _Answer:
        body: dict[str, Any] = {"json": request.json} if request.json is not None else {"data": request.form}
        headers = dict(request.headers)
        if request.sends_json and request.json is None:
            body = {"data": b"null"}
            headers["Content-Type"] = "application/json"
        answer = self._session.request(
            request.verb,
            request.url,
            params=request.query,
            headers={"Accept": "application/json", "Accept-Encoding": ACCEPTED_ENCODING, **headers},
            timeout=(min(CONNECT_TIMEOUT_SECONDS, self._seconds), self._seconds),
            allow_redirects=False,
            verify=self._ca_bundle,
            proxies=_no_proxy(request.url),
            stream=True,
            **body,
        )
        try:
            return _Answer(answer.status_code, answer.headers, answer_bodies.read(answer, most_bytes=self._max_bytes))
        finally:
            answer.close()


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer as it was received."""

    status: int
    headers: Mapping[str, str]
    body: bytearray


def user_agent() -> str:
    """Return the header ``User-Agent``."""
    return f"airflow-provider-chattransfer/{__version__} python/{python_platform.python_version()}"


def gateway_error(response: Response, *, method: str) -> PlatformError:
    """Return the error for a response that the service itself did not write, such as a gateway's page."""
    if response.status == 429:
        return RateLimitError("too many requests", method=method, code="429", retry_after=response.retry_after)
    if response.status >= 500 or response.status in (408, 425):
        return ResponseLostError(f"HTTP {response.status} without an answer of the service", method=method)
    return UnexpectedResponseError(f"HTTP {response.status} with an answer that is not the service's", method=method)


def _pause(state: RetryCallState) -> float:
    """Return the seconds to wait: the service's hint, or growing random ones where it is missing or was too short."""
    error = state.outcome.exception() if state.outcome else None
    hint = decide(error).after_seconds if error else None
    if hint is not None and state.attempt_number == 1:
        return hint
    return (hint or 0.0) + wait_exponential(multiplier=0.5, max=20)(state) * random.uniform(0.5, 1)  # noqa: S311


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("%s; next try in %.1f s", error, state.next_action.sleep if state.next_action else 0)


def _no_proxy(url: str) -> dict[str, str] | None:
    """Keep plain http, which is for this machine alone, from any proxy; for https, requests asks the environment.

    ``requests`` itself sends what is for this machine to a proxy as well, unless ``NO_PROXY`` says otherwise.
    """
    parts = urlsplit(url)
    return {"no_proxy": parts.hostname or ""} if parts.scheme == "http" else None


def _keep_headers(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave the headers as the request has them."""
    return prepared


def _host(request: Request) -> str:
    return urlsplit(request.url).netloc.rpartition("@")[2]


def _json(answer: _Answer, request: Request) -> Any:
    try:
        return answer_bodies.parsed(answer.body)
    except EOFError:
        if answer.body and answer.headers.get("Content-Type", "").startswith("application/json"):
            raise ResponseLostError(f"the answer of {_host(request)} is cut off", method=request.method) from None
        return NO_JSON
