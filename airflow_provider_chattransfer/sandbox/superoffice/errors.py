# SPDX-License-Identifier: Apache-2.0
"""The shapes in which SuperOffice reports an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..service import HttpResponse

SOURCE = "SuperOffice.Services.Implementation"


class RefusalError(Exception):
    """A call that ends with an error; ``response`` is the answer."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__(response.status)
        self.response = response


class ServiceError(RefusalError):
    """An exception of the service itself, written as the overview page of the REST API documents it."""

    def __init__(self, kind: str, text: str, *, status: int) -> None:
        body = {"Error": True, "ErrorType": kind, "ErrorMessage": text, "ErrorSource": SOURCE}
        super().__init__(HttpResponse.json(body, status=status))
        self._kind = kind
        self._text = text

    def of_agent(self, shape: str) -> HttpResponse:
        """Return the same from an agent, in a ``shape`` of the switch `agent_errors`."""
        if shape == "null":
            return HttpResponse.json(None)
        return (
            HttpResponse.json(self._exception_info(), status=self.response.status)
            if shape == "exception_info"
            else self.response
        )

    def _exception_info(self) -> dict[str, Any]:
        """`SoExceptionInfo`, the type that the official JavaScript client and SOAP know."""
        return {
            "Message": self._text,
            "StackTrace": "",
            "FriendlyText": self._text,
            "ExceptionType": self._kind,
            "Source": SOURCE,
            "InnerException": None,
            "Parameters": {},
        }


def not_found(entity: str, entity_id: int | str) -> RefusalError:
    """404: the entity does not exist. Only the REST flavour says so; an agent answers `null`."""
    return ServiceError("SoNotFoundException", f"{entity} id {entity_id} not found", status=404)


def invalid_argument(message: str, *, status: int = 400) -> RefusalError:
    """Return an argument that the service cannot use."""
    return ServiceError("SoInvalidArgumentException", message, status=status)


def illegal_operation(message: str, *, status: int = 400) -> RefusalError:
    """Something that cannot be done in this state."""
    return ServiceError("SoIllegalOperationException", message, status=status)


def not_simulated(what: str) -> RefusalError:
    """501: SuperOffice has it, this sandbox does not. No real server answers so."""
    return ServiceError("SoNotSupportedException", f"The sandbox does not simulate {what}.", status=501)


def unbound(parameter: str, kind: str = "System.Int32", *, status: int = 400) -> RefusalError:
    """Return the answer of ASP.NET's parameter binder to a value of the wrong type."""
    return message(
        status,
        "The request is invalid.",
        f"The parameters dictionary contains a null entry for parameter '{parameter}' of non-nullable type '{kind}'.",
    )


def message(
    status: int, text: str, detail: str | None = None, *, headers: Mapping[str, str] | None = None
) -> RefusalError:
    """ASP.NET's own error object."""
    body: dict[str, Any] = {"Message": text}
    if detail is not None:
        body["MessageDetail"] = detail
    return RefusalError(HttpResponse.json(body, status=status, headers=headers))


def no_resource(address: str) -> RefusalError:
    """404: nothing is served at this address."""
    return message(404, f"No HTTP resource was found that matches the request URI '{address}'.", "No route matches.")


def wrong_verb(verb: str) -> RefusalError:
    """405: the address knows other verbs."""
    return message(405, f"The requested resource does not support http method '{verb}'.")


def denied() -> RefusalError:
    """401: no credential, or none that is good."""
    return message(401, "Authorization has been denied for this request.", headers={"www-authenticate": "Bearer"})


def forbidden() -> RefusalError:
    """403: what the best-practices page promises for an expired access token."""
    return message(403, "Access is denied.")


def misdirected() -> RefusalError:
    """421: since November 2023 the answer of a host on which the tenant does not live."""
    return RefusalError(
        HttpResponse(
            status=421, body=b"Wrong subdomain used to access tenant", content_type="text/plain; charset=utf-8"
        )
    )


def maintenance() -> RefusalError:
    """503: the page of the proxy while the tenant is offline."""
    page = b"<html><head><title>Maintenance</title></head><body><h1>Service Unavailable</h1></body></html>"
    return RefusalError(HttpResponse(status=503, body=page, content_type="text/html"))


def oauth(status: int, code: str, description: str, *, headers: Mapping[str, str] | None = None) -> RefusalError:
    """Return the token endpoint's error (RFC 6749, 5.2)."""
    return RefusalError(
        HttpResponse.json({"error": code, "error_description": description}, status=status, headers=headers)
    )
