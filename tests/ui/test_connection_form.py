# SPDX-License-Identifier: Apache-2.0
"""Both connection types in Airflow's own form: a real API server, a real browser, and the sandbox.

With ``PICTURES_TO=docs`` in the environment, the screenshots of the documentation are written there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_chattransfer.sandbox.server import SandboxServer

from ..support import documented_connections
from ..support.ways_of_signing_in import OWN_SECRETS, WAYS, Way
from .connections_page import ConnectionsPage
from .running_airflow import RunningAirflow

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EVERY_WAY = pytest.mark.parametrize("way", WAYS, ids=lambda way: str(way.name))
HIDDEN = "***"
PICTURED = WAYS if "PICTURES_TO" in os.environ else list({way.conn_type: way for way in WAYS}.values())
"""The ways of which a picture is taken; by ``make test``, the one of each service with the most fields."""
ONE_OF_EACH_SERVICE = pytest.mark.parametrize(
    "way", [pytest.param(way, id=way.name, marks=[] if way in PICTURED else [pytest.mark.chaos]) for way in WAYS]
)


@pytest.fixture(scope="module")
def airflow(browser: Browser, database: Path) -> Iterator[RunningAirflow]:
    """Run Airflow with the documented setting for the two secrets that it does not know."""
    setting = {"AIRFLOW__CORE__SENSITIVE_VAR_CONN_NAMES": ",".join(OWN_SECRETS)}
    with RunningAirflow("api-server", database=database, **setting) as airflow:
        yield airflow


@pytest.fixture(scope="module")
def page(browser: Browser, airflow: RunningAirflow) -> Iterator[ConnectionsPage]:
    """Open one tab for the whole module, so that Airflow's scripts are loaded once."""
    with browser.new_context(viewport={"width": 1200, "height": 1200}) as context:
        context.set_default_timeout(30_000)
        yield ConnectionsPage(context.new_page(), airflow.url)


@pytest.fixture
def connections(page: ConnectionsPage, airflow: RunningAirflow) -> ConnectionsPage:
    """Return an empty list of connections; stored tokens are removed."""
    api = f"{airflow.url}/api/v2"
    for kind, key in (("connections", "connection_id"), ("variables", "key")):
        for each in requests.get(f"{api}/{kind}", timeout=10).json()[kind]:
            requests.delete(f"{api}/{kind}/{each[key]}", timeout=10).raise_for_status()
    return page


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> SandboxServer:
    """Run the sandbox; ``prepare`` resets it for a way of signing in."""
    return sandbox_server


def prepare(sandbox: SandboxServer, way: Way) -> str:
    """Reset the sandbox for ``way``; return its address."""
    settings: dict[str, Any] = {**way.settings, "bitrix24": {"rate": None, **way.settings.get("bitrix24", {})}}
    requests.post(f"{sandbox.url}/sandbox/reset", json=settings, timeout=10).raise_for_status()
    return sandbox.url


class TestAnAdministrator:
    @EVERY_WAY
    def test_fills_in_the_form_saves_it_presses_test_and_reads_that_it_works(
        self, connections: ConnectionsPage, sandbox: SandboxServer, way: Way
    ) -> None:
        connections.open()
        connections.add(way.conn_id, way.conn_type, way.fields(prepare(sandbox, way)))
        connections.save()
        kind, sentence = connections.test(way.conn_id)
        assert (kind, sentence.partition(" ")[0]) == ("success", "Signed"), sentence
        assert ("transfer" in re.findall(r"It can ([^.]*)", sentence)[0]) == way.moves
        assert [secret for secret in way.secrets() if secret in sentence] == []

    @ONE_OF_EACH_SERVICE
    def test_opens_it_again_sees_no_secret_types_a_wrong_one_and_reads_what_is_wrong(
        self, connections: ConnectionsPage, sandbox: SandboxServer, way: Way
    ) -> None:
        fields = way.fields(prepare(sandbox, way))
        connections.save_by_api(way.conn_id, way.connection(sandbox.url))
        connections.open()
        connections.edit(way.conn_id)
        values = connections.values()
        secrets = way.secrets()
        assert {key: values[key] for key in fields} == {
            key: HIDDEN if str(value) in secrets else str(value) for key, value in fields.items()
        }
        assert [secret for secret in secrets if secret in connections.page.content()] == []
        connections.fill_in(way.conn_type, way.wrong)
        connections.save()
        kind, sentence = connections.test(way.conn_id)
        assert kind == "error"
        assert next(iter(way.wrong)) in sentence
        assert [secret for secret in {*secrets, *map(str, way.wrong.values())} if secret in sentence] == []


class TestAPictureOfThePage:
    @ONE_OF_EACH_SERVICE
    def test_a_picture_of_the_page_shows_the_example_filled_in_and_no_secret(
        self, connections: ConnectionsPage, tmp_path: Path, way: Way
    ) -> None:
        example = documented_connections.fields(way.name)
        connections.open()
        connections.add(f"{way.conn_type}_default", way.conn_type, {"port": 443, **example})
        picture = Path(os.environ.get("PICTURES_TO", tmp_path), f"connection-{way.name}.png")
        picture.write_bytes(connections.picture(way.conn_type, example))
        dots = {each.get_attribute("name") for each in connections.page.locator("input[type=password]").all()}
        assert way.secret_fields() & example.keys() <= {str(name).removeprefix("element_") for name in dots}
        assert picture.stat().st_size > 10_000
