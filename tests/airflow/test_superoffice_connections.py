# SPDX-License-Identifier: Apache-2.0
"""Connections to SuperOffice, by every way of signing in: real tasks, the button Test, and what is wrong."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_chattransfer.hooks.superoffice import SuperOfficeHook
from airflow_provider_chattransfer.operators.accept import AcceptTransferOperator
from airflow_provider_chattransfer.operators.transfer import ReassignChatsOperator, TransferChatOperator
from airflow_provider_chattransfer.platforms.superoffice import tenant as tenants
from airflow_provider_chattransfer.platforms.superoffice.client import SuperOfficeClient
from airflow_provider_chattransfer.sandbox import sandbox as sandbox_module
from airflow_provider_chattransfer.sandbox.server import SandboxServer
from airflow_provider_chattransfer.sandbox.service import HttpRequest, Service
from airflow_provider_chattransfer.sandbox.superoffice import keys
from airflow_provider_chattransfer.sensors.accept_transfer import AcceptTransferSensor
from tests.sandbox.certificates import self_signed
from tests.support.ways_of_signing_in import WAYS, Way, without_labels

from .conftest import Ran, Sandbox, a_dag, run, run_one

ALL = {way.name.removeprefix("superoffice-"): way for way in WAYS if way.conn_type == "superoffice"}
MOVING = [name for name, way in ALL.items() if way.moves]
RENEWABLE = ("refresh-token", "system-user")
QUICK = {"requests_per_second": 1000, "burst": 1000}
AGENTS = "desk_agent_{agent}"
NOBODY = {"ignore": 1}
THEIRS = [str(1000 + number) for number in range(20)]
CHATS = [{"id": int(chat_id), "owner": 7 + int(chat_id) % 2, "queue": 3} for chat_id in THEIRS]

do = partial(run_one, conn_id="desk", poll_interval=0.1)


class ConnectedTenant:
    """The sandbox's tenant, and connections to it: ``desk``, and those of agents."""

    def __init__(self, sandbox: Sandbox, *, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sandbox = sandbox
        self.url = sandbox.url
        self.calls: list[HttpRequest] = []
        self._more = {**QUICK, "token_store": "file", "token_store_at": str(folder)}
        self._monkeypatch = monkeypatch

    def reset(self, way: Way | None = None, **scenario: Any) -> None:
        """Start anew, as ``way`` needs it."""
        own = (way.settings if way else {}).get("superoffice", {})
        self.sandbox.reset(
            superoffice={**scenario, "switches": {**own.get("switches", {}), **scenario.get("switches", {})}}
        )
        self.calls.clear()

    def connect(self, way: Way, *, user: str = "agent7", **more: Any) -> None:
        """Make the connection ``desk``."""
        self.put("desk", way.connection(self.url, user=user, **{**self._more, **more}))

    def connect_agents(self, *agents: int) -> None:
        """Make their connections: nothing but their refresh tokens, the rest is lent by the task's."""
        for agent in agents:
            extra = {"refresh_token": f"refresh-agent{agent}"}
            self.put(AGENTS.format(agent=agent), {"conn_type": "superoffice", "extra": extra})

    def put(self, conn_id: str, connection: Mapping[str, Any]) -> None:
        """Make a connection."""
        self._monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))

    def offer(self) -> None:
        """Let agent 7 ask agent 12 to take chat 150, as he does at his desk."""
        address = f"{self.url}/Cust12345/api/v1/ChatSession/150/TransferTo/12"
        requests.post(address, auth=("agent7", "Secret7"), timeout=10).raise_for_status()

    def asked(self, what: str) -> int:
        """How often something was asked for."""
        return [call.path.rpartition("/")[2] for call in self.calls].count(what)


