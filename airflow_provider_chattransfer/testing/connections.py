# SPDX-License-Identifier: Apache-2.0
"""Airflow connections to the sandbox."""

from __future__ import annotations

import json
from typing import Any

SUPEROFFICE_AGENTS = (7, 8, 12, 15, 21)
"""The ids of the agents of the sandbox's default SuperOffice tenant."""


def sandbox_connections(url: str) -> dict[str, dict[str, Any]]:
    """Return the connections to both services of the sandbox at ``url``, by connection id.

    They are ``bitrix24_default``, ``superoffice_default``, and one for each SuperOffice agent to act as.
    """
    superoffice = {"conn_type": "superoffice", "host": f"{url}/Cust12345"}
    agents = {
        f"superoffice_agent_{agent}": {**superoffice, "login": f"agent{agent}", "password": f"Secret{agent}"}
        for agent in SUPEROFFICE_AGENTS
    }
    return {
        "bitrix24_default": {
            "conn_type": "bitrix24",
            "host": url,
            "login": "1",
            "password": "secretcode",
            "extra": {"bot_client_id": "chattransfer"},
        },
        "superoffice_default": {
            **superoffice,
            "login": "tje0",
            "password": "Tje0",
            "extra": {"agent_conn_id": "superoffice_agent_{agent}"},
        },
        **agents,
    }


def as_environment(connections: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return ``connections`` as the environment variables from which Airflow reads them."""
    return {f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(value) for conn_id, value in connections.items()}
