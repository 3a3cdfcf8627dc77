# SPDX-License-Identifier: Apache-2.0
"""What the sandbox says where the packages of its extra are not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BLOCK = """
import importlib.machinery
find = importlib.machinery.PathFinder.find_spec.__func__
def without(cls, name, path=None, target=None):
    return None if name.split(".")[0] in {missing!r} else find(cls, name, path, target)
importlib.machinery.PathFinder.find_spec = classmethod(without)
"""
SENTENCE = "needs {packages}: pip install 'airflow-provider-chattransfer[sandbox]'"


@pytest.mark.parametrize("missing", [("starlette",), ("uvicorn",), ("starlette", "uvicorn")], ids=" and ".join)
def test_the_sandbox_says_in_one_sentence_what_to_install(missing: tuple[str, ...]) -> None:
    ran = run("runpy.run_module('airflow_provider_chattransfer.sandbox', run_name='__main__')", missing=missing)
    assert ran.returncode == 1
    assert ran.stderr.splitlines() == [f"The sandbox {SENTENCE.format(packages=' and '.join(missing))}"]


def test_the_fixtures_for_pytest_say_it_too(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        BLOCK.format(missing=("uvicorn",))
        + "pytest_plugins = ['airflow_provider_chattransfer.testing.pytest_plugin']\n"
    )
    (tmp_path / "test_one.py").write_text("def test_one(chat_sandbox): pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)  # noqa: S603
    assert f"RuntimeError: the sandbox {SENTENCE.format(packages='uvicorn')}" in ran.stdout


def run(line: str, *, missing: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run a line of Python in a process that cannot import the packages in ``missing``."""
    code = f"import runpy, sys\n{BLOCK.format(missing=missing)}\nsys.argv = ['sandbox', '--port', '0']\n{line}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)  # noqa: S603
