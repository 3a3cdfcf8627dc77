# SPDX-License-Identifier: Apache-2.0
"""Signing in to Bitrix24: webhooks and applications, tokens that run out, portals that move, and what is wrong."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_chattransfer.chats.model import Chat, Target
from airflow_provider_chattransfer.exceptions import (
    CredentialsError,
    NotAppliedError,
    PlatformError,
    RequestRefusedError,
    UnexpectedResponseError,
    UnreachableError,
)
from airflow_provider_chattransfer.platforms.bitrix24.auth import OAuthApp, Webhook
from airflow_provider_chattransfer.platforms.bitrix24.bots import register_bot
from airflow_provider_chattransfer.platforms.bitrix24.client import Bitrix24Client
from airflow_provider_chattransfer.platforms.bitrix24.commands import Command
from airflow_provider_chattransfer.platforms.bitrix24.connection_check import check_connection
from airflow_provider_chattransfer.platforms.bitrix24.oauth import AuthorizationServer
from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform
from airflow_provider_chattransfer.platforms.bitrix24.redirects import endpoint, renamed
from airflow_provider_chattransfer.platforms.issued_token import IssuedToken
from airflow_provider_chattransfer.platforms.reading_age import sending_what_was_read
from airflow_provider_chattransfer.platforms.tokens.manager import Entry, FetchToken, TokenManager
from airflow_provider_chattransfer.platforms.transport import Transport
from airflow_provider_chattransfer.sandbox.server import SandboxServer
from tests.sandbox.certificates import self_signed
from tests.support.ports import free_port

from ..support.paces import open_pace
from ..support.reports import outcomes_of
from ..support.token_stores import MemoryTokenStore
from .conftest import ClockedSandbox, Script, Scripted, query_of, to

TRANSFER = "imopenlines.bot.session.transfer"
READ = Command("imopenlines.dialog.get", {"CHAT_ID": 101})
SECRETS = ("secretcode", "bot_client_id=", "appsecret", "refresh-1", "refresh-2", "token-")
PAGE = Scripted(200, b"<html>Welcome</html>", {"Content-Type": "text/html"})


def an_app(
    stage: ClockedSandbox,
    *,
    portal: str | None = None,
    server: str | None = None,
    store: MemoryTokenStore | None = None,
    transport: Transport | None = None,
    through: Callable[[FetchToken], FetchToken] = lambda fetch_token: fetch_token,
    client_id: str = "local.chattransfer",
    client_secret: str = "appsecret",  # noqa: S107
    refresh_token: str = "refresh-1",  # noqa: S107
) -> Bitrix24Client:
    """Return a client that signs in as the sandbox's application; ``through`` may meddle with what it is given out."""
    authorization = AuthorizationServer(
        host=server or stage.url,
        client_id=client_id,
        client_secret=client_secret,
        refresh_token=refresh_token,
        transport=transport or stage.transport(),
        clock=stage.now,
    )
    token_manager = TokenManager(
        store=store or MemoryTokenStore(),
        fetch_token=through(authorization.fetch_token),
        clock=stage.now,
        sleep=stage.sleep,
    )
    auth = OAuthApp(portal=portal or stage.url, client_id=client_id, token_manager=token_manager)
    return Bitrix24Client(auth=auth, transport=transport or stage.transport(), clock=stage.now)


def by_webhook(stage: ClockedSandbox) -> Bitrix24Client:
    return stage.webhook()


WAYS = pytest.mark.parametrize("sign_in", [by_webhook, an_app], ids=["webhook", "application"])
SignIn = Callable[[ClockedSandbox], Bitrix24Client]


def refreshes(stage: ClockedSandbox) -> int:
    """How often a token was asked for."""
    return sum(call.path.startswith("/oauth/") for call in stage.calls)


def no_secret_in(text: str) -> bool:
    return not any(secret in text for secret in SECRETS)


def problem(client: Bitrix24Client, kind: type[PlatformError] = CredentialsError) -> str:
    """Return what a read says that must fail, or whose token must not be had."""
    with pytest.raises(kind) as error:
        client.call(READ, repeatable=True)
    assert no_secret_in(str(error.value))
    return str(error.value)


