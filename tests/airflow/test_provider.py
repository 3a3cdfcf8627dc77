# SPDX-License-Identifier: Apache-2.0
"""What Airflow discovers of us."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module, resources
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_provider_chattransfer.get_provider_info import get_provider_info
from airflow_provider_chattransfer.hooks.base import ChatPlatformHook
from airflow_provider_chattransfer.services import services

from .conftest import Sandbox

HAS_PROVIDERS_COMMANDS = (
    "cli" in json.loads(resources.files("airflow").joinpath("provider_info.schema.json").read_text())["properties"]
)
ROOT = Path(__file__).parent.parent.parent
NAME = "airflow-provider-chattransfer"


def schema(name: str) -> Any:
    return json.loads(resources.files("airflow").joinpath(name).read_text())


class TestProviderInfo:
    def test_provider_info_is_valid_by_airflows_schema(self) -> None:
        jsonschema.validate(get_provider_info(), schema("provider_info.schema.json"))

    def test_provider_info_has_connection_forms_that_are_valid_by_airflows_schema(self) -> None:
        types = schema("provider.yaml.schema.json")["properties"]["connection-types"]
        jsonschema.validate(get_provider_info()["connection-types"], types)

    def test_provider_info_names_guides_and_a_logo_that_are_there(self) -> None:
        integrations = get_provider_info()["integrations"]
        jsonschema.validate(integrations, schema("provider.yaml.schema.json")["properties"]["integrations"])
        for integration in integrations:
            assert all((ROOT / guide.lstrip("/")).is_file() for guide in integration["how-to-guide"])
            assert (ROOT / "docs" / integration["logo"].lstrip("/")).is_file()

    def test_provider_info_is_found_by_airflow(self) -> None:
        from airflow.providers_manager import ProvidersManager

        manager = ProvidersManager()
        assert manager.providers[NAME].data["package-name"] == NAME
        for connection_type, service in services().items():
            info = manager.hooks[connection_type]
            assert info is not None
            assert info.hook_class_name == service.hook

    def test_provider_info_is_the_entry_point_of_the_distribution(self) -> None:
        (entry,) = entry_points(group="apache_airflow_provider", name="provider_info").select(
            module=get_provider_info.__module__
        )
        assert entry.load() is get_provider_info

    def test_provider_info_names_only_modules_that_import(self) -> None:
        info = get_provider_info()
        for kind in ("hooks", "operators", "sensors", "triggers"):
            for integration in info[kind]:
                for module in integration["python-modules"]:
                    import_module(module)

    @pytest.mark.parametrize("connection_type", services())
    def test_provider_info_names_hooks_that_are_made_of_a_connection_id_alone(self, connection_type: str) -> None:
        module, _, name = services()[connection_type].hook.rpartition(".")
        hook: type[ChatPlatformHook] = getattr(import_module(module), name)
        assert hook.conn_type == connection_type
        assert hook.default_conn_name == f"{connection_type}_default"
        assert hook(**{hook.conn_name_attr: "mine"}).conn_id == "mine"
        assert hook().conn_id == hook.default_conn_name


class TestAirflowsCommandLine:
    """Airflow has commands of providers since 3.2; ``python -m airflow_provider_chattransfer`` runs them on 3.1."""

    pytestmark = pytest.mark.skipif(not HAS_PROVIDERS_COMMANDS, reason="Airflow has commands of providers since 3.2")

    def test_airflow_has_a_command_for_each_of_ours(self) -> None:
        from airflow.cli.cli_parser import get_parser

        for command in ("test-connection", *(each.name for info in services().values() for each in info.commands)):
            asked = get_parser().parse_args(["chattransfer", command, "mine"])
            assert (asked.subcommand, asked.conn_id) == (command, "mine")

    def test_airflow_chattransfer_tests_a_connection(self, sandbox: Sandbox) -> None:
        connection = {"conn_type": "bitrix24", "host": sandbox.url, "login": "1", "password": "secretcode"}
        extra = {"bot_client_id": "chattransfer"}
        environment = {**os.environ, "AIRFLOW_CONN_MINE": json.dumps({**connection, "extra": extra})}
        command = [sys.executable, "-m", "airflow", "chattransfer", "test-connection"]
        good, bad = (
            subprocess.run([*command, conn_id], env=environment, capture_output=True, text=True, timeout=120)  # noqa: S603
            for conn_id in ("mine", "nobodys")
        )
        assert good.returncode == 0, good.stderr
        assert "Signed in to 127.0.0.1" in good.stdout
        assert bad.returncode == 1
        assert "there is no connection 'nobodys'" in bad.stderr
