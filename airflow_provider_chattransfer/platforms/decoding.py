# SPDX-License-Identifier: Apache-2.0
"""Decode a service's answers into checked data classes; nothing reaches the domain as it came.

What an answer holds is declared as a frozen data class whose members are named as the service names them, with the
types below. Members that are not declared are dropped. Each service declares its own classes, from its documents.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from ..chats.inputs import MAX_ID
from ..exceptions import UnexpectedResponseError

T = TypeVar("T")

MAX_NUMBER_LETTERS = 40
"""Letters of a number that is given as text."""

TOKEN = re.compile(r"[!-~]{1,8192}", re.ASCII)


def decode(value: object, kind: type[T], *, method: str) -> T:
    """Return ``value``, which was parsed from JSON, as ``kind``: a data class, or a list of them.

    Raises ``UnexpectedResponseError`` that names the first wrong member, and never shows its value.
    """
    try:
        decoded: T = _adapter(kind).validate_python(value)
    except ValidationError as problem:
        path = problem.errors(include_url=False, include_context=False, include_input=False)[0]["loc"]
    else:
        return decoded
    wrong = f": {'.'.join(map(str, path))} is missing or wrong" if path else ""
    raise UnexpectedResponseError(f"the answer is not as documented{wrong}", method=method)


def decoded_or(otherwise: T, value: object, kind: type[T]) -> T:
    """Return ``value`` as ``kind``, or ``otherwise`` where it is missing or wrong.

    For answers that the caller can do without.
    """
    try:
        decoded: T = _adapter(kind).validate_python(value)
    except ValidationError:
        return otherwise
    return decoded


def read_id(value: object) -> str:
    """Return the decimal string of a positive whole number below 2**63, from such a number or its digits.

    Raises ``ValueError`` for everything else, including ``True`` and ``112.0``.
    """
    if type(value) is int:
        number = value
    elif isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(MAX_ID)):
        number = int(value)
    else:
        raise ValueError("no id")
    if not 0 < number <= MAX_ID:
        raise ValueError("no id")
    return str(number)


def read_optional_id(value: object) -> str | None:
    """Return an id, or ``None`` where a service writes that there is none: 0, ``"0"``, ``""`` and null."""
    nothing = value is None or (type(value) is int and value == 0) or (isinstance(value, str) and value in ("", "0"))
    return None if nothing else read_id(value)


def read_id_or_zero(value: object) -> str | None:
    """Return an id, or ``None`` for 0 alone, where a service has no other way to write that there is none."""
    return read_optional_id(value) if value not in (None, "") else read_id(value)


def read_id_if_known(value: object) -> str | None:
    """Return an id, or ``None`` for everything that is no id."""
    try:
        return read_id(value)
    except ValueError:
        return None


def read_token(value: object) -> str:
    """Return a secret that can travel in a header: visible ASCII letters. Raises ``ValueError`` for everything else."""
    if not isinstance(value, str) or not TOKEN.fullmatch(value):
        raise ValueError("no token")
    return value


def read_number(value: object) -> float:
    """Return a finite number, which may be given as text; raises ``ValueError`` for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("no number")
    if isinstance(value, str) and not (value.isascii() and len(value) <= MAX_NUMBER_LETTERS and "_" not in value):
        raise ValueError("no number")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError("no number") from None
    if not math.isfinite(number):
        raise ValueError("no number")
    return number


def read_count(value: object) -> int:
    """Return a whole number from 0 to 2**63 - 1, also given as text; raises ``ValueError`` for everything else."""
    return int(read_id_or_zero(value) or 0)


def read_flag(value: object) -> bool:
    """Return ``True`` or ``False``, in no other spelling; raises ``ValueError`` for everything else."""
    if not isinstance(value, bool):
        raise ValueError("no flag")
    return value


def read_moment(value: object) -> datetime:
    """Return a date and time of ISO 8601 with its offset; one without an offset is in UTC.

    Raises ``ValueError`` for everything else.
    """
    if not isinstance(value, str) or len(value) > MAX_NUMBER_LETTERS:
        raise ValueError("no date")
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def read_php_map(value: object) -> Mapping[str, Any]:
    """Return an array of PHP as JSON shows it: an object, a list for the keys 0 to n-1, and ``[]`` when empty.

    Raises ``ValueError`` for everything else.
    """
    if isinstance(value, Mapping):
        return value
    if isinstance(value, list):
        return {str(key): item for key, item in enumerate(value)}
    raise ValueError("no array")


def _known(read: Any) -> Any:
    """Wrap ``read`` so that it returns ``None`` where it would raise."""

    def read_if_known(value: object) -> Any:
        try:
            return read(value)
        except ValueError:
            return None

    return read_if_known


Id = Annotated[str, BeforeValidator(read_id)]
"""An id of a chat, a person or a queue, as the domain writes it."""

OptionalId = Annotated[str | None, BeforeValidator(read_optional_id)]
"""An id, or ``None`` where the service writes that there is none."""

IdOrZero = Annotated[str | None, BeforeValidator(read_id_or_zero)]
"""An id, or 0 where there is none."""

IdIfKnown = Annotated[str | None, BeforeValidator(read_id_if_known)]
"""An id, or ``None`` for everything else: for members that the caller can do without."""

Number = Annotated[float, BeforeValidator(read_number)]
NumberIfKnown = Annotated[float | None, BeforeValidator(_known(read_number))]
"""A finite number, or ``None`` for everything else: for members that the caller can do without."""

Count = Annotated[int, BeforeValidator(read_count)]
CountIfKnown = Annotated[int | None, BeforeValidator(_known(read_count))]
Flag = Annotated[bool, BeforeValidator(read_flag)]
Moment = Annotated[datetime, BeforeValidator(read_moment)]
TextIfKnown = Annotated[str | None, BeforeValidator(lambda value: value if isinstance(value, str) else None)]
"""A text, or ``None`` for everything else: for members that the caller can do without."""

Token = Annotated[str, BeforeValidator(read_token)]
PhpMap = Annotated[Mapping[str, Any], BeforeValidator(read_php_map)]


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)
