# SPDX-License-Identifier: Apache-2.0
"""Who of a line is asked next. A pure choice; nothing is changed here."""

from __future__ import annotations

from .model import Kind, Line, QueueType, Session, World


def next_operator(world: World, line: Line, session: Session) -> int | None:
    """The next member of ``line`` who has not been asked for ``session`` and may get it; ``None`` if nobody is left.

    The rules of the line: availability if it checks it, the limit of chats per operator, and the order of its
    type (server source ``imopenlines/lib/queue/queue.php``).
    """
    return next((user for user in _in_order(line) if user not in session.asked and may_get(world, line, user)), None)


def may_get(world: World, line: Line, user_id: int) -> bool:
    """Whether ``line`` would give ``user_id`` one more chat."""
    if world.users[user_id].kind is not Kind.EMPLOYEE or not is_active(world, line, user_id):
        return False
    return not line.max_chat or world.load_of(user_id) < line.max_chat


def is_active(world: World, line: Line, user_id: int) -> bool:
    """Whether ``user_id`` counts as being at work in ``line``; bots always do (server source
    ``imopenlines/lib/queue.php``, ``isOperatorActive``)."""
    user = world.users[user_id]
    if user.kind in (Kind.BOT, Kind.CONNECTOR):
        return True
    return user.active and (user.available or not line.check_available)


def _in_order(line: Line) -> list[int]:
    if line.queue_type is QueueType.STRICTLY or line.last_served not in line.members:
        return line.members
    after = line.members.index(line.last_served) + 1
    return line.members[after:] + line.members[:after]
