# SPDX-License-Identifier: Apache-2.0
"""The portal as ``GET /sandbox/state`` shows it."""

from __future__ import annotations

from typing import Any

from .model import Chat, PortalData, UserKind


def portal_state(data: PortalData) -> dict[str, Any]:
    """Return agents, queues and chats; ids are strings."""
    agents = [user for user in data.users.values() if user.kind is UserKind.EMPLOYEE and not user.admin]
    return {
        "agents": [
            {
                "id": str(user.id),
                "name": user.name,
                "active": user.active,
                "present": user.present,
                "paused": user.paused,
            }
            for user in agents
        ],
        "queues": [
            {"id": str(line.id), "name": line.name, "members": [str(user) for user in line.members]}
            for line in data.lines.values()
            if not line.deleted
        ],
        "chats": [_chat(data, chat) for chat in data.chats.values()],
    }


def _chat(data: PortalData, chat: Chat) -> dict[str, Any]:
    session = data.sessions[chat.session or chat.last_session]
    waiting = bool(chat.session) and not chat.owner
    return {
        "id": str(chat.id),
        "state": "closed" if not chat.session else "waiting" if waiting else "open",
        "owner": str(chat.owner) if chat.owner else None,
        "offered_to": str(session.operator) if waiting and session.operator else None,
        "queue": str(session.line),
        "customer": str(chat.customer),
        "transfers": chat.transfers,
        "messages": chat.messages,
        "session": str(chat.session),
    }
