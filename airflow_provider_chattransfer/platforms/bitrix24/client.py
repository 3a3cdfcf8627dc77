# SPDX-License-Identifier: Apache-2.0
"""Call the REST API of Bitrix24: its requests, answers, batches and errors."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...exceptions import (
    CredentialsError,
    PlatformError,
    RateLimitError,
    RequestRefusedError,
    TokenExpiredError,
    UnexpectedResponseError,
    as_code,
)
from ..auth import AuthenticatedClient, AuthHeaders
from ..coordination.store import SharedStore
from ..decoding import decode, read_id_if_known
from ..transport import NO_JSON, Request, Response, Transport, Understand, gateway_error
from .auth import Bitrix24Auth
from .batch_format import BatchOutcomes, encode
from .commands import BATCH_SIZE, Command, Profile, who_we_are
from .error_codes import error_for
from .operating_time import BATCH
from .redirects import PortalMovedError, PortalRedirects
from .shared_operating_time import SharedOperatingTime

log = logging.getLogger(__name__)

TOO_FAST = "query_limit_exceeded"
"""The code of the limit of requests; the request was turned away before it was carried out."""

TOO_LONG = "operation_time_limit"
"""The code of the limit of a method's operating time; the request was turned away before it was carried out."""

TOO_FAST_PAUSE_SECONDS = 1.0
"""Seconds to wait after QUERY_LIMIT_EXCEEDED, which comes without a hint: two requests drain meanwhile."""

GATEWAY_TIMEOUT = 504
"""The status with which the cloud's gateway answers a request that takes longer than 60 s."""

REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
"""The statuses with which a renamed portal answers (documented: 302), and those that mean the same in HTTP."""


