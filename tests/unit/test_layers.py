# SPDX-License-Identifier: Apache-2.0
"""Arrows point down only, and the sandbox shares no line with what it checks."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.draw_map import PACKAGE, ROOT, imports_of, parsed

MAY_IMPORT = {
    "shortening": set[str](),
    "connection_forms": set[str](),
    "service_info": {"connection_forms"},
    "services": {"connection_forms", "service_info"},
    "get_provider_info": {"services"},
    "commands": {"airflow_internals", "exceptions", "hooks", "service_info", "services"},
    "airflow_cli": {"commands"},
    "exceptions": {"shortening"},
    "retry_decision": {"exceptions"},
    "airflow_internals": {"exceptions"},
    "chats": {"chats", "exceptions", "shortening"},
    "platforms": {
        "chats",
        "exceptions",
        "retry_decision",
        "platforms",
        "connection_forms",
        "service_info",
        "__version__",
    },
    "retry_policy": {"exceptions", "retry_decision"},
    "hooks": {
        "airflow_internals",
        "chats",
        "exceptions",
        "platforms",
        "hooks",
        "services",
        "service_info",
        "connection_forms",
    },
    "tasks": {
        "airflow_internals",
        "chats",
        "exceptions",
        "retry_decision",
        "shortening",
        "platforms",
        "hooks",
        "retry_policy",
        "tasks",
    },
    "triggers": {"chats", "exceptions", "retry_decision", "platforms", "hooks", "tasks", "triggers"},
    "operators": {"chats", "exceptions", "shortening", "platforms", "hooks", "triggers", "tasks", "operators"},
    "sensors": {"chats", "exceptions", "platforms", "hooks", "triggers", "tasks", "sensors"},
    "sandbox": {"sandbox"},
    "testing": {"testing"},
}
PUBLIC_AIRFLOW = ("airflow.sdk", "airflow.triggers.base", "airflow.providers.common.compat")
"""What Airflow promises to keep; of ``airflow.sdk`` only the package itself."""

SPEAKS_HTTP = {"requests", "urllib3", "httpx", "aiohttp"}


def module_of(file: Path) -> str:
    """Return the full name of a module of ours."""
    path = file.relative_to(ROOT).with_suffix("")
    return ".".join([PACKAGE, *(path.parts[:-1] if path.name == "__init__" else path.parts)])


def internals_in(file: Path) -> Iterator[str]:
    """Yield the modules and private names of Airflow that a file uses beside its public interface, also in texts."""
    for node in ast.walk(parsed(file)):
        match node:
            case ast.ImportFrom(module=str(name), names=names, level=0) if name.split(".")[0] == "airflow":
                private = [each.name for each in names if each.name.startswith("_")]
                public = name == "airflow.sdk" or name.startswith(PUBLIC_AIRFLOW[1:])
                yield from private if public else [name]
            case ast.Import(names=names):
                yield from (each.name for each in names if each.name.startswith("airflow."))
            case ast.Constant(value=str(text)) if re.fullmatch(r"airflow\.[\w.]+|_AIRFLOW_\w+|SUPERVISOR_COMMS", text):
                yield text


def files_in(layer: str) -> list[Path]:
    return sorted((ROOT / layer).rglob("*.py")) or [ROOT / f"{layer}.py"]


class TestLayers:
    @pytest.mark.parametrize("layer", MAY_IMPORT)
    def test_layers_import_only_what_is_below_them(self, layer: str) -> None:
        for file in files_in(layer):
            ours = {name.split(".")[1] for name in imports_of(file) if name.startswith(f"{PACKAGE}.")}
            assert ours <= MAY_IMPORT[layer], f"{file.name} imports {sorted(ours - MAY_IMPORT[layer])}"

    def test_modules_import_each_other_in_no_circle(self) -> None:
        graph = {module_of(file): set(imports_of(file)) for file in ROOT.rglob("*.py")}
        while free := [module for module, below in graph.items() if not below & graph.keys()]:
            for module in free:
                del graph[module]
        assert sorted(graph) == []

    def test_nothing_of_ours_imports_the_sandbox_but_itself(self) -> None:
        for file in ROOT.rglob("*.py"):
            if ROOT / "sandbox" not in file.parents:
                assert not [name for name in imports_of(file) if name.startswith(f"{PACKAGE}.sandbox")], file.name

    @pytest.mark.parametrize("layer", ["chats", "platforms", "sandbox"])
    def test_below_the_hooks_nothing_knows_airflow(self, layer: str) -> None:
        for file in files_in(layer):
            assert not [name for name in imports_of(file) if name.split(".")[0] == "airflow"], file.name

    def test_only_airflow_internals_uses_what_airflow_does_not_promise(self) -> None:
        for file in ROOT.rglob("*.py"):
            if file.name not in ("airflow_internals.py", "airflow_cli.py"):
                assert not list(internals_in(file)), file.name

    @pytest.mark.parametrize(
        "line",
        [
            "from airflow.models.variable import Variable",
            "from airflow.sdk.execution_time import task_runner",
            "import airflow.utils.session",
            "from airflow._shared import secrets_masker",
            "from airflow.sdk import _internal",
            'sys.modules.get("airflow._shared.secrets_masker")',
            'os.environ["_AIRFLOW_PROCESS_CONTEXT"]',
        ],
    )
    def test_an_internal_of_airflow_is_recognised(self, tmp_path: Path, line: str) -> None:
        (file := tmp_path / "module.py").write_text(f"def later():\n    {line}\n")
        assert list(internals_in(file))

    @pytest.mark.parametrize("layer", [layer for layer in MAY_IMPORT if layer not in ("platforms", "testing")])
    def test_http_is_spoken_in_platforms_only(self, layer: str) -> None:
        for file in files_in(layer):
            assert not {name.split(".")[0] for name in imports_of(file)} & SPEAKS_HTTP, file.name


SERVICES = ("bitrix24", "superoffice")
OF_ONE_SERVICE = [*(f"platforms/{name}" for name in SERVICES), *(f"hooks/{name}.py" for name in SERVICES)]
OF_THE_SANDBOX = ["sandbox", "testing"]
WHERE_THEY_ARE_NAMED = {
    "services.py": "the list of services",
    "chats/references.py": "what an error says of references",
}


class TestAService:
    @pytest.mark.parametrize("service", SERVICES)
    def test_a_service_is_imported_by_its_own_files_only(self, service: str) -> None:
        for file in ROOT.rglob("*.py"):
            if file.relative_to(ROOT).as_posix().startswith((f"platforms/{service}", f"hooks/{service}.py", "sandbox")):
                continue
            own = [name for name in imports_of(file) if service in name.split(".")]
            assert own == [], f"{file.relative_to(ROOT)} imports {own}"

    def test_a_service_is_named_in_no_shared_code_but_in_the_list(self) -> None:
        naming = set()
        for file in ROOT.rglob("*.py"):
            path = file.relative_to(ROOT).as_posix()
            if path.startswith((*OF_ONE_SERVICE, *OF_THE_SANDBOX)):
                continue
            if any(service in text.lower() for text in texts_in(file) for service in SERVICES):
                naming.add(path)
        assert naming == set(WHERE_THEY_ARE_NAMED)


def texts_in(file: Path) -> Iterator[str]:
    """Yield the texts that a file's code uses: all but those that stand alone, which document."""
    tree = parsed(file)
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


class TestAParsedDag:
    def test_parsing_a_dag_imports_no_http_library_and_no_platform(self) -> None:
        code = f"""
import sys
before = set(sys.modules)
import {PACKAGE}.operators.transfer, {PACKAGE}.operators.accept, {PACKAGE}.sensors.accept_transfer
loaded = set(sys.modules) - before
ours = ("{PACKAGE}.platforms.", "{PACKAGE}.hooks", "{PACKAGE}.sandbox")
heavy = [name for name in loaded if name.split(".")[0] in {SPEAKS_HTTP | {"uvicorn", "starlette", "fastapi"}}]
print(*heavy, *(name for name in loaded if name.startswith(ours) ))
"""
        prelude = "import airflow.sdk, airflow.providers.common.compat.sdk as c; c.BaseSensorOperator, c.BaseOperator\n"
        found = subprocess.run([sys.executable, "-c", prelude + code], capture_output=True, text=True, check=True)  # noqa: S603
        assert found.stdout.strip() == ""
