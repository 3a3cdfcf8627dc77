# SPDX-License-Identifier: Apache-2.0
"""Decide who gets which chat. The same chats, targets and loads always give the same plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum

from .inputs import refuse_template, shown
from .model import Chat, Target, Transfer


class Strategy(StrEnum):
    """How chats are shared out.

    ``round_robin``: in turn, so that nobody gets two chats more than another. ``least_loaded``: to the receiver with
    the fewest open chats, counting those that the plan gives them. ``keep_together``: all chats of one customer to one
    target, and each customer to the receiver who has been given the fewest chats.
    """

    ROUND_ROBIN = "round_robin"
    LEAST_LOADED = "least_loaded"
    KEEP_TOGETHER = "keep_together"

    @classmethod
    def parse(cls, text: object) -> Strategy:
        """Read a strategy as a user writes it; raises ``ValueError`` for an unknown one."""
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
    """Plan one transfer for each chat, in the order of ``chats``.

    A chat that one of the targets already has, or has been offered, is planned for that target, so that the run finds
    it unchanged. A closed chat does not count as given. ``loads`` are the open chats that each target has before the
    run; 0 for a target that is not in it. ``sources`` are those from whom the chats are taken: each transfer carries
    its own, so that a chat that has gone elsewhere by then is left alone. Raises ``ValueError`` when there are no
    targets.
    """
    if not targets:
        raise ValueError("to: the list is empty")
    receivers = list(dict.fromkeys(targets))
    open_chats: Counter[Target] = Counter(loads or {}) if strategy is Strategy.LEAST_LOADED else Counter()
    together = strategy is Strategy.KEEP_TOGETHER
    receiver_of_customer: dict[str, Target] = {}
    for chat in chats:
        if (present_receiver := _present_receiver(chat, receivers)) is not None:
            receiver_of_customer.setdefault(_customer(chat), present_receiver)

    chosen: dict[str, Target] = {}
    for group in _groups(chats, together=together):
        moving = [chat for chat in group if _present_receiver(chat, receivers) is None]
        if not moving:
            continue
        target = receiver_of_customer.get(_customer(group[0])) if together else None
        target = target or min(receivers, key=lambda candidate: open_chats[candidate])
        open_chats[target] += sum(not chat.closed for chat in moving)
        chosen.update((chat.id, target) for chat in moving)
    return [_transfer(chat, _present_receiver(chat, receivers) or chosen[chat.id], sources) for chat in chats]


def _transfer(chat: Chat, target: Target, sources: Collection[Target]) -> Transfer:
    if chat.holder in sources:
        return Transfer(chat_id=chat.id, target=target, source=chat.holder)
    if chat.offered_to is not None and (offered_to_agent := Target.agent(chat.offered_to)) in sources:
        return Transfer(chat_id=chat.id, target=target, source=offered_to_agent, offered=True)
    return Transfer(chat_id=chat.id, target=target)


def _present_receiver(chat: Chat, targets: Collection[Target]) -> Target | None:
    """Return the target that has been offered this chat, or owns it."""
    holders = (Target.agent(agent) for agent in (chat.offered_to, chat.owner) if agent is not None)
    return next((holder for holder in holders if holder in targets), None)


def _customer(chat: Chat) -> str:
    return chat.customer if chat.customer is not None else f"chat {chat.id}"


def _groups(chats: Iterable[Chat], *, together: bool) -> Iterable[list[Chat]]:
    """Return the chats that must not be separated, in the order in which they first appear."""
    groups: dict[str, list[Chat]] = {}
    for chat in chats:
        groups.setdefault(_customer(chat) if together else chat.id, []).append(chat)
    return groups.values()
