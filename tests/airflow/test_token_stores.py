# SPDX-License-Identifier: Apache-2.0
"""Where tokens are kept, with a real Airflow database, real processes, and refresh tokens that work once."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import requests
from airflow.configuration import conf
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_chattransfer.exceptions import CredentialsError, PlatformError, TokenStoreError
from airflow_provider_chattransfer.hooks.dispatch import open_platform
from airflow_provider_chattransfer.hooks.token_stores import VARIABLE_PREFIX, VariableStore
from airflow_provider_chattransfer.platforms.tokens import manager, redis_store
from airflow_provider_chattransfer.platforms.tokens.manager import Entry
from airflow_provider_chattransfer.sandbox import sandbox as sandbox_module
from airflow_provider_chattransfer.sandbox.service import HttpRequest, Service

from ..support.redis_server import RedisServer
from .conftest import Sandbox, a_dag, run

CHAT = "101"
STORES = ["variable", "file", "redis"]
PATIENCE = 60


@functools.cache
def fresh_processes() -> ForkServerContext:
    """Start processes that share nothing with this one: Airflow is imported once, in a process that they fork from.

    That one sees Airflow's database, as the API server does, and has neither threads nor connections.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    key = conf.get("core", "fernet_key")
    with patch.dict(os.environ, {"_AIRFLOW_PROCESS_CONTEXT": "server", "AIRFLOW__CORE__FERNET_KEY": key}):
        forkserver.ensure_running()
    return context


def serve(connection: Connection, app: str) -> None:
    """Read in another process whenever it is told to, and report what was read, or the error."""
    os.environ["AIRFLOW_CONN_APP"] = app
    redis_store.LEASE_SECONDS = 2.0
    platform = open_platform("app")
    connection.send("ready")
    with suppress(EOFError):
        while connection.recv():
            try:
                connection.send(str(sorted(platform.read_chats([CHAT]))))
            except PlatformError as error:
                connection.send(str(error))


