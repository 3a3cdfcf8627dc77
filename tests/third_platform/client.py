# SPDX-License-Identifier: Apache-2.0
"""Call the API of Helpwave as one agent: its requests, what its answers hold, and what its errors mean."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from airflow_provider_chattransfer.exceptions import (
    CredentialsError,
    NotFoundError,
    RequestRefusedError,
    TokenExpiredError,
)
from airflow_provider_chattransfer.platforms.auth import AuthenticatedClient, AuthHeaders, AuthStrategy
from airflow_provider_chattransfer.platforms.decoding import Id, Number, TextIfKnown, Token, decode
from airflow_provider_chattransfer.platforms.issued_token import IssuedToken
from airflow_provider_chattransfer.platforms.paging import Paging
from airflow_provider_chattransfer.platforms.rate import RateLimit
from airflow_provider_chattransfer.platforms.tokens.manager import TokenManager
from airflow_provider_chattransfer.platforms.transport import NO_JSON, Request, Response, Transport, gateway_error

RATE_LIMIT = RateLimit(per_second=5.0, burst=10)
"""What the service's documents allow."""

READ_TIMEOUT_SECONDS = 20.0
"""Seconds for a request and its whole answer; the service gives up after 15."""

PAGE_SIZE = 25
"""Conversations of one page of a list."""

MAX_CONVERSATIONS = 100_000
"""Conversations of a list that are read at most."""


class Status(StrEnum):
    """The states of a conversation; another one is an error."""

    OPEN = "open"
    PENDING = "pending"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Named:
    """An agent, a team, or a customer of whom only the id is declared, so that nothing else of them is kept."""

    id: Id
    name: TextIfKnown = None
    email: TextIfKnown = None


@dataclass(frozen=True, slots=True)
class Sender:
    """The customer."""

    id: Id


@dataclass(frozen=True, slots=True)
class Meta:
    """Who takes part in a conversation."""

    sender: Sender
    assignee: Named | None = None
    team: Named | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation as the service shows it."""

    id: Id
    status: Status
    meta: Meta


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """The conversations of one page."""

    payload: list[Conversation]


@dataclass(frozen=True, slots=True)
class ConversationList:
    """The answer to a list."""

    data: ConversationPage


@dataclass(frozen=True, slots=True)
class Granted:
    """A token that was given out; ``expires_in`` is in seconds."""

    access_token: Token
    expires_in: Number


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Give out tokens for an agent's key."""

    url: str
    key: str = field(repr=False)
    transport: Transport = field(repr=False)

    def fetch_token(self, refresh_token: str | None) -> IssuedToken:
        """Ask for a token; raises a ``PlatformError``."""
        asked_at = time.time()
        request = Request(method="POST token", url=self.url, json={"key": self.key}, repeatable=True)
        answer = self.transport.send(request, lambda response: _understand(response, "POST token"))
        granted = decode(answer, Granted, method="POST token")
        return IssuedToken(secret=granted.access_token, obtained_at=asked_at, expires_at=asked_at + granted.expires_in)


class AgentKey(AuthStrategy):
    """Sign in by an agent's key, for which there are tokens."""

    actor = "agent by key"

    def __init__(self, token_manager: TokenManager) -> None:
        self._token_manager = token_manager

    def authenticate(self) -> AuthHeaders:
        """Return the present token as a header."""
        token = self._token_manager.token()
        return AuthHeaders({"api_access_token": token.secret}, token)

    def refresh(self, expired: AuthHeaders) -> None:
        """Fetch another token."""
        self._token_manager.refresh(expired.token)


class HelpwaveClient(AuthenticatedClient[AgentKey]):
    """Call the API of one account as the agent whose key it has."""

    def __init__(self, *, url: str, account_id: str, auth: AgentKey, transport: Transport) -> None:
        super().__init__(auth=auth, transport=transport)
        self.account = f"{url}/accounts/{account_id}"
        self._api = f"{url}/api/v1"
        self._path = f"accounts/{account_id}"

    def profile(self) -> Named:
        """Read who this agent is."""
        return decode(self._call("GET", "profile"), Named, method="GET profile")

    def listed(self, what: str) -> list[Named]:
        """Read the list of ``agents`` or of ``teams``."""
        return decode(self._call("GET", f"{self._path}/{what}"), list[Named], method=f"GET {what}")

    def open_conversations(self) -> Iterator[Conversation]:
        """Read all conversations that are open, page by page."""
        method, page = "GET conversations", 1
        paging = Paging(method=method, most=MAX_CONVERSATIONS)
        while True:
            query = {"status": "open", "assignee_type": "all", "page": str(page)}
            answer = self._call("GET", f"{self._path}/conversations", query=query)
            payload = decode(answer, ConversationList, method=method).data.payload
            yield from payload
            if len(payload) < PAGE_SIZE:
                return
            paging.note_page(each.id for each in payload)
            page += 1

    def conversation(self, chat_id: str) -> Conversation:
        """Read one conversation; raises ``NotFoundError`` where there is none."""
        answer = self._call("GET", f"{self._path}/conversations/{chat_id}")
        return decode(answer, Conversation, method="GET conversation")

    def assign(self, chat_id: str, **receiver: int) -> bool:
        """Give a conversation to ``assignee_id`` or to ``team_id``; whether there was such a receiver."""
        answer = self._call("POST", f"{self._path}/conversations/{chat_id}/assignments", json=receiver)
        return answer is not None

    def _call(self, verb: str, path: str, *, query: Mapping[str, str] | None = None, json: Any = None) -> Any:
        """Send a request below ``/api/v1``, signed in."""
        method = f"{verb} {path.rpartition('/')[2]}"
        request = Request(
            method=method, url=f"{self._api}/{path}", verb=verb, query=query, json=json, repeatable=verb == "GET"
        )

        def understand(response: Response, signed: AuthHeaders) -> Any:
            if response.status == 401:
                raise TokenExpiredError("the token has run out", method=method, code="401")
            return _understand(response, method)

        return self.send_signed(lambda signed: replace(request, headers=signed.headers), understand)


def _understand(response: Response, method: str) -> Any:
    """Return the body of a good answer; raise what a bad one means."""
    status = response.status
    if status == 401:
        raise CredentialsError("the service does not take the agent_key", method=method, code="401")
    if status == 404:
        raise NotFoundError("not found", method=method, code="404")
    if status in (403, 422):
        raise RequestRefusedError("the service refused", method=method, code=str(status))
    if status != 200 or response.body is NO_JSON:
        raise gateway_error(response, method=method)
    return response.body
