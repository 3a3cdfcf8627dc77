# SPDX-License-Identifier: Apache-2.0
"""The REST flavour, `ChatSession/…`, `ChatTopic/…` and what belongs to it: a missing entity is 404."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..service import HttpResponse
from . import archive_query, carriers, conversation, errors
from .agents import NOTHING, ChatAgent
from .archive import Archive, Query
from .binding import WebApiCall, lower
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
            Route("GET", "ChatSession/default", lambda call: call.carriers.blank_session()),
            Route("GET", "ChatSession", self._list),
            Route("POST", "ChatSession", self._post_session),
            Route("GET", "ChatSession/ForCurrentUser", self._agent.sessions_for_user),
            Route("POST", "ChatSession/Pickup", self._pick_up_first),
            Route("GET", "ChatSession/{id}", lambda call: _linked_session(self._session_at(call), call)),
            Route("PUT", "ChatSession/{id}", self._put_session),
            Route("PATCH", "ChatSession/{id}", self._patch_session),
            Route("DELETE", "ChatSession/{id}", self._delete_session),
            Route("POST", "ChatSession/{id}/TransferTo/{associate}", acting(self._transfer)),
            Route("POST", "ChatSession/{id}/AcceptTransfer", acting(lambda s, call: desk.accept(s, actor=call.actor))),
            Route("POST", "ChatSession/{id}/RejectTransfer", acting(lambda s, call: desk.reject(s, actor=call.actor))),
            Route("POST", "ChatSession/{id}/Reset", acting(lambda s, call: desk.reset(s, actor=call.actor))),
            Route("POST", "ChatSession/{id}/Pickup", self._pick_up),
            Route(
                "POST",
                "ChatSession/{id}/Transcript",
                lambda call: talk.transcript(call, self._session_at(call), html=call.query_bool("html", default=False)),
            ),
            Route(
                "GET",
                "ChatSession/{id}/Messages",
                lambda call: talk.messages(
                    call, self._session_at(call), self._switches, after=call.query_int("after", 0)
                ),
            ),
            Route(
                "POST",
                "ChatSession/{id}/Messages",
                lambda call: talk.add(call, self._session_at(call), call.body, sessions=desk),
            ),
        ]

    def _of_topics(self) -> list[Route]:
        return [
            Route("GET", "ChatTopic/default", lambda call: call.carriers.blank_topic()),
            Route("POST", "ChatTopic", self._post_topic),
            Route("GET", "ChatTopic/ForCurrentUser", self._agent.topics_for_user),
            Route("GET", "ChatTopic/UserAgents", self._user_agents),
            Route("GET", "ChatTopic/{id}", lambda call: _linked_topic(self._topic_at(call), call)),
            Route("PUT", "ChatTopic/{id}", self._put_topic),
            Route("PATCH", "ChatTopic/{id}", self._patch_topic),
            Route("DELETE", "ChatTopic/{id}", self._delete_topic),
            Route("GET", "ChatTopic/{id}/Sessions", self._topic_sessions),
            Route(
                "POST",
                "ChatTopic/{id}/Sessions",
                lambda call: call.carriers.session(self._sessions.create(self._topic_at(call), actor=call.actor)),
            ),
            Route(
                "GET",
                "ChatTopic/{id}/IsOpen",
                lambda call: conversation.is_open(self._topic_at(call), at=self._sessions.now(), call=call),
            ),
        ]

    def _of_user_agents(self) -> list[Route]:
        return [
            Route("GET", "ChatTopic/{id}/UserAgent", lambda call: call.carriers.topic_agents(self._topic_at(call))),
            Route("POST", "ChatTopic/{id}/UserAgent", self._put_user_agent),
            Route(
                "PUT",
                "ChatTopic/{id}/UserAgent",
                lambda call: self._roles.put_all(call, self._topic_at(call), call.body),
            ),
            Route(
                "GET",
                "ChatTopic/{id}/UserAgent/{username}",
                lambda call: call.carriers.topic_agent(self._topic_at(call), self._member_at(call)),
            ),
            Route("PUT", "ChatTopic/{id}/UserAgent/{username}", self._put_user_agent),
            Route("DELETE", "ChatTopic/{id}/UserAgent/{username}", self._delete_user_agent),
        ]

    def _others(self) -> list[Route]:
        return [
            Route("GET", "Presence/GetAll", self._agent.presence),
            Route("POST", "Presence/SaveAll", lambda call: self._agent.save_presence(call, call.body)),
            Route("GET", "Archive/{provider}", self._any_archive),
            Route("POST", "Archive/{provider}", self._any_archive),
            Route("GET", "User/currentPrincipal", lambda call: carriers.principal(call.caller, tenant=TENANT)),
            Route("GET", "User/currentAssociate", lambda call: call.carriers.associate(call.caller)),
        ]

    def _archive(self, call: WebApiCall) -> Archive:
        return Archive(self._centre, dates=call.dates, caller=call.caller, switches=self._switches)

    def _any_archive(self, call: WebApiCall) -> dict[str, Any]:
        return self._archive(call).page(call.parts["provider"], _query(call))

    def _list(self, call: WebApiCall) -> dict[str, Any]:
        return self._archive(call).page("ChatSession", _query(call))

    def _topic_sessions(self, call: WebApiCall) -> dict[str, Any]:
        return self._archive(call).page("ChatSession", _query(call), topic=self._topic_at(call).id)

    def _post_session(self, call: WebApiCall) -> dict[str, Any]:
        session = self._entities.save_session(call, _entity_of(call))
        if session is None:
            raise errors.not_found("ChatSession", call.integer("ChatSessionId"))
        return _linked_session(session, call)

    def _put_session(self, call: WebApiCall) -> dict[str, Any]:
        session = self._session_at(call)
        self._entities.save_session(call, _entity_of(call), session_id=session.id)
        return _linked_session(session, call)

    def _patch_session(self, call: WebApiCall) -> dict[str, Any]:
        session = self._session_at(call)
        self._entities.patch_session(call, session)
        return _linked_session(session, call)

    def _delete_session(self, call: WebApiCall) -> HttpResponse:
        self._sessions.delete(self._session_at(call), actor=call.actor)
        return NOTHING

    def _post_topic(self, call: WebApiCall) -> dict[str, Any]:
        topic = self._entities.save_topic(call, _entity_of(call))
        if topic is None:
            raise errors.not_found("ChatTopic", call.integer("ChatTopicId"))
        return _linked_topic(topic, call)

    def _put_topic(self, call: WebApiCall) -> dict[str, Any]:
        topic = self._topic_at(call)
        return _linked_topic(self._entities.save_topic(call, _entity_of(call), topic_id=topic.id) or topic, call)

    def _patch_topic(self, call: WebApiCall) -> dict[str, Any]:
        topic = self._topic_at(call)
        return _linked_topic(self._entities.patch_topic(call, topic) or topic, call)

    def _delete_topic(self, call: WebApiCall) -> HttpResponse:
        self._entities.delete_topic(self._topic_at(call))
        return NOTHING

    def _acting(self, act: Callable[[ChatSession, WebApiCall], None]) -> Handler:
        """Return an operation on the session in the path that answers with it as it is afterwards, without links."""

        def handler(call: WebApiCall) -> dict[str, Any]:
            session = self._session_at(call)
            act(session, call)
            return call.carriers.session(session)

        return handler

    def _transfer(self, session: ChatSession, call: WebApiCall) -> None:
        self._sessions.transfer(session, to=call.parts["associate"], actor=call.actor)

    def _pick_up(self, call: WebApiCall) -> dict[str, Any] | None:
        session = self._session_at(call)
        return call.carriers.session(session) if self._sessions.pick_up(session, actor=call.actor) else None

    def _pick_up_first(self, call: WebApiCall) -> dict[str, Any] | None:
        session = self._sessions.pick_up_first(actor=call.actor)
        return None if session is None else call.carriers.session(session)

    def _user_agents(self, call: WebApiCall) -> list[dict[str, Any]]:
        only_present = call.query_bool("onlyPresent", default=False)
        return Lists(self._centre, caller=call.caller).users(
            flat=call.query_bool("flat"), additional=f"onlyPresent={only_present}"
        )

    def _put_user_agent(self, call: WebApiCall) -> dict[str, Any]:
        """For the associate in the path, else for the one in the body."""
        name = call.parts.get("username")
        answer = self._roles.put(call, self._topic_at(call), call.body, name=name)
        if answer is None:
            raise errors.not_found("Associate", name or 0)
        return answer

    def _delete_user_agent(self, call: WebApiCall) -> HttpResponse:
        self._roles.remove(self._topic_at(call), self._member_at(call))
        return NOTHING

    def _session_at(self, call: WebApiCall) -> ChatSession:
        number = call.part("id")
        if (session := self._centre.sessions.get(number)) is None:
            raise errors.not_found("ChatSession", number)
        return session

    def _topic_at(self, call: WebApiCall) -> Topic:
        number = call.part("id")
        if (topic := self._centre.topic(number)) is None:
            raise errors.not_found("ChatTopic", number)
        return topic

    def _member_at(self, call: WebApiCall) -> Associate:
        """Who is named in the path; 404 when they have no role in the topic in the path."""
        name = call.parts["username"]
        if (associate := self._roles.member(self._topic_at(call), name)) is None:
            raise errors.not_found("ChatTopicAgent", name)
        return associate


def _query(call: WebApiCall) -> Query:
    """Return the options of a list; a form holds those too long for an address (POST Archive/{provider})."""
    body = lower(call.body) if isinstance(call.body, dict) else {}
    form = {name: str(value) for name, value in body.items()}
    return Query(options={**call.query, **form}, url=call.url, base=call.base)


def _entity_of(call: WebApiCall) -> Any:
    if call.body is None:
        raise errors.message(400, "Bad request. Entity to save is not in request body.")
    return call.body


def _linked_session(session: ChatSession, call: WebApiCall) -> dict[str, Any]:
    return _linked(call.carriers.session(session), "ChatSession", session.id, call)


def _linked_topic(topic: Topic, call: WebApiCall) -> dict[str, Any]:
    return _linked(call.carriers.topic(topic), "ChatTopic", topic.id, call)


def _linked(entity: dict[str, Any], resource: str, entity_id: int, call: WebApiCall) -> dict[str, Any]:
    """``entity`` with its links, and what `$select` leaves out nulled; the links stay."""
    if properties := archive_query.names(call.query.get("$select", "")):
        entity = carriers.selected(entity, properties)
    return carriers.with_links(entity, base=call.base, resource=resource, entity_id=entity_id)
