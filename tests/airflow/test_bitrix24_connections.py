# SPDX-License-Identifier: Apache-2.0
"""Connections to Bitrix24, by webhook and by OAuth application: real tasks, the button Test, and what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_chattransfer.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_chattransfer.operators.accept import AcceptTransferOperator
from airflow_provider_chattransfer.operators.transfer import ReassignChatsOperator, TransferChatsOperator
from airflow_provider_chattransfer.platforms.bitrix24.commands import Command
from airflow_provider_chattransfer.sandbox import sandbox as sandbox_module
from airflow_provider_chattransfer.sandbox.bitrix24.portal import Portal
from airflow_provider_chattransfer.sandbox.server import SandboxServer
from airflow_provider_chattransfer.sandbox.service import HttpRequest, Service
from airflow_provider_chattransfer.sensors.accept_transfer import AcceptTransferSensor
from tests.sandbox.certificates import self_signed
from tests.support.ways_of_signing_in import without_labels

from .conftest import Sandbox, a_dag, run, run_one

TRANSFER = "imopenlines.bot.session.transfer"
WEBHOOK = {"login": "1", "password": "secretcode", "extra": {"bot_client_id": "chattransfer"}}
APP = {
    "oauth_client_id": "local.chattransfer",
    "oauth_client_secret": "appsecret",
    "oauth_refresh_token": "refresh-1",
}
NO_LIMIT = {"requests_per_second": 1000, "burst": 1000}
SECRETS = ("secretcode", "appsecret", "refresh-1")
PROMPT = {"people": {"accept_after": [0.05, 0.2]}}

do = partial(run_one, conn_id="portal", poll_interval=0.1)
Connect = Callable[..., None]


@pytest.fixture
def connect(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Make the connection ``portal``, to the sandbox unless told otherwise."""

    def connect(*, extra: Mapping[str, Any] = {}, **fields: Any) -> None:
        connection = {"conn_type": "bitrix24", "host": sandbox.url, "extra": {**NO_LIMIT, **extra}, **fields}
        monkeypatch.setenv("AIRFLOW_CONN_PORTAL", json.dumps(connection))

    return connect


@pytest.fixture(params=["webhook", "application"])
def way(request: pytest.FixtureRequest, connect: Connect, sandbox: Sandbox, tmp_path: Path) -> str:
    """Each way of signing in, in the connection ``portal``."""
    if request.param == "webhook":
        connect(**WEBHOOK)
    else:
        connect(extra={**app_of(sandbox), **a_file(tmp_path)})
    return str(request.param)


def app_of(sandbox: Sandbox) -> dict[str, str]:
    return {**APP, "oauth_host": sandbox.url}


