# SPDX-License-Identifier: Apache-2.0
"""Certificates of one's own, proxies, and redirects, on a real network of this machine."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_chattransfer.exceptions import UnreachableError
from airflow_provider_chattransfer.platforms.transport import Request, Response, Transport
from airflow_provider_chattransfer.sandbox.server import SandboxServer

from ..sandbox.certificates import self_signed
from ..support.paces import open_pace
from .conftest import Script, Scripted


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """Return the certificate that the portal has, and that nobody else knows."""
    return self_signed(tmp_path)[0]


@pytest.fixture
def portal(authority: Path) -> Iterator[str]:
    """Yield the address of a sandbox that speaks https with it."""
    with SandboxServer(certificate=authority, key=authority.with_name("key.pem")) as server:
        yield server.url


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def ask(url: str, *, verb: str = "GET", ca_bundle: Path | None = None) -> Response:
    """Make one request of the sandbox."""
    transport = Transport(pace=open_pace(), read_timeout=5, attempts=1, ca_bundle=str(ca_bundle) if ca_bundle else None)
    try:
        request = Request(method="asked", url=f"{url}/sandbox/state", verb=verb)
        response: Response = transport.send(request, lambda response: response)
        return response
    finally:
        transport.close()


class TestAnAuthorityOfOnesOwn:
    def test_an_authority_of_ones_own_is_trusted_where_the_connection_names_it(
        self, portal: str, authority: Path
    ) -> None:
        assert ask(portal, ca_bundle=authority).status == 200

    def test_an_authority_of_ones_own_is_trusted_where_the_environment_names_it(
        self, portal: str, authority: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
        assert ask(portal).status == 200

    def test_an_authority_of_ones_own_of_the_connection_wins_over_that_of_the_environment(
        self, portal: str, authority: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "other").mkdir()
        other, _ = self_signed(tmp_path / "other")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
        assert ask(portal, ca_bundle=authority).status == 200
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
        with pytest.raises(UnreachableError):
            ask(portal, ca_bundle=other)

    def test_an_authority_of_ones_own_that_nobody_named_is_told_with_what_to_set(self, portal: str) -> None:
        with pytest.raises(UnreachableError, match=r"certificate cannot be verified; .* ca_bundle of the connection"):
            ask(portal)

    def test_an_authority_of_ones_own_in_a_file_that_holds_no_certificate_is_told(
        self, portal: str, tmp_path: Path
    ) -> None:
        (tmp_path / "empty.pem").write_text("nothing")
        with pytest.raises(UnreachableError, match="no certificates to trust in the file that ca_bundle"):
            ask(portal, ca_bundle=tmp_path / "empty.pem")

    def test_an_authority_of_ones_own_in_a_file_that_is_gone_is_told(
        self, portal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(UnreachableError, match="no certificates to trust in the file that ca_bundle"):
            ask(portal, ca_bundle=tmp_path / "gone.pem")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))
        with pytest.raises(UnreachableError, match="or REQUESTS_CA_BUNDLE"):
            ask(portal)


class Proxy:
    """A proxy that makes tunnels, and notes to where; or that lets nobody through."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer = 200
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://someone:hushhush@127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            disable_nagle_algorithm = True

            def do_CONNECT(self) -> None:
                proxy.asked.append(self.path)
                self.send_response(proxy.answer)
                self.end_headers()
                if proxy.answer == 200:
                    host, _, port = self.path.rpartition(":")
                    with socket.create_connection((host, int(port))) as there, suppress(OSError):
                        _join(self.connection, there)
                self.close_connection = True

            def do_GET(self) -> None:
                proxy.asked.append(self.path)
                self.send_error(502)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        return Handler


def _join(one: socket.socket, other: socket.socket) -> None:
    """Pass on what either says, until one has nothing more to say."""
    while True:
        for ready in select.select([one, other], [], [])[0]:
            data = ready.recv(65536)
            if not data:
                return
            (other if ready is one else one).sendall(data)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as proxy:
        yield proxy


class TestAProxy:
    def test_a_proxy_of_the_environment_is_used(
        self, portal: str, authority: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert ask(portal, ca_bundle=authority).status == 200
        assert proxy.asked == [portal.partition("://")[2]], "a tunnel, in which it reads nothing"

    def test_a_proxy_is_not_used_for_what_no_proxy_names(
        self, portal: str, authority: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert ask(portal, ca_bundle=authority).status == 200
        assert proxy.asked == []

    def test_a_proxy_that_lets_nobody_through_is_told_without_its_password(
        self, portal: str, authority: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        proxy.answer = 407
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(UnreachableError, match="the proxy does not let us through; see HTTPS_PROXY") as trouble:
            ask(portal, ca_bundle=authority)
        assert "hushhush" not in str(trouble.value)
        assert trouble.value.__context__ is None

    def test_never_sees_plain_http_which_is_for_this_machine(
        self, sandbox_server: SandboxServer, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        assert ask(sandbox_server.url).status == 200
        assert proxy.asked == []


class TestARedirect:
    @pytest.mark.parametrize("verb", ["GET", "POST"])
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_followed_by_no_request(
        self, script: Script, sandbox_server: SandboxServer, verb: str, status: int
    ) -> None:
        script.play(Scripted(status, b"", {"Location": f"{sandbox_server.url}/sandbox/state"}))
        response = ask(script.url, verb=verb)
        assert (response.status, len(script.heard)) == (status, 1)
        assert "sandbox/state" not in repr(response)
