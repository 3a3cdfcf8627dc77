# SPDX-License-Identifier: Apache-2.0
"""How one signs in to the SuperOffice sandbox, as an agent or as an application, and what a tenant's state does."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from airflow_provider_chattransfer.sandbox.superoffice.keys import APPLICATION_KEY, SIGNING_KEY
from tests.sandbox.superoffice_client import TenantClient

CLIENT = {"client_id": "sandbox", "client_secret": "sandbox-secret"}
BASIC = {"Authorization": "Basic dGplMDpUamUw"}
BEARER = {"Authorization": "Bearer 8A:Cust12345.agent7"}
TICKET = {"Authorization": "SOTicket 7T:Cust12345.agent7"}
WITH_TOKEN = {**TICKET, "SO-AppToken": "sandbox-secret"}
SYSTEM_TOKEN = "Chat Transfer 1.0-8k8Q7DmBgo"
CLAIM = "http://schemes.superoffice.net/identity/"


def signed(token: str = SYSTEM_TOKEN, *, minutes: int = 0, key: str = APPLICATION_KEY.pem) -> str:
    """Return a system token as an application signs it, so many ``minutes`` from now."""
    private = serialization.load_pem_private_key(key.encode(), password=None)
    assert isinstance(private, rsa.RSAPrivateKey)
    data = f"{token}.{datetime.now(UTC) + timedelta(minutes=minutes):%Y%m%d%H%M}"
    signature = private.sign(data.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{data}.{base64.b64encode(signature).decode()}"


def authenticate(desk: TenantClient, **different: str) -> Any:
    """Return the answer to a system user's request."""
    request = {
        "SignedSystemToken": signed(),
        "ApplicationToken": "sandbox-secret",
        "ContextIdentifier": "Cust12345",
        "ReturnTokenType": "JWT",
        **different,
    }
    url = f"{desk.server.url}/Login/api/PartnerSystemUser/Authenticate"
    reply = requests.post(url, json=request, timeout=10)
    assert reply.status_code == 200
    return reply.json()


def validated(desk: TenantClient, token: str, *, issuer: str, audience: str) -> Any:
    """Return the claims of ``token``, if the key that the sign-in host serves under its `kid` confirms them."""
    configuration = requests.get(f"{desk.server.url}/login/.well-known/openid-configuration", timeout=10).json()
    served = requests.get(configuration["jwks_uri"], timeout=10).json()
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(served).keys}
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key.key, algorithms=["RS256"], issuer=issuer, audience=audience)


