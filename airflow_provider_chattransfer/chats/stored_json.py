# SPDX-License-Identifier: Apache-2.0
"""Check JSON that was stored, by us or by another task, when it is read back."""

from __future__ import annotations

from functools import cache
from typing import Any


def read_stored(value: object, kind: Any, *, of: str) -> Any:
    """Return ``value`` as ``kind``, a type that pydantic knows; ``of`` names what is read.

    Raises ``ValueError`` that says which member is missing or wrong, and never repeats its content.
    """
    from pydantic import ValidationError

    try:
        return _adapter(kind).validate_python(value)
    except ValidationError as problem:
        path = problem.errors(include_url=False, include_context=False, include_input=False)[0]["loc"]
    wrong = f"{'.'.join(map(str, path))[:100]} is missing or wrong" if path else f"it is a {type(value).__name__}"
    raise ValueError(f"{of}: {wrong}")


@cache
def _adapter(kind: Any) -> Any:
    """Make the adapter of a type, once; pydantic is imported when something is read, not while a DAG is parsed."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
