# SPDX-License-Identifier: Apache-2.0
"""Secrets in Airflow's logs: masked where a task prints them on purpose, and not told by us at any level."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import requests

from airflow_provider_chattransfer.hooks.dispatch import open_platform, open_platform_async
from airflow_provider_chattransfer.platforms.base import ChatPlatform
from airflow_provider_chattransfer.platforms.issued_token import IssuedToken
from airflow_provider_chattransfer.platforms.tokens.manager import TokenManager
from airflow_provider_chattransfer.sandbox.server import SandboxServer

from ..support.quick_airflow import forget_secrets
from ..support.ways_of_signing_in import BOT, WAYS, Way
from ..ui.running_airflow import RunningAirflow
from .conftest import Sandbox

CHAT = "101"
SHORTEST = 5
"""Airflow masks nothing that is shorter."""

RENEWABLE = ("bitrix24-oauth", "superoffice-refresh-token", "superoffice-system-user")
QUICK = {"requests_per_second": 1000, "burst": 1000}
PATIENCE = 120.0


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def way(request: pytest.FixtureRequest, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Way:
    """Each way of signing in, in the connection ``mine``, before any secret is known to a masker."""
    way: Way = request.param
    sandbox.reset(**{service: dict(settings) for service, settings in way.settings.items()})
    monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(connection(way, sandbox.url, tmp_path)))
    forget_secrets()
    return way


@pytest.fixture
def obtained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the tokens that are obtained at run time."""
    tokens: list[str] = []
    save: Callable[..., None] = TokenManager._save

    def noting(token_manager: TokenManager, new: IssuedToken, **options: Any) -> None:
        tokens.extend(filter(None, (new.secret, new.refresh_token)))
        save(token_manager, new, **options)

    monkeypatch.setattr(TokenManager, "_save", noting)
    return tokens


