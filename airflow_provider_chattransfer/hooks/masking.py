# SPDX-License-Identifier: Apache-2.0
"""Tell Airflow's secrets masker what must not be read in logs, before anything can log it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

from ..airflow_internals import mask_in_services
from ..connection_forms import ConnectionForm, Field, Kind, Masking
from ..platforms.task_thread import on_task_thread
from ..services import forms
from .fields import extra_of, likely_secrets

if TYPE_CHECKING:
    from airflow.sdk import Connection

MIN_LINE_LETTERS = 20
"""Letters of a line of a key from which on it is masked by itself."""


def hide(secret: str) -> None:
    """Have ``secret`` masked in Airflow's logs, also as it looks in an address.

    Airflow has two maskers: one for tasks and triggers, here and in the process that supervises them, and one for the
    API server and the other services. Both leave what is shorter than five letters (``[logging]
    min_length_masked_secret``).
    """
    for text in _as_in_addresses(secret):
        _mask(text)


def hide_secrets_of(connection: Connection) -> None:
    """Have all secrets of a connection masked.

    They are the password, what its form does not show, what stands under a misspelt key of such a field, and what the
    service's form finds in the standard fields. Of a connection of another provider's type, only the password and the
    keys that Airflow knows are masked.
    """
    try:
        extra = extra_of(connection)
    except ValueError:
        extra = {}
    _mask_in_tasks(dict(extra))
    for secret in _login_secrets(connection):
        hide(secret)
    form = forms().get(connection.conn_type or "")
    if form is None:
        return
    for secret in (*_pasted_secrets(connection, form), *likely_secrets(extra, form=form)):
        hide(secret)
    for _, field in form.fields():
        if field.kind is Kind.SECRET and (value := str(extra.get(field.key) or "")):
            _hide_field(field, value)


def _hide_field(field: Field, value: str) -> None:
    match field.masking:
        case Masking.WHOLE:
            hide(value)
        case Masking.PASSWORD_OF_ADDRESS:
            for secret in _of_address(value):
                hide(secret)
        case Masking.LINES:
            for part in _lines_of(value):
                _mask(part)
        case Masking.IN_TASKS:
            for text in _as_in_addresses(value):
                _mask_in_tasks(text)


def _mask(text: str) -> None:
    """Tell both maskers; with each new text they compile all that they know anew, so tell no more than needed."""
    _mask_in_tasks(text)
    mask_in_services(text)


def _mask_in_tasks(text: str | dict[str, Any]) -> None:
    """Tell the masker here, which tells the supervisor's by the channel of the task (seen in 3.1.8 to 3.3.2)."""
    from airflow.providers.common.compat.sdk import mask_secret

    on_task_thread(lambda: mask_secret(text))


def _as_in_addresses(secret: str) -> set[str]:
    """Return a secret, and how it is written in an address; nothing of nothing."""
    return {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)} - {""}


def _login_secrets(connection: Connection) -> Iterator[str]:
    """Yield the password, and what Basic authentication makes of it."""
    login, password = _written(connection.login), _written(connection.password)
    if password:
        yield password
        yield b64encode(f"{login}:{password}".encode()).decode()


def _pasted_secrets(connection: Connection, form: ConnectionForm) -> Iterator[str]:
    for text in (connection.host, connection.login, connection.password):
        yield from form.secrets_in(_written(text))


def _written(value: object) -> str:
    """Return a field of a connection as text: a login that is a number in JSON is none."""
    return "" if value is None else str(value)


def _lines_of(text: str) -> Iterator[str]:
    """Yield ``text``, and those of its lines that are long enough and no frame around a key."""
    yield text
    yield from (line for line in text.splitlines() if len(line) >= MIN_LINE_LETTERS and not line.startswith("-----"))


def _of_address(value: str) -> Iterator[str]:
    """Yield an address that has a password, and the password; the path of a folder is no secret, and errors name it."""
    try:
        password = urlsplit(value).password
    except ValueError:
        return
    if password:
        yield value
        yield unquote(password)
