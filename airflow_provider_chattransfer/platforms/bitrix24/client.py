# SPDX-License-Identifier: Apache-2.0
"""The REST protocol of Bitrix24: the shape of a request, of an answer, of a batch and of an error."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from ..errors import (
    Interrupted,
    Limited,
    Missing,
    NotCarriedOut,
    NotUnderstood,
    PlatformError,
    RequestRefused,
    WrongCredentials,
    as_code,
)
from ..transport import LONGEST_HINT, NO_JSON, Request, Response, Transport, gateway_trouble
from .auth import Webhook
from .operating import BATCH, OperatingTime

log = logging.getLogger(__name__)

BATCH_SIZE = 50
"""Commands in one batch (documented for ``batch``)."""

WRONG_CREDENTIALS = frozenset(
    {
        "access_denied",
        "application_not_found",
        "authorization_error",
        "bot_id_error",
        "error_oauth",
        "expired_token",
        "insufficient_scope",
        "invalid_credentials",
        "invalid_request",
        "invalid_token",
        "method_confirm_denied",
        "method_confirm_waiting",
        "no_auth_found",
        "overload_limit",
        "portal_deleted",
        "user_access_error",
        "wrong_auth_type",
    }
)
"""Codes that concern the account and not one chat: documented system errors, and those of the transfer
(ACCESS_DENIED: no CLIENT_ID; BOT_ID_ERROR: no bot for it). Statuses differ between documents and servers, so
the code decides."""

TOO_FAST, TOO_LONG = "query_limit_exceeded", "operation_time_limit"
"""The two limits: the request was turned away before it was carried out."""

TOO_FAST_PAUSE = 1.0
"""Seconds to wait after QUERY_LIMIT_EXCEEDED, which comes without a hint: two requests drain meanwhile."""

CUT_OFF = 504
"""What the cloud's gateway answers when a request takes longer than 60 s."""

SERVER_TROUBLE = frozenset({"internal_server_error", "error_unexpected_answer"})
MISSING = frozenset({"access_error", "error_method_not_found"})


@dataclass(frozen=True, slots=True)
class Command:
    """One REST method with its parameters, which may hold the bot's secret."""

    method: str
    params: Mapping[str, Any] = field(repr=False)


