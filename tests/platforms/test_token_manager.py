# SPDX-License-Identifier: Apache-2.0
"""Tokens that expire: who refreshes them, what is stored where, and what is left after a crash."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airflow_provider_chattransfer.exceptions import (
    CredentialsError,
    PlatformError,
    ResponseLostError,
    TokenStoreError,
    UnexpectedResponseError,
    UnreachableError,
)
from airflow_provider_chattransfer.platforms.issued_token import REFRESH_MARGIN_SECONDS, IssuedToken
from airflow_provider_chattransfer.platforms.tokens import file_store, redis_store
from airflow_provider_chattransfer.platforms.tokens.file_store import FileStore
from airflow_provider_chattransfer.platforms.tokens.manager import (
    ASSUMED_LIFE_SECONDS,
    FETCH_PAUSES_SECONDS,
    SAVE_PAUSES_SECONDS,
    Entry,
    TokenManager,
    TokenStore,
)
from airflow_provider_chattransfer.platforms.tokens.redis_store import RedisStore
from airflow_provider_chattransfer.platforms.tokens.sealed import Sealed

from ..support.redis_server import RedisServer
from ..support.token_stores import MemoryTokenStore, UnlockedTokenStore

SEED = "seed-of-the-connection"


class Service:
    """Gives out tokens; a refresh token works once."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.good = SEED
        self.given = 0
        self.lasts: float | None = None
        self.rotates = True
        self.trouble: list[PlatformError | None] = []
        self.lost: list[PlatformError | None] = []

    def fetch_token(self, refresh_token: str | None) -> IssuedToken:
        """``trouble`` comes before a token is given out, ``lost`` after."""
        if self.trouble and (trouble := self.trouble.pop(0)):
            raise trouble
        if (refresh_token or SEED) != self.good:
            raise CredentialsError("the refresh token is not valid", method="token", code="invalid_grant")
        self.given += 1
        if self.rotates:
            self.good = f"refresh-{self.given}"
        if self.lost and (trouble := self.lost.pop(0)):
            raise trouble
        return IssuedToken(
            secret=f"access-{self.given}",
            obtained_at=self.now,
            expires_at=self.now + self.lasts if self.lasts else None,
            refresh_token=self.good if self.rotates else None,
            about={"user_id": "7"},
        )

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def token_manager(
        self, store: TokenStore, fetch_token: Callable[[str | None], IssuedToken] | None = None
    ) -> TokenManager:
        """Return a token manager that lives by this service's time."""
        return TokenManager(
            store=store,
            fetch_token=fetch_token or self.fetch_token,
            rotates=self.rotates,
            hide=HIDDEN.append,
            clock=lambda: self.now,
            sleep=self.pass_time,
        )


HIDDEN: list[str] = []


@pytest.fixture
def service() -> Service:
    HIDDEN.clear()
    return Service()


@pytest.fixture
def store() -> UnlockedTokenStore:
    return UnlockedTokenStore()


class TestAToken:
    def test_a_token_is_the_same_after_it_was_kept(self) -> None:
        token = IssuedToken("a", obtained_at=1.5, expires_at=2.5, refresh_token="b", about={"user_id": "7"})
        assert IssuedToken.parse(token.to_text()) == token

    @pytest.mark.parametrize("text", [None, "", "{}", "[]", "null", "1", "?", '{"secret": "a"}', '{"else": 1}', "\0"])
    def test_a_token_is_not_made_of_what_is_none(self, text: str | None) -> None:
        assert IssuedToken.parse(text) is None

    def test_a_token_shows_no_secret(self) -> None:
        assert "hush" not in repr(IssuedToken("hush", obtained_at=0.0, refresh_token="hush"))

    def test_a_token_ends_a_minute_before_its_end_and_a_short_one_later(self) -> None:
        hour = IssuedToken("a", obtained_at=0.0, expires_at=3600.0)
        assert not hour.ends_soon(3600 - REFRESH_MARGIN_SECONDS - 1)
        assert hour.ends_soon(3600 - REFRESH_MARGIN_SECONDS)
        assert not IssuedToken("a", obtained_at=0.0, expires_at=20.0).ends_soon(14)
        assert not IssuedToken("a", obtained_at=0.0).ends_soon(1e12)