class TestCredentials:
    def who(self, desk: TenantClient, headers: Mapping[str, str | bytes]) -> int | None:
        reply = desk.send("GET", "User/currentPrincipal", headers=headers)
        assert reply.status_code in (200, 401)
        return int(reply.json()["AssociateId"]) if reply.ok else None

    @pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
    def test_basic_as_the_documents_print_it(self, desk: TenantClient, scheme: str) -> None:
        assert self.who(desk, {"Authorization": f"{scheme} dGplMDpUamUw"}) == 5

    def test_a_bearer_token_stands_for_its_associate(self, desk: TenantClient) -> None:
        assert self.who(desk, {"Authorization": "Bearer 8A:Cust12345.agent12"}) == 12

    @pytest.mark.parametrize("scheme", ["SOTicket", "SoTicket", "SOTICKET"])
    def test_a_ticket_needs_the_application_token(self, desk: TenantClient, scheme: str) -> None:
        ticket = {"Authorization": f"{scheme} 7T:Cust12345.agent7"}
        assert self.who(desk, {**ticket, "SO-AppToken": "sandbox-secret"}) == 7
        assert self.who(desk, ticket) is None
        assert self.who(desk, {**ticket, "SO-AppToken": "another"}) is None

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Authorization": "Basic dGplMDp3cm9uZw=="},
            {"Authorization": "Basic !!"},
            {"Authorization": b"Basic \xe9"},
            {"Authorization": "Bearer 8A:Cust12345.nobody"},
            {"Authorization": "Bearer 7T:Cust12345.agent7"},
            {"Authorization": "Bearer 8A:Cust12345.agent90"},
            {"Authorization": "Negotiate abc"},
        ],
    )
    def test_everything_else_is_401(self, desk: TenantClient, headers: dict[str, str | bytes]) -> None:
        assert self.who(desk, headers) is None

    @pytest.mark.parametrize(
        ("installation", "good", "bad"),
        [
            ("any", [BASIC, BEARER, WITH_TOKEN], [TICKET]),
            ("online", [BEARER, WITH_TOKEN], [BASIC, TICKET]),
            ("onsite", [BASIC, TICKET, WITH_TOKEN], [BEARER]),
        ],
    )
    def test_credentials_which_schemes_there_are_depends_on_the_installation(
        self, desk: TenantClient, installation: str, good: list[dict[str, str]], bad: list[dict[str, str]]
    ) -> None:
        desk.reset(switches={"installation": installation})
        assert None not in [self.who(desk, headers) for headers in good]
        assert [self.who(desk, headers) for headers in bad] == [None] * len(bad)

    def test_the_session_of_a_browser_is_not_one(self, desk: TenantClient) -> None:
        cookie = {"Cookie": ".ASPXAUTH=abc"}
        assert self.who(desk, cookie) is None
        assert self.who(desk, {**cookie, "X-XSRF-TOKEN": "abc"}) is None

    def test_each_use_of_a_ticket_renews_it_but_not_of_an_access_token(self, desk: TenantClient) -> None:
        desk.reset(tokens={f"{kind}:short": {"associate": 7, "expires_in": 60} for kind in ("7T", "8A")})
        ticket = {"Authorization": "SOTicket 7T:short", "SO-AppToken": "sandbox-secret"}
        token = {"Authorization": "Bearer 8A:short"}
        for _ in range(2):
            assert (self.who(desk, ticket), self.who(desk, token)) == (7, 7)
            desk.skip(29)
        desk.skip(3)
        assert (self.who(desk, ticket), self.who(desk, token)) == (7, None)
        desk.skip(61)
        assert self.who(desk, ticket) is None

    def test_what_expired_may_be_403(self, desk: TenantClient) -> None:
        desk.reset(tokens={"7T:short": {"associate": 7, "expires_in": 60}}, switches={"expired_token_status": 403})
        desk.skip(61)
        ticket = {"Authorization": "SOTicket 7T:short", "SO-AppToken": "sandbox-secret"}
        assert desk.send("GET", "User/currentPrincipal", headers=ticket).status_code == 403
        assert desk.send("GET", "User/currentPrincipal").status_code == 401, "none at all is another matter"

    def test_a_deleted_associate_cannot_sign_in(self, desk: TenantClient) -> None:
        assert desk.send("GET", "User/currentPrincipal", by=90).status_code == 401

    def test_a_call_without_credential_changes_nothing(self, desk: TenantClient) -> None:
        desk.send("POST", "ChatSession/157/TransferTo/12")
        assert desk.ledger() == []

    def test_tokens_of_the_scenario_expire(self, desk: TenantClient) -> None:
        token = {"Authorization": "Bearer 8A:Cust12345.short"}
        for status in (401, 403):
            desk.reset(
                tokens={"8A:Cust12345.short": {"associate": 7, "expires_in": 60}},
                switches={"expired_token_status": status},
            )
            assert desk.send("GET", "User/currentPrincipal", headers=token).status_code == 200
            desk.skip(61)
            assert desk.send("GET", "User/currentPrincipal", headers=token).status_code == status

    def test_the_principal_names_both_ids(self, desk: TenantClient) -> None:
        principal = desk.get("User/currentPrincipal", by=7)
        assert (principal["AssociateId"], principal["EjUserId"], principal["Associate"]) == (7, 12, "agent7")


