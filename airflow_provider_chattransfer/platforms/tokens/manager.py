# SPDX-License-Identifier: Apache-2.0
"""Credentials that run out: kept where all processes find them, and renewed by one of them at a time."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Protocol, TypeVar

from pydantic import AfterValidator

from ...exceptions import CredentialsError, PlatformError, ResponseLostError, TokenStoreError, UnexpectedResponseError
from ..decoding import Number, Token, decoded_or

log = logging.getLogger(__name__)

MARGIN = 60.0
"""Seconds before its known end at which a credential is not shown any more; or a quarter of its life, if less."""

YOUNG = 1800.0
"""Seconds for which a credential without a known end, obtained by another process, is taken in place of a spent one:
half of what Bitrix24 documents. After that it may have run out as well."""

RACE = 3.0
"""Seconds for which the store is looked at when a renewal was refused: a process on another host may have been first,
and be about to save what it got."""

LOOK_AGAIN = 0.25

ASK_AGAIN = (1.0, 3.0)
"""Pauses between requests for a new credential that were not answered, in seconds."""

SAVE_AGAIN = (0.5, 1.0, 2.0, 4.0)
"""Pauses between tries to save what the service has just given out, in seconds."""

LATEST = 1e11
"""The last moment that is believed, in epoch seconds: in the year 5138."""

T = TypeVar("T")


def _read_moment(seconds: float) -> float:
    if not 0.0 < seconds < LATEST:
        raise ValueError("no moment")
    return seconds


Epoch = Annotated[Number, AfterValidator(_read_moment)]
"""A moment in epoch seconds."""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """What is shown to a service: an access token, or a ticket.

    ``obtained_at`` and ``expires_at`` are in epoch seconds of our clock; ``expires_at`` is ``None`` where the service
    is to tell. ``renewal`` is the token to ask for the next one with, where the service gives out a new one each time.
    ``about`` holds what the service said of the account, nothing secret: ids and addresses.
    """

    secret: Token = field(repr=False)
    obtained_at: Epoch
    expires_at: Epoch | None = None
    renewal: Token | None = field(default=None, repr=False)
    about: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | None) -> IssuedToken | None:
        """Read what ``to_text`` wrote; ``None`` for nothing, and for what can be no credential."""
        return _stored(text, cls)

    def to_text(self) -> str:
        """What a store keeps; it holds the secrets."""
        return json.dumps(asdict(self))

    def ends_soon(self, now: float) -> bool:
        """Whether it is known to be of no use any more, or almost so."""
        if self.expires_at is None:
            return False
        return self.expires_at - min(MARGIN, (self.expires_at - self.obtained_at) / 4) <= now


class Entry(StrEnum):
    """What is kept of an account: its credential, and the attempt to replace it that has not come to an end."""

    CREDENTIAL = "credential"
    ATTEMPT = "attempt"


class TokenStore(Protocol):
    """Where one account's credential is kept as text for all processes; a store is bound to its account.

    Each method raises ``TokenStoreError`` when the store cannot be used.
    """

    def load(self, entry: Entry) -> str | None:
        """What was saved last; ``None`` or nothing when there is none."""

    def save(self, entry: Entry, text: str) -> None:
        """Keep ``text``, which may hold secrets, in place of what was there. It is kept when this returns."""

    def lock(self) -> AbstractContextManager[None]:
        """Lets one thread of one process in at a time, as far as the store reaches."""


FetchToken = Callable[[str | None], IssuedToken]
"""Asks the service for a new credential by the ``renewal`` of the last one; ``None``: by the connection's own token.

