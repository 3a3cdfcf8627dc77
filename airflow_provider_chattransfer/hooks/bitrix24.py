# SPDX-License-Identifier: Apache-2.0
"""Turn a ``bitrix24`` connection into a platform."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from ..platforms.bitrix24.form import FORM
from ..platforms.bitrix24.webhook_address import webhook_in
from .base import ChatPlatformHook
from .fields import Fields
from .settings import build_token_manager, build_transport, store_of

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from ..platforms.bitrix24.auth import Bitrix24Auth, OAuthApp, Webhook
    from ..platforms.bitrix24.bots import Bot
    from ..platforms.bitrix24.platform import Bitrix24Platform

OAUTH_HOST = "oauth.bitrix.info"
"""The host that issues tokens, but for the portals of some countries (``oauth.bitrix24.tech``)."""

WEBHOOK_FIELDS = ("login", "password", "bot_client_id")
"""The fields that a webhook needs."""

PASTED_FIELDS = ("host", "login", "password")
"""The fields into which a webhook's whole address may have been pasted."""

APP_FIELDS = ("oauth_client_id", "oauth_client_secret", "oauth_refresh_token")
"""The fields that an OAuth application needs."""


class Bitrix24Hook(ChatPlatformHook):
    """A Bitrix24 portal, signed in to by an incoming webhook or by an OAuth application.

    Host: the portal. A webhook: login, its user id; password, its code, or its whole address in one of the three;
    extra, ``bot_client_id``. An application, all
    in extra: ``oauth_client_id``, ``oauth_client_secret``, ``oauth_refresh_token``, and optionally ``oauth_host``,
    ``token_store``, ``token_store_at``. Both optionally: ``requests_per_second``, ``burst``, ``timeout`` (seconds),
    ``max_answer_megabytes``, ``ca_bundle``, ``coordination``. Fields of the one and of the other together are a
    ``ValueError``.
    """

    form = FORM
    conn_type = FORM.connection_type
    hook_name = FORM.name
    default_conn_name = "bitrix24_default"

    def transfer(
        self,
        *,
        chat_id: int | str,
        user_id: int | str | None = None,
        queue_id: int | str | None = None,
        transfer_id: int | str | None = None,
        leave: bool = False,
    ) -> dict[str, Any]:
        """Move one chat from a task of one's own, by the names of ``imopenlines.bot.session.transfer``.

        ``transfer_id`` is a user's id or ``queue<id of a line>``; exactly one of the three must be given. ``leave``:
        the bot leaves at once. The chat is read before and after, as the operators do; returns its entry of a
        report. Raises ``ValueError`` for bad input.
        """
        from ..chats.inputs import as_id
        from ..chats.model import Transfer
        from ..chats.run import run_transfers
        from ..platforms.base import SendOptions
        from ..platforms.bitrix24.platform import BOT_LEAVES, destination
        from ..platforms.runner import run_to_end

        target = destination(user_id=user_id, queue_id=queue_id, transfer_id=transfer_id)
        transfer = Transfer(chat_id=as_id(chat_id, of="CHAT_ID"), target=target)
        options = SendOptions(frozenset({BOT_LEAVES} if leave else ()))
        with self.get_conn() as platform:
            (result,) = run_to_end(run_transfers([transfer], chunk=1), platform, options=options).results
        return result.to_json()

    def register_bot(self, *, code: str = "chattransfer", name: str = "Chat transfer") -> Bot:
        """Register the bot without which Bitrix24 transfers no chat.

        Where one of this ``code`` is there, nothing changes. ``name`` is what operators see.
        The text of what is returned is a sentence for an administrator. Raises ``ValueError`` for a wrong connection or
        what the portal would not take, and a ``PlatformError``.
        """
        from ..platforms.bitrix24.bots import register_bot

        with cast("Bitrix24Platform", self.get_conn()) as platform:
            return register_bot(platform.client, code=code, name=name)

    @classmethod
    def fields(cls, connection: Connection, extra: Mapping[str, Any]) -> Fields:
        """Read the connection's fields; a webhook's whole address, in whichever it was pasted, is taken apart."""
        return _taken_apart(super().fields(connection, extra))

    @classmethod
    def platform(cls, connection: Connection, extra: Mapping[str, Any], *, fail_fast: bool = False) -> Bitrix24Platform:
        """Build the portal's platform; see ``ChatPlatformHook.platform``."""
        from ..platforms.bitrix24.client import Bitrix24Client
        from ..platforms.bitrix24.platform import RATE_LIMIT, READ_TIMEOUT_SECONDS, Bitrix24Platform

        fields = cls.fields(connection, extra)
        portal = _portal(fields)
        transport = build_transport(
            portal, fields.extra, limit=RATE_LIMIT, timeout=READ_TIMEOUT_SECONDS, fail_fast=fail_fast
        )
        auth: Bitrix24Auth
        auth = _app(portal, fields, fail_fast=fail_fast) if _is_by_app(fields) else _webhook(portal, fields)
        return Bitrix24Platform(Bitrix24Client(auth=auth, transport=transport, store=store_of(fields.extra)))


