# SPDX-License-Identifier: Apache-2.0
"""What Airflow discovers: connection types, their hooks and forms, and where the classes are."""

from __future__ import annotations

from typing import Any

from .connection_forms import FORMS

PACKAGE = "airflow_provider_chattransfer"
INTEGRATIONS = ("Bitrix24 Open Lines", "SuperOffice chat")


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
    """The provider, in the form of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-chattransfer",
        "name": "Chat transfer",
        "description": "Moves customers' open chats between operators and queues on Bitrix24 Open Lines and "
        "SuperOffice chat, and waits until they are accepted.",
        "integrations": [
            {"integration-name": name, "external-doc-url": url, "tags": ["service"]}
            for name, url in zip(
                INTEGRATIONS,
                ("https://apidocs.bitrix24.com/api-reference/imopenlines/", "https://docs.superoffice.com/en/api/"),
                strict=True,
            )
        ],
        "connection-types": _connection_types(),
        "hooks": _modules("hooks.bitrix24", "hooks.superoffice"),
        "operators": _modules_of_both("operators.transfer", "operators.accept"),
        "sensors": _modules_of_both("sensors.accept_transfer"),
        "triggers": _modules_of_both("triggers.accept_transfer"),
        "config": CONFIG,
    }


def hook_class_names() -> dict[str, str]:
    """The dotted name of the hook of each connection type."""
    return {each["connection-type"]: each["hook-class-name"] for each in _connection_types()}


def _modules(*modules: str) -> list[dict[str, Any]]:
    """One module for each integration, in their order."""
    return [
        {"integration-name": name, "python-modules": [f"{PACKAGE}.{module}"]}
        for name, module in zip(INTEGRATIONS, modules, strict=True)
    ]


def _modules_of_both(*modules: str) -> list[dict[str, Any]]:
    names = [f"{PACKAGE}.{module}" for module in modules]
    return [{"integration-name": integration, "python-modules": names} for integration in INTEGRATIONS]


def _connection_types() -> list[dict[str, Any]]:
    return [
        {
            "connection-type": form.connection_type,
            "hook-class-name": f"{PACKAGE}.hooks.{form.connection_type}.{form.name}Hook",
            "hook-name": form.name,
            "ui-field-behaviour": form.ui_field_behaviour(),
            "conn-fields": form.conn_fields(),
        }
        for form in FORMS.values()
    ]