def a_file(folder: Path) -> dict[str, str]:
    return {"token_store": "file", "token_store_at": str(folder)}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the paths that were asked for on the portal."""
    paths: list[str] = []
    count = sandbox_module.Sandbox.count

    def noting(sandbox: sandbox_module.Sandbox, service: Service, call: HttpRequest) -> None:
        paths.append(call.path)
        count(sandbox, service, call)

    monkeypatch.setattr(sandbox_module.Sandbox, "count", noting)
    return paths


def refreshes(asked: list[str]) -> int:
    return sum(path.startswith("/oauth/") for path in asked)


def opened() -> Any:
    return Bitrix24Hook("portal").get_conn()


def wrong() -> str:
    """Return what is wrong with the connection."""
    with pytest.raises(ValueError, match=r"^connection 'portal': ") as problem:
        opened()
    told = str(problem.value)
    assert not [secret for secret in SECRETS if secret in told]
    assert len(told) < 300
    return without_labels(told)


def pressed() -> tuple[bool, str]:
    """Return what the button Test says."""
    good, told = Bitrix24Hook("portal").test_connection()
    assert not [secret for secret in (*SECRETS, "guess") if secret in told]
    return good, told


class TestARun:
    @pytest.mark.parametrize("deferrable", [False, True])
    def test_a_run_finds_transfers_and_waits(self, sandbox: Sandbox, way: str, deferrable: bool) -> None:
        sandbox.reset(bitrix24={**PROMPT, "rate": None, "switches": {"accept_mode": "pending"}})
        theirs = [each["id"] for each in sandbox.chats("bitrix24").values() if each["owner"] == "8"]
        with a_dag() as dag:
            moved = ReassignChatsOperator(task_id="moved", conn_id="portal", from_agents=["8"], to=["agent:12"])
            waited = AcceptTransferSensor(
                task_id="waited", conn_id="portal", transfers=moved.output, poll_interval=0.1, deferrable=deferrable
            )
            moved >> waited
        ran = run(dag)
        assert ran.state == "success"
        assert ran.results["waited"]["counts"]["accepted"] == len(theirs)
        assert sorted(sandbox.sent("bitrix24")) == sorted(theirs)

    def test_accepts(self, sandbox: Sandbox, way: str) -> None:
        chats = [{"id": 11, "queue": 3, "state": "waiting", "offered_to": 7}]
        sandbox.reset(bitrix24={"people": {"ignore": 1}, "rate": None, "chats": chats})
        (entry,) = run_one(AcceptTransferOperator, conn_id="portal", chat_id=11).results["task"]["transfers"]
        assert (entry["outcome"], sandbox.chats("bitrix24")["11"]["owner"]) == ("accepted", "1")


class TestATokenThatRunsOutMidRun:
    @pytest.mark.parametrize("store", ["file", "variable"])
    def test_a_token_that_runs_out_mid_run_is_renewed_once_and_each_of_200_chats_moved_once(
        self,
        sandbox: Sandbox,
        connect: Connect,
        asked: list[str],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        store: str,
    ) -> None:
        connect(extra={**app_of(sandbox), **(a_file(tmp_path) if store == "file" else {})})
        chats = [{"id": 1000 + number, "owner": 7, "queue": 3} for number in range(200)]
        sandbox.reset(bitrix24={**PROMPT, "rate": None, "chats": chats})
        _let_an_hour_pass(sandbox, monkeypatch, before_batch=3)
        report = do(ReassignChatsOperator, from_agents=["7"], to=["agent:12"]).results["task"]
        assert report["counts"]["accepted"] == 200
        assert Counter(sandbox.sent("bitrix24")) == {str(chat["id"]): 1 for chat in chats}
        assert refreshes(asked) == 2

    def test_a_token_that_runs_out_mid_run_is_renewed_by_one_of_two_processes(
        self, sandbox: Sandbox, connect: Connect, asked: list[str], tmp_path: Path
    ) -> None:
        connect(extra={**app_of(sandbox), **a_file(tmp_path)})
        code = """
import sys
from airflow_provider_chattransfer.hooks.bitrix24 import Bitrix24Hook
with Bitrix24Hook("portal").get_conn() as platform:
    platform.read_chats(["101"])
    print("read", file=sys.stderr, flush=True)
    sys.stdin.readline()
    print(len(platform.read_chats(["101", "102"])), file=sys.stderr, flush=True)
"""
        command = [sys.executable, "-W", "ignore", "-c", code]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        pipes["stdout"] = subprocess.DEVNULL
        processes = [subprocess.Popen(command, env=dict(os.environ), **pipes) for _ in range(2)]  # noqa: S603
        try:
            assert [_line(process) for process in processes] == ["read", "read"]
            assert refreshes(asked) == 1
            sandbox.skip(3601)
            for process in processes:
                process.stdin.write("\n")  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]
            assert [_line(process) for process in processes] == ["2", "2"]
            assert refreshes(asked) == 2
        finally:
            for process in processes:
                process.kill()
                process.communicate()

    def test_a_token_that_runs_out_mid_run_is_still_known_when_the_host_of_the_connection_is_put_right(
        self, sandbox: Sandbox, connect: Connect, asked: list[str], tmp_path: Path
    ) -> None:
        sandbox.reset(bitrix24={"rate": None, "switches": {"moved_to": "localhost"}})
        for host in ("127.0.0.1", "localhost"):
            url = sandbox.url.replace("127.0.0.1", host)
            connect(host=url, extra={**app_of(sandbox), **a_file(tmp_path)})
            assert pressed()[0]
        assert refreshes(asked) == 1

    def test_a_token_that_runs_out_mid_run_leaves_the_next_one_for_the_next_run(
        self, sandbox: Sandbox, connect: Connect, asked: list[str], tmp_path: Path
    ) -> None:
        connect(extra={**app_of(sandbox), **a_file(tmp_path)})
        for number in range(3):
            do(TransferChatsOperator, transfers=[{"chat_id": 101 + number, "to": "agent:12"}])
        assert refreshes(asked) == 1


def _let_an_hour_pass(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, *, before_batch: int) -> None:
    """Advance the sandbox's clock by an hour just before the transfers of a batch arrive."""
    answer, seen = Portal.answer, Counter[str]()

    def answering(portal: Portal, call: HttpRequest) -> Any:
        if TRANSFER in portal.methods_of(call):
            seen[TRANSFER] += 1
            if seen[TRANSFER] == before_batch:
                sandbox.server.sandbox.clock.skip(3601)
        return answer(portal, call)

    monkeypatch.setattr(Portal, "answer", answering)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.readline().strip()


