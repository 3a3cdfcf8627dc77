# SPDX-License-Identifier: Apache-2.0
"""The REST protocol of Bitrix24: the shape of a request, of an answer, of a batch and of an error."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, urlencode

from pydantic import BeforeValidator

from ...exceptions import (
    CredentialsError,
    NotAppliedError,
    PlatformError,
    RateLimitError,
    RequestRefusedError,
    TokenExpiredError,
    UnexpectedResponseError,
    as_code,
)
from ..decoding import Id, PhpMap, decode, read_id_if_known, read_php_map
from ..transport import FRESH, LONGEST_HINT, NO_JSON, Request, Response, Transport, Understand, gateway_trouble
from .auth import AuthHeaders, SignIn
from .error_codes import error_for
from .operating_time import BATCH, OperatingTime
from .redirects import PortalMovedError, PortalRedirects

T = TypeVar("T")

log = logging.getLogger(__name__)

BATCH_SIZE = 50
"""Commands in one batch (documented for ``batch``)."""

TOO_FAST, TOO_LONG = "query_limit_exceeded", "operation_time_limit"
"""The two limits: the request was turned away before it was carried out."""

TOO_FAST_PAUSE = 1.0
"""Seconds to wait after QUERY_LIMIT_EXCEEDED, which comes without a hint: two requests drain meanwhile."""

CUT_OFF = 504
"""What the cloud's gateway answers when a request takes longer than 60 s."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Command:
    """One REST method with its parameters, which may hold the bot's secret.

    ``answer`` is the type that its result is decoded to (see ``platforms.decoding``).
    """

    method: str
    params: Mapping[str, Any] = field(repr=False)
    answer: Any = Any


@dataclass(frozen=True, slots=True)
class Profile:
    """The result of ``profile``: the user as whom we act."""

    ID: Id


def _read_timings(value: object) -> Mapping[str, Any]:
    """The times by key; none for whatever is no array, since they only help."""
    try:
        return read_php_map(value)
    except ValueError:
        return {}


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """The result of ``batch``: by key what each command came to, and how long it took."""

    result: PhpMap
    result_error: PhpMap
    result_time: Annotated[Mapping[str, Any], BeforeValidator(_read_timings)] = field(default_factory=dict)


def who_we_are() -> Command:
    """The command that asks for the user as whom we act; it needs no scope."""
    return Command("profile", {}, Profile)