class Bitrix24Client:
    """Calls methods, one or fifty at a time."""

    def __init__(self, *, auth: Webhook, transport: Transport, clock: Callable[[], float] = time.monotonic) -> None:
        self.auth = auth
        self.clock = clock
        self._transport = transport
        self._time = OperatingTime()

    def call(self, command: Command, *, repeatable: bool) -> Any:
        """Call one method and return its ``result``. Raises a ``PlatformError``.

        ``repeatable`` when doing it twice does no harm.
        """
        if repeatable:
            self.make_room([command])
        return self._call(command, repeatable=repeatable)

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
        """Call up to fifty methods in one request; a result or an error for each, in the same order.

        Raises a ``PlatformError`` for what concerns the whole batch. When it is ``repeatable``, a limit that
        struck a single command is waited out for all; and there are no results at all if it took the portal too
        long: fewer commands may do.
        """
        if len(commands) > BATCH_SIZE:
            raise ValueError(f"a batch holds {BATCH_SIZE} commands, not {len(commands)}")
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
            limited = next((result for result in results if isinstance(result, Limited)), None)
            if limited and repeatable:
                raise limited
            return results

        request = self._request(Command(BATCH, params), repeatable=repeatable)
        results: list[Any | PlatformError] = self._transport.send(request, understand)
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

    def _alone(self, command: Command, *, repeatable: bool) -> Any | PlatformError:
        """One command without its batch, whose result is the same: what a batch returns is not raised."""
        try:
            return self._call(command, repeatable=repeatable)
        except (RequestRefused, WrongCredentials) as refused:
            return refused

    def _call(self, command: Command, *, repeatable: bool) -> Any:
        request = self._request(command, repeatable=repeatable)
        return self._transport.send(request, lambda response: self._envelope(response, command.method)["result"])

    def _request(self, command: Command, *, repeatable: bool) -> Request:
        return Request(
            method=command.method, url=self.auth.url(command.method), json=dict(command.params), repeatable=repeatable
        )

    def _envelope(self, response: Response, method: str) -> dict[str, Any]:
        """The body of a good answer; raises what a bad one means."""
        body = response.body
        if response.status in (301, 302, 307, 308):
            raise WrongCredentials(
                "the portal has moved; put its new address into the connection's host", method=method
            )
        if not isinstance(body, dict) or body is NO_JSON:
            raise gateway_trouble(response, method=method)
        if "error" in body:
            raise self._error(body, method=method)
        if response.status != 200 or "result" not in body:
            raise gateway_trouble(response, method=method)
        self._time.note(method, [body.get("time")], ahead=self._portal_ahead())
        return body

    def _batch_results(self, envelope: dict[str, Any], keys: Mapping[str, Command]) -> list[Any | PlatformError]:
        body = envelope["result"]
        if not isinstance(body, dict):
            raise NotUnderstood("the answer to a batch has no results", method=BATCH)
        results, errors = _php_map(body.get("result")), _php_map(body.get("result_error"))
        timings = _php_map(body.get("result_time"))
        for method in {command.method for command in keys.values()}:
            told = [timings.get(key) for key, command in keys.items() if command.method == method]
            self._time.note(method, told, in_batch=True, ahead=self._portal_ahead())
        return [self._batch_result(key, command.method, results, errors) for key, command in keys.items()]

    def _batch_result(
        self, key: str, method: str, results: Mapping[str, Any], errors: Mapping[str, Any]
    ) -> Any | PlatformError:
        if key in errors:
            error = errors[key]
            return self._error(error if isinstance(error, dict) else {"error": str(error)}, method=method)
        if key in results:
            return results[key]
        return NotCarriedOut("the portal left this command of the batch out", method=method)

    def _portal_ahead(self) -> float:
        """By how many seconds the portal's epoch is ahead of our clock, as the answer at hand dates it."""
        return time.time() + self.clock_ahead - self.clock()

    def _error(self, body: Mapping[str, Any], *, method: str) -> PlatformError:
        """The typed error for ``{"error": …, "error_description": …}``; decided by the code, the text is dropped."""
        code = as_code(body["error"])
        known = (code or "").lower()
        if known == TOO_FAST:
            return Limited("too many requests", method=method, code=code, retry_after=TOO_FAST_PAUSE)
        if known == TOO_LONG:
            blocked_for = self._time.note_blocked(method, now=self.clock())
            text = "the method has used up its operating time"
            return Limited(text, method=method, code=code, retry_after=blocked_for, too_fast=False)
        if known in WRONG_CREDENTIALS:
            return WrongCredentials(
                f"the portal does not let this account do that {_advice(known)}".strip(), method=method, code=code
            )
        if known in SERVER_TROUBLE:
            return Interrupted("the portal's server failed", method=method, code=code)
        if known in MISSING:
            return Missing("not there, or this account may not see it", method=method, code=code)
        return RequestRefused("the portal refused", method=method, code=code)


def _advice(code: str) -> str:
    return {
        "invalid_credentials": "(check login and password of the connection: the webhook's user id and code)",
        "access_denied": "(check bot_client_id of the connection, and the rights of the webhook's user)",
        "bot_id_error": "(no bot is registered for the connection's bot_client_id)",
        "insufficient_scope": "(give the webhook the scope that this method needs)",
    }.get(code, "")


def _php_map(value: Any) -> Mapping[str, Any]:
    """A PHP array as JSON shows it: an object, a list for the keys 0..n-1, and ``[]`` for none."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return {str(key): item for key, item in enumerate(value)}
    return {}


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