class TestAWayOfSigningIn:
    @WAYS
    def test_transfers_lists_and_reads(self, stage: ClockedSandbox, sign_in: SignIn) -> None:
        platform = Bitrix24Platform(sign_in(stage))
        chats = [chat.id for chat in platform.find_agents_chats(["7"]) if chat.owner == "7"]
        assert len(chats) == 14
        assert outcomes_of(stage.run_to_end(platform, to("agent:12", *chats))) == ["accepted"] * 14
        assert {chat.owner for chat in platform.read_chats(chats).values() if isinstance(chat, Chat)} == {"12"}
        assert sorted(stage.moved("bitrix24")) == sorted(chats)

    @WAYS
    def test_a_way_of_signing_in_finds_who_waits_in_a_queue(self, stage: ClockedSandbox, sign_in: SignIn) -> None:
        assert len(Bitrix24Platform(sign_in(stage)).find_waiting_chats("3")) > 0

    @WAYS
    def test_a_way_of_signing_in_accepts_as_its_user(self, stage: ClockedSandbox, sign_in: SignIn) -> None:
        stage.reset(bitrix24={"chats": [{"id": 11, "queue": 3, "state": "waiting", "offered_to": 7}]})
        platform = Bitrix24Platform(sign_in(stage))
        assert platform.receiver_of(Chat(id="11")) == Target.agent("1")
        platform.accept(Chat(id="11"))
        assert stage.chats("bitrix24")["11"]["owner"] == "1"

    @WAYS
    def test_a_way_of_signing_in_shows_no_secret_in_logs_and_reprs(
        self, stage: ClockedSandbox, sign_in: SignIn, caplog: pytest.LogCaptureFixture
    ) -> None:
        given: list[IssuedToken] = []
        with caplog.at_level("DEBUG"):
            client = sign_in(stage)
            stage.run_to_end(Bitrix24Platform(client), to("agent:12", "101", "102"))
            if (credential := client.auth.authenticate().token) is not None:
                given.append(credential)
            stage.fault(kind="token_expired", service="bitrix24")
            client.batch([READ, READ], repeatable=True)
        shown = caplog.text + repr(client.auth) + repr(client.auth.authenticate())
        assert no_secret_in(shown)
        assert not [each for each in given if each.secret in shown or str(each.refresh_token) in shown]

    def test_a_way_of_signing_in_by_an_application_names_no_bot_and_keeps_its_token_in_a_header(
        self, stage: ClockedSandbox
    ) -> None:
        platform = Bitrix24Platform(an_app(stage))
        stage.run_to_end(platform, to("agent:12", "101", "102"))
        assert refreshes(stage) == 1
        for call in stage.calls:
            if call.path.startswith("/rest/"):
                token = call.headers["authorization"].removeprefix("Bearer ")
                assert token not in call.path + call.query + call.body.decode()
                assert b"CLIENT_ID" not in call.body

    def test_a_way_of_signing_in_by_an_application_is_told_who_it_is_with_the_token(
        self, stage: ClockedSandbox
    ) -> None:
        assert an_app(stage).user_id() == "1"
        assert stage.asked() == [""]

    def test_a_way_of_signing_in_by_an_application_asks_who_it_is_where_the_token_does_not_tell(
        self, stage: ClockedSandbox
    ) -> None:
        def untold(fetch_token: FetchToken) -> FetchToken:
            return lambda refresh_token: replace(fetch_token(refresh_token), about={})

        client = an_app(stage, through=untold)
        assert client.user_id() == client.user_id() == "1"
        assert stage.asked() == ["", "profile"]

    def test_a_way_of_signing_in_by_an_application_finds_its_own_users_chats_without_reports_and_crm(
        self, stage: ClockedSandbox
    ) -> None:
        app = {"client_id": "local.own", "user": 7, "scopes": ["imopenlines", "im"]}
        stage.reset(bitrix24={"apps": [app], "switches": {"v2_methods": False}})
        platform = Bitrix24Platform(an_app(stage, client_id="local.own"))
        assert {chat.owner for chat in platform.find_agents_chats(["7"])} == {"7"}


