# SPDX-License-Identifier: Apache-2.0
"""The WebAPI of SuperOffice: its two flavours, Agents and REST, and its several shapes of an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import Interrupted, Limited, Missing, NotUnderstood, RequestRefused, WrongCredentials, as_code
from ..transport import NO_JSON, Request, Response, Transport, gateway_trouble
from .auth import Credentials

ENTITY_FIELDS = "ChatSessionId,TopicId,User,TransferTo,Status"
"""What is asked of a chat session, and no more: the rest is the customer's name, address and words, and the
session's key. Fields that are not selected come back as null, so the ones that tell a transfer must be here."""

ONLY_FIELDS = {"$select": ENTITY_FIELDS}


class SuperOfficeClient:
    """Calls the WebAPI as one user."""

    def __init__(self, *, base_url: str, credentials: Credentials, transport: Transport) -> None:
        """``base_url`` is the address up to and without ``/api/v1``."""
        self.base_url = base_url
        self._base = f"{base_url}/api/v1/"
        self._credentials = credentials
        self._transport = transport

    def agents(
        self,
        method: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> Any:
        """``POST Agents/Chat/<method>``. ``None`` where the service answers ``null``: nothing there, or not done."""
        request = Request(
            method=f"Agents/Chat/{method}",
            url=f"{self._base}Agents/Chat/{method}",
            json=dict(body) if body is not None else None,
            sends_json=True,
            query=query,
            headers=self._headers(),
            repeatable=repeatable,
        )
        return self._transport.send(request, lambda response: _understand(response, request.method))

    def rest(
        self, verb: str, path: str, *, query: Mapping[str, str] | None = None, repeatable: bool | None = None
    ) -> Any:
        """A REST resource; a GET may be repeated unless said otherwise."""
        request = Request(
            method=f"{verb} {path}",
            url=f"{self._base}{path}",
            verb=verb,
            query=query,
            headers=self._headers(),
            repeatable=verb == "GET" if repeatable is None else repeatable,
        )
        return self._transport.send(request, lambda response: _understand(response, request.method))

    def transfer(self, chat_id: str, *, to: str) -> Any:
        """``TransferChatSession``: ask the associate with the id ``to``; the session as it is then.

        The service also takes a user name, but which of an associate's two names is meant is not documented; an id
        is a decimal string.
        """
        body = {"ChatSessionId": int(chat_id), "ToAssociate": to}
        return self.agents("TransferChatSession", body=body, query=ONLY_FIELDS)

    def accept(self, chat_id: str) -> Any:
        """``ChatSession/{id}/AcceptTransfer``: accept as this user; the session as it is then.

        Where that resource is not found, its twin ``AcceptChatSessionTransfer`` is asked.
        """
        try:
            return self.rest("POST", f"ChatSession/{chat_id}/AcceptTransfer")
        except Missing:
            return self.agents("AcceptChatSessionTransfer", body={"ChatSessionId": int(chat_id)}, query=ONLY_FIELDS)

    def reject(self, chat_id: str) -> Any:
        """``RejectChatSessionTransfer``: turn down a transfer to this user; the session as it is then."""
        return self.agents("RejectChatSessionTransfer", body={"ChatSessionId": int(chat_id)}, query=ONLY_FIELDS)

    def reset(self, chat_id: str) -> Any:
        """``ResetChatSession``: put the session back into its topic's queue; the session as it is then."""
        return self.agents("ResetChatSession", body={"ChatSessionId": int(chat_id)}, query=ONLY_FIELDS)

    def sessions(self) -> Any:
        """``ChatSessionsForUser``: all sessions of the topics in which this user has a role, unpaged."""
        return self.agents("ChatSessionsForUser", query=ONLY_FIELDS, repeatable=True)

    def principal(self) -> Any:
        """``User/currentPrincipal``: who this user is."""
        return self.rest("GET", "User/currentPrincipal")

    def presence(self) -> Any:
        """``Presence/GetAll``: which agents are present, and how many chats each has.

        Whether ``UserId`` there is an associate's or an ejuser's id is not documented.
        """
        return self.rest("GET", "Presence/GetAll")

    def entity(self, chat_id: str) -> Any:
        """``GetChatSessionEntity``: the session, or ``None`` when there is none."""
        query = {"chatSessionEntityId": chat_id, **ONLY_FIELDS}
        return self.agents("GetChatSessionEntity", query=query, repeatable=True)

    def messages(self, chat_id: str) -> Any:
        """``GetChatMessages``: everything written in the session, special messages among it."""
        body = {"ChatSessionId": int(chat_id), "After": 0}
        only = {"$select": "ChatMessageId,SpecialType,WhenPosted"}
        return self.agents("GetChatMessages", body=body, query=only, repeatable=True)

    @property
    def clock_ahead(self) -> float:
        """By how many seconds the service's clock is ahead of ours."""
        return self._transport.clock_ahead

    def rows(self, path: str, *, select: str, where: str, page: int) -> Iterator[Mapping[str, Any]]:
        """The rows of an archive list, read by key: behind the last one seen, never by ``$skip``, which makes the
        service start from the first row for each page."""
        last = 0
        while True:
            query = {
                "$select": select,
                "$filter": f"{where} and chatSessionId gt {last}",
                "$orderBy": "chatSessionId asc",
                "$top": str(page),
            }
            answer = self.rest("GET", path, query=query)
            rows = answer.get("value") if isinstance(answer, Mapping) else None
            if not isinstance(rows, list):
                raise NotUnderstood("the answer is no list of rows", method=f"GET {path}")
            yield from rows
            if len(rows) < page:
                return
            last = int(rows[-1]["chatSessionId"])

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _headers(self) -> dict[str, str]:
        return {**self._credentials.headers(), "SO-TimeZone": "UTC,includeTZOffset"}


def _understand(response: Response, method: str) -> Any:
    """The body of a good answer; raises what a bad one means. A 200 may hold an error object as well."""
    status, body = response.status, response.body
    if status in (401, 403):
        raise WrongCredentials("the service does not let us in", method=method, code=str(status))
    if status == 404:
        raise Missing("not found", method=method, code=str(status))
    if status == 421:
        raise WrongCredentials(
            "the tenant lives at another address; put it into the connection's host", method=method, code="421"
        )
    if status == 429:
        raise Limited("too many requests", method=method, code="429", retry_after=response.retry_after)
    if status == 204:
        return None
    if body is NO_JSON or status in (502, 503, 504):
        raise gateway_trouble(response, method=method)
    if status >= 500:
        raise Interrupted("the server failed", method=method, code=_type(body) or str(status))
    if status >= 400 or _is_error(body):
        raise RequestRefused("the service refused", method=method, code=_type(body) or str(status))
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
