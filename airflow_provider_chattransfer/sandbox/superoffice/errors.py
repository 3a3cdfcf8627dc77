# SPDX-License-Identifier: Apache-2.0
"""The shapes in which SuperOffice reports an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..wire import Reply


class Refusal(Exception):
    """A call that ends with an error; ``reply`` is the answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def exception(kind: str, message: str, *, status: int) -> Refusal:
    """The error object of the REST API, documented on its overview page."""
    body = {
        "Error": True,
        "ErrorType": kind,
        "ErrorMessage": message,
        "ErrorSource": "SuperOffice.Services.Implementation",
    }
    return Refusal(Reply.json(body, status=status))


def not_found(entity: str, entity_id: int) -> Refusal:
    """404: the entity does not exist. Only the REST flavour says so; an agent answers `null`."""
    return exception("SoNotFoundException", f"{entity} id {entity_id} not found", status=404)


def invalid_argument(message: str, *, status: int = 400) -> Refusal:
    """An argument that the service cannot use."""
    return exception("SoInvalidArgumentException", message, status=status)


def illegal_operation(message: str, *, status: int = 400) -> Refusal:
    """Something that cannot be done in this state."""
    return exception("SoIllegalOperationException", message, status=status)


def not_simulated(what: str) -> Refusal:
    """501: SuperOffice has it, this sandbox does not. No real server answers so."""
    return exception("SoNotSupportedException", f"The sandbox does not simulate {what}.", status=501)


def unbound(parameter: str, kind: str = "System.Int32", *, status: int = 400) -> Refusal:
    """The answer of ASP.NET's parameter binder to a value of the wrong type."""
    return message(
        status,
        "The request is invalid.",
        f"The parameters dictionary contains a null entry for parameter '{parameter}' of non-nullable type '{kind}'.",
    )


def message(status: int, text: str, detail: str | None = None, *, headers: Mapping[str, str] | None = None) -> Refusal:
    """ASP.NET's own error object."""
    body: dict[str, Any] = {"Message": text}
    if detail is not None:
        body["MessageDetail"] = detail
    return Refusal(Reply.json(body, status=status, headers=headers))


def denied() -> Refusal:
    """401: no credential, or none that is good."""
    return message(401, "Authorization has been denied for this request.", headers={"www-authenticate": "Bearer"})


def forbidden() -> Refusal:
    """403: what the best-practices page promises for an expired access token."""
    return message(403, "Access is denied.")


def misdirected() -> Refusal:
    """421: since November 2023 the answer of a host on which the tenant does not live."""
    return Refusal(
        Reply(status=421, body=b"Wrong subdomain used to access tenant", content_type="text/plain; charset=utf-8")
    )


def maintenance() -> Refusal:
    """503: the page of the proxy while the tenant is offline."""
    page = b"<html><head><title>Maintenance</title></head><body><h1>Service Unavailable</h1></body></html>"
    return Refusal(Reply(status=503, body=page, content_type="text/html"))


def oauth(status: int, code: str, description: str) -> Refusal:
    """The token endpoint's error (RFC 6749)."""
    return Refusal(Reply.json({"error": code, "error_description": description}, status=status))
