# SPDX-License-Identifier: Apache-2.0
"""Tell Airflow what there is to discover: connection types, their hooks and forms, and where the classes are."""

from __future__ import annotations

from typing import Any

from .services import services

PACKAGE = "airflow_provider_chattransfer"

GUIDES = ["/docs/operators.md", "/docs/connections.md", "/docs/how-it-works.md"]
"""The how-to guides, as paths in this repository."""

LOGO = "/integration-logos/chattransfer.svg"
"""The picture of the provider, as a path below ``docs``."""

CONFIG: dict[str, Any] = {
    "chattransfer": {
        "description": "Settings of the chat transfer provider.",
        "options": {
            "record_path": {
                "description": "A shared folder or a path in an object store under which the records of runs are kept "
                "that have no report_path. Without it, a record is in Airflow's task state store alone, which Airflow "
                "has since 3.3, and which a Clear discards from 3.4 on.",
                "version_added": "0.2.0",
                "type": "string",
                "example": "s3://operations/chattransfer",
                "default": None,
            }
        },
    }
}
"""The provider's section of Airflow's configuration."""


def get_provider_info() -> dict[str, Any]:
    """Return the provider, in the form of Airflow's ``provider_info.schema.json``."""
    known = services().values()
    names = " and ".join(service.integration for service in known)
    return {
        "package-name": "airflow-provider-chattransfer",
        "name": "Chat transfer",
        "description": f"Moves customers' open chats between operators and queues on {names}, and waits until they are "
        "accepted.",
        "integrations": [
            {
                "integration-name": service.integration,
                "external-doc-url": service.docs_url,
                "how-to-guide": GUIDES,
                "logo": LOGO,
                "tags": ["service"],
            }
            for service in known
        ],
        "connection-types": [
            {
                "connection-type": service.conn_type,
                "hook-class-name": service.hook,
                "hook-name": service.form.name,
                "ui-field-behaviour": service.form.ui_field_behaviour(),
                "conn-fields": service.form.conn_fields(),
            }
            for service in known
        ],
        "hooks": [
            {"integration-name": service.integration, "python-modules": [service.hook.rpartition(".")[0]]}
            for service in known
        ],
        "operators": _modules_of_all("operators.transfer", "operators.accept"),
        "sensors": _modules_of_all("sensors.accept_transfer"),
        "triggers": _modules_of_all("triggers.accept_transfer"),
        "config": CONFIG,
        "cli": [f"{PACKAGE}.airflow_cli.get_chattransfer_cli_commands"],
    }


def _modules_of_all(*modules: str) -> list[dict[str, Any]]:
    """Return the same modules of ours for each integration: they work on every service."""
    names = [f"{PACKAGE}.{module}" for module in modules]
    return [{"integration-name": each.integration, "python-modules": names} for each in services().values()]
