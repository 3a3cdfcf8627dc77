# SPDX-License-Identifier: Apache-2.0
"""The WebAPI of SuperOffice: its two flavours, Agents and REST, and its several shapes of an error."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...chats.model import Chat, Reading, UnreadableChat
from ...exceptions import (
    CredentialsError,
    MisdirectedError,
    NotAllowedError,
    NotAppliedError,
    NotFoundError,
    RateLimitError,
    RequestRefusedError,
    ResponseLostError,
    TokenExpiredError,
    UnexpectedResponseError,
    as_code,
)
from ..decoding import decode
from ..paging import DOES_NOT_ADVANCE, Paging
from ..transport import FRESH, NO_JSON, Request, Response, Transport, gateway_trouble
from .auth import AuthHeaders, Credentials
from .carriers import ChatPresence, ListItem, Message, Page, Principal, SessionRow, Topic
from .mapping import read_session, read_sessions
from .tenant import Address

log = logging.getLogger(__name__)

ENTITY_FIELDS = "ChatSessionId,TopicId,User,TransferTo,Status"
"""What is asked of a chat session, and no more: the rest is the customer's name, address and words, and the
session's key. Fields that are not selected come back as null, so the ones that tell a transfer must be here."""

ONLY_FIELDS = {"$select": ENTITY_FIELDS}


CHECK_HOST = "check that host is the address of a WebAPI, up to and without /api/v1"

MOST_ROWS = 100_000
"""Rows of a list that are read: more sessions than an agent can have."""

JUST_OBTAINED = 60.0
"""Seconds for which a token cannot have run out. An old one that has may be answered with 403 instead of 401
(SuperOffice's best practices), which else is about rights: no renewal helps, and none is tried for each chat."""