class TestTheTokenManager:
    def test_the_token_manager_asks_once_and_keeps_what_it_got(
        self, service: Service, store: UnlockedTokenStore
    ) -> None:
        token_manager = service.token_manager(store)
        assert [token_manager.token().secret for _ in range(3)] == ["access-1"] * 3
        assert service.token_manager(store).token().secret == "access-1"
        assert service.given == 1

    def test_saves_a_token_before_it_shows_it_and_hides_it_before_it_saves_it(
        self, service: Service, store: UnlockedTokenStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hidden_when_saved: list[list[str]] = []
        save = store.save

        def watched(entry: Entry, text: str) -> None:
            hidden_when_saved.append(list(HIDDEN))
            save(entry, text)

        monkeypatch.setattr(store, "save", watched)
        assert service.token_manager(store).token() == store.token
        assert hidden_when_saved[-1] == ["access-1", "refresh-1"]

    def test_hides_what_another_process_has_saved(self, service: Service, store: UnlockedTokenStore) -> None:
        service.token_manager(store).token()
        HIDDEN.clear()
        service.token_manager(store).token()
        assert HIDDEN == ["access-1", "refresh-1"]

    def test_renews_by_the_last_refresh_token(self, service: Service, store: UnlockedTokenStore) -> None:
        token_manager = service.token_manager(store)
        for number in (1, 2, 3):
            assert token_manager.token().secret == f"access-{number}"
            token_manager.refresh(token_manager.token())
        assert service.given == 4

    def test_the_token_manager_takes_what_another_process_has_obtained(
        self, service: Service, store: UnlockedTokenStore
    ) -> None:
        one, other = service.token_manager(store), service.token_manager(store)
        expired = one.token()
        assert other.token() == expired
        one.refresh(expired)
        other.refresh(expired)
        assert other.token().secret == "access-2"
        assert service.given == 2

    def test_the_token_manager_does_not_take_what_has_run_out_as_well(
        self, service: Service, store: UnlockedTokenStore
    ) -> None:
        idle, busy = service.token_manager(store), service.token_manager(store)
        expired = idle.token()
        busy.refresh(busy.token())
        service.pass_time(ASSUMED_LIFE_SECONDS)
        idle.refresh(expired)
        assert idle.token().secret == "access-3", "the one of the other process is old, and may have run out"

    def test_renews_ahead_where_it_is_known_when_a_credential_ends(
        self, service: Service, store: UnlockedTokenStore
    ) -> None:
        service.lasts = 3600.0
        token_manager = service.token_manager(store)
        token_manager.token()
        service.pass_time(3600 - REFRESH_MARGIN_SECONDS - 1)
        assert token_manager.token().secret == "access-1"
        service.pass_time(1)
        assert token_manager.token().secret == "access-2"

    def test_the_token_manager_lets_one_thread_renew_for_all(self, service: Service) -> None:
        token_manager = service.token_manager(MemoryTokenStore())
        expired = token_manager.token()

        def slowly(refresh_token: str | None) -> IssuedToken:
            time.sleep(0.05)
            return service.fetch_token(refresh_token)

        token_manager._fetch_token = slowly
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: token_manager.refresh(expired), range(8)))
        assert (token_manager.token().secret, service.given) == ("access-2", 2)

    @pytest.mark.parametrize("text", ["?", "{}", '{"secret": 1', "\0\1"])
    def test_the_token_manager_begins_with_the_connections_token_where_the_store_holds_what_it_cannot_read(
        self, service: Service, store: UnlockedTokenStore, text: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.kept = {Entry.TOKEN: text, Entry.ATTEMPT: text}
        assert service.token_manager(store).token().secret == "access-1"
        assert "cannot be read" in caplog.text
        assert store.token is not None


class TestAStoreThatFails:
    def test_a_store_that_fails_is_found_out_before_the_token_is_used(
        self, service: Service, store: UnlockedTokenStore
    ) -> None:
        for method in ("load", "save", "lock"):
            broken = UnlockedTokenStore()
            setattr(broken, method, _failing)
            with pytest.raises(TokenStoreError, match="the disk is gone"):
                service.token_manager(broken).token()
        assert service.given == 0

    def test_a_store_that_fails_is_tried_again_when_it_is_to_keep_the_new_token(
        self, service: Service, store: UnlockedTokenStore
    ) -> None:
        store.saves_that_fail = len(SAVE_PAUSES_SECONDS)
        assert service.token_manager(store).token().secret == "access-1"
        assert store.token is not None

    def test_a_store_that_fails_says_that_the_new_token_is_lost(
        self, service: Service, store: UnlockedTokenStore
    ) -> None:
        store.saves_that_fail = len(SAVE_PAUSES_SECONDS) + 1
        with pytest.raises(
            CredentialsError, match=r"store is full.*new one could not be saved: sign in anew"
        ) as trouble:
            service.token_manager(store).token()
        assert "refresh-1" not in str(trouble.value)

    def test_a_store_that_fails_does_not_stop_who_needs_no_refresh_token(
        self, service: Service, store: UnlockedTokenStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        service.rotates = False
        store.saves_that_fail = 100
        assert service.token_manager(store).token().secret == "access-1"
        assert "used by this process only" in caplog.text


class TestARefusal:
    def test_a_refusal_is_told_as_it_is(self, service: Service, store: UnlockedTokenStore) -> None:
        service.good = "another"
        for _ in range(2):
            with pytest.raises(CredentialsError) as trouble:
                service.token_manager(store).token()
            assert str(trouble.value) == "token: the refresh token is not valid [invalid_grant]"

    def test_a_refusal_after_a_process_that_was_killed_says_what_to_do(
        self, service: Service, store: UnlockedTokenStore
    ) -> None:
        token_manager = service.token_manager(store)
        token_manager.token()

        def killed(refresh_token: str | None) -> IssuedToken:
            service.fetch_token(refresh_token)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            service.token_manager(store, killed).refresh(token_manager.token())
        for _ in range(2):
            with pytest.raises(CredentialsError, match=r"1970-01-12T13:46:40\+00:00.*is lost. Sign in anew"):
                service.token_manager(store).refresh(token_manager.token())

    def test_a_refusal_is_none_when_the_process_was_killed_before_it_asked(
        self, service: Service, store: UnlockedTokenStore
    ) -> None:
        def killed(refresh_token: str | None) -> IssuedToken:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            service.token_manager(store, killed).token()
        assert service.token_manager(store).token().secret == "access-1"

    def test_long_after_a_crash_that_was_survived_is_told_as_it_is(
        self, service: Service, store: UnlockedTokenStore
    ) -> None:
        self.test_a_refusal_is_none_when_the_process_was_killed_before_it_asked(service, store)
        service.good = "another"
        token_manager = service.token_manager(store)
        with pytest.raises(CredentialsError) as trouble:
            token_manager.refresh(token_manager.token())
        assert "lost" not in str(trouble.value)


class TestATokenThatStaysGood:
    @pytest.fixture
    def service(self, service: Service) -> Service:
        service.rotates = False
        return service

    def test_a_token_that_stays_good_is_refused_at_once(self, service: Service, store: UnlockedTokenStore) -> None:
        service.good = "another"
        asked_at = service.now
        with pytest.raises(CredentialsError):
            service.token_manager(store).token()
        assert service.now == asked_at

    def test_a_token_that_stays_good_is_not_called_lost_when_no_answer_came(
        self, service: Service, store: UnlockedTokenStore
    ) -> None:
        service.lost = [ResponseLostError("gone", method="token")]
        assert service.token_manager(store).token().secret == "access-2"

    def test_a_token_that_stays_good_leaves_no_trace_of_an_attempt(
        self, service: Service, store: UnlockedTokenStore
    ) -> None:
        service.token_manager(store).token()
        assert set(store.kept) == {Entry.TOKEN}


class TestATokenRequestThatFails:
    def test_a_token_request_that_fails_without_an_answer_is_made_again(
        self, service: Service, store: UnlockedTokenStore
    ) -> None:
        service.trouble = [ResponseLostError("gone", method="token")] * len(FETCH_PAUSES_SECONDS)
        assert service.token_manager(store).token().secret == "access-1"

    def test_a_token_request_that_fails_without_an_answer_is_given_up_at_last(
        self, service: Service, store: UnlockedTokenStore
    ) -> None:
        service.trouble = [ResponseLostError("gone", method="token")] * (len(FETCH_PAUSES_SECONDS) + 1)
        with pytest.raises(ResponseLostError):
            service.token_manager(store).token()
        assert service.token_manager(store).token().secret == "access-1"

    def test_a_token_request_that_fails_whose_answer_was_lost_is_called_so(
        self, service: Service, store: UnlockedTokenStore
    ) -> None:
        service.lost = [ResponseLostError("gone", method="token")]
        with pytest.raises(CredentialsError, match="the answer never came, or was never saved"):
            service.token_manager(store).token()

    def test_a_token_request_that_fails_with_an_answer_that_nobody_understands_leaves_a_trace(
        self, service: Service, store: UnlockedTokenStore
    ) -> None:
        service.lost = [UnexpectedResponseError("a page", method="token")]
        with pytest.raises(UnexpectedResponseError):
            service.token_manager(store).token()
        with pytest.raises(CredentialsError, match="the answer never came, or was never saved"):
            service.token_manager(store).token()

    def test_a_token_request_that_fails_that_never_arrived_leaves_none(
        self, service: Service, store: UnlockedTokenStore
    ) -> None:
        service.trouble = [UnreachableError("nobody listens", method="token")]
        with pytest.raises(UnreachableError):
            service.token_manager(store).token()
        service.good = "another"
        with pytest.raises(CredentialsError) as trouble:
            service.token_manager(store).token()
        assert "lost" not in str(trouble.value)


class TestProcessesThatNoLockReaches:
    """On two hosts, with Variables."""

    def test_processes_that_no_lock_reaches_end_with_the_token_of_the_one_that_was_first(
        self, service: Service, store: UnlockedTokenStore
    ) -> None:
        first, second = service.token_manager(store), service.token_manager(store)
        expired = first.token()
        second.token()
        second._fetch_token = _after(lambda: first.refresh(expired), service)
        second.refresh(expired)
        assert first.token() == second.token() == store.token
        assert service.given == 2

    def test_processes_that_no_lock_reaches_find_it_also_when_the_first_is_slow_to_save_it(
        self, service: Service, store: UnlockedTokenStore
    ) -> None:
        first, second = service.token_manager(store), service.token_manager(store)
        expired = first.token()
        second.token()
        got: list[IssuedToken] = []

        def pause(seconds: float) -> None:
            service.pass_time(seconds)
            if service.now > 1_000_001:
                store.save(Entry.TOKEN, got[0].to_text())

        second._fetch_token = _after(lambda: got.append(service.fetch_token(expired.refresh_token)), service)
        second._sleep = pause
        second.refresh(expired)
        assert second.token() == got[0]

    def test_do_not_lose_it_when_the_second_begins_just_after_the_first_has_saved_it(
        self, service: Service, store: UnlockedTokenStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = service.token_manager(store), service.token_manager(store)
        expired = first.token()
        second.token()
        save = store.save
        firsts: list[Callable[[], object]] = [lambda: first.refresh(expired)]

        def save_late(entry: Entry, text: str) -> None:
            if firsts:
                firsts.pop()()
            save(entry, text)

        monkeypatch.setattr(store, "save", save_late)
        second.refresh(expired)
        assert first.token() == second.token() == store.token


@pytest.fixture(params=["file", "redis"])
def a_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], TokenStore]:
    """Open the same store as another process would."""
    name = f"n{time.time_ns()}"
    if request.param == "file":
        return lambda: FileStore(tmp_path, name=name)
    server: RedisServer = request.getfixturevalue("redis_server")
    return lambda: RedisStore(server.address, name=name)


class TestAnyStore:
    def test_any_store_holds_nothing_at_first(self, a_store: Callable[[], TokenStore]) -> None:
        assert [a_store().load(entry) for entry in Entry] == [None, None]

    def test_any_store_gives_back_what_was_saved_last(self, a_store: Callable[[], TokenStore]) -> None:
        store = a_store()
        store.save(Entry.TOKEN, "first")
        store.save(Entry.ATTEMPT, "attempt")
        store.save(Entry.TOKEN, "æ" * 5000)
        assert a_store().load(Entry.TOKEN) == "æ" * 5000
        assert a_store().load(Entry.ATTEMPT) == "attempt"

    def test_any_store_lets_one_in_at_a_time(
        self, a_store: Callable[[], TokenStore], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for module in (file_store, redis_store):
            monkeypatch.setattr(module, "MAX_LOCK_WAIT_SECONDS", 0.3)
        with a_store().lock():
            with pytest.raises(TokenStoreError, match="another process"), a_store().lock():
                pass
            with pytest.raises(TokenStoreError), ThreadPoolExecutor(1) as pool:
                pool.submit(lambda: a_store().lock().__enter__()).result()
        with a_store().lock():
            pass

    def test_any_store_lets_the_next_one_in_after_an_error(self, a_store: Callable[[], TokenStore]) -> None:
        with pytest.raises(KeyError), a_store().lock():
            raise KeyError
        with a_store().lock():
            pass

    def test_any_store_lets_threads_renew_one_at_a_time(
        self, a_store: Callable[[], TokenStore], service: Service
    ) -> None:
        expired = service.token_manager(a_store()).token()
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda _: service.token_manager(a_store()).refresh(expired), range(6)))
        assert service.given == 2

    def test_sees_no_secret_under_a_seal(self, a_store: Callable[[], TokenStore], service: Service) -> None:
        token_manager = service.token_manager(Sealed(a_store(), key=SEED))
        token_manager.refresh(token_manager.token())
        kept = " ".join(filter(None, (a_store().load(entry) for entry in Entry)))
        assert len(kept) > 100
        assert not [word for word in ("access", "refresh", SEED, "secret") if word in kept]
        assert service.token_manager(Sealed(a_store(), key=SEED)).token().secret == "access-2"

    def test_any_store_is_of_no_use_with_another_key(self, a_store: Callable[[], TokenStore], service: Service) -> None:
        service.token_manager(Sealed(a_store(), key=SEED)).token()
        sealed = Sealed(a_store(), key="another")
        assert IssuedToken.parse(sealed.load(Entry.TOKEN)) is None


