# SPDX-License-Identifier: Apache-2.0
"""Write the commands of a ``batch`` as PHP reads them, and read what each of them came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from pydantic import BeforeValidator

from ..decoding import PhpMap, read_php_map


def _read_timings(value: object) -> Mapping[str, Any]:
    """Return the times by key; none for whatever is no array, since they only help."""
    try:
        return read_php_map(value)
    except ValueError:
        return {}


@dataclass(frozen=True, slots=True)
class BatchOutcomes:
    """The result of ``batch``: by key what each command came to, and how long it took."""

    result: PhpMap
    result_error: PhpMap
    result_time: Annotated[Mapping[str, Any], BeforeValidator(_read_timings)] = field(default_factory=dict)


def encode(method: str, params: Mapping[str, Any]) -> str:
    """Write one command as a query: ``{"FILTER": {"ID": [7, 8]}}`` as ``FILTER[ID][0]=7&FILTER[ID][1]=8``."""
    return f"{method}?{urlencode(list(_flat(params)), quote_via=quote)}"


def _flat(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in params.items():
        yield from _flat_value(key, value)


def _flat_value(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flat_value(f"{key}[{name}]", item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, item in enumerate(value):
            yield from _flat_value(f"{key}[{number}]", item)
    else:
        yield key, str(value)
