# SPDX-License-Identifier: Apache-2.0
"""What an administrator asks without the UI: whether a connection works, and for the bot that transfers need."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_chattransfer.__main__ import main
from airflow_provider_chattransfer.hooks import base, settings
from airflow_provider_chattransfer.hooks.base import ChatPlatformHook
from airflow_provider_chattransfer.hooks.connections import get_connection
from airflow_provider_chattransfer.hooks.dispatch import hook_for

from ..support.ways_of_signing_in import WAYS, Way
from .conftest import Sandbox

TEN_SECONDS = 10.0
Connect = Callable[..., None]


@pytest.fixture
def connect(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Make the connection ``mine``."""

    def connect(connection: dict[str, Any]) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(connection))

    return connect


def webhook(url: str, **fields: Any) -> dict[str, Any]:
    """Return a connection to the sandbox's portal."""
    extra = {"bot_client_id": "chattransfer", "requests_per_second": 1000, "burst": 1000}
    return {"conn_type": "bitrix24", "host": url, "login": "1", "password": "secretcode", "extra": extra, **fields}


class TestTestConnection:
    @pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
    def test_test_connection_says_what_a_connection_is_let_do(
        self, sandbox: Sandbox, connect: Connect, capsys: pytest.CaptureFixture[str], way: Way
    ) -> None:
        sandbox.reset(**{service: dict(settings) for service, settings in way.settings.items()})
        connect(way.connection(sandbox.url))
        assert main(["test-connection", "mine"]) == 0
        told = capsys.readouterr().out
        assert told.splitlines()[-1].startswith("Signed in to ")
        assert [secret for secret in way.secrets() if secret in told] == []

    def test_test_connection_fails_with_what_is_wrong(
        self, sandbox: Sandbox, connect: Connect, capsys: pytest.CaptureFixture[str]
    ) -> None:
        connect(webhook(sandbox.url, password="anothercode"))
        assert main(["test-connection", "mine"]) == 1
        captured = capsys.readouterr()
        assert "INVALID_CREDENTIALS" in captured.err
        assert "anothercode" not in captured.err + captured.out

    @pytest.mark.parametrize("command", ["test-connection", "register-bot"])
    def test_test_connection_of_a_mistyped_id_says_so(
        self, sandbox: Sandbox, capsys: pytest.CaptureFixture[str], command: str
    ) -> None:
        assert main([command, "bitrix24_defolt"]) == 1
        assert "there is no connection 'bitrix24_defolt'" in capsys.readouterr().err

    @pytest.mark.parametrize("command", ["test-connection", "register-bot"])
    def test_test_connection_of_another_type_says_so(
        self, connect: Connect, capsys: pytest.CaptureFixture[str], command: str
    ) -> None:
        connect({"conn_type": "http", "host": "https://hush:hush@example.com", "password": "hush"})
        assert main([command, "mine"]) == 1
        told = capsys.readouterr().err
        assert "is of type 'http'; chats can be moved on bitrix24 and superoffice" in told
        assert "hush" not in told

    def test_test_connection_is_a_command(self, sandbox: Sandbox) -> None:
        done = command("test-connection", "bitrix24_default")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Signed in to 127.0.0.1")

    def test_test_connection_finds_a_connection_that_was_saved_in_the_form(self, sandbox: Sandbox) -> None:
        from airflow.configuration import conf
        from airflow.models.connection import Connection
        from airflow.utils.session import create_session

        saved = Connection(
            conn_id="saved", uri=None, **{**webhook(sandbox.url), "extra": {"bot_client_id": "chattransfer"}}
        )
        with create_session() as session:
            session.add(saved)
        try:
            done = command("test-connection", "saved", AIRFLOW__CORE__FERNET_KEY=conf.get("core", "fernet_key"))
            assert "Signed in to 127.0.0.1" in done.stdout, done
        finally:
            with create_session() as session:
                session.query(Connection).filter_by(conn_id="saved").delete()

    @pytest.mark.parametrize("arguments", [[], ["test-connection"], ["explode", "mine"]])
    def test_explains_itself(self, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
        with pytest.raises(SystemExit) as exit_code:
            main(arguments)
        assert exit_code.value.code == 2
        assert "usage: python -m airflow_provider_chattransfer" in capsys.readouterr().err


class TestRegisterBot:
    def test_registers_it_once(self, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
        sandbox.reset(bitrix24={"bots": []})
        arguments = ["register-bot", "bitrix24_default", "--name", "Shift change"]
        assert main(arguments) == 0
        first = capsys.readouterr().out
        assert "The bot chattransfer is registered now" in first
        assert main(arguments) == 0
        assert capsys.readouterr().out == first.replace("is registered now", "was there already, and is as it was")

    def test_register_bot_says_what_the_portal_refuses(
        self, sandbox: Sandbox, connect: Connect, capsys: pytest.CaptureFixture[str]
    ) -> None:
        sandbox.reset(bitrix24={"webhooks": [{"user": 1, "code": "secretcode", "scopes": ["imopenlines"]}]})
        assert main(["register-bot", "bitrix24_default"]) == 1
        assert "imbot" in capsys.readouterr().err

    def test_register_bot_is_not_for_superoffice(self, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["register-bot", "superoffice_default"]) == 1
        assert "not of type 'bitrix24'" in capsys.readouterr().err


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Yield the address of a server that treats each connection by ``serve``. In the end it hangs up on everybody."""
    accepted: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                accepted.append(listener.accept()[0])
                threading.Thread(target=serve, args=(accepted[-1],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            for one in (listener, *accepted):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


def silent(one: socket.socket) -> None:
    """Never answers."""
    with one, suppress(OSError):
        while one.recv(65536):
            pass


def slowly(head: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    """Answers ``head``, and then ``piece`` after ``piece``, each soon enough not to be given up."""

    def serve(one: socket.socket) -> None:
        with one, suppress(OSError):
            one.recv(65536)
            one.sendall(head)
            for _ in range(999):
                one.sendall(piece)
                time.sleep(0.05)

    return serve


SERVERS = {
    "silent": silent,
    "dripping": slowly(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n", b" "),
    "chattering": slowly(b"HTTP/1.1 200 OK\r\n", b"X-Again: 1\r\n"),
}

CONNECTIONS: dict[str, Callable[[str], dict[str, Any]]] = {
    "bitrix24": webhook,
    "oauth": lambda url: {
        "conn_type": "bitrix24",
        "host": "https://portal.invalid",
        "extra": {
            "oauth_client_id": "app",
            "oauth_client_secret": "hushhush",
            "oauth_refresh_token": f"hushhush{time.time_ns()}",
            "oauth_host": url,
        },
    },
    "superoffice": lambda url: {"conn_type": "superoffice", "host": url, "login": "x", "password": "hushhush"},
}


class TestTheButton:
    """Answers below ten seconds, whatever the service does; never raises, and tells no secret."""

    @pytest.mark.parametrize("kind", CONNECTIONS)
    @pytest.mark.parametrize("server", SERVERS)
    def test_the_button_does_not_wait_for_a_server_that_does_not_answer(
        self, connect: Connect, monkeypatch: pytest.MonkeyPatch, server: str, kind: str
    ) -> None:
        monkeypatch.setattr(base, "MAX_TEST_SECONDS", 0.3)
        with listening(SERVERS[server]) as url:
            connect(CONNECTIONS[kind](url))
            assert pressed() == (False, "No answer of the service within 0 seconds.")

    def test_the_button_ends_in_time(self) -> None:
        assert settings.FAIL_FAST_TIMEOUT_SECONDS < base.MAX_TEST_SECONDS < TEN_SECONDS - 1

    @pytest.mark.parametrize("kind", CONNECTIONS)
    def test_the_button_gives_up_by_itself_on_one_that_is_silent(
        self, connect: Connect, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        monkeypatch.setattr(settings, "FAIL_FAST_TIMEOUT_SECONDS", 0.5)
        with listening(silent) as url:
            connect(CONNECTIONS[kind](url))
            good, told = pressed()
        assert not good
        assert "answer" in told
        assert "hush" not in told

    def test_the_button_does_not_wait_for_a_name_that_is_not_found(
        self, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        over = threading.Event()

        def slow(*_: object, **__: object) -> None:
            over.wait(30)
            raise socket.gaierror

        monkeypatch.setattr(base, "MAX_TEST_SECONDS", 0.3)
        connect(webhook("https://portal.invalid"))
        monkeypatch.setattr(socket, "getaddrinfo", slow)
        good, told = pressed()
        over.set()
        assert (good, told) == (False, "No answer of the service within 0 seconds.")

    @pytest.mark.parametrize("error", [RuntimeError("hushhush"), KeyError("hushhush"), OSError("hushhush")])
    def test_raises_nothing(
        self, sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise error

        connect(webhook(sandbox.url))
        hook = hook_for(get_connection("mine"))
        monkeypatch.setattr(hook, "platform", broken)
        good, told = hook("mine").test_connection()
        assert (good, told) == (False, f"The connection could not be tested: {type(error).__name__}")

    def test_the_button_names_no_connection_but_the_field(self, sandbox: Sandbox, connect: Connect) -> None:
        connect(webhook(sandbox.url, login=""))
        good, told = pressed()
        assert not good
        assert told.startswith("Webhook: user id (login): "), (
            "Airflow tests under an id of its own, which means nothing to anybody"
        )

    def test_the_button_works_on_a_worker_as_airflow_3_3_lets_it(
        self, sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        supervisor: Any = pytest.importorskip("airflow.sdk.execution_time.connection_test_supervisor")
        answers: list[tuple[Any, ...]] = []
        saved = webhook(sandbox.url)
        given = SimpleNamespace(
            conn_id="given", schema_=None, port=None, **{**saved, "extra": json.dumps(saved["extra"])}
        )
        tests = SimpleNamespace(
            get_connection=lambda _: given, update_state=lambda _, state, told: answers.append((state.value, told))
        )
        monkeypatch.setattr(supervisor, "Client", lambda **_: SimpleNamespace(connection_tests=tests))
        supervisor.supervise_connection_test(
            connection_test_id="1", connection_id="given", timeout=10, token="", server="http://127.0.0.1"
        )
        ((state, told),) = answers
        assert (state, told.partition(" ")[0]) == ("success", "Signed"), told


def pressed() -> tuple[bool, str]:
    """Return what the button says, in time."""
    began = time.monotonic()
    hook: ChatPlatformHook = hook_for(get_connection("mine"))("mine")
    result = hook.test_connection()
    assert time.monotonic() - began < TEN_SECONDS
    return result


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a shell would."""
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "airflow_provider_chattransfer", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
