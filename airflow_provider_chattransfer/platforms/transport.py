# SPDX-License-Identifier: Apache-2.0
"""One requests session: timeouts, repeats where they are safe, the rate gate, and no secret in an error."""

from __future__ import annotations

import logging
import platform as python_platform
import random
import re
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from tenacity import RetryCallState, Retrying, stop_after_attempt, wait_exponential

from .. import __version__
from ..exceptions import (
    LONGEST_PAUSE,
    PlatformError,
    RateLimitError,
    ResponseLostError,
    UnexpectedResponseError,
    UnreachableError,
)
from . import answer_bodies
from .answer_bodies import ACCEPTED_ENCODING
from .answer_bodies import NO_JSON as NO_JSON
from .bounded_session import AnswerTooLargeError, BoundedSession, Exchange, exchange
from .log_filter import silence_http_logs
from .rate import RateGate

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 5.0
"""Seconds to wait for a connection to one address of a host."""

LARGEST_ANSWER = 64
"""Megabytes of an answer's body, unpacked, that are taken. A list of 10,000 chats is below 20."""

FARTHEST_CLOCK = 10 * 366 * 86_400.0
"""Seconds by which a service's clock may differ from ours; a ``Date`` beyond that tells nothing."""

ATTEMPTS = 12
"""How often a request is made that may be repeated; the pauses between are one to two minutes together, so that a
service that is away for a minute is outlasted."""

LONGEST_HINT = 660.0
"""The longest ``retry_after`` that is waited for, in seconds: Bitrix24's operating limit looks back ten minutes."""

FRESH = 20.0
"""Seconds for which a chat that was read may be sent: a closed one would be opened again. So a request that is not
repeatable is not made again after longer pauses; the next round of a run reads first."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. ``method`` is the API method's name for messages; ``url`` may hold secrets.

    ``repeatable`` tells that carrying it out twice does no harm (a read).
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
    """What came back: the status, the headers that matter and the parsed body, which may hold customers' data.

    ``body`` is ``NO_JSON`` where the text was none; ``location`` is where a redirect points, and may hold secrets.
    """

    status: int
    body: Any = field(repr=False)
    retry_after: float | None = None
    location: str | None = field(default=None, repr=False)


NO_AUTHORITIES = (
    "there are no certificates to trust in the file that ca_bundle of the connection names, or REQUESTS_CA_BUNDLE in "
    "Airflow's environment"
)

CAUSES = {
    "NewConnectionError": "nobody listens there",
    "NameResolutionError": "there is no such host",
    "RemoteDisconnected": "closed without an answer",
    "ConnectionResetError": "reset",
    "CERTIFICATE_VERIFY_FAILED": "its certificate cannot be verified; if an authority of your own has signed it, "
    "let ca_bundle of the connection name the file with that authority's certificate",
    "NO_CERTIFICATE_OR_CRL_FOUND": NO_AUTHORITIES,
    "ProxyError": "the proxy does not let us through; see HTTPS_PROXY and NO_PROXY in Airflow's environment",
    "TimeoutError": "no answer in time",
}
"""What has happened, by what the text of an error holds; several layers wrap each other's errors."""

SECONDS = re.compile(r"\d+(?:\.\d*)?", re.ASCII)

Understand = Callable[[Response], Any]
"""Turns a response into a value, or raises the ``PlatformError`` that it means."""


