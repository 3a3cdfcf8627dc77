# SPDX-License-Identifier: Apache-2.0
"""Define what a connection form is made of: fields, sections, and what Airflow is told of them.

The form of a service is in the service's own folder. Airflow asks for a form in two ways: 3.2 and newer read it from
the provider's information, 3.1 from two class methods of the hook. Both come from ``ConnectionForm``. Nothing heavy is
imported: every Airflow process reads the provider's information.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
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
        """Return the type of JSON schema."""
        return str(self) if self in (Kind.NUMBER, Kind.INTEGER) else "string"


class Letters(StrEnum):
    """The letters that the text of a field may have. Only ``ANY`` allows letters that cannot be seen."""

    NO_SPACE = "printable letters, no space"
    ASCII = "letters of ASCII, no space"
    """What a service gives out, and is sent in a header: a token, a client id."""
    INNER_SPACES = "printable letters, spaces between them"
    """A person's name, a password, the path of a file."""
    TRIMMED = "printable letters, white space around them is taken off"
    """An address, a tenant; never a secret."""
    ANY = "any letters"
    """A private key, with line breaks or on one line."""


class Masking(StrEnum):
    """What is masked in Airflow's logs of the text of a secret field."""

    WHOLE = "the whole text"
    LINES = "the whole text, and each of its longer lines"
    """Logs break a text into lines. What is masked like this is never part of an address."""
    PASSWORD_OF_ADDRESS = "the password in an address, and that address"  # noqa: S105
    """Text that is no address with a password, such as the path of a folder, is no secret."""
    IN_TASKS = "the whole text, in the logs of tasks only"
    """For a word that an administrator makes up, which other fields may hold as well: the masker of Airflow's services
    would hide it in what the connection form shows to be edited."""


@dataclass(frozen=True, slots=True)
class StandardField:
    """A field that Airflow has for every type of connection, under the name that it has here."""

    key: str
    label: str
    placeholder: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of ours, kept in the connection's extra under ``key``. ``help`` says what it is and where to find it.

    ``masking`` counts for a ``Kind.SECRET``. Each field may be left empty: which ones belong together is checked when
    a connection is opened. No field has a default in the form, since Airflow shows ``***`` in place of one whose key
    sounds secret.
    """

    key: str
    label: str
    help: str
    kind: Kind = Kind.TEXT
    choices: tuple[str, ...] = ()
    letters: Letters = Letters.NO_SPACE
    masking: Masking = Masking.WHOLE


@dataclass(frozen=True, slots=True)
class Section:
    """Fields that belong together, by a way of signing in or by what they are for."""

    title: str
    fields: tuple[Field, ...]


def _no_secrets(text: str) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True)
class ConnectionForm:
    """The form of a connection type.

    ``secrets_in`` finds the secrets within a text of host, login or password, where one may have been pasted as part of
    something longer; the password itself is always masked. ``hidden`` are Airflow's own fields that the form does not
    show: the schema is read where it is given, but in the form the address has it.
    """

    connection_type: str
    name: str
    standard: tuple[StandardField, ...]
    sections: tuple[Section, ...]
    secrets_in: Callable[[str], Iterable[str]] = _no_secrets
    hidden: tuple[str, ...] = ("schema",)

    def fields(self) -> Iterator[tuple[Section, Field]]:
        """Yield all fields of ours in the form's order, each with its section."""
        return ((section, field) for section in self.sections for field in section.fields)

    def labelled(self, text: str) -> str:
        """Put the form's labels before the keys with which an error's ``text`` begins, up to the first colon.

        ``password: missing`` becomes ``Webhook: code (password): missing``. Text that begins otherwise stays.
        """
        labels = self.labels()
        head, colon, rest = text.partition(": ")
        words = set(re.findall(r"\w+", head))
        if not words & labels.keys() or not words <= labels.keys() | {"and", "or"}:
            return text
        head = re.sub(r"\w+", lambda key: f"{labels[key[0]]} ({key[0]})" if key[0] in labels else key[0], head)
        return f"{head}{colon}{rest}"

    def explained(self, text: str) -> str:
        """Label ``text``, and add a sentence that gives the labels of the other keys in it.

        Those are the keys that can be no other word: they have an underscore, or are ``login and password``.
        """
        labels, told = self.labels(), self.labelled(text)
        words = re.findall(r"(?<![\w'\"{(])\w+_\w+(?![\w'\"})])|\blogin and password\b", told)
        keys = [key for word in words for key in word.split(" and ") if key in labels]
        if not keys:
            return told
        legend = ", ".join(f"{key} is {labels[key]}" for key in dict.fromkeys(keys))
        return f"{told.removesuffix('.')}. In the form, {legend}."

    def labels(self) -> dict[str, str]:
        """Return what the form calls each field, by its key."""
        standard = {each.key: each.label for each in self.standard}
        return standard | {each.key: each.label for _, each in self.fields()}

    def conn_fields(self) -> dict[str, Any]:
        """Return our fields, as ``conn-fields`` of Airflow's ``provider.yaml.schema.json``."""
        return {field.key: _conn_field(section, field) for section, field in self.fields()}

    def ui_field_behaviour(self) -> dict[str, Any]:
        """Return Airflow's own fields, as ``ui-field-behaviour`` of the same schema."""
        return {
            "hidden-fields": list(self.hidden),
            "relabeling": {field.key: field.label for field in self.standard},
            "placeholders": {field.key: field.placeholder for field in self.standard if field.placeholder},
        }

    def form_behaviour(self) -> dict[str, Any]:
        """Return the same, as Airflow 3.1 wants it from a hook's ``get_ui_field_behaviour``."""
        return {name.replace("-", "_"): value for name, value in self.ui_field_behaviour().items()}

    def form_widgets(self) -> dict[str, Any]:
        """Return our fields, as Airflow 3.1 wants them from a hook's ``get_connection_form_widgets``.

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


TOKEN_STORE = Section(
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
            letters=Letters.INNER_SPACES,
            masking=Masking.PASSWORD_OF_ADDRESS,
        ),
    ),
)
"""The section of a service whose tokens are renewed while tasks run, read by ``hooks.settings.build_token_manager``."""

PORT = StandardField("port", "Port", "443; without one, Airflow 3.3.1 and 3.3.2 refuse to test a connection")
"""They take a port that is left empty for one that was changed (pull request 73298 of apache/airflow)."""


def network_section(*, requests_per_second: str, burst: str, timeout: str) -> Section:
    """Return the section of limits and network that every service has; ``hooks.settings.build_transport`` reads it.

    Each argument is the service's own default as the form tells it: ``2 (Enterprise: 5)``. ``timeout`` is in seconds.
    """
    return Section(
        "Limits and network",
        (
            Field(
                "requests_per_second",
                "Requests per second",
                f"Default: {requests_per_second}, the service's own limit.",
                Kind.NUMBER,
            ),
            Field("burst", "Burst", f"Requests that may be made at once. Default: {burst}.", Kind.INTEGER),
            Field(
                "timeout",
                "Timeout",
                f"Seconds for a request and its whole answer, up to 3600. Default: {timeout}.",
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
                "Path of a PEM file on the workers, for a service whose certificate is signed by an authority of your "
                "own. Default: the authorities that everybody trusts.",
                letters=Letters.INNER_SPACES,
            ),
            Field(
                "coordination",
                "Coordination",
                "Where all hosts share the pace of an account: a Postgres, postgresql://user:password@host/database, "
                "or a Redis, rediss://:password@host:6379/0. Default: the processes of each host among themselves.",
                Kind.SECRET,
                masking=Masking.PASSWORD_OF_ADDRESS,
            ),
        ),
    )
