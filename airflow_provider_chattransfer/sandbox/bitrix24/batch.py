# SPDX-License-Identifier: Apache-2.0
"""``batch``: up to 50 commands in one request, with the peculiarities of the server.

Documented at https://apidocs.bitrix24.com (how to call REST: batch). Behavior as in the server source
``rest/classes/general/rest_provider.php``: always HTTP 200, and five maps that are PHP arrays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import errors, php
from .errors import RestError

MAX_COMMANDS = 50
FORBIDDEN_METHODS = {"batch", "upload", "download"}
_REFERENCE = re.compile(r"\$(result|error|next|total|time)(\S*)")
_KEY = re.compile(r"\[([^\]]+)\]")


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of one command."""

    result: Any
    total: int | None
    next: int | None
    time: dict[str, Any]


Execute = Callable[[str, dict[str, Any]], CommandResult]


@dataclass(slots=True)
class Results:
    """The five maps of a response, keyed like the commands."""

    result: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] = field(default_factory=dict)
    total: dict[str, Any] = field(default_factory=dict)
    next: dict[str, Any] = field(default_factory=dict)
    time: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the response's ``result``; each map is ``[]``, a list or an object, as PHP encodes it."""
        return {
            "result": php.array(self.result),
            "result_error": php.array(self.error),
            "result_total": php.array(self.total),
            "result_next": php.array(self.next),
            "result_time": php.array(self.time),
        }


def parse_commands(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the commands by their keys; a list has the keys 0, 1, 2 and so on."""
    cmd = php.upper_keys(params).get("CMD")
    if isinstance(cmd, list):
        return {str(index): command for index, command in enumerate(cmd)}
    return dict(cmd) if isinstance(cmd, dict) else {}


def method_of(command: Any) -> str:
    """Return the method that a command names, as faults name it; empty for a command that is no string."""
    return command.partition("?")[0].removesuffix(".json") if isinstance(command, str) else ""


def check_commands(params: Mapping[str, Any]) -> None:
    """Raise ``RestError`` for too many commands and for forbidden methods.

    The documentation gives both a status of their own. By the server source both are errors of single commands instead.
    """
    cmd = parse_commands(params)
    if len(cmd) > MAX_COMMANDS:
        raise errors.batch_length()
    if any(method_of(command).lower() in FORBIDDEN_METHODS for command in cmd.values()):
        raise errors.batch_method()


def run_commands(params: Mapping[str, Any], execute: Execute) -> dict[str, Any]:
    """Run the commands in order. A command beyond the fiftieth, or one that is no string, does not run.

    ``halt`` is true by PHP's rules: the string ``"N"`` is true.
    """
    halt = not php.is_empty(php.upper_keys(params).get("HALT"))
    results = Results()
    for index, (key, command) in enumerate(parse_commands(params).items()):
        if index < MAX_COMMANDS and not isinstance(command, str):
            continue
        try:
            if index >= MAX_COMMANDS:
                raise errors.batch_length()
            _run_command(key, command, results, execute)
        except RestError as problem:
            results.error[key] = problem.to_json()
            if halt:
                break
    return results.to_json()


def _run_command(key: str, command: str, results: Results, execute: Execute) -> None:
    name, _, query = command.partition("?")
    if name.lower() in FORBIDDEN_METHODS:
        raise errors.batch_method()
    answer = execute(name, _substitute(php.parse_str(query.partition("#")[0]), results))
    results.result[key] = answer.result
    results.time[key] = answer.time
    if answer.total is not None:
        results.total[key] = answer.total
    if answer.next is not None:
        results.next[key] = answer.next


def _substitute(value: Any, results: Results) -> Any:
    """Return ``value`` with ``$result[key][field]`` and its kin replaced by earlier results. It cannot be escaped.

    By the server source ``rest/classes/general/rest_util.php`` (``processBatchElement``) a reference extends to the
    next white space, so whatever follows its last bracket is lost. A reference that leads nowhere becomes as much as
    could be found. One inside a longer text is replaced only by a number or a text.
    """
    if isinstance(value, dict):
        return {key: _substitute(item, results) for key, item in value.items()}
    if isinstance(value, list):
        return [_substitute(item, results) for item in value]
    text = value
    for match in _REFERENCE.finditer(value):
        keys = _KEY.findall(match[2])
        found = _look_up(getattr(results, match[1]), keys)
        if keys and match[0] == value:
            return found
        if keys and (isinstance(found, str) or php.is_numeric(found)):
            text = text.replace(match[0], php.to_str(found))
    return text


def _look_up(value: Any, keys: list[str]) -> Any:
    """Follow ``keys`` into ``value`` as far as they lead."""
    for key in keys:
        array = {str(index): item for index, item in enumerate(value)} if isinstance(value, list) else value
        if not isinstance(array, dict) or array.get(key) is None:
            return value
        value = array[key]
    return value
