# SPDX-License-Identifier: Apache-2.0
"""The forms of connections: what Airflow 3.1 is given equals what newer ones are given, and both are what they want."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import resources
from typing import Any

import jsonschema
import pytest
from airflow._shared.secrets_masker import should_hide_value_for_key

from airflow_provider_chattransfer.connection_forms import ConnectionForm, Kind
from airflow_provider_chattransfer.hooks.base import ChatPlatformHook
from airflow_provider_chattransfer.hooks.dispatch import hook_of
from airflow_provider_chattransfer.services import forms, services

from ..support.airflow_forms import fields_in_airflow_3_1
from ..support.ways_of_signing_in import OWN_SECRETS, STANDARD, WAYS, Way

EACH_HOOK = pytest.mark.parametrize("hook", [hook_of(service) for service in services().values()], ids=list(services()))
FORM = pytest.mark.parametrize("form", forms().values(), ids=list(forms()))


def schema(name: str) -> Any:
    return json.loads(resources.files("airflow").joinpath(name).read_text())


class TestTheFormOfAirflow31:
    """The two class methods of a hook."""

    @EACH_HOOK
    def test_the_form_of_airflow_3_1_has_the_fields_of_the_provider_info(self, hook: type[ChatPlatformHook]) -> None:
        expected = {
            key: {
                "title": field["label"],
                "description": field["description"],
                "type": ["string" if "number" in field["schema"]["type"] else field["schema"]["type"][0], "null"],
                "format": field["schema"].get("format"),
                "enum": field["schema"].get("enum"),
            }
            for key, field in forms()[hook.conn_type].conn_fields().items()
        }
        found = {
            key: {
                "title": field["schema"]["title"],
                "description": field["description"],
                **{name: field["schema"].get(name) for name in ("type", "format", "enum")},
            }
            for key, field in fields_in_airflow_3_1(hook).items()
        }
        assert found == expected
        assert list(found) == list(expected)

    @EACH_HOOK
    def test_the_form_is_where_airflow_3_1_looks_for_it(self, hook: type[ChatPlatformHook]) -> None:
        """In the class of the hook; what a base class has it takes for another hook's."""
        assert {"get_connection_form_widgets", "get_ui_field_behaviour"} <= vars(hook).keys()

    @EACH_HOOK
    def test_the_form_is_valid_by_airflows_schema(self, hook: type[ChatPlatformHook]) -> None:
        jsonschema.validate(hook.get_ui_field_behaviour(), schema("customized_form_field_behaviours.schema.json"))

    @EACH_HOOK
    def test_the_form_labels_airflows_own_fields_the_same(self, hook: type[ChatPlatformHook]) -> None:
        told = hook.get_ui_field_behaviour()
        assert {key.replace("_", "-"): value for key, value in told.items()} == forms()[
            hook.conn_type
        ].ui_field_behaviour()


class TestAForm:
    @FORM
    def test_a_form_has_each_field_once_with_a_label_and_help(self, form: ConnectionForm) -> None:
        fields = [field for _, field in form.fields()]
        assert len({field.key for field in fields}) == len({field.label for field in fields}) == len(fields)
        assert [field.key for field in fields if not field.label or not field.help.endswith(".")] == []

    @FORM
    def test_a_form_has_choices_where_and_only_where_one_is_made(self, form: ConnectionForm) -> None:
        assert all(bool(field.choices) == (field.kind is Kind.CHOICE) for _, field in form.fields())

    @FORM
    def test_a_form_demands_no_field_since_each_way_of_signing_in_leaves_some_empty(self, form: ConnectionForm) -> None:
        assert all("null" in field["schema"]["type"] for field in form.conn_fields().values())

    @FORM
    def test_a_form_has_no_default_since_airflow_would_show_stars_for_some(self, form: ConnectionForm) -> None:
        assert all("default" not in field["schema"] for field in form.conn_fields().values())

    @pytest.mark.parametrize("way", WAYS, ids=lambda way: str(way.name))
    def test_a_form_has_the_fields_of_every_way_of_signing_in(self, way: Way) -> None:
        form = forms()[way.conn_type]
        known = {*STANDARD, *(field.key for _, field in form.fields())}
        assert set(way.fields("http://127.0.0.1:1")) <= known
        assert {each.key for each in form.standard} == set(STANDARD)


class TestASecret:
    """Airflow hides what sounds like one, by the name of its field."""

    def test_airflow_masks_every_secret_field_by_its_name_but_for_those_on_the_page(self) -> None:
        secrets = {field.key for form in forms().values() for _, field in form.fields() if field.kind is Kind.SECRET}
        assert {key for key in secrets if not should_hide_value_for_key(key)} == set(OWN_SECRETS)

    def test_no_other_field_sounds_secret_but_the_choice_of_a_token_store(self) -> None:
        plain = {field.key for form in forms().values() for _, field in form.fields() if field.kind is not Kind.SECRET}
        assert {key for key in plain if should_hide_value_for_key(key)} == {"token_store"}


class TestTheTable:
    def test_the_table_of_forms_imports_nothing_heavy(self) -> None:
        code = (
            "import sys; from airflow_provider_chattransfer.get_provider_info import get_provider_info as info; info();"
            "print(sorted({name.partition('.')[0] for name in sys.modules} & {'airflow', 'requests', 'wtforms'}))"
        )
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
        assert told.stdout.strip() == "[]"
