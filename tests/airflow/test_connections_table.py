# SPDX-License-Identifier: Apache-2.0
"""What a connection's fields come to, opened without a task and without a request: a table for each kind of field."""

from __future__ import annotations

import json
import re
import traceback
from typing import Any
from unittest.mock import patch

import pytest

from airflow_provider_chattransfer.connection_forms import ConnectionForm
from airflow_provider_chattransfer.hooks.dispatch import hook_for
from airflow_provider_chattransfer.hooks.masking import hide_secrets_of
from airflow_provider_chattransfer.platforms.base import ChatPlatform
from airflow_provider_chattransfer.platforms.bitrix24.form import FORM as BITRIX24
from airflow_provider_chattransfer.services import forms
from tests.support.ways_of_signing_in import WAYS

ALL = {way.name: way for way in WAYS}
URL = "https://127.0.0.1:8443"


SECRET = "hush4hush"
"""Stands for a secret in a field; it must be seen nowhere."""


def connection(way: str, **fields: Any) -> Any:
    """Return a connection that signs in by ``way``, some of its fields replaced; ``None`` takes one away."""
    from airflow.sdk import Connection

    known = ALL[way].connection(URL)
    own = {key: value for key, value in fields.items() if key in ("host", "port", "login", "password", "schema")}
    extra = {**known["extra"], **{key: value for key, value in fields.items() if key not in own}}
    given = {**known, **own, "extra": json.dumps({key: value for key, value in extra.items() if value is not None})}
    return Connection(conn_id="shown", **given)


def opened(way: str, **fields: Any) -> ChatPlatform:
    """Return the platform that it becomes."""
    shown = connection(way, **fields)
    return hook_for(shown).open(shown)


def problem(way: str, **fields: Any) -> str:
    """Return what is wrong with it, in a sentence that shows no secret."""
    with pytest.raises(ValueError, match=r"^connection 'shown': ") as caught:
        opened(way, **fields)
    return said(caught.value)


def said(error: BaseException) -> str:
    """Return the text of an error; neither it nor what it was raised from shows a secret, and it is short."""
    assert SECRET not in "".join(traceback.format_exception(error))
    assert len(str(error)) < 300
    return str(error)


SECRETS = [
    ("bitrix24-webhook", "login"),
    ("bitrix24-webhook", "password"),
    ("bitrix24-webhook", "bot_client_id"),
    ("bitrix24-oauth", "oauth_client_id"),
    ("bitrix24-oauth", "oauth_client_secret"),
    ("bitrix24-oauth", "oauth_refresh_token"),
    ("superoffice-basic", "login"),
    ("superoffice-basic", "password"),
    ("superoffice-ticket", "ticket"),
    ("superoffice-online-ticket", "client_secret"),
    ("superoffice-refresh-token", "client_id"),
    ("superoffice-refresh-token", "client_secret"),
    ("superoffice-refresh-token", "refresh_token"),
    ("superoffice-access-token", "access_token"),
    ("superoffice-system-user", "system_user_token"),
    ("superoffice-refresh-token", "token_store_at"),
    ("superoffice-basic", "agent_conn_id"),
    ("superoffice-basic", "coordination"),
    ("bitrix24-webhook", "coordination"),
]
MAY_HOLD_A_SPACE = {"password", "login", "system_user_token", "token_store_at"}


class TestASecretThatWasCopiedBadly:
    """A line break, a tab or a space is refused by the field's name, in any field, and never sent or shown."""

    @pytest.mark.parametrize("copied", [f"{SECRET}\n", f"\t{SECRET}", f"{SECRET} ", f" {SECRET}", f"{SECRET}\u00a0"])
    @pytest.mark.parametrize(("way", "field"), SECRETS)
    def test_a_secret_that_was_copied_badly_has_nothing_around_it(self, way: str, field: str, copied: str) -> None:
        assert f"({field}): begins or ends with a space, a tab or a line break" in problem(way, **{field: copied})

    @pytest.mark.parametrize("letter", ["\n", "\t", "\r\n", "\0", "\u200b", "\ufeff", "\u00a0", "\x7f"])
    @pytest.mark.parametrize(("way", "field"), SECRETS)
    def test_a_secret_that_was_copied_badly_has_no_letter_in_it_that_cannot_be_seen(
        self, way: str, field: str, letter: str
    ) -> None:
        assert f"({field}): holds a line break, a tab or" in problem(way, **{field: f"{SECRET}{letter}{SECRET}"})

    @pytest.mark.parametrize(("way", "field"), [each for each in SECRETS if each[1] not in MAY_HOLD_A_SPACE])
    def test_a_secret_that_was_copied_badly_has_no_space_in_it(self, way: str, field: str) -> None:
        assert f"({field}): holds a space" in problem(way, **{field: f"{SECRET} {SECRET}"})

    @pytest.mark.parametrize(
        ("way", "fields"),
        [
            ("superoffice-basic", {"password": "correct horse", "login": "Tje Zero"}),
            ("superoffice-basic", {"password": "pässwörd"}),
            ("superoffice-system-user", {"system_user_token": "My App-8k8Q7DmBgo"}),
        ],
    )
    def test_a_secret_that_was_copied_badly_holds_what_services_allow(self, way: str, fields: dict[str, str]) -> None:
        assert opened(way, **fields).name == "superoffice"

    def test_a_secret_that_was_copied_badly_of_redis_has_no_space(self) -> None:
        store = {"token_store": "redis", "token_store_at": f"redis://:{SECRET} x@host:6379/0"}
        assert "(token_store_at): " in problem("superoffice-refresh-token", **store)

    def test_a_secret_that_was_copied_badly_of_a_login_has_no_colon(self) -> None:
        assert "On-site: user (login): holds a colon" in problem("superoffice-basic", login="a:b")


