# SPDX-License-Identifier: Apache-2.0
"""The agent flavour, `POST Agents/Chat/…`: what is missing is `null`, not 404; most answers take `$select`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..service import HttpResponse
from . import archive_query, carriers, conversation
from .binding import WebApiCall
from .entities import Entities
from .lists import Lists
from .model import Associate, Centre, ChatSession, Topic
from .roles import TopicRoles
from .routes import Handler, Route
from .sessions import Sessions
from .switches import Switches

NOTHING = HttpResponse(status=204, body=b"")
PRESENCE = {"UserId": 0, "Present": False}


class ChatAgent:
    """The methods of `IChatAgent`."""

    def __init__(
        self, centre: Centre, sessions: Sessions, switches: Switches, *, entities: Entities, roles: TopicRoles
    ) -> None:
        self._centre = centre
        self._sessions = sessions
        self._switches = switches
        self._entities = entities
        self._roles = roles

    def routes(self) -> list[Route]:
        """All methods. A `GET` does not invoke one but describes it."""
        whole = {**self._session_entity(), **self._topic_entity()}
        selectable = {**self._transfers(), **self._reading(), **self._topics()}
        methods = {**whole, **{name: _selecting(handler) for name, handler in selectable.items()}}
        return [
            route
            for name, handler in methods.items()
            for route in (
                Route("POST", f"Agents/Chat/{name}", handler),
                Route("GET", f"Agents/Chat/{name}", _description(name)),
            )
        ]

    def _transfers(self) -> dict[str, Handler]:
        desk, acting = self._sessions, self._on_session
        return {
            "TransferChatSession": _binding("ToAssociate", acting(_then_show(self._transfer))),
            "AcceptChatSessionTransfer": acting(_then_show(lambda s, call: desk.accept(s, actor=call.actor))),
            "RejectChatSessionTransfer": acting(_then_show(lambda s, call: desk.reject(s, actor=call.actor))),
            "ResetChatSession": acting(_then_show(lambda s, call: desk.reset(s, actor=call.actor))),
            "PickUpChatSession": acting(self._pick_up),
            "PickUpFirstChatSession": self._pick_up_first,
        }

    def _reading(self) -> dict[str, Handler]:
        talk, on_session = conversation, self._on_session
        return {
            "GetChatSessionEntity": lambda call: _shown_session(
                self._centre.sessions.get(call.query_int("chatSessionEntityId")), call
            ),
            "ChatSessionsForUser": self.sessions_for_user,
            "GetChatMessages": on_session(
                lambda s, call: talk.messages(call, s, self._switches, after=call.integer("After"))
            ),
            "AddChatMessage": on_session(
                lambda s, call: talk.add(call, s, call.member("Message"), sessions=self._sessions)
            ),
            "GetChatTranscript": on_session(lambda s, call: talk.transcript(call, s, html=call.flag("Html"))),
            "GetChatPresence": self.presence,
            "SaveChatPresence": lambda call: self.save_presence(call, call.member("ChatPresence")),
            "GetUserAgentList": lambda call: Lists(self._centre, caller=call.caller).users(
                flat=call.flag("Flat"), additional=f"onlyPresent={call.flag('OnlyPresent')}"
            ),
        }

    def _topics(self) -> dict[str, Handler]:
        on_topic, roles = self._on_topic, self._roles
        return {
            "ChatTopicsForUser": self.topics_for_user,
            "GetChatTopicEntity": lambda call: _shown_topic(
                self._centre.topic(call.query_int("chatTopicEntityId")), call
            ),
            "IsWithinOpeningHours": on_topic(
                lambda topic, call: conversation.is_open(topic, at=self._sessions.now(), call=call)
            ),
            "CreateChatSessionForTopic": on_topic(
                lambda topic, call: call.carriers.session(self._sessions.create(topic, actor=call.actor))
            ),
            "GetChatTopicUserAgentList": on_topic(lambda topic, call: call.carriers.topic_agents(topic)),
            "GetChatTopicUserAgent": on_topic(self._topic_agent),
            "AddChatTopicUserAgent": on_topic(lambda topic, call: roles.put(call, topic, call.member("Useragent"))),
            "UpdateChatTopicUserAgent": on_topic(
                lambda topic, call: roles.put(call, topic, call.member("Useragent"), name=call.text("Username"))
            ),
            "UpdateChatTopicUserAgents": on_topic(
                lambda topic, call: roles.put_all(call, topic, call.member("Useragents"))
            ),
            "DeleteChatTopicUserAgent": self._delete_topic_agent,
        }

    def _session_entity(self) -> dict[str, Handler]:
        return {
            "CreateDefaultChatSessionEntity": lambda call: call.carriers.blank_session(),
            "SaveChatSessionEntity": lambda call: _shown_session(self._entities.save_session(call, call.body), call),
            "DeleteChatSessionEntity": self._delete_session,
        }

    def _topic_entity(self) -> dict[str, Handler]:
        return {
            "CreateDefaultChatTopicAgent": lambda _: carriers.BLANK_TOPIC_AGENT,
            "CreateDefaultChatTopicEntity": lambda call: call.carriers.blank_topic(),
            "SaveChatTopicEntity": lambda call: _shown_topic(self._entities.save_topic(call, call.body), call),
            "DeleteChatTopicEntity": self._delete_topic,
        }

    def sessions_for_user(self, call: WebApiCall) -> list[dict[str, Any]]:
        """All sessions of the topics in which the caller has a role: no paging, no filter, whoever owns them."""
        topics = {topic.id for topic in self._centre.topics_of(call.caller)}
        return [call.carriers.session(session) for session in self._centre.sessions.values() if session.topic in topics]

    def topics_for_user(self, call: WebApiCall) -> list[dict[str, Any]]:
        """Return the topics in which the caller has a role."""
        return [call.carriers.topic(topic) for topic in self._centre.topics_of(call.caller)]

    def presence(self, call: WebApiCall) -> list[dict[str, Any]]:
        """Who is present, and how many active sessions each has."""
        return call.carriers.presence(by_associate=self._switches.presence_user_id == "associate")

    def save_presence(self, call: WebApiCall, value: Any) -> HttpResponse:
        """Set who is present; only `UserId` and `Present` count, ids of nobody are passed over."""
        items = [call.entity(item, "ChatPresence", like=PRESENCE) for item in call.items(value, "ChatPresence")]
        for item in items:
            if (associate := self._presence_user(item["UserId"])) is None:
                continue
            if item["Present"]:
                self._centre.present.add(associate.id)
            else:
                self._centre.present.discard(associate.id)
        return NOTHING

    def _on_session(self, act: Callable[[ChatSession, WebApiCall], Any]) -> Handler:
        """Return a method on the session `ChatSessionId`; `null` when there is none."""

        def handler(call: WebApiCall) -> Any:
            session = self._centre.sessions.get(call.integer("ChatSessionId"))
            return None if session is None else act(session, call)

        return handler

    def _on_topic(self, act: Callable[[Topic, WebApiCall], Any]) -> Handler:
        """Return a method on the topic `ChatTopicId`; `null` when there is none."""

        def handler(call: WebApiCall) -> Any:
            topic = self._centre.topic(call.integer("ChatTopicId"))
            return None if topic is None else act(topic, call)

        return handler

    def _transfer(self, session: ChatSession, call: WebApiCall) -> None:
        self._sessions.transfer(session, to=call.text("ToAssociate"), actor=call.actor)

    def _pick_up(self, session: ChatSession, call: WebApiCall) -> Any:
        return call.carriers.session(session) if self._sessions.pick_up(session, actor=call.actor) else None

    def _pick_up_first(self, call: WebApiCall) -> Any:
        return _shown_session(self._sessions.pick_up_first(actor=call.actor), call)

    def _delete_session(self, call: WebApiCall) -> HttpResponse:
        if session := self._centre.sessions.get(call.query_int("chatSessionEntityId")):
            self._sessions.delete(session, actor=call.actor)
        return NOTHING

    def _delete_topic(self, call: WebApiCall) -> HttpResponse:
        if topic := self._centre.topic(call.query_int("chatTopicEntityId")):
            self._entities.delete_topic(topic)
        return NOTHING

    def _topic_agent(self, topic: Topic, call: WebApiCall) -> Any:
        associate = self._roles.member(topic, call.text("Username"))
        return None if associate is None else call.carriers.topic_agent(topic, associate)

    def _delete_topic_agent(self, call: WebApiCall) -> HttpResponse:
        topic = self._centre.topic(call.integer("ChatTopicId"))
        if topic and (associate := self._roles.member(topic, call.text("Username"))):
            self._roles.remove(topic, associate)
        return NOTHING

    def _presence_user(self, user_id: int) -> Associate | None:
        if self._switches.presence_user_id == "ejuser":
            associate = self._centre.by_ejuser(user_id)
        else:
            associate = self._centre.associates.get(user_id)
        return associate if associate is not None and associate.chats else None


def _then_show(act: Callable[[ChatSession, WebApiCall], None]) -> Callable[[ChatSession, WebApiCall], Any]:
    def acting(session: ChatSession, call: WebApiCall) -> Any:
        act(session, call)
        return call.carriers.session(session)

    return acting


def _shown_session(session: ChatSession | None, call: WebApiCall) -> Any:
    return None if session is None else call.carriers.session(session)


def _shown_topic(topic: Topic | None, call: WebApiCall) -> Any:
    return None if topic is None else call.carriers.topic(topic)


def _binding(text: str, handler: Handler) -> Handler:
    """Return ``handler`` with a member of the body bound before anything is looked up: a number is no text."""

    def binding(call: WebApiCall) -> Any:
        call.text(text)
        return handler(call)

    return binding


def _selecting(handler: Handler) -> Handler:
    """With `$select`, which the methods on whole entities (CreateDefault, Save, Delete) do not have."""

    def selecting(call: WebApiCall) -> Any:
        answer = handler(call)
        properties = archive_query.names(call.query.get("$select", ""))
        return carriers.selected(answer, properties) if properties and not isinstance(answer, HttpResponse) else answer

    return selecting


def _description(name: str) -> Handler:
    return lambda _: {"Agent": "Chat", "Method": name, "Verb": "POST"}
