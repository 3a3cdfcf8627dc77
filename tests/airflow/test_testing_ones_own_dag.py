# SPDX-License-Identifier: Apache-2.0
"""The page's example of testing one's own DAG, in an empty folder, as its reader would run it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def examples() -> list[str]:
    """Return the Python blocks under the heading."""
    page = (ROOT / "docs" / "sandbox.md").read_text()
    part = page.partition("## Test a DAG of one's own")[2].partition("\n## ")[0]
    return re.findall(r"^```python\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, database: Path) -> Path:
    """Return a project with the page's two files and the example DAGs, and a migrated Airflow that knows them."""
    conftest, tests = examples()
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_end_of_shift.py").write_text(tests)
    shutil.copytree(ROOT / "example_dags", tmp_path / "example_dags")
    (tmp_path / "airflow").mkdir()
    shutil.copy(database, tmp_path / "airflow" / "airflow.db")
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Return a command of the reader's, with an Airflow of its own."""
    home = folder / "airflow"
    settings = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "example_dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", *command], cwd=folder, env=settings, capture_output=True, text=True, timeout=300
    )


class TestThePagesExample:
    def test_the_pages_example_passes_as_it_stands(self, folder: Path) -> None:
        tested = run(folder, "pytest", "-q", "-p", "no:cacheprovider")
        assert tested.returncode == 0, tested.stdout
        assert "2 passed" in tested.stdout