class TestFiles:
    def test_files_are_for_their_owner_alone(self, tmp_path: Path) -> None:
        mask = os.umask(0)
        try:
            store = FileStore(tmp_path, name="mine")
            with store.lock():
                for _ in range(2):
                    store.save(Entry.TOKEN, "hush")
        finally:
            os.umask(mask)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        assert modes == {"mine.credential": 0o600, "mine.lock": 0o600}, "and no draft is left"

    def test_files_are_there_whole_or_not_at_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store = FileStore(tmp_path, name="mine")
        store.save(Entry.TOKEN, "first")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(TokenStoreError, match="No space left on device"):
            store.save(Entry.TOKEN, "second")
        assert store.load(Entry.TOKEN) == "first"
        assert [path.name for path in tmp_path.iterdir()] == ["mine.credential"]

    @pytest.mark.parametrize("place", ["nowhere", "a_file"])
    def test_files_need_a_folder(self, tmp_path: Path, service: Service, place: str) -> None:
        (tmp_path / "a_file").touch()
        with pytest.raises(TokenStoreError, match=f"{place}.*token_store_at"):
            service.token_manager(FileStore(tmp_path / place, name="mine")).token()
        assert service.given == 0

    def test_files_are_unlocked_when_their_process_is_killed(self, tmp_path: Path) -> None:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", PROCESS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        with FileStore(tmp_path, name="mine").lock():
            pass