class TestAToken:
    @pytest.mark.parametrize("method", [TRANSFER, "imopenlines.dialog.get"])
    @pytest.mark.parametrize("count", [1, 60])
    def test_a_token_that_runs_out_is_renewed_once_and_every_chat_moved_once(
        self, stage: ClockedSandbox, method: str, count: int
    ) -> None:
        chats = [{"id": 1000 + number, "owner": 7, "queue": 3} for number in range(count)]
        stage.reset(bitrix24={"chats": chats})
        platform = Bitrix24Platform(an_app(stage))
        platform.client.user_id()
        stage.fault(kind="token_expired", service="bitrix24", method=method)
        ids = [str(chat["id"]) for chat in chats]
        assert outcomes_of(stage.run_to_end(platform, to("agent:12", *ids))) == ["accepted"] * count
        assert sorted(stage.moved("bitrix24")) == sorted(ids)
        assert refreshes(stage) == 2

    def test_a_token_is_not_renewed_before_it_has_run_out(self, stage: ClockedSandbox) -> None:
        client = an_app(stage)
        client.call(READ, repeatable=True)
        stage.server.sandbox.clock.skip(3590)
        client.call(READ, repeatable=True)
        assert refreshes(stage) == 1
        stage.server.sandbox.clock.skip(20)
        client.call(READ, repeatable=True)
        assert refreshes(stage) == 2

    def test_a_token_is_renewed_by_the_refresh_token_that_came_with_it(self, stage: ClockedSandbox) -> None:
        store = MemoryTokenStore()
        client = an_app(stage, store=store)
        used = ["refresh-1"]
        for _ in range(3):
            client.call(READ, repeatable=True)
            used.append(json.loads(store.kept[Entry.TOKEN])["renewal"])
            stage.server.sandbox.clock.skip(3601)
        asked = [query_of(call)["refresh_token"] for call in stage.calls if call.path.startswith("/oauth/")]
        assert asked == used[:3]

    def test_a_token_that_runs_out_in_the_middle_of_a_batch_repeats_only_what_it_struck(
        self, stage: ClockedSandbox, script: Script
    ) -> None:
        expired = {"error": "expired_token", "error_description": ""}
        script.play(
            _granted("token-1"),
            _batch({"c0": True}, {"c1": expired, "c2": expired}),
            _granted("token-2"),
            _batch({"c0": True, "c1": True}, {}),
        )
        client = an_app(stage, portal=script.url, server=script.url)
        commands = [Command(TRANSFER, {"CHAT_ID": number}) for number in (1, 2, 3)]
        assert client.batch(commands, repeatable=False) == [True, True, True]
        again = script.heard[-1]
        assert again.headers["Authorization"] == "Bearer token-2"
        assert [command.partition("?")[2] for command in again.body["cmd"].values()] == ["CHAT_ID=2", "CHAT_ID=3"]

    def test_a_token_that_runs_out_in_the_middle_keeps_the_results_before_it(
        self, stage: ClockedSandbox, script: Script
    ) -> None:
        expired = {"error": "expired_token", "error_description": ""}
        script.play(
            _granted("token-1"),
            _batch({"c0": True}, {"c1": expired}),
            Scripted.json({"error": "invalid_grant"}, status=400),
        )
        client = an_app(stage, portal=script.url, server=script.url)
        first, second = client.batch([Command(TRANSFER, {"CHAT_ID": number}) for number in (1, 2)], repeatable=False)
        assert first is True
        assert isinstance(second, CredentialsError)

    def test_a_token_that_runs_out_in_the_middle_of_reads_repeats_them_all(
        self, stage: ClockedSandbox, script: Script
    ) -> None:
        expired = {"error": "expired_token", "error_description": ""}
        script.play(
            _granted("token-1"),
            _batch({"c0": 1}, {"c1": expired}),
            _granted("token-2"),
            _batch({"c0": 1, "c1": 2}, {}),
        )
        client = an_app(stage, portal=script.url, server=script.url)
        assert client.batch([READ, READ], repeatable=True) == [1, 2]

    @pytest.mark.parametrize("answer", ["whole", "nested"])
    def test_a_token_that_is_not_taken_although_it_is_new_ends_the_run(
        self, stage: ClockedSandbox, script: Script, answer: str
    ) -> None:
        expired = {"error": "expired_token", "error_description": ""}
        refusal = (
            Scripted.json(expired, status=401) if answer == "whole" else _batch({}, {"c0": expired, "c1": expired})
        )
        script.play(_granted("token-1"), refusal, _granted("token-2"), refusal, _granted("token-3"))
        client = an_app(stage, portal=script.url, server=script.url)
        try:
            found = client.batch([Command(TRANSFER, {"CHAT_ID": number}) for number in (1, 2)], repeatable=False)[0]
        except CredentialsError as error:
            found = error
        assert "oauth_refresh_token of the connection [expired_token]" in str(found)
        assert len(script.heard) == 4

    def test_a_token_that_is_renewed_too_slowly_lets_the_chats_be_read_again(self, stage: ClockedSandbox) -> None:
        def slow(fetch_token: FetchToken) -> FetchToken:
            def obtain_slowly(refresh_token: str | None) -> IssuedToken:
                stage.sleep(30)
                return fetch_token(refresh_token)

            return obtain_slowly

        client = an_app(stage, through=slow)
        client.user_id()
        stage.fault(kind="token_expired", service="bitrix24", method=TRANSFER)
        command = Command(TRANSFER, {"CHAT_ID": 101, "USER_ID": 12, "LEAVE": "N"})
        with (
            pytest.raises(NotAppliedError, match="must be read again"),
            sending_what_was_read(stage.now(), clock=stage.now),
        ):
            client.call(command, repeatable=False)
        assert stage.moved("bitrix24") == []
        stage.fault(kind="token_expired", service="bitrix24", method=TRANSFER)
        assert outcomes_of(stage.run_to_end(Bitrix24Platform(client), to("agent:12", "101"))) == ["accepted"]
        assert stage.moved("bitrix24") == ["101"]

    def test_a_token_that_cannot_be_renewed_leaves_the_chats_unsent_for_sure(self, stage: ClockedSandbox) -> None:
        platform = Bitrix24Platform(an_app(stage))
        platform.client.user_id()
        stage.fault(kind="token_expired", service="bitrix24", method=TRANSFER)
        stage.fault(kind="html_502_before", service="bitrix24", method="oauth.token", count=10**6)
        (result,) = stage.run_to_end(platform, to("agent:12", "101"))
        assert (result.outcome, stage.moved("bitrix24")) == ("failed", [])
        assert "no token is to be had" in str(result.reason)

    def test_a_token_that_two_threads_find_spent_is_renewed_once(self, stage: ClockedSandbox) -> None:
        store = MemoryTokenStore()
        clients = [an_app(stage, store=store) for _ in range(4)]
        for client in clients:
            client.call(READ, repeatable=True)
        stage.server.sandbox.clock.skip(3601)
        threads = [
            threading.Thread(target=client.call, args=(READ,), kwargs={"repeatable": True}) for client in clients
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert refreshes(stage) == 2


class TestTheAuthorisationServer:
    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            (("local.other", "appsecret", "refresh-1"), "check oauth_client_id of the connection, and oauth_host"),
            (("local.chattransfer", "guess", "refresh-1"), "check oauth_client_id and oauth_client_secret"),
            (("local.chattransfer", "appsecret", "refresh-2"), "put the new token into oauth_refresh_token of the"),
        ],
    )
    def test_the_authorisation_server_that_refuses_names_the_field(
        self, stage: ClockedSandbox, fields: tuple[str, str, str], words: str
    ) -> None:
        client_id, client_secret, refresh_token = fields
        client = an_app(stage, client_id=client_id, client_secret=client_secret, refresh_token=refresh_token)
        assert words in problem(client)

    def test_the_authorisation_server_takes_a_refresh_token_for_180_days(self, stage: ClockedSandbox) -> None:
        stage.server.sandbox.clock.skip(181 * 86400)
        assert "each works once and for 180 days" in problem(an_app(stage))

    @pytest.mark.parametrize(
        ("state", "words"),
        [("app_unpaid", "is not paid for"), ("app_not_installed", "is not installed on the portal: install it")],
    )
    def test_the_authorisation_server_tells_what_became_of_the_application(
        self, stage: ClockedSandbox, state: str, words: str
    ) -> None:
        stage.reset(bitrix24={"switches": {"portal_state": state}})
        assert words in problem(an_app(stage))

    @pytest.mark.parametrize("answer", [PAGE, replace(PAGE, status=404), Scripted.json({"version": 1}), Scripted(302)])
    def test_the_authorisation_server_that_is_none_is_told_by_the_field_of_its_host(
        self, stage: ClockedSandbox, script: Script, answer: Scripted
    ) -> None:
        script.play(answer)
        assert "check oauth_host of the connection" in problem(an_app(stage, server=script.url))

    def test_the_authorisation_server_that_does_not_exist_is_told_by_the_field_of_its_host(
        self, stage: ClockedSandbox
    ) -> None:
        told = problem(an_app(stage, server=_nobody()), UnreachableError)
        assert told.startswith("oauth/token: the connection to 127.0.0.1:")
        assert "check oauth_host of the connection" in told

    @pytest.mark.parametrize("kind", ["html_503_before", "error_503", "error_429", "drop_before"])
    def test_the_authorisation_server_that_is_away_for_a_moment_is_asked_again(
        self, stage: ClockedSandbox, kind: str
    ) -> None:
        stage.fault(kind=kind, service="bitrix24", method="oauth.token", count=2)
        assert an_app(stage).user_id() == "1"

    def test_the_authorisation_server_whose_answer_is_lost_has_spent_the_refresh_token(
        self, stage: ClockedSandbox
    ) -> None:
        stage.fault(kind="drop_after", service="bitrix24", method="oauth.token")
        assert "Sign in anew" in problem(an_app(stage))

    def test_the_authorisation_server_is_not_followed_elsewhere_with_the_secret(
        self, stage: ClockedSandbox, script: Script
    ) -> None:
        script.play(Scripted(302, headers={"Location": f"{stage.url}/oauth/token/"}))
        problem(an_app(stage, server=script.url))
        assert stage.calls == []


