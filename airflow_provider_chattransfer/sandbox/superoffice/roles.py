# SPDX-License-Identifier: Apache-2.0
"""Who may do what in a topic (`ChatTopicAgent`): read, add, change, replace, remove."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .binding import WebApiCall
from .carriers import BLANK_TOPIC_AGENT
from .model import Associate, Centre, Role, Topic
from .sessions import Sessions


class TopicRoles:
    """The roles in all topics.

    An associate is named by their id or login name; one without a role is not in the topic, and one without a chat
    licence cannot be put into it. Rights to administer are not simulated.
    """

    def __init__(self, centre: Centre, sessions: Sessions) -> None:
        self._centre = centre
        self._sessions = sessions

    def member(self, topic: Topic, name: str | None) -> Associate | None:
        """Return the associate called ``name`` if they have a role in ``topic``."""
        associate = self._sessions.named(name) if name else None
        return associate if associate and topic.roles.get(associate.id) else None

    def put(self, call: WebApiCall, topic: Topic, value: Any, *, name: str | None = None) -> dict[str, Any] | None:
        """Give the associate in ``value``, or the one called ``name``, exactly the roles in ``value``."""
        useragent = call.entity(value, "Useragent", like=BLANK_TOPIC_AGENT)
        associate = self._sessions.named(name) if name else self._user(useragent)
        if associate is None or not associate.chats:
            return None
        changed = self._store(topic, {**topic.roles, associate.id: _roles(useragent)})
        return call.carriers.topic_agent(changed, associate)

    def put_all(self, call: WebApiCall, topic: Topic, values: Any) -> list[dict[str, Any]]:
        """Replace existing roles: an associate who is not in ``values`` has none any more."""
        useragents = [call.entity(value, "Useragents", like=BLANK_TOPIC_AGENT)
                      for value in call.items(values, "Useragents")]  # fmt: skip
        named = [(self._user(useragent), _roles(useragent)) for useragent in useragents]
        roles = {associate.id: own for associate, own in named if associate is not None and associate.chats}
        return call.carriers.topic_agents(self._store(topic, roles))

    def remove(self, topic: Topic, associate: Associate) -> None:
        """Take all roles in ``topic`` from ``associate``."""
        self._store(topic, {number: own for number, own in topic.roles.items() if number != associate.id})

    def _store(self, topic: Topic, roles: Mapping[int, frozenset[Role]]) -> Topic:
        changed = self._centre.topics[topic.id] = replace(topic, roles=roles)
        return changed

    def _user(self, useragent: Mapping[str, Any]) -> Associate | None:
        """By the id in the carrier `User`, else by the name in it."""
        user = {name.casefold(): value for name, value in (useragent["User"] or {}).items()}
        return self._sessions.named(str(user.get("associateid") or user.get("name") or ""))


def _roles(useragent: Mapping[str, Any]) -> frozenset[Role]:
    return frozenset(role for role in Role if useragent[role.value])
