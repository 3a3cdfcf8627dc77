# SPDX-License-Identifier: Apache-2.0
"""Faults armed by ``/sandbox/faults``: what the client sees, what was executed, and how often they strike."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from airflow_provider_chattransfer.sandbox.faults import FaultKind
from airflow_provider_chattransfer.sandbox.server import SandboxServer

from .bitrix24_client import TRANSFER, PortalClient
from .raw_http import connection, request_for, wait_for
from .superoffice_client import TenantClient

SERVICES = ["bitrix24", "superoffice"]
METHODS = {"bitrix24": TRANSFER, "superoffice": "TransferChatSession"}
APP: dict[str, Any] = {
    "client_id": "local.chattransfer",
    "client_secret": "appsecret",
    "access_token": "first",
    "user": 1,
}


@dataclass
class Side:
    """One service with a chat that a request can transfer, and the control plane."""

    service: str
    url: str
    transfer: Callable[[], requests.Response]
    skip: Callable[[float], None]

    def arm(self, **fault: Any) -> list[dict[str, Any]]:
        """Arm a fault for this service."""
        reply = self.try_to_arm(service=self.service, **fault)
        assert reply.status_code == 200, reply.text
        faults: list[dict[str, Any]] = reply.json()["faults"]
        return faults

    def try_to_arm(self, **fault: Any) -> requests.Response:
        """Return the reply to a fault, valid or not."""
        return requests.post(f"{self.url}/sandbox/faults", json=fault, timeout=10)

    def faults(self) -> list[dict[str, Any]]:
        """Return the armed faults as the sandbox lists them."""
        faults: list[dict[str, Any]] = requests.get(f"{self.url}/sandbox/faults", timeout=10).json()["faults"]
        return faults

    def transfers(self) -> int:
        """Return how many transfers were executed."""
        changes = requests.get(f"{self.url}/sandbox/ledger", timeout=10).json()["changes"]
        return sum(change["change"] == "transferred" for change in changes)

    def requests(self) -> int:
        """Return how many requests the service has received."""
        state = requests.get(f"{self.url}/sandbox/state", timeout=10).json()
        return int(state["requests"][self.service])

    def seen(self) -> tuple[str, int]:
        """Return what a client sees of a transfer: the kind of body and the status."""
        try:
            reply = self.transfer()
        except requests.ConnectionError:
            return "cut", 0
        if "html" in reply.headers["content-type"]:
            return "page" if reply.text.startswith("<html>") else "json called html", reply.status_code
        try:
            return "error" if reply.status_code >= 400 and reply.json() else "json", reply.json() and reply.status_code
        except ValueError:
            return "broken json", reply.status_code


def bitrix24(portal: PortalClient) -> Side:
    portal.reset(people={"accept_after": [1, 2]})
    return Side("bitrix24", portal.sandbox.url, lambda: portal.transfer(112, USER_ID=12), portal.skip)


def superoffice(desk: TenantClient) -> Side:
    def transfer() -> requests.Response:
        body = {"ChatSessionId": 157, "ToAssociate": "12"}
        return desk.send("POST", "Agents/Chat/TransferChatSession", by=7, json=body)

    return Side("superoffice", desk.server.url, transfer, desk.skip)


@pytest.fixture(params=SERVICES)
def side(request: pytest.FixtureRequest) -> Side:
    """Return each service in turn."""
    if request.param == "bitrix24":
        return bitrix24(request.getfixturevalue("portal"))
    return superoffice(request.getfixturevalue("desk"))


class TestAFault:
    @pytest.mark.parametrize(
        ("kind", "seen", "carried_out"),
        [
            ("drop_before", ("cut", 0), 0),
            ("drop_after", ("cut", 0), 1),
            ("html_502_before", ("page", 502), 0),
            ("html_502_after", ("page", 502), 1),
            ("html_503_before", ("page", 503), 0),
            ("html_503_after", ("page", 503), 1),
            ("error_503", ("error", 503), 0),
            ("error_429", ("error", 429), 0),
            ("delay_before", ("json", 200), 1),
            ("delay_after", ("json", 200), 1),
            ("hang_before", ("cut", 0), 0),
            ("hang_after", ("cut", 0), 1),
            ("truncated_json", ("broken json", 200), 1),
            ("wrong_content_type", ("json called html", 200), 1),
        ],
    )
    def test_a_fault_shows_itself_and_leaves_what_it_should(
        self, side: Side, kind: str, seen: tuple[str, int], carried_out: int
    ) -> None:
        side.arm(kind=kind, **({"seconds": 0.01} if kind.startswith(("delay", "hang")) else {}))
        assert side.seen() == seen
        assert side.transfers() == carried_out
        assert side.requests() == 1
        assert side.seen() == ("json", 200)

    def test_a_fault_is_tested_for_every_kind(self) -> None:
        mark = self.test_a_fault_shows_itself_and_leaves_what_it_should.pytestmark[0]  # type: ignore[attr-defined]
        assert {case[0] for case in mark.args[1]} | {"token_expired"} == set(FaultKind)

    def test_a_fault_that_truncates_says_that_this_is_all(self, side: Side) -> None:
        whole = side.transfer()
        side.arm(kind="truncated_json")
        cut = side.transfer()
        assert int(cut.headers["content-length"]) == len(cut.content)
        assert cut.headers["content-type"] == whole.headers["content-type"]
        assert len(cut.content) == pytest.approx(len(whole.content) / 2, abs=10)
        assert cut.content[:10] == whole.content[:10]

    def test_a_fault_that_delays_takes_its_time(self, side: Side) -> None:
        for kind in ("delay_before", "delay_after"):
            side.arm(kind=kind, seconds=0.1)
            started = time.monotonic()
            side.transfer()
            assert time.monotonic() - started >= 0.09

    def test_a_fault_that_delays_lets_people_act_meanwhile(self, desk: TenantClient) -> None:
        desk.reset(people={"accept_after": [60, 60]})
        desk.transfer(157, 12, by=7)
        requests.post(f"{desk.server.url}/sandbox/clock", json={"speed": 1000}, timeout=10)
        superoffice(desk).arm(kind="delay_before", method="GET ChatSession/{id}", seconds=0.1)
        assert desk.get("ChatSession/157")["User"]["AssociateId"] == 12


class TestAnOverload:
    def test_an_overload_of_bitrix24_speaks_its_own_words(self, portal: PortalClient) -> None:
        portal.reset(rate={"per_second": 2, "burst": 1}, operating={"limit": 0, "seconds": {"profile": 1}})
        side = Side("bitrix24", portal.sandbox.url, lambda: portal.call("profile"), portal.skip)
        assert side.seen() == ("json", 200)
        intense = side.transfer()
        side.skip(10)
        blocked = side.transfer()
        portal.reset()
        for kind, real in (("error_503", intense), ("error_429", blocked)):
            side.arm(kind=kind)
            faked = side.transfer()
            assert (faked.status_code, faked.content) == (real.status_code, real.content)
            assert "retry-after" not in faked.headers

    @pytest.mark.parametrize("status", [429, 503])
    @pytest.mark.parametrize("retry_after", [True, False])
    def test_an_overload_of_superoffice_speaks_its_own_words(
        self, desk: TenantClient, status: int, retry_after: bool
    ) -> None:
        desk.reset(rate=1, switches={"rate_status": status, "retry_after": retry_after})
        side = superoffice(desk)
        assert side.seen() == ("json", 200)
        real = side.transfer()
        desk.reset(switches={"retry_after": retry_after})
        side.arm(kind=f"error_{status}")
        faked = side.transfer()
        assert (faked.status_code, faked.content) == (real.status_code, real.content) == (status, real.content)
        assert faked.headers.get("retry-after") == real.headers.get("retry-after") == ("1" if retry_after else None)


class TestATokenThatExpires:
    def test_a_token_that_expires_on_bitrix24_stays_so_until_it_is_renewed(self, portal: PortalClient) -> None:
        portal.reset(apps=[APP])
        side = bitrix24_app(portal)
        assert side.transfer().status_code == 200
        side.arm(kind="token_expired")
        for _ in range(2):
            reply = side.transfer()
            assert (reply.status_code, reply.json()["error"]) == (401, "expired_token")
        form = {"grant_type": "refresh_token", "client_id": APP["client_id"], "client_secret": "appsecret"}
        address = f"{portal.sandbox.url}/oauth/token/"
        token = portal.http.get(address, params={**form, "refresh_token": "refresh-1"}).json()["access_token"]
        assert portal.post("profile", params={"auth": token}).status_code == 200

    def test_a_token_that_expires_on_bitrix24_is_none_that_a_webhook_carries(self, portal: PortalClient) -> None:
        portal.reset(apps=[APP])
        side = bitrix24_app(portal)
        side.arm(kind="token_expired")
        assert portal.call("profile").status_code == 200
        assert portal.call("profile", {"auth": "first"}).status_code == 200
        assert portal.post("profile", params={"auth": "nobody's"}).json()["error"] == "invalid_token"
        assert [fault["struck"] for fault in side.faults()] == [0]
        assert side.transfer().status_code == 401
        assert [fault["struck"] for fault in side.faults()] == [1]

    @pytest.mark.parametrize("status", [401, 403])
    @pytest.mark.parametrize(
        "headers",
        [
            {"Authorization": "Bearer 8A:Cust12345.agent7"},
            {"Authorization": "SOTicket 7T:Cust12345.agent7", "SO-AppToken": "sandbox-secret"},
        ],
        ids=["bearer", "ticket"],
    )
    def test_a_token_that_expires_on_superoffice_is_answered_as_its_switch_says(
        self, desk: TenantClient, headers: dict[str, str], status: int
    ) -> None:
        desk.reset(switches={"expired_token_status": status})
        side = superoffice_token(desk, headers)
        assert side.transfer().status_code == 200
        side.arm(kind="token_expired")
        assert [side.transfer().status_code for _ in range(2)] == [status, status]
        assert side.transfers() == 0

    def test_a_token_that_expires_on_superoffice_can_be_renewed(self, desk: TenantClient) -> None:
        side = superoffice_token(desk, {"Authorization": "Bearer 8A:Cust12345.agent7"})
        side.arm(kind="token_expired", count=2)
        assert side.transfer().status_code == 401
        form = {
            "grant_type": "refresh_token",
            "client_id": "sandbox",
            "client_secret": "sandbox-secret",
            "refresh_token": "refresh-agent7",
        }
        tokens = requests.post(f"{side.url}/login/common/oauth/tokens", data=form, timeout=10).json()
        renewed = superoffice_token(desk, {"Authorization": f"Bearer {tokens['access_token']}"})
        assert [renewed.transfer().status_code for _ in range(2)] == [401, 401]
        assert [fault["struck"] for fault in side.faults()] == [2]

    def test_a_token_that_expires_on_superoffice_is_none_that_a_password_carries(self, desk: TenantClient) -> None:
        side = superoffice(desk)
        side.arm(kind="token_expired")
        assert side.seen() == ("json", 200)
        assert [fault["struck"] for fault in side.faults()] == [0]


def bitrix24_app(portal: PortalClient) -> Side:
    return Side("bitrix24", portal.sandbox.url, lambda: portal.post("profile", params={"auth": "first"}), portal.skip)


def superoffice_token(desk: TenantClient, headers: dict[str, str]) -> Side:
    return Side("superoffice", desk.server.url, lambda: desk.send("GET", "ChatSession/157", headers=headers), desk.skip)


class TestHowOften:
    def test_how_often_is_once_unless_it_is_said(self, side: Side) -> None:
        side.arm(kind="html_502_before")
        assert [side.seen()[1] for _ in range(3)] == [502, 200, 200]

    def test_how_often_can_be_a_number(self, side: Side) -> None:
        side.arm(kind="html_502_before", count=2)
        assert [side.seen()[1] for _ in range(3)] == [502, 502, 200]

    def test_how_often_can_be_a_share_that_a_seed_repeats(self, side: Side) -> None:
        runs = []
        for seed in (1, 1, 2):
            requests.post(f"{side.url}/sandbox/reset", json={"seed": seed}, timeout=10)
            side.arm(kind="html_502_before", share=0.3)
            runs.append([side.seen()[1] == 502 for _ in range(40)])
        assert runs[0] == runs[1] != runs[2]
        assert all(4 <= sum(run) <= 20 for run in runs)

    @pytest.mark.parametrize(("share", "struck"), [(0, 0), (1, 5)])
    def test_how_often_can_be_never_or_always(self, side: Side, share: float, struck: int) -> None:
        side.arm(kind="html_502_before", share=share)
        assert [side.seen()[1] for _ in range(5)].count(502) == struck

    def test_how_often_can_be_for_a_time_of_the_sandbox(self, side: Side) -> None:
        side.arm(kind="html_502_before", for_seconds=3600)
        assert [side.seen()[1] for _ in range(3)] == [502, 502, 502]
        side.skip(3500)
        assert side.seen()[1] == 502
        side.skip(101)
        assert side.seen()[1] == 200

    def test_how_often_can_be_all_of_these_together(self, side: Side) -> None:
        side.arm(kind="html_502_before", count=2, share=0.5, for_seconds=60)
        assert [side.seen()[1] for _ in range(30)].count(502) == 2
        side.arm(kind="html_502_before", count=2, share=1, for_seconds=60)
        assert side.seen()[1] == 502
        side.skip(61)
        assert side.seen()[1] == 200

    def test_how_often_is_told(self, side: Side) -> None:
        side.arm(kind="html_502_before", method=METHODS[side.service], count=2)
        armed = side.arm(kind="delay_after", seconds=0.01, for_seconds=60)
        assert armed == side.faults()
        assert [(fault["kind"], fault["armed"], fault["struck"]) for fault in armed] == [
            ("html_502_before", True, 0),
            ("delay_after", True, 0),
        ]
        for _ in range(3):
            side.seen()
        side.skip(61)
        assert [(fault["armed"], fault["struck"]) for fault in side.faults()] == [(False, 2), (False, 1)]

    def test_how_often_is_no_more_once_it_was_disarmed(self, side: Side) -> None:
        side.arm(kind="html_502_before", count=5)
        assert requests.delete(f"{side.url}/sandbox/faults", timeout=10).json() == {"faults": []}
        assert side.faults() == []
        assert side.seen() == ("json", 200)

    def test_how_often_is_no_more_after_a_reset(self, side: Side) -> None:
        side.arm(kind="html_502_before", count=5)
        requests.post(f"{side.url}/sandbox/reset", json={}, timeout=10)
        assert side.faults() == []


class TestWhere:
    def test_where_is_one_service_or_either(self, side: Side) -> None:
        other = {"bitrix24": "superoffice", "superoffice": "bitrix24"}[side.service]
        assert side.try_to_arm(kind="html_502_before", service=other).status_code == 200
        assert side.seen() == ("json", 200)
        assert side.try_to_arm(kind="html_502_before").status_code == 200
        assert side.seen() == ("page", 502)

    def test_where_is_a_method_whatever_its_case(self, side: Side) -> None:
        side.arm(kind="html_502_before", method=METHODS[side.service].upper())
        side.arm(kind="drop_before", method="another")
        assert [side.seen()[1] for _ in range(2)] == [502, 200]

    @pytest.mark.parametrize("suffix", ["", ".json"])
    def test_where_is_a_whole_batch_when_a_command_is_meant(self, portal: PortalClient, suffix: str) -> None:
        side = bitrix24(portal)
        side.arm(kind="error_503", method=TRANSFER)
        cmd = {"a": "profile", "b": f"{TRANSFER}{suffix}?CHAT_ID=112&USER_ID=12&CLIENT_ID=chattransfer"}
        assert portal.call("batch", {"cmd": cmd}).json()["error"] == "QUERY_LIMIT_EXCEEDED"
        assert side.transfers() == 0


class TestWhatIsNoFault:
    @pytest.mark.parametrize(
        ("fault", "told"),
        [
            ({}, "needs a 'kind'"),
            ({"kind": "earthquake"}, "'html_502_before'"),
            ({"kind": 502}, "'kind'"),
            ({"kind": "drop_after", "service": "bitrix"}, "'bitrix24', 'superoffice'"),
            ({"kind": "drop_after", "method": ["a"]}, "'method' must be a text"),
            ({"kind": "drop_after", "times": 2}, "'times'"),
            ({"kind": "drop_after", "count": 0}, "'count' must be a whole number from 1 to"),
            ({"kind": "drop_after", "count": -1}, "'count'"),
            ({"kind": "drop_after", "count": 1.5}, "'count'"),
            ({"kind": "drop_after", "count": True}, "'count'"),
            ({"kind": "drop_after", "share": 1.1}, "'share' must be a number from 0 to 1"),
            ({"kind": "drop_after", "share": -0.1}, "'share'"),
            ({"kind": "drop_after", "share": "half"}, "'share'"),
            ({"kind": "drop_after", "for_seconds": 0}, "'for_seconds' must be a number above 0"),
            ({"kind": "drop_after", "for_seconds": -1}, "'for_seconds'"),
            ({"kind": "delay_after", "seconds": -1}, "'seconds' must be a number from 0 to"),
            ({"kind": "delay_after", "seconds": "1"}, "'seconds'"),
            ({"kind": "delay_after", "seconds": 10**400}, "at most"),
            ({"kind": "drop_after", "seconds": 1}, "not for 'drop_after'"),
        ],
    )
    def test_what_is_no_fault_is_refused_with_a_reason(
        self, portal: PortalClient, fault: dict[str, Any], told: str
    ) -> None:
        side = bitrix24(portal)
        reply = side.try_to_arm(**fault)
        assert reply.status_code == 400
        assert told in reply.json()["error"]
        assert side.faults() == []

    @pytest.mark.parametrize(
        "body", ["", "[]", "{", '{"kind": "drop_after", "share": NaN}', '{"kind": "hang_after", "seconds": 1e999}']
    )
    def test_what_is_no_fault_is_what_no_json_object_describes(self, portal: PortalClient, body: str) -> None:
        side = bitrix24(portal)
        reply = requests.post(f"{side.url}/sandbox/faults", data=body, timeout=10)
        assert reply.status_code == 400
        assert reply.json()["error"]
        assert side.faults() == []

    def test_what_is_no_fault_is_not_what_leaves_something_out_by_null(self, portal: PortalClient) -> None:
        armed = bitrix24(portal).arm(kind="drop_after", method=None, count=None, share=None, for_seconds=None)
        assert json.dumps(armed[0]["count"]) == "1"


class TestAHang:
    @pytest.mark.parametrize(("kind", "carried_out"), [("hang_before", 0), ("hang_after", 1)])
    def test_a_hang_lasts_until_the_client_gives_up(self, portal: PortalClient, kind: str, carried_out: int) -> None:
        side = bitrix24(portal)
        assert side.arm(kind=kind)[0]["seconds"] == 3600
        with connection(portal.sandbox) as client:
            client.sendall(request_for(TRANSFER, CHAT_ID=112, USER_ID=12))
            wait_for(lambda: side.faults()[0]["struck"] == 1)
            assert side.transfers() == carried_out
            client.settimeout(0.05)
            with pytest.raises(TimeoutError):
                client.recv(1)
        wait_for(lambda: not portal.sandbox._server.server_state.tasks)
        assert side.transfers() == carried_out
        assert side.seen() == ("json", 200)

    def test_a_hang_does_not_keep_the_sandbox_from_stopping(self, caplog: pytest.LogCaptureFixture) -> None:
        """Cut the hanging connection; uvicorn alone would wait for it, give up and log that."""
        with SandboxServer() as server:
            logging.getLogger("uvicorn").addHandler(caplog.handler)
            requests.post(f"{server.url}/sandbox/faults", json={"kind": "hang_before"}, timeout=10)
            with ThreadPoolExecutor() as pool:
                hanging = pool.submit(requests.get, f"{server.url}/rest/1/secretcode/profile", timeout=10)
                wait_for(lambda: server.sandbox.faults.to_json()[0]["struck"] == 1)
                server.stop()
                with pytest.raises(requests.ConnectionError):
                    hanging.result()
        logging.getLogger("uvicorn").removeHandler(caplog.handler)
        assert caplog.messages == []
