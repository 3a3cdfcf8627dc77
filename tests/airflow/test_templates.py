# SPDX-License-Identifier: Apache-2.0
"""What is rendered of templated fields: what Airflow renders; no template is compiled where there is none."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseOperator
from airflow.sdk import DAG, task
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import Environment
from jinja2.ext import Extension

from airflow_provider_chattransfer.operators.accept import AcceptTransferOperator
from airflow_provider_chattransfer.operators.transfer import (
    ReassignChatsOperator,
    TransferChatOperator,
    TransferChatsOperator,
)
from airflow_provider_chattransfer.sensors.accept_transfer import AcceptTransferSensor

from .conftest import Sandbox, a_dag, run


class Shouting(Extension):
    """Rewrites every source, as an extension of a DAG may."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return source.replace("a", "A")


ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "as usual": {},
    "native": {"render_template_as_native_obj": True},
    "other delimiters": {"jinja_environment_kwargs": {"variable_start_string": "<<", "variable_end_string": ">>"}},
    "line statements": {"jinja_environment_kwargs": {"line_statement_prefix": "#", "line_comment_prefix": "//"}},
    "line ends kept": {"jinja_environment_kwargs": {"keep_trailing_newline": True}},
    "an extension": {"jinja_environment_kwargs": {"extensions": [Shouting]}},
}
PIECES = ("{{ n }}", "{% if n %}yes{% endif %}", "{# no #}", "<< n >>", "# set m = n", "// no", "\n", "\r", " ", "a",
          "agent:12", "12", "None", "[1, 2]", "'", "{", "}", "<", "#", "/", "é", "0")  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=4).map("".join)


def rendering(operator: Any, **options: Any) -> Any:
    """Return the ``render_template`` of a task of a DAG with these options."""
    with DAG(dag_id="dag", schedule=None, start_date=datetime(2026, 1, 1), **options):
        return operator(task_id="task").render_template


def ours(task_id: str) -> TransferChatsOperator:
    return TransferChatsOperator(task_id=task_id, conn_id="bitrix24_default", transfers=[])


def rendered(render: Any, *arguments: Any) -> Any:
    try:
        return render(*arguments)
    except Exception as error:
        return type(error)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the texts of which Jinja makes a template."""
    counts: Counter[str] = Counter()
    from_string = Environment.from_string

    def counting(self: Environment, source: Any, *arguments: Any, **options: Any) -> Any:
        counts[source] += 1
        return from_string(self, source, *arguments, **options)

    monkeypatch.setattr(Environment, "from_string", counting)
    return counts


class TestStrings:
    @pytest.mark.parametrize("options", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(text=TEXTS)
    def test_strings_are_rendered_as_airflow_does(self, options: dict[str, Any], text: str) -> None:
        context: Any = {"n": 7}
        expected = rendered(rendering(BaseOperator, **options), text, context)
        got = rendered(rendering(ours, **options), text, context)
        assert (got, type(got)) == (expected, type(expected))

    def test_strings_that_name_a_file_are_rendered_from_it(self, tmp_path: Path) -> None:
        (tmp_path / "chats.txt").write_text("[{{ n }}]")

        class WithFiles(TransferChatsOperator):
            template_ext = (".txt",)

        with DAG(dag_id="dag", schedule=None, start_date=datetime(2026, 1, 1), template_searchpath=str(tmp_path)):
            operator = WithFiles(task_id="task", conn_id="c", transfers="chats.txt")
        context: Any = {"n": 7}
        assert operator.render_template("chats.txt", context) == "[7]"

    @pytest.mark.parametrize("options", [{}, ENVIRONMENTS["native"]], ids=["as usual", "native"])
    def test_strings_without_a_template_are_not_compiled(self, compiled: Counter[str], options: dict[str, Any]) -> None:
        rows: list[Any] = [{"chat_id": 1000 + each, "to": "agent:12", "from": "agent:7"} for each in range(5000)]
        rows[4321]["to"] = "agent:{{ n }}"
        context: Any = {"n": 15}
        got = rendering(ours, **options)(rows, context)
        assert compiled == {"agent:{{ n }}": 1}
        assert (got[4321]["to"], got[0]["to"], len(got)) == ("agent:15", "agent:12", 5000)

    @pytest.mark.parametrize(
        "make",
        [
            lambda: TransferChatOperator(task_id="task", conn_id="c", chat_id="1", to="agent:12"),
            lambda: ReassignChatsOperator(task_id="task", conn_id="c", from_agents=["agent:7"], to=["agent:12"]),
            lambda: AcceptTransferOperator(task_id="task", conn_id="c", chat_id="1"),
            lambda: AcceptTransferSensor(task_id="task", conn_id="c", transfers=[{"chat_id": "1", "to": "agent:12"}]),
        ],
    )
    def test_strings_of_every_operator_are_not_compiled(self, compiled: Counter[str], make: Any) -> None:
        with a_dag():
            operator = make()
        operator.render_template_fields({})
        assert not compiled


class TestRealTasks:
    def test_real_tasks_render_lists_mapped_or_not(self, sandbox: Sandbox, compiled: Counter[str]) -> None:
        sandbox.reset(bitrix24={"chats": [{"id": 1000 + each, "owner": 7, "queue": 3} for each in range(4)]})
        with a_dag() as dag:

            @task
            def receiver() -> str:
                return "queue:4"

            told = receiver()
            TransferChatsOperator(
                task_id="list",
                conn_id="bitrix24_default",
                transfers=[{"chat_id": 1000, "to": told}, {"chat_id": "{{ 1000 + 1 }}", "to": "queue:4"}],
            )
            TransferChatsOperator.partial(task_id="mapped", conn_id="bitrix24_{{ 'default' }}").expand(
                transfers=[
                    [{"chat_id": "{{ 1000 + 2 }}", "to": "queue:4"}],
                    [{"chat_id": 1003, "to": "queue:4"}],
                ]
            )
        ran = run(dag)
        assert ran.state == "success", ran.errors
        assert sorted(sandbox.sent("bitrix24")) == ["1000", "1001", "1002", "1003"]
        assert "queue:4" not in compiled