@pytest.fixture
def desk(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConnectedTenant:
    """Return a tenant that this process knows nothing of."""
    desk = ConnectedTenant(sandbox, folder=tmp_path, monkeypatch=monkeypatch)
    count = sandbox_module.Sandbox.count

    def noting(sandbox: sandbox_module.Sandbox, service: Service, call: HttpRequest) -> None:
        desk.calls.append(call)
        count(sandbox, service, call)

    monkeypatch.setattr(sandbox_module.Sandbox, "count", noting)
    monkeypatch.setattr(tenants, "_locations", {})
    return desk


def outcome(ran: Ran) -> str:
    (entry,) = ran.results["task"]["transfers"]
    return str(entry["outcome"])


def wait(*chat_ids: str, **options: Any) -> Ran:
    """Wait for agent 12 to accept."""
    wanted = [{"chat_id": chat_id, "to": "agent:12"} for chat_id in chat_ids]
    with a_dag() as dag:
        AcceptTransferSensor(task_id="task", conn_id="desk", transfers=wanted, poll_interval=0.1, timeout=30, **options)
    return run(dag)


class TestEveryWay:
    @pytest.mark.parametrize("name", MOVING)
    def test_every_way_moves_a_chat(self, desk: ConnectedTenant, name: str) -> None:
        desk.reset(ALL[name], people=NOBODY)
        desk.connect(ALL[name])
        assert outcome(do(TransferChatOperator, chat_id=150, to="agent:12")) == "requested"
        assert desk.sandbox.ledger("superoffice")[0]["by"] == "associate:7"

    @pytest.mark.parametrize("name", MOVING)
    def test_every_way_accepts_one(self, desk: ConnectedTenant, name: str) -> None:
        desk.reset(ALL[name], people=NOBODY, chats=[{"id": 150, "owner": 7, "transfer_to": 12}])
        desk.connect(ALL[name], user="agent12")
        with a_dag() as dag:
            AcceptTransferOperator(task_id="task", conn_id="desk", chat_id=150)
        assert outcome(run(dag)) == "accepted"
        assert desk.sandbox.ledger("superoffice")[0]["by"] == "associate:12"

    @pytest.mark.parametrize("name", ALL)
    def test_lists(self, desk: ConnectedTenant, name: str) -> None:
        desk.reset(ALL[name], people=NOBODY, chats=CHATS)
        desk.connect(ALL[name])
        ran = do(ReassignChatsOperator, from_agents=["8"], to=["agent:12"], dry_run=True)
        found = [entry["chat_id"] for entry in ran.results["task"]["transfers"]]
        assert found == THEIRS[1::2]

    @pytest.mark.parametrize("deferrable", [False, True])
    @pytest.mark.parametrize("name", ALL)
    def test_waits(self, desk: ConnectedTenant, name: str, deferrable: bool) -> None:
        desk.reset(ALL[name], people={"accept_after": [0.2, 0.3]}, chats=[{"id": 150, "owner": 7}])
        desk.connect(ALL[name])
        desk.offer()
        assert outcome(wait("150", deferrable=deferrable)) == "accepted"

    @pytest.mark.parametrize("name", ALL)
    def test_every_way_is_tested_in_a_sentence_that_says_who_where_and_what_without_a_secret(
        self, desk: ConnectedTenant, name: str
    ) -> None:
        desk.reset(ALL[name])
        desk.connect(ALL[name])
        good, said = SuperOfficeHook("desk").test_connection()
        assert good
        assert ("as the system user, associate 99" if name == "system-user" else "as associate 7") in said
        assert "Cust12345" in said
        able = "list and wait" if name == "system-user" else "list, wait, transfer and accept"
        assert f"It can {able}." in said
        assert "Its clock and ours are even." in said
        assert len(desk.calls) <= 9
        assert not [secret for secret in ALL[name].secrets() if secret in said]
        assert desk.sandbox.ledger("superoffice") == []


class TestASystemUser:
    @pytest.mark.parametrize(
        "task",
        [
            lambda: TransferChatOperator(task_id="task", conn_id="desk", chat_id=150, to="agent:12"),
            lambda: AcceptTransferOperator(task_id="task", conn_id="desk", chat_id=150),
        ],
        ids=["transfer", "accept"],
    )
    def test_a_system_user_is_refused_what_it_cannot_do_before_any_request(
        self, desk: ConnectedTenant, task: Callable[[], Any]
    ) -> None:
        desk.connect(ALL["system-user"])
        with a_dag() as dag:
            task()
        error = run(dag).errors["task"]
        assert isinstance(error, ValueError)
        assert "a system user has no chats" in str(error)
        assert "agent_conn_id" in str(error)
        assert desk.calls == []

    def test_a_system_user_with_the_agents_connections_moves_what_is_theirs(self, desk: ConnectedTenant) -> None:
        desk.reset(people=NOBODY, chats=CHATS)
        desk.connect(ALL["system-user"], agent_conn_id=AGENTS)
        desk.connect_agents(7, 8)
        ran = do(ReassignChatsOperator, from_agents=["7", "8"], to=["agent:12"])
        assert ran.results["task"]["counts"]["requested"] == len(THEIRS)
        owners = {str(chat["id"]): f"associate:{chat['owner']}" for chat in CHATS}
        sent = {each["chat_id"]: each["by"] for each in desk.sandbox.ledger("superoffice")}
        assert sent == owners
        assert desk.asked("tokens") == 2, "each agent has a token of his own, and one"
        assert desk.asked("Authenticate") == 1

    def test_a_system_user_moves_the_chats_of_those_who_can_be_acted_as_and_says_who_cannot(
        self, desk: ConnectedTenant
    ) -> None:
        desk.reset(people=NOBODY, chats=CHATS)
        desk.connect(ALL["system-user"], agent_conn_id=AGENTS)
        desk.connect_agents(7)
        ran = do(ReassignChatsOperator, from_agents=["7", "8"], to=["agent:12"], max_failed_ratio=0.6)
        report = ran.results["task"]
        assert (report["counts"]["requested"], report["counts"]["failed"]) == (10, 10)
        reasons = {entry["reason"] for entry in report["transfers"] if entry["outcome"] == "failed"}
        assert reasons == {
            "not sent: there is no connection 'desk_agent_8'; create it under Admin, Connections, or let agent 8 do it "
            "themselves"
        }

    def test_a_system_user_is_tested_with_what_is_missing_of_its_agents(self, desk: ConnectedTenant) -> None:
        desk.connect(ALL["system-user"], agent_conn_id=AGENTS)
        desk.connect_agents(7, 8, 12, 15, 21)
        good, said = SuperOfficeHook("desk").test_connection()
        assert good
        assert "It can list, wait, transfer and accept." in said
        assert "It cannot act as agent 5: there is no connection 'desk_agent_5'" in said


END: dict[str, Callable[[ConnectedTenant], None]] = {
    "the service says so": lambda desk: desk.sandbox.fault(
        service="superoffice", kind="token_expired", method="TransferChatSession"
    ),
    "its hour is over": lambda desk: desk.sandbox.skip(6 * 3600 + 1),
}


class TestInTheMiddleOfARun:
    @pytest.fixture
    def halfway(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[], None]]]:
        """Yield what is to happen when half of the chats are sent."""
        events: list[Callable[[], None]] = []
        sent: list[str] = []
        transfer = SuperOfficeClient.transfer

        def counting(client: SuperOfficeClient, chat_id: str, *, to: str) -> Any:
            sent.append(chat_id)
            if len(sent) == len(THEIRS) // 2:
                for event in events:
                    event()
            return transfer(client, chat_id, to=to)

        monkeypatch.setattr(SuperOfficeClient, "transfer", counting)
        yield events
        assert len(sent) >= len(THEIRS), "half of them were not reached"

    def moved(self, desk: ConnectedTenant) -> None:
        """Move all chats of agents 7 and 8, each once."""
        ran = do(ReassignChatsOperator, from_agents=["7", "8"], to=["agent:12"])
        assert ran.state == "success", ran.errors
        assert ran.results["task"]["counts"]["requested"] == len(THEIRS)
        assert Counter(desk.sandbox.sent("superoffice")) == Counter(THEIRS)

    @pytest.mark.parametrize(("name", "end"), list(zip(RENEWABLE, END, strict=True)))
    def test_tokens_end_and_every_chat_is_moved_once(
        self, desk: ConnectedTenant, halfway: list[Callable[[], None]], name: str, end: str
    ) -> None:
        desk.reset(people=NOBODY, chats=CHATS)
        desk.connect(ALL[name], user="tje0", agent_conn_id=AGENTS)
        desk.connect_agents(7, 8)
        halfway.append(lambda: END[end](desk))
        self.moved(desk)
        assert desk.asked("tokens") > (3 if name == "refresh-token" else 2)

    def test_tokens_that_live_for_seconds_are_replaced_before_they_end(
        self, desk: ConnectedTenant, halfway: list[Callable[[], None]]
    ) -> None:
        desk.reset(people=NOBODY, chats=CHATS, switches={"token_lifetime": 2.0})
        desk.connect(ALL["refresh-token"], user="tje0", agent_conn_id=AGENTS, requests_per_second=12, burst=1)
        desk.connect_agents(7, 8)
        self.moved(desk)
        assert desk.asked("tokens") > 3
        turned_away = desk.asked("TransferChatSession") - len(THEIRS)
        assert turned_away <= 1

    def test_the_tenant_moves_and_every_chat_is_moved_once(
        self, desk: ConnectedTenant, halfway: list[Callable[[], None]]
    ) -> None:
        desk.reset(people=NOBODY, chats=CHATS, data_host={"name": "localhost", "after": 60})
        desk.connect(ALL["refresh-token"], user="tje0", agent_conn_id=AGENTS)
        desk.connect_agents(7, 8)
        halfway.append(lambda: desk.sandbox.skip(61))
        self.moved(desk)
        assert desk.asked("Cust12345") == 2, "it was asked where it is once, and once more"

    @pytest.mark.parametrize(("name", "deferrable"), list(zip(RENEWABLE, [False, True], strict=True)))
    def test_in_the_middle_of_a_run_of_a_wait_what_was_signed_in_with_ends(
        self, desk: ConnectedTenant, name: str, deferrable: bool
    ) -> None:
        desk.reset(people={"accept_after": [0.5, 0.5]}, chats=[{"id": 150, "owner": 7}])
        desk.connect(ALL[name])
        desk.offer()
        desk.sandbox.fault(service="superoffice", kind="token_expired", method="GetChatSessionEntity")
        assert outcome(wait("150", deferrable=deferrable)) == "accepted"
        assert desk.asked("tokens") + desk.asked("Authenticate") == 2


