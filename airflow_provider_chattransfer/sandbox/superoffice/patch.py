# SPDX-License-Identifier: Apache-2.0
"""Changes to an entity as SuperOffice's PATCH pages describe them: JSON Patch and JSON Merge Patch.

JSON Patch knows `add`, `replace`, `remove` and `test`; paths are blind to case and may leave out the first slash.
A merge patch is turned into such operations. Carriers of chat have no lists that could be patched item by item.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any


class ConflictError(Exception):
    """A `test` operation found another value."""


def patched(entity: Mapping[str, Any], changes: Any) -> dict[str, Any]:
    """Return a copy of ``entity`` with all ``changes``; raises `ConflictError`, and `ValueError` for no patch."""
    result = deepcopy(dict(entity))
    for operation in _operations(changes):
        _apply(result, {str(name).casefold(): value for name, value in operation.items()})
    return result


def _operations(changes: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(changes, dict):
        yield from _merged(changes, "")
    elif isinstance(changes, list) and all(isinstance(operation, dict) for operation in changes):
        yield from changes
    else:
        raise ValueError("A patch is a list of operations, or an object.")


def _merged(changes: Mapping[str, Any], prefix: str) -> Iterator[Mapping[str, Any]]:
    for name, value in changes.items():
        if isinstance(value, dict):
            yield from _merged(value, f"{prefix}/{name}")
        else:
            yield {"op": "replace", "path": f"{prefix}/{name}", "value": value}


def _apply(entity: dict[str, Any], operation: Mapping[str, Any]) -> None:
    op, path = str(operation.get("op", "")).casefold(), str(operation.get("path", ""))
    owner, name = _located(entity, [part.casefold() for part in path.strip("/").split("/")])
    if op == "test":
        if owner[name] != operation.get("value"):
            raise ConflictError(f"The value of {path} is another.")
    elif op in ("add", "replace"):
        owner[name] = operation.get("value")
    elif op == "remove":
        owner[name] = None
    else:
        raise ValueError(f"The operation {op!r} is not supported.")


def _located(entity: dict[str, Any], parts: list[str]) -> tuple[dict[str, Any], str]:
    """Return the object that holds the member at the path, and the member's name as it is written there."""
    names = {name.casefold(): name for name in entity}
    if (name := names.get(parts[0])) is None:
        raise ValueError(f"There is no member {parts[0]!r}.")
    if len(parts) == 1:
        return entity, name
    if not isinstance(inner := entity[name], dict):
        inner = entity[name] = dict.fromkeys(parts[1:2])
    return _located(inner, parts[1:])