class SuperOfficeClient:
    """Calls the WebAPI as one user. What it returns of a chat is about the chat that was asked for."""

    def __init__(
        self,
        *,
        address: Address,
        credentials: Credentials,
        transport: Transport,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.address = address
        self.credentials = credentials
        self._transport = transport
        self._clock = clock

    def agents(
        self,
        method: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> Any:
        """``POST Agents/Chat/<method>``. ``None`` where the service answers ``null``: nothing there, or not done."""
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
        """A REST resource; a GET may be repeated unless said otherwise."""
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
        """``TransferChatSession``: ask the associate with the id ``to``; the session as it is then.

        The service also takes a user name, but which of an associate's two names is meant is not documented; an id
        is a decimal string.
        """
        return self._act_on(chat_id, "TransferChatSession", ToAssociate=to)

    def accept(self, chat_id: str) -> Chat:
        """``ChatSession/{id}/AcceptTransfer``: accept as this user; the session as it is then.

        Where that resource is not found, its twin ``AcceptChatSessionTransfer`` is asked.
        """
        try:
            entity = self.rest("POST", f"ChatSession/{chat_id}/AcceptTransfer")
        except NotFoundError:
            return self._act_on(chat_id, "AcceptChatSessionTransfer")
        return _changed(entity, chat_id=chat_id, method="AcceptTransfer")

    def reject(self, chat_id: str) -> Chat:
        """``RejectChatSessionTransfer``: turn down a transfer to this user; the session as it is then."""
        return self._act_on(chat_id, "RejectChatSessionTransfer")

    def reset(self, chat_id: str) -> Chat:
        """``ResetChatSession``: put the session back into its topic's queue; the session as it is then."""
        return self._act_on(chat_id, "ResetChatSession")

    def _act_on(self, chat_id: str, method: str, **more: str) -> Chat:
        entity = self.agents(method, body={"ChatSessionId": int(chat_id), **more}, query=ONLY_FIELDS)
        return _changed(entity, chat_id=chat_id, method=method)

    def sessions(self) -> Mapping[str, Reading]:
        """``ChatSessionsForUser``: all sessions of the topics in which this user has a role, unpaged, by id."""
        method = "ChatSessionsForUser"
        answer = self.agents(method, query=ONLY_FIELDS, repeatable=True)
        return read_sessions(decode(answer, list[Any], method=method), method=method)

    def principal(self) -> Principal:
        """``User/currentPrincipal``: who this user is. Every WebAPI has it."""
        method = "User/currentPrincipal"
        try:
            return decode(self.rest("GET", method), Principal, method=method)
        except NotFoundError as error:
            raise UnexpectedResponseError(
                f"no SuperOffice WebAPI; {CHECK_HOST}", method=error.method, code=error.code
            ) from None

    def topics(self) -> list[Topic]:
        """``ChatTopicsForUser``: the topics in which this user has a role."""
        method = "ChatTopicsForUser"
        answer = self.agents(method, query={"$select": "ChatTopicId"}, repeatable=True)
        return decode(answer, list[Topic], method=method)

    def chat_users(self) -> list[ListItem]:
        """The list ``chatuser``: everybody with a chat licence, by associate id."""
        method = "MDOList/chatuser"
        answer = self.rest("GET", method, query={"flat": "true", "additional": "associate=True"})
        return decode(answer, list[ListItem], method=method)

    def newest(self) -> str | None:
        """The id of the newest row of the archive list ``ChatSession``; ``None`` where it has no rows."""
        query = {"$select": "chatSessionId", "$orderBy": "chatSessionId desc", "$top": "1"}
        rows = self._page("ChatSession", query)
        return rows[0].chatSessionId if rows else None

    def presence(self) -> list[ChatPresence]:
        """``Presence/GetAll``: which agents are present, and how many chats each has.

        Whether ``UserId`` there is an associate's or an ejuser's id is not documented.
        """
        method = "Presence/GetAll"
        return decode(self.rest("GET", method), list[ChatPresence], method=method)

    def entity(self, chat_id: str) -> Reading:
        """``GetChatSessionEntity``: the session, or why it is not to be read. What is wrong with a session in the
        answer is not raised: it concerns that chat."""
        method = "GetChatSessionEntity"
        answer = self.agents(method, query={"chatSessionEntityId": chat_id, **ONLY_FIELDS}, repeatable=True)
        if answer is None:
            return UnreadableChat("not there, or this account may not see it")
        try:
            return read_session(answer, chat_id=chat_id, method=method)
        except UnexpectedResponseError as error:
            return UnreadableChat.not_understood(error)

    def messages(self, chat_id: str) -> list[Message]:
        """``GetChatMessages``: everything written in the session, special messages among it."""
        method = "GetChatMessages"
        body = {"ChatSessionId": int(chat_id), "After": 0}
        only = {"$select": "ChatMessageId,ChatSessionId,SpecialType,WhenPosted"}
        messages = decode(self.agents(method, body=body, query=only, repeatable=True), list[Message], method=method)
        if any(message.ChatSessionId not in (None, chat_id) for message in messages):
            raise UnexpectedResponseError("the answer is about another session than was asked for", method=method)
        return messages

    @property
    def clock_ahead(self) -> float:
        """By how many seconds the service's clock is ahead of ours."""
        return self._transport.clock_ahead

    def rows(self, path: str, *, select: str, where: str, page: int) -> Iterator[SessionRow]:
        """The rows of an archive list, read by key: behind the last one seen, never by ``$skip``, which makes the
        service start from the first row for each page.

        Raises ``UnexpectedResponseError`` for a page that does not go on behind the one before: it would have no end.
        """
        last, paging = 0, Paging(method=f"GET {path}", most=MOST_ROWS)
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

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _send(self, request: Request) -> Any:
        """Send ``request``, its ``url`` being what follows ``/api/v1/``. It is sent once more when it was not carried
        out because a credential had run out, or because the tenant had moved."""
        began = self._clock()
        renewed = moved = False
        while True:
            base, shown = self.address.base(), self.credentials.show()
            if not request.repeatable and self._clock() - began > FRESH:
                raise NotAppliedError(
                    "not sent: signing in took so long that it must be read again", method=request.method
                )
            try:
                return self._send_to(base, request, shown)
            except TokenExpiredError as error:
                if renewed or shown.credential is None:
                    raise self._turned_down(error.code, shown, method=request.method) from None
                log.info("%s; renewing it", error)
                self.credentials.renew(shown.credential)
                renewed = True
            except MisdirectedError as error:
                if moved:
                    raise
                log.info("%s; asking where it is", error)
                self.address.leave(base)
                moved = True

    def _send_to(self, base: str, request: Request, shown: AuthHeaders) -> Any:
        whole = replace(
            request,
            url=f"{base}/api/v1/{request.url}",
            headers={**shown.headers, "SO-TimeZone": "UTC,includeTZOffset"},
        )

        def understand(response: Response) -> Any:
            if response.status in (401, 403):
                raise self._turned_away(response.status, shown, method=request.method)
            return _understand(response, request.method)

        return self._transport.send(whole, understand)

    def _turned_away(self, status: int, shown: AuthHeaders, *, method: str) -> CredentialsError:
        code, renewable = str(status), shown.credential
        if renewable and (status == 401 or self._clock() - renewable.obtained_at > JUST_OBTAINED):
            return TokenExpiredError("the token or ticket has run out", method=method, code=code)
        return self._turned_down(code, shown, method=method)

    def _turned_down(self, code: str | None, shown: AuthHeaders, *, method: str) -> CredentialsError:
        """What 401 and 403 mean where no other token helps."""
        if code == "403":
            else_ = "" if shown.credential else f", or {self.credentials.remedy}"
            why = f"the user may not do this: give them the right in SuperOffice Admin{else_}"
            return NotAllowedError(why, method=method, code=code)
        why = f"the service does not let us in: {self.credentials.remedy}"
        return CredentialsError(why, method=method, code=code)


def _changed(entity: Any, *, chat_id: str, method: str) -> Chat:
    """The session in the answer to what was to change it."""
    if entity is None:
        raise RequestRefusedError("the service answered null: no such session, or not done", method=method)
    return read_session(entity, chat_id=chat_id, method=method)


def _understand(response: Response, method: str) -> Any:
    """The body of a good answer; raises what a bad one means. A 200 may hold an error object as well."""
    status, body = response.status, response.body
    if status == 404:
        what = f"not found; {CHECK_HOST}" if body is NO_JSON else "not found"
        raise NotFoundError(what, method=method, code=str(status))
    if status == 200 and body is NO_JSON:
        raise UnexpectedResponseError(
            f"this is no answer of a SuperOffice WebAPI; {CHECK_HOST}", method=method, code="200"
        )
    if status == 421:
        raise MisdirectedError("the tenant is not at this address", method=method, code="421")
    if status == 429:
        raise RateLimitError("too many requests", method=method, code="429", retry_after=response.retry_after)
    if status == 204:
        return None
    if body is NO_JSON or status in (502, 503, 504):
        raise gateway_trouble(response, method=method)
    if status >= 500:
        raise ResponseLostError("the server failed", method=method, code=_type(body) or str(status))
    if status >= 400 or _is_error(body):
        raise RequestRefusedError("the service refused", method=method, code=_type(body) or str(status))
    if status != 200:
        raise gateway_trouble(response, method=method)
    return body


def _is_error(body: Any) -> bool:
    if not isinstance(body, Mapping) or "ChatSessionId" in body:
        return False
    return bool(body.get("Error")) or "Message" in body or "ExceptionType" in body


def _type(body: Any) -> str | None:
    """The code in the shapes in which errors come: REST and SOAP. Their texts are dropped."""
    return as_code(body.get("ErrorType") or body.get("ExceptionType")) if isinstance(body, Mapping) else None
