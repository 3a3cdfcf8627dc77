# SPDX-License-Identifier: Apache-2.0
"""``python -m airflow_provider_chattransfer.sandbox``, as a person starts it."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from airflow_provider_chattransfer.sandbox.command_line import main
from airflow_provider_chattransfer.sandbox.faults import Fault
from airflow_provider_chattransfer.sandbox.sandbox import Sandbox

from .certificates import self_signed

COMMAND = [sys.executable, "-m", "airflow_provider_chattransfer.sandbox"]


@pytest.fixture(scope="module")
def told() -> str:
    return subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, timeout=60, check=True).stdout  # noqa: S603


class TestHelp:
    @pytest.mark.parametrize(
        "matter",
        [
            "/rest/1/secretcode/",
            "/oauth/token/",
            "/Cust12345/api/v1/",
            "tje0 / Tje0",
            "/login/common/oauth/tokens",
            "/sandbox/state",
            "/sandbox/ledger",
            "/sandbox/reset",
            "/sandbox/clock",
            "/sandbox/faults",
            "http://127.0.0.1:8024/\n",
            "docs/sandbox.md",
            "--scenario",
            "--certificate",
            "--key",
            "--port",
        ],
    )
    def test_explains(self, told: str, matter: str) -> None:
        assert matter in told

    def test_help_fits_into_a_terminal(self, told: str) -> None:
        assert max(map(len, told.splitlines())) <= 120

    def test_help_has_a_scenario_that_is_one(self, told: str) -> None:
        example = re.search(r"^a scenario.*?\n(.*?)\n\n", told, re.MULTILINE | re.DOTALL)
        assert example
        Sandbox(json.loads(example[1]))

    def test_help_has_a_fault_that_is_one(self, told: str) -> None:
        example = re.search(r"^a fault.*?-d '(.*?)'$", told, re.MULTILINE | re.DOTALL)
        assert example
        Fault.from_json(json.loads(example[1]), services=["bitrix24", "superoffice"], now=0)


class TestAStart:
    def test_a_start_says_where_it_serves_and_ends_with_ctrl_c(self, tmp_path: Path) -> None:
        scenario = tmp_path / "scenario.json"
        scenario.write_text('{"bitrix24": {"chats": 3}}')
        certificate, key = self_signed(tmp_path)
        options = ["--port", "0", "--scenario", scenario, "--certificate", certificate, "--key", key]
        command = [*COMMAND, *map(str, options)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
            assert process.stdout
            assert process.stderr
            url = process.stdout.readline().split()[1].removesuffix("/rest/1/secretcode/")
            with requests.Session() as session:
                session.trust_env, session.verify = False, str(certificate)
                assert len(session.get(f"{url}/sandbox/state", timeout=10).json()["bitrix24"]["chats"]) == 3
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0
            assert process.stderr.read() == ""


class TestWhatCannotBeStarted:
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (None, "No such file"),
            ("{", "is not JSON"),
            ("[]", "must be a JSON object"),
            ('{"chats": 5}', "unknown keys in the scenario: ['chats']"),
            ('{"bitrix24": {"chats": [{"id": 1, "owner": 4711}]}}', "4711"),
        ],
    )
    def test_what_cannot_be_started_says_what_is_wrong_with_its_scenario(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, reason: str
    ) -> None:
        scenario = tmp_path / "scenario.json"
        if content is not None:
            scenario.write_text(content)
        assert reason in refused(capsys, "--port", 0, "--scenario", scenario)

    def test_what_cannot_be_started_says_that_its_port_is_taken(self, capsys: pytest.CaptureFixture[str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            assert "Address already in use" in refused(capsys, "--port", taken.getsockname()[1])

    @pytest.mark.parametrize("port", [-1, 65536])
    def test_what_cannot_be_started_says_that_there_is_no_such_port(
        self, capsys: pytest.CaptureFixture[str], port: int
    ) -> None:
        assert "port must be 0-65535" in refused(capsys, f"--port={port}")

    def test_what_cannot_be_started_says_that_its_certificate_is_none(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        missing = tmp_path / "certificate.pem"
        assert "certificate.pem cannot be used" in refused(capsys, "--port", 0, "--certificate", missing)
        assert "a key needs its certificate" in refused(capsys, "--port", 0, "--key", missing)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Return the one line that the command prints with exit code 2, instead of serving."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert (end.value.code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("The sandbox cannot start: ")
    return err