class TestARefusal:
    @WAYS
    @pytest.mark.parametrize(
        ("state", "words"),
        [
            ("deleted", "the portal was deleted: check host of the connection [PORTAL_DELETED]"),
            ("overload", "ask its support to lift that [OVERLOAD_LIMIT]"),
            ("no_rest_plan", "the portal's plan has no REST API"),
        ],
    )
    def test_a_refusal_by_the_portals_state_says_who_can_change_it(
        self, stage: ClockedSandbox, sign_in: SignIn, state: str, words: str
    ) -> None:
        stage.reset(bitrix24={"switches": {"portal_state": state}})
        assert words in problem(sign_in(stage))

    @pytest.mark.parametrize(
        ("state", "words"),
        [
            ("app_inactive", "switched off on the portal"),
            ("app_forbidden", "closed to the user who authorised it"),
            ("confirm_waiting", "ask them to answer"),
            ("confirm_denied", "ask them to allow it"),
        ],
    )
    def test_a_refusal_of_an_application_says_where_to_open_it(
        self, stage: ClockedSandbox, state: str, words: str
    ) -> None:
        stage.reset(bitrix24={"switches": {"portal_state": state}})
        assert words in problem(an_app(stage))

    def test_a_refusal_of_an_application_that_is_taken_off_later_says_so(self, stage: ClockedSandbox) -> None:
        store = MemoryTokenStore()
        an_app(stage, store=store).user_id()
        token = json.loads(store.kept[Entry.TOKEN])["secret"]
        app = {"client_id": "local.chattransfer", "access_token": token}
        stage.reset(bitrix24={"apps": [app], "switches": {"portal_state": "app_not_installed"}})
        assert "not installed on the portal: install it, then sign in anew" in problem(an_app(stage, store=store))

    def test_a_refusal_of_a_token_of_another_portal_says_so_and_renews_nothing(self, stage: ClockedSandbox) -> None:
        store = MemoryTokenStore()
        client = an_app(stage, store=store)
        client.user_id()
        stage.reset()
        assert "host of the connection is another portal" in problem(client)
        assert refreshes(stage) == 0

    def test_a_refusal_of_a_dismissed_user_says_whose_token_is_needed(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"apps": [{"client_id": "local.old", "user": 90}]})
        assert "let another one authorise it" in problem(an_app(stage, client_id="local.old"))

    @pytest.mark.parametrize("cause", ["wrong code", "dismissed user", "expired"])
    def test_a_refusal_of_a_webhook_says_all_that_it_may_be(self, stage: ClockedSandbox, cause: str) -> None:
        stage.reset(
            bitrix24={"webhooks": [{"user": 1, "code": "brief", "expires_in": 60}, {"user": 90, "code": "fired"}]}
        )
        stage.server.sandbox.clock.skip(61)
        user, code = {"wrong code": (1, "guess"), "dismissed user": (90, "fired"), "expired": (1, "brief")}[cause]
        told = problem(stage.webhook(user=user, code=code))
        assert "login and password of the connection" in told
        assert "expired or was deleted, or its user was dismissed" in told
        assert code not in told

    @pytest.mark.parametrize("refusal", ["insufficient_scope", "not_found"])
    def test_a_refusal_for_a_scope_names_it(self, stage: ClockedSandbox, refusal: str) -> None:
        webhook = {"user": 1, "code": "narrow", "scopes": ["im"]}
        stage.reset(bitrix24={"webhooks": [webhook], "switches": {"missing_scope": refusal}})
        kind = CredentialsError if refusal == "insufficient_scope" else RequestRefusedError
        assert "lacks the scope imopenlines (give it under" in problem(stage.webhook(code="narrow"), kind)

    def test_a_refusal_for_plain_http_says_so(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"switches": {"https_required": True}})
        assert "takes only https" in problem(stage.webhook())

    @pytest.mark.parametrize(
        "answer",
        [
            PAGE,
            replace(PAGE, status=404),
            Scripted.json({"detail": "Not Found"}, status=404),
            Scripted.json({"error": "nothing is served here"}, status=404),
            Scripted.json([1, 2]),
        ],
    )
    def test_a_refusal_by_what_is_no_portal_says_where_to_look(
        self, portal: Bitrix24Client, script: Script, answer: Scripted
    ) -> None:
        script.play(answer)
        assert "that no Bitrix24 portal gives: check host of the connection" in problem(portal, UnexpectedResponseError)


