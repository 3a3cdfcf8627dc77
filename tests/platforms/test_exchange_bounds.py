# SPDX-License-Identifier: Apache-2.0
"""An exchange ends: in seconds, in bytes, and with a typed error that tells no secret, whatever the other side does."""

from __future__ import annotations

import gzip
import http.client
import logging
import socket
import threading
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_chattransfer.exceptions import (
    MAX_PAUSE_SECONDS,
    PlatformError,
    ResponseLostError,
    UnexpectedResponseError,
    UnreachableError,
)
from airflow_provider_chattransfer.platforms.log_filter import silence_http_logs
from airflow_provider_chattransfer.platforms.transport import NO_JSON, Request, Response, Transport

from ..sandbox.certificates import self_signed
from ..support.paces import open_pace
from .raw_server import OK, RawServer, Serve, dripping, hear, pouring, raw_server, saying

SECRET = "secretcode"
DEADLINE = 0.4
MUCH_LATER = 2.0
"""Seconds after which an exchange has certainly not met its deadline, on a busy machine."""

MEGABYTE = 10**6


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"))[0]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def ask(
    url: str,
    *,
    seconds: float = 5.0,
    megabytes: int = 1,
    attempts: int = 3,
    times: int = 1,
    ca_bundle: Path | None = None,
    **request: Any,
) -> Response:
    """Make a request that may be repeated; the last answer when it is made several times."""
    transport = Transport(
        pace=open_pace(),
        read_timeout=seconds,
        attempts=attempts,
        max_answer_megabytes=megabytes,
        ca_bundle=str(ca_bundle) if ca_bundle else None,
        sleep=lambda _: None,
    )
    whole = {"method": "asked", "url": f"{url}/rest/1/{SECRET}/asked", "repeatable": True, **request}
    try:
        for _ in range(times):
            response: Response = transport.send(Request(**whole), lambda response: response)
        return response
    finally:
        transport.close()


def answer(*lines: str, body: bytes = b"{}", status: str = "200 OK") -> Serve:
    """Answer with ``lines`` as headers, and ``body`` with its length."""
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines))
    return saying(head.encode("latin-1") + b"\r\n" + body)


def mute(connection: socket.socket) -> None:
    hear(connection)
    connection.recv(1)


