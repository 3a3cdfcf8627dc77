# SPDX-License-Identifier: Apache-2.0
"""One requests session: timeouts, repeats where they are safe, the rate gate, and no secret in an error."""

from __future__ import annotations

import logging
import platform as python_platform
import random
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from tenacity import RetryCallState, Retrying, stop_after_attempt, wait_exponential

from .. import __version__
from .errors import Interrupted, Limited, NotUnderstood, PlatformError, Unreachable
from .rate import RateGate

log = logging.getLogger(__name__)

_exchanging: ContextVar[bool] = ContextVar("_exchanging", default=False)


def _is_not_ours(_: logging.LogRecord) -> bool:
    return not _exchanging.get()


for _name in ("urllib3.connectionpool", "urllib3.util.retry"):
    # These log the URL of each request, and a webhook's URL is its secret; nobody else's records are held back.
    logging.getLogger(_name).addFilter(_is_not_ours)

CONNECT_TIMEOUT = 5.0
"""Seconds to wait for a connection."""

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


NO_JSON = object()

NO_AUTHORITIES = (
    "there are no certificates to trust in the file that ca_bundle of the connection names, or REQUESTS_CA_BUNDLE in "
    "Airflow's environment"
)

NEVER_CONNECTED = (
    "NewConnectionError",
    "NameResolutionError",
    "CERTIFICATE_VERIFY_FAILED",
    "NO_CERTIFICATE_OR_CRL_FOUND",
)
"""What the text of an error holds when no connection was made."""

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
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``read_timeout`` in seconds must be longer than the service takes at most, or an answer is lost.

        ``attempts`` is how often a request is made at most. ``ca_bundle`` is a file of certificates to trust in place
        of the usual ones, as PEM; it is given with each request, since a session's own loses against the environment.

        Several identities may share one transport: so no cookie is kept, and no ``.netrc`` replaces a header.
        ``clock_ahead`` is by how many seconds the service's clock, as its last answer told it, is ahead of ours.
        """
        self._gate = gate
        self._timeout = (CONNECT_TIMEOUT, read_timeout)
        self._attempts = attempts
        self._ca_bundle = ca_bundle
        self._sleep = sleep
        self._session = requests.Session()
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
            if not isinstance(error, Limited | Unreachable):
                return isinstance(error, Interrupted) and request.repeatable
            hint = (error.retry_after or 0.0) if isinstance(error, Limited) else 0.0
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
            if isinstance(error, Limited) or response.status == 503:
                hint = error.retry_after if isinstance(error, Limited) else response.retry_after
                too_fast = not isinstance(error, Limited) or error.too_fast
                self._gate.close_for(min(hint or 1.0, LONGEST_HINT), too_fast=too_fast)
            raise

    def _exchange(self, request: Request) -> Response:
        """The bare exchange."""
        answer = self._ask(request)
        if isinstance(answer, PlatformError):
            raise answer
        log.debug("%s: HTTP %d", request.method, answer.status_code)
        if told := _epoch(answer.headers.get("Date")):
            self.clock_ahead = told - time.time()
        body = _json(answer)
        if body is NO_JSON and answer.content and answer.headers.get("Content-Type", "").startswith("application/json"):
            raise Interrupted(f"the answer of {_host(request)} is cut off", method=request.method)
        return Response(
            status=answer.status_code,
            body=body,
            retry_after=_seconds(answer.headers.get("Retry-After")),
            location=answer.headers.get("Location"),
        )

    def _ask(self, request: Request) -> requests.Response | PlatformError:
        """What came back. An error of requests is replaced, and not even chained: its text contains the URL."""
        exchanging = _exchanging.set(True)
        body: dict[str, Any] = {"json": request.json} if request.json is not None else {"data": request.form}
        headers = dict(request.headers)
        if request.sends_json and request.json is None:
            body = {"data": b"null"}
            headers["Content-Type"] = "application/json"
        try:
            return self._session.request(
                request.verb,
                request.url,
                params=request.query,
                headers={"Accept": "application/json", **headers},
                timeout=self._timeout,
                allow_redirects=False,
                verify=self._ca_bundle,
                proxies=_no_proxy(request.url),
                **body,
            )
        except (requests.ConnectTimeout, requests.exceptions.ProxyError) as error:
            return Unreachable(f"no connection to {_host(request)}: {_cause(error)}", method=request.method)
        except requests.ConnectionError as error:
            kind = Unreachable if _never_connected(error) else Interrupted
            return kind(f"the connection to {_host(request)} failed: {_cause(error)}", method=request.method)
        except (requests.RequestException, ValueError) as error:  # the latter for a Location that is no address
            return Interrupted(f"no whole answer from {_host(request)}: {type(error).__name__}", method=request.method)
        except OSError:
            return Unreachable(f"no connection to {_host(request)}: {NO_AUTHORITIES}", method=request.method)
        finally:
            _exchanging.reset(exchanging)


def user_agent() -> str:
    """How we name ourselves to a service."""
    return f"airflow-provider-chattransfer/{__version__} python/{python_platform.python_version()}"


def gateway_trouble(response: Response, *, method: str) -> PlatformError:
    """The error for a response that the service itself did not write, such as a gateway's page."""
    if response.status == 429:
        return Limited("too many requests", method=method, code="429", retry_after=response.retry_after)
    if response.status >= 500 or response.status in (408, 425):
        return Interrupted(f"HTTP {response.status} without an answer of the service", method=method)
    return NotUnderstood(f"HTTP {response.status} with an answer that is not the service's", method=method)