def _granted(token: str, **fields: Any) -> Scripted:
    return Scripted.json({"access_token": token, "refresh_token": f"refresh-of-{token}", "user_id": 1, **fields})


def _batch(results: dict[str, Any], errors: dict[str, Any]) -> Scripted:
    return Scripted.json({"result": {"result": results or [], "result_error": errors or [], "result_time": []}})


def _nobody() -> str:
    """Return an address at which nobody listens."""
    return f"http://127.0.0.1:{free_port()}"


class TestAPortalThatWasRenamed:
    @WAYS
    def test_a_portal_that_was_renamed_is_followed_by_the_same_post_and_told_once(
        self, stage: ClockedSandbox, sign_in: SignIn, caplog: pytest.LogCaptureFixture
    ) -> None:
        stage.reset(bitrix24={"switches": {"moved_to": "localhost"}})
        platform = Bitrix24Platform(sign_in(stage))
        chats = [str(number) for number in range(101, 115)]
        assert outcomes_of(stage.run_to_end(platform, to("agent:12", *chats))) == ["accepted"] * 14
        assert sorted(stage.moved("bitrix24")) == chats
        assert {call.verb for call in stage.calls if call.path.startswith("/rest/")} == {"POST"}
        assert [call.headers["host"].split(":")[0] for call in stage.calls].count("127.0.0.1") == 1 + refreshes(stage)
        told = [record.getMessage() for record in caplog.records if "host" in record.getMessage()]
        port = stage.url.rpartition(":")[2]
        assert told == [f"The portal is now at localhost:{port}; put that into the connection's host"]
        assert platform.account == stage.url

    def test_a_portal_that_was_renamed_is_found_by_the_address_that_comes_with_a_token(
        self, stage: ClockedSandbox, script: Script, caplog: pytest.LogCaptureFixture
    ) -> None:
        script.play(_granted("token-1", client_endpoint=f"{stage.url}/rest/"))
        client = an_app(stage, portal="http://127.0.0.1:9", server=script.url)
        assert client.address == stage.url
        assert f"The portal is now at {stage.server.address}; put that into" in caplog.text

    @pytest.mark.parametrize(
        ("location", "words"),
        [
            (
                "https://evil.example/rest/1/secretcode/imopenlines.dialog.get",
                "has moved to evil.example, where nothing",
            ),
            ("http://other.bitrix24.com/rest/1/secretcode/imopenlines.dialog.get", "moved to other.bitrix24.com"),
            ("{other}/rest/1/secretcode/imopenlines.dialog.get", "moved to 127.0.0.1:"),
            ("{same}/login/", "redirects what is sent to it: it has moved, or is no portal"),
            ("/login/", "redirects what is sent to it"),
            ("", "redirects what is sent to it"),
            ("https://x<script>/rest/", "redirects what is sent to it"),
            (f"https://{'b' * 60_000}/rest/1/secretcode/imopenlines.dialog.get", "redirects what is sent to it"),
        ],
    )
    def test_a_portal_that_was_renamed_to_anywhere_else_gets_nothing_and_is_named(
        self, stage: ClockedSandbox, portal: Bitrix24Client, script: Script, location: str, words: str
    ) -> None:
        script.play(Scripted(302, headers={"Location": location.format(other=stage.url, same=script.url)}))
        assert words in problem(portal)
        assert (len(script.heard), stage.calls) == (1, [])

    def test_a_portal_that_was_renamed_to_what_is_no_address_is_an_error_without_a_secret(
        self, portal: Bitrix24Client, script: Script
    ) -> None:
        script.play(Scripted(302, headers={"Location": "https://[oops/rest/1/secretcode"}))
        told = problem(portal)
        assert "redirects what is sent to it" in told
        assert "secretcode" not in told

    def test_and_back_is_not_followed_for_ever(self, portal: Bitrix24Client, script: Script) -> None:
        there, back = (
            Scripted(302, headers={"Location": f"http://{host}:{script.url.rpartition(':')[2]}{READ_PATH}"})
            for host in ("localhost", "127.0.0.1")
        )
        script.play(there, back, there)
        assert "moved to 127.0.0.1" in problem(portal)
        assert len(script.heard) == 2

    @pytest.mark.parametrize(
        ("old", "location", "new"),
        [
            ("https://a.bitrix24.com/rest/x", "https://b.bitrix24.com/rest/x", "https://b.bitrix24.com"),
            ("https://a.bitrix24.com.br/rest/x", "https://b.bitrix24.com.br/rest/x", "https://b.bitrix24.com.br"),
            ("https://a.bitrix24.com:443/rest/x", "https://b.bitrix24.com/rest/x", "https://b.bitrix24.com"),
            ("http://127.0.0.1:8024/rest/x", "http://localhost:8024/rest/x", "http://localhost:8024"),
            ("https://a.bitrix24.com/rest/x", "https://B.bitrix24.com.:443/rest/x", "https://b.bitrix24.com"),
            ("https://a.bitrix24.com/rest/x", f"https://{'b' * 60_000}.bitrix24.com/rest/x", None),
            ("https://a.bitrix24.com/rest/x", "https://localhost./rest/x", None),
            ("https://a.bitrix24.com/rest/x", "https://b.bitrix24.de/rest/x", None),
            ("https://a.bitrix24.com/rest/x", "http://b.bitrix24.com/rest/x", None),
            ("https://a.bitrix24.com/rest/x", "https://b.bitrix24.com:8443/rest/x", None),
            ("https://a.bitrix24.com/rest/x", "https://b.bitrix24.com/rest/y", None),
            ("https://a.bitrix24.com/rest/x", "https://b.bitrix24.com/rest/x?next=1", None),
            ("https://a.bitrix24.com/rest/x", "https://b.bitrix24.com.evil.example/rest/x", None),
            ("https://a.bitrix24.com/rest/x", "https://evilbitrix24.com/rest/x", None),
            ("https://a.bitrix24.com/rest/x", "https://b.bitrix24.com@evil.example/rest/x", None),
            ("https://a.bitrix24.com/rest/x", "https://me@b.bitrix24.com/rest/x", None),
            ("https://crm.example.com/rest/x", "https://b.bitrix24.com/rest/x", None),
            ("https://crm.example.com/rest/x", "https://new.example.com/rest/x", None),
            ("https://a.bitrix24.com/rest/x", "https://127.0.0.1/rest/x", None),
            ("http://127.0.0.1:8024/rest/x", "http://127.0.0.1:8025/rest/x", None),
            ("http://127.0.0.1:8024/rest/x", "https://localhost:8024/rest/x", None),
            ("http://127.0.0.1:8024/rest/x", "https://b.bitrix24.com/rest/x", None),
        ],
    )
    def test_a_portal_that_was_renamed_is_followed_only_within_its_domain_of_bitrix24(
        self, old: str, location: str, new: str | None
    ) -> None:
        assert renamed(old, location) == new

    @pytest.mark.parametrize(
        ("told", "portal", "base"),
        [
            ("https://new.bitrix24.com/rest/", "https://a.bitrix24.com", "https://new.bitrix24.com"),
            ("https://crm.example.com:8443/rest/", "https://a.bitrix24.com", "https://crm.example.com:8443"),
            ("http://127.0.0.1:8024/rest/", "http://localhost:8024", "http://127.0.0.1:8024"),
            ("http://new.bitrix24.com/rest/", "https://a.bitrix24.com", "https://a.bitrix24.com"),
            ("https://127.0.0.1/rest/", "https://a.bitrix24.com", "https://a.bitrix24.com"),
            ("https://new.bitrix24.com/crm/", "https://a.bitrix24.com", "https://a.bitrix24.com"),
            ("https://[oops", "https://a.bitrix24.com", "https://a.bitrix24.com"),
            ("https://New.Bitrix24.com.:443/rest/", "https://a.bitrix24.com", "https://new.bitrix24.com"),
            ("https://localhost./rest/", "https://a.bitrix24.com", "https://a.bitrix24.com"),
            ("https://ip6-localhost/rest/", "https://a.bitrix24.com", "https://a.bitrix24.com"),
            ("https://[::ffff:127.0.0.1]/rest/", "https://a.bitrix24.com", "https://a.bitrix24.com"),
            ("https://169.254.169.254/rest/", "https://a.bitrix24.com", "https://a.bitrix24.com"),
            ("https://0.0.0.0/rest/", "https://a.bitrix24.com", "https://a.bitrix24.com"),
            (f"https://{'a' * 60_000}/rest/", "https://a.bitrix24.com", "https://a.bitrix24.com"),
            (None, "https://a.bitrix24.com", "https://a.bitrix24.com"),
        ],
    )
    def test_a_portal_that_was_renamed_is_where_a_token_says_if_that_is_plausible(
        self, told: str | None, portal: str, base: str
    ) -> None:
        assert endpoint(told, portal=portal) == base


