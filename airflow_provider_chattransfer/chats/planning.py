# SPDX-License-Identifier: Apache-2.0
"""Who gets which chat. Pure: the same chats, targets and loads give the same plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum

from .inputs import refuse_template, shown
from .model import Chat, Target, Transfer


class Strategy(StrEnum):
    """How chats are shared out.

    ``round_robin``: in turn, so that nobody gets more than one chat more than another. ``least_loaded``: to
    whoever has the fewest open chats, counting those that they are being given. ``keep_together``: all chats of
    one customer to one target, and the customers to whoever has been given the fewest chats.
    """

    ROUND_ROBIN = "round_robin"
    LEAST_LOADED = "least_loaded"
    KEEP_TOGETHER = "keep_together"

    @classmethod
    def parse(cls, text: object) -> Strategy:
        """Read a strategy as a user writes it; raises ``ValueError`` for one that there is not."""
        refuse_template(text, of="strategy")
        try:
            return cls(text.strip().lower() if isinstance(text, str) else "")
        except ValueError:
            raise ValueError(f"strategy: {shown(text)} is none of {', '.join(cls)}") from None


def plan_transfers(
    chats: Sequence[Chat],
    targets: Sequence[Target],
    *,
    strategy: Strategy = Strategy.ROUND_ROBIN,
    loads: Mapping[Target, int] | None = None,
    sources: Collection[Target] = (),
) -> list[Transfer]:
    """One transfer for each chat, in the order of ``chats``.

    A chat that one of the targets already has, or has been asked to take, is planned for that target, so that
    the run finds it unchanged and nobody is given a chat that they already have. A closed chat takes nobody's turn.
    ``loads`` are the open chats that each target has before the run; a target that is not in it has none.
    ``sources`` are those from whom the chats are taken: each transfer remembers its own, so that a chat that has
    gone elsewhere by then is left alone.
    """
    if not targets:
        raise ValueError("to: the list is empty")
    ring = list(dict.fromkeys(targets))
    given: Counter[Target] = Counter(loads or {}) if strategy is Strategy.LEAST_LOADED else Counter()
    together = strategy is Strategy.KEEP_TOGETHER
    at_home: dict[str, Target] = {}
    for chat in chats:
        if (home := _home(chat, ring)) is not None:
            at_home.setdefault(_customer(chat), home)

    chosen: dict[str, Target] = {}
    for group in _groups(chats, together=together):
        moving = [chat for chat in group if _home(chat, ring) is None]
        if not moving:
            continue
        target = at_home.get(_customer(group[0])) if together else None
        target = target or min(ring, key=lambda candidate: given[candidate])
        given[target] += sum(not chat.closed for chat in moving)
        chosen.update((chat.id, target) for chat in moving)
    return [_transfer(chat, _home(chat, ring) or chosen[chat.id], sources) for chat in chats]


def _transfer(chat: Chat, target: Target, sources: Collection[Target]) -> Transfer:
    if chat.holder in sources:
        return Transfer(chat_id=chat.id, target=target, source=chat.holder)
    if chat.offered_to is not None and (ringing_at := Target.agent(chat.offered_to)) in sources:
        return Transfer(chat_id=chat.id, target=target, source=ringing_at, offered=True)
    return Transfer(chat_id=chat.id, target=target)


def _home(chat: Chat, targets: Collection[Target]) -> Target | None:
    """The target that has been asked to take this chat, or has it already."""
    holders = (Target.agent(agent) for agent in (chat.offered_to, chat.owner) if agent is not None)
    return next((holder for holder in holders if holder in targets), None)


def _customer(chat: Chat) -> str:
    return chat.customer if chat.customer is not None else f"chat {chat.id}"


def _groups(chats: Iterable[Chat], *, together: bool) -> Iterable[list[Chat]]:
    """The chats that must not be separated, in the order in which they first appear."""
    groups: dict[str, list[Chat]] = {}
    for chat in chats:
        groups.setdefault(_customer(chat) if together else chat.id, []).append(chat)
    return groups.values()
