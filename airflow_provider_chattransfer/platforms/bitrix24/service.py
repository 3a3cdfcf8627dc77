# SPDX-License-Identifier: Apache-2.0
"""Describe Bitrix24 Open Lines to Airflow."""

from __future__ import annotations

from ...service_info import ServiceInfo
from .form import FORM

SERVICE = ServiceInfo(
    integration="Bitrix24 Open Lines",
    docs_url="https://apidocs.bitrix24.com/api-reference/imopenlines/",
    hook="airflow_provider_chattransfer.hooks.bitrix24.Bitrix24Hook",
    form=FORM,
)
"""Listed in ``services.py``."""