class TestAValueOfAnotherKind:
    @pytest.mark.parametrize("value", [["x"], {"a": 1}, True, False, 1.5, [], {}, 10**400], ids=repr)
    @pytest.mark.parametrize(
        ("way", "field"),
        [
            ("bitrix24-webhook", "host"),
            ("bitrix24-webhook", "login"),
            ("bitrix24-webhook", "password"),
            ("bitrix24-webhook", "bot_client_id"),
            ("bitrix24-oauth", "oauth_host"),
            ("superoffice-refresh-token", "tenant"),
            ("superoffice-refresh-token", "token_store"),
            ("superoffice-refresh-token", "ca_bundle"),
            ("superoffice-system-user", "private_key"),
            ("superoffice-basic", "agent_conn_id"),
            ("bitrix24-webhook", "coordination"),
        ],
    )
    def test_a_value_of_another_kind_is_refused_by_the_name_of_its_field(
        self, way: str, field: str, value: Any
    ) -> None:
        told = problem(way, **{field: value})
        assert re.search(rf"\({field}\): (must be text, not a value of type \w+|is a number of too many digits)", told)

    def test_a_value_of_another_kind_is_read_where_it_is_a_whole_number(self) -> None:
        assert opened("bitrix24-webhook", login=1, password=123456, bot_client_id=77).actor == "user 1 by webhook"

    @pytest.mark.parametrize(
        "extra", ["[]", "[1]", '"text"', "5", "true", "{", "no json", f"{{'x': '{SECRET}'}}", "[" * 100_000, "NaN"]
    )
    @pytest.mark.parametrize("way", ["bitrix24-webhook", "superoffice-basic"])
    def test_a_value_of_another_kind_in_place_of_the_object_extra_is_refused(
        self, way: str, extra: str, caplog: Any
    ) -> None:
        shown = connection(way)
        shown.extra = extra
        hide_secrets_of(shown)
        with pytest.raises(ValueError, match=r"^connection 'shown': extra: .* must be an object") as caught:
            hook_for(shown).open(shown)
        said(caught.value)
        assert SECRET not in caplog.text

    @pytest.mark.parametrize("extra", [None, "", "{}", "null"])
    def test_a_value_of_another_kind_is_not_an_extra_that_is_empty(self, extra: str | None) -> None:
        shown = connection("superoffice-basic")
        shown.extra = extra
        assert hook_for(shown).open(shown).actor == "login tje0"


