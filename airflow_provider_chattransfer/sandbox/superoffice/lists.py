# SPDX-License-Identifier: Apache-2.0
"""The MDO lists that have to do with chat: `chatuser`, `chatchannel` and `chatsessionstatus`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

from . import errors
from .binding import WebApiCall
from .carriers import USER_GROUP
from .integers import int32
from .model import Associate, Centre, Status
from .routes import Handler, Route

NAMES = ("chatuser", "chatchannel", "chatsessionstatus")

_ITEM: dict[str, Any] = {
    "Id": 0, "Name": "", "ToolTip": "", "Deleted": False, "Rank": 0, "Type": "", "ChildItems": [], "IconHint": "",
    "ColorBlock": 0, "ExtraInfo": "", "StyleHint": "", "FullName": "", "TableRight": None, "FieldProperties": {},
}  # fmt: skip

Items = list[dict[str, Any]]


def routes(centre: Centre) -> list[Route]:
    """`GET MDOList/{name}?flat=&additional=`, and of the MDO agent what reads a whole list."""

    def named(call: WebApiCall, name: str, **form: Any) -> Items:
        if (items := Lists(centre, caller=call.caller).named(name)) is None:
            raise errors.not_simulated(f"the list {name!r}")
        return items(**form)

    def at(name: str) -> Handler:
        return lambda call: named(
            call, name, flat=call.query_bool("flat", default=False), additional=call.query.get("additional", "")
        )

    def whole(call: WebApiCall) -> Items:
        """`GetList`. Nobody has a history here: the items that the user chose last."""
        if call.flag("OnlyHistory"):
            return []
        name, additional = call.text("Name") or "", call.text("AdditionalInfo") or ""
        return named(call, name, flat=call.flag("ForceFlatList"), additional=additional)

    return [
        *(Route("GET", f"MDOList/{name}", at(name)) for name in NAMES),
        Route("GET", "MDOList/{name}", lambda call: at(call.parts["name"])(call)),
        Route("POST", "Agents/MDO/GetList", whole),
        Route("POST", "Agents/MDO/GetSimpleList", lambda call: named(call, call.text("Name") or "", flat=True)),
    ]


class Lists:
    """Answers the lists for one caller."""

    def __init__(self, centre: Centre, *, caller: Associate) -> None:
        self._centre = centre
        self._caller = caller

    def named(self, name: str) -> Callable[..., Items] | None:
        """Return the list ``name`` as a function of `flat` and `additional`.

        ``None`` for one that is not about chat.
        """
        known: list[Callable[..., Items]] = [self.users, self.channels, self.statuses]
        return dict(zip(NAMES, known, strict=True)).get(name.casefold())

    def users(self, *, flat: bool, additional: str = "") -> Items:
        """`chatuser`: everybody with a chat licence, by ejuser id.

        ``additional`` holds attributes joined by `&` (`onlyPresent=True&associate=True`): `onlyPresent`,
        `removeSelf`, `topicId`, and `associate` for associate ids. Not ``flat`` puts users under their group.
        """
        wanted = _attributes(additional)
        topic = int32(wanted.get("topicid", ""))
        members = None if topic is None else self._members(topic)
        users = (
            associate
            for associate in self._centre.chat_users()
            if (associate.id in self._centre.present or not _true(wanted, "onlypresent"))
            and (members is None or associate.id in members)
            and not (associate.id == self._caller.id and _true(wanted, "removeself"))
        )
        return _users(users, by_associate=_true(wanted, "associate"), flat=flat)

    def channels(self, *, flat: bool = True, additional: str = "") -> Items:
        """Return `chatchannel`: the topics, and before them "All" with the id 0 unless the attribute `notAll` is true.

        So does the list's own page. What its attribute `listAll` leaves out is not documented; here, nothing.
        """
        topics = [item(topic.id, topic.name) for topic in self._centre.topics.values() if not topic.deleted]
        return topics if _true(_attributes(additional), "notall") else [item(0, "All"), *topics]

    def statuses(self, *, flat: bool = True, additional: str = "") -> Items:
        """`chatsessionstatus`: the number, the text that a row of an archive shows, and the enum's name."""
        return [item(status.value, status.display, ExtraInfo=status.name) for status in Status]

    def _members(self, topic_id: int) -> frozenset[int]:
        topic = self._centre.topic(topic_id)
        return topic.people if topic else frozenset()


def item(number: int, name: str, **members: Any) -> dict[str, Any]:
    """`MDOListItem`."""
    return {**_ITEM, "Id": number, "Name": name, "FullName": name, **members}


def _users(associates: Iterable[Associate], *, by_associate: bool, flat: bool) -> Items:
    items = [
        item(associate.id if by_associate else associate.ejuser_id, associate.full_name, Type="user")
        for associate in associates
    ]
    return items if flat else [item(USER_GROUP, "Service", Type="group", ChildItems=items)]


def _attributes(additional: str) -> dict[str, str]:
    return {name.casefold(): value for name, value in parse_qsl(additional)}


def _true(attributes: dict[str, str], name: str) -> bool:
    return attributes.get(name, "").casefold() == "true"