READ_PATH = "/rest/1/secretcode/imopenlines.dialog.get"


class TestASelfHostedPortal:
    @pytest.fixture
    def certificate(self, tmp_path: Path) -> Path:
        return self_signed(tmp_path)[0]

    @pytest.fixture
    def server(self, certificate: Path) -> Iterator[SandboxServer]:
        with SandboxServer(
            {"bitrix24": {"rate": None}}, certificate=certificate, key=certificate.with_name("key.pem")
        ) as server:
            yield server

    @pytest.fixture
    def secure(self, server: SandboxServer) -> Iterator[ClockedSandbox]:
        stage = ClockedSandbox(server)
        yield stage
        stage.close()

    @pytest.mark.parametrize("way", ["webhook", "application"])
    def test_a_self_hosted_portal_is_trusted_by_its_own_authority(
        self, secure: ClockedSandbox, certificate: Path, way: str
    ) -> None:
        with closing(_trusting(certificate)) as transport:
            if way == "webhook":
                auth = Webhook(portal=secure.url, user_id="1", code="secretcode", bot_client_id="chattransfer")
                client = Bitrix24Client(auth=auth, transport=transport)
            else:
                client = an_app(secure, transport=transport)
            assert client.address.startswith("https://127.0.0.1:")
            answers: list[Any] = client.batch([READ, READ], repeatable=True)
        assert [answer["id"] for answer in answers] == [101, 101]

    def test_a_self_hosted_portal_whose_authority_is_unknown_gets_nothing(self, secure: ClockedSandbox) -> None:
        assert "certificate" in problem(secure.webhook(), UnreachableError)
        assert secure.server.sandbox.state()["requests"]["bitrix24"] == 0


