# SPDX-License-Identifier: Apache-2.0
"""Answers of a service become checked data classes here, and nothing goes on as it came.

What an answer holds is declared as a frozen data class whose members are named as the service names them, with the
types below; members that are not declared are dropped. Each service declares its own, from its documents.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from ..chats.inputs import LARGEST_ID
from ..exceptions import UnexpectedResponseError

T = TypeVar("T")

LONGEST_NUMBER = 40
"""Letters of a number that is given as text."""

TOKEN = re.compile(r"[!-~]{1,8192}", re.ASCII)


def decode(value: object, kind: type[T], *, method: str) -> T:
    """``value``, which was parsed from JSON, as ``kind``: a data class, or a list of them.

    Raises ``UnexpectedResponseError`` with the name of the first wrong member, and never with what is in it.
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
    """``value`` as ``kind``, or ``otherwise``: for what only helps, and may be missing or wrong."""
    try:
        decoded: T = _adapter(kind).validate_python(value)
    except ValidationError:
        return otherwise
    return decoded


def read_id(value: object) -> str:
    """The decimal string of a positive whole number below 2**63, from such a number or its digits.

    Raises ``ValueError`` for all else, also for ``True`` and for ``112.0``.
    """
    if type(value) is int:
        number = value
    elif isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(LARGEST_ID)):
        number = int(value)
    else:
        raise ValueError("no id")
    if not 0 < number <= LARGEST_ID:
        raise ValueError("no id")
    return str(number)


def read_optional_id(value: object) -> str | None:
    """An id, or ``None`` for the ways in which services write that there is none: 0, ``"0"``, ``""`` and null."""
    nothing = value is None or (type(value) is int and value == 0) or (isinstance(value, str) and value in ("", "0"))
    return None if nothing else read_id(value)


def read_id_or_zero(value: object) -> str | None:
    """An id, or ``None`` for 0 alone, where a service writes that there is none in no other way."""
    return read_optional_id(value) if value not in (None, "") else read_id(value)


def read_id_if_known(value: object) -> str | None:
    """An id, or ``None`` for whatever is none."""
    try:
        return read_id(value)
    except ValueError:
        return None


def read_token(value: object) -> str:
    """A secret that can travel in a header: visible letters of ASCII. Raises ``ValueError`` for all else."""
    if not isinstance(value, str) or not TOKEN.fullmatch(value):
        raise ValueError("no token")
    return value


def read_number(value: object) -> float:
    """A finite number, also given as text; raises ``ValueError`` for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("no number")
    if isinstance(value, str) and not (value.isascii() and len(value) <= LONGEST_NUMBER and "_" not in value):
        raise ValueError("no number")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError("no number") from None
    if not math.isfinite(number):
        raise ValueError("no number")
    return number


def read_count(value: object) -> int:
    """A whole number from 0 to 2**63 - 1, also given as text; raises ``ValueError`` for all else."""
    return int(read_id_or_zero(value) or 0)


def read_flag(value: object) -> bool:
    """``True`` or ``False``, and no spelling of them; raises ``ValueError`` for all else."""
    if not isinstance(value, bool):
        raise ValueError("no flag")
    return value


def read_moment(value: object) -> datetime:
    """A date and time of ISO 8601, with its offset; one without is in UTC. Raises ``ValueError`` for all else."""
    if not isinstance(value, str) or len(value) > LONGEST_NUMBER:
        raise ValueError("no date")
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def read_php_map(value: object) -> Mapping[str, Any]:
    """An array of PHP as JSON shows it: an object, a list for the keys 0 to n-1, and ``[]`` for none.

    Raises ``ValueError`` for all else.
    """
    if isinstance(value, Mapping):
        return value
    if isinstance(value, list):
        return {str(key): item for key, item in enumerate(value)}
    raise ValueError("no array")


def _known(read: Any) -> Any:
    """``read``, but ``None`` where it would raise."""

    def read_if_known(value: object) -> Any:
        try:
            return read(value)
        except ValueError:
            return None

    return read_if_known


Id = Annotated[str, BeforeValidator(read_id)]
"""An id of a chat, a person or a queue, as the domain writes it."""

OptionalId = Annotated[str | None, BeforeValidator(read_optional_id)]
"""An id, or that there is none."""

IdOrZero = Annotated[str | None, BeforeValidator(read_id_or_zero)]
"""An id, or 0 where there is none."""

IdIfKnown = Annotated[str | None, BeforeValidator(read_id_if_known)]
"""An id, or ``None`` for whatever is none: for what only helps."""

Number = Annotated[float, BeforeValidator(read_number)]
NumberIfKnown = Annotated[float | None, BeforeValidator(_known(read_number))]
"""A finite number, or ``None`` for whatever is none: for what only helps."""

Count = Annotated[int, BeforeValidator(read_count)]
CountIfKnown = Annotated[int | None, BeforeValidator(_known(read_count))]
Flag = Annotated[bool, BeforeValidator(read_flag)]
Moment = Annotated[datetime, BeforeValidator(read_moment)]
TextIfKnown = Annotated[str | None, BeforeValidator(lambda value: value if isinstance(value, str) else None)]
"""A text, or ``None`` for whatever is none: for what only helps."""

Token = Annotated[str, BeforeValidator(read_token)]
PhpMap = Annotated[Mapping[str, Any], BeforeValidator(read_php_map)]


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)