class TestFields:
    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({}, "login and password and bot_client_id: missing; or, for an OAuth application, the three fields"),
            ({"login": "1"}, "password: the webhook's code is missing"),
            ({"password": "secretcode"}, "login: the webhook's user id is missing"),
            ({"login": "1", "password": "secretcode"}, "bot_client_id: missing"),
            ({"login": "0", "password": "secretcode"}, "login: the webhook's user id is missing, or is not a positive"),
            ({"login": "1", "password": "/secretcode/"}, "is not letters and digits only; the webhook's address"),
            ({**WEBHOOK, "extra": {**WEBHOOK["extra"], **APP}}, "login and oauth_client_id: the one is of a web"),  # type: ignore[dict-item]
            ({"extra": {**APP, "bot_client_id": "x"}}, "bot_client_id and oauth_client_id: the one is of a webhook"),
            ({"extra": {**APP, "oauth_client_id": ""}}, "oauth_client_id: missing; an OAuth application needs"),
            ({"extra": {**APP, "oauth_client_secret": None}}, "oauth_client_secret: missing"),
            ({"extra": {"oauth_client_id": "a", "oauth_client_secret": "b"}}, "oauth_refresh_token: missing"),
            ({"extra": {**APP, "oauth_refresh_token": "two words"}}, "oauth_refresh_token: holds a space"),
            ({"extra": {**APP, "oauth_host": "http://x.example"}}, "oauth_host: 'http://x.example' is plain http"),
            ({"extra": {**APP, "oauth_host": "oauth.example/oauth/token"}}, "oauth_host: must be a host alone"),
            ({"extra": {**APP, "token_store": "cupboard"}}, "token_store: 'cupboard'"),
            ({**WEBHOOK, "host": ""}, "host: empty"),
            ({**WEBHOOK, "host": "my portal"}, "host: 'https://my portal' is not the address of a service"),
            ({**WEBHOOK, "host": "example.bitrix24.com/rest/secretcode"}, "host: must be the portal's address"),
            ({**WEBHOOK, "host": "http://example.bitrix24.com"}, "is plain http; only https"),
            ({**WEBHOOK, "host": "https://1:secretcode@example.bitrix24.com"}, "must not contain a login"),
            ({**WEBHOOK, "extra": {"bot_client_id": "x", "ca_bundle": "/nowhere.pem"}}, "ca_bundle: '/nowhere.pem'"),
            ({**WEBHOOK, "extra": {"bot_client_id": "x$result"}}, "bot_client_id: must contain none of $result"),
        ],
    )  # fmt: skip
    def test_fields_that_are_missing_contradict_or_cannot_be_are_named(
        self, connect: Connect, fields: dict[str, Any], words: str
    ) -> None:
        connect(**fields)
        assert words in wrong()

    def test_fields_make_the_same_connection_as_uri_and_as_json(
        self, sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connect(**WEBHOOK)
        as_json = opened()
        host, port = sandbox.url.removeprefix("http://").split(":")
        uri = f"bitrix24://1:secretcode@{host}:{port}/http?bot_client_id=chattransfer"
        monkeypatch.setenv("AIRFLOW_CONN_PORTAL", uri)
        assert (opened().account, opened().client.auth) == (as_json.account, as_json.client.auth)

    def test_fields_of_an_application_default_to_the_usual_authorisation_server(self, connect: Connect) -> None:
        connect(extra=APP)
        assert opened().client.auth.way == "application"


class TestTheButton:
    def test_the_button_says_that_it_works(self, sandbox: Sandbox, way: str) -> None:
        good, told = pressed()
        assert good, told
        assert told.startswith(f"Signed in to {sandbox.server.address} as user 1 by ")
        assert "It can transfer, accept, wait and list. Its clock and ours are even." in told

    def test_the_button_says_that_no_bot_is_registered(self, sandbox: Sandbox, way: str) -> None:
        sandbox.reset(bitrix24={"bots": []})
        good, told = pressed()
        assert not good
        assert "no bot is registered" in told
        assert "register one with the command register-bot" in told

    def test_the_button_says_what_is_wrong_with_a_webhook(self, connect: Connect) -> None:
        connect(login="1", password="guess", extra={"bot_client_id": "chattransfer"})
        good, told = pressed()
        assert not good
        assert "check login and password of the connection" in told
        assert "[INVALID_CREDENTIALS]. In the form, login is Webhook: user id, password is Webhook: code." in told

    def test_the_button_says_what_is_wrong_with_an_application(
        self, sandbox: Sandbox, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airflow_provider_chattransfer.platforms.tokens.manager.CONCURRENT_SAVE_SECONDS", 0.3)
        connect(extra={**app_of(sandbox), "oauth_client_secret": "guess", **a_file(tmp_path)})
        good, told = pressed()
        assert not good
        assert "check oauth_client_id and oauth_client_secret of the connection" in told

    def test_the_button_says_which_scopes_are_missing(self, sandbox: Sandbox, connect: Connect) -> None:
        sandbox.reset(bitrix24={"webhooks": [{"user": 1, "code": "narrow", "scopes": ["im"]}]})
        connect(login="1", password="narrow", extra={"bot_client_id": "chattransfer"})
        good, told = pressed()
        assert not good
        for right in ("transfer", "accept", "wait", "list"):
            assert f"It cannot {right}: the webhook lacks the scope imopenlines" in told

    def test_the_button_says_that_the_clock_is_wrong(self, sandbox: Sandbox, connect: Connect) -> None:
        connect(**WEBHOOK)
        sandbox.skip(3000)
        good, told = pressed()
        assert good
        assert "ahead of ours: set this machine's clock" in told

    def test_changes_nothing(self, sandbox: Sandbox, way: str) -> None:
        pressed()
        assert sandbox.ledger("bitrix24") == []

    def test_the_button_does_not_wait_for_a_portal_that_hangs(
        self, sandbox: Sandbox, way: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airflow_provider_chattransfer.hooks.settings.FAIL_FAST_TIMEOUT_SECONDS", 0.2)
        sandbox.fault(kind="hang_before", service="bitrix24", seconds=60, count=100)
        began = time.monotonic()
        good, told = pressed()
        assert not good
        assert "no whole answer from" in told or "No answer of the service within" in told
        assert time.monotonic() - began < 10

    def test_never_raises(self, connect: Connect) -> None:
        connect(host="http://portal.example", **WEBHOOK)
        assert pressed()[0] is False


class TestASelfHostedPortal:
    @pytest.fixture
    def secure(self, tmp_path: Path) -> Iterator[SandboxServer]:
        certificate, key = self_signed(tmp_path)
        with SandboxServer({"bitrix24": {"rate": None}}, certificate=certificate, key=key) as server:
            yield server

    def test_a_self_hosted_portal_is_trusted_by_ca_bundle(
        self, secure: SandboxServer, connect: Connect, tmp_path: Path
    ) -> None:
        bundle = {"ca_bundle": str(tmp_path / "certificate.pem")}
        connect(**{**WEBHOOK, "host": secure.url, "extra": {**WEBHOOK["extra"], **bundle}})  # type: ignore[dict-item]
        assert pressed()[0]
        server = {"oauth_host": secure.url, **a_file(tmp_path)}
        connect(host=secure.url, extra={**APP, **server, **bundle})
        assert pressed()[0]
        with opened() as platform:
            assert platform.client.call(Command("profile", {}), repeatable=True)["ID"] == "1"

    def test_a_self_hosted_portal_is_not_trusted_without(self, secure: SandboxServer, connect: Connect) -> None:
        connect(**{**WEBHOOK, "host": secure.url})
        good, told = pressed()
        assert not good
        assert "its certificate cannot be verified" in told
        assert "let ca_bundle of the connection name the file with that authority's certificate" in told
