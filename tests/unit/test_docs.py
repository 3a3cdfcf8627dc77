# SPDX-License-Identifier: Apache-2.0
"""The documentation against the code: options, defaults, switches, keys, connections, links."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_chattransfer import exceptions
from airflow_provider_chattransfer.chats.acceptance import MAX_FAILED_POLLS
from airflow_provider_chattransfer.chats.model import Outcome
from airflow_provider_chattransfer.chats.planning import Strategy
from airflow_provider_chattransfer.chats.run import MAX_SAME_FAILURES, PAUSES_SECONDS
from airflow_provider_chattransfer.exceptions import TransferError
from airflow_provider_chattransfer.hooks.dispatch import open_platform
from airflow_provider_chattransfer.operators.accept import AcceptTransferOperator
from airflow_provider_chattransfer.operators.transfer import (
    ReassignChatsOperator,
    TransferChatOperator,
    TransferChatsOperator,
)
from airflow_provider_chattransfer.platforms.account_lock import MAX_WAIT_SECONDS
from airflow_provider_chattransfer.platforms.bitrix24 import platform as bitrix24_platform
from airflow_provider_chattransfer.platforms.coordination.opening import open_store
from airflow_provider_chattransfer.platforms.superoffice import platform as superoffice_platform
from airflow_provider_chattransfer.platforms.transport import CONNECT_TIMEOUT_SECONDS, MAX_ATTEMPTS, MAX_HINT_SECONDS
from airflow_provider_chattransfer.sandbox.bitrix24 import scenario as bitrix24_scenario
from airflow_provider_chattransfer.sandbox.bitrix24.methods import METHODS
from airflow_provider_chattransfer.sandbox.bitrix24.switches import Switches as Bitrix24Switches
from airflow_provider_chattransfer.sandbox.faults import KEYS as FAULT_KEYS
from airflow_provider_chattransfer.sandbox.faults import FaultKind
from airflow_provider_chattransfer.sandbox.sandbox import SCENARIO_KEYS
from airflow_provider_chattransfer.sandbox.superoffice import scenario as superoffice_scenario
from airflow_provider_chattransfer.sandbox.superoffice.settings import Application
from airflow_provider_chattransfer.sandbox.superoffice.switches import Switches as SuperOfficeSwitches
from airflow_provider_chattransfer.sensors.accept_transfer import AcceptTransferSensor
from airflow_provider_chattransfer.services import forms
from airflow_provider_chattransfer.triggers.accept_transfer import AcceptTransferTrigger
from tools.draw_map import parsed

from ..support import documented_connections
from ..support.ways_of_signing_in import WAYS

ROOT = Path(__file__).parent.parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
CODE = [path for path in (ROOT / "airflow_provider_chattransfer").rglob("*.py") if "sandbox" not in path.parts]
COMMON = "Options of the three transfer operators"
AIRFLOWS_OWN = "[operators] default_deferrable"
REQUIRED = "required"

PUBLIC_ERRORS: dict[str, type[BaseException]] = {
    name: kind for name, kind in vars(exceptions).items() if isinstance(kind, type) and issubclass(kind, RuntimeError)
}

Row = list[str]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def names_in(table: list[Row]) -> list[str]:
    """Return the names in the first column of a table."""
    return [name for row in table for name in re.findall(r"`(\w+)`", row[0])]


def section(text: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one of its rank or a higher one."""
    start = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert start, f"there is no heading {heading!r}"
    rest = text[start.end() :]
    end = re.search(rf"^#{{1,{len(start[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def tables(text: str, first_column: str) -> Iterator[list[Row]]:
    """Yield the rows of each table whose first column has this title."""
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, _, *rows = ([cell.strip() for cell in line.strip("|").split(" | ")] for line in block.splitlines())
        if head[0].strip() == first_column:
            yield rows


def code(cell: str) -> str:
    """Return the text of a cell without its backticks; a cell of words stays as it is."""
    return cell[1:-1] if cell.startswith("`") and cell.endswith("`") and cell.count("`") == 2 else cell


def documented(text: str, first_column: str, *columns: int) -> dict[str, tuple[str, ...]]:
    """Return the tables with this first column as one mapping from it to other columns."""
    rows = [row for table in tables(text, first_column) for row in table]
    found = {code(row[0]): tuple(code(row[column]) for column in columns) for row in rows}
    assert len(found) == len(rows), "a name is there twice"
    return found


def declared(kind: type) -> dict[str, str]:
    """Return the arguments that the class itself names, with their defaults as the documentation writes them."""
    parameters = inspect.signature(inspect.unwrap(vars(kind)["__init__"])).parameters
    return {name: _default(name, each) for name, each in parameters.items() if each.kind is each.KEYWORD_ONLY}


def _default(name: str, parameter: inspect.Parameter) -> str:
    if name == "deferrable":
        return AIRFLOWS_OWN
    if parameter.default is parameter.empty:
        return REQUIRED
    return json.dumps(parameter.default) if isinstance(parameter.default, str) else repr(parameter.default)


OPERATORS = {
    "TransferChatOperator": TransferChatOperator,
    "TransferChatsOperator": TransferChatsOperator,
    "ReassignChatsOperator": ReassignChatsOperator,
    "AcceptTransferOperator": AcceptTransferOperator,
    "AcceptTransferSensor": AcceptTransferSensor,
}
CLASSES: dict[str, type] = {
    **OPERATORS,
    COMMON: TransferChatOperator.__base__ or object,
    "AcceptTransferTrigger": AcceptTransferTrigger,
}


class TestOperatorsPage:
    @pytest.mark.parametrize("heading", CLASSES)
    def test_the_operators_page_has_every_option_with_its_default_and_no_other(self, heading: str) -> None:
        options = documented(section(page("operators.md"), heading), "Option", 2)
        assert {name: default for name, (default,) in options.items()} == declared(CLASSES[heading])

    @pytest.mark.parametrize("heading", OPERATORS)
    def test_the_operators_page_says_which_options_are_templated(self, heading: str) -> None:
        options = documented(section(page("operators.md"), heading), "Option", 3)
        if issubclass(OPERATORS[heading], CLASSES[COMMON]):
            options |= documented(section(page("operators.md"), COMMON), "Option", 3)
        templated = {
            "dry_run_only" if name == "dry_run" else name for name, (word,) in options.items() if word == "yes"
        }
        assert templated == set(vars(OPERATORS[heading])["template_fields"])
        assert {word for (word,) in options.values()} <= {"yes", "no"}

    @pytest.mark.parametrize("heading", [heading for heading in CLASSES if heading != COMMON])
    def test_the_operators_page_says_where_each_class_is(self, heading: str) -> None:
        kind = CLASSES[heading]
        assert f"`{kind.__module__}.{kind.__qualname__}`" in section(page("operators.md"), heading)

    def test_the_operators_page_has_every_strategy(self) -> None:
        assert set(documented(page("operators.md"), "Strategy", 1)) == set(Strategy)

    @pytest.mark.parametrize("text", [page("operators.md"), (ROOT / "README.md").read_text()])
    def test_the_operators_page_and_the_readme_have_every_outcome(self, text: str) -> None:
        assert list(documented(text, "Outcome", 1)) == list(Outcome)

    def test_the_operators_page_says_how_many_polls_may_fail(self) -> None:
        told = re.findall(r"(?:when|or) (\d+)(?: \w+)? in a row", page("operators.md") + page("errors.md"))
        assert told == [str(MAX_FAILED_POLLS)] * 2


class TestErrorsPage:
    def test_the_errors_page_has_every_public_error_and_no_other(self) -> None:
        rows = [name for table in tables(section(page("errors.md"), "The errors"), "Error") for name in names_in(table)]
        assert sorted(rows) == sorted({"ValueError", *PUBLIC_ERRORS} - {"TransferError", "PlatformError"})

    def test_the_errors_page_says_of_each_whether_it_is_retried(self) -> None:
        rows = [row for table in tables(section(page("errors.md"), "The errors"), "Error") for row in table]
        for row in rows:
            (name,) = names_in([row])
            kind = PUBLIC_ERRORS.get(name)
            permanent = kind.permanent if kind is not None and issubclass(kind, TransferError) else name == "ValueError"
            assert row[2].startswith("no" if permanent else "yes"), name

    def test_the_errors_page_shows_who_inherits_from_whom(self) -> None:
        drawn = re.findall(r"^([│ ├└─]*)(\w+Error)", section(page("errors.md"), "The hierarchy"), re.MULTILINE)
        above: list[str] = []
        for branch, name in drawn:
            above[len(branch) // 4 :] = [name]
            assert PUBLIC_ERRORS[name].__mro__[1].__name__ == (above[-2] if len(above) > 1 else "RuntimeError"), name
        assert {name for _, name in drawn} == set(PUBLIC_ERRORS) - {"RecordTakenOverError"}


class TestPeople:
    @pytest.mark.parametrize("path", [*PAGES, *CODE], ids=lambda path: path.name)
    def test_people_are_they_in_the_docs(self, path: Path) -> None:
        assert not re.findall(r"\b(?:he|him|his|himself|she|her|hers|herself)\b", path.read_text(), re.IGNORECASE)


class TestSandboxPage:
    @pytest.mark.parametrize(
        ("service", "switches"), [("Bitrix24", Bitrix24Switches), ("SuperOffice", SuperOfficeSwitches)]
    )
    def test_the_sandbox_page_has_every_switch_with_its_default_and_no_other(self, service: str, switches: Any) -> None:
        told = documented(section(page("sandbox.md"), f"{service}: switches"), "Switch", 1)
        defaults = {each.name: each.default for each in fields(switches)}
        assert {name: json.loads(default) for name, (default,) in told.items()} == defaults

    @pytest.mark.parametrize(
        ("service", "scenario"), [("Bitrix24", bitrix24_scenario), ("SuperOffice", superoffice_scenario)]
    )
    def test_the_sandbox_page_has_every_key_of_a_scenario_and_no_other(self, service: str, scenario: Any) -> None:
        text = section(page("sandbox.md"), f"{service}: keys")
        assert set(documented(text, "Key", 1)) == scenario.KEYS
        assert set(documented(text, "Operator key", 1)) == scenario.OPERATOR_KEYS
        assert set(documented(text, "Queue key", 1)) == scenario.QUEUE_KEYS
        assert set(documented(text, "Chat key", 1)) == scenario.CHAT_KEYS

    def test_the_sandbox_page_has_every_method_of_bitrix24_and_no_other(self) -> None:
        rows = [row for table in tables(section(page("sandbox.md"), "Bitrix24: methods"), "Method") for row in table]
        told = [name for row in rows for name in re.findall(r"`([\w.]+)`", row[0])]
        assert sorted(told) == sorted(method.name for method in METHODS.values())

    def test_the_sandbox_page_has_every_key_of_an_application_with_its_default(self) -> None:
        told = documented(section(page("sandbox.md"), "SuperOffice: keys"), "Application key", 1)
        own = {each.name: each.default for each in fields(Application)}
        assert told.pop("public_key") == ("that of the sandbox",)
        assert own.pop("public_key") is None
        assert {name: json.loads(default) for name, (default,) in told.items()} == own

    def test_the_sandbox_page_has_every_top_level_key(self) -> None:
        start = section(page("sandbox.md"), "Scenario").partition("### People")[0]
        assert set(documented(start, "Key", 1)) == SCENARIO_KEYS

    def test_the_sandbox_page_has_every_key_of_a_fault(self) -> None:
        assert set(documented(section(page("sandbox.md"), "Faults"), "Key", 1)) == FAULT_KEYS

    def test_the_sandbox_page_has_every_kind_of_fault(self) -> None:
        told = documented(page("sandbox.md"), "Kind", 2)
        assert set(told) == set(FaultKind)
        applied = {kind for kind, (carried_out,) in told.items() if carried_out.startswith("yes")}
        assert applied == {kind for kind in FaultKind if kind.applied} | {FaultKind.DELAY_BEFORE}


@cache
def known_tests(folder: Path) -> set[str]:
    """Return the tests in the classes of a folder, as ``test_file.py::TestClass::test_name``."""
    return {
        f"{file.name}::{kind.name}::{test.name}"
        for file in folder.glob("test_*.py")
        for kind in parsed(file).body
        if isinstance(kind, ast.ClassDef)
        for test in kind.body
        if isinstance(test, ast.FunctionDef)
    }


class TestTheRules:
    """The table of rules and the tests that hold them."""

    def rules(self) -> list[Row]:
        text = section(page("sandbox.md"), "Rules and the tests that hold them")
        return [row for table in tables(text, "Rule") for row in table]

    def test_every_rule_is_held_by_a_test(self) -> None:
        assert [rule for rule, tests in self.rules() if not re.fullmatch(r"`[^`]+`(, `[^`]+`)*", tests.strip())] == []

    def test_every_test_that_is_named_exists(self) -> None:
        named = {name for _, tests in self.rules() for name in re.findall(r"`([^`]+)`", tests)}
        assert named - known_tests(ROOT / "tests" / "sandbox") == set()


class TestTheGuarantees:
    """Every promise and every row of the matrix names tests that exist."""

    def test_each_promise_is_held_by_tests(self) -> None:
        text = page("guarantees.md")
        held = documented(section(text, "The tests"), "Promise", 1)
        promised = re.findall(r"^### (\d\. .+)$", section(text, "The promises"), re.MULTILINE)
        assert list(held) == promised
        assert len(promised) == 8
        assert [promise for promise, (tests,) in held.items() if "::" not in tests] == []

    def test_every_test_that_is_named_exists(self) -> None:
        folders = [folder for folder in (ROOT / "tests").iterdir() if folder.is_dir()]
        known = {f"{folder.name}/{test}" for folder in folders for test in known_tests(folder)}
        named = set(re.findall(r"`(\w+/test_\w+\.py::[^`]+)`", page("guarantees.md")))
        assert named - known == set()
        assert len(named) > 20

    def test_the_limits_in_the_guarantees_are_those_of_the_code(self) -> None:
        told = documented(section(page("guarantees.md"), "6. Bounded"), "What", 1)
        expected = {
            "A request that may be repeated": f"{MAX_ATTEMPTS} times",
            "A hint of the service that is waited for": f"{MAX_HINT_SECONDS:.0f} s",
            "A chat that is not carried out": f"{len(PAUSES_SECONDS)} rounds, in {sum(PAUSES_SECONDS):.0f} s",
            "Chats in a row that are refused with the same code, or get no answer for the same cause": (
                f"{MAX_SAME_FAILURES},"
            ),
            "A wait in which no poll succeeds": f"{MAX_FAILED_POLLS} polls",
            "The account lock, held by another run on the same host": f"{MAX_WAIT_SECONDS:.0f} s",
        }
        assert {what: told[what][0].startswith(words) for what, words in expected.items()} == dict.fromkeys(
            expected, True
        )


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def strings() -> str:
    """All texts in the package, each as it is told; what an f-string puts in is left out."""
    trees = (parsed(file) for file in (ROOT / "airflow_provider_chattransfer").rglob("*.py"))
    texts = (each.value for tree in trees for each in ast.walk(tree) if isinstance(each, ast.Constant))
    return "\n".join(text for text in texts if isinstance(text, str))


WAYS_SHOWN = list(documented_connections.examples())
SHOWN = pytest.mark.parametrize("way", WAYS_SHOWN)


class TestConnectionsPage:
    def test_the_connections_page_shows_every_way_of_signing_in(self) -> None:
        assert [way.name for way in WAYS] == WAYS_SHOWN

    @SHOWN
    def test_the_connections_page_says_the_same_as_json_as_uri_and_in_the_environment(
        self, monkeypatch: pytest.MonkeyPatch, way: str
    ) -> None:
        from airflow.sdk import Connection

        told = []
        for form, value in documented_connections.examples()[way].items():
            monkeypatch.setenv(f"AIRFLOW_CONN_AS_{form.upper()}", value)
            connection = Connection.get(f"as_{form}")
            names = ("conn_type", "host", "port", "login", "password", "extra_dejson")
            told.append({name: getattr(connection, name) or None for name in names})
        assert told[0] == told[1] == told[2]

    def test_the_connections_page_says_the_same_of_what_hosts_share_as_json_and_as_uri(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from airflow.sdk import Connection

        text = section(page("connections.md"), "What hosts share")
        told = []
        for language in ("json", "uri"):
            (example,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
            monkeypatch.setenv(f"AIRFLOW_CONN_AS_{language.upper()}", example.strip())
            connection = Connection.get(f"as_{language}")
            told.append(
                [getattr(connection, name) for name in ("conn_type", "host", "login", "password", "extra_dejson")]
            )
        assert told[0] == told[1]
        assert open_platform("as_uri").store is open_platform("as_json").store

    def test_the_connections_page_has_an_address_of_each_kind_of_store(self) -> None:
        told = documented(page("connections.md"), "Server", 1)
        stores = {name: type(open_store(address)).__name__ for name, (address,) in told.items()}
        assert stores == {"Postgres": "PostgresStore", "Redis": "RedisStore"}

    @SHOWN
    def test_the_connections_page_has_an_example_that_opens_a_platform(
        self, monkeypatch: pytest.MonkeyPatch, way: str
    ) -> None:
        connection = json.loads(documented_connections.examples()[way]["json"])
        connection["extra"] = documented_connections.with_a_key(connection.get("extra", {}))
        monkeypatch.setenv("AIRFLOW_CONN_FROM_THE_PAGE", json.dumps(connection))
        with open_platform("from_the_page") as platform:
            assert platform.name == connection["conn_type"]

    @SHOWN
    def test_the_connections_page_tells_of_every_field_in_an_example_where_it_is_from(self, way: str) -> None:
        (text,) = (part for part in re.split(r"^### ", page("connections.md"), flags=re.M) if f"-{way}.png" in part)
        told = documented(text, "Field", 1)
        optional = {"oauth_host"}
        assert {key for (key,) in told.values()} - optional == set(documented_connections.fields(way))

    @pytest.mark.parametrize("kind", forms())
    def test_the_connections_page_has_every_field_of_the_form_by_its_label(self, kind: str) -> None:
        rows = [row for table in tables(page("connections.md"), "Field") for row in table]
        labels = {code(key): label for label, key, *_ in rows}
        own = {field.key: field.label for _, field in forms()[kind].fields()}
        told_elsewhere = {"token_store", "token_store_at", "agent_conn_id"}
        assert {key: labels.get(key) for key in own.keys() - told_elsewhere} == {
            key: label for key, label in own.items() if key not in told_elsewhere
        }
        assert all(f"`{key}`" in page("connections.md") for key in told_elsewhere)
        shown = {(label, code(key)) for label, key, *_ in rows}
        assert {(field.label, field.key) for field in forms()[kind].standard if field.key != "port"} <= shown
        ours = {(field.label, field.key) for form in forms().values() for _, field in form.fields()}
        assert shown <= ours | {(field.label, field.key) for form in forms().values() for field in form.standard}

    def test_the_connections_page_has_every_choice_of_a_token_store(self) -> None:
        told = documented(page("connections.md"), "`token_store`", 1)
        (choices,) = {field.choices for _, field in forms()["bitrix24"].fields() if field.key == "token_store"}
        assert [code(name.removesuffix(" (default)")) for name in told] == list(choices)

    def test_the_connections_page_tells_errors_that_the_code_has(self) -> None:
        known = strings()
        told = [code(row[0]) for table in tables(page("connections.md"), "It says") for row in table]
        assert [text for text in told if text not in known] == []
        assert len(told) > 20

    def test_the_connections_page_has_a_test_in_each_cell_of_its_table(self) -> None:
        rows = [row for table in tables(section(page("connections.md"), "Held by tests"), "Way") for row in table]
        folders = [folder for folder in (ROOT / "tests").iterdir() if folder.is_dir()]
        known = {f"../tests/{folder.name}/{test}" for folder in folders for test in known_tests(folder)}
        cells = {(row[0], number): cell for row in rows for number, cell in enumerate(row[1:])}
        named = {place: re.fullmatch(r"\[[^]]+\]\((\S+) \"(\S+)\"\)", cell.strip()) for place, cell in cells.items()}
        assert {place for place, test in named.items() if not test or f"{test[1]}::{test[2]}" not in known} == set()
        assert [code(row[0].strip()) for row in rows] == WAYS_SHOWN
        assert {len(row) for row in rows} == {9}


class TestFigures:
    """Numbers that the pages name are those of the code."""

    def test_the_figures_of_a_run_are_those_of_the_code(self) -> None:
        text = page("how-it-works.md")
        assert bitrix24_platform.Bitrix24Platform.chunk == superoffice_platform.SuperOfficePlatform.chunk
        sizes = (
            bitrix24_platform.Bitrix24Platform.chunk * bitrix24_platform.MAX_AT_ONCE,
            superoffice_platform.MAX_CHUNK,
        )
        assert f"in pieces: {bitrix24_platform.Bitrix24Platform.chunk} at first" in text
        assert "up to {} on Bitrix24 and {}\non SuperOffice".format(*sizes) in text
        most = (bitrix24_platform.MAX_AT_ONCE, superoffice_platform.MAX_AT_ONCE)
        assert "at most {} on\nBitrix24 and {} on SuperOffice".format(*most) in text
        assert "after {:.0f}, {:.0f}, {:.0f} and {:.0f} seconds".format(*PAUSES_SECONDS[1:]) in text
        assert f"{['no', 'one', 'two', 'three', 'four', 'five'][len(PAUSES_SECONDS)]} rounds" in text
        assert f"longer than {MAX_HINT_SECONDS:.0f} s" in text
        assert MAX_ATTEMPTS == 12
        assert text.count("up to twelve times") == 2
        assert f"A connection must be made within {CONNECT_TIMEOUT_SECONDS:.0f} s" in text

    def test_the_figures_of_the_limits_are_those_of_the_code(self) -> None:
        text = page("how-it-works.md")
        for name, platform in (("Bitrix24", bitrix24_platform), ("SuperOffice", superoffice_platform)):
            limit = platform.RATE_LIMIT
            assert f"| {name} | {limit.per_second:.0f} requests per second, {limit.burst} at once |" in text
            assert f"{platform.READ_TIMEOUT_SECONDS:.0f} s on {name}" in text
            told = documented(section(page("connections.md"), "Both types"), "Field", 2)
            assert f"{limit.per_second:.0f} for {name}" in told["Requests per second"][0]
            assert f"{limit.burst} for {name}" in told["Burst"][0]
            assert re.search(rf"\b{platform.READ_TIMEOUT_SECONDS:.0f} for {name}", told["Timeout"][0])


def anchors(markdown: str) -> set[str]:
    """Return the anchors that GitHub gives to headings."""
    titles = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", markdown, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


class TestLinks:
    @pytest.mark.parametrize("source", PAGES, ids=lambda path: path.name)
    def test_every_link_leads_to_a_page_or_heading(self, source: Path) -> None:
        for link in re.findall(r"\]\(([^)\s]+)\)", source.read_text()):
            if "://" in link:
                continue
            path, _, anchor = link.partition("#")
            target = (source.parent / path).resolve() if path else source
            assert target.exists(), link
            assert target.is_relative_to(ROOT), link
            assert not anchor or anchor in anchors(target.read_text()), link

    def test_every_page_is_in_the_index(self) -> None:
        pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
        assert pages <= set(re.findall(r"\]\(([\w-]+\.md)\)", page("index.md")))
        contributing = ROOT / "docs" / "contributing"
        pages = {path.relative_to(contributing).as_posix() for path in contributing.rglob("*.md")} - {"README.md"}
        assert pages <= set(re.findall(r"\]\(([\w/-]+\.md)\)", page("contributing/README.md")))

    @pytest.mark.parametrize("source", PAGES, ids=lambda path: path.name)
    def test_python_examples_are_python(self, source: Path) -> None:
        for block in blocks(source.read_text(), "python"):
            compile(block, str(source), "exec")
