# SPDX-License-Identifier: Apache-2.0
"""Look up people and queues that a user names; what the directories of both services share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from unicodedata import normalize

from ..chats.model import Target

MAX_CANDIDATES = 5
"""How many people or queues an error offers in place of the one that it did not find."""

MAX_LABEL_LETTERS = 24
"""Letters of a person's or a queue's name in an error."""

MIN_SIMILARITY = 0.6
"""The share of equal letters from which a name is offered in place of another."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A person or a queue as a service lists it, with every name it goes by; the first of ``names`` is shown.

    Never a customer.
    """

    target: Target
    names: tuple[str, ...]

    def __str__(self) -> str:
        label = next(iter(self.names), "")
        return f"{self.target} ({label[:MAX_LABEL_LETTERS]})" if label.isprintable() and label else str(self.target)


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why a target stands for nobody: the text of an error after the name of the option."""

    why: str


class Directory(ABC):
    """The people and queues of a service, by number and by name; asked once, then remembered."""

    def __init__(self) -> None:
        self._known: dict[Target, Target | Unresolved] = {}

    def resolve(self, targets: Sequence[Target], *, of: str) -> Mapping[Target, Target]:
        """Return each of ``targets`` by its number.

        ``of`` names the option in the ``ValueError`` for what does not exist.

        Where the service does not let this account ask, a number passes and a name does not. Raises a
        ``PlatformError``.
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
    """Return the one of ``entries`` that has the name of ``target``; ``near`` are those to offer when none has."""
    found = matching(target, entries)
    if len(found) == 1:
        return next(iter(found))
    if found:
        return Unresolved(f"{short(target)} may be {_either(found.values())}; write the number")
    offered = {entry.target: entry for entry in near}
    advice = f"; did you mean {_either(offered.values())}?" if offered else "; check the spelling, or write the number"
    return Unresolved(f"there is no {short(target)}{advice}")


def matching(target: Target, entries: Iterable[Entry]) -> dict[Target, Entry]:
    """Return those of ``entries`` that have the name of ``target``, ordered by number."""
    wanted = folded(target.name or "")
    return {entry.target: entry for entry in entries if wanted in map(folded, entry.names)}


def closest(name: str, entries: Iterable[Entry]) -> list[Entry]:
    """Return those of ``entries`` whose name contains ``name``, or resembles it; the most similar first."""
    wanted = folded(name)

    def likeness(entry: Entry) -> float:
        return max((SequenceMatcher(None, wanted, folded(each)).ratio() for each in entry.names), default=0.0)

    scored = [
        (1.0 if any(wanted in folded(each) for each in entry.names) else likeness(entry), entry) for entry in entries
    ]
    return [entry for score, entry in sorted(scored, key=lambda pair: -pair[0]) if score >= MIN_SIMILARITY][
        :MAX_CANDIDATES
    ]


def not_allowed(target: Target, why: object) -> Unresolved:
    """Say that the service does not let this account look ``target`` up."""
    return Unresolved(f"{short(target)} cannot be looked up, write the number: {why}")


def short(target: Target) -> str:
    """Return a target as an error shows it."""
    text = str(target)
    return text if len(text) <= 2 * MAX_LABEL_LETTERS else f"{text[: 2 * MAX_LABEL_LETTERS]}…"


def folded(name: str) -> str:
    """Return a name as names are compared: without regard to case, white space and how a letter is composed."""
    return " ".join(normalize("NFKC", name).casefold().split())


def _either(entries: Iterable[Entry]) -> str:
    named = [str(entry) for entry in entries]
    more = [f"{len(named) - MAX_CANDIDATES} more"] if len(named) > MAX_CANDIDATES else []
    *first, last = [*named[:MAX_CANDIDATES], *more]
    return f"{', '.join(first)} or {last}" if first else last
