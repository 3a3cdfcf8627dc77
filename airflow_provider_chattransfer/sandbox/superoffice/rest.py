# SPDX-License-Identifier: Apache-2.0
"""The REST flavour, `ChatSession/…`, `ChatTopic/…` and what belongs to it: a missing entity is 404."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from . import carriers, errors, odata
from .agents import ChatAgent
from .archive import Archive, Query
from .ask import Ask
from .model import Centre, ChatSession, Topic
from .routes import Handler, Route
from .scenario import TENANT
from .sessions import Sessions
from .switches import Switches

NOT_SIMULATED = (
    ("POST", "ChatSession"), ("PUT", "ChatSession/{id}"),
    ("PATCH", "ChatSession/{id}"), ("DELETE", "ChatSession/{id}"), ("POST", "ChatSession/{id}/Transcript"),
    ("POST", "ChatSession/{id}/Messages"), ("POST", "ChatTopic"),
    ("PUT", "ChatTopic/{id}"), ("PATCH", "ChatTopic/{id}"), ("DELETE", "ChatTopic/{id}"),
    ("GET", "ChatTopic/{id}/IsOpen"), ("PUT", "ChatTopic/{id}/UserAgent"), ("POST", "ChatTopic/{id}/UserAgent"),
    ("GET", "ChatTopic/{id}/UserAgent/{username}"), ("PUT", "ChatTopic/{id}/UserAgent/{username}"),
    ("DELETE", "ChatTopic/{id}/UserAgent/{username}"), ("POST", "ChatTopic/{id}/Sessions"),
)  # fmt: skip


class Rest:
    """The REST resources of chat."""

    def __init__(self, centre: Centre, sessions: Sessions, switches: Switches, *, agent: ChatAgent) -> None:
        self._centre = centre
        self._sessions = sessions
        self._switches = switches
        self._agent = agent

    def routes(self) -> list[Route]:
        """All operations; fixed words before places in braces."""
        desk, agent, acting = self._sessions, self._agent, self._acting
        return [
            Route("GET", "ChatSession/default", _absent("GET ChatSession/default")),
            Route("GET", "ChatTopic/default", _absent("GET ChatTopic/default")),
            Route("GET", "ChatSession", self._list),
            Route("GET", "ChatSession/ForCurrentUser", agent.sessions_for_user),
            Route("POST", "ChatSession/Pickup", self._pick_up_first),
            Route("GET", "ChatSession/{id}", self._get),
            Route("POST", "ChatSession/{id}/TransferTo/{associate}", acting(self._transfer)),
            Route("POST", "ChatSession/{id}/AcceptTransfer", acting(lambda s, ask: desk.accept(s, actor=ask.actor))),
            Route("POST", "ChatSession/{id}/RejectTransfer", acting(lambda s, ask: desk.reject(s, actor=ask.actor))),
            Route("POST", "ChatSession/{id}/Reset", acting(lambda s, ask: desk.reset(s, actor=ask.actor))),
            Route("POST", "ChatSession/{id}/Pickup", self._pick_up),
            Route("GET", "ChatSession/{id}/Messages", self._messages),
            Route("GET", "ChatTopic/ForCurrentUser", agent.topics_for_user),
            Route("GET", "ChatTopic/UserAgents", self._user_agents),
            Route("GET", "ChatTopic/{id}", self._topic),
            Route("GET", "ChatTopic/{id}/Sessions", self._topic_sessions),
            Route("GET", "ChatTopic/{id}/UserAgent", lambda ask: ask.carriers.topic_agents(self._topic_at(ask))),
            Route("GET", "Presence/GetAll", agent.presence),
            Route("POST", "Presence/SaveAll", lambda ask: agent.save_presence(ask, ask.body)),
            Route("GET", "Archive/dynamic", lambda ask: self._archive(ask).dynamic(_query(ask))),
            Route("GET", "Archive/ChatSession", self._list),
            Route("GET", "MDOList/chatuser", self._chat_users),
            Route("GET", "MDOList/chatchannel", lambda _: carriers.topic_items(self._centre.topics.values())),
            Route("GET", "User/currentPrincipal", lambda ask: carriers.principal(ask.caller, tenant=TENANT)),
            Route("GET", "User/currentAssociate", lambda ask: ask.carriers.associate(ask.caller)),
            *(Route(verb, template, _absent(f"{verb} {template}")) for verb, template in NOT_SIMULATED),
        ]

    def _archive(self, ask: Ask) -> Archive:
        return Archive(
            self._centre,
            dates=ask.dates,
            caller=ask.caller,
            next_link_with_top=self._switches.next_link_with_top,
        )

    def _list(self, ask: Ask) -> dict[str, Any]:
        return self._archive(ask).sessions(_query(ask))

    def _topic_sessions(self, ask: Ask) -> dict[str, Any]:
        return self._archive(ask).sessions(_query(ask), topic=self._topic_at(ask).id)

    def _get(self, ask: Ask) -> dict[str, Any]:
        session = self._session_at(ask)
        entity = carriers.with_links(
            ask.carriers.session(session), base=ask.base, resource="ChatSession", entity_id=session.id
        )
        return _selected(entity, ask)

    def _topic(self, ask: Ask) -> dict[str, Any]:
        topic = self._topic_at(ask)
        entity = carriers.with_links(ask.carriers.topic(topic), base=ask.base, resource="ChatTopic", entity_id=topic.id)
        return _selected(entity, ask)

    def _acting(self, act: Callable[[ChatSession, Ask], None]) -> Handler:
        """An operation on the session in the path that answers with it as it is afterwards, without links."""

        def handler(ask: Ask) -> dict[str, Any]:
            session = self._session_at(ask)
            act(session, ask)
            return ask.carriers.session(session)

        return handler

    def _transfer(self, session: ChatSession, ask: Ask) -> None:
        self._sessions.transfer(session, to=ask.parts["associate"], actor=ask.actor)

    def _pick_up(self, ask: Ask) -> dict[str, Any] | None:
        session = self._session_at(ask)
        return ask.carriers.session(session) if self._sessions.pick_up(session, actor=ask.actor) else None

    def _pick_up_first(self, ask: Ask) -> dict[str, Any] | None:
        session = self._sessions.pick_up_first(actor=ask.actor)
        return None if session is None else ask.carriers.session(session)

    def _messages(self, ask: Ask) -> list[dict[str, Any]]:
        session, after = self._session_at(ask), ask.query_int("after", 0)
        return [ask.carriers.message(session, message) for message in session.messages if message.id > after]

    def _user_agents(self, ask: Ask) -> list[dict[str, Any]]:
        return self._agent.user_agents(
            flat=ask.query_bool("flat"), only_present=ask.query_bool("onlyPresent", default=False)
        )

    def _chat_users(self, ask: Ask) -> list[dict[str, Any]]:
        """The list `chatuser`; its `additional` holds attributes as a query string of its own."""
        wanted = {name.casefold(): value for name, value in parse_qsl(ask.query.get("additional", ""))}
        topic = wanted.get("topicid", "")
        return self._agent.user_agents(
            flat=ask.query_bool("flat", default=False),
            only_present=wanted.get("onlypresent", "").casefold() == "true",
            by_associate=wanted.get("associate", "").casefold() == "true",
            topic=int(topic) if topic.isascii() and topic.isdigit() else None,
            without=ask.caller if wanted.get("removeself", "").casefold() == "true" else None,
        )

    def _session_at(self, ask: Ask) -> ChatSession:
        number = ask.part("id")
        if (session := self._centre.sessions.get(number)) is None:
            raise errors.not_found("ChatSession", number)
        return session

    def _topic_at(self, ask: Ask) -> Topic:
        number = ask.part("id")
        if (topic := self._centre.topics.get(number)) is None:
            raise errors.not_found("ChatTopic", number)
        return topic


def _query(ask: Ask) -> Query:
    return Query(options=ask.query, url=ask.url, base=ask.base)


def _selected(entity: dict[str, Any], ask: Ask) -> dict[str, Any]:
    """``entity`` with what `$select` leaves out nulled; the links stay."""
    properties = odata.names(ask.query.get("$select", ""))
    return {**carriers.selected(entity, properties), "_Links": entity["_Links"]} if properties else entity


def _absent(operation: str) -> Handler:
    def absent(_: Ask) -> Any:
        raise errors.not_simulated(operation)

    return absent