class TestTokens:
    def test_tokens_are_kept_for_the_next_task(self, desk: ConnectedTenant) -> None:
        desk.reset(people=NOBODY, chats=CHATS)
        desk.connect(ALL["refresh-token"])
        for chat_id in (1001, 1003, 1005):
            assert outcome(do(TransferChatOperator, chat_id=chat_id - 1, to="agent:12")) in ("requested", "failed")
        assert desk.asked("tokens") == 1

    def test_tokens_are_kept_in_a_variable_unless_told_otherwise(self, desk: ConnectedTenant) -> None:
        desk.reset(people=NOBODY)
        desk.connect(ALL["refresh-token"], token_store=None, token_store_at=None)
        for chat_id in (150, 152):
            assert outcome(do(TransferChatOperator, chat_id=chat_id, to="agent:12")) == "requested"
        assert desk.asked("tokens") == 1


ONLINE = {"tenant": "Cust12345", "client_id": "sandbox", "client_secret": "sandbox-secret"}
REFRESH = {**ONLINE, "refresh_token": "refresh-agent7"}
SYSTEM = {**ONLINE, "system_user_token": "Chat Transfer 1.0-8k8Q7DmBgo", "private_key": keys.APPLICATION_KEY.pem}
OTHER_KEY = keys.SIGNING_KEY.pem.replace("\n", "")
SECRETS = ("sandbox-secret", "refresh-agent7", "8k8Q7DmBgo", "Secret7", "PRIVATE KEY-----\n", "8A:x", "7T:x")
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"extra": {}}, "login and password, ticket, access_token, refresh_token or system_user_token: missing"),
    ({"login": "agent7", "extra": {}}, "password: missing; login needs password"),
    ({"password": "Secret7", "extra": {**REFRESH}}, "password: belongs to login, but refresh_token is there"),
    ({"login": "agent7", "password": "Secret7", "extra": {"access_token": "8A:x"}}, "login and access_token: both are"),
    ({"extra": {**REFRESH, "ticket": "7T:x"}}, "ticket and refresh_token: both are there; empty all but one"),
    ({"extra": {**REFRESH, "private_key": "x"}}, "private_key: belongs to system_user_token, but refresh_token is"),
    (
        {"extra": {**REFRESH, "client_secret": ""}},
        "client_secret: missing; refresh_token needs client_id and client_se",
    ),
    ({"extra": {**REFRESH, "client_id": None, "client_secret": None}}, "client_id and client_secret: missing"),
    ({"extra": {**SYSTEM, "private_key": ""}}, "private_key: missing; system_user_token needs private_key and"),
    ({"extra": {**SYSTEM, "private_key": "MIIEvQIBADANBg"}}, "private_key: this is no private key, or a part of one"),
    ({"extra": {**SYSTEM, "tenant": ""}}, "tenant: missing; system_user_token is for SuperOffice online"),
    ({"extra": {**REFRESH, "tenant": "example.com"}}, "tenant: 'example.com' is not of the form Cust12345"),
    ({"extra": {**REFRESH, "tenant": "Cust"}}, "tenant: 'Cust' is not of the form Cust12345"),
    ({"extra": {**REFRESH, "tenant": "Cust1/../x"}}, "is not of the form Cust12345"),
    ({"extra": {"tenant": "Cust12345", "ticket": "7T:x"}}, "client_secret: missing; ticket needs client_secret"),
    (
        {"host": "online2.superoffice.com/Cust12345", "extra": {"ticket": "7T:x"}},
        "client_secret: missing; ticket needs client_secret",
    ),
    ({"extra": {"tenant": "Cust12345", "access_token": "8A:x y"}}, "access_token: holds a space"),
    (
        {"login": "agent7", "password": "Secret7", "extra": {"tenant": "Cust12345"}},
        "login: SuperOffice online takes no password; fill in refresh_token",
    ),
    (
        {"host": "online2.superoffice.com/Cust12345", "login": "agent7", "password": "Secret7", "extra": {}},
        "login: SuperOffice online takes no password",
    ),
    ({"host": "online.superoffice.com", "extra": {"access_token": "8A:x"}}, "tenant: missing; online.superoffice.com"),
    ({"host": "online2.superoffice.com", "extra": REFRESH}, "host: with a tenant it must be one of online.superoffice"),
    ({"host": "online.superoffice.com/Cust12345", "extra": REFRESH}, "host: with a tenant it must be one of online"),
    ({"host": "crm.example.com", "extra": REFRESH}, "host: with a tenant it must be one of online.superoffice.com"),
    ({"host": "online.superoffice.com.evil.example", "extra": REFRESH}, "host: with a tenant it must be one of"),
    ({"host": "http://online.superoffice.com", "extra": REFRESH}, "is plain http"),
    ({"extra": {**REFRESH, "agent_conn_id": "an_agent"}}, "agent_conn_id: 'an_agent' does not contain {agent}"),
    ({"extra": {**REFRESH, "token_store": "nowhere"}}, "token_store: 'nowhere'"),
]

