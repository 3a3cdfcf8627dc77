# SPDX-License-Identifier: Apache-2.0
"""The limits of a scenario, a fault, the clock and a body; a value beyond them is refused by its name."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_chattransfer.sandbox import faults, request_body, scheduler, validation
from airflow_provider_chattransfer.sandbox.command_line import main
from airflow_provider_chattransfer.sandbox.sandbox import Sandbox
from airflow_provider_chattransfer.sandbox.server import SandboxServer

from .bitrix24_client import PortalClient
from .raw_http import connection, status

BILLION = 10**9
BOTH: list[tuple[str, Any, str]] = [
    ("chats", BILLION, "chats may be at most 100000, got 1000000000"),
    ("chats", {"open": 60_000, "waiting": 60_000}, "chats may be at most 100000, got 120000"),
    ("chats", [{}] * 100_001, "chats may be at most 100000"),
    ("chats", -1, "chats must be a list or a number, got -1"),
    ("chats", True, "chats must be"),
    ("chats", [{"messages": BILLION}], "chats[0].messages must be a whole number from 0 to 1000"),
    ("chats", [{"messages": -1}], "chats[0].messages must be"),
    ("chats", [{"messages": 1000}] * 1001, "at most 1000000 messages together"),
    ("chats", [{"id": 2**31, "owner": 7}], "chats[0].id must be a number of at most 2147483647"),
    ("chats", [{"id": 0, "owner": 7}], "a chat's id must be a whole number from 1"),
    ("chats", [{"id": -5, "owner": 7}], "a chat's id"),
    ("chats", [{"id": 1.5, "owner": 7}], "a chat's id"),
    ("chats", [{"customer": "x" * 10_001, "owner": 7}], "chats[0].customer may have at most 10000 letters"),
    ("operators", BILLION, "operators may be at most 5000"),
    ("operators", -1, "operators must be"),
    ("operators", [{"id": 1e300}], "operators[0].id must be a number of at most"),
    ("operators", [{"id": 7, "present": "no"}], "present must be true or false, got 'no'"),
    ("queues", BILLION, "queues may be at most 200"),
    ("queues", [{"id": 3, "members": [[[[[[[[[[[[[[[[[7]]]]]]]]]]]]]]]]]}], "nested more than 16 deep"),
    ("people", {"reject": 2}, "reject must be a number from 0 to 1, got 2"),
    ("people", {"ignore": -0.1}, "ignore must be"),
    ("people", {"accept_after": 1e300}, "people.accept_after must be a number of at most"),
    ("customers", {"write_after": -1}, "write_after"),
]
BITRIX24: list[tuple[str, Any, str]] = [
    ("rate", {"per_second": -1}, "rate.per_second must be a number from 0"),
    ("rate", {"burst": "nan"}, "rate.burst must be a number from 0"),
    ("operating", {"limit": "inf"}, "operating.limit must be"),
    ("operating", {"seconds": {"profile": -1}}, "operating.seconds.profile must be"),
    ("operating", {"default_seconds": "nan"}, "operating.default_seconds must be"),
    ("switches", {"lock_seconds": "nan"}, "switch 'lock_seconds' must be a number from 0"),
    ("switches", {"reports_lag": -1}, "switch 'reports_lag' must be"),
    ("queues", [{"id": 3, "queue_time": "nan"}], "queue_time must be"),
    ("queues", [{"id": 3, "max_chat": -1}], "max_chat must be"),
    ("chats", [{"owner": 7, "locked_for": "inf"}], "locked_for must be"),
    ("webhooks", [{"user": 1, "code": "x", "expires_in": "nan"}], "expires_in must be"),
]
SUPEROFFICE: list[tuple[str, Any, str]] = [
    ("rate", -1, "rate must be"),
    ("rate", "nan", "rate must be"),
    ("tokens", {"8A:x": {"associate": 7, "expires_in": "inf"}}, "expires_in must be"),
    ("data_host", {"name": "localhost", "after": "nan"}, "data_host.after must be"),
    ("switches", {"token_lifetime": 2**40}, "switches.token_lifetime must be"),
]
TOO_MUCH = [
    *((service, *each) for each in BOTH for service in ("bitrix24", "superoffice")),
    *(("bitrix24", *each) for each in BITRIX24),
    *(("superoffice", *each) for each in SUPEROFFICE),
]


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox({"bitrix24": {"chats": 1}, "superoffice": {"chats": 1}})


@pytest.mark.parametrize(("service", "key", "value", "told"), TOO_MUCH)
def test_a_scenario_that_asks_for_too_much_is_refused_by_name_before_anything_is_made(
    sandbox: Sandbox, service: str, key: str, value: Any, told: str
) -> None:
    before, began = sandbox.epoch, time.monotonic()
    with pytest.raises(ValueError, match=re.escape(told)):
        sandbox.reset({service: {key: value}})
    assert sandbox.epoch == before
    assert time.monotonic() - began < 1


def test_as_much_as_is_allowed_is_made() -> None:
    sandbox = Sandbox({"bitrix24": {"chats": 100, "operators": 300, "queues": 200}, "superoffice": {"chats": 0}})
    state = sandbox.state()["bitrix24"]
    assert (len(state["chats"]), len(state["queues"])) == (100, 200)
    validation.validate_scenario({"bitrix24": {"chats": 100_000, "operators": 5_000}}, services=("bitrix24",))


@pytest.mark.parametrize("seed", ["x", 2**31, 1.5, True, None])
def test_a_seed_is_a_whole_number(sandbox: Sandbox, seed: Any) -> None:
    with pytest.raises(ValueError, match="seed must be"):
        sandbox.reset({"seed": seed})


CONTROL = ("/sandbox/reset", "/sandbox/clock", "/sandbox/faults")


@pytest.mark.parametrize("path", CONTROL)
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"seed":' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"seed": ' + b"9" * 5000 + b"}",
        b'{"skip": 1e999}',
        b'{"skip": NaN}',
        b'{"count": -1e999}',
        b"\xff\xfe",
        b'"\\ud800"',
        b'{"kind": {"kind": []}}',
        b'{"skip": {}}',
        b'{"kind": "drop_after", "count": 1000000000000}',
        b'{"kind": "drop_after", "for_seconds": 1e300}',
        b'{"kind": "hang_after", "seconds": 100000}',
    ],
    ids=lambda body: str(body[:20]),
)
def test_no_body_is_too_much_for_the_control_plane(sandbox_server: SandboxServer, path: str, body: bytes) -> None:
    reply = requests.post(f"{sandbox_server.url}{path}", data=body, timeout=10)
    assert reply.status_code == 400
    assert 0 < len(reply.json()["error"]) < 700


@pytest.mark.parametrize("path", [*CONTROL, "/rest/1/secretcode/profile", "/Cust12345/api/v1/ChatSession"])
def test_a_body_that_is_too_long_is_not_read(sandbox_server: SandboxServer, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: {sandbox_server.address}\r\nContent-Length: {10**12}\r\n\r\n"
    with connection(sandbox_server) as one:
        one.sendall(head.encode())
        assert status(one) == 413


def test_nor_is_one_that_does_not_say_how_long_it_is(
    sandbox_server: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_body, "MAX_BODY_BYTES", 1000)
    head = f"POST /sandbox/reset HTTP/1.1\r\nHost: {sandbox_server.address}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connection(sandbox_server) as one:
        one.sendall(head.encode() + b"3e9\r\n" + b" " * 1001)
        assert status(one) == 413


def test_faults_are_a_thousand_at_most(portal: PortalClient) -> None:
    sandbox = portal.sandbox.sandbox
    for _ in range(1000):
        sandbox.faults.arm({"kind": "drop_after", "method": "nothing"})
    reply = portal.http.post(f"{portal.sandbox.url}/sandbox/faults", json={"kind": "drop_after"})
    assert reply.status_code == 400
    assert "at most 1000" in reply.json()["error"]


def test_what_happens_in_one_look_has_an_end_and_goes_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare the history of one long run with that of many short ones."""
    scenario = {"bitrix24": {"chats": 20, "customers": {"write_after": 60}}, "superoffice": {"chats": 0}}

    def story(most: int) -> tuple[list[Any], int]:
        monkeypatch.setattr(scheduler, "MAX_ACTIONS_PER_RUN", most)
        sandbox, looks = Sandbox(scenario), 0
        sandbox.clock.skip(3600)
        changes: list[Any] = []
        while len(now := list(sandbox.ledger.changes(since=0))) > len(changes) or not looks:
            changes = now
            sandbox.advance()
            looks += 1
        return [(each.chat_id, each.change) for each in changes], looks

    whole, once = story(100_000)
    in_pieces, looks = story(50)
    assert len(whole) > 500
    assert in_pieces == whole
    assert looks > once + 5


