# SPDX-License-Identifier: Apache-2.0
"""Read how a user refers to chats, people and queues, alone and in lists; only a service can tell whether they exist.

Every reader raises ``ValueError`` with the name of the option, what was given (at most 150 letters) and what may be
written. A single target is read by ``Target.parse``.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable, KeysView, Mapping, Set
from numbers import Integral
from typing import Any, TypeVar

from .inputs import MAX_ID, as_id, is_whole_number, refuse_template, shown
from .model import Target, TargetKind

T = TypeVar("T")

REFERENCE = re.compile(r"(chat|session:|crm:(?:lead|deal|contact|company):)?(\d{1,30})", re.ASCII)
"""A chat by its number, by its session's number, or by the CRM entity that it belongs to."""

CHATS = "112, 'chat112', or on Bitrix24 'crm:deal:42' or 'session:332'"
PEOPLE = "12, 'agent:12' or 'agent:jane@example.com'"
QUEUES = "3, 'queue:3' or 'queue:Support'"


def as_person(value: object, *, of: str) -> Target:
    """Read a person: ``12``, ``"12"``, ``"agent:12"``, or with a name, ``"agent:jane@example.com"``."""
    try:
        person = Target.parse(value, of=of)
    except ValueError as problem:
        raise _with_advice(problem, PEOPLE) from None
    if not person.is_agent:
        raise ValueError(f"{of}: {shown(value)} is a queue, not a person; write {PEOPLE}")
    return person


def as_queue(value: object, *, of: str) -> Target:
    """Read a certain queue: ``3``, ``"3"``, ``"queue:3"``, or with a name, ``"queue:Support"``."""
    if isinstance(value, Integral) or (isinstance(value, str) and value.strip().isdigit()):
        return Target(TargetKind.QUEUE, as_id(value, of=of))
    try:
        queue = Target.parse(value, of=of)
    except ValueError as problem:
        raise _with_advice(problem, QUEUES) from None
    if queue.is_agent or queue == Target(TargetKind.QUEUE):
        raise ValueError(f"{of}: {shown(value)} does not say which queue; write {QUEUES}")
    return queue


def as_chat(value: object, *, of: str) -> str:
    """Return the canonical reference to a chat: its number as a string, ``session:332`` or ``crm:deal:42``."""
    refuse_template(value, of=of)
    text = str(int(value)) if is_whole_number(value) and 0 < int(value) <= MAX_ID else value
    found = REFERENCE.fullmatch(text.strip().lower()) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{of}: {shown(value)} is not a chat; write {CHATS}")
    kind, number = found.groups(default="")
    return kind.removeprefix("chat") + as_id(number, of=of)


def is_chat_id(reference: str) -> bool:
    """Tell whether a canonical reference is the chat's own number, so that nothing has to be looked up."""
    return reference.isdigit()


def persons(values: object, *, of: str) -> list[Target]:
    """Read a list of people, each once and in the order given; an empty list stays empty."""
    return _read_each(as_person, values, of=of, example="['agent:12', 'agent:15']", order=_order_of_targets)


def targets(values: object, *, of: str) -> list[Target]:
    """Read a list of targets, each once and in the order given; an empty list stays empty."""
    return _read_each(Target.parse, values, of=of, example="['agent:12', 'queue:3']", order=_order_of_targets)


def chats(values: object, *, of: str) -> list[str]:
    """Read a list of references to chats, each once and in the order given; an empty list stays empty."""
    return _read_each(as_chat, values, of=of, example="[112, 113]", order=lambda chat: (len(chat), chat))


def rows(value: object, *, of: str) -> list[Mapping[str, Any]]:
    """Read a list of mappings, whatever is in them; an empty list stays empty."""
    example = "[{'chat_id': 112, 'to': 'agent:12'}]"
    given = list(_items(value, of=of, example=example))
    for position, row in enumerate(given):
        if not isinstance(row, Mapping):
            raise ValueError(f"{of}[{position}]: {shown(row)} is not a mapping; write {example}")
    return given


def _read_each(
    read: Callable[..., T], values: object, *, of: str, example: str, order: Callable[[T], tuple[Any, ...]]
) -> list[T]:
    """Return what ``read`` makes of each of ``values``, without repetitions.

    A set has another order in each process: its items are sorted by ``order``.
    """
    items = _items(values, of=of, example=example)
    if isinstance(items, Set) and not isinstance(items, KeysView):
        return sorted({read(item, of=of) for item in items}, key=order)
    return list(dict.fromkeys(read(item, of=f"{of}[{position}]") for position, item in enumerate(items)))


def _items(values: object, *, of: str, example: str) -> Iterable[Any]:
    """Return ``values`` where it is a list, a set or any other iterable; for text, the list that is written in it."""
    if values is None:
        raise ValueError(f"{of}: nothing was given (None), as by a task that left no report; write {example}")
    items = _parse_list(values, of=of) if isinstance(values, str) else values
    if isinstance(items, str | bytes | bytearray | memoryview | Mapping) or not isinstance(items, Iterable):
        raise ValueError(f"{of}: {shown(values)} is not a list; write {example}")
    return items


def _parse_list(text: str, *, of: str) -> object:
    """Return the list that is written in ``text`` as JSON or as Python; Jinja renders a list as the latter."""
    refuse_template(text, of=of)
    for read in (json.loads, ast.literal_eval) if text.strip()[:1] in ("[", "(", "{") else ():
        try:
            value = read(text.strip())
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(value, list | tuple | set):
            return value
    raise ValueError(
        f"{of}: {shown(text)} is text, not a list; give the list itself, task.output, or a template in a DAG with "
        "render_template_as_native_obj=True"
    )


def _order_of_targets(target: Target) -> tuple[Any, ...]:
    return (target.kind, len(target.id or ""), target.id or "", target.name or "")


def _with_advice(problem: ValueError, write: str) -> ValueError:
    """Return the same error, with ``write`` in place of its advice on what may be written, if it has one."""
    what, advice, _ = str(problem).partition("; write ")
    return ValueError(f"{what}{advice}{write}") if advice else problem