def _pause(state: RetryCallState) -> float:
    """The service's hint; when it proved too short, or there is none, growing random pauses."""
    error = state.outcome.exception() if state.outcome else None
    hint = error.retry_after if isinstance(error, Limited) else None
    if hint is not None and state.attempt_number == 1:
        return hint
    return (hint or 0.0) + wait_exponential(multiplier=0.5, max=20)(state) * random.uniform(0.5, 1)  # noqa: S311


def _tell(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("%s; next try in %.1f s", error, state.next_action.sleep if state.next_action else 0)


def _never_connected(error: requests.ConnectionError) -> bool:
    """Whether the failure is one of making the connection, so that nothing was sent.

    TLS may also fail in the middle of an answer; only a certificate is checked before anything is sent.
    """
    text = repr(error)
    return any(mark in text for mark in NEVER_CONNECTED)


def _no_proxy(url: str) -> dict[str, str] | None:
    """Plain http is for this machine alone, so it goes through no proxy; for the rest, requests asks the environment.

    ``requests`` itself sends what is for this machine to a proxy as well, unless ``NO_PROXY`` says otherwise.
    """
    parts = urlsplit(url)
    return {"no_proxy": parts.hostname or ""} if parts.scheme == "http" else None


def _signed_already(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leaves the headers as the request has them."""
    return prepared


def _cause(error: requests.RequestException) -> str:
    """What happened, without the URL that the text of requests' errors contains."""
    known = {
        "NewConnectionError": "nobody listens there",
        "NameResolutionError": "there is no such host",
        "RemoteDisconnected": "closed without an answer",
        "ConnectionResetError": "reset",
        "CERTIFICATE_VERIFY_FAILED": "its certificate cannot be verified; if an authority of your own has signed it, "
        "let ca_bundle of the connection name the file with that authority's certificate",
        "NO_CERTIFICATE_OR_CRL_FOUND": NO_AUTHORITIES,
        "ProxyError": "the proxy does not let us through; see HTTPS_PROXY and NO_PROXY in Airflow's environment",
        "ReadTimeoutError": "no answer in time",
    }
    text = repr(error)
    return next((words for mark, words in known.items() if mark in text), type(error).__name__)


def _host(request: Request) -> str:
    return urlsplit(request.url).netloc.rpartition("@")[2]


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return NO_JSON


def _epoch(date: str | None) -> float | None:
    """The header ``Date`` in seconds since the epoch."""
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except ValueError:
        return None


def _seconds(value: str | None) -> float | None:
    """``Retry-After`` in seconds; the form with a date is not used by either service."""
    try:
        return max(0.0, float(value)) if value is not None else None
    except ValueError:
        return None