class Transport:
    """Sends requests of one account."""

    def __init__(
        self,
        *,
        gate: RateGate,
        read_timeout: float,
        attempts: int | None = None,
        ca_bundle: str | None = None,
        max_answer_megabytes: int = LARGEST_ANSWER,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``read_timeout`` is for a whole exchange, from the connection to the last byte of the answer, in seconds; it
        must be longer than the service takes at most, or an answer is lost.

        ``attempts`` is how often a request is made at most. ``ca_bundle`` is a file of certificates to trust in place
        of the usual ones, as PEM; it is given with each request, since a session's own loses against the environment.
        ``max_answer_megabytes`` bounds an answer's body, unpacked.

        Several identities may share one transport: so no cookie is kept, and no ``.netrc`` replaces a header.
        ``clock_ahead`` is by how many seconds the service's clock, as its last answer told it, is ahead of ours.
        """
        self._gate = gate
        self._seconds = read_timeout
        self._most_bytes = max_answer_megabytes * 10**6
        self._attempts = attempts
        self._ca_bundle = ca_bundle
        self._sleep = sleep
        self._session = BoundedSession()
        self._session.auth = _signed_already
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers["User-Agent"] = user_agent()
        self.clock_ahead = 0.0

    def send(self, request: Request, understand: Understand) -> Any:
        """Send ``request`` and return what ``understand`` makes of the response.

        A request that was certainly not carried out is repeated, one that perhaps was only if it is
        ``repeatable``; what is left after that is raised as a ``PlatformError``.
        """

        def worth_repeating(state: RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome else None
            if not isinstance(error, RateLimitError | UnreachableError):
                return isinstance(error, ResponseLostError) and request.repeatable
            hint = (error.retry_after or 0.0) if isinstance(error, RateLimitError) else 0.0
            return hint <= LONGEST_HINT if request.repeatable else state.idle_for + hint <= FRESH

        retrying = Retrying(
            retry=worth_repeating,
            wait=_pause,
            stop=stop_after_attempt(self._attempts or ATTEMPTS),
            sleep=self._sleep,
            before_sleep=_tell,
            reraise=True,
        )
        return retrying(self._send_once, request, understand)

    def pause(self, seconds: float) -> None:
        """Wait before the next request."""
        self._sleep(seconds)

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def _send_once(self, request: Request, understand: Understand) -> Any:
        self._gate.wait()
        response = self._exchange(request)
        try:
            return understand(response)
        except PlatformError as error:
            if isinstance(error, RateLimitError) or response.status == 503:
                hint = error.retry_after if isinstance(error, RateLimitError) else response.retry_after
                too_fast = not isinstance(error, RateLimitError) or error.too_fast
                self._gate.close_for(min(hint or 1.0, LONGEST_HINT), too_fast=too_fast)
            raise

    def _exchange(self, request: Request) -> Response:
        """The bare exchange."""
        answer = self._ask(request)
        if isinstance(answer, PlatformError):
            raise answer
        log.debug("%s: HTTP %d", request.method, answer.status)
        if (ahead := _ahead(answer.headers.get("Date"))) is not None:
            self.clock_ahead = ahead
        return Response(
            status=answer.status,
            body=_json(answer, request),
            retry_after=_seconds(answer.headers.get("Retry-After")),
            location=answer.headers.get("Location"),
        )

    def _ask(self, request: Request) -> _Answer | PlatformError:
        """What came back. An error of requests is replaced, and not even chained: its text contains the URL."""
        with silence_http_logs(), exchange(self._seconds, most_bytes=self._most_bytes) as bounds:
            try:
                return self._request(request)
            except AnswerTooLargeError:
                text = f"the answer of {_host(request)} has more than {self._most_bytes // 10**6} MB, which is what "
                return UnexpectedResponseError(
                    f"{text}max_answer_megabytes of the connection allows", method=request.method
                )
            except FAILURES as error:
                return _failure(error, bounds, request)

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
            timeout=(min(CONNECT_TIMEOUT, self._seconds), self._seconds),
            allow_redirects=False,
            verify=self._ca_bundle,
            proxies=_no_proxy(request.url),
            stream=True,
            **body,
        )
        try:
            return _Answer(answer.status_code, answer.headers, answer_bodies.read(answer, most_bytes=self._most_bytes))
        finally:
            answer.close()


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back, before anybody has made sense of it."""

    status: int
    headers: Mapping[str, str]
    body: bytearray


FAILURES = (OSError, ValueError, EOFError, zlib.error, HTTPException, urllib3.exceptions.HTTPError)
"""What goes wrong in an exchange; the errors of requests are ``OSError``."""


def user_agent() -> str:
    """How we name ourselves to a service."""
    return f"airflow-provider-chattransfer/{__version__} python/{python_platform.python_version()}"


def gateway_trouble(response: Response, *, method: str) -> PlatformError:
    """The error for a response that the service itself did not write, such as a gateway's page."""
    if response.status == 429:
        return RateLimitError("too many requests", method=method, code="429", retry_after=response.retry_after)
    if response.status >= 500 or response.status in (408, 425):
        return ResponseLostError(f"HTTP {response.status} without an answer of the service", method=method)
    return UnexpectedResponseError(f"HTTP {response.status} with an answer that is not the service's", method=method)


def _pause(state: RetryCallState) -> float:
    """The service's hint; when it proved too short, or there is none, growing random pauses."""
    error = state.outcome.exception() if state.outcome else None
    hint = error.retry_after if isinstance(error, RateLimitError) else None
    if hint is not None and state.attempt_number == 1:
        return hint
    return (hint or 0.0) + wait_exponential(multiplier=0.5, max=20)(state) * random.uniform(0.5, 1)  # noqa: S311


def _tell(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("%s; next try in %.1f s", error, state.next_action.sleep if state.next_action else 0)


def _failure(error: Exception, bounds: Exchange, request: Request) -> PlatformError:
    """The typed error: nothing was carried out for sure as long as no byte of the request had been sent."""
    host, method = _host(request), request.method
    if bounds.begun and bounds.is_over:
        return ResponseLostError(f"no whole answer from {host} in time", method=method)
    if not bounds.begun or isinstance(error, requests.ConnectionError):
        kind = ResponseLostError if bounds.begun else UnreachableError
        return kind(f"the connection to {host} failed: {_cause(error)}", method=method)
    return ResponseLostError(f"no whole answer from {host}: {type(error).__name__}", method=method)


def _no_proxy(url: str) -> dict[str, str] | None:
    """Plain http is for this machine alone, so it goes through no proxy; for the rest, requests asks the environment.

    ``requests`` itself sends what is for this machine to a proxy as well, unless ``NO_PROXY`` says otherwise.
    """
    parts = urlsplit(url)
    return {"no_proxy": parts.hostname or ""} if parts.scheme == "http" else None


def _signed_already(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leaves the headers as the request has them."""
    return prepared


def _cause(error: Exception) -> str:
    """What happened, without the URL that the text of requests' errors contains."""
    if type(error) is OSError:  # so requests tells that there is no file of certificates
        return NO_AUTHORITIES
    text = repr(error)
    return next((words for mark, words in CAUSES.items() if mark in text), type(error).__name__)


def _host(request: Request) -> str:
    return urlsplit(request.url).netloc.rpartition("@")[2]


def _json(answer: _Answer, request: Request) -> Any:
    try:
        return answer_bodies.parsed(answer.body)
    except EOFError:
        if answer.body and answer.headers.get("Content-Type", "").startswith("application/json"):
            raise ResponseLostError(f"the answer of {_host(request)} is cut off", method=request.method) from None
        return NO_JSON


def _ahead(date: str | None) -> float | None:
    """By how many seconds the clock that wrote the header ``Date`` is ahead of ours; ``None`` where nobody can tell."""
    try:
        told = parsedate_to_datetime(date or "")
        ahead = told.replace(tzinfo=told.tzinfo or UTC).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return ahead if abs(ahead) < FARTHEST_CLOCK else None


def _seconds(value: str | None) -> float | None:
    """``Retry-After`` in seconds, a day at most; the form with a date is not used by either service."""
    found = SECONDS.fullmatch(value.strip()) if value is not None else None
    return min(float(found.group()), LONGEST_PAUSE) if found else None
