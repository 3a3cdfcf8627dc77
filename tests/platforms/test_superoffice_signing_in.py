# SPDX-License-Identifier: Apache-2.0
"""SuperOffice: signing in online and on-site, what runs out on the way, and where nothing is sent."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event
from typing import Any
from urllib.parse import parse_qsl

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from airflow_provider_chattransfer.chats.acceptance import AcceptancePoller
from airflow_provider_chattransfer.chats.model import Chat, TransferReport
from airflow_provider_chattransfer.chats.run import Move
from airflow_provider_chattransfer.exceptions import (
    CredentialsError,
    MisdirectedError,
    NotAppliedError,
    PlatformError,
    TenantOutOfServiceError,
    UnexpectedResponseError,
    UnreachableError,
)
from airflow_provider_chattransfer.platforms.auth import AuthHeaders
from airflow_provider_chattransfer.platforms.base import SendOptions
from airflow_provider_chattransfer.platforms.issued_token import IssuedToken
from airflow_provider_chattransfer.platforms.polling import poll_until_done
from airflow_provider_chattransfer.platforms.reading_age import MAX_READ_AGE_SECONDS, sending_what_was_read
from airflow_provider_chattransfer.platforms.superoffice import connection_check
from airflow_provider_chattransfer.platforms.superoffice import tenant as tenants
from airflow_provider_chattransfer.platforms.superoffice.auth import (
    Basic,
    Bearer,
    ManagedToken,
    SoTicket,
    SuperOfficeAuth,
)
from airflow_provider_chattransfer.platforms.superoffice.client import SuperOfficeClient
from airflow_provider_chattransfer.platforms.superoffice.oauth import RefreshToken
from airflow_provider_chattransfer.platforms.superoffice.platform import SuperOfficePlatform
from airflow_provider_chattransfer.platforms.superoffice.private_key import read_private_key
from airflow_provider_chattransfer.platforms.superoffice.system_user import SystemUser
from airflow_provider_chattransfer.platforms.superoffice.tenant import Site, Tenant
from airflow_provider_chattransfer.platforms.tokens.manager import TokenManager
from airflow_provider_chattransfer.platforms.transport import Transport
from airflow_provider_chattransfer.sandbox.superoffice import keys
from airflow_provider_chattransfer.sandbox.superoffice.tenant import STATE_LIFETIME_SECONDS

from ..support.reports import outcomes_of
from ..support.token_stores import MemoryTokenStore
from .conftest import ClockedSandbox, Script, Scripted, one_at_a_time, to

TRANSFER = "TransferChatSession"
SYSTEM_TOKEN = "Chat Transfer 1.0-8k8Q7DmBgo"
SECRET = "sandbox-secret"
HOUR = 3600.0
OWNED_BY_7: dict[str, Any] = {"chats": [{"id": 1000 + number, "owner": 7, "queue": 3} for number in range(12)]}
THOSE = [str(1000 + number) for number in range(12)]
ANY_TIME = {"timestamp_window": 1e9}
"""A sandbox whose time is let pass: it compares the time that is signed with the computer's."""


class Online:
    """The sandbox as SuperOffice online."""

    def __init__(self, stage: ClockedSandbox) -> None:
        self.stage = stage
        self.transport = stage.transport()
        self.store = MemoryTokenStore()
        self.key = keys.APPLICATION_KEY.pem

    def reset(self, *, switches: dict[str, Any] | None = None, **scenario: Any) -> None:
        """Start anew, online only and without people who do anything."""
        switches = {"installation": "online", **(switches or {})}
        self.stage.reset(superoffice={"people": {"ignore": 1}, "switches": switches, **scenario})
        self.store.kept.clear()

    def tenant(self, *, host: str | None = None, name: str = "Cust12345") -> Tenant:
        return Tenant(host=host or self.stage.url, name=name, transport=self.transport, clock=self.stage.now)

    def token_manager(
        self, fetch_token: Callable[[str | None], IssuedToken], *, store: MemoryTokenStore | None = None
    ) -> TokenManager:
        clock, sleep = self.stage.now, self.stage.sleep
        kept = store or self.store
        return TokenManager(store=kept, fetch_token=fetch_token, rotates=False, clock=clock, sleep=sleep)

    def agent(
        self, number: int = 7, *, token: str | None = None, secret: str = SECRET, store: MemoryTokenStore | None = None
    ) -> ManagedToken:
        """As an agent, by his refresh token."""
        grant = RefreshToken(
            host=self.stage.url,
            client_id="sandbox",
            client_secret=secret,
            refresh_token=token or f"refresh-agent{number}",
            transport=self.transport,
            clock=self.stage.now,
        )
        return ManagedToken(self.token_manager(grant.fetch_token, store=store), scheme=Bearer, client_id="sandbox")

    def user(self, *, secret: str = SECRET, clock: Callable[[], float] | None = None, **other: Any) -> SystemUser:
        given = {"host": self.stage.url, "tenant": "Cust12345", "token": SYSTEM_TOKEN, **other}
        return SystemUser(
            client_secret=secret,
            key=read_private_key(self.key),
            transport=self.transport,
            clock=clock or self.stage.now,
            **given,
        )

    def system_user(self, **other: Any) -> ManagedToken:
        """As the application itself."""
        user = self.user(**other)
        return ManagedToken(self.token_manager(user.fetch_token), scheme=lambda each: SoTicket(each, SECRET))

    def client(self, credentials: SuperOfficeAuth) -> SuperOfficeClient:
        return SuperOfficeClient(
            address=self.tenant(), auth=credentials, transport=self.transport, clock=self.stage.now
        )

    def platform(self, credentials: SuperOfficeAuth, **options: Any) -> SuperOfficePlatform:
        return SuperOfficePlatform(self.client(credentials), **options)

    def asked(self, what: str) -> int:
        """How often something was asked for."""
        return self.stage.asked("superoffice").count(what)


