# SPDX-License-Identifier: Apache-2.0
"""Describe Bitrix24 Open Lines to Airflow."""

from __future__ import annotations

from ...service_info import Command, CommandOption, ServiceInfo
from .form import FORM

SERVICE = ServiceInfo(
    integration="Bitrix24 Open Lines",
    docs_url="https://apidocs.bitrix24.com/api-reference/imopenlines/",
    hook="airflow_provider_chattransfer.hooks.bitrix24.Bitrix24Hook",
    form=FORM,
    commands=(
        Command(
            "register-bot",
            "register the bot that transfers on Bitrix24 need, once",
            method="register_bot",
            options=(
                CommandOption("code", "chattransfer", "the bot's code, which names it for good"),
                CommandOption("name", "Chat transfer", "the bot's name, as operators see it"),
            ),
        ),
    ),
)
"""Listed in ``services.py``."""
