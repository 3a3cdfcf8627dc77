# SPDX-License-Identifier: Apache-2.0
"""Call the WebAPI of SuperOffice: its two flavours, Agents and REST, and its several shapes of an error."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...chats.model import Chat, Reading, UnreadableChat
from ...exceptions import (
    CredentialsError,
    MisdirectedError,
    NotAllowedError,
    NotFoundError,
    PlatformError,
    RequestRefusedError,
    TokenExpiredError,
    UnexpectedResponseError,
)
from ..auth import AuthenticatedClient, AuthHeaders
from ..decoding import decode
from ..issued_token import IssuedToken
from ..paging import DOES_NOT_ADVANCE, Paging
from ..transport import Request, Response, Transport
from .answers import CHECK_HOST, understand_answer
from .auth import SuperOfficeAuth
from .carriers import ListItem, Message, Page, Principal, SessionRow, Topic
from .mapping import read_session, read_sessions
from .tenant import Address

log = logging.getLogger(__name__)

ENTITY_FIELDS = "ChatSessionId,TopicId,User,TransferTo,Status"
"""What is asked of a chat session, and no more: the rest is the customer's name, address and words, and the
session's key. Fields that are not selected come back as null, so the ones that tell a transfer must be here."""

ONLY_FIELDS = {"$select": ENTITY_FIELDS}
"""The query that asks for ``ENTITY_FIELDS`` only."""

MAX_ROWS = 100_000
"""Rows of a list that are read at most: more sessions than an agent can have."""

MIN_TOKEN_LIFE_SECONDS = 60.0
"""Seconds for which a token cannot have expired. An older one that has may be answered with 403 instead of 401
(SuperOffice's best practices). To a younger one 403 is about rights: another token does not help, and none is fetched
for each chat."""