Raises a ``PlatformError``.
"""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """That a process was about to ask for a new credential, in place of the one that was obtained at ``replaces``.

    It has an entry of its own: a process that our lock does not reach never overwrites a new credential with it.
    """

    begun_at: Epoch
    replaces: Epoch | None

    @classmethod
    def parse(cls, text: str | None) -> _Attempt | None:
        """Read what was kept; ``None`` for nothing, and for what can be no attempt."""
        return _stored(text, cls)


class TokenManager:
    """The present credential of an account, for a client that asks before each request and tells what has run out."""

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
        """``rotates`` tells that the service takes a refresh token once, and gives out the next one with each
        credential. ``hide`` is told each secret before it is saved or used, so that no log shows it.
        """
        self._store = store
        self._obtain = fetch_token
        self._single_use = rotates
        self._hide = hide
        self._clock = clock
        self._sleep = sleep
        self._held: IssuedToken | None = None

    def present(self) -> IssuedToken:
        """What to show with the next request; a new one if there is none, or if it is known to end soon.

        Raises a ``PlatformError`` when none can be had.
        """
        held = self._held
        return self.renew(held) if held is None or held.ends_soon(self._clock()) else held

    def renew(self, spent: IssuedToken | None) -> IssuedToken:
        """Replace ``spent``, which the service does not take any more, unless another process has done so already.

        The new one is saved before it is used. Raises a ``PlatformError``: ``CredentialsError`` if the service gives
        out none, ``TokenStoreError`` if the store cannot be used, and then nothing was asked for.
        """
        with self._store.lock():
            saved = self._saved()
            self._held = saved if saved and self._is_news(saved, spent) else self._renewed(saved)
        return self._held

    def _saved(self) -> IssuedToken | None:
        text = self._store.load(Entry.CREDENTIAL)
        saved = IssuedToken.parse(text)
        if saved is not None:
            self._conceal(saved)
        elif text:
            log.warning("What the token store holds cannot be read; starting with the connection's own token")
        return saved

    def _is_news(self, saved: IssuedToken, spent: IssuedToken | None) -> bool:
        now = self._clock()
        if spent is None:
            return not saved.ends_soon(now)
        may_last = not saved.ends_soon(now) if saved.expires_at else now - saved.obtained_at < YOUNG
        return may_last and saved.secret != spent.secret

    def _renewed(self, last: IssuedToken | None, *, pauses: Sequence[float] = ASK_AGAIN) -> IssuedToken:
        """Ask for a new credential."""
        unfinished = self._begin_attempt(last) if self._single_use else None
        try:
            new = self._obtain(last.renewal if last else None)
        except CredentialsError as error:
            if found := self._saved_by_another(last):
                return found
            self._end_attempt(unfinished)
            raise _refused(error, unfinished) from None
        except ResponseLostError as error:
            if not pauses:
                raise
            log.warning("%s; asking for a new token again in %.1f s", error, pauses[0])
            self._sleep(pauses[0])
            return self._renewed(last, pauses=pauses[1:])
        except UnexpectedResponseError:
            raise
        except PlatformError:
            self._end_attempt(unfinished)
            raise
        self._conceal(new)
        self._keep(new)
        return new

    def _begin_attempt(self, last: IssuedToken | None) -> _Attempt | None:
        """Save that we are about to ask, so that a crash leaves a trace, and a store that cannot be written to is found
        out before the last token is spent; returns an earlier attempt whose end nobody knows."""
        unfinished = self._unfinished(last)
        attempt = unfinished or _Attempt(begun_at=self._clock(), replaces=last.obtained_at if last else None)
        self._store.save(Entry.ATTEMPT, json.dumps(asdict(attempt)))
        return unfinished

    def _unfinished(self, last: IssuedToken | None) -> _Attempt | None:
        """An earlier attempt to replace ``last`` of which nobody knows whether the service has carried it out."""
        text = self._store.load(Entry.ATTEMPT)
        attempt = _Attempt.parse(text)
        if text and attempt is None:
            log.warning("What the token store holds of an earlier attempt cannot be read; it is begun anew")
        return attempt if attempt and attempt.replaces == (last.obtained_at if last else None) else None

    def _end_attempt(self, unfinished: _Attempt | None) -> None:
        """The service has given out nothing; what an earlier attempt came to is as unknown as before."""
        if unfinished is None and self._single_use:
            with suppress(TokenStoreError):
                self._store.save(Entry.ATTEMPT, "")

    def _saved_by_another(self, last: IssuedToken | None) -> IssuedToken | None:
        """What a process that our lock does not reach has saved meanwhile, with the token that we found spent."""
        if not self._single_use:
            return None
        for _ in range(int(RACE / LOOK_AGAIN)):
            found = self._saved()
            if found and self._is_news(found, last):
                return found
            self._sleep(LOOK_AGAIN)
        return None

    def _keep(self, new: IssuedToken, *, pauses: Sequence[float] = SAVE_AGAIN) -> None:
        """Save ``new``. A refresh token that replaces the last one must not get lost; without one, another process
        just asks for a credential of its own."""
        try:
            self._store.save(Entry.CREDENTIAL, new.to_text())
        except TokenStoreError as error:
            if pauses:
                self._sleep(pauses[0])
                self._keep(new, pauses=pauses[1:])
            elif new.renewal is None:
                log.warning("%s; the new token is used by this process only", error)
            else:
                raise _lost(error) from None
        else:
            log.info("A new credential was obtained and saved")

    def _conceal(self, credential: IssuedToken) -> None:
        for secret in filter(None, (credential.secret, credential.renewal)):
            self._hide(secret)


def _stored(text: str | None, kind: type[T]) -> T | None:
    """A text of a store as ``kind``; ``None`` for nothing, and for what is none."""
    try:
        value = json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
    return decoded_or(None, value, kind)


def _refused(error: CredentialsError, unfinished: _Attempt | None) -> CredentialsError:
    """What a refusal means after an earlier attempt that nobody knows the end of."""
    if unfinished is None:
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
