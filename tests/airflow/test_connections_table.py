# SPDX-License-Identifier: Apache-2.0
"""What a connection's fields come to, opened without a task and without a request: a table for each kind of field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_chattransfer.hooks.base import hook_for
from airflow_provider_chattransfer.platforms.base import ChatPlatform
from tests.ways_of_signing_in import WAYS

ALL = {way.name: way for way in WAYS}
URL = "https://127.0.0.1:8443"


def connection(way: str, **fields: Any) -> Any:
    """A connection that signs in by ``way``, some of its fields replaced; ``None`` takes one away."""
    from airflow.sdk import Connection

    known = ALL[way].connection(URL)
    own = {key: value for key, value in fields.items() if key in ("host", "port", "login", "password", "schema")}
    extra = {**known["extra"], **{key: value for key, value in fields.items() if key not in own}}
    given = {**known, **own, "extra": json.dumps({key: value for key, value in extra.items() if value is not None})}
    return Connection(conn_id="shown", **given)


def opened(way: str, **fields: Any) -> ChatPlatform:
    """The platform that it becomes."""
    shown = connection(way, **fields)
    return hook_for(shown).open(shown, shown.extra_dejson)


class TestWhoActs:
    """``ChatPlatform.actor``: another user is another actor, a renewed secret is not."""

    @pytest.mark.parametrize(
        ("way", "actor", "renewed"),
        [
            ("bitrix24-webhook", "user 1 by webhook", {"password": "newcode", "bot_client_id": "another"}),
            ("bitrix24-oauth", "application local.chattransfer", {"oauth_refresh_token": "new", "oauth_host": None}),
            ("superoffice-basic", "login tje0", {"password": "new"}),
            ("superoffice-ticket", "ticket", {"ticket": "7T:new"}),
            ("superoffice-refresh-token", "client sandbox", {"refresh_token": "new", "client_secret": "new"}),
            ("superoffice-access-token", "access token", {"access_token": "8A:new"}),
            ("superoffice-online-ticket", "ticket", {"ticket": "7T:new"}),
            ("superoffice-system-user", "system user", {"system_user_token": "new"}),
        ],
    )
    def test_is_told_by_the_fields_that_do_not_change_with_a_secret(
        self, way: str, actor: str, renewed: dict[str, Any]
    ) -> None:
        assert opened(way).actor == opened(way, **renewed).actor == actor

    def test_is_the_same_with_the_agents_connections(self) -> None:
        assert opened("superoffice-system-user", agent_conn_id="agent_{agent}").actor == "system user"

    @pytest.mark.parametrize(
        ("way", "other"),
        [
            ("bitrix24-webhook", {"login": "2"}),
            ("bitrix24-oauth", {"oauth_client_id": "local.another"}),
            ("superoffice-basic", {"login": "agent7"}),
            ("superoffice-refresh-token", {"client_id": "another"}),
        ],
    )
    def test_is_another_for_another_user(self, way: str, other: dict[str, Any]) -> None:
        assert opened(way).actor != opened(way, **other).actor
