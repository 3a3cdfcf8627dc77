# SPDX-License-Identifier: Apache-2.0
"""The forms of both connection types, as one table: what an administrator fills in, and what they are told about it.

Airflow asks for a form in two ways: 3.2 and newer read it from the provider's information, 3.1 from two class methods
of the hook. Both come from here. Nothing heavy is imported: every Airflow process reads the provider's information.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What is typed into a field: text, text that is not shown, a number, or one of some choices."""

    TEXT = "text"
    SECRET = "secret"  # noqa: S105
    NUMBER = "number"
    INTEGER = "integer"
    CHOICE = "choice"

    @property
    def json_type(self) -> str:
        """The type of JSON schema."""
        return str(self) if self in (Kind.NUMBER, Kind.INTEGER) else "string"


@dataclass(frozen=True, slots=True)
class StandardField:
    """A field that Airflow has for every type of connection, under the name that it has here."""

    key: str
    label: str
    placeholder: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of ours, kept in the connection's extra under ``key``. ``help`` says what it is and where to find it.

    Each may be left empty: which ones belong together is checked when a connection is opened. No field has a default
    in the form, since Airflow shows ``***`` in place of one whose key sounds secret.
    """

    key: str
    label: str
    help: str
    kind: Kind = Kind.TEXT
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Fields that belong together, by a way of signing in or by what they are for."""

    title: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class ConnectionForm:
    """The form of a connection type."""

    connection_type: str
    name: str
    standard: tuple[StandardField, ...]
    sections: tuple[Section, ...]

    hidden = ("schema",)
    """Read where it is given; in the form, the address has it."""

    def fields(self) -> Iterator[tuple[Section, Field]]:
        """All fields of ours in the form's order, each with its section."""
        return ((section, field) for section in self.sections for field in section.fields)

    def labelled(self, text: str) -> str:
        """An error's ``text`` with the form's labels for the keys of fields at its beginning, up to the first colon:
        ``Webhook: code (password): missing``."""
        labels = self.labels()
        head, colon, rest = text.partition(": ")
        words = set(re.findall(r"\w+", head))
        if not words & labels.keys() or not words <= labels.keys() | {"and", "or"}:
            return text
        head = re.sub(r"\w+", lambda key: f"{labels[key[0]]} ({key[0]})" if key[0] in labels else key[0], head)
        return f"{head}{colon}{rest}"

    def explained(self, text: str) -> str:
        """``text`` for who looks at the form: labelled, and with a sentence that gives the labels of the other keys in
        it, those that can be no other word (they have an underscore, or are ``login and password``)."""
        labels, told = self.labels(), self.labelled(text)
        words = re.findall(r"(?<![\w'\"{(])\w+_\w+(?![\w'\"})])|\blogin and password\b", told)
        keys = [key for word in words for key in word.split(" and ") if key in labels]
        if not keys:
            return told
        legend = ", ".join(f"{key} is {labels[key]}" for key in dict.fromkeys(keys))
        return f"{told.removesuffix('.')}. In the form, {legend}."

    def labels(self) -> dict[str, str]:
        """What the form calls each field, by its key."""
        standard = {each.key: each.label for each in self.standard}
        return standard | {each.key: each.label for _, each in self.fields()}

    def conn_fields(self) -> dict[str, Any]:
        """Our fields, as ``conn-fields`` of Airflow's ``provider.yaml.schema.json``."""
        return {field.key: _conn_field(section, field) for section, field in self.fields()}

    def ui_field_behaviour(self) -> dict[str, Any]:
        """Airflow's own fields, as ``ui-field-behaviour`` of the same schema."""
        return {
            "hidden-fields": list(self.hidden),
            "relabeling": {field.key: field.label for field in self.standard},
            "placeholders": {field.key: field.placeholder for field in self.standard if field.placeholder},
        }

    def form_behaviour(self) -> dict[str, Any]:
        """The same, as Airflow 3.1 wants it from a hook's ``get_ui_field_behaviour``."""
        return {name.replace("-", "_"): value for name, value in self.ui_field_behaviour().items()}

    def form_widgets(self) -> dict[str, Any]:
        """Our fields, as Airflow 3.1 wants them from a hook's ``get_connection_form_widgets``.

        It has neither numbers with fractions nor sections: those numbers are typed as text.
        """
        return {field.key: _widget(field) for _, field in self.fields()}


