# SPDX-License-Identifier: Apache-2.0
"""Read what a user, a connection or a stored text gives, and refuse the rest by its name.

One reader for each kind of value: a switch, a number, a time. Each takes what a template renders to (text) as well as
the value itself, and raises ``ValueError`` with the name of the option or field and at most the first 150 letters of
what was given.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from decimal import Decimal
from numbers import Integral, Real
from typing import TypeGuard
from unicodedata import normalize

MAX_SHOWN_LETTERS = 150
"""Letters of a wrong value that an error repeats. With the option's name and the advice it stays below 300."""

MAX_ID = 2**63 - 1
"""The largest id of a chat, a person or a queue: both services keep ids in 64 bits or fewer."""

MAX_NAME_LETTERS = 200
"""Letters of a person's or a queue's name; both services keep shorter ones."""

SWITCHES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

DURATION = re.compile(
    r"P(?!$)(?:(?P<weeks>\d+(?:\.\d+)?)W)?(?:(?P<days>\d+(?:\.\d+)?)D)?"
    r"(?:T(?!$)(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.ASCII | re.IGNORECASE,
)
"""A duration of ISO 8601 without years and months, whose lengths differ: ``PT15M``, ``P1DT12H``."""

NUMBER = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)


def shown(value: object) -> str:
    """Return ``value`` as an error shows it: its ``repr`` without control characters, cut after 150 letters."""
    try:
        text = repr(value[: MAX_SHOWN_LETTERS + 1]) if isinstance(value, str | bytes) else repr(value)
    except Exception:  # an int of thousands of digits, a list that nests too deep
        return f"a value of type {type(value).__name__}"
    text = "".join(each if each.isprintable() else repr(each)[1:-1] for each in text[: MAX_SHOWN_LETTERS + 1])
    return text if len(text) <= MAX_SHOWN_LETTERS else f"{text[:MAX_SHOWN_LETTERS]}…"


def as_id(value: object, *, of: str) -> str:
    """Return the decimal string of a positive whole number, as both services write the ids of chats and people."""
    refuse_template(value, of=of)
    if isinstance(value, str):
        text = value.strip()
        digits = text.lstrip("0") if text.isascii() and text.isdigit() else ""
        number = int(digits) if digits and len(digits) <= len(str(MAX_ID)) else 0
    elif is_whole_number(value):
        number = int(value)
    else:
        raise ValueError(f"{of}: {shown(value)} is not a number")
    if not 0 < number <= MAX_ID:
        raise ValueError(f"{of}: {shown(value)} is not a positive whole number")
    return str(number)


def is_whole_number(value: object) -> TypeGuard[Integral]:
    """Tell whether ``value`` is a whole number of any library, and not a ``bool``."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def as_name(text: str, *, of: str) -> str:
    """Return the name of a person or a queue: 1 to 200 printable letters.

    Letters that can be written in two ways (é as one sign, or as two) become one, so that equal names are equal.
    """
    refuse_template(text, of=of)
    name = normalize("NFC", text.strip()) if len(text) <= 2 * MAX_NAME_LETTERS else ""
    if not (0 < len(name) <= MAX_NAME_LETTERS and name.isprintable()):
        raise ValueError(f"{of}: {shown(text)} is not a name of 1 to {MAX_NAME_LETTERS} printable letters")
    return name


def refuse_template(value: object, *, of: str) -> None:
    """Raise ``ValueError`` for text in which a template is left over: nothing has rendered it."""
    if isinstance(value, str) and ("{{" in value or "{%" in value):
        raise ValueError(
            f"{of}: {shown(value)} is a template that nothing has rendered; give the value itself, or a task's output"
        )


def as_switch(value: object, *, of: str) -> bool:
    """Read ``True`` or ``False``, also from ``true``, ``yes``, ``1``, ``false``, ``no``, ``0`` as text or number."""
    if isinstance(value, bool):
        return value
    refuse_template(value, of=of)
    known = SWITCHES.get(value.strip().lower()) if isinstance(value, str) else None
    if isinstance(value, int) and value in (0, 1):
        known = bool(value)
    if known is None:
        raise ValueError(f"{of}: {shown(value)} is not a switch; write true or false")
    return known


def as_number(value: object, *, of: str, least: float, most: float) -> float:
    """Read a finite number from ``least`` to ``most``, also from text."""
    refuse_template(value, of=of)
    number = _number(value)
    if number is None:
        raise ValueError(f"{of}: {shown(value)} is not a number")
    return _within(number, value, of=of, least=least, most=most)


def as_whole_number(value: object, *, of: str, least: int, most: int) -> int:
    """Read a whole number from ``least`` to ``most``, also from text."""
    number = as_number(value, of=of, least=least, most=most)
    if number != int(number):
        raise ValueError(f"{of}: {shown(value)} is not a whole number")
    return int(number)


def as_seconds(value: object, *, of: str, least: float, most: float) -> float:
    """Read seconds from ``least`` to ``most``: a number, a ``timedelta``, or text of a number or of ISO 8601."""
    refuse_template(value, of=of)
    seconds = value.total_seconds() if isinstance(value, timedelta) else _number(value)
    if seconds is None and isinstance(value, str) and (found := DURATION.fullmatch(value.strip())):
        parts = {name: float(number) for name, number in found.groupdict().items() if number}
        try:
            seconds = timedelta(**parts).total_seconds()
        except OverflowError:
            seconds = math.inf
    if seconds is None:
        raise ValueError(f"{of}: {shown(value)} is not a time; write seconds, PT15M, or timedelta(minutes=15)")
    return _within(seconds, value, of=of, least=least, most=most)


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        return float(text) if NUMBER.fullmatch(text) else None
    if not isinstance(value, Real | Decimal):
        return None
    try:
        number = float(value)
    except OverflowError:
        return math.inf
    except ValueError:  # a signalling NaN
        return None
    return None if math.isnan(number) else number


def _within(number: float, value: object, *, of: str, least: float, most: float) -> float:
    if not least <= number <= most:
        raise ValueError(f"{of}: {shown(value)} is not between {least:g} and {most:g}")
    return number
