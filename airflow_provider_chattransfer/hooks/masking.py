# SPDX-License-Identifier: Apache-2.0
"""What must not be read in Airflow's logs is told to its secrets masker, before anything can log it."""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

from ..connection_forms import BITRIX24, FORMS, Kind
from .fields import extra_of, likely_secrets
from .webhook_address import webhook_in

if TYPE_CHECKING:
    from airflow.sdk import Connection

KEY = "private_key"

IN_TASKS_ONLY = "bot_client_id"
"""An administrator makes it up, and it may be a word of other fields. The masker of services hides it there as well, in
what the connection form is given to edit."""

LINE = 20
"""A line of a key that is at least as long is masked by itself, since logs break texts into lines."""


def hide(secret: str) -> None:
    """Have ``secret`` masked in Airflow's logs, also as it looks in an address.

    Airflow has two maskers: one for tasks and triggers, here and in the process that supervises them, and one for the
    API server and the other services. Both leave what is shorter than five letters (``[logging]
    min_length_masked_secret``).
    """
    for text in _as_in_addresses(secret):
        _mask(text)


def hide_secrets_of(connection: Connection) -> None:
    """Have all secrets of a connection masked: the password, what its form does not show, what stands under a misspelt
    key of such a field, and the code in a webhook's whole address, whatever field that is in."""
    try:
        extra = extra_of(connection)
    except ValueError:
        extra = {}
    _mask_in_tasks(dict(extra))
    for secret in _secrets_of(connection, extra):
        hide(secret)
    for part in _parts_of_a_key(extra):
        _mask(part)
    for text in _as_in_addresses(str(extra.get(IN_TASKS_ONLY) or "")):
        _mask_in_tasks(text)


def _mask(text: str) -> None:
    """With each new text, Airflow's maskers compile all that they know anew: not more of them than needed."""
    _mask_in_tasks(text)
    of_services = sys.modules.get("airflow._shared.secrets_masker")
    if of_services is not None:
        of_services.mask_secret(text)


def _mask_in_tasks(text: str | dict[str, Any]) -> None:
    from airflow.providers.common.compat.sdk import mask_secret

    mask_secret(text)


def _as_in_addresses(secret: str) -> set[str]:
    """A secret, and how it is written in an address; nothing of nothing."""
    return {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)} - {""}


def _secrets_of(connection: Connection, extra: Mapping[str, Any]) -> Iterator[str]:
    login, password = (_written(value) for value in (connection.login, connection.password))
    if password:
        yield password
        yield b64encode(f"{login}:{password}".encode()).decode()
    form = FORMS.get(connection.conn_type or "")
    if form is BITRIX24:
        found = (webhook_in(text) for text in (_written(connection.host), login, password))
        yield from (webhook.code for webhook in found if webhook)
    if form is not None:
        yield from likely_secrets(extra, form=form)
    for _, field in form.fields() if form else ():
        value = str(extra.get(field.key) or "")
        if value and field.kind is Kind.SECRET and field.key not in (KEY, IN_TASKS_ONLY):
            yield from _of_address(value) if field.key == "token_store_at" else [value]


def _written(value: object) -> str:
    """A field of a connection as text: a login that is a number in JSON is none."""
    return "" if value is None else str(value)


def _parts_of_a_key(extra: Mapping[str, Any]) -> Iterator[str]:
    """A private key and its lines; it is in no address."""
    key = str(extra.get(KEY) or "")
    if key:
        yield key
    yield from (line for line in key.splitlines() if len(line) >= LINE and not line.startswith("-----"))


def _of_address(value: str) -> Iterator[str]:
    """The password in an address; the path of a folder is no secret, and errors name it."""
    try:
        password = urlsplit(value).password
    except ValueError:
        return
    if password:
        yield value
        yield unquote(password)