AGENT_WRONG: list[tuple[dict[str, Any], str]] = [
    ({"extra": {}}, "login and password, ticket, access_token, refresh_token or system_user_token: missing"),
    (
        {"host": "online.superoffice.com", "extra": {"refresh_token": "refresh-agent7"}},
        "host: https://online.superoffice",
    ),
    ({"extra": {"refresh_token": "refresh-agent7", "tenant": "Cust99999"}}, "tenant: is not that of the task's"),
    ({"extra": {"refresh_token": "refresh-agent7", "client_id": "other"}}, "client_id: is not that of the task's"),
    ({"extra": {**SYSTEM}}, "system_user_token: a system user has no chats; let the agent sign in"),
    ({"login": "agent7", "password": "Secret7"}, "login: SuperOffice online takes no password"),
    ({"extra": {"ticket": "7T:x y"}}, "ticket: holds a space"),
]


class TestBadInput:
    @pytest.mark.parametrize(("wrong", "words"), WRONG, ids=[words[:40] for _, words in WRONG])
    def test_bad_input_is_a_sentence_that_names_the_field_and_no_secret_and_nothing_is_sent(
        self, desk: ConnectedTenant, wrong: dict[str, Any], words: str
    ) -> None:
        desk.put("desk", {"conn_type": "superoffice", "host": desk.url, **wrong})
        with pytest.raises(ValueError, match=r"^connection 'desk': ") as caught:
            SuperOfficeHook("desk").get_conn()
        said = str(caught.value)
        assert len(said) < 300
        assert words in without_labels(said)
        assert not [secret for secret in SECRETS if secret in said]
        good, tested = SuperOfficeHook("desk").test_connection()
        assert not good
        assert words in without_labels(tested)
        assert desk.calls == []

    @pytest.mark.parametrize(("wrong", "words"), AGENT_WRONG, ids=[words[:40] for _, words in AGENT_WRONG])
    def test_bad_input_in_an_agents_connection_is_why_their_chats_cannot_be_sent(
        self, desk: ConnectedTenant, wrong: dict[str, Any], words: str
    ) -> None:
        desk.connect(ALL["system-user"], agent_conn_id=AGENTS)
        desk.connect_agents(8)
        desk.put(AGENTS.format(agent=7), {"conn_type": "superoffice", **wrong})
        with SuperOfficeHook("desk").get_conn() as platform:
            why = platform.why_cannot_send("7")
            assert platform.why_cannot_send("8") is None
        assert why is not None
        assert why.startswith("connection 'desk_agent_7': ")
        assert words in without_labels(why)
        assert not [secret for secret in SECRETS if secret in why]

    def test_bad_input_in_an_agents_connection_concerns_their_chats_only(self, desk: ConnectedTenant) -> None:
        desk.reset(people=NOBODY, chats=CHATS)
        desk.connect(ALL["system-user"], agent_conn_id=AGENTS)
        desk.connect_agents(8)
        desk.put(AGENTS.format(agent=7), {"conn_type": "superoffice", "extra": {"ticket": "7T:x y"}})
        ran = do(ReassignChatsOperator, from_agents=["7", "8"], to=["agent:12"], max_failed_ratio=0.6)
        report = ran.results["task"]
        assert (report["counts"]["requested"], report["counts"]["failed"]) == (10, 10)
        reason = next(entry["reason"] for entry in report["transfers"] if entry["outcome"] == "failed")
        assert reason.startswith("not sent: connection 'desk_agent_7': ")
        assert not [secret for secret in SECRETS if secret in json.dumps(report)]

    def test_as_an_agent_online_of_a_task_on_site_is_said(self, desk: ConnectedTenant) -> None:
        desk.connect(ALL["basic"], agent_conn_id=AGENTS)
        extra = {"refresh_token": "refresh-agent7", "tenant": "Cust12345"}
        desk.put(AGENTS.format(agent=7), {"conn_type": "superoffice", "extra": extra})
        with SuperOfficeHook("desk").get_conn() as platform:
            why = platform.why_cannot_send("7")
        assert why == (
            "connection 'desk_agent_7': Online: tenant (tenant): is not that of the task's connection; empty it, then "
            "that is taken"
        )

    def test_bad_input_that_says_the_same_as_the_tasks_connection_is_none(self, desk: ConnectedTenant) -> None:
        desk.reset(people=NOBODY, chats=CHATS)
        desk.connect(ALL["system-user"], agent_conn_id=AGENTS)
        for agent in (7, 8):
            desk.put(AGENTS.format(agent=agent), ALL["refresh-token"].connection(desk.url, user=f"agent{agent}"))
        ran = do(ReassignChatsOperator, from_agents=["7", "8"], to=["agent:12"])
        assert ran.results["task"]["counts"]["requested"] == len(THEIRS)


