# SPDX-License-Identifier: Apache-2.0
"""Where a connection says that hosts share an account: the field ``coordination``."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from redis import Redis

from airflow_provider_chattransfer.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_chattransfer.hooks.dispatch import open_platform
from airflow_provider_chattransfer.hooks.superoffice import SuperOfficeHook
from airflow_provider_chattransfer.platforms.coordination.host_store import HostStore
from airflow_provider_chattransfer.platforms.coordination.opening import open_store
from airflow_provider_chattransfer.platforms.coordination.postgres_store import PostgresStore
from airflow_provider_chattransfer.platforms.coordination.redis_store import RedisStore
from airflow_provider_chattransfer.testing.connections import sandbox_connections

from ..support.postgres import PostgresServer
from ..support.redis_server import RedisServer
from .conftest import Sandbox

SERVICES = ["bitrix24_default", "superoffice_default"]
SECRETS = ("hush", "pass/word", "pass%2Fword", "pass%252Fword")

Coordinate = Callable[..., None]


@pytest.fixture
def coordinate(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Coordinate:
    """Put an address into the connections of the sandbox, of both services and the agents."""

    def coordinate(address: str, *conn_ids: str, **fields: Any) -> None:
        for conn_id, connection in sandbox_connections(sandbox.url).items():
            if not conn_ids or conn_id in conn_ids:
                extra = {**connection.get("extra", {}), "coordination": address, **fields}
                monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({**connection, "extra": extra}))

    return coordinate


@pytest.fixture
def emptied(redis_server: RedisServer) -> RedisServer:
    """Return a Redis without documents."""
    redis_server.empty()
    return redis_server


def kept_in(server: RedisServer) -> set[str]:
    """Return the first word of each key, and what follows it."""
    with Redis.from_url(server.address) as redis:
        return {key.decode().removeprefix("{chattransfer}:") for key in redis.scan_iter("*")}


class TestThePlace:
    @pytest.mark.parametrize("conn_id", SERVICES)
    def test_of_a_connection_that_names_none_is_this_host(self, sandbox: Sandbox, conn_id: str) -> None:
        with open_platform(conn_id) as platform:
            assert isinstance(platform.store, HostStore)
            assert platform.store is open_store(None)

    @pytest.mark.parametrize("conn_id", SERVICES)
    def test_is_what_the_connection_names(
        self, coordinate: Coordinate, emptied: RedisServer, postgres_server: PostgresServer, conn_id: str
    ) -> None:
        coordinate(emptied.address)
        with open_platform(conn_id) as platform, open_platform(conn_id) as another:
            assert isinstance(platform.store, RedisStore)
            assert platform.store is another.store
        coordinate(postgres_server.address)
        with open_platform(conn_id) as platform:
            assert isinstance(platform.store, PostgresStore)
            platform.read_chats(["101"])

    def test_holds_the_pace_of_both_services_and_the_operating_time(
        self, coordinate: Coordinate, emptied: RedisServer, sandbox: Sandbox
    ) -> None:
        coordinate(emptied.address)
        for conn_id in SERVICES:
            with open_platform(conn_id) as platform:
                platform.read_chats(["101"])
        kept = kept_in(emptied)
        assert {f"pace {sandbox.url}", f"pace {sandbox.url}/Cust12345"} <= kept
        assert [key for key in kept if key.startswith("operating time ")]
        assert not [key for key in kept if "secretcode" in key]

    def test_of_an_agents_connection_is_that_of_the_tasks(
        self, coordinate: Coordinate, emptied: RedisServer, sandbox: Sandbox
    ) -> None:
        coordinate(emptied.address, "superoffice_default")
        coordinate("redis://:hush@127.0.0.1:1/0", "superoffice_agent_7")
        with open_platform("superoffice_default") as platform:
            platform.read_chats(["101"])
            assert platform.why_cannot_send("7") is None
        assert kept_in(emptied) == {f"pace {sandbox.url}/Cust12345"}

    @pytest.mark.parametrize("conn_id", SERVICES)
    def test_is_the_same_as_json_and_as_uri(
        self, sandbox: Sandbox, emptied: RedisServer, monkeypatch: pytest.MonkeyPatch, conn_id: str
    ) -> None:
        connection = sandbox_connections(sandbox.url)[conn_id]
        host, login, password = (quote(connection[key], safe="") for key in ("host", "login", "password"))
        extra = {**connection["extra"], "coordination": emptied.address}
        options = "&".join(f"{key}={quote(value, safe='')}" for key, value in extra.items())
        uri = f"{connection['conn_type']}://{login}:{password}@{host}/?{options}"
        monkeypatch.setenv("AIRFLOW_CONN_AS_URI", uri)
        monkeypatch.setenv("AIRFLOW_CONN_AS_JSON", json.dumps({**connection, "extra": extra}))
        with open_platform("as_uri") as one, open_platform("as_json") as other:
            assert one.store is other.store
            assert isinstance(one.store, RedisStore)


class TestAPlaceThatCannotBeRight:
    @pytest.mark.parametrize("conn_id", SERVICES)
    @pytest.mark.parametrize(
        ("address", "told"),
        [
            ("hush", "must be the address of a Postgres or a Redis"),
            ("mysql://u:hush@host/db", "must be the address of a Postgres or a Redis"),
            ("redis://:hush@", "must be an address such as rediss://"),
            ("postgresql://u@host/db?password=hush", "must be an address such as postgresql://"),
            ("postgresql://u:hush@host/db ", "begins or ends with a space"),
            ("postgresql://u:hush @host/db", "holds a space"),
        ],
    )
    def test_is_refused_by_its_field_and_not_shown(
        self, coordinate: Coordinate, conn_id: str, address: str, told: str
    ) -> None:
        coordinate(address)
        with pytest.raises(ValueError, match=rf"'{conn_id}': Coordination \(coordination\): {told}") as error:
            open_platform(conn_id)
        assert len(str(error.value)) < 300
        assert not [secret for secret in SECRETS if secret in "".join(traceback.format_exception(error.value))]

    @pytest.mark.parametrize(("address", "extra"), [("redis://h", "redis"), ("postgresql://h/d", "postgres")])
    def test_says_what_to_install(
        self, coordinate: Coordinate, monkeypatch: pytest.MonkeyPatch, address: str, extra: str
    ) -> None:
        coordinate(f"{address}?")
        monkeypatch.setattr("airflow_provider_chattransfer.platforms.coordination.opening.find_spec", lambda _: None)
        with pytest.raises(ValueError, match=rf"\(coordination\): .*airflow-provider-chattransfer\[{extra}\]"):
            open_platform("bitrix24_default")


class TestAPlaceThatCannotBeReached:
    ADDRESSES = ("redis://:hush@127.0.0.1:1/0", "postgresql://u:hush@127.0.0.1:1/db")

    @pytest.mark.parametrize("address", ADDRESSES)
    @pytest.mark.parametrize("hook", [Bitrix24Hook, SuperOfficeHook])
    def test_is_what_the_button_test_says(
        self, coordinate: Coordinate, hook: type[Bitrix24Hook | SuperOfficeHook], address: str
    ) -> None:
        coordinate(address)
        works, told = hook().test_connection()
        assert not works
        assert "127.0.0.1:1 cannot be used: no connection can be made" in told
        assert "hush" not in told

    @pytest.mark.parametrize("address", ADDRESSES)
    def test_does_not_keep_chats_from_being_read(
        self, coordinate: Coordinate, address: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        coordinate(address)
        with caplog.at_level(logging.DEBUG), open_platform("superoffice_default") as platform:
            assert platform.read_chats(["101"])
        (warned,) = (each for each in caplog.messages if "goes on alone" in each)
        assert "no connection can be made" in warned
        assert "hush" not in caplog.text


class TestAPassword:
    @pytest.mark.parametrize("conn_id", SERVICES)
    def test_in_the_address_is_masked(self, coordinate: Coordinate, emptied: RedisServer, conn_id: str) -> None:
        from airflow._shared.secrets_masker import redact as of_services
        from airflow.sdk._shared.secrets_masker import redact as of_tasks

        coordinate(emptied.address)
        with open_platform(conn_id) as platform:
            platform.read_chats(["101"])
            assert not [secret for secret in SECRETS if secret in repr(vars(platform)) + repr(platform.store)]
        for redact in (of_services, of_tasks):
            shown = str(redact(f"at {emptied.address} by redis-pass/word or redis-pass%2Fword"))
            assert not [secret for secret in SECRETS if secret in shown]
