# SPDX-License-Identifier: Apache-2.0
"""The sandbox as a server: https, the control plane's time and ledger, and concurrent requests."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import pytest
import requests

from airflow_provider_chattransfer.sandbox import fault_effects
from airflow_provider_chattransfer.sandbox.server import SandboxServer

from .bitrix24_client import TRANSFER, PortalClient
from .certificates import self_signed
from .raw_http import connection, request_for, status, wait_for
from .superoffice_client import TenantClient

INSISTS = {"bitrix24": {"switches": {"https_required": True}}, "superoffice": {"data_host": "127.0.0.1"}}


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SandboxServer, requests.Session]]:
    """Return a sandbox with https, and a session that trusts it."""
    certificate, key = self_signed(tmp_path_factory.mktemp("certificate"))
    with SandboxServer(INSISTS, certificate=certificate, key=key) as server, requests.Session() as session:
        session.trust_env = False
        session.verify = str(certificate)
        yield server, session


class TestHttps:
    def test_https_is_served_with_the_certificate_that_was_given(
        self, secure: tuple[SandboxServer, requests.Session]
    ) -> None:
        server, session = secure
        assert server.url.startswith("https://127.0.0.1:")
        assert session.get(f"{server.url}/sandbox/state", timeout=10).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{server.url}/sandbox/state", timeout=10)

    def test_satisfies_a_portal_that_insists_on_it(self, secure: tuple[SandboxServer, requests.Session]) -> None:
        server, session = secure
        profile = f"{server.url}/rest/1/secretcode/profile"
        assert session.get(profile, timeout=10).json()["result"]["ID"] == "1"

    def test_https_is_not_what_a_header_claims(self, portal: PortalClient) -> None:
        portal.reset(switches={"https_required": True})
        reply = portal.post("1/secretcode/profile", headers={"X-Forwarded-Proto": "https"})
        assert reply.json()["error"] == "INVALID_REQUEST"

    def test_https_is_in_the_addresses_that_bitrix24_gives(
        self, secure: tuple[SandboxServer, requests.Session]
    ) -> None:
        server, session = secure
        form = {
            "grant_type": "refresh_token",
            "client_id": "local.chattransfer",
            "client_secret": "appsecret",
            "refresh_token": "refresh-1",
        }
        answer = session.get(f"{server.url}/oauth/token/", params=form, timeout=10).json()
        assert answer["client_endpoint"] == f"{server.url}/rest/"

    def test_https_is_in_the_addresses_that_superoffice_gives(
        self, secure: tuple[SandboxServer, requests.Session]
    ) -> None:
        server, session = secure
        state = session.get(f"{server.url}/api/state/Cust12345", timeout=10).json()
        assert state["Api"] == f"{server.url}/Cust12345/api"

    def test_https_can_be_cut_by_a_fault(self, secure: tuple[SandboxServer, requests.Session]) -> None:
        server, session = secure
        session.post(f"{server.url}/sandbox/faults", json={"kind": "drop_before"}, timeout=10)
        with pytest.raises(requests.ConnectionError):
            session.get(f"{server.url}/rest/1/secretcode/profile", timeout=10)

    def test_https_needs_a_certificate_that_can_be_used(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match=r"the certificate .*missing\.pem cannot be used"):
            SandboxServer(certificate=tmp_path / "missing.pem")
        with pytest.raises(ValueError, match="a key needs its certificate"):
            SandboxServer(key=tmp_path / "key.pem")


class Plane:
    """A client of the control plane."""

    def __init__(self, server: SandboxServer) -> None:
        self.server = server
        self.reset()

    def reset(self, **scenario: Any) -> requests.Response:
        return requests.post(f"{self.server.url}/sandbox/reset", json=scenario, timeout=10)

    def clock(self, **change: Any) -> requests.Response:
        return requests.post(f"{self.server.url}/sandbox/clock", json=change, timeout=10)

    def now(self) -> float:
        return datetime.fromisoformat(self.state()["time"]).timestamp()

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = requests.get(f"{self.server.url}/sandbox/state", timeout=10).json()
        return state

    def ledger(self, since: Any = 0) -> requests.Response:
        return requests.get(f"{self.server.url}/sandbox/ledger", params={"since": since}, timeout=10)


@pytest.fixture
def plane(sandbox_server: SandboxServer) -> Plane:
    return Plane(sandbox_server)


@pytest.fixture
def delay_over(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Return the event that ends all delays."""
    over = threading.Event()

    async def pause(_: float | None) -> None:
        while not over.is_set():
            await asyncio.sleep(0.01)

    monkeypatch.setattr(fault_effects, "sleep", pause)
    yield over
    over.set()