class Bitrix24Client:
    """Calls methods, one or fifty at a time.

    A token that has run out is renewed, and a portal that was renamed is followed, on the way: the same request is
    then made once more, also one that is not repeatable, since the first was turned away before it was carried out.
    """

    def __init__(self, *, auth: SignIn, transport: Transport, clock: Callable[[], float] = time.monotonic) -> None:
        self.auth = auth
        self.clock = clock
        self._transport = transport
        self._redirects = PortalRedirects(auth.portal)
        self._time = OperatingTime()
        self._user_id: str | None = None

    @property
    def address(self) -> str:
        """The base URL at which the portal is, which may be another one than the connection says.

        Raises a ``PlatformError`` when we cannot sign in.
        """
        return self._admitted().portal

    def user_id(self) -> str:
        """The user as whom this account acts; the portal is asked where signing in did not tell.

        Raises a ``PlatformError``.
        """
        if self._user_id is None:
            self._user_id = read_id_if_known(self._admitted().user_id) or self._asked_for_user_id()
        return self._user_id

    def call(self, command: Command, *, repeatable: bool) -> Any:
        """Call one method and return its ``result``, decoded. Raises a ``PlatformError``.

        ``repeatable`` when doing it twice does no harm.
        """
        if repeatable:
            self.make_room([command])
        return decode(self._call(command, repeatable=repeatable), command.answer, method=command.method)

    def _asked_for_user_id(self) -> str:
        profile: Profile = self.call(who_we_are(), repeatable=True)
        return profile.ID

    def make_room(self, commands: Sequence[Command]) -> int:
        """Wait until the operating time of their methods leaves room for ``commands``, or the first of them.

        Returns how many may go into the next request: as many as the portal can do in the time of one.
        """
        methods = [command.method for command in commands[:BATCH_SIZE]]
        count = self._time.fitting(methods)
        seconds = min(self._time.wait(methods[:count], now=self.clock()), LONGEST_HINT)
        if seconds:
            log.info("%s has little operating time left on the portal; waiting %.0f s", methods[0], seconds)
            self._transport.pause(seconds)
        return count

    def batch(self, commands: Sequence[Command], *, repeatable: bool) -> list[Any | PlatformError]:
        """Call up to fifty methods in one request; a decoded result or an error for each, in the same order.

        Raises a ``PlatformError`` for what concerns the whole batch. When it is ``repeatable``, a limit or a spent
        token that struck a single command is seen to for all; and there are no results at all if it took the portal
        too long: fewer commands may do. When it is not, only the commands that a spent token struck are sent again.
        """
        if len(commands) > BATCH_SIZE:
            raise ValueError(f"a batch holds {BATCH_SIZE} commands, not {len(commands)}")
        began, admission = self.clock(), self._admitted()
        results = self._batch(commands, repeatable=repeatable)
        turned_away = [number for number, result in enumerate(results) if isinstance(result, TokenExpiredError)]
        if turned_away:
            left = [commands[number] for number in turned_away]
            for number, result in zip(turned_away, self._once_more(left, admission, since=began), strict=True):
                results[number] = result
        return results

    def batches(self, commands: Sequence[Command]) -> Iterator[Any | PlatformError]:
        """Any number of reads, as many to a request as the portal can do in time, in the same order."""
        rest = list(commands)
        while rest:
            results = self.batch(rest[: self.make_room(rest)], repeatable=True)
            yield from results
            del rest[: len(results)]

    @property
    def clock_ahead(self) -> float:
        """By how many seconds the portal's clock is ahead of ours."""
        return self._transport.clock_ahead

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _batch(self, commands: Sequence[Command], *, repeatable: bool) -> list[Any | PlatformError]:
        if len(commands) == 1:
            return [self._alone(commands[0], repeatable=repeatable)]
        keys = {f"c{number}": command for number, command in enumerate(commands)}
        params = {"halt": 0, "cmd": {key: _encode(command) for key, command in keys.items()}}

        def understand(response: Response) -> list[Any | PlatformError]:
            if response.status == CUT_OFF:
                self._time.note_cut_off([command.method for command in commands])
                if repeatable:
                    return []
            results = self._batch_results(self._envelope(response, BATCH), keys)
            struck = next(
                (result for result in results if isinstance(result, RateLimitError | TokenExpiredError)), None
            )
            if struck and repeatable:
                raise struck
            return results

        results: list[Any | PlatformError] = self._send(Command(BATCH, params), understand, repeatable=repeatable)
        return results

    def _alone(self, command: Command, *, repeatable: bool) -> Any | PlatformError:
        """One command without its batch, whose result is the same: what a batch returns is not raised."""
        try:
            result = self._call(command, repeatable=repeatable)
        except (RequestRefusedError, CredentialsError) as refused:
            return refused
        return _decoded(result, command)

    def _once_more(
        self, commands: Sequence[Command], spent: AuthHeaders, *, since: float
    ) -> Sequence[Any | PlatformError]:
        """The results of those commands of a batch that met a token which had just run out."""
        try:
            self._renew(spent)
            self._check_freshness(since, method=BATCH)
            results = self._batch(commands, repeatable=False)
        except PlatformError as error:
            return [error] * len(commands)
        return [_still(result) if isinstance(result, TokenExpiredError) else result for result in results]

    def _call(self, command: Command, *, repeatable: bool) -> Any:
        return self._send(
            command, lambda response: self._envelope(response, command.method)["result"], repeatable=repeatable
        )

    def _send(self, command: Command, understand: Understand, *, repeatable: bool) -> Any:
        """Send one request, signed in; once more where the portal is elsewhere now, or with a new token."""
        began, renewed = self.clock(), False
        while True:
            admission = self._admitted()
            request = Request(
                method=command.method,
                url=admission.url(command.method),
                json=dict(command.params),
                headers=admission.headers,
                repeatable=repeatable,
            )
            try:
                return self._transport.send(request, understand)
            except PortalMovedError as answer:
                self._redirects.follow(request.url, answer)
            except TokenExpiredError as error:
                if renewed:
                    raise _still(error) from None
                self._renew(admission)
                renewed = True
            if not repeatable:
                self._check_freshness(began, method=command.method)

    def _check_freshness(self, since: float, *, method: str) -> None:
        """Raise ``NotAppliedError`` when chats that were read at ``since`` must be read again before they are sent."""
        if self.clock() - since > FRESH:
            raise NotAppliedError("signing in anew took long; what was to be sent must be read again", method=method)

    def _admitted(self) -> AuthHeaders:
        admission = _ahead_of_it(self.auth.present)
        return replace(admission, portal=self._redirects.of(admission.portal))

    def _renew(self, spent: AuthHeaders) -> None:
        _ahead_of_it(lambda: self.auth.renew(spent))

    def _envelope(self, response: Response, method: str) -> dict[str, Any]:
        """The body of a good answer; raises what a bad one means."""
        body = response.body
        if response.status in REDIRECTS:
            raise PortalMovedError(response.location, method=method)
        if not isinstance(body, dict) or body is NO_JSON:
            raise _no_portal(response, method=method)
        if "error" in body and not (response.status == 404 and as_code(body["error"]) is None):
            raise self._error(body, method=method)
        if response.status != 200 or "result" not in body:
            raise _no_portal(response, method=method)
        self._time.note(method, [body.get("time")], ahead=self._portal_ahead())
        return body

    def _batch_results(self, envelope: dict[str, Any], keys: Mapping[str, Command]) -> list[Any | PlatformError]:
        outcomes = decode(envelope["result"], _Outcomes, method=BATCH)
        for method in {command.method for command in keys.values()}:
            told = [outcomes.result_time.get(key) for key, command in keys.items() if command.method == method]
            self._time.note(method, told, in_batch=True, ahead=self._portal_ahead())
        return [self._batch_result(key, command, outcomes) for key, command in keys.items()]

    def _batch_result(self, key: str, command: Command, outcomes: _Outcomes) -> Any | PlatformError:
        """What one command came to. Of one that the answer leaves out, nobody knows whether it was carried out."""
        if key in outcomes.result_error:
            return self._batch_error(outcomes.result_error[key], method=command.method)
        if key in outcomes.result:
            return _decoded(outcomes.result[key], command)
        return UnexpectedResponseError("the portal left this command of the batch out", method=command.method)

    def _batch_error(self, told: Any, *, method: str) -> PlatformError:
        error = told if isinstance(told, Mapping) else {"error": told}
        return self._error(error, method=method)

    def _portal_ahead(self) -> float:
        """By how many seconds the portal's epoch is ahead of our clock, as the answer at hand dates it."""
        return time.time() + self.clock_ahead - self.clock()

    def _error(self, body: Mapping[str, Any], *, method: str) -> PlatformError:
        """The typed error for ``{"error": …, "error_description": …}``; decided by the code, the text is dropped.

        A code may be empty; where it is neither text nor a number, nobody knows what was meant.
        """
        told = body.get("error")
        if not isinstance(told, str | int) or isinstance(told, bool):
            return UnexpectedResponseError("the portal answered an error that is none", method=method)
        code = as_code(told)
        known = (code or "").lower()
        if known == TOO_FAST:
            return RateLimitError("too many requests", method=method, code=code, retry_after=TOO_FAST_PAUSE)
        if known == TOO_LONG:
            blocked_for = self._time.note_blocked(method, now=self.clock())
            text = "the method has used up its operating time"
            return RateLimitError(text, method=method, code=code, retry_after=blocked_for, too_fast=False)
        return error_for(code, method=method, way=self.auth.way)