def test_a_scenario_file_is_held_to_the_same(tmp_path: Path) -> None:
    file = tmp_path / "scenario.json"
    for content in ("[" * 10_000, json.dumps({"bitrix24": {"chats": BILLION}})):
        file.write_text(content)
        with pytest.raises(SystemExit) as ended:
            main(["--port", "0", "--scenario", str(file)])
        assert ended.value.code == 2


def test_the_documentation_tells_how_much_it_is() -> None:
    text = (Path(__file__).parents[2] / "docs/sandbox.md").read_text(encoding="utf-8")
    rows = text.partition("### How much it takes")[2].partition("### ")[0].splitlines()
    told = {number for row in rows for number in re.findall(r"\d+", row.rpartition("At most")[2])}
    limits = {
        *validation.MAX_COUNTS.values(),
        validation.MAX_MESSAGES_PER_SERVICE,
        validation.MAX_MESSAGES_PER_CHAT,
        validation.MAX_NUMBER,
        validation.MAX_TEXT_LENGTH,
    }
    limits |= {
        validation.MAX_DEPTH,
        faults.MAX_FAULTS,
        faults.MAX_DELAY_SECONDS,
        request_body.MAX_BODY_BYTES,
        scheduler.MAX_ACTIONS_PER_RUN,
    }
    assert {str(limit) for limit in limits} <= told
    assert all(f"`{name}`" in "".join(rows) for name in validation.MAX_COUNTS)