class SuperOfficeClient(AuthenticatedClient[SuperOfficeAuth]):
    """Calls the WebAPI as one user. What it returns of a chat is about the chat that was asked for."""

    def __init__(
        self,
        *,
        address: Address,
        auth: SuperOfficeAuth,
        transport: Transport,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(auth=auth, transport=transport, clock=clock)
        self.address = address

    def agents(
        self,
        method: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> Any:
        """Call ``POST Agents/Chat/<method>``.

        Returns ``None`` where the service answers ``null``: nothing there, or not done.
        """
        return self._send(
            Request(
                method=f"Agents/Chat/{method}",
                url=f"Agents/Chat/{method}",
                json=dict(body) if body is not None else None,
                sends_json=True,
                query=query,
                repeatable=repeatable,
            )
        )

    def rest(
        self, verb: str, path: str, *, query: Mapping[str, str] | None = None, repeatable: bool | None = None
    ) -> Any:
        """Call a REST resource; a GET may be repeated unless said otherwise."""
        return self._send(
            Request(
                method=f"{verb} {path}",
                url=path,
                verb=verb,
                query=query,
                repeatable=verb == "GET" if repeatable is None else repeatable,
            )
        )

    def transfer(self, chat_id: str, *, to: str) -> Chat:
        """Ask the associate with the id ``to`` to take the session (``TransferChatSession``); return it as it is then.

        The service also takes a user name, but which of an associate's two names is meant is not documented; an id
        is a decimal string.
        """
        return self._act_on(chat_id, "TransferChatSession", ToAssociate=to)

    def accept(self, chat_id: str) -> Chat:
        """Accept as this user (``ChatSession/{id}/AcceptTransfer``); return the session as it is then.

        Where that resource is not found, its twin ``AcceptChatSessionTransfer`` is asked.
        """
        try:
            entity = self.rest("POST", f"ChatSession/{chat_id}/AcceptTransfer")
        except NotFoundError:
            return self._act_on(chat_id, "AcceptChatSessionTransfer")
        return _changed(entity, chat_id=chat_id, method="AcceptTransfer")

    def reset(self, chat_id: str) -> Chat:
        """Put the session back into its topic's queue (``ResetChatSession``); return it as it is then."""
        return self._act_on(chat_id, "ResetChatSession")

    def _act_on(self, chat_id: str, method: str, **more: str) -> Chat:
        entity = self.agents(method, body={"ChatSessionId": int(chat_id), **more}, query=ONLY_FIELDS)
        return _changed(entity, chat_id=chat_id, method=method)

    def sessions(self, wanted: Collection[str]) -> Mapping[str, Reading]:
        """Read those of ``wanted`` that are sessions of the topics in which this user has a role, by id.

        The service lists all of these topics, unpaged (``ChatSessionsForUser``).
        """
        method = "ChatSessionsForUser"
        answer = self.agents(method, query=ONLY_FIELDS, repeatable=True)
        return read_sessions(decode(answer, list[Any], method=method), wanted=wanted, method=method)

    def principal(self) -> Principal:
        """Read who this user is (``User/currentPrincipal``). Every WebAPI has it."""
        method = "User/currentPrincipal"
        try:
            return decode(self.rest("GET", method), Principal, method=method)
        except NotFoundError as error:
            raise UnexpectedResponseError(
                f"no SuperOffice WebAPI; {CHECK_HOST}", method=error.method, code=error.code
            ) from None

    def topics(self) -> list[Topic]:
        """Read the topics in which this user has a role (``ChatTopicsForUser``)."""
        method = "ChatTopicsForUser"
        answer = self.agents(method, query={"$select": "ChatTopicId"}, repeatable=True)
        return decode(answer, list[Topic], method=method)

    def chat_users(self) -> list[ListItem]:
        """Read everybody with a chat licence, by associate id (the list ``chatuser``)."""
        method = "MDOList/chatuser"
        answer = self.rest("GET", method, query={"flat": "true", "additional": "associate=True"})
        return decode(answer, list[ListItem], method=method)

    def newest(self) -> str | None:
        """Read the id of the newest row of the archive list ``ChatSession``; ``None`` where it has no rows."""
        query = {"$select": "chatSessionId", "$orderBy": "chatSessionId desc", "$top": "1"}
        rows = self._page("ChatSession", query)
        return rows[0].chatSessionId if rows else None

    def entity(self, chat_id: str) -> Reading:
        """Read one session, or why it cannot be read (``GetChatSessionEntity``).

        What is wrong with the session in the answer is not raised: it concerns that chat.
        """
        method = "GetChatSessionEntity"
        answer = self.agents(method, query={"chatSessionEntityId": chat_id, **ONLY_FIELDS}, repeatable=True)
        if answer is None:
            return UnreadableChat("not there, or this account may not see it")
        try:
            return read_session(answer, chat_id=chat_id, method=method)
        except UnexpectedResponseError as error:
            return UnreadableChat.not_understood(error)

    def messages(self, chat_id: str) -> list[Message]:
        """Read everything written in the session, special messages among it (``GetChatMessages``)."""
        method = "GetChatMessages"
        body = {"ChatSessionId": int(chat_id), "After": 0}
        only = {"$select": "ChatMessageId,ChatSessionId,SpecialType,WhenPosted"}
        messages = decode(self.agents(method, body=body, query=only, repeatable=True), list[Message], method=method)
        if any(message.ChatSessionId not in (None, chat_id) for message in messages):
            raise UnexpectedResponseError("the answer is about another session than was asked for", method=method)
        return messages

    def rows(self, path: str, *, select: str, where: str, page: int) -> Iterator[SessionRow]:
        """Read the rows of an archive list by key: those behind the last one seen.

        It is never read by ``$skip``, which makes the service start from the first row for each page. Raises
        ``UnexpectedResponseError`` for a page that does not go on behind the one before: it would have no end.
        """
        last, paging = 0, Paging(method=f"GET {path}", most=MAX_ROWS)
        while True:
            query = {
                "$select": select,
                "$filter": f"{where} and chatSessionId gt {last}",
                "$orderBy": "chatSessionId asc",
                "$top": str(page),
            }
            rows = self._page(path, query)
            yield from rows
            if len(rows) < page:
                return
            paging.note_page(row.chatSessionId for row in rows)
            for row in rows:
                before, last = last, int(row.chatSessionId)
                if last <= before:
                    raise UnexpectedResponseError(DOES_NOT_ADVANCE, method=f"GET {path}")

    def _page(self, path: str, query: Mapping[str, str]) -> list[SessionRow]:
        method = f"GET {path}"
        page = decode(self.rest("GET", path, query=query), Page, method=method)
        return decode(page.value, list[SessionRow], method=method)

    def authenticate(self) -> AuthHeaders:
        """Return what the next request is to carry, with the present address of the WebAPI."""
        base_url = self.address.base()
        return replace(self.auth.authenticate(), base_url=base_url)

    def follow_move(self, error: PlatformError, request: Request, signed: AuthHeaders, *, moves: int) -> bool:
        """Look a tenant up that is elsewhere, once for each request."""
        if not isinstance(error, MisdirectedError) or moves:
            return False
        log.info("%s; asking where it is", error)
        self.address.note_moved(signed.base_url)
        return True

    def new_token_refused(self, error: TokenExpiredError) -> CredentialsError:
        """Say what is left to look at where no other token helps."""
        return self._refused(error.code, has_token=True, method=error.method)

    def _send(self, request: Request) -> Any:
        """Send ``request``, its ``url`` being what follows ``/api/v1/``."""

        def build(signed: AuthHeaders) -> Request:
            headers = {**signed.headers, "SO-TimeZone": "UTC,includeTZOffset"}
            return replace(request, url=f"{signed.base_url}/api/v1/{request.url}", headers=headers)

        def understand(response: Response, signed: AuthHeaders) -> Any:
            if response.status in (401, 403):
                raise self._unauthorized(response.status, signed.token, method=request.method)
            return understand_answer(response, request.method)

        return self.send_signed(build, understand)

    def _unauthorized(self, status: int, token: IssuedToken | None, *, method: str) -> CredentialsError:
        code = str(status)
        if token and (status == 401 or self.clock() - token.obtained_at > MIN_TOKEN_LIFE_SECONDS):
            return TokenExpiredError("the token or ticket has run out", method=method, code=code)
        return self._refused(code, has_token=token is not None, method=method)

    def _refused(self, code: str | None, *, has_token: bool, method: str) -> CredentialsError:
        """Return what 401 and 403 mean where no other token helps."""
        if code == "403":
            else_ = "" if has_token else f", or {self.auth.remedy}"
            why = f"the user may not do this: give them the right in SuperOffice Admin{else_}"
            return NotAllowedError(why, method=method, code=code)
        why = f"the service does not let us in: {self.auth.remedy}"
        return CredentialsError(why, method=method, code=code)


def _changed(entity: Any, *, chat_id: str, method: str) -> Chat:
    """Read the session in the answer to what was to change it."""
    if entity is None:
        raise RequestRefusedError("the service answered null: no such session, or not done", method=method)
    return read_session(entity, chat_id=chat_id, method=method)
