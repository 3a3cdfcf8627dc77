# SPDX-License-Identifier: Apache-2.0
"""What is shared by processes and hosts, in real stores."""

from __future__ import annotations

import gc
import logging
import os
import resource
import select
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import psycopg2
import pytest
from redis import Redis

from airflow_provider_chattransfer.chats.model import Json
from airflow_provider_chattransfer.exceptions import CoordinationError, HostFileError
from airflow_provider_chattransfer.platforms.coordination import host_store, postgres_store, redis_store
from airflow_provider_chattransfer.platforms.coordination.host_store import HostStore
from airflow_provider_chattransfer.platforms.coordination.opening import open_store
from airflow_provider_chattransfer.platforms.coordination.postgres_store import PostgresStore
from airflow_provider_chattransfer.platforms.coordination.redis_store import RedisStore
from airflow_provider_chattransfer.platforms.coordination.store import KEPT_SECONDS, SharedStore

from ..support.counting import TIMES, count, count_in_child, count_in_processes, counts, time_of
from ..support.memory_store import VirtualTime
from ..support.postgres import PostgresServer
from ..support.redis_server import RedisServer

HANDFUL = 8
Server = PostgresServer | RedisServer


@pytest.fixture(params=["host", "redis", "postgres"])
def address(request: pytest.FixtureRequest) -> str | None:
    """Return where each store is."""
    if request.param == "host":
        return None
    server: Server = request.getfixturevalue(f"{request.param}_server")
    server.empty()
    return server.address


@pytest.fixture
def store(address: str | None) -> SharedStore:
    """Return each store, empty."""
    return open_store(address)