def _trusting(certificate: Path) -> Transport:
    return Transport(pace=open_pace(), read_timeout=5.0, ca_bundle=str(certificate))


class TestAConnectionCheck:
    @WAYS
    def test_a_connection_check_says_who_we_are_and_what_we_can_in_one_request(
        self, stage: ClockedSandbox, sign_in: SignIn
    ) -> None:
        client = sign_in(stage)
        found = Bitrix24Platform(client).check_connection()
        assert str(found) == (
            f"Signed in to {stage.server.address} as user 1 by {client.auth.who}. "
            "It can transfer, accept, wait and list. Its clock and ours are even."
        )
        assert found.is_good
        assert [call for call in stage.asked() if call] == ["batch"]
        assert refreshes(stage) <= 1
        assert stage.ledger("bitrix24") == []

    @pytest.mark.parametrize(
        ("scopes", "words", "good"),
        [
            (["imopenlines", "imbot", "im"], "can transfer, accept, wait and list", True),
            (["imopenlines", "im"], "cannot tell whether its bot is registered, without which no transfer succeeds: "
             "the webhook lacks the scope imbot (give it under Developer resources", True),
            (["imopenlines", "imbot"], "cannot tell people from bots, and check receivers before it transfers: the "
             "webhook lacks the scope im (", True),
            (["imbot", "im"], "cannot transfer: the webhook lacks the scope imopenlines (", False),
            (["imbot", "im"], "cannot wait: the webhook lacks the scope imopenlines (", False),
            (["imbot", "im"], "cannot list: the webhook lacks the scope imopenlines (", False),
            (["imbot", "im"], "cannot accept: the webhook lacks the scope imopenlines (", False),
        ],
    )  # fmt: skip
    def test_a_connection_check_says_which_scope_is_missing_for_what(
        self, stage: ClockedSandbox, scopes: list[str], words: str, good: bool
    ) -> None:
        stage.reset(bitrix24={"webhooks": [{"user": 1, "code": "narrow", "scopes": scopes}]})
        found = check_connection(stage.webhook(code="narrow"))
        assert words in str(found)
        assert found.is_good is good
        assert no_secret_in(str(found))

    @pytest.mark.parametrize(
        ("scopes", "words"),
        [
            (["imopenlines", "imbot", "im"], "lacks the scope crm (give it under Developer resources of the portal, "
             "the inbound webhook); only chats of its own user can be found"),
            (["imopenlines", "imbot"], "reports of Open Channels [TARIFF_RESTRICTION]"),
            (["imopenlines", "imbot", "im", "crm"], "can transfer, accept, wait and list"),
        ],
    )  # fmt: skip
    def test_a_connection_check_says_by_which_way_chats_can_be_found(
        self, stage: ClockedSandbox, scopes: list[str], words: str
    ) -> None:
        webhook = {"user": 1, "code": "narrow", "scopes": scopes}
        stage.reset(bitrix24={"webhooks": [webhook], "switches": {"plan_has_reports": False}})
        found = check_connection(stage.webhook(code="narrow"))
        assert words in str(found)
        assert found.is_good

    @WAYS
    def test_misses_the_bot(self, stage: ClockedSandbox, sign_in: SignIn) -> None:
        stage.reset(bitrix24={"bots": []})
        found = check_connection(sign_in(stage))
        assert "It cannot transfer: no bot is registered" in str(found)
        assert not found.is_good

    @pytest.mark.parametrize(("seconds", "words"), [(-600, " s behind ours"), (900, " s ahead of ours")])
    def test_compares_the_clocks(
        self, stage: ClockedSandbox, monkeypatch: pytest.MonkeyPatch, seconds: int, words: str
    ) -> None:
        real = time.time
        if seconds > 0:
            stage.server.sandbox.clock.skip(seconds)
        else:
            monkeypatch.setattr("airflow_provider_chattransfer.platforms.transport.time.time", lambda: real() - seconds)
        found = check_connection(stage.webhook())
        assert found.clock_ahead == pytest.approx(seconds, abs=3)
        assert words in str(found)

    def test_a_connection_check_names_the_new_host_of_a_portal_that_was_renamed(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"switches": {"moved_to": "localhost"}})
        port = stage.url.rpartition(":")[2]
        told = f"to localhost:{port} (host of the connection still says 127.0.0.1:{port}: change it) as user 1"
        assert told in str(check_connection(stage.webhook()))

    def test_a_connection_check_of_a_host_that_does_not_exist_names_the_field(self, stage: ClockedSandbox) -> None:
        auth = Webhook(portal=_nobody(), user_id="1", code="secretcode", bot_client_id="chattransfer")
        client = Bitrix24Client(auth=auth, transport=stage.transport())
        with pytest.raises(UnreachableError, match="nobody listens there; check host of the connection"):
            check_connection(client)

    def test_a_connection_check_of_a_portal_that_does_not_let_us_in_is_its_refusal(self, stage: ClockedSandbox) -> None:
        with pytest.raises(CredentialsError, match="does not know the webhook"):
            check_connection(stage.webhook(code="guess"))

    def test_a_connection_check_of_a_portal_that_does_not_tell_who_we_are_is_an_error(
        self, portal: Bitrix24Client, script: Script
    ) -> None:
        script.play(_batch({"c0": [], "c1": []}, {}))
        with pytest.raises(UnexpectedResponseError, match="profile: the answer is not as documented"):
            check_connection(portal)