class TestAKeyThatIsNoField:
    @pytest.mark.parametrize(
        ("way", "key", "advice"),
        [
            ("bitrix24-webhook", "bot_clientid", "did you mean bot_client_id?"),
            ("bitrix24-webhook", "BOT-CLIENT-ID", "did you mean bot_client_id?"),
            ("bitrix24-webhook", "extra__bitrix24__timeout", "did you mean timeout?"),
            ("superoffice-basic", "request_per_second", "did you mean requests_per_second?"),
            ("superoffice-basic", "agents_conn_id", "did you mean agent_conn_id?"),
            ("superoffice-basic", "Password", "password is a field beside extra"),
            ("superoffice-basic", "zzz", "no connection of type superoffice has it"),
            ("superoffice-basic", "oauth_client_id", "did you mean client_id?"),
        ],
    )
    def test_a_key_that_is_no_field_is_warned_of_once_with_the_one_that_it_is_like(
        self, way: str, key: str, advice: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        opened(way, **{key: SECRET})
        told = [record.getMessage() for record in caplog.records]
        assert told == [f"connection 'shown': extra: {key!r} is not read; {advice}"]

    @pytest.mark.parametrize(
        ("key", "secret"), [("bot_clientid", True), ("Password", True), ("clientsecret", True), ("time_out", False)]
    )
    def test_a_key_that_is_no_field_has_its_value_masked_where_it_is_like_a_secrets(
        self, key: str, secret: bool
    ) -> None:
        masked: list[str] = []
        with patch("airflow_provider_chattransfer.hooks.masking._mask", masked.append):
            hide_secrets_of(connection("bitrix24-webhook", **{key: SECRET}))
        assert (SECRET in masked) is secret

    def test_a_key_that_is_no_field_is_shown_in_its_first_letters_only(self, caplog: pytest.LogCaptureFixture) -> None:
        opened("superoffice-basic", **{"x" * 100_000: SECRET})
        assert len(caplog.records[0].getMessage()) < 400

    @pytest.mark.parametrize("way", ALL)
    def test_a_key_that_is_no_field_is_none_of_the_forms_own(self, way: str, caplog: pytest.LogCaptureFixture) -> None:
        opened(way)
        assert caplog.records == []


PASTED = "https://example.bitrix24.com/rest/1/hush4hush/"


class TestAWebhooksWholeAddress:
    @pytest.mark.parametrize(
        "fields",
        [
            {"host": PASTED},
            {"host": PASTED.removesuffix("/")},
            {"host": PASTED.removeprefix("https://")},
            {"host": f" {PASTED}\n"},
            {"host": f"{PASTED}profile.json"},
            {"host": f"{PASTED}crm.contact.get?ID=1"},
            {"host": "https://Example.Bitrix24.com.:443/rest/01/hush4hush/"},
            {"host": "https://example.bitrix24.com/rest/api/1/hush4hush/"},
            {"host": "example.bitrix24.com%2Frest%2F1%2Fhush4hush%2F"},
            {"login": PASTED},
            {"password": PASTED},
            {"host": "example.bitrix24.com", "password": PASTED},
            {"host": PASTED, "login": "1", "password": SECRET},
            {"host": PASTED, "login": PASTED, "password": PASTED},
        ],
        ids=str,
    )
    def test_a_webhooks_whole_address_is_taken_apart(
        self, fields: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        masked: list[str] = []
        shown = connection(
            "bitrix24-webhook", **{"host": None, "port": None, "login": None, "password": None, **fields}
        )
        with patch("airflow_provider_chattransfer.hooks.masking._mask", masked.append):
            hide_secrets_of(shown)
        platform = hook_for(shown).open(shown)
        assert (platform.account, platform.actor) == ("https://example.bitrix24.com", "user 1 by webhook")
        assert platform.client.auth.code == SECRET  # type: ignore[attr-defined]
        assert SECRET in masked
        assert SECRET not in caplog.text + repr(platform.client.auth)  # type: ignore[attr-defined]
        in_clear = {"host", "login"} & {name for name, value in fields.items() if "rest" in value}
        assert ("Airflow keeps in clear there" in caplog.text) == bool(in_clear)
        assert len(caplog.records) == bool(in_clear)

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"host": PASTED, "login": "2"}, "login"),
            ({"host": PASTED, "password": "another"}, "password"),
            ({"host": "other.bitrix24.com", "password": PASTED}, "host"),
            ({"host": PASTED, "password": PASTED.replace("hush4hush", "hush4hushes")}, "password"),
        ],
    )
    def test_a_webhooks_whole_address_that_contradicts_another_field_is_refused_without_its_code(
        self, fields: dict[str, str], field: str
    ) -> None:
        told = problem("bitrix24-webhook", **{"port": None, "login": None, "password": None, **fields})
        assert f"({field}): contradicts the webhook's whole address in " in told

    @pytest.mark.parametrize("tail", ["rest", "rest/1", "rest/x/hush4hush", "crm/hush4hush", "rest/1/hush4hush@"])
    def test_a_webhooks_whole_address_that_is_none_is_not_shown(self, tail: str) -> None:
        problem("bitrix24-webhook", host=f"https://example.bitrix24.com/{tail}", port=None)

    def test_a_webhooks_whole_address_of_an_application_as_well_is_of_both_ways(self) -> None:
        told = problem("bitrix24-oauth", host=PASTED, port=None)
        assert "Webhook: user id (login) and OAuth: application ID (oauth_client_id): the one is of a webhook" in told


