# SPDX-License-Identifier: Apache-2.0
"""Who may use the control plane and the page: no page of another origin, by whatever name it reaches this machine."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from airflow_provider_chattransfer.sandbox.server import SandboxServer

RESET = ("POST", "/sandbox/reset")
OWN = [RESET, ("POST", "/sandbox/clock"), ("POST", "/sandbox/faults"), ("DELETE", "/sandbox/faults"),
       ("GET", "/sandbox/faults"), ("GET", "/sandbox/state"), ("GET", "/sandbox/ledger"), ("GET", "/"),
       ("GET", "/sandbox/page/main.js")]  # fmt: skip
SERVICES = [
    ("POST", "/rest/1/secretcode/profile"),
    ("GET", "/api/state/Cust12345"),
    ("GET", "/login/.well-known/jwks"),
    ("GET", "/Cust12345/api/v1/ChatSession/157"),
]
LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
ELSEWHERE: list[tuple[str, dict[str, str]]] = [
    ("Host", {"Host": "evil.example"}),
    ("Host", {"Host": "evil.example:{port}"}),
    ("Host", {"Host": "localhost.evil.example:{port}"}),
    ("Host", {"Host": "127.0.0.1.evil.example:{port}"}),
    ("Host", {"Host": "localhost@evil.example:{port}"}),
    ("Host", {"Host": "localhost:{port}/evil.example"}),
    ("Host", {"Host": "192.168.0.7:{port}"}),
    ("Host", {"Host": "0.0.0.0:{port}"}),
    ("Host", {"Host": "localhost:1"}),
    ("Host", {"Host": "localhost"}),
    ("Host", {"Host": "localhost:a"}),
    ("Host", {"Host": "[::1"}),
    ("Host", {"Host": ""}),
    ("Origin", {"Origin": "https://evil.example"}),
    ("Origin", {"Origin": "http://localhost:8080"}),
    ("Origin", {"Origin": "null"}),
    ("Origin", {"Origin": ""}),
    ("Origin", {"Origin": "https://127.0.0.1:{port}"}),
    ("Origin", {"Origin": "http://localhost:{port}"}),  # the request went to 127.0.0.1
    ("Sec-Fetch-Site", {"Sec-Fetch-Site": "cross-site"}),
    ("Sec-Fetch-Site", {"Sec-Fetch-Site": "same-site"}),
    ("Sec-Fetch-Site", {**LINK, "Sec-Fetch-Dest": "iframe"}),
    ("Sec-Fetch-Site", {**LINK, "Sec-Fetch-Mode": "no-cors"}),
]
FROM_HERE: list[dict[str, str]] = [
    {},
    {"Host": "localhost:{port}"},
    {"Host": "LOCALHOST:{port}"},
    {"Host": "[::1]:{port}"},
    {"Host": "127.0.0.2:{port}"},
    {"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"},
    {"Host": "localhost:{port}", "Origin": "http://localhost:{port}"},
    {"Sec-Fetch-Site": "none"},
]


def ask(server: SandboxServer, verb: str, path: str, headers: dict[str, str]) -> requests.Response:
    port = server.address.partition(":")[2]
    with requests.Session() as session:
        session.trust_env = False
        headers = {name: value.format(port=port) for name, value in headers.items()}
        return session.request(verb, f"{server.url}{path}", headers=headers, timeout=10)


def epoch(server: SandboxServer) -> Any:
    return ask(server, "GET", "/sandbox/state", {}).json()["epoch"]


@pytest.mark.parametrize(("named", "headers"), ELSEWHERE)
def test_a_page_from_elsewhere_resets_nothing_and_is_told_why(
    sandbox_server: SandboxServer, named: str, headers: dict[str, str]
) -> None:
    before = epoch(sandbox_server)
    reply = ask(sandbox_server, *RESET, headers)
    assert reply.status_code == 403
    assert reply.json()["error"].startswith(f"{named} is ")
    assert epoch(sandbox_server) == before


@pytest.mark.parametrize(("verb", "path"), OWN)
def test_every_address_of_the_sandboxs_own_is_kept_from_it(sandbox_server: SandboxServer, verb: str, path: str) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert ask(sandbox_server, verb, path, headers).status_code == 403


@pytest.mark.parametrize("headers", FROM_HERE)
def test_what_runs_on_this_machine_is_served(sandbox_server: SandboxServer, headers: dict[str, str]) -> None:
    assert ask(sandbox_server, *RESET, headers).status_code == 200
    assert ask(sandbox_server, "GET", "/", headers).status_code == 200


def test_a_link_on_another_page_leads_to_the_page_and_changes_nothing(sandbox_server: SandboxServer) -> None:
    before = epoch(sandbox_server)
    assert ask(sandbox_server, "GET", "/", LINK).status_code == 200
    assert ask(sandbox_server, *RESET, LINK).status_code == 403
    assert epoch(sandbox_server) == before


@pytest.mark.parametrize(("verb", "path"), SERVICES)
def test_the_services_serve_anybody_as_theirs_do(sandbox_server: SandboxServer, verb: str, path: str) -> None:
    usual = ask(sandbox_server, verb, path, {}).status_code
    headers = {"Host": "portal.example", "Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site"}
    assert ask(sandbox_server, verb, path, headers).status_code == usual != 403


def test_an_error_repeats_little_of_what_was_sent(sandbox_server: SandboxServer) -> None:
    error = ask(sandbox_server, *RESET, {"Host": "a" * 5000}).json()["error"]
    assert "a" * 200 in error
    assert len(error) < 350