class TestTheBot:
    @WAYS
    def test_the_bot_is_registered_once_and_then_lets_chats_be_transferred(
        self, stage: ClockedSandbox, sign_in: SignIn
    ) -> None:
        stage.reset(bitrix24={"bots": []})
        client = sign_in(stage)
        bot = register_bot(client, code="handover", name="Hand-over")
        again = register_bot(client, code="handover", name="Another name")
        assert (bot.is_new, again.is_new) == (True, False)
        assert (bot.id, bot.code) == (again.id, "handover")
        assert str(bot) == f"The bot handover is registered now; it is user {bot.id}."
        assert str(again) == f"The bot handover was there already, and is as it was; it is user {bot.id}."
        assert check_connection(client).is_good
        assert outcomes_of(stage.run_to_end(Bitrix24Platform(client), to("agent:12", "101"))) == ["accepted"]

    def test_the_bot_of_somebody_else_keeps_its_code(self, stage: ClockedSandbox) -> None:
        register_bot(stage.webhook(), code="handover", name="Hand-over")
        with pytest.raises(RequestRefusedError, match=r"choose another code \[BOT_CODE_ALREADY_TAKEN\]"):
            register_bot(an_app(stage), code="handover", name="Hand-over")

    def test_the_bot_needs_the_scope_imbot(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"webhooks": [{"user": 1, "code": "narrow", "scopes": ["imopenlines"]}]})
        with pytest.raises(CredentialsError, match="the webhook lacks the scope imbot"):
            register_bot(stage.webhook(code="narrow"), code="handover", name="Hand-over")

    def test_the_bot_may_be_one_too_many(self, stage: ClockedSandbox) -> None:
        bots = [{"client_id": "chattransfer", "id": 1000 + number} for number in range(100)]
        stage.reset(bitrix24={"bots": bots})
        with pytest.raises(RequestRefusedError, match=r"unregister one \[BOT_LIMIT_EXCEEDED\]"):
            register_bot(stage.webhook(), code="handover", name="Hand-over")

    @pytest.mark.parametrize(
        ("code", "name", "bot", "field"),
        [("", "x", "x", "code"), ("x", " ", "x", "name"), ("x", "x", "x" * 41, "bot_client_id")],
    )
    def test_the_bot_that_the_portal_would_not_take_is_not_sent(
        self, stage: ClockedSandbox, code: str, name: str, bot: str, field: str
    ) -> None:
        with pytest.raises(ValueError, match=f"^{field}: "):
            register_bot(stage.webhook(bot=bot), code=code, name=name)
        assert stage.calls == []
