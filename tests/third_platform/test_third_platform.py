# SPDX-License-Identifier: Apache-2.0
"""A third service works whole, by what is in its folder and one line of registration."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jsonschema
import pytest

from airflow_provider_chattransfer import services
from airflow_provider_chattransfer.__main__ import main
from airflow_provider_chattransfer.connection_forms import Kind
from airflow_provider_chattransfer.exceptions import ChatsNotTransferredError, CredentialsError
from airflow_provider_chattransfer.get_provider_info import get_provider_info
from airflow_provider_chattransfer.hooks.connections import get_connection
from airflow_provider_chattransfer.operators.accept import AcceptTransferOperator
from airflow_provider_chattransfer.operators.transfer import ReassignChatsOperator, TransferChatOperator
from airflow_provider_chattransfer.platforms.account_lock import AccountLock
from airflow_provider_chattransfer.sensors.accept_transfer import AcceptTransferSensor

from ..airflow.conftest import Ran, a_dag, run, run_one
from ..support.airflow_forms import fields_in_airflow_3_1
from .conftest import CONN, connection
from .form import FORM
from .hook import HelpwaveHook
from .sandbox import KEY, Account

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent
PAGE = ROOT / "docs" / "add-a-platform.md"
CODE = ("airflow_provider_chattransfer", "tests", "demo", "example_dags")


def outcomes(ran: Ran) -> dict[str, str]:
    """Return the outcome of each chat of a report."""
    return {entry["chat_id"]: entry["outcome"] for entry in ran.results["task"]["transfers"]}


class TestTheConnection:
    def test_the_connection_is_tested_by_the_button_and_by_the_command_line(
        self, account: Account, capsys: pytest.CaptureFixture[str]
    ) -> None:
        good, told = HelpwaveHook(CONN).test_connection()
        assert good
        assert told.startswith(f"Signed in to {account.url}/accounts/1 as agent 7. It can transfer and wait.")
        assert main(["test-connection", CONN]) == 0
        assert "Signed in to" in capsys.readouterr().out
        assert main(["list-teams", CONN]) == 0
        assert capsys.readouterr().out == "queue:3\n"

    def test_the_connection_with_a_wrong_key_says_so_and_does_not_show_it(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_HELPDESK", connection(account.url, agent_key="Wrong-key-of-anna"))
        good, told = HelpwaveHook(CONN).test_connection()
        assert not good
        assert "does not take the agent_key" in told
        assert "In the form, agent_key is Agent's key." in told
        assert "Wrong-key" not in told

    @pytest.mark.parametrize(
        ("field", "value", "told"),
        [
            ("account_id", "one", r"Account \(account_id\): "),
            ("agent_key", "", r"Agent's key \(agent_key\): missing"),
            ("agent_key", "a key", r"Agent's key \(agent_key\): holds a space"),
            ("timeout", -1, r"Timeout \(timeout\): "),
        ],
    )
    def test_the_connection_with_a_wrong_field_is_refused_by_its_label(
        self, account: Account, monkeypatch: pytest.MonkeyPatch, field: str, value: Any, told: str
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_HELPDESK", connection(account.url, **{field: value}))
        with pytest.raises(ValueError, match=told):
            HelpwaveHook(CONN).get_conn()

    def test_the_connection_has_its_secrets_masked(self, account: Account) -> None:
        masked: list[str] = []
        with patch("airflow_provider_chattransfer.hooks.masking._mask", masked.append):
            get_connection(CONN)
        assert KEY in masked

    def test_the_connection_has_its_tokens_masked(self, account: Account) -> None:
        masked: list[str] = []
        account.token = "token-that-nobody-may-read"
        with patch("airflow_provider_chattransfer.hooks.masking._mask", masked.append):
            HelpwaveHook(CONN).test_connection()
        assert account.token in masked


class TestWhatAirflowIsTold:
    def test_what_airflow_is_told_is_valid_and_has_the_service(self) -> None:
        info = get_provider_info()
        schema = json.loads(resources.files("airflow").joinpath("provider_info.schema.json").read_text())
        jsonschema.validate(info, schema)
        (told,) = (each for each in info["connection-types"] if each["connection-type"] == HelpwaveHook.conn_type)
        assert told["hook-class-name"] == f"{HelpwaveHook.__module__}.{HelpwaveHook.__qualname__}"
        assert told["conn-fields"]["agent_key"]["schema"]["format"] == "password"
        assert told["ui-field-behaviour"]["hidden-fields"] == ["schema", "login", "password"]
        for kind in ("integrations", "hooks", "operators", "sensors", "triggers"):
            assert "Helpwave" in [each["integration-name"] for each in info[kind]]
        assert "SuperOffice chat and Helpwave" in info["description"]

    def test_what_airflow_is_told_is_shown_as_a_form(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
        from airflow.providers_manager import ProvidersManager

        monkeypatch.setattr(ProvidersManager, "_instance", None)
        monkeypatch.setattr(ProvidersManager, "_initialized", False)
        shown = {each.connection_type: each for each in HookMetaService.hook_meta_data()}[HelpwaveHook.conn_type]
        assert list(shown.extra_fields or {}) == [field.key for _, field in FORM.fields()]
        assert shown.standard_fields is not None
        assert shown.standard_fields.password is not None
        assert shown.standard_fields.password.hidden

    def test_what_airflow_is_told_has_the_same_fields_for_airflow_3_1(self) -> None:
        shown = fields_in_airflow_3_1(HelpwaveHook)
        assert list(shown) == list(FORM.conn_fields())
        secret = {field.key for _, field in FORM.fields() if field.kind is Kind.SECRET}
        assert {key for key, field in shown.items() if field["schema"].get("format") == "password"} == secret
        assert HelpwaveHook.get_ui_field_behaviour()["hidden_fields"] == ["schema", "login", "password"]


class TestTheOperators:
    def test_reassign_all_chats_of_an_agent(self, account: Account) -> None:
        ran = run_one(ReassignChatsOperator, conn_id=CONN, from_agents=["agent:anna"], to=["agent:BEN@acme.example"])
        assert ran.state == "success"
        assert outcomes(ran) == dict.fromkeys(("101", "102", "103", "104"), "accepted")
        assert {account.conversations[number]["assignee"] for number in range(101, 105)} == {12}
        assert account.assignments == [{"id": number, "assignee_id": 12} for number in range(101, 105)]

    def test_the_operators_send_nothing_in_a_dry_run(self, account: Account) -> None:
        ran = run_one(ReassignChatsOperator, conn_id=CONN, from_agents=["7"], to=["agent:12"], dry_run=True)
        assert set(outcomes(ran).values()) == {"planned"}
        assert account.assignments == []

    @pytest.mark.parametrize("deferrable", [False, True])
    def test_the_operators_wait_until_somebody_of_a_team_picks_the_chat_up(
        self, account: Account, deferrable: bool
    ) -> None:
        ran = run_one(
            TransferChatOperator,
            conn_id=CONN,
            chat_id=101,
            to="queue:night shift",
            wait_for_acceptance=True,
            accept_within=timedelta(seconds=20),
            poll_interval=0.05,
            deferrable=deferrable,
        )
        assert outcomes(ran) == {"101": "accepted"}
        assert account.assignments == [{"id": 101, "team_id": 3}]

    def test_report_what_they_cannot_move(self, account: Account) -> None:
        with a_dag() as dag:
            for chat_id in (131, 999):
                TransferChatOperator(task_id=f"chat_{chat_id}", conn_id=CONN, chat_id=chat_id, to="agent:12")
        ran = run(dag)
        assert ran.results["chat_131"]["transfers"][0]["outcome"] == "skipped"
        assert ran.results["chat_999"]["transfers"][0]["outcome"] == "failed"
        assert isinstance(ran.errors["chat_999"], ChatsNotTransferredError)

    def test_the_operators_fail_at_once_with_a_wrong_key(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_HELPDESK", connection(account.url, agent_key="Wrong-key-of-anna"))
        ran = run_one(TransferChatOperator, conn_id=CONN, chat_id=101, to="agent:12", retries=2)
        assert ran.state == "failed"
        assert isinstance(ran.errors["task"], CredentialsError)
        assert account.assignments == []

    def test_the_operators_send_a_request_again_when_its_token_has_run_out(self, account: Account) -> None:
        HelpwaveHook(CONN).test_connection()
        account.token = "token-2"
        ran = run_one(TransferChatOperator, conn_id=CONN, chat_id=101, to="agent:12")
        assert outcomes(ran) == {"101": "accepted"}
        assert account.assignments == [{"id": 101, "assignee_id": 12}]

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"to": "queue"}, "queue is not possible on Helpwave"),
            ({"to": "agent:bem"}, r"did you mean agent:12 \(ben\)"),
            ({"to": "agent:12", "bot_leaves": True}, "bot_leaves: a connection of type helpwave has no such option"),
            ({"to": "agent:12", "chat_id": "crm:deal:42"}, "by its number only"),
        ],
    )
    def test_refuse_what_the_service_does_not_have(self, account: Account, options: dict[str, Any], told: str) -> None:
        ran = run_one(TransferChatOperator, conn_id=CONN, **{"chat_id": 101, **options})
        assert ran.state == "failed"
        with pytest.raises(ValueError, match=told):
            raise ran.errors["task"]
        assert account.assignments == []

    def test_the_operators_send_nothing_while_another_run_has_the_lock_of_the_account(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airflow_provider_chattransfer.platforms.account_lock.MAX_WAIT_SECONDS", 0.1)
        other = AccountLock(HelpwaveHook(CONN).get_conn().account, run="another run", since=0.0)
        other.acquire()
        ran = run_one(TransferChatOperator, conn_id=CONN, chat_id=101, to="agent:12")
        other.close()
        assert outcomes(ran) == {"101": "failed"}
        assert account.assignments == []

    def test_accept_for_the_agent_of_the_connection(self, account: Account) -> None:
        account.conversations[101].update(assignee=None, team=3, waited=-100)
        ran = run_one(AcceptTransferOperator, conn_id=CONN, chat_id=101)
        assert outcomes(ran) == {"101": "accepted"}
        assert account.assignments == [{"id": 101, "assignee_id": 7}]


class TestTheSensor:
    def test_the_sensor_waits_for_what_an_operator_has_sent(self, account: Account) -> None:
        with a_dag() as dag:
            moved = TransferChatOperator(task_id="move", conn_id=CONN, chat_id=101, to="queue:3")
            AcceptTransferSensor(task_id="task", conn_id=CONN, transfers=moved.output, poll_interval=0.05)
        ran = run(dag)
        assert ran.results["move"]["transfers"][0]["outcome"] == "requested"
        assert outcomes(ran) == {"101": "accepted"}


def blocks(text: str) -> list[str]:
    """Return the blocks of Python in a page."""
    return [block.partition("```")[0] for block in text.split("```python\n")[1:]]


def without_space(text: str) -> str:
    """Return ``text`` without its white space, which depends on how far a line is indented."""
    return "".join(text.split())


class TestThePage:
    @pytest.mark.parametrize("block", blocks(PAGE.read_text()), ids=lambda block: block.splitlines()[1].strip()[:40])
    def test_the_page_shows_code_of_this_folder(self, block: str) -> None:
        first, _, code = block.partition("\n")
        assert without_space(code) in without_space((FOLDER / first.removeprefix("# ")).read_text())

    def test_the_page_names_every_module_that_is_written(self) -> None:
        modules = {path.name for path in FOLDER.glob("*.py")} - {"__init__.py", "conftest.py"}
        assert [name for name in modules if name not in PAGE.read_text()] == []


class TestTheHouse:
    def test_the_house_names_the_third_service_in_its_folder_and_its_page_only(self) -> None:
        code = [path for folder in CODE for path in (ROOT / folder).rglob("*.py") if FOLDER not in path.parents]
        pages = [path for path in ROOT.rglob("docs/**/*.md") if path != PAGE]
        naming = [str(path) for path in [*code, *pages] if HelpwaveHook.conn_type in path.read_text().lower()]
        assert len(code) > 100
        assert naming == []

    def test_the_house_knows_it_by_one_line_without_importing_what_speaks_to_it(self) -> None:
        code = (
            "import sys; from airflow_provider_chattransfer import services;"
            "services.SERVICE_MODULES += ('tests.third_platform.service',);"
            "from airflow_provider_chattransfer.get_provider_info import get_provider_info; info = get_provider_info();"
            "heavy = {'airflow', 'requests', 'pydantic', 'wtforms'} & {name.partition('.')[0] for name in sys.modules};"
            "print(len(info['connection-types']), sorted(heavy))"
        )
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
        assert told.stdout.split() == [str(len(services.SERVICE_MODULES)), "[]"]
