# SPDX-License-Identifier: Apache-2.0
"""Run the tests that depend on Airflow on each minor version that we support, each with another Python."""

from __future__ import annotations

import nox

MATRIX = [("3.11", "3.1"), ("3.12", "3.2"), ("3.13", "3.3")]
"""Python and Airflow; ``make test`` runs all tests on Python 3.11 and Airflow 3.3."""

TESTS = ("tests/unit", "tests/airflow", "tests/third_platform")

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = True


@nox.session
@nox.parametrize(("python", "airflow"), MATRIX)
def suite(session: nox.Session, airflow: str) -> None:
    """Install the package with the newest Airflow of a minor version, and run the tests; arguments go to pytest."""
    pinned = f"constraints/airflow-{airflow}.txt"
    group = nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "test")
    session.install("--constraint", pinned, f"apache-airflow=={airflow}.*", "--editable", ".[redis,sandbox]", *group)
    session.run("python", "-m", "pytest", "-n", "2", "--dist", "loadfile", *(session.posargs or TESTS))