def _taken_apart(fields: Fields) -> Fields:
    """Put what a webhook's whole address says into the fields where it belongs.

    Raises ``ValueError`` where two fields say different things; it shows nothing of either.
    """
    found = [name for name in PASTED_FIELDS if webhook_in(fields.text(name))]
    if not found:
        return fields
    whole: dict[str, str] = {}
    for name in (*found, *PASTED_FIELDS):
        for part, value in _said_by(fields, name).items():
            if whole.setdefault(part, value) != value:
                raise ValueError(f"{name}: contradicts the webhook's whole address in {found[0]}; empty one of them")
    doubts = fields.doubts
    if in_clear := [name for name in found if name != "password"]:
        doubts += (
            f"{' and '.join(in_clear)}: holds a webhook's whole address, whose secret Airflow keeps in clear there; "
            "leave the portal in host, and put the number into login and the code into password",
        )
    return replace(
        fields,
        host=whole["host"],
        port=None,
        schema="",
        login=whole["login"],
        password=whole["password"],
        doubts=doubts,
    )


def _said_by(fields: Fields, name: str) -> dict[str, str]:
    """Return what one field says of host, login and password, each in its one spelling."""
    from ..platforms.address import base_url

    text = fields.text(name)
    webhook = webhook_in(text)
    said = {name: text} if webhook is None else webhook.parts()
    spell: dict[str, Callable[[str], str]] = {
        "host": lambda host: base_url(host, port=fields.port, schema=fields.schema),
        "login": lambda number: number.lstrip("0"),
    }
    return {part: spell.get(part, str)(value) for part, value in said.items() if value}


def _is_by_app(fields: Fields) -> bool:
    """Tell by the fields that are filled in whether an application signs in, and not a webhook.

    Raises ``ValueError`` when there are fields of both, or of neither.
    """
    webhook, app = ([name for name in names if fields.text(name)] for names in (WEBHOOK_FIELDS, APP_FIELDS))
    if webhook and app:
        raise ValueError(
            f"{webhook[0]} and {app[0]}: the one is of a webhook, the other of an OAuth application; leave the fields "
            "of one of them empty"
        )
    if not webhook and not app:
        raise ValueError(
            f"{' and '.join(WEBHOOK_FIELDS)}: missing; or, for an OAuth application, the three fields under OAuth"
        )
    return bool(app)


def _webhook(portal: str, fields: Fields) -> Webhook:
    from ..platforms.bitrix24.auth import Webhook

    return Webhook(
        portal=portal,
        user_id=fields.login.lstrip("0"),
        code=fields.password,
        bot_client_id=fields.text("bot_client_id"),
    )


def _app(portal: str, fields: Fields, *, fail_fast: bool) -> OAuthApp:
    """Build the sign-in of an application.

    The name under which its tokens are kept does not hold the portal's: they outlast a rename, after which the host is
    changed.
    """
    from ..platforms.bitrix24.auth import OAuthApp
    from ..platforms.bitrix24.oauth import READ_TIMEOUT_SECONDS, AuthorizationServer
    from ..platforms.bitrix24.platform import RATE_LIMIT

    client_id, client_secret, refresh_token = (_needed(fields, name) for name in APP_FIELDS)
    host = _authorization_host(fields)
    server = AuthorizationServer(
        host=host,
        client_id=client_id,
        client_secret=client_secret,
        refresh_token=refresh_token,
        transport=build_transport(
            host, fields.extra, limit=RATE_LIMIT, timeout=READ_TIMEOUT_SECONDS, fail_fast=fail_fast
        ),
    )
    token_manager = build_token_manager(
        fields.extra, account=f"bitrix24 {client_id}", seed=refresh_token, fetch_token=server.fetch_token, rotates=True
    )
    return OAuthApp(portal=portal, client_id=client_id, token_manager=token_manager)


def _portal(fields: Fields) -> str:
    from ..platforms.address import base_url

    portal = base_url(fields.host, port=fields.port, schema=fields.schema)
    if _has_path(portal):
        raise ValueError(
            "host: must be the portal's address alone, or a webhook's whole address, "
            "https://example.bitrix24.com/rest/<number>/<code>/"
        )
    return portal


def _authorization_host(fields: Fields) -> str:
    from ..platforms.address import base_url

    host = base_url(fields.text("oauth_host") or OAUTH_HOST, of="oauth_host")
    if _has_path(host):
        raise ValueError(f"oauth_host: must be a host alone, without a path, such as {OAUTH_HOST}")
    return host


def _has_path(address: str) -> bool:
    return "/" in address.partition("://")[2]


def _needed(fields: Fields, name: str) -> str:
    value = fields.text(name)
    if not value:
        raise ValueError(
            f"{name}: missing; an OAuth application needs all three fields; the portal shows them under Developer "
            "resources, the local application, and gives the token out when it is authorised"
        )
    return value
