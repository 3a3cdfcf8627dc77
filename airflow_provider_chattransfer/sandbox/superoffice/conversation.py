# SPDX-License-Identifier: Apache-2.0
"""What is said in a session: its messages, a new one, the transcript; and whether its topic is open."""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import Any, TypeVar

from . import errors
from .binding import WebApiCall
from .carriers import BLANK_MESSAGE
from .model import ChatSession, Message, MessageType, SpecialType, Topic
from .sessions import Sessions
from .switches import Switches

Kind = TypeVar("Kind", MessageType, SpecialType)

NUMBERS = {MessageType: range(4), SpecialType: (*range(4), *range(5, 19))}
"""The numbers of the members, in their order; a special type 4 is not in use."""


def messages(call: WebApiCall, session: ChatSession, switches: Switches, *, after: int) -> list[dict[str, Any]]:
    """`ChatMessage` of those that come after the one with the id ``after``; 0 for all."""
    said = [each for each in session.messages if switches.special_messages or each.type is not MessageType.SPECIAL]
    return [call.carriers.message(session, message) for message in said if message.id > after]


def add(call: WebApiCall, session: ChatSession, value: Any, *, sessions: Sessions) -> dict[str, Any]:
    """Add the `ChatMessage` ``value``: its type, text, author (else the caller) and special members.

    Its id and time are the server's.
    """
    given = call.entity(value, "Message", like=BLANK_MESSAGE)
    message = {
        "type": _named(MessageType, given["Type"], "Type", call),
        "text": given["Message"] or "",
        "author": given["Author"] or call.caller.full_name,
        "special": _named(SpecialType, given["SpecialType"], "SpecialType", call),
        "param": given["SpecialParam"] or "",
    }
    return call.carriers.message(session, sessions.say(session, message, actor=call.actor))


def transcript(call: WebApiCall, session: ChatSession, *, html: bool) -> str:
    """Return what was written, a line or paragraph each; how SuperOffice lays it out is not documented."""
    lines = [_line(call, message) for message in session.messages if message.type is not MessageType.SPECIAL]
    return "".join(f"<p>{escape(line)}</p>" for line in lines) if html else "\r\n".join(lines)


def is_open(topic: Topic, *, at: float, call: WebApiCall) -> bool:
    """Whether ``at`` is within the topic's opening hours (`08:00` to `16:00`, in the server's time zone).

    Always, when they are not enabled.
    """
    hours = topic.stored.get("OpeningHours")
    if not topic.stored.get("OpeningHoursEnabled") or hours is None:
        return True
    moment = datetime.fromtimestamp(at, call.dates.base)
    day, time = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.weekday()], f"{moment:%H:%M}"

    def within(span: str) -> bool:
        return (hours[f"{span}Start"] or "") <= time < (hours[f"{span}Stop"] or "")

    return bool(hours[f"{day}Enabled"]) and within(day) and not (hours["UseLunchHours"] and within("Lunch"))


def _line(call: WebApiCall, message: Message) -> str:
    return f"[{call.dates.row(message.posted)}] {message.author}: {message.text}"


def _named(kind: type[Kind], text: str | None, name: str, call: WebApiCall) -> Kind:
    """Return the member of an enum with this name in any case, or with this number; its zero for none."""
    wanted = (text or "0").casefold()
    numbered = zip(NUMBERS[kind], kind, strict=True)
    found = next((member for number, member in numbered if wanted in (member.value.casefold(), str(number))), None)
    if found is None:
        raise errors.unbound(name, f"SuperOffice.Data.Chat{kind.__name__}", status=call.unbound_status)
    return found