class TestTime:
    def test_time_can_be_skipped(self, plane: Plane) -> None:
        before = plane.now()
        answer = plane.clock(skip=3600).json()
        assert datetime.fromisoformat(answer["time"]).timestamp() >= before + 3600
        assert 3600 <= plane.now() - before < 3660
        assert answer["speed"] == 1

    def test_time_lets_people_act_when_it_is_skipped(self, desk: TenantClient) -> None:
        desk.transfer(157, 12, by=7)
        requests.post(f"{desk.server.url}/sandbox/clock", json={"skip": 60}, timeout=10)
        assert desk.session(157)["User"]["AssociateId"] == 12

    def test_time_lets_hours_of_a_limit_pass(self, portal: PortalClient) -> None:
        portal.reset(operating={"limit": 1, "seconds": {"profile": 2}})
        assert portal.call("profile").status_code == 200
        assert portal.error("profile") == (429, "OPERATION_TIME_LIMIT")
        portal.http.post(f"{portal.sandbox.url}/sandbox/clock", json={"skip": 3600})
        assert portal.call("profile").status_code == 200

    def test_time_is_that_of_the_date_in_the_services_answers(self, plane: Plane, portal: PortalClient) -> None:
        plane.clock(skip=86400)
        date = parsedate_to_datetime(portal.call("profile").headers["Date"])
        assert 0 <= plane.now() - date.timestamp() < 60

    def test_time_can_be_sped_up_without_a_jump(self, plane: Plane) -> None:
        plane.clock(skip=86400)
        before = plane.now()
        answer = plane.clock(speed=100_000).json()
        assert answer["speed"] == 100_000
        assert datetime.fromisoformat(answer["time"]).timestamp() - before < 60
        time.sleep(0.01)
        fast = plane.now()
        assert fast - before >= 1000
        plane.clock(speed=1)
        slow = plane.now()
        assert slow >= fast
        assert plane.now() - slow < 60

    def test_time_keeps_its_speed_when_it_is_skipped(self, plane: Plane) -> None:
        plane.reset(speed=2)
        assert plane.clock(skip=5).json()["speed"] == 2
        assert plane.state()["speed"] == 2

    @pytest.mark.parametrize(
        "change",
        [
            {},
            {"skip": -1},
            {"skip": "an hour"},
            {"skip": True},
            {"skip": None},
            {"skip": 1e18},
            {"skip": 10**400},
            {"speed": 0},
            {"speed": -1},
            {"speed": 10**400},
            {"speed": 1e7},
            {"speed": "fast"},
            {"skip": 3600, "speed": 0},
            {"skip": -1, "speed": 60},
            {"back": 1},
        ],
    )
    def test_time_does_nothing_that_cannot_be_done(self, plane: Plane, change: dict[str, Any]) -> None:
        before = plane.now()
        reply = plane.clock(**change)
        assert reply.status_code == 400
        assert reply.json()["error"]
        assert plane.now() - before < 60
        assert plane.state()["speed"] == 1


class TestTheLedger:
    def test_the_ledger_names_time_identity_method_and_request(self, desk: TenantClient) -> None:
        desk.transfer(157, 12, by=7)
        (change,) = [change for change in desk.ledger() if change["change"] == "transferred"]
        assert datetime.fromisoformat(change["at"]).tzinfo is not None
        assert change | {"at": "", "number": 0} == {
            "number": 0,
            "at": "",
            "service": "superoffice",
            "chat_id": "157",
            "change": "transferred",
            "before": "agent:7",
            "after": "agent:12",
            "by": change["by"],
            "method": "TransferChatSession",
            "request": 1,
        }
        assert "7" in change["by"]

    def test_continues_after_a_number(self, desk: TenantClient, plane: Plane) -> None:
        for chat in (157, 158, 159):
            desk.transfer(chat, 12, by=7)
        numbers = [change["number"] for change in plane.ledger().json()["changes"]]
        assert numbers == list(range(1, len(numbers) + 1))
        assert [change["number"] for change in plane.ledger(since=2).json()["changes"]] == numbers[2:]
        assert plane.ledger(since=999).json()["changes"] == []

    @pytest.mark.parametrize("since", ["", "now", "-1", "1.5", "²"])
    def test_continues_after_nothing_else(self, plane: Plane, since: str) -> None:
        reply = plane.ledger(since=since)
        assert reply.status_code == 400
        assert "since" in reply.json()["error"]

    def test_the_ledger_of_another_epoch_is_told_from_this_one(self, plane: Plane) -> None:
        epoch = plane.ledger().json()["epoch"]
        assert plane.state()["epoch"] == epoch
        assert plane.reset().json()["epoch"] == plane.ledger().json()["epoch"] == epoch + 1
        assert plane.reset(nonsense=1).status_code == 400
        assert plane.state()["epoch"] == epoch + 1

    def test_the_ledger_of_a_new_sandbox_has_epoch_1(self) -> None:
        with SandboxServer() as server:
            assert requests.get(f"{server.url}/sandbox/ledger", timeout=10).json() == {"epoch": 1, "changes": []}


