# SPDX-License-Identifier: Apache-2.0
"""People and queues that a user names, looked up in a service: what both services' directories share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from unicodedata import normalize

from ..chats.model import Target

CANDIDATES = 5
"""How many people or queues an error offers in place of the one that it did not find."""

LONGEST_LABEL = 24
"""Letters of a person's or a queue's name in an error."""

SIMILAR = 0.6
"""From what share of equal letters on a name is offered for another one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A person or a queue as a service lists it, and everything that it may be called; the first of ``names`` is shown.

    Never a customer.
    """

    target: Target
    names: tuple[str, ...]

    def __str__(self) -> str:
        label = next(iter(self.names), "")
        return f"{self.target} ({label[:LONGEST_LABEL]})" if label.isprintable() and label else str(self.target)


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why a target is nobody's: an error's words after the name of the option."""

    why: str


class Directory(ABC):
    """Who and what there is on a service, by number and by name; asked once, then remembered."""

    def __init__(self) -> None:
        self._known: dict[Target, Target | Unresolved] = {}

    def resolve(self, targets: Sequence[Target], *, of: str) -> Mapping[Target, Target]:
        """Each of ``targets`` by its number; ``of`` names the option in the ``ValueError`` for what is not there.

        A number passes where the service does not let this account ask; a name does not. Raises a ``PlatformError``.
        """
        own_queue = [target for target in targets if target.id is None and target.name is None]
        self._known.update(dict(zip(own_queue, own_queue, strict=True)))
        if unknown := [target for target in dict.fromkeys(targets) if target not in self._known]:
            self._known.update(self.look_up(unknown))
        found = {target: self._known[target] for target in targets}
        resolved = {target: each for target, each in found.items() if isinstance(each, Target)}
        if wrong := [each.why for each in found.values() if isinstance(each, Unresolved)]:
            more = f" (and so for {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            raise ValueError(f"{of}: {wrong[0]}{more}")
        return resolved

    @abstractmethod
    def look_up(self, targets: Sequence[Target]) -> Mapping[Target, Target | Unresolved]:
        """Ask the service for ``targets``, in as few requests as it allows."""


def called(target: Target, entries: Iterable[Entry], *, near: Iterable[Entry] = ()) -> Target | Unresolved:
    """The one of ``entries`` that has the name of ``target``; ``near`` are those to offer when none has."""
    found = matching(target, entries)
    if len(found) == 1:
        return next(iter(found))
    if found:
        return Unresolved(f"{short(target)} may be {_either(found.values())}; write the number")
    offered = {entry.target: entry for entry in near}
    advice = f"; did you mean {_either(offered.values())}?" if offered else "; check the spelling, or write the number"
    return Unresolved(f"there is no {short(target)}{advice}")


def matching(target: Target, entries: Iterable[Entry]) -> dict[Target, Entry]:
    """Those of ``entries`` that have the name of ``target``, by number."""
    wanted = folded(target.name or "")
    return {entry.target: entry for entry in entries if wanted in map(folded, entry.names)}


def closest(name: str, entries: Iterable[Entry]) -> list[Entry]:
    """Those of ``entries`` whose name has ``name`` in it, or looks like it; the most alike first."""
    wanted = folded(name)

    def likeness(entry: Entry) -> float:
        return max((SequenceMatcher(None, wanted, folded(each)).ratio() for each in entry.names), default=0.0)

    scored = [
        (1.0 if any(wanted in folded(each) for each in entry.names) else likeness(entry), entry) for entry in entries
    ]
    return [entry for score, entry in sorted(scored, key=lambda pair: -pair[0]) if score >= SIMILAR][:CANDIDATES]


def not_allowed(target: Target, why: object) -> Unresolved:
    """That the service does not let this account look ``target`` up."""
    return Unresolved(f"{short(target)} cannot be looked up, write the number: {why}")


def short(target: Target) -> str:
    """A target as an error shows it."""
    text = str(target)
    return text if len(text) <= 2 * LONGEST_LABEL else f"{text[: 2 * LONGEST_LABEL]}…"


def folded(name: str) -> str:
    """A name as names are compared: without regard to case, to white space and to how a letter is composed."""
    return " ".join(normalize("NFKC", name).casefold().split())


def _either(entries: Iterable[Entry]) -> str:
    named = [str(entry) for entry in entries]
    more = [f"{len(named) - CANDIDATES} more"] if len(named) > CANDIDATES else []
    *first, last = [*named[:CANDIDATES], *more]
    return f"{', '.join(first)} or {last}" if first else last
