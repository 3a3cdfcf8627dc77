# SPDX-License-Identifier: Apache-2.0
"""A ``bitrix24`` connection becomes a platform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..connection_forms import BITRIX24
from .base import ChatPlatformHook, credential_keeper, transport_to

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from ..platforms.bitrix24.auth import OAuthApp, SignIn, Webhook
    from ..platforms.bitrix24.platform import Bitrix24Platform

OAUTH_HOST = "oauth.bitrix.info"
"""Where tokens are given out, but for the portals of some countries (``oauth.bitrix24.tech``)."""

OF_A_WEBHOOK = ("login", "password", "bot_client_id")
OF_AN_APP = ("oauth_client_id", "oauth_client_secret", "oauth_refresh_token")


class Bitrix24Hook(ChatPlatformHook):
    """A Bitrix24 portal, signed in to by an incoming webhook or by an OAuth application.

    Host: the portal. A webhook: login, its user id; password, its code; extra, ``bot_client_id``. An application, all
    in extra: ``oauth_client_id``, ``oauth_client_secret``, ``oauth_refresh_token``, and optionally ``oauth_host``,
    ``token_store``, ``token_store_at``. Both optionally: ``requests_per_second``, ``burst``, ``timeout`` (seconds),
    ``ca_bundle``. Fields of the one and of the other together are a ``ValueError``.
    """

    conn_type = "bitrix24"
    default_conn_name = "bitrix24_default"
    hook_name = "Bitrix24"

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
        from ..chats.run import hand_over
        from ..platforms.base import SendOptions
        from ..platforms.bitrix24.platform import destination
        from ..platforms.driving import carry_out

        target = destination(user_id=user_id, queue_id=queue_id, transfer_id=transfer_id)
        transfer = Transfer(chat_id=as_id(chat_id, of="CHAT_ID"), target=target)
        with self.get_conn() as platform:
            (result,) = carry_out(hand_over([transfer], chunk=1), platform, options=SendOptions(bot_leaves=leave))
        return result.to_json()

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The form's own fields, for Airflow 3.1, which looks for this in the class itself and not in its bases."""
        return BITRIX24.form_widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """What Airflow's own fields are called in that form, for Airflow 3.1."""
        return BITRIX24.form_behaviour()

    @classmethod
    def platform(cls, connection: Connection, extra: Mapping[str, Any], *, patient: bool = True) -> Bitrix24Platform:
        from ..platforms.bitrix24.client import Bitrix24Client
        from ..platforms.bitrix24.platform import RATE_LIMIT, READ_TIMEOUT, Bitrix24Platform

        portal = _portal(connection)
        transport = transport_to(portal, extra, limit=RATE_LIMIT, timeout=READ_TIMEOUT, patient=patient)
        auth: SignIn
        if _is_by_app(connection, extra):
            auth = _app(portal, extra, patient=patient)
        else:
            auth = _webhook(portal, connection, extra)
        return Bitrix24Platform(Bitrix24Client(auth=auth, transport=transport))


def _is_by_app(connection: Connection, extra: Mapping[str, Any]) -> bool:
    """The way of signing in, by which fields are there; raises ``ValueError`` when they are of both, or of neither."""
    fields = {"login": connection.login, "password": connection.password, **extra}
    webhook, app = ([name for name in names if fields.get(name)] for names in (OF_A_WEBHOOK, OF_AN_APP))
    if webhook and app:
        raise ValueError(
            f"{' and '.join(webhook)}: of a webhook, and {' and '.join(app)} of an OAuth application; leave the fields "
            "of one of them empty"
        )
    if not webhook and not app:
        raise ValueError(
            f"{', '.join(OF_A_WEBHOOK)}, or {', '.join(OF_AN_APP)}: missing; fill in the ones for a webhook, or the "
            "others for an OAuth application"
        )
    return bool(app)


def _webhook(portal: str, connection: Connection, extra: Mapping[str, Any]) -> Webhook:
    from ..platforms.bitrix24.auth import Webhook

    return Webhook(
        portal=portal,
        user_id=connection.login or "",
        code=connection.password or "",
        bot_client_id=str(extra.get("bot_client_id") or ""),
    )


def _app(portal: str, extra: Mapping[str, Any], *, patient: bool) -> OAuthApp:
    """Its tokens are kept whatever the portal is called: they outlast a rename, after which the host is changed."""
    from ..platforms.bitrix24.auth import OAuthApp
    from ..platforms.bitrix24.authorization import READ_TIMEOUT, AuthorizationServer
    from ..platforms.bitrix24.platform import RATE_LIMIT

    client_id, client_secret, refresh_token = (_text(extra, name) for name in OF_AN_APP)
    host = _authorization_host(extra)
    server = AuthorizationServer(
        host=host,
        client_id=client_id,
        client_secret=client_secret,
        refresh_token=refresh_token,
        transport=transport_to(host, extra, limit=RATE_LIMIT, timeout=READ_TIMEOUT, patient=patient),
    )
    keeper = credential_keeper(
        extra, account=f"bitrix24 {client_id}", seed=refresh_token, obtain=server.obtain, single_use=True
    )
    return OAuthApp(portal=portal, client_id=client_id, keeper=keeper)


def _portal(connection: Connection) -> str:
    from ..platforms.address import base_url

    portal = base_url(connection.host, port=connection.port, schema=connection.schema)
    if _has_path(portal):
        raise ValueError(
            "host: must be the portal's address alone; in a webhook's address the number after /rest/ is the "
            "login, and what follows it the password"
        )
    return portal


def _authorization_host(extra: Mapping[str, Any]) -> str:
    from ..platforms.address import base_url

    host = base_url(str(extra.get("oauth_host") or OAUTH_HOST), of="oauth_host")
    if _has_path(host):
        raise ValueError(f"oauth_host: must be a host alone, without a path, such as {OAUTH_HOST}")
    return host


def _has_path(address: str) -> bool:
    return "/" in address.partition("://")[2]


def _text(extra: Mapping[str, Any], name: str) -> str:
    value = str(extra.get(name) or "")
    if not value:
        raise ValueError(
            f"{name}: missing; an OAuth application needs {', '.join(OF_AN_APP)}, which the portal shows under "
            "Developer resources, the local application, and gives out when it is authorised"
        )
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(f"{name}: holds a space or another character that none of these have; copy it once more")
    return value
