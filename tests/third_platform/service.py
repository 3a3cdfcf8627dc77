# SPDX-License-Identifier: Apache-2.0
"""Describe Helpwave to Airflow."""

from __future__ import annotations

from airflow_provider_chattransfer.service_info import Command, ServiceInfo

from .form import FORM

SERVICE = ServiceInfo(
    integration="Helpwave",
    docs_url="https://helpwave.example/developers",
    hook="tests.third_platform.hook.HelpwaveHook",
    form=FORM,
    commands=(Command("list-teams", "list the teams of a Helpwave account", method="list_teams"),),
)