def with_scenario(**scenario: Any) -> Callable[[ConnectedTenant], None]:
    """Set the sandbox up so."""
    return lambda desk: desk.reset(**scenario)


FOUND_OUT: list[tuple[dict[str, Any], Callable[[ConnectedTenant], None], str]] = [
    ({**REFRESH, "tenant": "Cust99999"}, with_scenario(), "tenant Cust99999 is not known there; check tenant"),
    ({**REFRESH, "client_secret": "wrong-secret"}, with_scenario(), "client_id and client_secret are not taken"),
    ({**REFRESH, "refresh_token": "refresh-gone"}, with_scenario(), "refresh_token is not taken"),
    (REFRESH, with_scenario(application={"consent": "Revoked"}), "has revoked the application's consent"),
    (REFRESH, with_scenario(operators=[{"id": 7, "deleted": True}], chats=[]), "or the user is disabled"),
    (REFRESH, with_scenario(tenant_state="Suspended"), "tenant Cust12345 is suspended"),
    (REFRESH, with_scenario(tenant_state="OfflineMaintenance"), "tenant Cust12345 is being maintained"),
    (REFRESH, with_scenario(switches={"installation": "onsite"}), "host must be where SuperOffice online signs in"),
    (
        {**SYSTEM, "client_secret": "wrong-secret"},
        with_scenario(),
        "system_user_token, client_secret and tenant do not belong",
    ),
    ({**SYSTEM, "private_key": OTHER_KEY}, with_scenario(), "private_key is not the key of this application"),
    (SYSTEM, with_scenario(application={"consent": "NeedsReapproval"}), "has changed since the tenant's administrator"),
    (SYSTEM, with_scenario(application={"consent": "Expired"}), "consent to the application has expired"),
    (
        {"tenant": "Cust12345", "ticket": "7T:Cust12345.agent7", "client_secret": "wrong-secret"},
        with_scenario(switches={"installation": "online"}),
        "or client_secret is not that of the application",
    ),
    ({"tenant": "Cust12345", "access_token": "8A:Cust12345.gone"}, with_scenario(), "the access_token has run out"),
]


