# SPDX-License-Identifier: Apache-2.0
"""Describe SuperOffice chat to Airflow."""

from __future__ import annotations

from ...service_info import ServiceInfo
from .form import FORM

SERVICE = ServiceInfo(
    integration="SuperOffice chat",
    docs_url="https://docs.superoffice.com/en/api/",
    hook="airflow_provider_chattransfer.hooks.superoffice.SuperOfficeHook",
    form=FORM,
)
"""Listed in ``services.py``."""
