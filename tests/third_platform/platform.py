# SPDX-License-Identifier: Apache-2.0
"""Helpwave as a ``ChatPlatform``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from airflow_provider_chattransfer.chats.estimate import Cost
from airflow_provider_chattransfer.chats.model import Chat, Reading, Target, TargetKind, UnreadableChat
from airflow_provider_chattransfer.chats.reconciliation import Answer, Answered, Refused
from airflow_provider_chattransfer.chats.references import is_chat_id
from airflow_provider_chattransfer.chats.run import Move, Sent
from airflow_provider_chattransfer.exceptions import (
    NotFoundError,
    PlatformError,
    UnexpectedResponseError,
)
from airflow_provider_chattransfer.platforms.base import ChatPlatform, SendOptions, answer_to, stop_after
from airflow_provider_chattransfer.platforms.connection_check import Capability, ConnectionCheck
from airflow_provider_chattransfer.platforms.directory import Directory, Entry, Unresolved, called, closest
from airflow_provider_chattransfer.retry_decision import decide

from .client import Conversation, HelpwaveClient, Status


class HelpwavePlatform(ChatPlatform):
    """Conversations are read and assigned one by one. An agent has one at once, a team until somebody picks it up."""

    name = "helpwave"
    chunk = 25

    def __init__(self, client: HelpwaveClient) -> None:
        self.client = client
        self.account = client.account
        self.actor = client.auth.actor
        self._directory = AccountDirectory(client)

    @property
    def cost(self) -> Cost:
        """Every conversation is read, assigned and read again by itself."""
        limit = self.client.rate_limit
        return Cost(chats_per_request=(1, 1, 1), per_second=limit.per_second, burst=limit.burst)

    @property
    def requests(self) -> int:
        """Ask the client."""
        return self.client.requests

    def check_targets(self, targets: Sequence[Target]) -> None:
        """Refuse ``queue`` alone: a conversation has no queue of its own to go back to."""
        for target in targets:
            if target == Target(TargetKind.QUEUE):
                raise ValueError("to: queue is not possible on Helpwave; write 'queue:3', the number of a team")

    def resolve(self, targets: Sequence[Target], *, of: str) -> Mapping[Target, Target]:
        """Look agents and teams up; see ``Directory.resolve``."""
        return self._directory.resolve(targets, of=of)

    def resolve_chats(self, references: Sequence[str]) -> Mapping[str, str]:
        """Take numbers, and nothing else."""
        for reference in references:
            if not is_chat_id(reference):
                raise ValueError(f"{reference}: Helpwave finds a conversation by its number only")
        return {each: each for each in references}

    def check_source(self, source: Target) -> None:
        """Take any agent and any team."""

    def find_agents_chats(self, agents: Sequence[str]) -> list[Chat]:
        """Find the open conversations of ``agents``: the list has no filter by agent."""
        return self._find(lambda chat: chat.owner in agents)

    def find_waiting_chats(self, queue: str) -> list[Chat]:
        """Find the open conversations of a team that nobody has."""
        return self._find(lambda chat: chat.owner is None and chat.queue == queue)

    def read_chats(self, chat_ids: Sequence[str]) -> Mapping[str, Reading]:
        """Read each conversation with one request."""
        return {chat_id: self._read(chat_id) for chat_id in chat_ids}

    def check_may_send(self) -> None:
        """Every agent may assign."""

    def send(self, moves: Sequence[Move], options: SendOptions) -> Sent:
        """Assign one conversation after the other."""
        answers: dict[str, Answer] = {}
        for move in moves:
            chat_id = move.transfer.chat_id
            try:
                answers[chat_id] = self._assign(chat_id, move.transfer.target)
            except PlatformError as error:
                answers[chat_id] = answer_to(error)
                if stop := stop_after(error):
                    return Sent(answers, stop)
                if decide(error).not_applied:
                    break
        return Sent(answers)

    def transfer_history(self, moves: Sequence[Move], *, since: Mapping[str, float]) -> Mapping[str, bool | None]:
        """Tell nothing: the service keeps no history of assignments."""
        return {move.transfer.chat_id: None for move in moves}

    def receiver_of(self, chat: Reading) -> Target:
        """Return the agent whose key the connection has."""
        return Target.agent(self.client.profile().id)

    def accept(self, chat: Chat) -> Answer:
        """Take a conversation that waits in a team: assign it to oneself."""
        return self._assign(chat.id, self.receiver_of(chat))

    def check_connection(self) -> ConnectionCheck:
        """Ask who we are, and whether the lists of agents and teams are shown."""
        me = self.client.profile()
        self.client.listed("teams")
        return ConnectionCheck(
            where=self.account,
            who=f"agent {me.id}",
            capabilities=[Capability("transfer", needed=True), Capability("wait")],
            clock_ahead=self.client.clock_ahead,
        )

    def close(self) -> None:
        """Close the pooled network connections."""
        self.client.close()

    def _read(self, chat_id: str) -> Reading:
        try:
            conversation = self.client.conversation(chat_id)
        except NotFoundError as error:
            return UnreadableChat(str(error))
        except UnexpectedResponseError as error:
            return UnreadableChat.not_understood(error)
        if conversation.id != chat_id:
            return UnreadableChat.not_understood("the service shows another conversation")
        return as_chat(conversation)

    def _find(self, wanted: Callable[[Chat], bool]) -> list[Chat]:
        chats = [as_chat(each) for each in self.client.open_conversations()]
        return sorted(filter(wanted, chats), key=lambda chat: int(chat.id))

    def _assign(self, chat_id: str, target: Target) -> Answer:
        receiver = "assignee_id" if target.is_agent else "team_id"
        if self.client.assign(chat_id, **{receiver: int(target.id or 0)}):
            return Answered()
        return Refused(f"there is no {target}, and the service took the conversation from its agent", lasting=True)


class AccountDirectory(Directory):
    """Look agents and teams up in the two lists that the account has of them."""

    def __init__(self, client: HelpwaveClient) -> None:
        super().__init__()
        self._client = client

    def look_up(self, targets: Sequence[Target]) -> Mapping[Target, Target | Unresolved]:
        """Find each of ``targets`` by its number, its name or its e-mail address."""
        found: dict[Target, Target | Unresolved] = {}
        for kind, path in ((TargetKind.AGENT, "agents"), (TargetKind.QUEUE, "teams")):
            wanted = [target for target in targets if target.kind is kind]
            entries = [
                Entry(Target(kind, each.id), tuple(filter(None, (each.name, each.email))))
                for each in (self._client.listed(path) if wanted else ())
            ]
            known = {entry.target for entry in entries}
            for target in wanted:
                if target.name is not None:
                    found[target] = called(target, entries, near=closest(target.name, entries))
                else:
                    found[target] = target if target in known else Unresolved(f"there is no {target} in the account")
        return found


def as_chat(conversation: Conversation) -> Chat:
    """Turn a conversation into the domain's words. An assignment takes effect at once, so nobody is asked first."""
    meta = conversation.meta
    return Chat(
        id=conversation.id,
        closed=conversation.status is Status.RESOLVED,
        owner=meta.assignee.id if meta.assignee else None,
        queue=meta.team.id if meta.team else None,
        customer=meta.sender.id,
    )
