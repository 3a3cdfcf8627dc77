# SPDX-License-Identifier: Apache-2.0
"""Look up chat users and chat topics of a tenant by number and by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from typing_extensions import override

from ...chats.model import Target, TargetKind
from ...exceptions import CredentialsError, NotAllowedError, PlatformError, RequestRefusedError
from ..decoding import Id, TextIfKnown, decode
from ..directory import Directory, Entry, Unresolved, called, closest, matching, not_allowed
from .carriers import ListItem
from .client import SuperOfficeClient

Known = dict[Target, Target | Unresolved]

NOBODY = "nobody with a chat licence has this number, and no open chat belongs to it"


@dataclass(frozen=True, slots=True)
class NamedAssociate:
    """An Associate carrier: ``Name`` is the login, ``UserName`` online the name of the sign-in, an e-mail address."""

    AssociateId: Id
    Name: TextIfKnown = None
    UserName: TextIfKnown = None
    FullName: TextIfKnown = None


@dataclass(frozen=True, slots=True)
class TopicAgent:
    """A ChatTopicAgent: an associate with a role in a topic."""

    User: NamedAssociate | None = None


class TenantDirectory(Directory):
    """Looks up people in the list of chat users, and by login or e-mail address among the agents of all topics.

    The list shows full names only, and leaves out those without a chat licence; a person who lost it may still own
    chats.
    """

    def __init__(self, client: SuperOfficeClient, *, has_chats: Callable[[str], bool]) -> None:
        """Ask ``has_chats`` whether the associate with an id owns open chats."""
        super().__init__()
        self._client = client
        self._has_chats = has_chats

    @override
    def look_up(self, targets: Sequence[Target]) -> Mapping[Target, Target | Unresolved]:
        people = [target for target in targets if target.is_agent]
        queues = [target for target in targets if not target.is_agent]
        return _where_allowed(people, self._people) | _where_allowed(queues, self._queues)

    @cached_property
    def _chat_users(self) -> list[Entry]:
        """Return everybody with a chat licence."""
        return [_entry(item, TargetKind.AGENT) for item in self._client.chat_users() if item.Id]

    def _people(self, wanted: Sequence[Target]) -> Known:
        users = self._chat_users
        numbers = {user.target for user in users}
        known = {
            target: target if target in numbers or self._owns(target) else Unresolved(f"there is no {target}: {NOBODY}")
            for target in wanted
            if target.name is None
        }
        by_name = [target for target in wanted if target.name is not None and matching(target, users)]
        others = [target for target in wanted if target.name is not None and target not in by_name]
        known |= {target: called(target, users) for target in by_name}
        return known | _where_allowed(others, lambda rest: self._by_login(rest, users))

    def _by_login(self, wanted: Sequence[Target], users: Sequence[Entry]) -> Known:
        agents = list(self._agents_of_topics())
        return {target: called(target, agents, near=closest(target.name or "", users)) for target in wanted}

    def _agents_of_topics(self) -> Iterator[Entry]:
        """Return everybody with a role in a topic; one request for each topic, since no list shows logins."""
        method = "GetChatTopicUserAgentList"
        for topic in self._topics():
            body = {"ChatTopicId": int(topic.target.id or 0)}
            for agent in decode(
                self._client.agents(method, body=body, repeatable=True), list[TopicAgent], method=method
            ):
                if agent.User is not None:
                    names = _names(agent.User.FullName, agent.User.Name, agent.User.UserName)
                    yield Entry(Target.agent(agent.User.AssociateId), names)

    def _queues(self, wanted: Sequence[Target]) -> Known:
        topics = self._topics()
        numbers = {topic.target for topic in topics}
        return {
            target: called(target, topics, near=closest(target.name, topics))
            if target.name is not None
            else target
            if target in numbers
            else Unresolved(f"there is no {target}: no chat topic has this number")
            for target in wanted
        }

    def _topics(self) -> list[Entry]:
        query = {"flat": "true", "additional": "notAll=True"}
        answer = self._client.rest("GET", "MDOList/chatchannel", query=query)
        items = decode(answer, list[ListItem], method="GET MDOList/chatchannel")
        return [_entry(item, TargetKind.QUEUE) for item in items if item.Id]

    def _owns(self, person: Target) -> bool:
        """Tell whether an associate owns open chats, or the service does not say."""
        try:
            return self._has_chats(person.id or "")
        except (RequestRefusedError, CredentialsError) as error:
            _raise_unless_refused(error)
            return True


def _where_allowed(wanted: Sequence[Target], ask: Callable[[Sequence[Target]], Known]) -> Known:
    """Return what ``ask`` finds of ``wanted``; where this account may not ask, numbers pass and names do not."""
    if not wanted:
        return {}
    try:
        return ask(wanted)
    except (RequestRefusedError, CredentialsError) as error:
        _raise_unless_refused(error)
        return {target: target if target.name is None else not_allowed(target, error) for target in wanted}


def _raise_unless_refused(error: PlatformError) -> None:
    """Raise errors that are no missing right: credentials that are not taken, a tenant that serves nobody."""
    if not isinstance(error, RequestRefusedError | NotAllowedError):
        raise error


def _entry(item: ListItem, kind: TargetKind) -> Entry:
    """Return the person or the topic of ``item``."""
    return Entry(Target(kind, item.Id), _names(item.FullName, item.Name))


def _names(*names: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, names)))
