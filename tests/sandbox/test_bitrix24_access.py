# SPDX-License-Identifier: Apache-2.0
"""Authentication in the simulated Bitrix24: webhooks, OAuth, browsers' sessions, and portals closed to callers."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.sandbox.bitrix24_client import DIALOG, TRANSFER, PortalClient

APP = {"client_id": "local.chattransfer", "client_secret": "appsecret"}
SESSION = {"Cookie": "PHPSESSID=session7", "X-Bitrix-Csrf-Token": "sessid7"}


def granted(portal: PortalClient, **params: str) -> tuple[int, dict[str, Any]]:
    """Return the answer of the token endpoint."""
    reply = portal.http.get(f"{portal.sandbox.url}/oauth/token/", params={**APP, **params})
    return reply.status_code, reply.json()


def refreshed(portal: PortalClient, **params: str) -> tuple[int, dict[str, Any]]:
    """Return the answer of the token endpoint to a refresh token."""
    return granted(portal, **{"grant_type": "refresh_token", "refresh_token": "refresh-1", **params})


def access_token(portal: PortalClient) -> str:
    return str(refreshed(portal)[1]["access_token"])


def authorization(portal: PortalClient, **params: str) -> Any:
    """Return the response to the browser of a user who agrees."""
    params = {"client_id": APP["client_id"], **params}
    return portal.http.get(f"{portal.sandbox.url}/oauth/authorize/", params=params, allow_redirects=False)


def authorized(portal: PortalClient, **params: str) -> str:
    """Return the code that the browser brings back."""
    return str(parse_qs(urlsplit(authorization(portal, **params).headers["Location"]).query)["code"][0])


def refused(portal: PortalClient, method: str, **options: Any) -> tuple[int, str]:
    """Return status and code of a POST that must fail."""
    reply = portal.post(method, **options)
    return reply.status_code, reply.json()["error"]


class TestWebhooks:
    def test_an_unknown_method_is_noticed_before_wrong_credentials(self, portal: PortalClient) -> None:
        assert portal.error("no.such.method", webhook="1/wrong") == (404, "ERROR_METHOD_NOT_FOUND")
        assert portal.error(DIALOG, webhook="1/wrong") == (401, "INVALID_CREDENTIALS")

    @pytest.mark.parametrize("webhook", ["2/secretcode", "01/secretcode", "x/secretcode", "1/SECRETCODE", "1/"])
    def test_user_and_code_must_both_be_right(self, portal: PortalClient, webhook: str) -> None:
        assert portal.error("profile", webhook=webhook) == (401, "INVALID_CREDENTIALS")

    def test_webhooks_without_any_credential_there_is_no_auth(self, portal: PortalClient) -> None:
        assert refused(portal, DIALOG, json={"CHAT_ID": 112}) == (401, "NO_AUTH_FOUND")

    def test_a_dismissed_users_webhook_is_dead(self, portal: PortalClient) -> None:
        assert portal.error("profile", webhook="90/secretcode90") == (401, "INVALID_CREDENTIALS")

    def test_one_may_expire(self, portal: PortalClient) -> None:
        portal.reset(webhooks=[{"user": 1, "code": "brief", "expires_in": 60}])
        assert portal.call("profile", webhook="1/brief").status_code == 200
        portal.skip(61)
        assert portal.error("profile", webhook="1/brief") == (401, "INVALID_CREDENTIALS")

    def test_one_is_bound_to_its_scopes(self, portal: PortalClient) -> None:
        portal.reset(webhooks=[{"user": 1, "code": "narrow", "scopes": ["imopenlines"]}])
        body = portal.call("user.current", webhook="1/narrow").json()
        assert body == {
            "error": "insufficient_scope",
            "error_description": "The request requires higher privileges than provided by the webhook token",
        }
        assert portal.result("profile", webhook="1/narrow")["ID"] == "1"
        assert portal.result("scope", webhook="1/narrow") == ["imopenlines"]

    def test_a_method_outside_the_scopes_may_seem_unknown(self, portal: PortalClient) -> None:
        portal.reset(webhooks=[{"user": 1, "code": "narrow", "scopes": []}], switches={"missing_scope": "not_found"})
        assert portal.error("user.current", webhook="1/narrow") == (404, "ERROR_METHOD_NOT_FOUND")

    def test_plain_http_can_be_refused(self, portal: PortalClient) -> None:
        portal.reset(switches={"https_required": True})
        assert portal.error("profile") == (401, "INVALID_REQUEST")
        assert portal.error("no.such.method") == (404, "ERROR_METHOD_NOT_FOUND")


class TestAccessTokens:
    def test_one_is_taken_from_body_query_and_header(self, portal: PortalClient) -> None:
        token = access_token(portal)
        url = f"{portal.sandbox.url}/rest/profile.json"
        replies = [
            portal.post("profile", json={"auth": token}),
            portal.post("profile", data={"access_token": token}),
            portal.post("profile", params={"auth": token}),
            portal.post("profile", headers={"Authorization": f"Bearer {token}"}),
            portal.http.get(url, params={"access_token": token}),
            portal.http.get(url, headers={"Authorization": f"bearer {token}"}),
        ]
        assert [reply.status_code for reply in replies] == [200] * 6

    def test_the_header_wins_and_an_empty_auth_hides_access_token(self, portal: PortalClient) -> None:
        token = access_token(portal)
        wrong = {"Authorization": "Bearer guess"}
        assert refused(portal, "profile", json={"auth": token}, headers=wrong) == (401, "invalid_token")
        both = {"auth": "", "access_token": token}
        assert refused(portal, "profile", json=both) == (401, "NO_AUTH_FOUND")

    def test_one_expires_after_an_hour(self, portal: PortalClient) -> None:
        token = access_token(portal)
        portal.skip(3599)
        assert portal.post("profile", json={"auth": token}).status_code == 200
        portal.skip(2)
        assert portal.post("profile", json={"auth": token}).json() == {
            "error": "expired_token",
            "error_description": "The access token provided has expired.",
        }

    def test_one_that_nobody_issued_is_invalid(self, portal: PortalClient) -> None:
        assert refused(portal, "profile", json={"auth": "guess"}) == (401, "invalid_token")

    def test_one_of_a_dismissed_user_authorizes_nobody(self, portal: PortalClient) -> None:
        portal.reset(apps=[{"client_id": "local.old", "user": 90, "access_token": "old"}])
        assert refused(portal, "profile", json={"auth": "old"}) == (401, "authorization_error")

    def test_one_is_bound_to_the_scopes_of_its_app(self, portal: PortalClient) -> None:
        portal.reset(apps=[{"client_id": "local.narrow", "access_token": "narrow", "scopes": ["imopenlines"]}])
        body = portal.post("user.current", json={"auth": "narrow"}).json()
        assert body["error_description"].endswith("than provided by the access token")

    def test_it_is_copied_into_every_command_of_a_batch(self, portal: PortalClient) -> None:
        reply = portal.post("batch", json={"auth": access_token(portal), "cmd": {"a": "profile"}})
        assert reply.json()["result"]["result"]["a"]["ID"] == "1"

    def test_an_app_transfers_with_its_own_bot_and_without_client_id(self, portal: PortalClient) -> None:
        token = access_token(portal)
        reply = portal.post(TRANSFER, json={"CHAT_ID": 112, "USER_ID": 12, "CLIENT_ID": "nobody", "auth": token})
        assert reply.json()["result"] is True
        assert portal.dialog(112)["owner"] == 12


class TestTheTokenEndpoint:
    def test_a_refresh_token_works_once_and_brings_the_next(self, portal: PortalClient) -> None:
        _, first = refreshed(portal)
        assert refreshed(portal)[1]["error"] == "invalid_grant"
        _, second = refreshed(portal, refresh_token=first["refresh_token"])
        assert second["access_token"] != first["access_token"]

    def test_a_refresh_token_lives_for_180_days(self, portal: PortalClient) -> None:
        portal.skip(180 * 86400 + 1)
        assert refreshed(portal)[1]["error"] == "invalid_grant"

    def test_the_token_endpoint_tells_what_the_token_is_good_for(self, portal: PortalClient) -> None:
        status, body = refreshed(portal)
        assert status == 200
        assert set(body) == {
            *("access_token", "refresh_token", "expires", "expires_in", "scope", "status", "member_id", "user_id"),
            *("domain", "server_endpoint", "client_endpoint"),
        }
        assert (body["expires_in"], body["user_id"], body["status"]) == (3600, 1, "L")
        assert (body["domain"], body["server_endpoint"]) == ("oauth.bitrix.info", "https://oauth.bitrix.info/rest/")
        assert body["client_endpoint"] == f"{portal.sandbox.url}/rest/"

    def test_a_code_from_the_browser_is_good_once(self, portal: PortalClient) -> None:
        code = authorized(portal, state="s1", redirect_uri="https://app.example/in")
        assert granted(portal, grant_type="authorization_code", code=code)[1]["user_id"] == 1
        assert granted(portal, grant_type="authorization_code", code=code)[1]["error"] == "invalid_grant"

    def test_a_code_lives_for_half_a_minute(self, portal: PortalClient) -> None:
        code = authorized(portal)
        portal.skip(31)
        assert granted(portal, grant_type="authorization_code", code=code)[1]["error"] == "invalid_grant"

    def test_the_browser_comes_back_with_code_state_and_portal(self, portal: PortalClient) -> None:
        reply = authorization(portal, state="s1", redirect_uri="https://app.example/in")
        address = urlsplit(reply.headers["Location"])
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        assert (reply.status_code, f"{address.scheme}://{address.netloc}{address.path}") == (
            302,
            "https://app.example/in",
        )
        assert set(query) == {"code", "state", "domain", "member_id", "scope", "server_domain"}
        assert (query["state"], query["domain"]) == ("s1", portal.sandbox.address)
        assert authorization(portal, client_id="nobody").status_code == 404

    @pytest.mark.parametrize(
        ("redirect_uri", "beginning"),
        [
            ("https://app.example/in?a=b", "https://app.example/in?a=b&code="),
            ("https://app.example/€", "https://app.example/%E2%82%AC?code="),
            ("https://app.example/\r\nX: y", "https://app.example/%0D%0AX:%20y?code="),
        ],
    )
    def test_the_address_to_come_back_to_may_be_any(
        self, portal: PortalClient, redirect_uri: str, beginning: str
    ) -> None:
        assert authorization(portal, redirect_uri=redirect_uri).headers["Location"].startswith(beginning)

    @pytest.mark.parametrize(
        ("changed", "status", "code"),
        [
            ({"client_id": "nobody"}, 200, "wrong_client"),
            ({"client_secret": "wrong"}, 400, "invalid_client"),
            ({"client_id": ""}, 400, "invalid_request"),
            ({"grant_type": "password"}, 400, "invalid_request"),
            ({"refresh_token": ""}, 400, "invalid_request"),
            ({"refresh_token": "guess"}, 400, "invalid_grant"),
            ({"scope": "imopenlines,disk"}, 403, "invalid_scope"),
        ],
    )
    def test_refusals_may_come_with_status_200(
        self, portal: PortalClient, changed: dict[str, str], status: int, code: str
    ) -> None:
        answered, body = refreshed(portal, **changed)
        assert (answered, body["error"]) == (status, code)

    def test_a_refusal_does_not_use_the_refresh_token_up(self, portal: PortalClient) -> None:
        refreshed(portal, scope="disk")
        refreshed(portal, client_secret="wrong")
        assert refreshed(portal)[0] == 200

    def test_the_token_endpoint_takes_a_form_as_well(self, portal: PortalClient) -> None:
        form = {**APP, "grant_type": "refresh_token", "refresh_token": "refresh-1"}
        assert portal.http.post(f"{portal.sandbox.url}/oauth/token/", data=form).status_code == 200


class TestSessions:
    def test_a_browser_with_cookie_and_token_is_its_user(self, portal: PortalClient) -> None:
        assert portal.post("profile", headers=SESSION).json()["result"]["ID"] == "7"
        cookie = {"Cookie": "other=1; PHPSESSID=session8"}
        assert portal.post("profile", headers=cookie, data={"sessid": "sessid8"}).json()["result"]["ID"] == "8"

    def test_it_needs_both(self, portal: PortalClient) -> None:
        assert refused(portal, "profile", headers={"Cookie": "PHPSESSID=session7"}) == (401, "NO_AUTH_FOUND")
        assert refused(portal, "profile", headers={"X-Bitrix-Csrf-Token": "sessid7"}) == (401, "access_denied")
        foreign = {"Cookie": "PHPSESSID=session7", "X-Bitrix-Csrf-Token": "sessid8"}
        assert refused(portal, "profile", headers=foreign) == (401, "session_failed")

    @pytest.mark.parametrize("user", [80, 90, 5001])
    def test_bots_customers_and_the_dismissed_have_none(self, portal: PortalClient, user: int) -> None:
        headers = {"Cookie": f"PHPSESSID=session{user}", "X-Bitrix-Csrf-Token": f"sessid{user}"}
        assert refused(portal, "profile", headers=headers) == (401, "access_denied")

    @pytest.mark.parametrize("action", ["transfer", "finish", "operator", "message.send"])
    def test_the_bots_methods_are_closed_to_it_before_anything_is_checked(
        self, portal: PortalClient, action: str
    ) -> None:
        reply = portal.post(f"imopenlines.bot.session.{action}", headers=SESSION)
        assert reply.status_code == 403
        assert reply.json() == {
            "error": "WRONG_AUTH_TYPE",
            "error_description": "Access for this method not allowed by session authorization.",
        }


SHUT = [
    ("deleted", "PORTAL_DELETED", 403, 500),
    ("overload", "OVERLOAD_LIMIT", 401, 503),
    ("no_rest_plan", "ACCESS_DENIED", 401, 403),
]
SHUT_TO_APPS = [
    ("app_not_installed", "ERROR_OAUTH", 401, 401),
    ("app_inactive", "APPLICATION_NOT_FOUND", 401, 401),
    ("app_forbidden", "user_access_error", 401, 403),
    ("confirm_waiting", "METHOD_CONFIRM_WAITING", 401, 401),
    ("confirm_denied", "METHOD_CONFIRM_DENIED", 403, 403),
]


class TestAPortalThatIsShut:
    def shut(self, portal: PortalClient, state: str, **switches: Any) -> None:
        app = {"client_id": "local.shut", "access_token": "shut", "refresh_token": "shut-1"}
        portal.reset(apps=[app], switches={"portal_state": state, **switches})

    @pytest.mark.parametrize(("state", "code", "source", "docs"), SHUT)
    def test_a_portal_that_is_shut_refuses_webhooks_and_apps_alike(
        self, portal: PortalClient, state: str, code: str, source: int, docs: int
    ) -> None:
        for statuses, status in (("source", source), ("docs", docs)):
            self.shut(portal, state, statuses=statuses)
            assert portal.error("profile") == (status, code)
            assert refused(portal, "profile", json={"auth": "shut"}) == (status, code)

    @pytest.mark.parametrize(("state", "code", "source", "docs"), SHUT_TO_APPS)
    def test_or_apps_only(self, portal: PortalClient, state: str, code: str, source: int, docs: int) -> None:
        for statuses, status in (("source", source), ("docs", docs)):
            self.shut(portal, state, statuses=statuses)
            assert refused(portal, "profile", json={"auth": "shut"}) == (status, code)
            assert portal.call("profile").status_code == 200

    def test_a_deleted_portal_does_not_even_read_the_methods_name(self, portal: PortalClient) -> None:
        self.shut(portal, "deleted")
        assert portal.error("no.such.method")[1] == "PORTAL_DELETED"
        self.shut(portal, "overload")
        assert portal.error("no.such.method")[1] == "ERROR_METHOD_NOT_FOUND"

    def test_the_plan_is_missed_in_different_words(self, portal: PortalClient) -> None:
        self.shut(portal, "no_rest_plan")
        of_app = portal.post("profile", json={"auth": "shut"}).json()["error_description"]
        of_webhook = portal.call("profile").json()["error_description"]
        assert "commercial plans" in of_app
        assert "subscription" in of_webhook

    @pytest.mark.parametrize(
        ("state", "code"), [("app_unpaid", "PAYMENT_REQUIRED"), ("app_not_installed", "NOT_INSTALLED")]
    )
    def test_the_token_endpoint_may_refuse_too(self, portal: PortalClient, state: str, code: str) -> None:
        self.shut(portal, state)
        status, body = refreshed(portal, client_id="local.shut", refresh_token="shut-1")
        assert (status, body["error"]) == (401, code)


class TestStatuses:
    def test_statuses_may_be_those_of_the_older_documentation(self, portal: PortalClient) -> None:
        portal.reset(switches={"statuses": "docs", "https_required": True})
        assert portal.error("profile") == (400, "INVALID_REQUEST")
        portal.reset(switches={"statuses": "docs"}, webhooks=[{"user": 1, "code": "narrow", "scopes": []}])
        assert portal.error(DIALOG, webhook="1/wrong") == (403, "INVALID_CREDENTIALS")
        assert portal.error(DIALOG, webhook="1/narrow") == (403, "insufficient_scope")

    def test_statuses_of_a_method_are_its_own(self, portal: PortalClient) -> None:
        portal.reset(switches={"statuses": "docs", "reports_denied": True})
        assert portal.error("imopenlines.v2.Session.list", webhook="8/secretcode8") == (400, "ACCESS_DENIED")


class TestARenamedPortal:
    @pytest.fixture
    def old(self, portal: PortalClient) -> PortalClient:
        portal.reset(switches={"moved_to": "localhost"}, rate={"per_second": 2, "burst": 50})
        return portal

    def test_a_renamed_portal_sends_every_call_to_the_same_path_at_the_new_host(self, old: PortalClient) -> None:
        new = old.sandbox.url.replace("127.0.0.1", "localhost")
        path = f"1/secretcode/{TRANSFER}.json?CHAT_ID=112&USER_ID=12"
        reply = old.post(path, json={"CLIENT_ID": "chattransfer"}, allow_redirects=False)
        assert (reply.status_code, reply.headers["Location"]) == (302, f"{new}/rest/{path}")
        assert old.post("no/such/method", allow_redirects=False).status_code == 302

    @pytest.mark.parametrize("host", ["[::1", "a:b:c"])
    def test_a_renamed_portal_sends_a_call_to_no_proper_address_there_as_well(
        self, old: PortalClient, host: str
    ) -> None:
        reply = old.post("1/secretcode/profile", headers={"Host": host}, allow_redirects=False)
        assert (reply.status_code, reply.headers["Location"]) == (302, "http://localhost/rest/1/secretcode/profile")

    def test_nothing_happens_until_the_call_is_repeated_there(self, old: PortalClient) -> None:
        path, body = f"1/secretcode/{TRANSFER}", {"CHAT_ID": 112, "USER_ID": 12, "CLIENT_ID": "chattransfer"}
        address = old.post(path, json=body, allow_redirects=False).headers["Location"]
        assert old.changes() == []
        assert old.http.post(address, json=body).json()["result"] is True

    def test_a_client_that_follows_on_its_own_loses_the_body(self, old: PortalClient) -> None:
        reply = old.call(TRANSFER, {"CHAT_ID": 112, "USER_ID": 12, "CLIENT_ID": "chattransfer"})
        assert reply.json()["error"] == "CHAT_ID_EMPTY"
        assert [reply.request.method, *(each.status_code for each in reply.history)] == ["GET", 302]