def _conn_field(section: Section, field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": [field.kind.json_type, "null"], "section": section.title}
    if field.kind is Kind.SECRET:
        schema["format"] = "password"
    if field.choices:
        schema["enum"] = list(field.choices)
    return {"label": field.label, "description": field.help, "schema": schema}


def _widget(field: Field) -> Any:
    from wtforms import IntegerField, PasswordField, StringField
    from wtforms.validators import Optional, any_of

    kinds = {Kind.SECRET: PasswordField, Kind.INTEGER: IntegerField}
    choices = [any_of(list(field.choices))] if field.choices else []
    return kinds.get(field.kind, StringField)(
        field.label, validators=[Optional(), *choices], description=field.help, default=None
    )


_TOKENS = Section(
    "Where tokens are kept",
    (
        Field(
            "token_store",
            "Token store",
            "Where tokens are kept that are renewed while tasks run. variable: a Variable of Airflow, the default. "
            "file: a folder that all workers share. redis: a Redis server. Airflow shows no choice when the form is "
            "opened again, since the word token is in the name; it stays as it was.",
            Kind.CHOICE,
            ("variable", "file", "redis"),
        ),
        Field(
            "token_store_at",
            "Token store: folder or address",
            "For file: the folder, /var/lib/airflow/tokens. For redis: its address, rediss://:password@host:6379/0.",
            Kind.SECRET,
        ),
    ),
)

_NETWORK = Section(
    "Limits and network",
    (
        Field(
            "requests_per_second",
            "Requests per second",
            "Default: 2 for Bitrix24 (Enterprise: 5), 10 for SuperOffice, the services' own limits.",
            Kind.NUMBER,
        ),
        Field(
            "burst",
            "Burst",
            "Requests that may be made at once. Default: 50 for Bitrix24 (Enterprise: 250), 10 for SuperOffice.",
            Kind.INTEGER,
        ),
        Field(
            "timeout",
            "Timeout",
            "Seconds for a request and its whole answer, up to 3600. Default: 75 for Bitrix24, 60 for SuperOffice.",
            Kind.NUMBER,
        ),
        Field(
            "max_answer_megabytes",
            "Largest answer",
            "Megabytes of an answer, unpacked, that are taken, from 1 to 1024. Default: 64.",
            Kind.INTEGER,
        ),
        Field(
            "ca_bundle",
            "Certificates to trust",
            "Path of a PEM file on the workers, for a service whose certificate is signed by an authority of your own. "
            "Default: the authorities that everybody trusts.",
        ),
    ),
)

_PORT = StandardField("port", "Port", "443; without one, Airflow 3.3.1 and 3.3.2 refuse to test a connection")
"""They take a port that is left empty for one that was changed (pull request 73298 of apache/airflow)."""

BITRIX24 = ConnectionForm(
    connection_type="bitrix24",
    name="Bitrix24",
    standard=(
        StandardField("host", "Portal", "example.bitrix24.com"),
        _PORT,
        StandardField("login", "Webhook: user id", "1, from https://example.bitrix24.com/rest/1/code/"),
        StandardField("password", "Webhook: code", "code, from the same address"),
    ),
    sections=(
        Section(
            "Inbound webhook",
            (
                Field(
                    "bot_client_id",
                    "Webhook: client id of the bot",
                    "Together with the webhook's user id and code above. The webhook is made in Bitrix24 under "
                    "Developer resources, Common use cases, Other, Inbound webhook, with the rights imopenlines, "
                    "imbot, im and crm. The client id is a secret word of your own, under which the command "
                    "register-bot registers the bot that moves chats.",
                    Kind.SECRET,
                ),
            ),
        ),
        Section(
            "Or: OAuth application",
            (
                Field(
                    "oauth_client_id",
                    "OAuth: application ID",
                    "Instead of a webhook. Bitrix24, Developer resources, Common use cases, Other, Local application: "
                    "Application ID (client_id), for instance local.65f1a2b3c4d5e6.12345678.",
                ),
                Field(
                    "oauth_client_secret",
                    "OAuth: application key",
                    "From the same page: Application key (client_secret).",
                    Kind.SECRET,
                ),
                Field(
                    "oauth_refresh_token",
                    "OAuth: refresh token",
                    "The refresh_token that the application got when it was installed. It is the first one: those "
                    "that replace it are kept in the token store.",
                    Kind.SECRET,
                ),
                Field(
                    "oauth_host",
                    "OAuth: authorisation server",
                    "Default: oauth.bitrix.info. oauth.bitrix24.tech for portals of the regions ru, by, kz, uz, am, "
                    "az, ge and kg.",
                ),
            ),
        ),
        _TOKENS,
        _NETWORK,
    ),
)

SUPEROFFICE = ConnectionForm(
    connection_type="superoffice",
    name="SuperOffice",
    standard=(
        StandardField("host", "Address", "on-site: crm.example.com/SuperOffice; online: online.superoffice.com"),
        _PORT,
        StandardField("login", "On-site: user"),
        StandardField("password", "On-site: password"),
    ),
    sections=(
        Section(
            "Online: application and refresh token",
            (
                Field(
                    "tenant",
                    "Online: tenant",
                    "The customer id in the address of the browser, Cust12345. The address above is then "
                    "online.superoffice.com, qaonline.superoffice.com (stage) or sod.superoffice.com (development). "
                    "On-site installations have none.",
                ),
                Field(
                    "client_id",
                    "Online: client id",
                    "SuperOffice Developer Portal, the application's page. For a refresh token.",
                ),
                Field(
                    "client_secret",
                    "Online: client secret",
                    "From the same page. For a refresh token, a ticket or a system user.",
                    Kind.SECRET,
                ),
                Field(
                    "refresh_token",
                    "Online: refresh token",
                    "To act as the user who signed in: the refresh_token that the application got then. Needs the "
                    "three fields above.",
                    Kind.SECRET,
                ),
            ),
        ),
        Section(
            "Or: ticket, or access token",
            (
                Field(
                    "ticket",
                    "Ticket",
                    "7T:…, used as it is; it ends six hours after its last use. On-site it takes the place of user "
                    "and password. Online it needs tenant and client secret, and no refresh token.",
                    Kind.SECRET,
                ),
                Field(
                    "access_token",
                    "Online: access token",
                    "8A:Cust12345.…, used as it is and not renewed: for a try, it ends within the hour. Needs the "
                    "tenant, and no refresh token.",
                    Kind.SECRET,
                ),
            ),
        ),
        Section(
            "Or: system user",
            (
                Field(
                    "system_user_token",
                    "System user: token",
                    "What the application got when the tenant's administrator approved it, for instance "
                    "My App-8k8Q7DmBgo. Needs tenant and client secret, and no refresh token. It finds chats and "
                    "waits; it moves them only as the agents.",
                    Kind.SECRET,
                ),
                Field(
                    "private_key",
                    "System user: private key",
                    "The application's RSA key: PEM, also on one line, or the <RSAKeyValue> of .NET; not encrypted.",
                    Kind.SECRET,
                ),
            ),
        ),
        Section(
            "Acting as the agents",
            (
                Field(
                    "agent_conn_id",
                    "Connections of the agents",
                    "SuperOffice lets only a chat's owner send it on. A pattern of the connections that act as the "
                    "agents: superoffice_agent_{agent}, where {agent} becomes an associate id.",
                ),
            ),
        ),
        _TOKENS,
        _NETWORK,
    ),
)

FORMS = {form.connection_type: form for form in (BITRIX24, SUPEROFFICE)}
"""The form of each connection type."""