@pytest.fixture
def online(stage: ClockedSandbox, monkeypatch: pytest.MonkeyPatch) -> Online:
    """Return the sandbox as SuperOffice online, to a process that knows nothing of it yet."""
    monkeypatch.setattr(tenants, "_locations", {})
    online = Online(stage)
    online.reset()
    return online


def refused(call: Callable[[], Any]) -> str:
    """Return the words with which credentials are turned away."""
    with pytest.raises(CredentialsError) as caught:
        call()
    return str(caught.value)


class TestAnAgentOnline:
    def test_signs_in_by_his_refresh_token(self, online: Online) -> None:
        assert outcomes_of(online.stage.run_to_end(online.platform(online.agent()), to("agent:12", "150"))) == [
            "requested"
        ]
        assert online.stage.ledger("superoffice")[0]["by"] == "associate:7"

    def test_an_agent_online_shows_it_in_a_form_and_in_no_address(self, online: Online) -> None:
        online.client(online.agent()).principal()
        (call,) = (call for call in online.stage.calls if call.path.endswith("tokens"))
        assert dict(parse_qsl(call.body.decode()))["refresh_token"] == "refresh-agent7"
        assert (call.path, call.query) == ("/login/common/oauth/tokens", "")
        assert call.headers["content-type"] == "application/x-www-form-urlencoded"

    def test_an_agent_online_gets_one_access_token_for_all_who_share_the_store(self, online: Online) -> None:
        for _ in range(3):
            online.client(online.agent()).principal()
        assert online.asked("tokens") == 1

    def test_an_agent_online_gets_the_next_before_the_last_one_ends(self, online: Online) -> None:
        client = online.client(online.agent())
        client.principal()
        for seconds in (HOUR - 70, 30, 60):
            online.stage.sleep(seconds)
            client.principal()
        assert online.asked("tokens") == 2
        assert online.asked("currentPrincipal") == 4, "none was turned away"

    def test_believes_what_the_service_says_of_a_tokens_life(self, online: Online) -> None:
        online.reset(switches={"token_lifetime": 200.0})
        client = online.client(online.agent())
        client.principal()
        online.stage.sleep(160)
        client.principal()
        assert online.asked("tokens") == 2

    def test_an_agent_online_whose_token_ends_in_the_middle_of_a_run_moves_every_chat_once(
        self, online: Online, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        online.reset(**OWNED_BY_7)
        platform, transfer = online.platform(online.agent()), SuperOfficeClient.transfer

        def ending(client: SuperOfficeClient, chat_id: str, **target: str) -> Any:
            if chat_id in THOSE[2::4]:
                online.stage.fault(kind="token_expired", service="superoffice", method=TRANSFER)
            return transfer(client, chat_id, **target)

        monkeypatch.setattr(SuperOfficeClient, "transfer", ending)
        results = online.stage.run_to_end(one_at_a_time(platform), to("agent:12", *THOSE))
        assert outcomes_of(results) == ["requested"] * len(THOSE)
        assert sorted(online.stage.moved("superoffice")) == THOSE
        assert online.asked(TRANSFER) == len(THOSE) + 3
        assert online.asked("tokens") == 1 + 3

    def test_an_agent_online_whose_token_has_ended_is_told_so_by_403_as_well(self, online: Online) -> None:
        online.reset(switches={"expired_token_status": 403})
        client = online.client(online.agent())
        client.principal()
        online.stage.sleep(61)
        online.stage.fault(kind="token_expired", service="superoffice")
        assert client.principal().AssociateId == "7"
        assert online.asked("tokens") == 2

    def test_who_may_not_do_something_is_not_signed_in_anew_for_it(self, online: Online) -> None:
        """A 403 to a token that was obtained just now is about rights."""
        online.reset(switches={"expired_token_status": 403})
        online.stage.fault(kind="token_expired", service="superoffice", count=100)
        client = online.client(online.agent())
        for _ in range(3):
            assert "the user may not do this" in refused(client.principal)
        assert online.asked("tokens") == 1

    def test_an_agent_online_is_given_up_when_a_new_token_is_not_taken_either(self, online: Online) -> None:
        online.stage.fault(kind="token_expired", service="superoffice", count=100)
        assert "obtained just now is not taken either" in refused(online.client(online.agent()).principal)
        assert online.asked("currentPrincipal") == 2

    def test_who_is_signed_in_slowly_sends_nothing_that_was_read_long_ago(
        self, online: Online, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        online.stage.fault(kind="token_expired", service="superoffice", method=TRANSFER)
        online.stage.fault(kind="token_expired", service="superoffice", method="currentPrincipal")
        renew = ManagedToken.refresh

        def slowly(credentials: ManagedToken, expired: AuthHeaders) -> None:
            online.stage.sleep(MAX_READ_AGE_SECONDS + 1)
            renew(credentials, expired)

        monkeypatch.setattr(ManagedToken, "refresh", slowly)
        client = online.client(online.agent())
        with sending_what_was_read(online.stage.now(), clock=online.stage.now):
            with pytest.raises(NotAppliedError, match="it must be read again"):
                client.transfer("150", to="12")
            assert online.stage.moved("superoffice") == []
            assert client.principal().AssociateId == "7", "what may be repeated is sent all the same"

    @pytest.mark.parametrize("kind", ["html_502_before", "drop_before", "drop_after", "error_503", "truncated_json"])
    def test_an_agent_online_is_signed_in_through_trouble(self, online: Online, kind: str) -> None:
        online.stage.fault(kind=kind, service="superoffice", method="tokens", count=2)
        assert online.client(online.agent()).principal().AssociateId == "7"

    @pytest.mark.parametrize(
        ("token", "secret", "scenario", "words"),
        [
            (None, "wrong-secret", {}, "client_id and client_secret are not taken; compare them"),
            ("refresh-nobody", SECRET, {}, "refresh_token is not taken"),
            (None, SECRET, {"application": {"consent": "Revoked"}}, "has revoked the application's consent"),
            (None, SECRET, {"operators": [{"id": 7, "deleted": True}], "chats": []}, "or the user is disabled"),
        ],
        ids=["another secret", "another token", "revoked consent", "disabled user"],
    )
    def test_who_gets_no_token_is_told_why(
        self, online: Online, token: str | None, secret: str, scenario: dict[str, Any], words: str
    ) -> None:
        online.reset(**scenario)
        said = refused(online.client(online.agent(token=token, secret=secret)).principal)
        assert words in said
        assert not [each for each in ("wrong-secret", "refresh-", SECRET) if each in said]

    def test_an_agent_online_of_several_each_has_tokens_of_his_own(self, online: Online) -> None:
        online.reset(chats=[{"id": 1000, "owner": 7}, {"id": 1001, "owner": 8}, {"id": 1002, "owner": 7}])
        agents = {number: online.client(online.agent(int(number), store=MemoryTokenStore())) for number in "78"}
        platform = online.platform(online.system_user(), identities=agents.__getitem__)
        results = online.stage.run_to_end(platform, to("agent:12", "1000", "1001", "1002"))
        assert outcomes_of(results) == ["requested"] * 3
        sent = [each["by"] for each in online.stage.ledger("superoffice") if each["change"] == "transferred"]
        assert sorted(sent) == ["associate:7", "associate:7", "associate:8"]

    def test_who_gets_no_token_is_not_tried_again_for_each_of_his_chats(self, online: Online) -> None:
        online.reset(chats=[{"id": 1000 + number, "owner": 7 + number % 2} for number in range(10)])
        agents = {
            "7": online.client(online.agent(7, store=MemoryTokenStore())),
            "8": online.client(online.agent(8, token="refresh-gone", store=MemoryTokenStore())),
        }
        platform = online.platform(online.system_user(), identities=agents.__getitem__)
        results = online.stage.run_to_end(platform, to("agent:12", *(str(1000 + number) for number in range(10))))
        assert outcomes_of(results) == ["requested", "failed"] * 5
        assert "signing in as agent 8" in (results[1].reason or "")
        assert online.asked("tokens") == 2


class TestATicket:
    def test_signs_in_online_with_the_applications_secret(self, online: Online) -> None:
        ticket = SoTicket("7T:Cust12345.agent7", SECRET)
        assert online.client(ticket).principal().AssociateId == "7"

    def test_signs_in_on_site_without(self, online: Online) -> None:
        online.reset(switches={"installation": "onsite"})
        site = Site(f"{online.stage.url}/Cust12345")
        for ticket in (SoTicket("7T:Cust12345.agent7"), Basic("agent7", "Secret7")):
            client = SuperOfficeClient(address=site, auth=ticket, transport=online.transport)
            assert client.principal().AssociateId == "7"

    @pytest.mark.parametrize(
        ("credentials", "words"),
        [
            (SoTicket("7T:Cust12345.agent7", "another"), "or client_secret is not that of the application"),
            (SoTicket("7T:Cust12345.gone", SECRET), "the ticket has run out"),
            (Bearer("8A:Cust12345.gone"), "the access_token has run out"),
            (Basic("agent7", "Secret7"), "check login and password"),
        ],
        ids=["another secret", "a ticket that has ended", "a token that has ended", "a password"],
    )
    def test_or_token_that_is_not_taken_stops_with_the_fields_to_look_at(
        self, online: Online, credentials: SuperOfficeAuth, words: str
    ) -> None:
        said = refused(online.client(credentials).principal)
        assert words in said
        assert "[401]" in said

    @pytest.mark.parametrize("text", ["7T:x y", "7T:x\n", "7T:é"])
    def test_a_ticket_that_cannot_be_one_is_said_at_once(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"^ticket: holds a space"):
            SoTicket(text)


class TestATenant:
    def test_a_tenant_is_asked_for_once_as_long_as_that_is_valid(self, online: Online) -> None:
        for _ in range(3):
            online.client(online.agent()).principal()
        assert online.asked("Cust12345") == 1
        online.stage.sleep(STATE_LIFETIME_SECONDS - 5)
        online.client(online.agent()).principal()
        assert online.asked("Cust12345") == 1
        online.stage.sleep(10)
        online.client(online.agent()).principal()
        assert online.asked("Cust12345") == 2

    @pytest.mark.parametrize(
        ("valid", "kept", "gone"),
        [("0001-01-01T00:00:00Z", 55, 65), ("9999-12-31T23:59:59.9999999Z", 86_390, 86_410), (None, 55, 65)],
    )
    def test_a_tenant_is_kept_within_reason_whatever_the_service_says(
        self, online: Online, script: Script, valid: str | None, kept: float, gone: float
    ) -> None:
        script.play(state(f"{script.url}/Cust12345/api", ValidUntil=valid))
        tenant = online.tenant(host=script.url)
        for seconds, asked in ((0, 1), (kept, 1), (gone - kept, 2)):
            online.stage.sleep(seconds)
            tenant.base()
            assert len(script.heard) == asked

    def test_a_tenant_that_moves_in_the_middle_of_a_run_is_followed_and_every_chat_moved_once(
        self, online: Online
    ) -> None:
        online.reset(**OWNED_BY_7, data_host={"name": "localhost", "after": 60})
        platform = online.platform(online.agent())
        results = online.stage.run_to_end(platform, to("agent:12", *THOSE[:6]))
        online.stage.sleep(61)
        results += online.stage.run_to_end(platform, to("agent:12", *THOSE[6:]))
        assert outcomes_of(results) == ["requested"] * len(THOSE)
        assert sorted(online.stage.moved("superoffice")) == THOSE
        assert online.asked("Cust12345") == 2
        assert online.stage.calls[-1].headers["host"].startswith("localhost:")

    def test_a_tenant_that_moves_between_reading_and_sending_is_followed_for_the_transfer(self, online: Online) -> None:
        online.reset(**OWNED_BY_7, data_host={"name": "localhost", "after": 60})
        client = online.client(online.agent())
        client.principal()
        online.stage.sleep(61)
        assert client.transfer("1000", to="12").offered_to == "12"
        assert online.asked(TRANSFER) == 2
        assert online.stage.moved("superoffice") == ["1000"]

    def test_a_tenant_that_is_misdirected_where_it_says_it_is_is_tried_later(
        self, online: Online, script: Script
    ) -> None:
        script.play(
            state(f"{script.url}/Cust12345/api"), misdirected(), state(f"{script.url}/Cust12345/api"), misdirected()
        )
        client = SuperOfficeClient(
            address=online.tenant(host=script.url), auth=Bearer("8A:x"), transport=online.transport
        )
        with pytest.raises(MisdirectedError):
            client.transfer("1000", to="12")
        assert len(script.heard) == 4

    def test_a_tenant_has_one_name_wherever_it_lives(self, online: Online) -> None:
        online.reset(data_host={"name": "localhost", "after": 60})
        platform = online.platform(online.agent())
        before = platform.account
        online.stage.sleep(61)
        platform.client.principal()
        assert platform.account == before == f"{online.stage.url}/Cust12345"

    @pytest.mark.parametrize("name", sorted(tenants.SERVING_STATES))
    def test_a_tenant_in_service_serves(self, online: Online, name: str) -> None:
        online.reset(tenant_state=name)
        assert online.client(online.agent()).principal().AssociateId == "7"

    @pytest.mark.parametrize("name", sorted(tenants.TRANSIENT_STATES))
    def test_a_tenant_in_a_passing_state_says_that_waiting_helps(self, online: Online, name: str) -> None:
        online.reset(tenant_state=name)
        with pytest.raises(UnreachableError, match="tenant Cust12345 .* a later try .*" + name):
            online.client(online.agent()).principal()

    @pytest.mark.parametrize("name", sorted(tenants.PERMANENT_STATES))
    def test_a_tenant_in_a_lasting_state_says_what_to_do(self, online: Online, name: str) -> None:
        online.reset(tenant_state=name)
        said = refused(online.client(online.agent()).principal)
        assert f"tenant Cust12345 {tenants.PERMANENT_STATES[name]} [{name}]" in said

    def test_a_tenant_that_stops_serving_ends_a_run_and_is_blamed_on_no_agent(self, online: Online) -> None:
        agents = {"7": online.client(online.agent(7))}
        platform = online.platform(online.system_user(), identities=agents.__getitem__)
        online.reset(**OWNED_BY_7, tenant_state="Suspended")
        chats = [Move(transfer=each, chat=Chat(id=each.chat_id, owner="7")) for each in to("agent:12", *THOSE)]
        sent = platform.send(chats, SendOptions())
        assert sent.stop is not None
        assert sent.stop.for_good
        assert "tenant Cust12345 is suspended" in sent.stop.reason
        assert online.asked("Cust12345") == 1

    def test_a_tenant_that_does_not_exist_is_not_signed_in_to(self, online: Online) -> None:
        with pytest.raises(TenantOutOfServiceError, match="tenant Cust99999 is not known there; check tenant"):
            online.tenant(name="Cust99999").base()
        assert online.asked("tokens") == 0

    @pytest.mark.parametrize(
        "api",
        [
            "https://superoffice.com.evil.example/Cust12345/api",
            "https://evil.example/Cust12345/api",
            "https://evilsuperoffice.com/Cust12345/api",
            "http://online2.superoffice.com/Cust12345/api",
            "https://me:pw@online2.superoffice.com/Cust12345/api",
            "https://online2.superoffice.com/Cust12345/api?x=1",
            "http://127.0.0.1/Cust12345/api",
            "not an address",
            None,
        ],
    )
    def test_a_tenant_at_an_address_that_is_not_superoffices_gets_no_credentials(
        self, online: Online, monkeypatch: pytest.MonkeyPatch, api: str | None
    ) -> None:
        tenant = online.tenant(host="https://online.superoffice.com")
        monkeypatch.setattr(Transport, "send", lambda *_: {"State": "Running", "Api": api})
        with pytest.raises(UnexpectedResponseError, match="no credentials may be sent"):
            tenant.base()

    @pytest.mark.parametrize("host", ["online", "online2", "online27"])
    def test_a_tenant_may_be_at_any_of_superoffices_hosts(
        self, online: Online, monkeypatch: pytest.MonkeyPatch, host: str
    ) -> None:
        answer = {"State": "Running", "Api": f"https://{host}.superoffice.com/Cust12345/api"}
        monkeypatch.setattr(Transport, "send", lambda *_: answer)
        tenant = online.tenant(host="https://online.superoffice.com")
        assert tenant.base() == f"https://{host}.superoffice.com/Cust12345"

    def test_a_tenant_whose_host_has_no_state_service_says_what_host_must_be(self, online: Online) -> None:
        online.reset(switches={"installation": "onsite"})
        with pytest.raises(UnexpectedResponseError, match="host must be where SuperOffice online signs in"):
            online.tenant().base()

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_a_tenant_that_redirects_is_not_followed(self, online: Online, script: Script, status: int) -> None:
        elsewhere = Scripted(status, b"", {"Location": f"{online.stage.url}/api/state/Cust12345"})
        script.play(elsewhere)
        with pytest.raises(PlatformError):
            online.tenant(host=script.url).base()
        script.play(state(f"{script.url}/Cust12345/api"), elsewhere)
        client = SuperOfficeClient(
            address=online.tenant(host=script.url), auth=Bearer("8A:x"), transport=online.transport
        )
        with pytest.raises(PlatformError):
            client.principal()
        assert online.stage.asked("superoffice") == []

    def test_a_tenant_whose_lists_go_on_elsewhere_is_read_on_by_key_where_it_is(
        self, online: Online, script: Script
    ) -> None:
        page = {"odata.nextLink": f"{online.stage.url}/Cust12345/api/v1/ChatSession?$skip=2", "value": []}
        rows = [{"chatSessionId": 150}, {"chatSessionId": 151}]
        script.play(Scripted.json({**page, "value": rows}), Scripted.json(page))
        client = SuperOfficeClient(address=Site(script.url), auth=Bearer("8A:x"), transport=online.stage.transport())
        found = client.rows("ChatSession", select="chatSessionId", where="status eq 5", page=2)
        assert [row.chatSessionId for row in found] == ["150", "151"]
        assert [each.path.partition("?")[0] for each in script.heard] == ["/api/v1/ChatSession"] * 2
        assert online.stage.asked("superoffice") == []


class TestASystemUser:
    def test_lists_and_waits_with_a_ticket_and_the_applications_secret(self, online: Online) -> None:
        online.reset(**OWNED_BY_7)
        platform = online.platform(online.system_user())
        assert [chat.id for chat in platform.find_agents_chats(["7"])] == THOSE
        chat = platform.read_chats(["1000"])["1000"]
        assert isinstance(chat, Chat)
        assert chat.owner == "7"
        headers = online.stage.calls[-1].headers
        assert headers["authorization"].startswith("SOTicket 7T:Cust12345.")
        assert headers["so-apptoken"] == SECRET

    def test_a_system_user_moves_and_accepts_nothing_and_says_so_before_a_request(self, online: Online) -> None:
        platform = online.platform(online.system_user())
        with pytest.raises(ValueError, match=r"a system user has no chats.*agent_conn_id"):
            platform.check_may_send()
        assert "agent_conn_id" in (platform.why_cannot_send("7") or "")
        assert online.stage.calls == []

    def test_a_system_user_moves_by_the_identities_of_agents(self, online: Online) -> None:
        agents = {"7": online.client(online.agent(7, store=MemoryTokenStore()))}

        def identity(agent: str) -> SuperOfficeClient:
            if agent not in agents:
                raise ValueError(f"there is no connection for agent {agent}")
            return agents[agent]

        platform = online.platform(online.system_user(), identities=identity)
        platform.check_may_send()
        assert platform.why_cannot_send("7") is None
        assert platform.why_cannot_send("8") == "there is no connection for agent 8"
        assert online.stage.calls == []
        assert outcomes_of(online.stage.run_to_end(platform, to("agent:12", "150"))) == ["requested"]

    def test_a_system_user_asks_for_a_ticket_every_five_hours(self, online: Online) -> None:
        online.reset(switches=ANY_TIME)
        client = online.client(online.system_user())
        for _ in range(24 * 6):
            client.principal()
            online.stage.sleep(600)
        assert online.asked("Authenticate") == 5
        assert online.asked("currentPrincipal") == 24 * 6, "none was turned away"

    def test_a_system_user_whose_ticket_ends_in_a_wait_goes_on_waiting(self, online: Online) -> None:
        online.reset(people={"accept_after": [100, 100]})
        results = online.stage.run_to_end(
            online.platform(online.agent(store=MemoryTokenStore())), to("agent:12", "150")
        )

        def sleep(seconds: float) -> None:
            online.stage.sleep(seconds)
            online.stage.fault(kind="token_expired", service="superoffice", method="GetChatSessionEntity")

        def now() -> datetime:
            return datetime.fromtimestamp(online.stage.now(), UTC)

        asked = TransferReport("superoffice", "test", tuple(results), started_at=now(), finished_at=now())
        poller = AcceptancePoller(asked, deadline=online.stage.now() + HOUR)
        report = poll_until_done(poller, online.platform(online.system_user()), interval=30, now=now, sleep=sleep)
        assert outcomes_of(report.results) == ["accepted"]
        assert online.asked("Authenticate") == 1 + 4

    @pytest.mark.parametrize(
        ("consent", "words"),
        [
            ("Revoked", "has revoked their consent"),
            ("Expired", "consent to the application has expired"),
            ("Denied", "do not belong together"),
            ("NeedsReapproval", "has changed since"),
        ],
    )
    def test_a_system_user_without_consent_is_told_which(self, online: Online, consent: str, words: str) -> None:
        online.reset(application={"consent": consent})
        said = refused(online.client(online.system_user()).principal)
        assert words in said
        assert f"[{consent}]" in said

    @pytest.mark.parametrize(
        ("other", "code"),
        [
            ({"secret": "another-secret"}, "Denied"),
            ({"token": "Another App-1"}, "Denied"),
            ({"tenant": "Cust99999"}, "Denied"),
        ],
    )
    def test_a_system_user_of_another_application_or_tenant_is_denied(
        self, online: Online, other: dict[str, Any], code: str
    ) -> None:
        said = refused(online.client(online.system_user(**other)).principal)
        assert f"[{code}]" in said
        assert "another-secret" not in said

    def test_a_system_user_with_another_key_is_told_so(self, online: Online) -> None:
        online.key = keys.SIGNING_KEY.pem
        said = refused(online.client(online.system_user()).principal)
        assert "private_key is not the key of this application" in said
        assert "[InvalidSignature]" in said

    def test_a_system_user_with_a_wrong_clock_is_told_by_how_much(self, online: Online) -> None:
        behind = 2 * HOUR
        online.stage.sleep(behind)
        said = refused(lambda: online.user(clock=lambda: time.time() - behind).fetch_token(None))
        assert "[InvalidTimestamp]" in said
        ahead = int(said.partition("clock is ")[2].partition(" s ahead of this machine's")[0])
        assert abs(ahead - behind) <= 2

    def test_a_system_user_in_trouble_is_signed_in_all_the_same(self, online: Online) -> None:
        for method in ("Authenticate", "jwks"):
            online.stage.fault(kind="html_502_before", service="superoffice", method=method)
            online.stage.fault(kind="drop_after", service="superoffice", method=method)
        assert online.client(online.system_user()).principal().AssociateId == "99"


SCHEME = "http://schemes.superoffice.net/identity/"
CLAIMS = {
    "iss": "SuperOffice AS",
    "aud": "spn:1801550193",
    "iat": "1",
    SCHEME + "serial": "1801550193",
    SCHEME + "ctx": "Cust12345",
    SCHEME + "ticket": "7T:good",
}


def token(*, key: str = keys.SIGNING_KEY.pem, algorithm: str = "RS256", kid: str = keys.KEY_ID, **claims: Any) -> str:
    """Return a token as the sign-in service writes it, but for what is told otherwise."""
    now = int(time.time())
    whole = {**CLAIMS, "nbf": now - 60, "exp": now + 300, **claims}
    given = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode(given, key, algorithm=algorithm, headers={"kid": kid})


def state(api: str, **other: Any) -> Scripted:
    """Return what the state service answers."""
    return Scripted.json({"State": "Running", "IsRunning": True, "Api": api, "ValidUntil": None, **other})


def misdirected() -> Scripted:
    return Scripted(421, b"Wrong subdomain used to access tenant", {"Content-Type": "text/plain"})


class TestATokenOfTheSystemUser:
    @pytest.fixture
    def fetch_token(self, online: Online, script: Script) -> Callable[[str], IssuedToken]:
        """Ask a service for a ticket that answers with this token."""

        def fetch_token(text: str) -> IssuedToken:
            script.play(Scripted.json({"IsSuccessful": True, "Token": text}), Scripted.json(keys.key_set()))
            return online.user(host=script.url).fetch_token(None)

        return fetch_token

    def test_a_token_of_the_system_user_is_taken_when_all_is_right(
        self, fetch_token: Callable[[str], IssuedToken]
    ) -> None:
        assert fetch_token(token()).secret == "7T:good"

    @pytest.mark.parametrize(
        "other",
        [
            {"key": keys.APPLICATION_KEY.pem},
            {"key": "k" * 64, "algorithm": "HS256"},
            {"kid": "another"},
            {"iss": "Somebody else"},
            {"iss": None},
            {"aud": "spn:1"},
            {"aud": None},
            {SCHEME + "serial": None},
            {SCHEME + "ctx": "Cust99999"},
            {SCHEME + "ctx": None},
            {SCHEME + "ticket": None},
            {SCHEME + "ticket": "7T:x\r\nHost: evil"},
            {"exp": None},
        ],
        ids=str,
    )
    def test_a_token_of_the_system_user_is_refused_when_one_thing_is_not(
        self, fetch_token: Callable[[str], IssuedToken], other: dict[str, Any]
    ) -> None:
        with pytest.raises(UnexpectedResponseError):
            fetch_token(token(**other))

    def test_a_token_of_the_system_user_that_is_none_is_refused(
        self, fetch_token: Callable[[str], IssuedToken]
    ) -> None:
        for text in ("", "x.y.z", "7T:Cust12345.x"):
            with pytest.raises(UnexpectedResponseError):
                fetch_token(text)

    def test_signed_by_the_public_key_as_a_secret_is_refused(self, fetch_token: Callable[[str], IssuedToken]) -> None:
        """The oldest trick: HS256 with the bytes of the RSA key that everybody can read."""

        def part(value: dict[str, Any]) -> bytes:
            return jwt.utils.base64url_encode(json.dumps(value).encode())

        head, body = part({"alg": "HS256", "kid": keys.KEY_ID}), part({**CLAIMS, "exp": int(time.time()) + 300})
        public = keys.public_key(public_pem(keys.SIGNING_KEY.pem))
        secret = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        signature = hmac.new(secret, head + b"." + body, hashlib.sha256).digest()
        with pytest.raises(UnexpectedResponseError):
            fetch_token(b".".join((head, body, jwt.utils.base64url_encode(signature))).decode())

    @pytest.mark.parametrize("off", [-3600, 3600])
    def test_a_token_of_the_system_user_of_another_time_is_blamed_on_the_clocks(
        self, fetch_token: Callable[[str], IssuedToken], off: int
    ) -> None:
        now = int(time.time()) + off
        assert "set this machine's clock" in refused(lambda: fetch_token(token(nbf=now - 60, exp=now + 300)))

    @pytest.mark.parametrize("off", [-30, 30])
    def test_a_token_of_the_system_user_may_be_off_by_a_little(
        self, fetch_token: Callable[[str], IssuedToken], off: int
    ) -> None:
        now = int(time.time()) + off
        assert fetch_token(token(nbf=now, exp=now + 10)).secret == "7T:good"

    def test_a_token_of_the_system_user_is_not_taken_from_an_answer_that_is_not_successful(
        self, online: Online, script: Script
    ) -> None:
        script.play(Scripted.json({"IsSuccessful": False, "Token": token(), "ErrorMessage": "Something 42 secret"}))
        said = refused(lambda: online.user(host=script.url).fetch_token(None))
        assert "Something" not in said


def public_pem(private: str) -> str:
    key = serialization.load_pem_private_key(private.encode(), None)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def private_pem(form: serialization.PrivateFormat, *, key: Any = None, secret: bytes | None = None) -> str:
    key = key or serialization.load_pem_private_key(keys.APPLICATION_KEY.pem.encode(), None)
    seal = serialization.BestAvailableEncryption(secret) if secret else serialization.NoEncryption()
    return str(key.private_bytes(serialization.Encoding.PEM, form, seal).decode())


def xml() -> str:
    """Return the key as .NET's ToXmlString(true) writes it."""
    key = serialization.load_pem_private_key(keys.APPLICATION_KEY.pem.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    numbers = key.private_numbers()
    parts = {
        "Modulus": numbers.public_numbers.n,
        "Exponent": numbers.public_numbers.e,
        "P": numbers.p,
        "Q": numbers.q,
        "DP": numbers.dmp1,
        "DQ": numbers.dmq1,
        "InverseQ": numbers.iqmp,
        "D": numbers.d,
    }
    inner = "".join(
        f"<{name}>{b64encode(value.to_bytes((value.bit_length() + 7) // 8)).decode()}</{name}>"
        for name, value in parts.items()
    )
    return f"<RSAKeyValue>{inner}</RSAKeyValue>"


PKCS8 = private_pem(serialization.PrivateFormat.PKCS8)
PKCS1 = private_pem(serialization.PrivateFormat.TraditionalOpenSSL)


class TestAPrivateKey:
    @pytest.mark.parametrize("pem", [PKCS8, PKCS1], ids=["PKCS#8", "PKCS#1"])
    @pytest.mark.parametrize(
        "spoil",
        [
            lambda pem: pem,
            lambda pem: pem.replace("\n", ""),
            lambda pem: pem.replace("\n", " "),
            lambda pem: pem.replace("\n", "\\n"),
            lambda pem: pem.replace("\n", "\\r\\n"),
            lambda pem: pem.replace("\n", "\r\n"),
            lambda pem: f"  Bag Attributes\n{pem}\n\n",
        ],
        ids=["whole", "in one line", "with spaces", "with \\n", "with \\r\\n", "with CRLF", "with more around it"],
    )
    def test_a_private_key_is_read_in_every_form_in_which_it_leaves_a_field(
        self, pem: str, spoil: Callable[[str], str]
    ) -> None:
        assert read_private_key(spoil(pem)).private_numbers() == read_private_key(PKCS8).private_numbers()

    def test_a_private_key_is_read_as_dotnet_writes_it(self) -> None:
        assert read_private_key(xml()).private_numbers() == read_private_key(PKCS8).private_numbers()

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("hello", "this is no private key, or a part of one"),
            (PKCS8[:400], "this is no private key, or a part of one"),
            (PKCS8[:60] + PKCS8[62:], "it is damaged"),
            (PKCS8[:100] + PKCS8[200:], "it is damaged"),
            (public_pem(PKCS8), "this is the public half"),
            (private_pem(serialization.PrivateFormat.PKCS8, secret=b"x"), "it is encrypted"),
            (private_pem(serialization.PrivateFormat.TraditionalOpenSSL, secret=b"x"), "it is encrypted"),
            (
                private_pem(serialization.PrivateFormat.PKCS8, key=ec.generate_private_key(ec.SECP256R1())),
                "it is not an RSA key",
            ),
            ("<RSAKeyValue><Modulus>AQAB</Modulus></RSAKeyValue>", "<RSAKeyValue> is damaged"),
            (xml().replace("<D>", "<D>BBBB"), "<RSAKeyValue> is damaged"),
        ],
        ids=["words", "half", "letters lost", "lines lost", "public", "sealed", "sealed 1", "EC", "XML", "other XML"],
    )
    def test_a_private_key_that_is_none_is_named_without_a_word_of_it(self, text: str, words: str) -> None:
        with pytest.raises(ValueError, match=f"^private_key: .*{words}") as caught:
            read_private_key(text)
        assert not [line for line in text.splitlines() if len(line) > 30 and line in str(caught.value)]
        assert caught.value.__cause__ is None


class TestAConnectionCheck:
    def test_a_connection_check_of_an_agent_says_who_and_where_and_what_he_can(self, online: Online) -> None:
        check = online.platform(online.agent()).check_connection()
        assert check.is_good
        assert str(check) == (
            f"Signed in to Cust12345 (Running, at {online.stage.url}/Cust12345) as associate 7, who moves their own "
            "chats only. It can list, wait, transfer and accept. Its clock and ours are even."
        )

    def test_a_connection_check_takes_few_requests_and_changes_nothing(self, online: Online) -> None:
        before = online.stage.chats("superoffice")
        online.platform(online.agent()).check_connection()
        assert len(online.stage.asked("superoffice")) <= 7
        assert online.stage.chats("superoffice") == before
        assert online.stage.ledger("superoffice") == []

    def test_a_connection_check_asks_for_the_tenants_state_anew(self, online: Online) -> None:
        platform = online.platform(online.agent())
        platform.check_connection()
        online.reset(tenant_state="OnlineMaintenance")
        assert "OnlineMaintenance" in platform.check_connection().where

    def test_a_connection_check_of_a_system_user_says_that_it_reads_only_and_is_good(self, online: Online) -> None:
        check = online.platform(online.system_user()).check_connection()
        assert check.is_good
        assert check.who == "the system user, associate 99"
        missing = {right.name: right.missing for right in check.capabilities}
        assert missing["list"] is None
        assert missing["wait"] is None
        assert "agent_conn_id" in str(missing["transfer"])
        assert "agent_conn_id" in str(missing["accept"])

    def test_a_connection_check_names_the_agents_whose_connections_are_missing(self, online: Online) -> None:
        agents = {"7": online.client(online.agent(7, store=MemoryTokenStore()))}

        def identity(agent: str) -> SuperOfficeClient:
            if agent not in agents:
                raise ValueError(f"there is no connection 'agent_{agent}'")
            return agents[agent]

        check = online.platform(online.system_user(), identities=identity).check_connection()
        assert check.is_good
        assert "It can list, wait, transfer and accept." in str(check)
        told = "agent 5, 8, 12 and 2 others: there is no connection 'agent_5'; and so for each of them."
        assert f"It cannot act as {told}" in str(check)

    def test_a_connection_check_says_of_each_agents_connection_what_holds(self, online: Online) -> None:
        agents = {
            "5": online.client(online.agent(token="another", store=MemoryTokenStore())),
            "7": online.client(online.agent(7, store=MemoryTokenStore())),
            "8": online.client(online.agent(12, store=MemoryTokenStore())),
            "12": online.client(online.agent(12, store=MemoryTokenStore())),
        }

        def identity(agent: str) -> SuperOfficeClient:
            if agent not in agents:
                raise ValueError(f"there is no connection 'agent_{agent}'")
            return agents[agent]

        check = online.platform(online.system_user(), identities=identity).check_connection()
        told = str(check)
        assert check.is_good
        assert "The connections of agents 7 and 12 sign in as those agents." in told
        assert "The connection of agent 8 signs in as associate 12, and not as agent 8." in told
        assert "The connection of agent 5 cannot sign in: " in told
        assert "It cannot act as agent 15" in told

    def test_a_connection_check_leaves_alone_an_agent_who_keeps_it_waiting(
        self, online: Online, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connection_check, "MAX_CHECK_SECONDS", 0.3)
        agents = {
            name: online.client(online.agent(int(name), store=MemoryTokenStore()))
            for name in ("5", "7", "8", "12", "15")
        }
        over = Event()

        def slow() -> Any:
            over.wait(30)

        monkeypatch.setattr(agents["7"], "principal", slow)

        def identity(agent: str) -> SuperOfficeClient:
            if agent not in agents:
                raise ValueError(f"there is no connection 'agent_{agent}'")
            return agents[agent]

        told = str(online.platform(online.system_user(), identities=identity).check_connection())
        over.set()
        assert "4 of the agents' connections were not asked, for want of time." in told

    def test_a_connection_check_is_bad_when_no_agent_has_a_connection(self, online: Online) -> None:
        def nobody(agent: str) -> SuperOfficeClient:
            raise ValueError(f"there is no connection 'agent_{agent}'")

        check = online.platform(online.system_user(), identities=nobody).check_connection()
        assert not check.is_good
        assert "It cannot transfer: there is no connection 'agent_5'" in str(check)

    @pytest.mark.parametrize(
        ("scenario", "words"),
        [
            ({"queues": [{"id": 3, "members": [8]}], "chats": []}, "associate 7 has no role in any chat channel"),
            (
                {"operators": [{"id": 7, "type": "ExternalAssociate"}, {"id": 8}], "chats": []},
                "associate 7 has no chat licence",
            ),
        ],
        ids=["role", "licence"],
    )
    def test_a_connection_check_says_what_an_agent_lacks(
        self, online: Online, scenario: dict[str, Any], words: str
    ) -> None:
        online.reset(**scenario)
        check = online.platform(online.agent()).check_connection()
        assert not check.is_good
        assert f"It cannot transfer: {words}" in str(check)

    @pytest.mark.parametrize(("skip", "ahead"), [(0.0, 0.0), (90.0, 90.0)])
    def test_compares_the_clocks(self, online: Online, skip: float, ahead: float) -> None:
        platform = online.platform(online.agent())
        off = platform.check_connection().clock_ahead
        online.stage.sleep(skip)
        assert platform.check_connection().clock_ahead - off == pytest.approx(ahead, abs=2)

    def test_a_connection_check_of_a_reader_without_rights_says_which_are_missing(
        self, online: Online, script: Script
    ) -> None:
        sentry = Scripted.json({"Error": True, "ErrorType": "SoSentryException", "ErrorMessage": "x"}, status=400)
        script.play(Scripted.json({"UserType": "InternalAssociate", "AssociateId": 7}), sentry)
        client = SuperOfficeClient(address=Site(script.url), auth=Bearer("8A:x"), transport=online.stage.transport())
        check = SuperOfficePlatform(client).check_connection()
        assert not check.is_good
        assert "It cannot list: reading chat sessions is refused [SoSentryException]" in str(check)
        assert "It cannot wait: " in str(check)

    def test_a_connection_check_of_what_is_no_web_api_says_to_look_at_host(
        self, online: Online, script: Script
    ) -> None:
        for status in (200, 404):
            script.play(Scripted(status, b"<html>Welcome</html>", {"Content-Type": "text/html"}))
            client = SuperOfficeClient(
                address=Site(script.url), auth=Basic("x", "y"), transport=online.stage.transport()
            )
            with pytest.raises(PlatformError, match="check that host is the address of a WebAPI"):
                SuperOfficePlatform(client).check_connection()


class TestSecrets:
    def test_secrets_are_in_no_log_at_any_level_while_tokens_end_and_the_tenant_moves(
        self, online: Online, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        online.reset(data_host={"name": "localhost", "after": 60})
        for credentials in (online.agent(), online.system_user()):
            client = online.client(credentials)
            client.principal()
            online.stage.fault(kind="token_expired", service="superoffice", method="currentPrincipal")
            client.principal()
            online.stage.sleep(61)
            client.principal()
        assert "renewing it" in caplog.text
        assert "asking where it is" in caplog.text
        assert [each for each in self.shown(online) if each in caplog.text] == []

    def test_secrets_are_in_no_text_of_what_holds_them(self, online: Online) -> None:
        things: list[Any] = [online.user(), SoTicket("7T:x", SECRET), Bearer("8A:x"), Basic("x", "Secret7")]
        things += [thing.authenticate() for thing in things[1:]]
        for credentials in (online.agent(), online.system_user()):
            things += [
                credentials,
                credentials.authenticate(),
                credentials.authenticate().token,
                online.client(credentials),
            ]
        secrets = [*self.shown(online), "7T:x", "8A:x", "Secret7", "Authorization", "PRIVATE"]
        assert [each for each in secrets for thing in things if each in f"{thing} {thing!r}"] == []

    def shown(self, online: Online) -> list[str]:
        """Return what must not be seen: what we were given, and what the service gave us."""
        headers = [call.headers.get("authorization", "").rpartition(" ")[2] for call in online.stage.calls]
        return [SECRET, SYSTEM_TOKEN, "refresh-agent7", *filter(None, headers)]
