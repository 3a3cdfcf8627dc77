# SPDX-License-Identifier: Apache-2.0
"""Show a connection form as Airflow 3.1 does."""

from __future__ import annotations

import sys
from typing import Any
from unittest.mock import MagicMock, patch

from airflow_provider_chattransfer.hooks.base import ChatPlatformHook


def fields_in_airflow_3_1(hook: type[ChatPlatformHook]) -> Any:
    """Return the form's fields by key, made of the hook's widgets, with wtforms mocked as Airflow's API server does."""
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
    from airflow.providers_manager import ConnectionFormWidgetInfo

    wtforms, validators = MagicMock(), MagicMock()
    wtforms.StringField = HookMetaService.MockStringField
    wtforms.IntegerField = HookMetaService.MockIntegerField
    wtforms.PasswordField = HookMetaService.MockPasswordField
    validators.Optional, validators.any_of = HookMetaService.MockOptional, HookMetaService.MockEnum
    with patch.dict(sys.modules, {"wtforms": wtforms, "wtforms.validators": validators}):
        widgets = {
            f"extra__{hook.conn_type}__{key}": ConnectionFormWidgetInfo(
                hook_class_name="", package_name="", field=field, field_name=key, is_sensitive=False
            )
            for key, field in hook.get_connection_form_widgets().items()
        }
        return HookMetaService._convert_extra_fields(widgets)[hook.conn_type]