class TestAHostOfSuperOffice:
    @pytest.mark.parametrize("path", ["", "/", "/api", "/api/", "/api/v1", "/api/v1/", "/API/V1/", "/Api/v2"])
    def test_a_host_of_super_office_may_end_in_the_path_of_the_web_api(self, path: str) -> None:
        assert opened("superoffice-basic", host=f"crm.example.com/So{path}", port=None).account == (
            "https://crm.example.com/So"
        )
        assert opened("superoffice-refresh-token", host=f"online.superoffice.com{path}", port=None).account == (
            "https://online.superoffice.com/Cust12345"
        )

    def test_a_host_of_super_office_names_one_tenant_in_any_letters(self) -> None:
        for name in ("Cust12345", "cust12345", "CUST12345/api/v1"):
            one = opened("superoffice-access-token", host=f"online2.superoffice.com/{name}", port=None, tenant=None)
            assert one.account == "https://online2.superoffice.com/Cust12345"


class TestAnError:
    """Says what the form calls a field, and its key."""

    @pytest.mark.parametrize(
        ("way", "fields", "words"),
        [
            ("bitrix24-webhook", {"password": None}, "Webhook: code (password): the webhook's code is missing"),
            ("bitrix24-webhook", {"host": "x y"}, "Portal (host): 'https://x y' is not the address of a service"),
            (
                "bitrix24-webhook",
                {"bot_client_id": None},
                "Webhook: client id of the bot (bot_client_id): missing; make one up, at most 40 letters and digits "
                "that nobody can guess, and save it here; then register the bot: "
                "python -m airflow_provider_chattransfer register-bot",
            ),
            (
                "superoffice-refresh-token",
                {"client_id": None, "client_secret": None},
                "Online: client id (client_id) and Online: client secret (client_secret): missing",
            ),
            ("superoffice-basic", {"port": 70_000}, "Port (port): 70000 is not between 1 and 65535"),
            ("superoffice-basic", {"timeout": "soon"}, "Timeout (timeout): 'soon' is not a number"),
        ],
    )
    def test_an_error_names_the_label_that_the_form_shows(self, way: str, fields: dict[str, Any], words: str) -> None:
        assert words in problem(way, **fields)

    @pytest.mark.parametrize("form", forms().values(), ids=lambda form: form.name)
    def test_an_error_has_the_label_of_every_field(self, form: ConnectionForm) -> None:
        for key, label in form.labels().items():
            assert form.labelled(f"{key}: missing") == f"{label} ({key}): missing"

    def test_an_error_that_is_of_no_field_stays_as_it_is(self) -> None:
        assert BITRIX24.labelled("no host: bad login") == "no host: bad login"
        assert BITRIX24.explained("the portal is away") == "the portal is away"

    def test_an_error_at_the_form_explains_the_keys_in_it(self) -> None:
        told = BITRIX24.explained("check login and password, or bot_client_id, and 'oauth_host'")
        assert told == (
            "check login and password, or bot_client_id, and 'oauth_host'. In the form, login is Webhook: user id, "
            "password is Webhook: code, bot_client_id is Webhook: client id of the bot."
        )


class TestWhoActs:
    """``ChatPlatform.actor``: another user is another actor, a renewed secret is not."""

    @pytest.mark.parametrize(
        ("way", "actor", "renewed"),
        [
            ("bitrix24-webhook", "user 1 by webhook", {"password": "newcode", "bot_client_id": "another"}),
            ("bitrix24-oauth", "application local.chattransfer", {"oauth_refresh_token": "new", "oauth_host": None}),
            ("superoffice-basic", "login tje0", {"password": "new"}),
            ("superoffice-ticket", "ticket", {"ticket": "7T:new"}),
            ("superoffice-refresh-token", "client sandbox", {"refresh_token": "new", "client_secret": "new"}),
            ("superoffice-access-token", "access token", {"access_token": "8A:new"}),
            ("superoffice-online-ticket", "ticket", {"ticket": "7T:new"}),
            ("superoffice-system-user", "system user", {"system_user_token": "new"}),
        ],
    )
    def test_who_acts_is_told_by_the_fields_that_do_not_change_with_a_secret(
        self, way: str, actor: str, renewed: dict[str, Any]
    ) -> None:
        assert opened(way).actor == opened(way, **renewed).actor == actor

    def test_who_acts_is_the_same_with_the_agents_connections(self) -> None:
        assert opened("superoffice-system-user", agent_conn_id="agent_{agent}").actor == "system user"

    @pytest.mark.parametrize(
        ("way", "other"),
        [
            ("bitrix24-webhook", {"login": "2"}),
            ("bitrix24-oauth", {"oauth_client_id": "local.another"}),
            ("superoffice-basic", {"login": "agent7"}),
            ("superoffice-refresh-token", {"client_id": "another"}),
        ],
    )
    def test_who_acts_is_another_for_another_user(self, way: str, other: dict[str, Any]) -> None:
        assert opened(way).actor != opened(way, **other).actor
