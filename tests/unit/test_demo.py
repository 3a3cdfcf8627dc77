# SPDX-License-Identifier: Apache-2.0
"""What ``make demo`` and ``make airflow`` do before anything is started."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_chattransfer.platforms.address import base_url
from airflow_provider_chattransfer.testing.connections import sandbox_connections
from demo import __main__ as demo
from demo import rows, standalone
from demo.environment import environment

URL = "http://127.0.0.1:8024"


class TestHelp:
    @pytest.mark.parametrize("program", [standalone.main, demo.main])
    def test_help_of_the_demo_is_shown_and_nothing_is_started(
        self, program: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as ended:
            program(["--help"])
        assert ended.value.code == 0
        assert capsys.readouterr().out.startswith("usage: python -m demo")


class TestAPortThatIsTaken:
    def test_a_port_that_is_taken_is_reported_in_one_line_before_anything_starts(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            monkeypatch.setattr(standalone, "PORTS", {port: "the sandbox"})
            assert standalone.main([]) == 1
        assert capsys.readouterr().out.splitlines() == [
            f"Port {port} is taken, where the sandbox would be. Stop what listens there, and start again."
        ]

    def test_a_taken_port_is_found_for_every_part_of_the_demo(self) -> None:
        assert {8024, 8080, 8793, 8794} == set(standalone.PORTS)


class TestTheRows:
    def test_the_rows_are_connections_to_the_sandbox_with_their_port(self) -> None:
        wanted = sandbox_connections(URL)
        made = rows.rows(URL)
        assert made.keys() == wanted.keys()
        for conn_id, row in made.items():
            assert row["port"] == 8024
            assert ":" not in row["host"].partition("://")[2]
            assert base_url(row["host"], port=row["port"]) == base_url(wanted[conn_id]["host"])


class TestTheEnvironment:
    def test_the_environment_has_connections_only_where_they_are_asked_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("demo.environment.ROOT", tmp_path)
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", "{}")
        assert not [name for name in environment(home="standalone") if name.startswith("AIRFLOW_CONN_")]
        asked = environment(home="demo", connections=sandbox_connections(URL))
        assert "AIRFLOW_CONN_BITRIX24_DEFAULT" in asked
