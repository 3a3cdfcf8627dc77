# SPDX-License-Identifier: Apache-2.0
"""The connections that ``docs/connections.md`` shows: each way of signing in as JSON, as URI and in the environment."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

from airflow_provider_chattransfer.sandbox.superoffice.keys import APPLICATION_KEY

PAGE = Path(__file__).parents[2] / "docs" / "connections.md"
LEFT_OUT = "…"
"""Stands in the example for most of a private key."""


def examples() -> dict[str, dict[str, str]]:
    """Return the values of each way's connection by the form that they are in, as the environment holds them."""
    found = re.findall(r"\(connection-([\w-]+)\.png\)\n(.*?)(?=^#|\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return {way: _forms(text) for way, text in found}


def fields(way: str) -> dict[str, Any]:
    """Return the fields of a way's example by their keys."""
    connection = json.loads(examples()[way]["json"])
    extra = connection.pop("extra", {})
    return {key: value for key, value in {**connection, **extra}.items() if key != "conn_type"}


def with_a_key(extra: dict[str, Any]) -> dict[str, Any]:
    """``extra`` with the sandbox's private key in place of one that is left out."""
    return {key: APPLICATION_KEY.pem if LEFT_OUT in str(value) else value for key, value in extra.items()}


def _forms(text: str) -> dict[str, str]:
    (as_json,), (as_uri,), (command,) = (
        re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[:1]
        for language in ("json", "uri", "shell")
    )
    export, assignment = shlex.split(command)
    name, _, value = assignment.partition("=")
    assert (export, name) == ("export", f"AIRFLOW_CONN_{json.loads(as_json)['conn_type'].upper()}_DEFAULT")
    return {"json": as_json, "uri": as_uri.strip(), "environment": value}
