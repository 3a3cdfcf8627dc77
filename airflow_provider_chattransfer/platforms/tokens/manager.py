# SPDX-License-Identifier: Apache-2.0
"""Hand out the present token of an account, and fetch the next one in one process at a time."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from ...exceptions import CredentialsError, PlatformError, TokenStoreError
from ...retry_decision import NextStep, decide
from ..issued_token import Epoch, IssuedToken, read_stored
from ..single_flight import SingleFlight

log = logging.getLogger(__name__)

ASSUMED_LIFE_SECONDS = 1800.0
"""Seconds for which a token without a known end, saved by another process, is taken in place of an expired one: half of
what Bitrix24 documents. After that it may have expired as well."""

CONCURRENT_SAVE_SECONDS = 3.0
"""Seconds for which the store is read again when the service refuses to issue a token: a process on another host may
have used the same refresh token, and be about to save what it got."""

POLL_SECONDS = 0.25
"""Seconds between two of these reads."""

FETCH_PAUSES_SECONDS = (1.0, 3.0)
"""Seconds before a token request that got no answer is repeated, by repeat."""

SAVE_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0)
"""Seconds before a token that could not be saved is saved again, by repeat."""


class Entry(StrEnum):
    """What is stored of an account, by the name under which it is stored."""

    TOKEN = "credential"  # noqa: S105
    """The token that was issued last."""

    ATTEMPT = "attempt"
    """The attempt to replace it that has not come to an end."""


class TokenStore(Protocol):
    """Where the token of one account is kept as text for all processes; a store is bound to its account.

    Each method raises ``TokenStoreError`` when the store cannot be used.
    """

    def load(self, entry: Entry) -> str | None:
        """Return what was saved last; ``None`` or nothing when there is none."""

    def save(self, entry: Entry, text: str) -> None:
        """Save ``text``, which may hold secrets, in place of what was there. It is durable when this returns."""

    def lock(self) -> AbstractContextManager[None]:
        """Let one thread of one process in at a time, as far as the store reaches."""


FetchToken = Callable[[str | None], IssuedToken]
"""Asks the service for a new token by the refresh token of the last one; ``None``: by the connection's own.