class Bitrix24Client(AuthenticatedClient[Bitrix24Auth]):
    """Calls methods, one or fifty at a time.

    A token that has expired is refreshed, and a portal that was renamed is followed, on the way: see ``send_signed``.
    """

    def __init__(
        self,
        *,
        auth: Bitrix24Auth,
        transport: Transport,
        store: SharedStore | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``store`` is where the operating time is shared; ``None`` for this client alone."""
        super().__init__(auth=auth, transport=transport, clock=clock)
        self._redirects = PortalRedirects(auth.portal)
        self._time = SharedOperatingTime(auth.credential, store=store, clock=self.clock, pause=transport.pause)
        self._user_id: str | None = None

    @property
    def address(self) -> str:
        """The base URL at which the portal is, which may be another one than the connection says.

        Raises a ``PlatformError`` when we cannot sign in.
        """
        return self.authenticate().base_url

    def authenticate(self) -> AuthHeaders:
        """Return what the next request is to carry, with the portal's present address."""
        signed = self.auth.authenticate()
        return replace(signed, base_url=self._redirects.of(signed.base_url))

    def follow_move(self, error: PlatformError, request: Request, signed: AuthHeaders, *, moves: int) -> bool:
        """Note where a renamed portal is; raises ``CredentialsError`` when nothing may be sent there."""
        if not isinstance(error, PortalMovedError):
            return False
        self._redirects.follow(request.url, error)
        return True

    def new_token_refused(self, error: TokenExpiredError) -> CredentialsError:
        """Say that only another authorisation of the application helps."""
        return CredentialsError(
            "the portal does not take the token that it has just given out; authorise the application anew, and put "
            "the new token into oauth_refresh_token of the connection",
            method=error.method,
            code=error.code,
        )

    def user_id(self) -> str:
        """Return the user as whom this account acts; the portal is asked where signing in did not tell.

        Raises a ``PlatformError``.
        """
        if self._user_id is None:
            self._user_id = read_id_if_known(self.authenticate().user_id) or self._asked_for_user_id()
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

    def operating_seconds(self, method: str) -> float:
        """Return the operating time that one call of ``method`` costs, as far as calls have been measured."""
        return self._time.cost(method)

    def make_room(self, commands: Sequence[Command]) -> int:
        """Wait until the operating time of their methods leaves room for ``commands``, or the first of them.

        Returns how many may go into the next request: as many as the portal can do in the time of one.
        """
        return self._time.make_room([command.method for command in commands[:BATCH_SIZE]])

    def fitting(self, commands: Sequence[Command]) -> int:
        """Return how many of ``commands`` the portal can do in the time of one request, one at least."""
        return self._time.fitting([command.method for command in commands[:BATCH_SIZE]])

    def batch(self, commands: Sequence[Command], *, repeatable: bool) -> list[Any | PlatformError]:
        """Call up to fifty methods in one request; a decoded result or an error for each, in the same order.

        Raises a ``PlatformError`` for what concerns the whole batch. When it is ``repeatable``, a limit or an
        expired token that struck a single command is handled for all; and there are no results at all if it took the
        portal too long: fewer commands may do. When it is not, only the commands that an expired token struck are sent
        again.
        """
        if len(commands) > BATCH_SIZE:
            raise ValueError(f"a batch holds {BATCH_SIZE} commands, not {len(commands)}")
        signed = self.authenticate()
        results = self._batch(commands, repeatable=repeatable)
        turned_away = [number for number, result in enumerate(results) if isinstance(result, TokenExpiredError)]
        if turned_away:
            left = [commands[number] for number in turned_away]
            for number, result in zip(turned_away, self._send_again(left, signed), strict=True):
                results[number] = result
        return results

    def batches(self, commands: Sequence[Command]) -> Iterator[Any | PlatformError]:
        """Call any number of reads, as many to a request as the portal can do in time, in the same order."""
        rest = list(commands)
        while rest:
            results = self.batch(rest[: self.make_room(rest)], repeatable=True)
            yield from results
            del rest[: len(results)]

    def _batch(self, commands: Sequence[Command], *, repeatable: bool) -> list[Any | PlatformError]:
        if len(commands) == 1:
            return [self._alone(commands[0], repeatable=repeatable)]
        keys = {f"c{number}": command for number, command in enumerate(commands)}
        params = {"halt": 0, "cmd": {key: encode(command.method, command.params) for key, command in keys.items()}}

        def understand(response: Response) -> list[Any | PlatformError]:
            if response.status == GATEWAY_TIMEOUT:
                self._time.cut_off([command.method for command in commands])
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
        """Call one command without its batch, whose result is the same: what a batch returns is not raised."""
        try:
            result = self._call(command, repeatable=repeatable)
        except (RequestRefusedError, CredentialsError) as refused:
            return refused
        return _decoded(result, command)

    def _send_again(self, commands: Sequence[Command], expired: AuthHeaders) -> Sequence[Any | PlatformError]:
        """Return the results of those commands of a batch that met a token which had just expired."""
        try:
            self.auth.refresh(expired)
            results = self._batch(commands, repeatable=False)
        except PlatformError as error:
            return [error] * len(commands)
        return [
            self.new_token_refused(result) if isinstance(result, TokenExpiredError) else result for result in results
        ]

    def _call(self, command: Command, *, repeatable: bool) -> Any:
        return self._send(
            command, lambda response: self._envelope(response, command.method)["result"], repeatable=repeatable
        )

    def _send(self, command: Command, understand: Understand, *, repeatable: bool) -> Any:
        def build(signed: AuthHeaders) -> Request:
            return Request(
                method=command.method,
                url=f"{signed.base_url}/{signed.path}/{command.method}",
                json=dict(command.params),
                headers=signed.headers,
                repeatable=repeatable,
            )

        return self.send_signed(build, lambda response, signed: understand(response))

    def _envelope(self, response: Response, method: str) -> dict[str, Any]:
        """Return the body of a good answer; raise what a bad one means."""
        body = response.body
        if response.status in REDIRECT_STATUSES:
            raise PortalMovedError(response.location, method=method)
        if not isinstance(body, dict) or body is NO_JSON:
            raise _not_a_portal(response, method=method)
        if "error" in body and not (response.status == 404 and as_code(body["error"]) is None):
            raise self._error(body, method=method)
        if response.status != 200 or "result" not in body:
            raise _not_a_portal(response, method=method)
        if method != BATCH:
            self._time.told({(method, False): [body.get("time")]}, ahead=self._portal_ahead())
        return body

    def _batch_results(self, envelope: dict[str, Any], keys: Mapping[str, Command]) -> list[Any | PlatformError]:
        outcomes = decode(envelope["result"], BatchOutcomes, method=BATCH)
        told: dict[tuple[str, bool], list[Any]] = {(BATCH, False): [envelope.get("time")]}
        for key, command in keys.items():
            told.setdefault((command.method, True), []).append(outcomes.result_time.get(key))
        self._time.told(told, ahead=self._portal_ahead())
        return [self._batch_result(key, command, outcomes) for key, command in keys.items()]

    def _batch_result(self, key: str, command: Command, outcomes: BatchOutcomes) -> Any | PlatformError:
        """Return what one command came to.

        Of one that the answer leaves out, nobody knows whether it was carried out.
        """
        if key in outcomes.result_error:
            return self._batch_error(outcomes.result_error[key], method=command.method)
        if key in outcomes.result:
            return _decoded(outcomes.result[key], command)
        return UnexpectedResponseError("the portal left this command of the batch out", method=command.method)

    def _batch_error(self, told: Any, *, method: str) -> PlatformError:
        error = told if isinstance(told, Mapping) else {"error": told}
        return self._error(error, method=method)

    def _portal_ahead(self) -> float:
        """Return by how many seconds the portal's epoch is ahead of our clock, as the answer at hand dates it."""
        return time.time() + self.clock_ahead - self.clock()

    def _error(self, body: Mapping[str, Any], *, method: str) -> PlatformError:
        """Return the typed error for ``{"error": …, "error_description": …}``, by its code; the text is dropped.

        A code may be empty; where it is neither text nor a number, nobody knows what was meant.
        """
        told = body.get("error")
        if not isinstance(told, str | int) or isinstance(told, bool):
            return UnexpectedResponseError("the portal answered an error that is none", method=method)
        code = as_code(told)
        known = (code or "").lower()
        if known == TOO_FAST:
            return RateLimitError("too many requests", method=method, code=code, retry_after=TOO_FAST_PAUSE_SECONDS)
        if known == TOO_LONG:
            blocked_for = self._time.blocked(method)
            text = "the method has used up its operating time"
            return RateLimitError(text, method=method, code=code, retry_after=blocked_for, too_fast=False)
        return error_for(code, method=method, way=self.auth.way)


def _not_a_portal(response: Response, *, method: str) -> PlatformError:
    error = gateway_error(response, method=method)
    if isinstance(error, UnexpectedResponseError):
        text = "with an answer that no Bitrix24 portal gives: check host of the connection"
        return UnexpectedResponseError(f"HTTP {response.status} {text}", method=method)
    return error


def _decoded(result: Any, command: Command) -> Any | PlatformError:
    """Decode the result of one command of a batch; what is wrong with it does not concern the others."""
    try:
        return decode(result, command.answer, method=command.method)
    except UnexpectedResponseError as error:
        return error
