# SPDX-License-Identifier: Apache-2.0
"""Every way of signing in, as a connection to the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_chattransfer.connection_forms import Kind
from airflow_provider_chattransfer.sandbox.superoffice.keys import APPLICATION_KEY
from airflow_provider_chattransfer.sandbox.superoffice.settings import Application
from airflow_provider_chattransfer.services import forms

STANDARD = ("host", "port", "login", "password")
OWN_SECRETS = ("bot_client_id", "ticket", "coordination")
"""Secret fields that Airflow does not know as such by their names."""

Values = Mapping[str, str | int]


def without_labels(text: str) -> str:
    """Return a message with fields named by their keys alone, whatever the form calls them."""
    for form in forms().values():
        for key, label in form.labels().items():
            text = text.replace(f"{label} ({key})", key)
    return text


@dataclass(frozen=True, slots=True)
class Way:
    """A way of signing in.

    ``values`` are the fields that say how, of the user with a login; ``user`` is whom the task's connection signs in
    as. ``path`` follows the sandbox's address in ``host``. ``wrong`` is a secret that is not the right one, by its
    field. ``settings`` are what the sandbox must be for it.
    """

    name: str
    conn_type: str
    values: Callable[[str], Values]
    wrong: Values
    user: str = "tje0"
    path: str = ""
    moves: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def conn_id(self) -> str:
        """An id for the connection of a task."""
        return self.name.replace("-", "_")

    def fields(self, url: str, *, user: str | None = None) -> dict[str, str | int]:
        """Return the fields of a connection to the sandbox at ``url``."""
        parts = urlsplit(url)
        own = {key: str(value).format(url=url) for key, value in self.values(user or self.user).items()}
        return {"host": f"{parts.scheme}://{parts.hostname}{self.path}", "port": parts.port or 0, **own}

    def connection(self, url: str, *, user: str | None = None, **more: Any) -> dict[str, Any]:
        """Return the connection as Airflow's JSON, with ``more`` in its extra."""
        fields = self.fields(url, user=user)
        extra = {key: value for key, value in fields.items() if key not in STANDARD} | more
        return {"conn_type": self.conn_type, **{key: fields[key] for key in STANDARD if key in fields}, "extra": extra}

    def secret_fields(self) -> set[str]:
        """Return the keys of all fields of its type that hold a secret."""
        own = {each.key for _, each in forms()[self.conn_type].fields() if each.kind is Kind.SECRET}
        return own | {"password"}

    def secrets(self) -> set[str]:
        """Return the values that must never be seen."""
        return {str(value) for key, value in self.values(self.user).items() if key in self.secret_fields()}


def _password(login: str) -> str:
    return login.replace("agent", "Secret") if login.startswith("agent") else login.capitalize()


BOT = "b7k2m9q4x1z8"
"""A word that is in no other text: Airflow hides it wherever it occurs, once a task has used it."""

APPLICATION = Application()
_ONLINE = {"tenant": "Cust12345", "client_id": APPLICATION.client_id, "client_secret": APPLICATION.client_secret}
_SITE = "/Cust12345"

WAYS = (
    Way(
        "bitrix24-webhook",
        "bitrix24",
        lambda _: {"login": 1, "password": "secretcode", "bot_client_id": BOT},
        wrong={"password": "anothercode"},
        settings={"bitrix24": {"bots": [{"client_id": BOT, "id": 80}]}},
    ),
    Way(
        "bitrix24-oauth",
        "bitrix24",
        lambda _: {
            "oauth_client_id": "local.chattransfer",
            "oauth_client_secret": "appsecret",
            "oauth_refresh_token": "refresh-1",
            "oauth_host": "{url}",
        },
        wrong={"oauth_refresh_token": "another-refresh-token"},
    ),
    Way(
        "superoffice-basic",
        "superoffice",
        lambda login: {"login": login, "password": _password(login)},
        wrong={"password": "another-password"},
        path=_SITE,
    ),
    Way(
        "superoffice-ticket",
        "superoffice",
        lambda login: {"ticket": f"7T:Cust12345.{login}"},
        wrong={"ticket": "7T:Cust12345.another"},
        path=_SITE,
        settings={"superoffice": {"switches": {"installation": "onsite"}}},
    ),
    Way(
        "superoffice-refresh-token",
        "superoffice",
        lambda login: {**_ONLINE, "refresh_token": f"refresh-{login}"},
        wrong={"refresh_token": "another-refresh-token"},
    ),
    Way(
        "superoffice-access-token",
        "superoffice",
        lambda login: {"tenant": "Cust12345", "access_token": f"8A:Cust12345.{login}"},
        wrong={"access_token": "8A:Cust12345.another"},
    ),
    Way(
        "superoffice-online-ticket",
        "superoffice",
        lambda login: {**_ONLINE, "ticket": f"7T:Cust12345.{login}"},
        wrong={"ticket": "7T:Cust12345.another"},
    ),
    Way(
        "superoffice-system-user",
        "superoffice",
        lambda _: {
            **_ONLINE,
            "system_user_token": APPLICATION.system_token,
            "private_key": APPLICATION_KEY.pem,
        },
        wrong={"system_user_token": "Chat Transfer 1.0-another"},
        moves=False,
    ),
)