class App:
    """An OAuth application of the sandbox with a refresh token of its own, and Airflow's connection ``app`` for it."""

    def __init__(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, store: dict[str, str]) -> None:
        self.sandbox = sandbox
        self.refresh_token = f"refresh{time.time_ns()}"
        self.asked: list[str] = []
        self._monkeypatch = monkeypatch
        self._store = store
        count = sandbox_module.Sandbox.count

        def record(sandbox: sandbox_module.Sandbox, service: Service, call: HttpRequest) -> None:
            self.asked.append(call.path.strip("/"))
            count(sandbox, service, call)

        monkeypatch.setattr(sandbox_module.Sandbox, "count", record)
        monkeypatch.setattr(manager, "CONCURRENT_SAVE_SECONDS", 0.3)
        self.connect()
        self.start_anew()

    def connect(self, **extra: str) -> None:
        """Let the connection have these fields as well."""
        app = {
            "oauth_client_id": "local.chattransfer",
            "oauth_client_secret": "appsecret",
            "oauth_refresh_token": self.refresh_token,
            "oauth_host": self.sandbox.url,
        }
        connection = {"conn_type": "bitrix24", "host": self.sandbox.url, "extra": {**app, **self._store, **extra}}
        self._monkeypatch.setenv("AIRFLOW_CONN_APP", json.dumps(connection))

    def start_anew(self) -> None:
        """Let the service know nothing of earlier tokens."""
        self.sandbox.reset(
            bitrix24={"apps": [{"client_id": "local.chattransfer", "refresh_token": self.refresh_token}]}
        )

    @property
    def tokens_asked_for(self) -> int:
        return self.asked.count("oauth/token")

    def has_struck(self) -> bool:
        """Whether a fault has struck."""
        faults = requests.get(f"{self.sandbox.url}/sandbox/faults", timeout=10).json()["faults"]
        return any(fault["struck"] for fault in faults)

    def let_tokens_expire(self) -> None:
        self.sandbox.server.sandbox.clock.skip(3601)

    def read(self) -> list[str]:
        """Return what this process reads, as a new one would."""
        with open_platform("app") as platform:
            return sorted(platform.read_chats([CHAT]))


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Return the fields of a connection that choose a store."""
    match request.param:
        case "file":
            return {"token_store": "file", "token_store_at": str(tmp_path)}
        case "redis":
            server: RedisServer = request.getfixturevalue("redis_server")
            return {"token_store": "redis", "token_store_at": server.address}
    return {}


@pytest.fixture
def app(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, store: dict[str, str]) -> App:
    return App(sandbox, monkeypatch, store)


@pytest.fixture
def app_with_variables(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> App:
    return App(sandbox, monkeypatch, {})


class Process:
    """Another process with Airflow, which reads when it is told to."""

    def __init__(self) -> None:
        context = fresh_processes()
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, os.environ["AIRFLOW_CONN_APP"]), daemon=True)
        self._process.start()
        theirs.close()

    def answer(self) -> str:
        """Return what it has read, or the trouble that it met."""
        return str(self._ours.recv())

    def read(self) -> None:
        self._ours.send(True)

    def kill(self) -> None:
        self._process.kill()
        self._process.join(10)


@contextmanager
def processes(number: int) -> Iterator[list[Process]]:
    """So many processes, ready to read."""
    started = [Process() for _ in range(number)]
    try:
        assert [each.answer() for each in started] == ["ready"] * number
        yield started
    finally:
        for each in started:
            each.kill()


class TestProcessesThatRefreshAtTheSameMoment:
    def test_processes_that_refresh_at_the_same_moment_end_with_one_valid_token(self, app: App) -> None:
        with processes(2) as started:
            for expected in (1, 2):
                for each in started:
                    each.read()
                assert [each.answer() for each in started] == [f"['{CHAT}']"] * 2
                assert app.tokens_asked_for == expected
                app.let_tokens_expire()
        assert app.read() == [CHAT], "what was saved last is good"
        assert app.tokens_asked_for == 3


class TestAProcessThatIsKilled:
    def test_a_process_that_is_killed_before_the_service_has_answered_is_survived(self, app: App) -> None:
        self.kill_while(app, "hang_before")
        assert app.read() == [CHAT]

    def test_between_refresh_and_save_is_told_with_what_to_do(self, app: App) -> None:
        self.kill_while(app, "hang_after")
        for _ in range(2):
            with pytest.raises(
                CredentialsError, match=r"the new one is lost\. Sign in anew, and put the new"
            ) as trouble:
                app.read()
            assert app.refresh_token not in str(trouble.value)

    def test_a_process_that_is_killed_after_which_a_new_token_in_the_connection_helps(self, app: App) -> None:
        self.kill_while(app, "hang_after")
        app.refresh_token += "new"
        app.connect()
        app.start_anew()
        assert app.read() == [CHAT]

    def kill_while(self, app: App, fault: str) -> None:
        """Kill a process while the service does not answer its request for a token."""
        with processes(1) as (process,):
            app.sandbox.fault(kind=fault, method="oauth.token")
            process.read()
            wait_until(app.has_struck)
            process.kill()


class TestAChoice:
    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"token_store": "vault"}, "token_store: 'vault' is none of variable, file, redis"),
            ({"token_store": "variable", "token_store_at": "/tokens"}, "token_store_at: is for"),
            ({"token_store": "file"}, "token_store_at: must be the whole path"),
            ({"token_store": "file", "token_store_at": "tokens"}, "token_store_at: must be the whole path"),
            ({"token_store": "redis"}, "token_store_at: must be an address"),
            ({"token_store": "redis", "token_store_at": "http://:hush@redis"}, "token_store_at: must be an address"),
            ({"token_store": "redis", "token_store_at": "redis://:hush@"}, "token_store_at: must be an address"),
            ({"token_store": "redis", "token_store_at": "redis://:hush@a:b"}, "token_store_at: must be an address"),
            ({"token_store": "redis", "token_store_at": "redis://[:hush"}, "token_store_at: must be an address"),
            (
                {"token_store": "redis", "token_store_at": "rediss://:hush@redis?ssl_cert_reqs=none"},
                "token_store_at: must be an address .* always checked",
            ),
        ],
    )
    def test_a_choice_that_cannot_be_right_is_told_by_its_field(
        self, app_with_variables: App, fields: dict[str, str], field: str
    ) -> None:
        app_with_variables.connect(**fields)
        name, _, words = field.partition(": ")
        with pytest.raises(ValueError, match=rf"'app': .*\({name}\): {words}") as trouble:
            open_platform("app")
        assert "hush" not in str(trouble.value)

    def test_a_choice_of_redis_without_its_package_says_what_to_install(
        self, app_with_variables: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        app_with_variables.connect(token_store="redis", token_store_at="redis://127.0.0.1:1/0")
        monkeypatch.setattr("airflow_provider_chattransfer.hooks.token_stores.find_spec", lambda _: None)
        with pytest.raises(ValueError, match=r"\(token_store\): redis needs .*airflow-provider-chattransfer\[redis\]"):
            open_platform("app")

    @pytest.mark.parametrize(
        "fields",
        [
            {"token_store": "file", "token_store_at": "/nowhere/at/all"},
            {"token_store": "redis", "token_store_at": "redis://:hush@127.0.0.1:1/0"},
        ],
    )
    def test_a_choice_that_cannot_be_used_is_found_out_by_the_first_request_before_a_token_is_spent(
        self, app_with_variables: App, fields: dict[str, str]
    ) -> None:
        app_with_variables.connect(**fields)
        platform = open_platform("app")
        with pytest.raises(TokenStoreError, match="token_store_at") as trouble:
            platform.read_chats([CHAT])
        assert app_with_variables.tokens_asked_for == 0
        assert "hush" not in str(trouble.value)


class TestVariables:
    def test_variables_are_read_and_written_by_a_task(self, app_with_variables: App) -> None:
        app = app_with_variables
        for expected in (1, 2):
            ran = run_task(lambda: sorted(open_platform("app").read_chats([CHAT])))
            assert (ran.state, ran.results["task"]) == ("success", [CHAT])
            assert app.tokens_asked_for == expected
            app.let_tokens_expire()
        assert app.read() == [CHAT], "as the API server reads it, without a supervisor"

    def test_variables_hold_nothing_that_could_be_read(self, app_with_variables: App) -> None:
        app_with_variables.read()
        kept = variables()
        assert {key[: len(VARIABLE_PREFIX)] for key in kept} == {VARIABLE_PREFIX}
        assert not [text for text in kept.values() if "secret" in text or app_with_variables.refresh_token in text]

    def test_variables_are_masked_by_airflows_api(self, app_with_variables: App) -> None:
        from airflow.api_fastapi.core_api.datamodels.variables import VariableResponse
        from airflow.models.variable import Variable
        from airflow.utils.session import create_session
        from sqlalchemy import select

        app_with_variables.read()
        with create_session() as session:
            found: Any = session.scalars(select(Variable).where(Variable.key.startswith(VARIABLE_PREFIX))).all()
            told = [VariableResponse.model_validate(each) for each in found]
        assert told
        assert {each.val for each in told} == {"***"}
        assert all("Delete it to start anew" in (each.description or "") for each in told)

    def test_variables_that_cannot_be_read_by_a_task_are_not_taken_for_missing(
        self, app_with_variables: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from airflow.sdk.exceptions import ErrorType
        from airflow.sdk.execution_time import request_handlers
        from airflow.sdk.execution_time.comms import ErrorResponse

        app_with_variables.read()
        app_with_variables.let_tokens_expire()
        before = variables()
        away = ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"value": "hush"})
        monkeypatch.setattr(request_handlers, "handle_get_variable", lambda *_: (away, {}))
        monkeypatch.setattr("airflow.sdk.execution_time.supervisor.handle_get_variable", lambda *_: (away, {}))
        ran = run_task(lambda: open_platform("app").read_chats([CHAT]))
        assert ran.state == "failed"
        assert "Variables cannot be read: API_SERVER_ERROR" in str(ran.errors["task"])
        assert "hush" not in str(ran.errors["task"])
        assert app_with_variables.tokens_asked_for == 1
        assert variables() == before

    def test_variables_that_airflow_cannot_reach_are_told_without_its_words(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("postgresql://airflow:hush@db")

        monkeypatch.setattr("airflow.utils.session.create_session", broken)
        with pytest.raises(TokenStoreError, match=r"cannot be read: RuntimeError.*token_store") as trouble:
            VariableStore("x", account="x").load(Entry.TOKEN)
        assert trouble.value.__cause__ is trouble.value.__context__ is None


def run_task(work: Callable[[], Any]) -> Any:
    """Do ``work`` in a real task."""
    from airflow.sdk import task

    def told() -> Any:
        try:
            return work()
        except TokenStoreError as error:
            raise AirflowFailException(str(error)) from error

    with a_dag() as dag:
        task(task_id="task")(told)()
    return run(dag)


def variables() -> dict[str, str]:
    """Airflow's Variables, decrypted."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return {each.key: each.val for each in session.scalars(select(Variable)).all()}


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