class TestTheButtonTest:
    @pytest.mark.parametrize(("extra", "arrange", "words"), FOUND_OUT, ids=[words for *_, words in FOUND_OUT])
    def test_the_button_test_says_what_the_service_does_not_take_and_no_secret(
        self,
        desk: ConnectedTenant,
        extra: dict[str, Any],
        arrange: Callable[[ConnectedTenant], None],
        words: str,
        tmp_path: Path,
    ) -> None:
        arrange(desk)
        store = {"token_store": "file", "token_store_at": str(tmp_path)}
        desk.put("desk", {"conn_type": "superoffice", "host": desk.url, "extra": {**extra, **store, **QUICK}})
        good, said = SuperOfficeHook("desk").test_connection()
        assert not good
        assert words in said
        assert not [secret for secret in (*SECRETS, "wrong-secret") if secret in said]

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"login": "agent7", "password": "wrong-password"}, "check login and password"),
            ({"login": "agent90", "password": "Secret90"}, "that the user may sign in"),
        ],
        ids=["another password", "disabled user"],
    )
    def test_the_button_test_says_it_of_a_password_on_site(
        self, desk: ConnectedTenant, fields: dict[str, str], words: str
    ) -> None:
        desk.put("desk", {"conn_type": "superoffice", "host": f"{desk.url}/Cust12345", **fields})
        good, said = SuperOfficeHook("desk").test_connection()
        assert not good
        assert words in said
        assert fields["password"] not in said

    @pytest.mark.parametrize("path", ["", "/", "/WebApi", "/sandbox"])
    def test_the_button_test_says_when_there_is_no_web_api_at_host(self, desk: ConnectedTenant, path: str) -> None:
        address = {"conn_type": "superoffice", "host": f"{desk.url}{path}", "login": "agent7", "password": "Secret7"}
        desk.put("desk", address)
        good, said = SuperOfficeHook("desk").test_connection()
        assert not good
        assert "check that host is the address of a WebAPI" in said

    def test_the_button_test_says_by_how_much_the_clocks_differ(self, desk: ConnectedTenant) -> None:
        desk.connect(ALL["refresh-token"])
        desk.sandbox.skip(7200)
        good, said = SuperOfficeHook("desk").test_connection()
        assert good
        assert "s ahead of ours: set this machine's clock." in said

    def test_the_button_test_gives_up_before_ten_seconds(
        self, desk: ConnectedTenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airflow_provider_chattransfer.hooks.settings.FAIL_FAST_TIMEOUT_SECONDS", 0.3)
        desk.connect(ALL["access-token"])
        desk.sandbox.fault(service="superoffice", kind="hang_before", method="currentPrincipal")
        good, said = SuperOfficeHook("desk").test_connection()
        assert not good
        assert "no whole answer from 127.0.0.1" in said
        assert desk.asked("currentPrincipal") == 1

    def test_the_button_test_of_an_agents_connection_that_leaves_out_the_host_says_so(
        self, desk: ConnectedTenant
    ) -> None:
        desk.put("desk", {"conn_type": "superoffice", "extra": {"refresh_token": "refresh-agent7"}})
        good, said = SuperOfficeHook("desk").test_connection()
        assert not good
        assert "Address (host): empty" in said

    def test_reaches_a_tenant_by_https_with_an_authority_of_ones_own(
        self, desk: ConnectedTenant, tmp_path: Path
    ) -> None:
        certificate, key = self_signed(tmp_path)
        with SandboxServer(certificate=certificate, key=key) as server:
            for bundle, expected in ((str(certificate), True), (None, False)):
                connection = ALL["refresh-token"].connection(server.url, user="agent7", ca_bundle=bundle)
                store = {"token_store": "file", "token_store_at": str(tmp_path)}
                desk.put("desk", {**connection, "extra": {**connection["extra"], **store}})
                good, said = SuperOfficeHook("desk").test_connection()
                assert good is expected, said
        assert "its certificate cannot be verified" in said