PROCESS = """
import sys
from pathlib import Path
from airflow_provider_chattransfer.platforms.tokens.file_store import FileStore
with FileStore(Path(sys.argv[1]), name="mine").lock():
    print("locked", flush=True)
    sys.stdin.read()
"""


class TestRedis:
    def test_redis_lets_the_next_one_in_when_a_lease_has_ended_and_does_not_end_his(
        self,
        redis_server: RedisServer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(redis_store, "LEASE_SECONDS", 0.2)
        late = RedisStore(redis_server.address, name="lease").lock()
        late.__enter__()
        monkeypatch.setattr(redis_store, "LEASE_SECONDS", 60)
        with RedisStore(redis_server.address, name="lease").lock():
            late.__exit__(None, None, None)
            monkeypatch.setattr(redis_store, "MAX_LOCK_WAIT_SECONDS", 0.2)
            with pytest.raises(TokenStoreError), RedisStore(redis_server.address, name="lease").lock():
                pass

    @pytest.mark.parametrize(
        ("address", "why"),
        [
            ("redis://:wrong-pass@127.0.0.1:{port}/0", "does not take the user or the password"),
            ("redis://127.0.0.1:{port}/0", "does not take the user or the password"),
            ("redis://:wrong-pass@127.0.0.1:1/0", "no connection can be made"),
        ],
    )
    def test_redis_that_cannot_be_used_is_told_before_a_token_is_used(
        self,
        redis_server: RedisServer,
        service: Service,
        address: str,
        why: str,
    ) -> None:
        with pytest.raises(TokenStoreError, match=f"{why}.*token_store_at") as trouble:
            service.token_manager(RedisStore(address.format(port=redis_server.port), name="x")).token()
        assert service.given == 0
        assert "wrong-pass" not in str(trouble.value)
        assert trouble.value.__cause__ is trouble.value.__context__ is None


def _failing(*_: object) -> None:
    raise TokenStoreError("the disk is gone")


def _after(first: Callable[[], object], service: Service) -> Callable[[str | None], IssuedToken]:
    """Asks the service after another process has been ``first``."""

    def fetch_token(refresh_token: str | None) -> IssuedToken:
        first()
        return service.fetch_token(refresh_token)

    return fetch_token
