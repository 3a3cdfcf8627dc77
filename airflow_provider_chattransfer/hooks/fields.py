# SPDX-License-Identifier: Apache-2.0
"""Read a connection: what Airflow keeps of it becomes typed fields, or an error that names one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ..chats.inputs import shown
from ..connection_forms import ConnectionForm, Kind, Letters

if TYPE_CHECKING:
    from airflow.sdk import Connection

STANDARD = {
    "host": Letters.TRIMMED,
    "port": Letters.NO_SPACE,
    "login": Letters.INNER_SPACES,
    "password": Letters.INNER_SPACES,
    "schema": Letters.NO_SPACE,
}
"""Airflow's own fields, and the letters that they may have."""

MIN_LIKENESS = 0.6
"""How alike a key and a known one are at least (``difflib``) for the one to be called a misspelling of the other."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one connection.

    Text has the letters that its field may have (``Letters``), and no white space around it. What is not filled in is
    empty, and not in ``extra``, where numbers are as they were given. ``doubts`` are sentences about what is in the
    connection and is not read.
    """

    host: str
    port: Any
    schema: str
    login: str
    password: str = field(repr=False)
    extra: Mapping[str, Any] = field(repr=False)
    doubts: tuple[str, ...] = ()

    @classmethod
    def of(cls, connection: Connection, extra: Mapping[str, Any], *, form: ConnectionForm) -> Fields:
        """Read ``connection`` with its parsed ``extra``; raises ``ValueError`` that begins with the field's key."""
        own = {
            each.key: value
            if each.kind in (Kind.NUMBER, Kind.INTEGER)
            else _text(value, of=each.key, letters=each.letters)
            for _, each in form.fields()
            if (value := extra.get(each.key)) not in (None, "")
        }
        host, schema, login, password = (
            _text(getattr(connection, key), of=key, letters=STANDARD[key])
            for key in ("host", "schema", "login", "password")
        )
        return cls(
            host=host,
            port=connection.port,
            schema=schema,
            login=login,
            password=password,
            extra=own,
            doubts=tuple(_doubts(extra, form=form)),
        )

    def text(self, name: str) -> str:
        """Return what is in a field, by its key; empty where nothing is."""
        standard = {"host": self.host, "login": self.login, "password": self.password}
        return standard[name] if name in standard else str(self.extra.get(name, ""))


def extra_of(connection: Connection) -> Mapping[str, Any]:
    """Parse the extra of a connection; raises ``ValueError`` for what is no JSON object, and shows nothing of it."""
    given: Any = connection.extra
    if isinstance(given, str):
        try:
            given = json.loads(given or "null")
        except (ValueError, RecursionError):
            raise ValueError(
                'extra: is no JSON; it must be an object with the form\'s fields, such as {"timeout": 60}'
            ) from None
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ValueError(
            f"extra: is JSON of another kind ({type(given).__name__}); it must be an object with the form's fields, "
            'such as {"timeout": 60}'
        )
    return given


def likely_secrets(extra: Mapping[str, Any], *, form: ConnectionForm) -> Iterator[str]:
    """Yield the texts under keys that are no fields, and look like one that holds a secret."""
    known = {each.key: each.kind for _, each in form.fields()}
    for key, value in extra.items():
        if key not in known and isinstance(value, str) and value:
            meant = _meant(key, form=form)
            if meant == "password" or known.get(meant or "") is Kind.SECRET:
                yield value


def _text(value: object, *, of: str, letters: Letters) -> str:
    """Return ``value`` as text; a whole number is read as its digits, as a user id in JSON is often written."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{of}: must be text, not a value of type {type(value).__name__}; put it in quotation marks")
    text = str(value) if isinstance(value, str) or -(2**63) < value < 2**63 else ""
    if isinstance(value, int) and not text:
        raise ValueError(f"{of}: is a number of too many digits; put it in quotation marks")
    if letters is Letters.TRIMMED:
        text = text.strip()
    _check_letters(text, of=of, letters=letters)
    return text


def _check_letters(text: str, *, of: str, letters: Letters) -> None:
    """Raise ``ValueError`` for letters that were copied along, and never belong to a field; shows nothing of it."""
    if letters is Letters.ANY:
        return
    if text != text.strip():
        raise ValueError(f"{of}: begins or ends with a space, a tab or a line break; take it off")
    if any(not letter.isprintable() for letter in text):
        raise ValueError(f"{of}: holds a line break, a tab or another letter that cannot be seen; type it anew")
    if " " in text and letters in (Letters.NO_SPACE, Letters.ASCII):
        raise ValueError(f"{of}: holds a space, and none of these does; copy it once more")
    if letters is Letters.ASCII and not text.isascii():
        raise ValueError(f"{of}: holds a letter that none of these has; copy it once more")


def _doubts(extra: Mapping[str, Any], *, form: ConnectionForm) -> Iterator[str]:
    known = {each.key for _, each in form.fields()}
    for key in (key for key in extra if key not in known):
        meant = _meant(key, form=form)
        advice = f"did you mean {meant}?" if meant else f"no connection of type {form.connection_type} has it"
        if meant in STANDARD:
            advice = f"{meant} is a field beside extra"
        yield f"extra: {shown(key)} is not read; {advice}"


def _meant(key: object, *, form: ConnectionForm) -> str | None:
    """Find the field whose key is most like ``key``, which is none of those in extra."""
    names = [*(each.key for _, each in form.fields()), *STANDARD]
    plain = re.sub(r"[\s-]+", "_", str(key)[:100].lower()).removeprefix(f"extra__{form.connection_type}__")
    return next(iter(get_close_matches(plain, names, n=1, cutoff=MIN_LIKENESS)), None)
