# SPDX-License-Identifier: Apache-2.0
"""What Airflow discovers: connection types, their hooks and forms, and where the classes are."""

from __future__ import annotations

from typing import Any

PACKAGE = "airflow_provider_chattransfer"
INTEGRATIONS = ("Bitrix24 Open Lines", "SuperOffice chat")


def get_provider_info() -> dict[str, Any]:
    """The provider, in the form of Airflow's ``provider_info.schema.json``. Imports nothing."""
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
            "connection-type": "bitrix24",
            "hook-class-name": f"{PACKAGE}.hooks.bitrix24.Bitrix24Hook",
            "hook-name": "Bitrix24",
            "ui-field-behaviour": {
                "hidden-fields": ["schema", "port"],
                "relabeling": {"host": "Portal", "login": "Webhook user id", "password": "Webhook code"},
                "placeholders": {"host": "example.bitrix24.com", "login": "1"},
            },
            "conn-fields": {
                "bot_client_id": _secret("Bot client id", "CLIENT_ID or botToken with which the bot was registered"),
                **_limits(),
            },
        },
        {
            "connection-type": "superoffice",
            "hook-class-name": f"{PACKAGE}.hooks.superoffice.SuperOfficeHook",
            "hook-name": "SuperOffice",
            "ui-field-behaviour": {
                "hidden-fields": ["schema", "port"],
                "relabeling": {"host": "WebAPI address", "login": "User", "password": "Password"},
                "placeholders": {"host": "crm.example.com/SuperOffice"},
            },
            "conn-fields": {
                "access_token": _secret("Access token", "Instead of user and password"),
                "agent_conn_id": {
                    "label": "Connections of the agents",
                    "description": "Pattern of the connections that act as an agent: superoffice_agent_{agent}",
                    "schema": {"type": ["string", "null"]},
                },
                **_limits(),
            },
        },
    ]


def _secret(label: str, description: str) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], "format": "password"}}


def _limits() -> dict[str, Any]:
    return {
        "requests_per_second": {
            "label": "Requests per second",
            "description": "Default: the service's limit",
            "schema": {"type": ["number", "null"]},
        },
        "burst": {
            "label": "Burst",
            "description": "Requests that may be made at once; default: the service's limit",
            "schema": {"type": ["integer", "null"], "minimum": 1},
        },
        "timeout": {
            "label": "Timeout",
            "description": "Seconds to wait for an answer",
            "schema": {"type": ["number", "null"]},
        },
    }