def deaf(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    time.sleep(MUCH_LATER)


def nibbling(connection: socket.socket) -> None:
    """Read what is sent, a little at a time."""
    while connection.recv(2000):
        time.sleep(0.02)


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
WITHOUT_END: dict[str, Serve] = {
    "no answer": mute,
    "the status, letter by letter": dripping(b"HTTP/1.1 200 ", drop=b"O"),
    "100 Continue": dripping(drop=b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a header, letter by letter": dripping(OK, b"X-Long: ", drop=b"x"),
    "headers": dripping(OK, drop=b"X-More: x\r\n"),
    "a body, byte by byte": dripping(OK, b"Content-Length: 100000\r\n\r\n", drop=b" "),
    "a body without a length": dripping(OK, b"\r\n", drop=b" "),
    "chunks": dripping(CHUNKED, drop=b"1\r\n \r\n"),
    "the length of a chunk": dripping(CHUNKED, drop=b"0"),
    "trailers": dripping(CHUNKED, b"0\r\n", drop=b"X-More: x\r\n"),
    "gzip": dripping(OK, b"Content-Encoding: gzip\r\n\r\n", drop=gzip.compress(b" ")),
    "no reading": deaf,
    "slow reading": nibbling,
}
LARGE_REQUEST = {"json": "x" * 8 * MEGABYTE}
OVER_TLS = ["no answer", "headers", "a body, byte by byte", "no reading", "slow reading"]


class TestAnExchange:
    @pytest.mark.parametrize(
        ("habit", "scheme"), [*((habit, "http") for habit in WITHOUT_END), *((habit, "https") for habit in OVER_TLS)]
    )
    def test_an_exchange_is_over_at_its_deadline_whatever_comes_bit_by_bit(
        self, habit: str, scheme: str, certificate: Path
    ) -> None:
        more: dict[str, Any] = LARGE_REQUEST if habit.endswith("reading") else {}
        own = certificate if scheme == "https" else None
        begin = time.monotonic()
        with raw_server(WITHOUT_END[habit], certificate=own) as server, pytest.raises(ResponseLostError) as trouble:
            ask(server.url, seconds=DEADLINE, attempts=1, ca_bundle=own, **more)
        assert time.monotonic() - begin < MUCH_LATER
        assert str(trouble.value).endswith(" in time")

    def test_an_exchange_is_over_in_the_middle_of_a_handshake_with_nothing_carried_out(self, certificate: Path) -> None:
        def endless_hello(connection: socket.socket) -> None:
            connection.sendall(b"\x16\x03\x03\x40\x00")
            while True:
                connection.sendall(b"\x00")
                time.sleep(0.02)

        begin = time.monotonic()
        with raw_server(endless_hello) as server, pytest.raises(UnreachableError, match="no answer in time"):
            ask(server.url.replace("http:", "https:"), seconds=DEADLINE, attempts=1, ca_bundle=certificate)
        assert time.monotonic() - begin < MUCH_LATER

    @pytest.mark.parametrize("proxy_speaks", ["http", "https"])
    def test_an_exchange_is_over_in_the_middle_of_a_proxys_greeting_with_nothing_carried_out(
        self, proxy_speaks: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own = certificate if proxy_speaks == "https" else None
        begin = time.monotonic()
        with raw_server(dripping(b"HTTP/1.1 200 OK\r\n", drop=b"X-More: x\r\n"), certificate=own) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            with pytest.raises(UnreachableError):
                ask("https://portal.example.com", seconds=DEADLINE, attempts=1, ca_bundle=certificate)
            assert proxy.connections == 1
        assert time.monotonic() - begin < MUCH_LATER

    def test_an_exchange_goes_through_a_proxy_that_speaks_tls_itself(
        self, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with raw_server(answer(body=b"7"), certificate=certificate) as server:
            with raw_server(_tunnel, certificate=certificate) as proxy:
                monkeypatch.setenv("HTTPS_PROXY", proxy.url)
                assert ask(server.url, ca_bundle=certificate, attempts=1).body == 7
            assert (server.connections, proxy.connections) == (1, 1)

    def test_an_exchange_waits_for_no_address_of_a_host_longer_than_it_has_left(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            port = full.getsockname()[1]
            held = [_begun(port) for _ in range(3)]
            address = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))
            look_up = socket.getaddrinfo
            monkeypatch.setattr(
                socket,
                "getaddrinfo",
                lambda host, *rest, **more: [address] * 20 if host == "many" else look_up(host, *rest, **more),
            )
            begin = time.monotonic()
            with pytest.raises(UnreachableError):
                ask(f"http://many:{port}", seconds=DEADLINE, attempts=1)
            assert time.monotonic() - begin < MUCH_LATER
            for each in held:
                each.close()

    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize(
        "habit",
        [
            answer(body=b"[1]"),
            saying(CHUNKED, b"3\r\n[1]\r\n0\r\n\r\n"),
            answer("Content-Encoding: gzip", body=gzip.compress(b"[1]")),
        ],
        ids=["length", "chunks", "gzip"],
    )
    def test_an_exchange_that_is_over_leaves_its_connection_to_the_next(
        self, habit: Serve, scheme: str, certificate: Path
    ) -> None:
        own = certificate if scheme == "https" else None
        with raw_server(habit, certificate=own) as server:
            assert ask(server.url, ca_bundle=own, times=5).body == [1]
            assert server.connections == 1

    def test_an_exchange_that_fails_leaves_its_connection_to_nobody(self) -> None:
        with raw_server(dripping(OK, b"\r\n", drop=b" ")) as server, pytest.raises(ResponseLostError):
            ask(server.url, seconds=0.1, attempts=3)
        assert server.connections == 3


def _tunnel(connection: socket.socket) -> None:
    """Play the proxy's side of a tunnel, to the host that is asked for."""
    host, _, port = hear(connection).split()[1].decode().partition(":")
    with socket.create_connection((host, int(port))) as there:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        threading.Thread(target=_pass_on, args=[there, connection], daemon=True).start()
        _pass_on(connection, there)


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)


def _begun(port: int) -> socket.socket:
    """Return a connection that takes a place in the queue of a server that accepts none."""
    begun = socket.socket()
    begun.setblocking(False)
    with suppress(BlockingIOError):
        begun.connect(("127.0.0.1", port))
    return begun


def members(count: int) -> bytes:
    return gzip.compress(b" " * MEGABYTE) * count


TOO_LARGE: dict[str, Serve] = {
    "a body with its length": answer(body=b" " * (MEGABYTE + 1)),
    "a body without a length": pouring(OK, b"\r\n", drop=b" " * 65536),
    "chunks": pouring(CHUNKED, drop=b"1000\r\n" + b" " * 4096 + b"\r\n"),
    "trailers": pouring(CHUNKED, b"0\r\n", drop=b"X-More: x\r\n" * 400),
    "100 Continue": pouring(drop=b"HTTP/1.1 100 Continue\r\n\r\n" * 200),
    "gzip": answer("Content-Encoding: gzip", body=gzip.compress(b" " * 8 * MEGABYTE)),
    "gzip, in many members": answer("Content-Encoding: x-gzip", body=members(8)),
    "deflate": answer("Content-Encoding: Deflate", body=zlib.compress(b" " * 8 * MEGABYTE)),
    "a redirect's body": answer(
        "Location: /elsewhere",
        "Content-Encoding: gzip",
        body=gzip.compress(b" " * 8 * MEGABYTE),
        status="302 Found",
    ),
    "a gateway's page": answer("Content-Encoding: gzip", body=gzip.compress(b" " * 8 * MEGABYTE), status="502 Bad"),
}


class TestAnAnswer:
    @pytest.mark.parametrize("what", TOO_LARGE)
    def test_an_answer_that_is_too_large_is_not_understood_and_not_asked_for_again(self, what: str) -> None:
        with raw_server(TOO_LARGE[what]) as server, pytest.raises(UnexpectedResponseError) as trouble:
            ask(server.url)
        assert "more than 1 MB, which is what max_answer_megabytes of the connection allows" in str(trouble.value)
        assert server.connections == 1

    def test_an_answer_whose_chunk_has_a_length_without_end_ends_as_urllib3_has_it_or_as_too_large(self) -> None:
        with (
            raw_server(pouring(CHUNKED, drop=b"0" * 4096)) as server,
            pytest.raises((ResponseLostError, UnexpectedResponseError)),
        ):
            ask(server.url, attempts=1)

    def test_an_answer_is_taken_when_it_is_as_large_as_allowed(self) -> None:
        body = b"1".rjust(MEGABYTE)
        with raw_server(answer("Content-Encoding: gzip", body=gzip.compress(body))) as server:
            assert ask(server.url).body == 1

    def test_an_answer_takes_no_more_memory_than_it_may_be_large(self) -> None:
        bomb = gzip.compress(b" " * 100 * MEGABYTE)
        with raw_server(answer("Content-Encoding: gzip", body=bomb)) as server:
            tracemalloc.start()
            try:
                with pytest.raises(UnexpectedResponseError):
                    ask(server.url, megabytes=4)
                assert tracemalloc.get_traced_memory()[1] < 10 * MEGABYTE
            finally:
                tracemalloc.stop()


JSON_TEXTS: dict[str, tuple[bytes, Any]] = {
    "a byte order mark": (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
    "nothing": (b"", NO_JSON),
    "nested deeply": (b"[" * 10_000 + b"]" * 10_000, NO_JSON),
    "nested deeply, as objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, NO_JSON),
    "NaN": (b'{"a": NaN}', NO_JSON),
    "Infinity": (b'{"a": -Infinity}', NO_JSON),
    "a number beyond all floats": (b'{"a": 1e999}', NO_JSON),
    "a number of 5,000 digits": (b"[" + b"9" * 5000 + b"]", NO_JSON),
    "a fraction of 5,000 digits": (b"[0." + b"1" * 5000 + b"]", [1 / 9]),
    "no UTF-8": (b'{"a": "\xff"}', NO_JSON),
    "half of a pair in UTF-8": (b'{"a": "\xed\xa0\x80"}', NO_JSON),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), NO_JSON),
    "more after it": (b"{} {}", NO_JSON),
    "a page": (b"<html>", NO_JSON),
}
DAMAGED: dict[str, Serve] = {
    "JSON that is cut off": answer("Content-Type: application/json", body=b'{"a": [1, 2'),
    "half of a pair": answer("Content-Type: application/json", body=b'"\\ud800"'),
    "shorter than its length": saying(OK, b"Content-Length: 100\r\n\r\n{}", closing=True),
    "two lengths": answer("Content-Length: 7"),
    "a length that is none": saying(OK, b"Content-Length: five\r\nConnection: close\r\n\r\n{", closing=True),
    "a negative length": saying(OK, b"Content-Length: -5\r\n\r\n{", closing=True),
    "a chunk's length that is none": saying(CHUNKED, b"xyz\r\n{}\r\n0\r\n\r\n", closing=True),
    "a negative chunk": saying(CHUNKED, b"-5\r\n{}\r\n0\r\n\r\n", closing=True),
    "chunks that are cut off": saying(CHUNKED, b"a\r\n{}", closing=True),
    "gzip that is cut off": answer("Content-Encoding: gzip", body=gzip.compress(b"{}" * 999)[:-9]),
    "gzip that is none": answer("Content-Encoding: gzip", body=b"{}"),
    "an encoding of a thousand layers": answer("Content-Encoding: " + "gzip, " * 1000 + "gzip"),
    "a header without end": saying(OK, b"X-Long: " + b"x" * 70_000, closing=True),
    "a thousand headers": saying(OK, b"X-More: x\r\n" * 1000 + b"\r\n", closing=True),
    "no HTTP": saying(b"220 smtp.example.com ESMTP\r\n", closing=True),
    "a status that is none": saying(b"HTTP/1.1 abc OK\r\n\r\n", closing=True),
    "another version": saying(b"HTTP/9.9 200 OK\r\n\r\n", closing=True),
    "nothing at all": saying(closing=True),
}
HEADERS: dict[str, tuple[str, ...]] = {
    "an encoding that nobody asked for": ("Content-Encoding: br",),
    "a line that is no header": ("garbage", "X: y"),
    "a header without a name": (": nobody",),
    "a charset that is none": ("Content-Type: application/json; charset=\xff\x00nonsense",),
    "a cookie of the far future": ("Set-Cookie: a=b; expires=Mon, 01 Jan 99999999999 00:00:00 GMT; max-age=1e999",),
    "a location that is no address": ("Location: http://[::1", "Location: http://x:99999999/"),
    "a location of 60,000 letters": ("Location: https://" + "x" * 60_000,),
}


class TestABody:
    @pytest.mark.parametrize("what", JSON_TEXTS)
    def test_a_body_is_a_value_or_no_json(self, what: str) -> None:
        text, value = JSON_TEXTS[what]
        with raw_server(answer("Content-Type: application/json", body=text)) as server:
            body = ask(server.url).body
        assert body is value if value is NO_JSON else body == value

    @pytest.mark.parametrize("what", DAMAGED)
    def test_a_body_that_is_damaged_is_interrupted_and_asked_for_again(self, what: str) -> None:
        with raw_server(DAMAGED[what]) as server, pytest.raises(ResponseLostError) as trouble:
            ask(server.url, attempts=2)
        assert SECRET not in str(trouble.value)

    @pytest.mark.parametrize("what", HEADERS)
    @pytest.mark.parametrize("status", ["200 OK", "302 Found"])
    def test_a_body_is_read_whatever_else_the_headers_say(self, what: str, status: str) -> None:
        with raw_server(answer(*HEADERS[what], body=b"7", status=status)) as server:
            response = ask(server.url)
        assert (response.status, response.body) == (int(status[:3]), 7)

    def test_a_body_of_an_answer_that_has_none_spoils_no_other(self) -> None:
        with raw_server(saying(b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n[1]")) as server:
            assert [ask(server.url, times=n).status for n in (1, 2, 3)] == [204] * 3

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.binary(max_size=200), st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 ", OK, CHUNKED, OK + b"\r\n"]))
    def test_a_body_of_any_bytes_is_an_answer_or_a_typed_error(
        self, anything: RawBytes, noise: bytes, begin: bytes
    ) -> None:
        anything.bytes = begin + noise
        with suppress(PlatformError):
            ask(anything.server.url, attempts=1)


class RawBytes:
    """A server that answers with these bytes, and closes."""

    server: RawServer
    bytes = b""

    def serve(self, connection: socket.socket) -> None:
        hear(connection)
        connection.sendall(self.bytes)


@pytest.fixture
def anything() -> Iterator[RawBytes]:
    bare = RawBytes()
    with raw_server(bare.serve) as bare.server:
        yield bare


HINTS = {
    "7": 7.0,
    " 7 ": 7.0,
    "1.5": 1.5,
    "0": 0.0,
    "99999999": MAX_PAUSE_SECONDS,
    "9" * 5000: MAX_PAUSE_SECONDS,
    "nan": None,
    "inf": None,
    "1e300": None,
    "-5": None,
    "1_0": None,
    "": None,
    "Sat, 21 Nov 2026 21:00:00 GMT": None,
}
DATES = [
    "Mon, 01 Jan 99999999999 00:00:00 GMT",
    "Mon, 01 Jan 9999 00:00:00 GMT",
    "Mon, 01 Jan 0001 00:00:00 GMT",
    "Mon, 99 Jan 2026 99:99:99 GMT",
    "Mon, 01 Jan 2026 00:00:00 +99999999999",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "nonsense",
    "",
    "9" * 5000,
]


class TestAHeader:
    @pytest.mark.parametrize("value", HINTS, ids=lambda value: value[:10])
    def test_a_header_that_tells_when_to_come_again_is_a_time_of_a_day_at_most_or_unknown(self, value: str) -> None:
        with raw_server(answer(f"Retry-After: {value}")) as server:
            assert ask(server.url).retry_after == HINTS[value]

    @pytest.mark.parametrize("date", DATES, ids=lambda date: date[:20])
    def test_a_header_that_dates_an_answer_beyond_all_clocks_tells_nothing(self, date: str) -> None:
        assert _clock_ahead(date) == 0.0

    @pytest.mark.parametrize("zone", ["GMT", "-0000", "+0000", ""])
    def test_a_header_that_dates_an_answer_is_read_as_universal_time(self, zone: str, in_the_east: None) -> None:
        written = time.strftime("%a, %d %b %Y %H:%M:%S", time.gmtime(time.time() + 100))
        assert _clock_ahead(f"{written} {zone}") == pytest.approx(100, abs=10)


@pytest.fixture
def in_the_east() -> Iterator[None]:
    """Yield this machine in a zone of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


def _clock_ahead(date: str) -> float:
    transport = Transport(pace=open_pace(), read_timeout=5.0)
    with raw_server(answer(f"Date: {date}")) as server:
        transport.send(Request(method="asked", url=server.url), lambda response: response)
    transport.close()
    return transport.clock_ahead


LOGGERS = ["urllib3", "urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry", "requests", "http.client"]
LOGGERS += ["charset_normalizer", "urllib3.made.later", "py.warnings"]


class Kept(logging.Handler):
    """A handler that keeps whatever it is given."""

    def __init__(self) -> None:
        super().__init__(level=0)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@contextmanager
def listening(*names: str | None) -> Iterator[list[str]]:
    """Yield what is logged, as handlers at these loggers get it; each takes every level."""
    kept = Kept()
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.setLevel(1)
        logger.addHandler(kept)
    try:
        yield kept.texts
    finally:
        for logger, (level, _) in zip(loggers, before, strict=True):
            logger.setLevel(level)
            logger.removeHandler(kept)


class TestALibrary:
    @pytest.mark.parametrize("name", LOGGERS)
    @pytest.mark.parametrize("at", ["the root", "the logger itself"])
    def test_logs_nothing_while_an_exchange_is_under_way(self, name: str, at: str) -> None:
        with listening(None if at == "the root" else name) as texts:
            with silence_http_logs():
                logging.getLogger(name).critical("%s", SECRET, stack_info=True)
            assert texts == []
            logging.getLogger(name).critical("after it")
            assert texts == ["after it"]

    def test_a_library_is_held_back_also_when_somebody_has_set_another_factory_of_records(self) -> None:
        before = logging.getLogRecordFactory()
        try:
            logging.setLogRecordFactory(logging.LogRecord)
            with listening(None) as texts, silence_http_logs():
                logging.getLogger("urllib3.connection").warning(SECRET)
            assert texts == []
        finally:
            logging.setLogRecordFactory(before)

    def test_a_library_is_not_held_back_for_others(self) -> None:
        def elsewhere() -> None:
            logging.getLogger("urllib3.connection").warning("another thread's")

        thread = threading.Thread(target=elsewhere)
        with listening(None) as texts, silence_http_logs():
            thread.start()
            thread.join()
            logging.getLogger("airflow.task").warning("the task's")
        assert texts == ["another thread's", "the task's"]

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_a_library_tells_no_address_when_a_header_is_malformed(self, scheme: str, certificate: Path) -> None:
        own = certificate if scheme == "https" else None
        with raw_server(answer("garbage", "X: y"), certificate=own) as server:
            names = [None, *(name for name in logging.root.manager.loggerDict if name.startswith("urllib3"))]
            with listening(*names) as texts:
                ask(server.url, ca_bundle=own)
                assert not [text for text in texts if "asked: HTTP 200" not in text]
                with suppress(requests.RequestException):
                    requests.get(f"{server.url}/{SECRET}", timeout=5, verify=str(certificate))
                assert [text for text in texts if SECRET in text], "or the test would show nothing"

    def test_prints_nothing_where_somebody_debugs_http(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
        with raw_server(answer()) as server:
            ask(server.url)
        told = capfd.readouterr()
        assert SECRET not in told.out + told.err

    def test_warns_into_no_log(self) -> None:
        logging.captureWarnings(True)
        try:
            with listening(None) as texts, silence_http_logs(), warnings.catch_warnings():
                warnings.simplefilter("always")
                logging.captureWarnings(True)
                warnings.warn(SECRET, stacklevel=1)
            assert texts == []
        finally:
            logging.captureWarnings(False)
