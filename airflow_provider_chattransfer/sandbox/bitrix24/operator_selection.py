# SPDX-License-Identifier: Apache-2.0
"""Selects the operator of a line who is asked next. It changes nothing."""

from __future__ import annotations

from .model import Line, PortalData, QueueType, Session, UserKind


def next_operator(data: PortalData, line: Line, session: Session) -> int | None:
    """Return the next member of ``line`` to be asked for ``session``, or ``None``; nobody is asked twice.

    The rules of the line: availability if the line checks it, the limit of chats per operator, and the order of its
    type (server source ``imopenlines/lib/queue/queue.php``).
    """
    return next((user for user in _in_order(line) if user not in session.asked and can_receive(data, line, user)), None)


def can_receive(data: PortalData, line: Line, user_id: int) -> bool:
    """Return whether ``line`` would give ``user_id`` one more chat."""
    if data.users[user_id].kind is not UserKind.EMPLOYEE or not is_at_work(data, line, user_id):
        return False
    return not line.max_chat or data.load_of(user_id) < line.max_chat


def is_at_work(data: PortalData, line: Line, user_id: int) -> bool:
    """Return whether ``user_id`` counts as being at work in ``line``; bots always do.

    Server source ``imopenlines/lib/queue.php``, ``isOperatorActive``.
    """
    user = data.users[user_id]
    if user.kind in (UserKind.BOT, UserKind.CONNECTOR):
        return True
    return user.active and (user.available or not line.check_available)


def _in_order(line: Line) -> list[int]:
    if line.queue_type is QueueType.STRICTLY or line.last_served not in line.members:
        return line.members
    after = line.members.index(line.last_served) + 1
    return line.members[after:] + line.members[:after]
