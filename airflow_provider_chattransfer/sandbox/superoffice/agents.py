# SPDX-License-Identifier: Apache-2.0
"""The agent flavour, `POST Agents/Chat/…`: what is missing is `null`, not 404; every answer takes `$select`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..wire import Reply
from . import carriers, errors, odata
from .ask import Ask
from .model import Associate, Centre, ChatSession
from .routes import Handler, Route
from .sessions import Sessions
from .switches import Switches

NOT_SIMULATED = (
    "CreateDefaultChatSessionEntity", "SaveChatSessionEntity", "DeleteChatSessionEntity", "GetChatTranscript",
    "AddChatMessage", "CreateDefaultChatTopicAgent", "CreateDefaultChatTopicEntity", "SaveChatTopicEntity",
    "DeleteChatTopicEntity", "IsWithinOpeningHours", "AddChatTopicUserAgent", "UpdateChatTopicUserAgent",
    "UpdateChatTopicUserAgents", "DeleteChatTopicUserAgent", "CreateChatSessionForTopic",
)  # fmt: skip


class ChatAgent:
    """The methods of `IChatAgent`."""

    def __init__(self, centre: Centre, sessions: Sessions, switches: Switches) -> None:
        self._centre = centre
        self._sessions = sessions
        self._switches = switches

    def routes(self) -> list[Route]:
        """All methods. A `GET` does not invoke one but describes it."""
        methods: dict[str, Handler] = {
            "TransferChatSession": self._acting(self._transfer),
            "AcceptChatSessionTransfer": self._acting(lambda s, ask: self._sessions.accept(s, actor=ask.actor)),
            "RejectChatSessionTransfer": self._acting(lambda s, ask: self._sessions.reject(s, actor=ask.actor)),
            "ResetChatSession": self._acting(lambda s, ask: self._sessions.reset(s, actor=ask.actor)),
            "PickUpChatSession": self._pick_up,
            "PickUpFirstChatSession": self._pick_up_first,
            "GetChatSessionEntity": self._session,
            "ChatSessionsForUser": self.sessions_for_user,
            "GetChatMessages": self._messages,
            "GetChatPresence": self.presence,
            "SaveChatPresence": lambda ask: self.save_presence(ask, ask.member("ChatPresence")),
            "GetUserAgentList": lambda ask: self.user_agents(
                flat=ask.flag("Flat"), only_present=ask.flag("OnlyPresent")
            ),
            "ChatTopicsForUser": self.topics_for_user,
            "GetChatTopicEntity": self._topic,
            "GetChatTopicUserAgentList": self._topic_agents,
            "GetChatTopicUserAgent": self._topic_agent,
            **{name: _absent(f"Agents/Chat/{name}") for name in NOT_SIMULATED},
        }
        return [
            route
            for name, handler in methods.items()
            for route in (
                Route("POST", f"Agents/Chat/{name}", _selecting(handler)),
                Route("GET", f"Agents/Chat/{name}", _description(name)),
            )
        ]

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

    def save_presence(self, ask: Ask, value: Any) -> Reply:
        """Set who is present; only `UserId` and `Present` count, ids of nobody are passed over."""
        for item in ask.items(value, "ChatPresence"):
            if (associate := self._presence_user(item.get("userid"))) is None:
                continue
            if item.get("present"):
                self._centre.present.add(associate.id)
            else:
                self._centre.present.discard(associate.id)
        return Reply(status=204, body=b"")

    def user_agents(
        self,
        *,
        flat: bool,
        only_present: bool,
        by_associate: bool = False,
        topic: int | None = None,
        without: Associate | None = None,
    ) -> list[dict[str, Any]]:
        """The list `chatuser`: everybody with a chat licence."""
        members = self._centre.topics[topic].people if topic in self._centre.topics else frozenset[int]()
        users = [
            associate
            for associate in self._centre.chat_users()
            if (not only_present or associate.id in self._centre.present)
            and (topic is None or associate.id in members)
            and associate is not without
        ]
        return carriers.user_items(users, by_associate=by_associate, flat=flat)

    def _acting(self, act: Callable[[ChatSession, Ask], None]) -> Handler:
        """A method on `ChatSessionId` that answers with the session as it is afterwards, `null` when there is none."""

        def handler(ask: Ask) -> Any:
            session = self._centre.sessions.get(ask.integer("ChatSessionId"))
            if session is None:
                return None
            act(session, ask)
            return ask.carriers.session(session)

        return handler

    def _transfer(self, session: ChatSession, ask: Ask) -> None:
        self._sessions.transfer(session, to=ask.text("ToAssociate"), actor=ask.actor)

    def _pick_up(self, ask: Ask) -> Any:
        session = self._centre.sessions.get(ask.integer("ChatSessionId"))
        if session is None or not self._sessions.pick_up(session, actor=ask.actor):
            return None
        return ask.carriers.session(session)

    def _pick_up_first(self, ask: Ask) -> Any:
        session = self._sessions.pick_up_first(actor=ask.actor)
        return None if session is None else ask.carriers.session(session)

    def _session(self, ask: Ask) -> Any:
        session = self._centre.sessions.get(ask.query_int("chatSessionEntityId"))
        return None if session is None else ask.carriers.session(session)

    def _messages(self, ask: Ask) -> list[dict[str, Any]] | None:
        session, after = self._centre.sessions.get(ask.integer("ChatSessionId")), ask.integer("After")
        if session is None:
            return None
        return [ask.carriers.message(session, message) for message in session.messages if message.id > after]

    def _topic(self, ask: Ask) -> Any:
        topic = self._centre.topics.get(ask.query_int("chatTopicEntityId"))
        return None if topic is None else ask.carriers.topic(topic)

    def _topic_agents(self, ask: Ask) -> list[dict[str, Any]] | None:
        topic = self._centre.topics.get(ask.integer("ChatTopicId"))
        return None if topic is None else ask.carriers.topic_agents(topic)

    def _topic_agent(self, ask: Ask) -> Any:
        topic = self._centre.topics.get(ask.integer("ChatTopicId"))
        associate = self._sessions.named(ask.text("Username") or "")
        if topic is None or associate is None or associate.id not in topic.people:
            return None
        return ask.carriers.topic_agent(topic, associate)

    def _presence_user(self, user_id: Any) -> Associate | None:
        if isinstance(user_id, bool) or not isinstance(user_id, int):
            return None
        if self._switches.presence_user_id == "ejuser":
            associate = self._centre.by_ejuser(user_id)
        else:
            associate = self._centre.associates.get(user_id)
        return associate if associate is not None and associate.chats else None


def _selecting(handler: Handler) -> Handler:
    def selecting(ask: Ask) -> Any:
        answer = handler(ask)
        properties = odata.names(ask.query.get("$select", ""))
        return carriers.selected(answer, properties) if properties and not isinstance(answer, Reply) else answer

    return selecting


def _description(name: str) -> Handler:
    return lambda _: {"Agent": "Chat", "Method": name, "Verb": "POST"}


def _absent(name: str) -> Handler:
    def absent(_: Ask) -> Any:
        raise errors.not_simulated(name)

    return absent