class TestAReset:
    @pytest.mark.parametrize(
        "scenario",
        [
            {"seed": "one"},
            {"seed": None},
            {"speed": 0},
            {"speed": "fast"},
            {"bitrix24": []},
            {"bitrix24": None},
            {"bitrix24": {"chats": [1]}},
            {"bitrix24": {"chats": [{"owner": "nobody"}]}},
            {"bitrix24": {"operators": [{}]}},
            {"superoffice": 5},
            {"superoffice": {"operators": [{}]}},
            {"superoffice": {"people": 5}},
        ],
    )
    def test_a_reset_to_what_is_no_scenario_is_refused_and_nothing_changes(
        self, desk: TenantClient, plane: Plane, scenario: dict[str, Any]
    ) -> None:
        desk.transfer(157, 12, by=7)
        before = plane.ledger().json()
        reply = plane.reset(**scenario)
        assert reply.status_code == 400, reply.text
        assert reply.json()["error"]
        assert plane.ledger().json()["epoch"] == before["epoch"]
        assert plane.ledger().json()["changes"][: len(before["changes"])] == before["changes"]

    @pytest.mark.parametrize("body", ["{", "[]", "7", '{"bitrix24": {"operating": {"limit": NaN}}}'])
    def test_a_reset_needs_a_json_object(self, plane: Plane, body: str) -> None:
        reply = requests.post(f"{plane.server.url}/sandbox/reset", data=body, timeout=10)
        assert reply.status_code == 400
        assert reply.json()["error"]

    def test_a_reset_is_not_touched_by_a_request_that_came_before_it(
        self, portal: PortalClient, plane: Plane, delay_over: threading.Event
    ) -> None:
        arm(portal, kind="delay_before")
        with connection(portal.sandbox) as late:
            late.sendall(request_for(TRANSFER, CHAT_ID=112, USER_ID=12))
            wait_for(lambda: requests_of(portal) == 1)
            plane.reset()
            delay_over.set()
            assert status(late) == 200
        assert portal.changes(112) == []
        assert requests_of(portal) == 0


class TestRequestsAtTheSameTime:
    def test_requests_at_the_same_time_have_numbers_of_their_own(self, portal: PortalClient) -> None:
        """Number the request whose body arrives later higher, even if it began first."""
        slow, quick = (request_for(TRANSFER, CHAT_ID=chat, USER_ID=12) for chat in (112, 113))
        with connection(portal.sandbox) as one, connection(portal.sandbox) as other:
            one.sendall(slow[:-10])
            other.sendall(quick)
            assert status(other) == 200
            one.sendall(slow[-10:])
            assert status(one) == 200
        assert numbers(portal, 113) == {1}
        assert numbers(portal, 112) == {2}

    @pytest.mark.parametrize(
        ("kind", "order"),
        [("delay_before", [(2, "agent:8"), (1, "agent:12")]), ("delay_after", [(1, "agent:12"), (2, "agent:8")])],
    )
    def test_requests_at_the_same_time_do_not_wait_for_one_that_a_fault_delays(
        self, portal: PortalClient, delay_over: threading.Event, kind: str, order: list[tuple[int, str]]
    ) -> None:
        arm(portal, kind=kind)
        with connection(portal.sandbox) as delayed:
            delayed.sendall(request_for(TRANSFER, CHAT_ID=112, USER_ID=12))
            wait_for(lambda: requests_of(portal) == 1)
            assert portal.transfer(112, USER_ID=8).status_code == 200
            delay_over.set()
            assert status(delayed) == 200
        moves = [change for change in ledger(portal) if change["change"] == "transferred"]
        assert [(change["request"], change["after"]) for change in moves] == order

    def test_requests_at_the_same_time_do_not_interleave(self, portal: PortalClient) -> None:
        chats = [{"id": 1000 + number, "owner": 7, "queue": 3} for number in range(200)]
        portal.reset(chats=chats)
        arm(portal, kind="delay_before", share=0.3, seconds=0.01)
        arm(portal, kind="delay_after", share=0.3, seconds=0.01)

        def move(first: int) -> int:
            cmd = [f"{TRANSFER}?CHAT_ID={first + number}&USER_ID=12&CLIENT_ID=chattransfer" for number in range(10)]
            address = f"{portal.sandbox.url}/rest/1/secretcode/batch"
            return requests.post(address, json={"cmd": cmd}, timeout=10).status_code

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(move, range(1000, 1200, 10))) == {200}
        runs = [request for request, _ in groupby(change["request"] for change in ledger(portal) if change["request"])]
        assert sorted(runs) == list(range(1, 21))
        assert len([change for change in ledger(portal) if change["change"] == "transferred"]) == 200