@pytest.fixture(params=["redis", "postgres"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Yield each server, empty."""
    server: Server = request.getfixturevalue(f"{request.param}_server")
    server.empty()
    yield server
    server.empty()


class TestAStore:
    def test_an_update_of_many_processes_is_never_lost(self, store: SharedStore, address: str | None) -> None:
        count_in_processes(address, *[["a"]] * HANDFUL)
        assert counts(store, ["a"]) == [HANDFUL * TIMES]

    def test_several_documents_change_together(self, store: SharedStore, address: str | None) -> None:
        keys = [f"chat {number}" for number in range(40)]
        found = count_in_processes(address, keys, keys[::-1], [*keys, "c"], ["c"])
        assert counts(store, [*keys, "c"]) == [3 * TIMES] * len(keys) + [2 * TIMES]
        for before in (each for work in found[:3] for each in work):
            assert before[0]["count"] == before[39]["count"]

    def test_time_never_goes_back_from_one_update_to_the_next(self, store: SharedStore, address: str | None) -> None:
        found = count_in_processes(address, *[["a"]] * 4)
        times = {each["count"]: each["at"] for work in found for (each,) in work}
        assert len(times) == 4 * TIMES
        assert all(earlier <= later for earlier, later in pairwise(times[number] for number in sorted(times)))

    def test_time_goes_on_as_ours_does(self, store: SharedStore) -> None:
        began, first = time.monotonic(), time_of(store)
        time.sleep(0.3)
        assert time_of(store) - first == pytest.approx(time.monotonic() - began, abs=0.1)

    def test_threads_share_a_store(self, store: SharedStore) -> None:
        threads = [threading.Thread(target=lambda: [count(store, ["a"]) for _ in range(TIMES)]) for _ in range(HANDFUL)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(60)
        assert counts(store, ["a"]) == [HANDFUL * TIMES]

    def test_a_forked_process_goes_on_with_the_store(self, store: SharedStore) -> None:
        stop = threading.Event()

        def keep_counting() -> None:
            while not stop.is_set():
                count(store, ["b"])

        thread = threading.Thread(target=keep_counting)
        thread.start()
        try:
            assert [count_in_child(store, ["a"]) for _ in range(5)] == [0] * 5
        finally:
            stop.set()
            thread.join(20)
        assert counts(store, ["a"]) == [5]
        count(store, ["a"])
        assert counts(store, ["a"]) == [6]

    def test_what_is_not_written_stays(self, store: SharedStore) -> None:
        count(store, ["a", "b"])
        count(store, ["a"])
        assert counts(store, ["a", "b", "c"]) == [2, 1, None]

    def test_a_document_is_deleted(self, store: SharedStore) -> None:
        count(store, ["a", "b"])
        store.update(["a", "b"], lambda *_: ({"a": None}, None))
        assert counts(store, ["a", "b"]) == [None, 1]

    def test_an_error_in_a_change_writes_nothing_and_leaves_the_store_usable(self, store: SharedStore) -> None:
        count(store, ["a"])

        def change(_: float, known: Mapping[str, Json]) -> tuple[Mapping[str, Json | None], None]:
            raise KeyError("a fault of the caller's")

        with pytest.raises(KeyError, match="of the caller's"):
            store.update(["a"], change)
        with pytest.raises(ValueError, match="not read"):
            store.update(["a"], lambda *_: ({"a": {"count": 5}, "b": {}}, None))
        with pytest.raises(ValueError, match="JSON"):
            store.update(["a"], lambda *_: ({"a": {"count": float("nan")}}, None))
        assert counts(store, ["a"]) == [1]

    def test_any_text_is_kept(self, store: SharedStore) -> None:
        key, document = "claims of 'ß\"\\ %s {x} \u2028", {"text": "'ß\"\\ %s {x} \u2028 \x00", "none": None, "n": 1e-9}
        store.update([key], lambda *_: ({key: document}, None))
        assert store.update([key], lambda _, known: ({}, known[key])) == document

    def test_thousands_of_documents_change_together(self, store: SharedStore) -> None:
        keys = [f"chat {number}" for number in range(9000)]
        count(store, keys)
        assert counts(store, keys) == [1] * len(keys)


def _file() -> Path:
    (file,) = Path(tempfile.gettempdir()).glob("chattransfer-*/*.coordination")
    return file


def run_unmeasured(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program that can write no files, so that coverage may not want to write its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)  # noqa: S603


class TestThisHostsStore:
    def test_there_is_one_for_all_in_a_process(self) -> None:
        assert open_store(None) is open_store(None)

    def test_its_file_is_for_us_alone(self) -> None:
        mask = os.umask(0)
        try:
            count(HostStore(), ["a"])
        finally:
            os.umask(mask)
        assert {stat.S_IMODE(each.stat().st_mode) for each in _file().parent.glob(f"{_file().name}*")} == {0o600}
        assert stat.S_IMODE(_file().parent.stat().st_mode) == 0o700

    def test_a_damaged_file_is_begun_anew_with_one_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        store, other = HostStore(), HostStore()
        count(store, ["a"])
        count(other, ["a"])
        _file().write_bytes(b"no database" * 1000)
        with caplog.at_level(logging.WARNING):
            count(store, ["a"])
            count(other, ["a"])
        assert counts(store, ["a"]) == [2]
        (told,) = caplog.messages
        assert "damaged and begun anew" in told

    def test_a_file_that_is_damaged_in_the_middle_is_begun_anew(self) -> None:
        store = HostStore()
        for number in range(200):
            count(store, [f"chat {number}"])
        size = _file().stat().st_size
        with _file().open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(size - 4096))
        assert counts(HostStore(), ["chat 1"]) == [None]
        count(store, ["chat 1"])
        assert counts(HostStore(), ["chat 1"]) == [1]

    def test_a_document_that_cannot_be_read_counts_as_missing(self) -> None:
        store = HostStore()
        count(store, ["a", "b"])
        with closing(sqlite3.connect(_file())) as connection, connection:
            connection.execute("UPDATE documents SET document = '[1]' WHERE key = 'a'")
            connection.execute("UPDATE documents SET document = '{\"count\"' WHERE key = 'b'")
        assert counts(store, ["a", "b"]) == [None, None]

    def test_a_file_that_was_deleted_is_made_anew_by_all(self) -> None:
        store, other = HostStore(), HostStore()
        count(store, ["a"])
        count(other, ["a"])
        _file().unlink()
        count(store, ["a"])
        assert counts(other, ["a"]) == [1]
        count(other, ["a"])
        assert counts(HostStore(), ["a"]) == [2]

    def test_a_file_that_another_process_has_begun_anew_is_not_begun_anew_again(self) -> None:
        store = HostStore()
        count(store, ["a"])
        HostStore()._begin_anew()
        assert counts(store, ["a"]) == [1]

    def test_a_forked_process_does_not_get_the_open_file(self) -> None:
        store = HostStore()
        count(store, ["a"])
        assert _open_on(_file())
        child = os.fork()
        if not child:
            os._exit(len(_open_on(_file())))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    def test_an_update_that_a_kill_cuts_off_is_undone(self, tmp_path: Path) -> None:
        count(HostStore(), ["a"])
        program = (
            "import os, signal\n"
            "from airflow_provider_chattransfer.platforms.coordination.host_store import HostStore\n"
            "from airflow_provider_chattransfer.platforms.coordination import host_store\n"
            "def die(opened): os.kill(os.getpid(), signal.SIGKILL)\n"
            "store = HostStore()\n"
            "store.update([], lambda *_: ({}, None))\n"
            "connection = store._opened.connection\n"
            "connection.execute('PRAGMA cache_size = 1')\n"
            "connection.execute('BEGIN IMMEDIATE')\n"
            "connection.execute('DELETE FROM documents')\n"
            "connection.executemany(host_store.WRITE, [(str(n), 'x' * 5000, 1.0) for n in range(500)])\n"
            "die(store)\n"
        )
        ended = subprocess.run([sys.executable, "-c", program], timeout=60)  # noqa: S603
        assert ended.returncode == -9
        assert _file().with_name(f"{_file().name}-journal").stat().st_size
        assert counts(HostStore(), ["a", "1"]) == [1, None]

    def test_documents_of_an_earlier_start_of_the_system_are_not_read(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        count(HostStore(), ["a"])
        boot = tmp_path / "boot_id"
        boot.write_text("another-start\n")
        monkeypatch.setattr(host_store, "BOOT_ID", boot)
        assert counts(HostStore(), ["a"]) == [None]

    def test_files_of_earlier_starts_are_deleted_after_a_day(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        count(HostStore(), ["a"])
        old = _file()
        monkeypatch.setattr(host_store, "BOOT_ID", tmp_path / "none")
        count(HostStore(), ["a"])
        assert old.exists()
        os.utime(old, (0, time.time() - KEPT_SECONDS - 60))
        count(HostStore(), ["a"])
        assert not old.exists()
        assert _file().exists()

    def test_documents_from_the_future_are_of_another_clock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = VirtualTime(now=5000.0)
        count(HostStore(clock=clock), ["a"])
        clock.now = 10.0
        store = HostStore(clock=clock)
        assert counts(store, ["a"]) == [None]
        clock.now = 6000.0
        assert counts(store, ["a"]) == [None]

    def test_documents_are_deleted_a_day_after_they_were_written(self) -> None:
        clock = VirtualTime()
        store = HostStore(clock=clock)
        count(store, ["old"])
        clock.now += KEPT_SECONDS / 2
        count(store, ["young"])
        clock.now += KEPT_SECONDS / 2 + 1
        assert counts(store, ["old", "young"]) == [None, 1]
        with closing(sqlite3.connect(_file())) as connection:
            assert connection.execute("SELECT key FROM documents").fetchall() == [("young",)]

    def test_a_process_that_holds_the_file_is_not_waited_for_without_end(self) -> None:
        store = HostStore(patience=0.3)
        count(store, ["a"])
        with closing(sqlite3.connect(_file(), isolation_level=None)) as held:
            held.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            with pytest.raises(CoordinationError, match=r"kept .* locked") as error:
                count(store, ["a"])
            assert time.monotonic() - began < 3
            assert len(str(error.value)) < 300
        count(store, ["a"])
        assert counts(store, ["a"]) == [2]

    def test_a_full_disk_is_an_error_that_says_so(self) -> None:
        count(HostStore(), ["a"])
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        program = (
            "import resource, signal\n"
            "from airflow_provider_chattransfer.platforms.coordination.host_store import HostStore\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
            "HostStore().update(['b'], lambda *_: ({'b': {'text': 'x' * 100_000}}, None))\n"
        )
        ended = run_unmeasured(program)
        assert resource.getrlimit(resource.RLIMIT_FSIZE) == before
        told = ended.stderr.strip().splitlines()[-1]
        assert "HostFileError" in told
        assert "make room" in told
        assert counts(HostStore(), ["a", "b"]) == [1, None]

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
    def test_a_folder_that_cannot_be_written_to_is_an_error_that_names_it(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o555)
        program = (
            "import os, sys, tempfile\n"
            "from airflow_provider_chattransfer.platforms.coordination.host_store import HostStore\n"
            f"tempfile.tempdir = {str(tmp_path)!r}\n"
            "os.setuid(65534)\n"
            "HostStore().update(['a'], lambda *_: ({'a': {}}, None))\n"
        )
        ended = run_unmeasured(program)
        told = ended.stderr.strip().splitlines()[-1]
        assert "HostFileError" in told
        assert str(tmp_path) in told
        assert "TMPDIR" in told

    @pytest.mark.parametrize(
        ("plant", "what"),
        [
            (Path.mkdir, "is a folder"),
            (os.mkfifo, "is a pipe"),
            (lambda path: path.symlink_to("/dev/zero"), "is a link"),
            (lambda path: path.touch() or path.chmod(0o666), "is open to other users"),
        ],
    )
    def test_what_is_no_file_of_ours_is_an_error_that_names_it(
        self, plant: Callable[[Path], object], what: str
    ) -> None:
        count(HostStore(), ["a"])
        path = _file()
        path.unlink()
        plant(path)
        with pytest.raises(HostFileError, match=f"{path} {what}"):
            count(HostStore(), ["a"])

    def test_a_store_that_is_gone_leaves_no_file_open(self) -> None:
        store = HostStore()
        count(store, ["a"])
        assert _open_on(_file())
        del store
        gc.collect()
        assert not _open_on(_file())


def _open_on(file: Path) -> list[str]:
    links = (each for each in Path("/proc/self/fd").iterdir() if each.is_symlink())
    return [each.name for each in links if os.path.realpath(each) == str(file.resolve())]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a second for a server."""
    monkeypatch.setattr(postgres_store, "PATIENCE_SECONDS", 1.0)
    monkeypatch.setattr(redis_store, "TIMEOUT_SECONDS", 1.0)


def new_store(address: str) -> SharedStore:
    """Return a store that no other test has."""
    return RedisStore(address) if address.startswith("redis") else PostgresStore(address)


class TestAServersStore:
    def test_there_is_one_for_each_address_in_a_process(self, server: Server) -> None:
        assert open_store(server.address) is open_store(server.address)
        assert open_store(server.address) is not open_store(None)

    def test_a_server_that_is_gone_is_an_error_within_seconds_until_it_is_back(self, server: Server) -> None:
        store = new_store(server.address)
        count(store, ["a"])
        server.stop()
        try:
            for _ in range(2):
                began = time.monotonic()
                with pytest.raises(CoordinationError, match="no connection can be made"):
                    count(store, ["a"])
                assert time.monotonic() - began < 3
        finally:
            server.start()
        before = counts(store, ["a"])[0] or 0
        count(store, ["a"])
        assert counts(store, ["a"]) == [before + 1]

    def test_a_server_that_hangs_is_an_error_within_seconds_until_it_goes_on(
        self, server: Server, impatient: None
    ) -> None:
        store = new_store(server.address)
        count(store, ["a"])
        server.signal(signal.SIGSTOP)
        try:
            for _ in range(2):
                began = time.monotonic()
                with pytest.raises(CoordinationError, match=r"no answer within|does not answer in time"):
                    count(store, ["a"])
                assert time.monotonic() - began < 4
        finally:
            server.signal(signal.SIGCONT)
        before = counts(store, ["a"])[0]
        count(store, ["a"])
        assert counts(store, ["a"]) == [(before or 0) + 1]

    def test_a_connection_that_the_server_has_closed_is_made_anew(self, server: Server) -> None:
        store = new_store(server.address)
        count(store, ["a"])
        if isinstance(server, PostgresServer):
            server.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'chattransfer'")
        else:
            with Redis.from_url(server.address) as redis:
                redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        count(store, ["a"])
        assert counts(store, ["a"]) == [2]

    def test_an_update_whose_answer_is_lost_is_not_made_twice(self, server: Server) -> None:
        count(new_store(server.address), ["a"])
        with cut_after(b";\nCOMMIT" if isinstance(server, PostgresServer) else b"EVALSHA", port=server.port) as port:
            store = new_store(server.address.replace(f":{server.port}/", f":{port}/"))
            with pytest.raises(CoordinationError):
                count(store, ["a"])
        assert counts(new_store(server.address), ["a"]) == [2]

    def test_a_process_that_was_stopped_in_an_update_keeps_nobody_waiting_for_long(self, server: Server) -> None:
        count(new_store(server.address), ["a"])
        program = (
            "import os, signal, sys\n"
            "from airflow_provider_chattransfer.platforms.coordination.opening import open_store\n"
            "def change(now, known):\n"
            "    os.kill(os.getpid(), signal.SIGSTOP)\n"
            "    return {'a': {'count': 100, 'at': now}}, None\n"
            "open_store(sys.argv[1]).update(['a'], change)\n"
        )
        with subprocess.Popen([sys.executable, "-c", program, server.address], stderr=subprocess.PIPE) as stopped:  # noqa: S603
            try:
                os.waitid(os.P_PID, stopped.pid, os.WSTOPPED)
                began = time.monotonic()
                count(new_store(server.address), ["a"])
                assert time.monotonic() - began < 3
                assert counts(new_store(server.address), ["a"]) == [2]
                stopped.send_signal(signal.SIGCONT)
                os.waitid(os.P_PID, stopped.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            finally:
                stopped.kill()
        assert counts(new_store(server.address), ["a"]) == [2]

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            (("pass%2Fword", "wr%2Fong"), "user or the password|user and password"),
            (("-pass%2Fword@", "@"), "user or the password|user and password"),
            (("127.0.0.1:", "nowhere.invalid:"), "no connection can be made"),
            (("@127.0.0.1:", "@127.0.0.1:1"), "no connection can be made"),
        ],
    )
    def test_no_error_shows_a_password(self, server: Server, change: tuple[str, str], told: str) -> None:
        port = f":{server.port}/"
        address = server.address.replace(*change).replace(f":1{server.port}/", ":1/")
        assert address != server.address
        with pytest.raises(CoordinationError, match=told) as error:
            count(new_store(address), ["a"])
        shown = "".join(traceback.format_exception(error.value))
        assert not [secret for secret in ("pass/word", "pass%2Fword", "wr/ong", "wr%2Fong") if secret in shown]
        assert port in address or ":1/" in address
        assert len(str(error.value)) < 300

    def test_threads_leave_no_connections_behind(self, server: Server) -> None:
        store = new_store(server.address)
        threads = [threading.Thread(target=count_often, args=[store]) for _ in range(HANDFUL)]
        before = connections(server)
        for each in threads:
            each.start()
        for each in threads:
            each.join(60)
        assert connections(server) - before <= (1 if isinstance(server, PostgresServer) else HANDFUL)
        threads.clear()
        del each, store
        gc.collect()
        time.sleep(0.2)
        assert connections(server) <= before

    def test_a_child_leaves_the_connection_of_its_parent_alone(self, server: Server) -> None:
        store = new_store(server.address)
        count(store, ["a"])
        before = connections(server)
        assert count_in_child(store, ["a"]) == 0
        assert connections(server) == before
        count(store, ["a"])
        assert counts(store, ["a"]) == [3]
        assert connections(server) == before


@contextmanager
def cut_after(word: bytes, *, port: int) -> Iterator[int]:
    """Yield a port that leads to ``port``, but that the first request with ``word`` gets no answer to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        cut = threading.Event()

        def lead(client: socket.socket) -> None:
            with client, socket.create_connection(("127.0.0.1", port)) as onward:
                while ready := select.select([client, onward], [], [])[0]:
                    for one in ready:
                        if not (data := one.recv(65536)):
                            return
                        (onward if one is client else client).sendall(data)
                        if one is client and word in data and not cut.is_set():
                            cut.set()
                            onward.recv(65536)
                            return

        def serve() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=lead, args=listening.accept()[:1], daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        assert cut.is_set()
        listening.shutdown(socket.SHUT_RDWR)


def count_often(store: SharedStore) -> None:
    """Count as a thread."""
    for _ in range(5):
        count(store, ["a"])


def connections(server: Server) -> int:
    """Return how many connections the server has, but for the one that asks."""
    if isinstance(server, PostgresServer):
        return int(server.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'chattransfer'")[0][0])
    with Redis.from_url(server.address) as redis:
        return len(redis.client_list()) - 1


class TestRedis:
    def test_what_is_not_written_for_a_day_is_gone(self, redis_server: RedisServer) -> None:
        count(RedisStore(redis_server.address), ["a"])
        with Redis.from_url(redis_server.address) as redis:
            assert 0 <= KEPT_SECONDS * 1000 - float(redis.pttl("{chattransfer}:a")) < 5000

    def test_documents_that_others_keep_changing_are_given_up(
        self, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(redis_store, "PATIENCE_SECONDS", 0.3)
        store, other = RedisStore(redis_server.address), RedisStore(redis_server.address)

        def change(now: float, _: Mapping[str, Json]) -> tuple[Mapping[str, Json | None], None]:
            count(other, ["a"])
            return {"a": {"count": 0, "at": now}}, None

        with pytest.raises(CoordinationError, match="kept changing"):
            store.update(["a"], change)
        assert counts(other, ["a"])[0]

    def test_a_key_of_another_kind_is_an_error(self, redis_server: RedisServer) -> None:
        with Redis.from_url(redis_server.address) as redis:
            redis.delete("{chattransfer}:list")
            redis.rpush("{chattransfer}:list", "x")
            with pytest.raises(CoordinationError, match=r"Redis at 127\.0\.0\.1"):
                RedisStore(redis_server.address).update(["list"], lambda now, _: ({"list": {"at": now}}, None))
            redis.delete("{chattransfer}:list")


class TestPostgres:
    @pytest.fixture(autouse=True)
    def emptied(self, postgres_server: PostgresServer) -> None:
        """Begin without a table."""
        postgres_server.empty()

    def test_many_processes_may_make_the_table(self, postgres_server: PostgresServer) -> None:
        count_in_processes(postgres_server.address, *[["a"]] * 4)
        assert counts(PostgresStore(postgres_server.address), ["a"]) == [4 * TIMES]

    def test_what_is_not_written_for_a_day_is_not_read_and_deleted(self, postgres_server: PostgresServer) -> None:
        count(PostgresStore(postgres_server.address), ["old", "young"])
        postgres_server.ask(
            "UPDATE chattransfer_coordination SET written_at = written_at - interval '25 hours' WHERE key = 'old'",
        )
        store = PostgresStore(postgres_server.address)
        assert counts(store, ["old", "young"]) == [None, 1]
        assert postgres_server.ask("SELECT key FROM chattransfer_coordination") == [("young",)]
        count(store, ["old"])
        assert counts(store, ["old"]) == [1]

    @pytest.mark.parametrize("setting", ["default_transaction_isolation = 'serializable'",
                                         "default_transaction_read_only = on"])  # fmt: skip
    def test_the_settings_of_a_user_change_nothing(self, postgres_server: PostgresServer, setting: str) -> None:
        postgres_server.ask(f"ALTER ROLE airflow SET {setting}")
        try:
            count_in_processes(postgres_server.address, *[["a"]] * 3)
        finally:
            postgres_server.ask("ALTER ROLE airflow RESET ALL")
        assert counts(PostgresStore(postgres_server.address), ["a"]) == [3 * TIMES]

    def test_a_user_without_rights_is_told_which(self, postgres_server: PostgresServer) -> None:
        postgres_server.ask("CREATE ROLE guest LOGIN PASSWORD 'guest'")
        try:
            guest = postgres_server.address.replace("airflow:postgres-pass%2Fword", "guest:guest")
            with pytest.raises(CoordinationError, match="may not use or create the table chattransfer_coordination"):
                count(PostgresStore(guest), ["a"])
            count(PostgresStore(postgres_server.address), ["a"])
            with pytest.raises(CoordinationError, match="may not use or create"):
                count(PostgresStore(guest), ["a"])
            postgres_server.ask("GRANT SELECT, INSERT, UPDATE, DELETE ON chattransfer_coordination TO guest")
            count(PostgresStore(guest), ["a"])
            assert counts(PostgresStore(postgres_server.address), ["a"]) == [2]
        finally:
            postgres_server.empty()
            postgres_server.ask("DROP ROLE guest")

    def test_a_document_that_is_locked_for_long_is_an_error_that_says_so(
        self, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = PostgresStore(postgres_server.address)
        count(store, ["a"])
        monkeypatch.setattr(postgres_store, "LOCK_SECONDS", 0.3)
        with closing(psycopg2.connect(postgres_server.address)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(%s, number) FROM generate_series(0, %s) AS number",
                [postgres_store.LOCK_SPACE, postgres_store.LOCKS],
            )
            with pytest.raises(CoordinationError, match="kept the documents locked"):
                count(store, ["a"])
        count(store, ["a"])
        assert counts(store, ["a"]) == [2]


class TestAnAddress:
    @pytest.mark.parametrize(
        "address",
        [
            "",
            "hush",
            "mysql://u:hush@host/db",
            "http://:hush@host",
            "redis://",
            "redis://:hush@",
            "redis://:hush@a:b",
            "redis://[:hush",
            "rediss://:hush@host?ssl_cert_reqs=none",
            "postgresql:hush",
            "postgresql://u:hush@ho st/db",
            "postgresql://u:hush@host:b/db?nonsense=1",
            "postgresql://u@host/db?password=hush",
            "postgresql://u@host/db?sslpassword=hush",
            "postgresql+asyncpg://u:hush@host/db",
            "postgresql://[:hush",
        ],
    )
    def test_what_is_no_address_of_a_store_is_refused_and_not_shown(self, address: str) -> None:
        with pytest.raises(ValueError, match=r"^must be (the|an) address") as error:
            open_store(address)
        assert "hush" not in "".join(traceback.format_exception(error.value)).replace("'hush'", "")
        assert len(str(error.value)) < 250

    @pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
    def test_a_postgres_may_be_called_as_others_call_it(self, postgres_server: PostgresServer, scheme: str) -> None:
        count(PostgresStore(postgres_server.address.replace("postgresql", scheme, 1)), [scheme])
        assert counts(PostgresStore(postgres_server.address), [scheme]) == [1]
