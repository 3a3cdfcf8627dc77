# SPDX-License-Identifier: Apache-2.0
"""Describe what a service lets an account do, and what the account lacks for more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MAX_CLOCK_DIFFERENCE_SECONDS = 5.0
"""Seconds. Two clocks that differ by less are called even: the service tells its time in whole seconds."""


@dataclass(frozen=True, slots=True)
class Capability:
    """Something that the provider does, by its name in a sentence: ``transfer``, ``list``, ``wait``, ``accept``.

    ``missing`` says what it lacks, and where to give it; ``None`` when it lacks nothing. ``needed`` tells that a
    connection like this one is useless without it.
    """

    name: str
    missing: str | None = None
    needed: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionCheck:
    """What a service told about an account.

    ``where`` is the portal or tenant, ``who`` the account in it and how it signed in; ids and our own words, no
    person's name. ``remarks`` are sentences about what else was found. ``clock_ahead`` is by how many seconds the
    service's clock is ahead of ours.
    """

    where: str
    who: str
    capabilities: Sequence[Capability]
    clock_ahead: float = 0.0
    remarks: Sequence[str] = ()

    @property
    def is_good(self) -> bool:
        """Whether the connection serves its purpose."""
        return not any(right.missing and right.needed for right in self.capabilities)

    def __str__(self) -> str:
        """Return some sentences for an administrator."""
        able = [right.name for right in self.capabilities if right.missing is None]
        told = [f"Signed in to {self.where} as {self.who}."]
        if able:
            told.append(f"It can {_listed(able)}.")
        told += [
            f"It cannot {right.name}: {right.missing}." for right in self.capabilities if right.missing is not None
        ]
        told += [*self.remarks, _clocks(self.clock_ahead)]
        return " ".join(told)


def _clocks(ahead: float) -> str:
    if abs(ahead) < MAX_CLOCK_DIFFERENCE_SECONDS:
        return "Its clock and ours are even."
    return f"Its clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} ours: set this machine's clock."


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
