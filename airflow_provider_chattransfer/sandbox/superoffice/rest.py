# SPDX-License-Identifier: Apache-2.0
"""The REST flavour, `ChatSession/…`, `ChatTopic/…` and what belongs to it: a missing entity is 404."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..service import HttpResponse
from . import carriers, conversation, errors, odata
from .agents import NOTHING, ChatAgent
from .archive import Archive, Query
from .ask import Ask, lower
from .entities import Entities
from .lists import Lists
from .model import Associate, Centre, ChatSession, Topic
from .roles import TopicRoles
from .routes import Handler, Route
from .scenario import TENANT
from .sessions import Sessions
from .switches import Switches


class Rest:
    """The REST resources of chat."""

    def __init__(
        self,
        centre: Centre,
        sessions: Sessions,
        switches: Switches,
        *,
        agent: ChatAgent,
        entities: Entities,
        roles: TopicRoles,
    ) -> None:
        self._centre = centre
        self._sessions = sessions
        self._switches = switches
        self._agent = agent
        self._entities = entities
        self._roles = roles

    def routes(self) -> list[Route]:
        """All operations; fixed words before places in braces."""
        return [*self._of_sessions(), *self._of_topics(), *self._of_user_agents(), *self._others()]

    def _of_sessions(self) -> list[Route]:
        desk, acting, talk = self._sessions, self._acting, conversation
        return [
            Route("GET", "ChatSession/default", lambda ask: ask.carriers.blank_session()),
            Route("GET", "ChatSession", self._list),
            Route("POST", "ChatSession", self._post_session),
            Route("GET", "ChatSession/ForCurrentUser", self._agent.sessions_for_user),
            Route("POST", "ChatSession/Pickup", self._pick_up_first),
            Route("GET", "ChatSession/{id}", lambda ask: _linked_session(self._session_at(ask), ask)),
            Route("PUT", "ChatSession/{id}", self._put_session),
            Route("PATCH", "ChatSession/{id}", self._patch_session),
            Route("DELETE", "ChatSession/{id}", self._delete_session),
            Route("POST", "ChatSession/{id}/TransferTo/{associate}", acting(self._transfer)),
            Route("POST", "ChatSession/{id}/AcceptTransfer", acting(lambda s, ask: desk.accept(s, actor=ask.actor))),
            Route("POST", "ChatSession/{id}/RejectTransfer", acting(lambda s, ask: desk.reject(s, actor=ask.actor))),
            Route("POST", "ChatSession/{id}/Reset", acting(lambda s, ask: desk.reset(s, actor=ask.actor))),
            Route("POST", "ChatSession/{id}/Pickup", self._pick_up),
            Route(
                "POST",
                "ChatSession/{id}/Transcript",
                lambda ask: talk.transcript(ask, self._session_at(ask), html=ask.query_bool("html", default=False)),
            ),
            Route(
                "GET",
                "ChatSession/{id}/Messages",
                lambda ask: talk.messages(ask, self._session_at(ask), self._switches, after=ask.query_int("after", 0)),
            ),
            Route(
                "POST",
                "ChatSession/{id}/Messages",
                lambda ask: talk.add(ask, self._session_at(ask), ask.body, sessions=desk),
            ),
        ]

    def _of_topics(self) -> list[Route]:
        return [
            Route("GET", "ChatTopic/default", lambda ask: ask.carriers.blank_topic()),
            Route("POST", "ChatTopic", self._post_topic),
            Route("GET", "ChatTopic/ForCurrentUser", self._agent.topics_for_user),
            Route("GET", "ChatTopic/UserAgents", self._user_agents),
            Route("GET", "ChatTopic/{id}", lambda ask: _linked_topic(self._topic_at(ask), ask)),
            Route("PUT", "ChatTopic/{id}", self._put_topic),
            Route("PATCH", "ChatTopic/{id}", self._patch_topic),
            Route("DELETE", "ChatTopic/{id}", self._delete_topic),
            Route("GET", "ChatTopic/{id}/Sessions", self._topic_sessions),
            Route(
                "POST",
                "ChatTopic/{id}/Sessions",
                lambda ask: ask.carriers.session(self._sessions.create(self._topic_at(ask), actor=ask.actor)),
            ),
            Route(
                "GET",
                "ChatTopic/{id}/IsOpen",
                lambda ask: conversation.is_open(self._topic_at(ask), at=self._sessions.now(), ask=ask),
            ),
        ]

    def _of_user_agents(self) -> list[Route]:
        return [
            Route("GET", "ChatTopic/{id}/UserAgent", lambda ask: ask.carriers.topic_agents(self._topic_at(ask))),
            Route("POST", "ChatTopic/{id}/UserAgent", self._put_user_agent),
            Route(
                "PUT",
                "ChatTopic/{id}/UserAgent",
                lambda ask: self._roles.put_all(ask, self._topic_at(ask), ask.body),
            ),
            Route(
                "GET",
                "ChatTopic/{id}/UserAgent/{username}",
                lambda ask: ask.carriers.topic_agent(self._topic_at(ask), self._member_at(ask)),
            ),
            Route("PUT", "ChatTopic/{id}/UserAgent/{username}", self._put_user_agent),
            Route("DELETE", "ChatTopic/{id}/UserAgent/{username}", self._delete_user_agent),
        ]

    def _others(self) -> list[Route]:
        return [
            Route("GET", "Presence/GetAll", self._agent.presence),
            Route("POST", "Presence/SaveAll", lambda ask: self._agent.save_presence(ask, ask.body)),
            Route("GET", "Archive/{provider}", self._any_archive),
            Route("POST", "Archive/{provider}", self._any_archive),
            Route("GET", "User/currentPrincipal", lambda ask: carriers.principal(ask.caller, tenant=TENANT)),
            Route("GET", "User/currentAssociate", lambda ask: ask.carriers.associate(ask.caller)),
        ]

    def _archive(self, ask: Ask) -> Archive:
        return Archive(self._centre, dates=ask.dates, caller=ask.caller, switches=self._switches)

    def _any_archive(self, ask: Ask) -> dict[str, Any]:
        return self._archive(ask).page(ask.parts["provider"], _query(ask))

    def _list(self, ask: Ask) -> dict[str, Any]:
        return self._archive(ask).page("ChatSession", _query(ask))

    def _topic_sessions(self, ask: Ask) -> dict[str, Any]:
        return self._archive(ask).page("ChatSession", _query(ask), topic=self._topic_at(ask).id)

    def _post_session(self, ask: Ask) -> dict[str, Any]:
        session = self._entities.save_session(ask, _entity_of(ask))
        if session is None:
            raise errors.not_found("ChatSession", ask.integer("ChatSessionId"))
        return _linked_session(session, ask)

    def _put_session(self, ask: Ask) -> dict[str, Any]:
        session = self._session_at(ask)
        self._entities.save_session(ask, _entity_of(ask), session_id=session.id)
        return _linked_session(session, ask)

    def _patch_session(self, ask: Ask) -> dict[str, Any]:
        session = self._session_at(ask)
        self._entities.patch_session(ask, session)
        return _linked_session(session, ask)

    def _delete_session(self, ask: Ask) -> HttpResponse:
        self._sessions.delete(self._session_at(ask), actor=ask.actor)
        return NOTHING

    def _post_topic(self, ask: Ask) -> dict[str, Any]:
        topic = self._entities.save_topic(ask, _entity_of(ask))
        if topic is None:
            raise errors.not_found("ChatTopic", ask.integer("ChatTopicId"))
        return _linked_topic(topic, ask)

    def _put_topic(self, ask: Ask) -> dict[str, Any]:
        topic = self._topic_at(ask)
        return _linked_topic(self._entities.save_topic(ask, _entity_of(ask), topic_id=topic.id) or topic, ask)

    def _patch_topic(self, ask: Ask) -> dict[str, Any]:
        topic = self._topic_at(ask)
        return _linked_topic(self._entities.patch_topic(ask, topic) or topic, ask)

    def _delete_topic(self, ask: Ask) -> HttpResponse:
        self._entities.delete_topic(self._topic_at(ask))
        return NOTHING

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

    def _user_agents(self, ask: Ask) -> list[dict[str, Any]]:
        only_present = ask.query_bool("onlyPresent", default=False)
        return Lists(self._centre, caller=ask.caller).users(
            flat=ask.query_bool("flat"), additional=f"onlyPresent={only_present}"
        )

    def _put_user_agent(self, ask: Ask) -> dict[str, Any]:
        """For the associate in the path, else for the one in the body."""
        name = ask.parts.get("username")
        answer = self._roles.put(ask, self._topic_at(ask), ask.body, name=name)
        if answer is None:
            raise errors.not_found("Associate", name or 0)
        return answer

    def _delete_user_agent(self, ask: Ask) -> HttpResponse:
        self._roles.remove(self._topic_at(ask), self._member_at(ask))
        return NOTHING

    def _session_at(self, ask: Ask) -> ChatSession:
        number = ask.part("id")
        if (session := self._centre.sessions.get(number)) is None:
            raise errors.not_found("ChatSession", number)
        return session

    def _topic_at(self, ask: Ask) -> Topic:
        number = ask.part("id")
        if (topic := self._centre.topic(number)) is None:
            raise errors.not_found("ChatTopic", number)
        return topic

    def _member_at(self, ask: Ask) -> Associate:
        """Who is named in the path; 404 when he has no role in the topic in the path."""
        name = ask.parts["username"]
        if (associate := self._roles.member(self._topic_at(ask), name)) is None:
            raise errors.not_found("ChatTopicAgent", name)
        return associate


def _query(ask: Ask) -> Query:
    """The options of a list, which a form may hold where an address would be too long (POST Archive/{provider})."""
    body = lower(ask.body) if isinstance(ask.body, dict) else {}
    form = {name: str(value) for name, value in body.items()}
    return Query(options={**ask.query, **form}, url=ask.url, base=ask.base)


def _entity_of(ask: Ask) -> Any:
    if ask.body is None:
        raise errors.message(400, "Bad request. Entity to save is not in request body.")
    return ask.body


def _linked_session(session: ChatSession, ask: Ask) -> dict[str, Any]:
    return _linked(ask.carriers.session(session), "ChatSession", session.id, ask)


def _linked_topic(topic: Topic, ask: Ask) -> dict[str, Any]:
    return _linked(ask.carriers.topic(topic), "ChatTopic", topic.id, ask)


def _linked(entity: dict[str, Any], resource: str, entity_id: int, ask: Ask) -> dict[str, Any]:
    """``entity`` with its links, and what `$select` leaves out nulled; the links stay."""
    if properties := odata.names(ask.query.get("$select", "")):
        entity = carriers.selected(entity, properties)
    return carriers.with_links(entity, base=ask.base, resource=resource, entity_id=entity_id)