class TestTheTokenEndpoint:
    def renew(self, desk: TenantClient, **form: str) -> requests.Response:
        fields = {
            "grant_type": "refresh_token",
            "client_id": "sandbox",
            "client_secret": "sandbox-secret",
            "refresh_token": "refresh-agent7",
            **form,
        }
        return requests.post(f"{desk.server.url}/login/common/oauth/tokens", data=fields, timeout=10)

    def test_the_token_endpoint_gives_a_new_access_token_and_no_new_refresh_token(self, desk: TenantClient) -> None:
        answer = self.renew(desk).json()
        assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
        assert "refresh_token" not in answer
        headers = {"Authorization": f"Bearer {answer['access_token']}"}
        assert desk.send("GET", "User/currentPrincipal", headers=headers).json()["AssociateId"] == 7
        desk.skip(3601)
        assert desk.send("GET", "User/currentPrincipal", headers=headers).status_code == 401
        assert self.renew(desk).status_code == 200

    @pytest.mark.parametrize(
        ("wrong", "status", "code"),
        [
            ({"client_secret": "x"}, 401, "invalid_client"),
            ({"refresh_token": "x"}, 400, "invalid_grant"),
            ({"grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
        ],
    )
    def test_the_token_endpoint_refuses_as_rfc_6749_says(
        self, desk: TenantClient, wrong: dict[str, str], status: int, code: str
    ) -> None:
        reply = self.renew(desk, **wrong)
        assert (reply.status_code, reply.json()["error"]) == (status, code)

    def test_the_client_may_name_itself_in_a_header(self, desk: TenantClient) -> None:
        url = f"{desk.server.url}/login/common/oauth/tokens"
        form = {"grant_type": "refresh_token", "refresh_token": "refresh-agent7"}
        assert requests.post(url, data=form, auth=("sandbox", "sandbox-secret"), timeout=10).status_code == 200
        refused = requests.post(url, data=form, auth=("sandbox", "wrong"), timeout=10)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Basic")

    def test_the_token_endpoint_takes_its_parameters_from_the_query_as_the_documents_print_it(
        self, desk: TenantClient
    ) -> None:
        url = f"{desk.server.url}/login/common/oauth/tokens"
        query = {**CLIENT, "grant_type": "refresh_token", "refresh_token": "refresh-agent7"}
        assert requests.post(url, params=query, timeout=10).status_code == 200
        assert requests.get(url, params=query, timeout=10).status_code == 405

    def test_the_token_endpoint_without_a_grant_type_the_request_is_invalid(self, desk: TenantClient) -> None:
        reply = self.renew(desk, grant_type="")
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")

    def test_a_refresh_token_is_good_until_the_consent_is_withdrawn(self, desk: TenantClient) -> None:
        assert [self.renew(desk).status_code for _ in range(3)] == [200] * 3
        desk.reset(application={"consent": "Revoked"})
        assert self.renew(desk).json()["error"] == "invalid_grant"

    def test_the_id_token_can_be_validated_and_says_where_the_tenant_is(self, desk: TenantClient) -> None:
        claims = validated(desk, self.renew(desk).json()["id_token"], issuer=desk.server.url, audience="sandbox")
        assert (claims[CLAIM + "ctx"], claims[CLAIM + "associateid"]) == ("Cust12345", "7")
        assert f"{claims[CLAIM + 'webapi_url']}v1" == desk.api
        assert claims[CLAIM + "system_token"] == SYSTEM_TOKEN

    def test_who_renews_does_not_change_what_people_do(self, desk: TenantClient) -> None:
        def holders(renewals: int) -> list[str | None]:
            desk.reset(people={"reject": 0.5})
            own = [int(chat["id"]) for chat in desk.state()["chats"] if (chat["owner"], chat["state"]) == ("7", "open")]
            for chat in own:
                desk.transfer(chat, 12, by=7)
                for _ in range(renewals):
                    self.renew(desk)
            desk.skip()
            return [desk.held(chat)[0] for chat in own]

        told = holders(renewals=0)
        assert set(told) == {"7", "12"}
        assert holders(renewals=1) == told


class TestTheCodeFlow:
    """OpenID Connect's; `login_hint` stands for the person at the sign-in page."""

    QUERY = {  # noqa: RUF012
        "client_id": "sandbox",
        "scope": "openid",
        "response_type": "code",
        "redirect_uri": "https://app.example.com/callback?a=1",
        "state": "12345",
        "login_hint": "agent7",
    }

    def authorize(self, desk: TenantClient, **different: str) -> dict[str, str]:
        url = f"{desk.server.url}/login/common/oauth/authorize"
        reply = requests.get(url, params={**self.QUERY, **different}, allow_redirects=False, timeout=10)
        assert reply.status_code == 302
        assert reply.headers["location"].startswith("https://app.example.com/callback?a=1&")
        answer = dict(parse_qsl(urlsplit(reply.headers["location"]).query))
        assert answer["state"] == "12345"
        return answer

    def exchange(self, desk: TenantClient, code: str, **different: str) -> requests.Response:
        form = {
            **CLIENT,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.QUERY["redirect_uri"],
            **different,
        }
        return requests.post(f"{desk.server.url}/login/common/oauth/tokens", data=form, timeout=10)

    def test_the_code_flow_gives_tokens_of_the_agent_and_as_the_only_one_a_refresh_token(
        self, desk: TenantClient
    ) -> None:
        answer = self.exchange(desk, self.authorize(desk)["code"]).json()
        assert set(answer) == {"token_type", "access_token", "expires_in", "refresh_token", "id_token"}
        headers = {"Authorization": f"Bearer {answer['access_token']}"}
        assert desk.send("GET", "User/currentPrincipal", headers=headers).json()["AssociateId"] == 7
        form = {**CLIENT, "grant_type": "refresh_token", "refresh_token": answer["refresh_token"]}
        assert requests.post(f"{desk.server.url}/login/common/oauth/tokens", data=form, timeout=10).ok

    def test_a_code_is_good_once_for_ten_minutes_and_for_its_own_address(self, desk: TenantClient) -> None:
        code = self.authorize(desk)["code"]
        assert [self.exchange(desk, code).status_code for _ in range(2)] == [200, 400]
        code = self.authorize(desk)["code"]
        assert self.exchange(desk, code, redirect_uri="https://app.example.com/").json()["error"] == "invalid_grant"
        code = self.authorize(desk)["code"]
        desk.skip(601)
        assert self.exchange(desk, code).json()["error"] == "invalid_grant"

    @pytest.mark.parametrize("method", ["S256", "plain"])
    def test_a_challenge_must_be_met(self, desk: TenantClient, method: str) -> None:
        hashed = base64.urlsafe_b64encode(hashlib.sha256(b"verifier").digest()).rstrip(b"=").decode()
        asked = {"code_challenge": hashed if method == "S256" else "verifier", "code_challenge_method": method}
        for verifier, status in (("verifier", 200), ("another", 400), ("", 400)):
            code = self.authorize(desk, **asked)["code"]
            assert self.exchange(desk, code, code_verifier=verifier).status_code == status

    @pytest.mark.parametrize(
        ("different", "error"),
        [
            ({"login_hint": "nobody"}, "access_denied"),
            ({"login_hint": "agent90"}, "access_denied"),
            ({"scope": "openid email"}, "invalid_scope"),
            ({"response_type": "token"}, "unsupported_response_type"),
        ],
    )
    def test_what_is_wrong_is_told_to_the_application(
        self, desk: TenantClient, different: dict[str, str], error: str
    ) -> None:
        assert self.authorize(desk, **different)["error"] == error

    @pytest.mark.parametrize(
        "different",
        [
            {"client_id": "x"},
            {"redirect_uri": "callback"},
            {"redirect_uri": "https://a\r\nSet-Cookie: b=c"},
            {"redirect_uri": "https://["},
        ],
    )
    def test_a_stranger_is_not_sent_anywhere(self, desk: TenantClient, different: dict[str, str]) -> None:
        url = f"{desk.server.url}/login/common/oauth/authorize"
        reply = requests.get(url, params={**self.QUERY, **different}, allow_redirects=False, timeout=10)
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")


class TestTheSystemUser:
    def claims(self, desk: TenantClient, **different: str) -> Any:
        answer = authenticate(desk, **different)
        assert answer["IsSuccessful"] is True, answer
        return validated(desk, answer["Token"], issuer="SuperOffice AS", audience="spn:1801550193")

    def headers(self, desk: TenantClient) -> dict[str, str]:
        ticket = self.claims(desk)[CLAIM + "ticket"]
        assert ticket.startswith("7T:")
        return {"Authorization": f"SOTicket {ticket}", "SO-AppToken": "sandbox-secret"}

    def test_the_system_user_gets_a_token_that_the_served_key_confirms(self, desk: TenantClient) -> None:
        claims = self.claims(desk)
        assert claims[CLAIM + "ctx"] == "Cust12345"
        assert f"{claims[CLAIM + 'webapi_url']}v1" == desk.api
        assert claims["aud"] == f"spn:{claims[CLAIM + 'serial']}"
        assert 60 <= claims["exp"] - int(claims["iat"]) <= 600, "to be validated at once"

    def test_its_token_is_worth_nothing_when_changed(self, desk: TenantClient) -> None:
        head, _, signature = authenticate(desk)["Token"].split(".")
        forged = jwt.encode({"iss": "SuperOffice AS", "aud": "spn:1801550193"}, SIGNING_KEY.pem, algorithm="RS256")
        with pytest.raises(jwt.InvalidSignatureError):
            validated(desk, f"{head}.{forged.split('.')[1]}.{signature}", issuer="SuperOffice AS", audience="spn:1")

    def test_its_ticket_is_that_of_a_system_associate(self, desk: TenantClient) -> None:
        principal = desk.send("GET", "User/currentPrincipal", headers=self.headers(desk)).json()
        assert (principal["UserType"], principal["AssociateId"]) == ("SystemAssociate", 99)

    def test_its_ticket_lives_six_hours_after_its_last_use(self, desk: TenantClient) -> None:
        headers = self.headers(desk)
        for seconds, status in ((5 * 3600, 200), (5 * 3600, 200), (6 * 3600 + 1, 401)):
            desk.skip(seconds)
            assert desk.send("GET", "User/currentPrincipal", headers=headers).status_code == status

    def test_the_system_user_reads_every_session_but_moves_none(self, desk: TenantClient) -> None:
        desk.reset(switches={"archive_rows": "own_topics"})
        headers = self.headers(desk)
        assert len(desk.send("GET", "ChatSession", headers=headers).json()["value"]) == 30
        for path in ("157/TransferTo/12", "151/AcceptTransfer", "151/RejectTransfer"):
            assert desk.send("POST", f"ChatSession/{path}", headers=headers).status_code == 200
        assert desk.ledger() == []

    def test_other_names_of_the_request_may_have_any_case(self, desk: TenantClient) -> None:
        request = {
            "signedSystemToken": signed(),
            "APPLICATIONTOKEN": "sandbox-secret",
            "contextIdentifier": "cust12345",
        }
        url = f"{desk.server.url}/login/api/partnersystemuser/authenticate"
        assert requests.post(url, json=request, timeout=10).json()["IsSuccessful"] is True

    @pytest.mark.parametrize(
        ("token", "code"),
        [
            pytest.param(lambda: signed(minutes=-20), "InvalidTimestamp (6)", id="too old"),
            pytest.param(lambda: signed(minutes=20), "InvalidTimestamp (6)", id="of the future"),
            pytest.param(lambda: f"{SYSTEM_TOKEN}.yesterday.AAAA", "InvalidTimestamp (6)", id="no time"),
            pytest.param(lambda: signed(key=SIGNING_KEY.pem), "InvalidSignature (7)", id="another key"),
            pytest.param(lambda: signed()[:-8], "InvalidSignature (7)", id="cut off"),
            pytest.param(lambda: signed() + "!", "InvalidSignature (7)", id="not base64"),
            pytest.param(lambda: signed() + "é", "InvalidSignature (7)", id="not ASCII"),
            pytest.param(lambda: signed("Another App-1"), "Denied (4)", id="another token"),
            pytest.param(lambda: "", "Denied (4)", id="nothing"),
        ],
    )
    def test_a_refusal_is_an_answer_with_status_200(
        self, desk: TenantClient, token: Callable[[], str], code: str
    ) -> None:
        answer = authenticate(desk, SignedSystemToken=token())
        assert answer == {"IsSuccessful": False, "Token": None, "ErrorMessage": code}

    def test_application_and_tenant_must_be_its_own(self, desk: TenantClient) -> None:
        assert authenticate(desk, ApplicationToken="wrong")["ErrorMessage"] == "Denied (4)"
        assert authenticate(desk, ContextIdentifier="Cust99999")["ErrorMessage"] == "Denied (4)"

    @pytest.mark.parametrize(
        ("consent", "code"),
        [
            ("Revoked", "Revoked (1)"),
            ("Expired", "Expired (3)"),
            ("Denied", "Denied (4)"),
            ("NeedsReapproval", "NeedsReapproval (5)"),
        ],
    )
    def test_an_administrator_can_withdraw_his_consent(self, desk: TenantClient, consent: str, code: str) -> None:
        desk.reset(application={"consent": consent})
        assert authenticate(desk)["ErrorMessage"] == code

    def test_another_application_has_another_token_and_key(self, desk: TenantClient) -> None:
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        secret = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        desk.reset(application={"system_token": "My. App-1", "public_key": public.decode()})
        assert authenticate(desk)["IsSuccessful"] is False
        own = signed("My. App-1", key=secret.decode())
        assert authenticate(desk, SignedSystemToken=own)["IsSuccessful"] is True

    def test_the_window_for_the_time_is_a_switch(self, desk: TenantClient) -> None:
        desk.reset(switches={"timestamp_window": 3600})
        assert authenticate(desk, SignedSystemToken=signed(minutes=-20))["IsSuccessful"] is True

    def test_the_time_is_that_of_the_signers_clock_not_the_sandboxs(self, desk: TenantClient) -> None:
        desk.skip(86_400)
        assert self.claims(desk)[CLAIM + "ticket"]

    def test_the_system_user_without_a_system_associate_there_is_none(self, desk: TenantClient) -> None:
        desk.reset(operators=[{"id": 7}], chats=0)
        assert authenticate(desk)["ErrorMessage"] == "Denied (4)"

    def test_other_formats_are_not_simulated(self, desk: TenantClient) -> None:
        url = f"{desk.server.url}/Login/api/PartnerSystemUser/Authenticate"
        assert requests.post(url, json={"ReturnTokenType": "Saml"}, timeout=10).status_code == 501
        assert requests.get(url, timeout=10).status_code == 405


class TestTheTenant:
    def test_its_state_tells_where_it_lives_and_needs_no_credential(self, desk: TenantClient) -> None:
        state = requests.get(f"{desk.server.url}/api/state/Cust12345", timeout=10).json()
        assert (state["State"], state["IsRunning"]) == ("Running", True)
        assert f"{state['Api']}/v1" == desk.api
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", state["ValidUntil"])

    def test_a_stranger_is_unknown(self, desk: TenantClient) -> None:
        state = requests.get(f"{desk.server.url}/api/state/Cust99999", timeout=10).json()
        assert (state["State"], state["IsRunning"], state["Api"]) == ("Unknown", False, None)

    @pytest.mark.parametrize(
        ("name", "running"),
        [
            ("Running", True),
            ("OnlineMaintenance", True),
            ("OfflineMaintenance", False),
            ("Provisioning", False),
            ("Deleted", False),
            ("Suspended", False),
            ("ProvisioningFailed", False),
            ("Deleting", False),
            ("DeleteFailed", False),
            ("MigrationPending", False),
            ("Unknown", False),
        ],
    )
    def test_every_state_tells_whether_the_data_can_be_had(self, desk: TenantClient, name: str, running: bool) -> None:
        desk.reset(tenant_state=name)
        state = requests.get(f"{desk.server.url}/api/state/cust12345", timeout=10).json()
        assert (state["State"], state["IsRunning"]) == (name, running)
        assert (state["Endpoint"] is None) == (name == "Unknown")
        assert desk.send("GET", "User/currentPrincipal", by=7).status_code == (200 if running else 503)
        assert requests.get(f"{desk.server.url}/login/.well-known/jwks", timeout=10).ok, "the sign-in host stays up"

    def test_its_state_is_valid_for_some_minutes_of_the_callers_clock(self, desk: TenantClient) -> None:
        desk.skip(86_400)
        until = requests.get(f"{desk.server.url}/api/state/Cust12345", timeout=10).json()["ValidUntil"]
        left = datetime.fromisoformat(until) - datetime.now(UTC)
        assert timedelta(minutes=1) < left < timedelta(minutes=11)

    def test_it_can_move_while_one_works_with_it(self, desk: TenantClient) -> None:
        desk.reset(data_host={"name": "localhost", "after": 60})
        assert desk.send("GET", "User/currentPrincipal", by=7).status_code == 200
        desk.skip(61)
        reply = desk.send("POST", "ChatSession/157/TransferTo/12", by=7)
        assert (reply.status_code, reply.text) == (421, "Wrong subdomain used to access tenant")
        assert desk.held(157)[1] is None
        state = requests.get(f"{desk.server.url}/api/state/Cust12345", timeout=10).json()
        assert requests.get(f"{state['Api']}/v1/User/currentPrincipal", headers=BASIC, timeout=10).status_code == 200

    def test_the_tenant_on_site_there_is_neither_sign_in_host_nor_state(self, desk: TenantClient) -> None:
        desk.reset(switches={"installation": "onsite"})
        for path in ("login/common/oauth/tokens", "api/state/Cust12345", "login/.well-known/jwks"):
            assert requests.get(f"{desk.server.url}/{path}", timeout=10).status_code == 404

    def test_the_sign_in_host_knows_its_own_addresses_only(self, desk: TenantClient) -> None:
        configuration = requests.get(f"{desk.server.url}/login/.well-known/openid-configuration", timeout=10).json()
        assert configuration["issuer"] == desk.server.url
        assert configuration["token_endpoint"] == f"{desk.server.url}/login/common/oauth/tokens"
        assert configuration["scopes_supported"] == ["openid"]
        assert "client_credentials" not in configuration["grant_types_supported"]
        assert requests.get(f"{desk.server.url}/login/userinfo", timeout=10).status_code == 404

    @pytest.mark.parametrize("name", ["localhost", "LocalHost"])
    def test_the_tenant_on_another_host_it_is_misdirected(self, desk: TenantClient, name: str) -> None:
        desk.reset(data_host=name)
        assert desk.send("GET", "User/currentPrincipal", by=7).status_code == 421
        api = requests.get(f"{desk.server.url}/api/state/Cust12345", timeout=10).json()["Api"]
        assert api.startswith("http://localhost:")
        host = api.removeprefix("http://").partition("/")[0]
        assert desk.send("GET", "User/currentPrincipal", by=7, headers={"Host": host}).status_code == 200

    def test_the_tenant_in_maintenance_it_answers_with_a_page(self, desk: TenantClient) -> None:
        desk.reset(tenant_state="OfflineMaintenance")
        reply = desk.send("GET", "User/currentPrincipal", by=7)
        assert (reply.status_code, reply.headers["content-type"]) == (503, "text/html")

    def test_the_api_tells_its_versions(self, desk: TenantClient) -> None:
        index = requests.get(f"{desk.server.url}/Cust12345/api", timeout=10).json()
        assert index["v1"] == desk.api
        assert "NetServerVersion" in index

    @pytest.mark.parametrize("status", [429, 503])
    def test_above_the_rate_it_refuses_and_does_nothing(self, desk: TenantClient, status: int) -> None:
        desk.reset(rate=2, switches={"rate_status": status, "retry_after": True})
        desk.server.sandbox.clock.change(speed=0.001)
        replies = [desk.send("POST", "ChatSession/157/TransferTo/12", by=7) for _ in range(3)]
        assert [reply.status_code for reply in replies] == [200, 200, status]
        assert replies[2].headers["retry-after"] == "1"
        assert desk.held(157)[2] == 2
        desk.skip(1.1)
        assert desk.send("POST", "ChatSession/157/TransferTo/12", by=7).status_code == 200