class TestAClientThatGoesAway:
    @pytest.mark.parametrize("kind", ["delay_before", "delay_after"])
    def test_a_client_that_goes_away_does_not_stop_what_it_has_asked_for(
        self, portal: PortalClient, delay_over: threading.Event, kind: str
    ) -> None:
        others = connections(portal)
        arm(portal, kind=kind)
        with connection(portal.sandbox) as gone:
            gone.sendall(request_for(TRANSFER, CHAT_ID=112, USER_ID=12))
            wait_for(lambda: requests_of(portal) == 1)
        wait_for(lambda: connections(portal) <= others)
        delay_over.set()
        wait_for(lambda: ("transferred", "agent:12") in portal.changes(112))
        assert portal.chat(112)["owner"] == "12"

    def test_a_client_that_goes_away_before_it_has_asked_has_not_asked(self, portal: PortalClient) -> None:
        with connection(portal.sandbox) as gone:
            gone.sendall(request_for(TRANSFER, CHAT_ID=112, USER_ID=12)[:-1])
        wait_for(lambda: not portal.sandbox._server.server_state.tasks)
        assert portal.changes(112) == []
        assert requests_of(portal) == 0


def arm(portal: PortalClient, **fault: Any) -> None:
    reply = portal.http.post(f"{portal.sandbox.url}/sandbox/faults", json=fault)
    assert reply.status_code == 200, reply.text


def ledger(portal: PortalClient) -> list[dict[str, Any]]:
    changes: list[dict[str, Any]] = portal.http.get(f"{portal.sandbox.url}/sandbox/ledger").json()["changes"]
    return changes


def numbers(portal: PortalClient, chat_id: int) -> set[int]:
    """Return the numbers of the requests that changed a chat."""
    return {each["request"] for each in ledger(portal) if each["chat_id"] == str(chat_id) and each["request"]}


def connections(portal: PortalClient) -> set[Any]:
    """Return the open connections of the sandbox."""
    return set(portal.sandbox._server.server_state.connections)


def requests_of(portal: PortalClient) -> int:
    return int(portal.http.get(f"{portal.sandbox.url}/sandbox/state").json()["requests"]["bitrix24"])


class TestAScenario:
    def test_a_scenario_with_half_a_character_is_refused_and_changes_nothing(self, plane: Plane) -> None:
        before = plane.state()["epoch"]
        body = b'{"bitrix24": {"operators": [{"id": 7, "name": "\\ud83d"}], "chats": []}}'
        reply = requests.post(f"{plane.server.url}/sandbox/reset", data=body, timeout=10)
        assert reply.status_code == 400
        assert "not JSON" in reply.json()["error"]
        assert plane.state()["epoch"] == before


class TestChatsByState:
    WANTED: ClassVar[dict[str, int]] = {"open": 7, "waiting": 3, "closed": 2}

    @pytest.mark.parametrize("service", ["bitrix24", "superoffice"])
    def test_chats_by_state_are_as_many_as_the_scenario_says_and_spread_evenly(
        self, plane: Plane, service: str
    ) -> None:
        state = plane.reset(**{service: {"operators": 3, "chats": self.WANTED, "people": {"ignore": 1}}}).json()
        chats = state[service]["chats"]
        assert Counter(chat["state"] for chat in chats) == self.WANTED
        assert sorted(Counter(chat["owner"] for chat in chats if chat["state"] == "open").values()) == [2, 2, 3]

    @pytest.mark.parametrize("service", ["bitrix24", "superoffice"])
    @pytest.mark.parametrize("wrong", [{"pending": 1}, {"open": -1}, {"open": "7"}, {"open": True}])
    def test_chats_by_state_are_refused_where_they_are_none(
        self, plane: Plane, service: str, wrong: dict[str, Any]
    ) -> None:
        reply = plane.reset(**{service: {"chats": wrong}})
        assert reply.status_code == 400
        assert "chats" in reply.json()["error"]

    @pytest.mark.parametrize("service", ["bitrix24", "superoffice"])
    def test_chats_by_state_need_somebody_to_have_them(self, plane: Plane, service: str) -> None:
        assert plane.reset(**{service: {"operators": [], "chats": {"open": 1}}}).status_code == 400
