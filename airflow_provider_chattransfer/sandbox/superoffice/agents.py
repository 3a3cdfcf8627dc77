# SPDX-License-Identifier: Apache-2.0
"""The agent flavour, `POST Agents/Chat/…`: what is missing is `null`, not 404; most answers take `$select`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..service import HttpResponse
from . import carriers, conversation, odata
from .ask import Ask
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
            "AcceptChatSessionTransfer": acting(_then_show(lambda s, ask: desk.accept(s, actor=ask.actor))),
            "RejectChatSessionTransfer": acting(_then_show(lambda s, ask: desk.reject(s, actor=ask.actor))),
            "ResetChatSession": acting(_then_show(lambda s, ask: desk.reset(s, actor=ask.actor))),
            "PickUpChatSession": acting(self._pick_up),
            "PickUpFirstChatSession": self._pick_up_first,
        }

    def _reading(self) -> dict[str, Handler]:
        talk, on_session = conversation, self._on_session
        return {
            "GetChatSessionEntity": lambda ask: _shown_session(
                self._centre.sessions.get(ask.query_int("chatSessionEntityId")), ask
            ),
            "ChatSessionsForUser": self.sessions_for_user,
            "GetChatMessages": on_session(
                lambda s, ask: talk.messages(ask, s, self._switches, after=ask.integer("After"))
            ),
            "AddChatMessage": on_session(
                lambda s, ask: talk.add(ask, s, ask.member("Message"), sessions=self._sessions)
            ),
            "GetChatTranscript": on_session(lambda s, ask: talk.transcript(ask, s, html=ask.flag("Html"))),
            "GetChatPresence": self.presence,
            "SaveChatPresence": lambda ask: self.save_presence(ask, ask.member("ChatPresence")),
            "GetUserAgentList": lambda ask: Lists(self._centre, caller=ask.caller).users(
                flat=ask.flag("Flat"), additional=f"onlyPresent={ask.flag('OnlyPresent')}"
            ),
        }

    def _topics(self) -> dict[str, Handler]:
        on_topic, roles = self._on_topic, self._roles
        return {
            "ChatTopicsForUser": self.topics_for_user,
            "GetChatTopicEntity": lambda ask: _shown_topic(self._centre.topic(ask.query_int("chatTopicEntityId")), ask),
            "IsWithinOpeningHours": on_topic(
                lambda topic, ask: conversation.is_open(topic, at=self._sessions.now(), ask=ask)
            ),
            "CreateChatSessionForTopic": on_topic(
                lambda topic, ask: ask.carriers.session(self._sessions.create(topic, actor=ask.actor))
            ),
            "GetChatTopicUserAgentList": on_topic(lambda topic, ask: ask.carriers.topic_agents(topic)),
            "GetChatTopicUserAgent": on_topic(self._topic_agent),
            "AddChatTopicUserAgent": on_topic(lambda topic, ask: roles.put(ask, topic, ask.member("Useragent"))),
            "UpdateChatTopicUserAgent": on_topic(
                lambda topic, ask: roles.put(ask, topic, ask.member("Useragent"), name=ask.text("Username"))
            ),
            "UpdateChatTopicUserAgents": on_topic(
                lambda topic, ask: roles.put_all(ask, topic, ask.member("Useragents"))
            ),
            "DeleteChatTopicUserAgent": self._delete_topic_agent,
        }

    def _session_entity(self) -> dict[str, Handler]:
        return {
            "CreateDefaultChatSessionEntity": lambda ask: ask.carriers.blank_session(),
            "SaveChatSessionEntity": lambda ask: _shown_session(self._entities.save_session(ask, ask.body), ask),
            "DeleteChatSessionEntity": self._delete_session,
        }

    def _topic_entity(self) -> dict[str, Handler]:
        return {
            "CreateDefaultChatTopicAgent": lambda _: carriers.BLANK_TOPIC_AGENT,
            "CreateDefaultChatTopicEntity": lambda ask: ask.carriers.blank_topic(),
            "SaveChatTopicEntity": lambda ask: _shown_topic(self._entities.save_topic(ask, ask.body), ask),
            "DeleteChatTopicEntity": self._delete_topic,
        }

    def sessions_for_user(self, ask: Ask) -> list[dict[str, Any]]:
        """All sessions of the topics in which the caller has a role: no paging, no filter, whoever owns them."""
        topics = {topic.id for topic in self._centre.topics_of(ask.caller)}
        return [ask.carriers.session(session) for session in self._centre.sessions.values() if session.topic in topics]

    def topics_for_user(self, ask: Ask) -> list[dict[str, Any]]:
        """The topics in which the caller has a role."""
        return [ask.carriers.topic(topic) for topic in self._centre.topics_of(ask.caller)]

    def presence(self, ask: Ask) -> list[dict[str, Any]]:
        """Who is present, and how many active sessions each has."""
        return ask.carriers.presence(by_associate=self._switches.presence_user_id == "associate")

    def save_presence(self, ask: Ask, value: Any) -> HttpResponse:
        """Set who is present; only `UserId` and `Present` count, ids of nobody are passed over."""
        items = [ask.entity(item, "ChatPresence", like=PRESENCE) for item in ask.items(value, "ChatPresence")]
        for item in items:
            if (associate := self._presence_user(item["UserId"])) is None:
                continue
            if item["Present"]:
                self._centre.present.add(associate.id)
            else:
                self._centre.present.discard(associate.id)
        return NOTHING

    def _on_session(self, act: Callable[[ChatSession, Ask], Any]) -> Handler:
        """A method on the session `ChatSessionId`; `null` when there is none."""

        def handler(ask: Ask) -> Any:
            session = self._centre.sessions.get(ask.integer("ChatSessionId"))
            return None if session is None else act(session, ask)

        return handler

    def _on_topic(self, act: Callable[[Topic, Ask], Any]) -> Handler:
        """A method on the topic `ChatTopicId`; `null` when there is none."""

        def handler(ask: Ask) -> Any:
            topic = self._centre.topic(ask.integer("ChatTopicId"))
            return None if topic is None else act(topic, ask)

        return handler

    def _transfer(self, session: ChatSession, ask: Ask) -> None:
        self._sessions.transfer(session, to=ask.text("ToAssociate"), actor=ask.actor)

    def _pick_up(self, session: ChatSession, ask: Ask) -> Any:
        return ask.carriers.session(session) if self._sessions.pick_up(session, actor=ask.actor) else None

    def _pick_up_first(self, ask: Ask) -> Any:
        return _shown_session(self._sessions.pick_up_first(actor=ask.actor), ask)

    def _delete_session(self, ask: Ask) -> HttpResponse:
        if session := self._centre.sessions.get(ask.query_int("chatSessionEntityId")):
            self._sessions.delete(session, actor=ask.actor)
        return NOTHING

    def _delete_topic(self, ask: Ask) -> HttpResponse:
        if topic := self._centre.topic(ask.query_int("chatTopicEntityId")):
            self._entities.delete_topic(topic)
        return NOTHING

    def _topic_agent(self, topic: Topic, ask: Ask) -> Any:
        associate = self._roles.member(topic, ask.text("Username"))
        return None if associate is None else ask.carriers.topic_agent(topic, associate)

    def _delete_topic_agent(self, ask: Ask) -> HttpResponse:
        topic = self._centre.topic(ask.integer("ChatTopicId"))
        if topic and (associate := self._roles.member(topic, ask.text("Username"))):
            self._roles.remove(topic, associate)
        return NOTHING

    def _presence_user(self, user_id: int) -> Associate | None:
        if self._switches.presence_user_id == "ejuser":
            associate = self._centre.by_ejuser(user_id)
        else:
            associate = self._centre.associates.get(user_id)
        return associate if associate is not None and associate.chats else None


def _then_show(act: Callable[[ChatSession, Ask], None]) -> Callable[[ChatSession, Ask], Any]:
    def acting(session: ChatSession, ask: Ask) -> Any:
        act(session, ask)
        return ask.carriers.session(session)

    return acting


def _shown_session(session: ChatSession | None, ask: Ask) -> Any:
    return None if session is None else ask.carriers.session(session)


def _shown_topic(topic: Topic | None, ask: Ask) -> Any:
    return None if topic is None else ask.carriers.topic(topic)


def _binding(text: str, handler: Handler) -> Handler:
    """``handler``, with a member of the body bound before anything is looked up: a number is no text."""

    def binding(ask: Ask) -> Any:
        ask.text(text)
        return handler(ask)

    return binding


def _selecting(handler: Handler) -> Handler:
    """With `$select`, which the methods on whole entities (CreateDefault, Save, Delete) do not have."""

    def selecting(ask: Ask) -> Any:
        answer = handler(ask)
        properties = odata.names(ask.query.get("$select", ""))
        return carriers.selected(answer, properties) if properties and not isinstance(answer, HttpResponse) else answer

    return selecting


def _description(name: str) -> Handler:
    return lambda _: {"Agent": "Chat", "Method": name, "Verb": "POST"}