def _ahead_of_it(sign_in: Callable[[], T]) -> T:
    """Sign in for a request that has not been sent yet: whatever goes wrong, it was not carried out."""
    try:
        return sign_in()
    except (CredentialsError, NotAppliedError):
        raise
    except PlatformError as error:
        raise NotAppliedError(f"no token is to be had: {error.args[0]}", method=error.method, code=error.code) from None


def _still(error: PlatformError) -> CredentialsError:
    return CredentialsError(
        "the portal does not take the token that it has just given out; authorise the application anew, and put the "
        "new token into oauth_refresh_token of the connection",
        method=error.method,
        code=error.code,
    )


def _no_portal(response: Response, *, method: str) -> PlatformError:
    trouble = gateway_trouble(response, method=method)
    if isinstance(trouble, UnexpectedResponseError):
        text = "with an answer that no Bitrix24 portal gives: check host of the connection"
        return UnexpectedResponseError(f"HTTP {response.status} {text}", method=method)
    return trouble


def _decoded(result: Any, command: Command) -> Any | PlatformError:
    """The result of one command of a batch; what is wrong with it is its own trouble, and not that of the others."""
    try:
        return decode(result, command.answer, method=command.method)
    except UnexpectedResponseError as error:
        return error


def _encode(command: Command) -> str:
    return f"{command.method}?{urlencode(list(_flat(command.params)), quote_via=quote)}"


def _flat(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """``{"FILTER": {"ID": [7, 8]}}`` as ``FILTER[ID][0]=7&FILTER[ID][1]=8``."""
    for key, value in params.items():
        yield from _flat_value(key, value)


def _flat_value(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flat_value(f"{key}[{name}]", item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, item in enumerate(value):
            yield from _flat_value(f"{key}[{number}]", item)
    else:
        yield key, str(value)
