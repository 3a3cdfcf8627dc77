# SPDX-License-Identifier: Apache-2.0
"""What is said in a session: its messages, a new one, the transcript; and whether its topic is open."""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import Any, TypeVar

from . import errors
from .ask import Ask
from .carriers import BLANK_MESSAGE
from .model import ChatSession, Message, MessageType, SpecialType, Topic
from .sessions import Sessions

Kind = TypeVar("Kind", MessageType, SpecialType)


def messages(ask: Ask, session: ChatSession, *, after: int) -> list[dict[str, Any]]:
    """`ChatMessage` of those that come after the one with the id ``after``; 0 for all."""
    return [ask.carriers.message(session, message) for message in session.messages if message.id > after]


def add(ask: Ask, session: ChatSession, value: Any, *, sessions: Sessions) -> dict[str, Any]:
    """Add the `ChatMessage` ``value``: its type, text, author (else the caller) and special members. Its id and time
    are the server's."""
    given = ask.entity(value, "Message", like=BLANK_MESSAGE)
    message = {
        "type": _named(MessageType, given["Type"], "Type", ask),
        "text": given["Message"] or "",
        "author": given["Author"] or ask.caller.full_name,
        "special": _named(SpecialType, given["SpecialType"], "SpecialType", ask),
        "param": given["SpecialParam"] or "",
    }
    return ask.carriers.message(session, sessions.say(session, message, actor=ask.actor))


def transcript(ask: Ask, session: ChatSession, *, html: bool) -> str:
    """What was written, a line or paragraph each; how SuperOffice lays it out is not documented."""
    lines = [_line(ask, message) for message in session.messages if message.type is not MessageType.SPECIAL]
    return "".join(f"<p>{escape(line)}</p>" for line in lines) if html else "\r\n".join(lines)


def is_open(topic: Topic, *, at: float, ask: Ask) -> bool:
    """Whether ``at`` is within the topic's opening hours (`08:00` to `16:00`, in the server's time zone); always,
    when they are not enabled."""
    hours = topic.stored.get("OpeningHours")
    if not topic.stored.get("OpeningHoursEnabled") or hours is None:
        return True
    moment = datetime.fromtimestamp(at, ask.dates.base)
    day, time = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.weekday()], f"{moment:%H:%M}"
    lunch = hours["UseLunchHours"] and hours["LunchStart"] <= time < hours["LunchStop"]
    return bool(hours[f"{day}Enabled"] and hours[f"{day}Start"] <= time < hours[f"{day}Stop"] and not lunch)


def _line(ask: Ask, message: Message) -> str:
    return f"[{ask.dates.row(message.posted)}] {message.author}: {message.text}"


def _named(kind: type[Kind], text: str | None, name: str, ask: Ask) -> Kind:
    """The member of an enum with this name in any case; its zero for none."""
    members = list(kind)
    wanted = (text or members[0].value).casefold()
    found = next((member for member in members if member.value.casefold() == wanted), None)
    if found is None:
        raise errors.unbound(name, f"SuperOffice.Data.Chat{kind.__name__}", status=ask.unbound_status)
    return found
