# SPDX-License-Identifier: Apache-2.0
"""Airflow's settings for the demo: a home inside the repository, and the example DAGs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_provider_chattransfer.testing.connections import as_environment

ROOT = Path(__file__).resolve().parent.parent


def environment(*, home: str, connections: Mapping[str, dict[str, Any]] | None = None) -> dict[str, str]:
    """Return the environment of a process that runs Airflow from ``.airflow/<home>``, with ``connections`` in it."""
    directory = ROOT / ".airflow" / home
    directory.mkdir(parents=True, exist_ok=True)
    settings = {
        "AIRFLOW_HOME": str(directory),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{directory}/airflow.db",
        "NO_PROXY": "127.0.0.1,localhost",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    return {**inherited, **settings, **as_environment(dict(connections or {}))}