Raises a ``PlatformError``.
"""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """That a process was about to fetch a token in place of the one that was obtained at ``replaces``.

    It has an entry of its own: a process that our lock does not reach never overwrites a new token with it.
    """

    begun_at: Epoch
    replaces: Epoch | None

    @classmethod
    def parse(cls, text: str | None) -> _Attempt | None:
        """Read what was saved; ``None`` for nothing, and for what can be no attempt."""
        return read_stored(text, cls)


class TokenManager:
    """Hands out the token of an account to clients that ask before each request, and say what has expired.

    Safe for threads: of those that need another token at the same moment, one fetches it for all.
    """

    def __init__(
        self,
        *,
        store: TokenStore,
        fetch_token: FetchToken,
        rotates: bool = True,
        hide: Callable[[str], None] = lambda secret: None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Fetch tokens with ``fetch_token``, and keep them in ``store``.

        ``rotates`` tells that the service takes a refresh token once, and issues the next one with each token. ``hide``
        is told each secret before it is saved or used, so that no log shows it.
        """
        self._store = store
        self._fetch_token = fetch_token
        self._rotates = rotates
        self._hide = hide
        self._clock = clock
        self._sleep = sleep
        self._current: IssuedToken | None = None
        self._refreshing = SingleFlight()

    def token(self) -> IssuedToken:
        """Return the token for the next request; a new one if there is none, or if it is known to end soon.

        Raises a ``PlatformError`` when none can be fetched.
        """
        current = self._current
        return self.refresh(current) if current is None or current.ends_soon(self._clock()) else current

    def refresh(self, expired: IssuedToken | None) -> IssuedToken:
        """Replace ``expired``, which the service does not take any more, unless another has done so already.

        The new one is saved before it is used. Raises a ``PlatformError``: ``CredentialsError`` if the service issues
        none, ``TokenStoreError`` if the store cannot be used, and then the service was not asked.
        """
        return self._refreshing.run(
            lambda: self._refreshed(expired),
            known=lambda: current if (current := self._current) and self._is_newer(current, expired) else None,
        )

    def _refreshed(self, expired: IssuedToken | None) -> IssuedToken:
        with self._store.lock():
            saved = self._load()
            current = saved if saved and self._is_newer(saved, expired) else self._fetch(saved)
        self._current = current
        return current

    def _load(self) -> IssuedToken | None:
        text = self._store.load(Entry.TOKEN)
        saved = IssuedToken.parse(text)
        if saved is not None:
            self._hide_secrets(saved)
        elif text:
            log.warning("What the token store holds cannot be read; starting with the connection's own token")
        return saved

    def _is_newer(self, saved: IssuedToken, expired: IssuedToken | None) -> bool:
        """Tell whether ``saved`` is another token than ``expired``, and not likely to have expired itself."""
        now = self._clock()
        if expired is None:
            return not saved.ends_soon(now)
        is_valid = not saved.ends_soon(now) if saved.expires_at else now - saved.obtained_at < ASSUMED_LIFE_SECONDS
        return is_valid and saved.secret != expired.secret

    def _fetch(self, last: IssuedToken | None, *, pauses: Sequence[float] = FETCH_PAUSES_SECONDS) -> IssuedToken:
        """Fetch a token by the refresh token of ``last``, and save it.

        A request whose outcome is unknown is repeated after ``pauses``: a refresh token may have been used up by it.
        """
        unfinished = self._begin_attempt(last) if self._rotates else None
        try:
            new = self._fetch_token(last.refresh_token if last else None)
        except PlatformError as error:
            decision = decide(error)
            if decision.next_step is NextStep.READ_FIRST and (decision.permanent or not pauses):
                raise
            if decision.next_step is NextStep.READ_FIRST:
                log.warning("%s; asking for a new token again in %.1f s", error, pauses[0])
                self._sleep(pauses[0])
                return self._fetch(last, pauses=pauses[1:])
            if decision.next_step is NextStep.STOP and (found := self._load_from_others(last)):
                return found
            self._end_attempt(unfinished)
            raise _with_cause(error, unfinished) from None
        self._hide_secrets(new)
        self._save(new)
        return new

    def _begin_attempt(self, last: IssuedToken | None) -> _Attempt | None:
        """Save that a token is about to be fetched; return an earlier attempt whose end nobody knows.

        So a crash can be recognised, and a store that cannot be written to is noticed before the refresh token is used.
        """
        unfinished = self._load_attempt(last)
        attempt = unfinished or _Attempt(begun_at=self._clock(), replaces=last.obtained_at if last else None)
        self._store.save(Entry.ATTEMPT, json.dumps(asdict(attempt)))
        return unfinished

    def _load_attempt(self, last: IssuedToken | None) -> _Attempt | None:
        """Return an earlier attempt to replace ``last`` whose outcome nobody knows."""
        text = self._store.load(Entry.ATTEMPT)
        attempt = _Attempt.parse(text)
        if text and attempt is None:
            log.warning("What the token store holds of an earlier attempt cannot be read; it is begun anew")
        return attempt if attempt and attempt.replaces == (last.obtained_at if last else None) else None

    def _end_attempt(self, unfinished: _Attempt | None) -> None:
        """Delete this attempt, since the service has issued nothing; an earlier ``unfinished`` one stays."""
        if unfinished is None and self._rotates:
            with suppress(TokenStoreError):
                self._store.save(Entry.ATTEMPT, "")

    def _load_from_others(self, last: IssuedToken | None) -> IssuedToken | None:
        """Wait for what a process that our lock does not reach has fetched with the same refresh token."""
        if not self._rotates:
            return None
        for _ in range(int(CONCURRENT_SAVE_SECONDS / POLL_SECONDS)):
            found = self._load()
            if found and self._is_newer(found, last):
                return found
            self._sleep(POLL_SECONDS)
        return None

    def _save(self, new: IssuedToken, *, pauses: Sequence[float] = SAVE_PAUSES_SECONDS) -> None:
        """Save ``new``.

        Raises ``CredentialsError`` where its refresh token is lost by that; without one, another process just fetches a
        token of its own.
        """
        try:
            self._store.save(Entry.TOKEN, new.to_text())
        except TokenStoreError as error:
            if pauses:
                self._sleep(pauses[0])
                self._save(new, pauses=pauses[1:])
            elif new.refresh_token is None:
                log.warning("%s; the new token is used by this process only", error)
            else:
                raise _lost(error) from None
        else:
            log.info("A new token was fetched and saved")

    def _hide_secrets(self, token: IssuedToken) -> None:
        for secret in filter(None, (token.secret, token.refresh_token)):
            self._hide(secret)


def _with_cause(error: PlatformError, unfinished: _Attempt | None) -> PlatformError:
    """Return what a refusal means after an earlier attempt that nobody knows the end of; other errors as they are."""
    if unfinished is None or not isinstance(error, CredentialsError):
        return error
    when = datetime.fromtimestamp(unfinished.begun_at, UTC).isoformat(timespec="seconds")
    return CredentialsError(
        f"the refresh token is not taken any more. A new one was asked for at {when}, but the answer never came, or "
        "was never saved: the service has most likely replaced the token, and the new one is lost. Sign in anew, and "
        "put the new refresh token into the connection",
        method=error.method,
        code=error.code,
    )


def _lost(error: TokenStoreError) -> CredentialsError:
    return CredentialsError(
        f"{error.args[0]}. The service has replaced the refresh token, and the new one could not be saved: sign in "
        "anew, and put the new refresh token into the connection",
        method=error.method,
        code=error.code,
    )