class TestASecret:
    def test_a_secret_is_known_to_airflows_maskers_once_it_is_used(self, way: Way, obtained: list[str]) -> None:
        look(open_platform("mine"))
        assert bool(obtained) == (way.name in RENEWABLE)
        assert_masked([*secrets_of(way), *obtained], in_tasks_only=BOT)

    def test_a_secret_is_known_to_them_when_a_trigger_has_used_it(self, way: Way, obtained: list[str]) -> None:
        async def wait() -> None:
            await asyncio.to_thread(look, await open_platform_async("mine"))

        asyncio.run(wait())
        assert_masked([*secrets_of(way), *obtained], in_tasks_only=BOT)

    def test_a_secret_is_known_to_a_worker_that_goes_on_after_a_trigger(self, way: Way, obtained: list[str]) -> None:
        look(open_platform("mine"))
        by_the_trigger = list(obtained)
        forget_secrets()
        look(open_platform("mine"))
        assert obtained == by_the_trigger, "the worker found what the trigger had saved"
        assert_masked([*secrets_of(way), *by_the_trigger], in_tasks_only=BOT)

    def test_a_secret_is_in_no_log_of_ours_at_any_level_and_in_no_repr(
        self, way: Way, obtained: list[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        for name in ("", "urllib3", "requests", "airflow_provider_chattransfer"):
            caplog.set_level(logging.DEBUG, logger=name)
        with open_platform("mine") as platform:
            caplog.clear()
            look(platform)
            told = caplog.text + repr(platform) + repr(vars(platform)) + repr(vars(platform.client))  # type: ignore[attr-defined]
        assert [form for secret in [*secrets_of(way), *obtained] for form in forms(secret) if form in told] == []

    def test_a_secret_that_an_administrator_made_up_is_left_in_what_the_connection_form_is_given(
        self, sandbox: Sandbox
    ) -> None:
        """The bot's id may be part of other fields, which saving would then spoil; here it is ``chattransfer``."""
        from airflow._shared.secrets_masker import redact

        open_platform("bitrix24_default")
        assert redact("local.chattransfer") == "local.chattransfer"

    def test_a_secret_of_a_basic_login_is_masked_as_it_is_in_the_header(self, sandbox: Sandbox) -> None:
        open_platform("superoffice_agent_7")
        assert_masked([b64encode(b"agent7:Secret7").decode()])


DAGS = '''
import json, logging, os
from datetime import timedelta
from urllib.parse import quote, quote_plus
from airflow.sdk import DAG, task
from airflow_provider_chattransfer.sensors.accept_transfer import AcceptTransferSensor

def use_every_way():
    """The secrets of all connections, and all tokens that were obtained for them."""
    from airflow_provider_chattransfer.hooks.dispatch import open_platform
    from airflow_provider_chattransfer.platforms.tokens.manager import TokenManager
    from airflow_provider_chattransfer.exceptions import PlatformError

    with open(os.environ["SECRETS"]) as file:
        secrets = json.load(file)
    hide_secrets = TokenManager._hide_secrets

    def noting(token_manager, token):
        secrets.extend(filter(None, (token.secret, token.refresh_token)))
        hide_secrets(token_manager, token)

    TokenManager._hide_secrets = noting
    for conn_id in os.environ["WAYS"].split():
        with open_platform(conn_id) as platform:
            try:
                platform.read_chats(["101"])
            except PlatformError as error:
                print(f"{conn_id}: {error}")
    with open(os.environ["SECRETS"], "w") as file:
        json.dump(sorted(set(secrets)), file)
    return secrets

with DAG("uses", schedule=None):
    wait = AcceptTransferSensor(
        task_id="wait", conn_id="bitrix24_oauth", transfers=[{"chat_id": "101", "to": "agent:12"}],
        accept_within=timedelta(seconds=1), poll_interval=0.2, deferrable=True,
    )

    @task(trigger_rule="all_done")
    def use():
        use_every_way()

    wait >> use()

with DAG("leaks", schedule=None):

    @task
    def leak():
        secrets = use_every_way()
        for secret in secrets:
            for form in {secret, quote(secret, safe=""), quote_plus(secret)}:
                logging.getLogger("somebody").warning("leaked https://x.example/%s?auth=%s", form, form)
                print(f"printed {form}")
        raise RuntimeError("raised " + " ".join(secrets))

    leak()
'''
"""A trigger obtains a token; then a worker finds it, and uses every way of signing in. Another prints every secret."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the DAGs are, the logs, and the secrets that no log may show."""
    folder = tmp_path_factory.mktemp("masking")
    (folder / "dags").mkdir()
    (folder / "dags" / "masking.py").write_text(DAGS)
    (folder / "secrets.json").write_text(json.dumps(sorted({each for way in WAYS for each in secrets_of(way)})))
    return folder


@pytest.fixture(scope="module")
def airflow(sandbox_server: SandboxServer, folder: Path, database: Path) -> Iterator[RunningAirflow]:
    """At DEBUG, with a connection for each way of signing in."""
    url = sandbox_server.url
    pending = {"rate": None, "switches": {"accept_mode": "pending"}, "people": {"ignore": 1.0}}
    requests.post(f"{url}/sandbox/reset", json={"bitrix24": pending}, timeout=10).raise_for_status()
    transfer = {"CHAT_ID": 101, "USER_ID": 12, "CLIENT_ID": "chattransfer"}
    webhook = f"{url}/rest/1/secretcode/imopenlines.bot.session.transfer"
    requests.post(webhook, json=transfer, timeout=10).raise_for_status()
    with RunningAirflow(
        "standalone",
        database=database,
        AIRFLOW__CORE__DAGS_FOLDER=str(folder / "dags"),
        AIRFLOW__LOGGING__BASE_LOG_FOLDER=str(folder / "logs"),
        AIRFLOW__LOGGING__LOGGING_LEVEL="DEBUG",
        SECRETS=str(folder / "secrets.json"),
        WAYS=" ".join(way.conn_id for way in WAYS),
        **{f"AIRFLOW_CONN_{way.conn_id.upper()}": json.dumps(connection(way, url)) for way in WAYS},
    ) as airflow:
        yield airflow


@pytest.mark.cluster
class TestARealAirflow:
    """With a scheduler, a triggerer, and tasks in processes of their own."""

    def test_a_real_airflow_shows_no_secret_in_any_log_at_debug(self, airflow: RunningAirflow, folder: Path) -> None:
        states = run_dag(airflow, "uses")
        assert states["use"] == "success", airflow.log[-4000:]
        logs = {**logs_in(folder), "what the services print": airflow.log}
        assert any("trigger" in name for name in logs), "a trigger has waited"
        secrets = json.loads((folder / "secrets.json").read_text())
        assert len(secrets) > len({each for way in WAYS for each in secrets_of(way)}) + 3, "tokens were obtained"
        assert lines_with(secrets, logs) == []

    def test_masks_what_a_task_prints_on_purpose(self, airflow: RunningAirflow, folder: Path) -> None:
        run_dag(airflow, "leaks")
        logs = logs_in(folder)
        told = "".join(text for name, text in logs.items() if "task_id=leak" in name)
        for masked in ("leaked https://x.example/***?auth=***", "printed ***", "raised ***"):
            assert masked in told, told[-2000:]
        assert lines_with(json.loads((folder / "secrets.json").read_text()), logs) == []


def logs_in(folder: Path) -> dict[str, str]:
    """Return the logs of tasks and triggers, as the UI shows them."""
    found = (path for path in (folder / "logs").rglob("*.log*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in found}


def lines_with(secrets: list[str], logs: dict[str, str]) -> list[str]:
    """Return the lines of ``logs`` that show a secret."""
    shown = {form for secret in secrets for form in forms(secret)}
    lines = (f"{name}: {line}" for name, text in logs.items() for line in text.splitlines())
    return [line for line in lines if any(form in line for form in shown)]


def run_dag(airflow: RunningAirflow, dag_id: str) -> dict[str, str]:
    """Run a DAG to its end; the states of its tasks."""
    api = f"{airflow.url}/api/v2/dags/{dag_id}"
    end = time.monotonic() + PATIENCE
    while requests.patch(api, json={"is_paused": False}, timeout=10).status_code == 404:
        assert time.monotonic() < end, airflow.log[-4000:]
        time.sleep(0.5)
    started = requests.post(f"{api}/dagRuns", json={"logical_date": None}, timeout=10)
    started.raise_for_status()
    run = f"{api}/dagRuns/{started.json()['dag_run_id']}"
    while requests.get(run, timeout=10).json()["state"] not in ("success", "failed"):
        assert time.monotonic() < end, airflow.log[-4000:]
        time.sleep(0.5)
    tasks = requests.get(f"{run}/taskInstances", timeout=10).json()["task_instances"]
    return {each["task_id"]: each["state"] for each in tasks}


def connection(way: Way, url: str, folder: Path | None = None) -> dict[str, Any]:
    """Return a connection whose password is not too short to be masked; with a folder, one that keeps tokens there."""
    user = "agent7" if way.name == "superoffice-basic" else None
    store = {"token_store": "file", "token_store_at": str(folder)} if folder else {}
    return way.connection(url, user=user, **QUICK, **store)


def look(platform: ChatPlatform) -> None:
    """Ask the service something."""
    platform.read_chats([CHAT])


def secrets_of(way: Way) -> list[str]:
    """Return the secrets of the connection."""
    user = "agent7" if way.name == "superoffice-basic" else way.user
    values = [str(value) for key, value in way.values(user).items() if key in way.secret_fields()]
    return [text for text in values if len(text) >= SHORTEST]


def forms(secret: str) -> set[str]:
    """Return a secret as it is, and as it is in an address; the lines of a key are in none."""
    lines = {line for line in secret.splitlines() if len(line) == 64}
    return {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), *lines}


def assert_masked(secrets: list[str], *, in_tasks_only: str = "") -> None:
    from airflow._shared.secrets_masker import redact as of_services
    from airflow.sdk._shared.secrets_masker import redact as of_tasks

    for form in {form for secret in secrets for form in forms(secret)}:
        for redact in (of_tasks,) if form == in_tasks_only else (of_services, of_tasks):
            assert form not in str(redact(f"https://portal.example/{form}?auth={form}"))
