# SPDX-License-Identifier: Apache-2.0
"""One call of the WebAPI with its arguments bound: names in any case, types as strict as the switches say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from ..service import HttpRequest
from . import errors
from .carriers import Carriers
from .dates import Dates
from .integers import INT32, int32
from .model import Associate
from .sessions import Actor

READABLE_BODY = ("POST", "PUT", "PATCH")
JSON_TYPES = ("application/json", "text/json", "application/json-patch+json", "application/merge-patch+json")
FORM_TYPE = "application/x-www-form-urlencoded"

ENUMS = ("Status", "Flags", "Type", "SpecialType")
"""Members that may be a number as well as a name, as Json.NET reads an enum: the official client saves the flags of
a session as it has read them, as 0."""


@dataclass(frozen=True, slots=True)
class WebApiCall:
    """A call: who asks, for what, and in which form they want the answer."""

    request: HttpRequest
    method: str
    base: str
    caller: Associate
    dates: Dates
    carriers: Carriers
    query: Mapping[str, str]
    parts: Mapping[str, str]
    lenient: bool
    unbound_status: int

    @property
    def body(self) -> Any:
        """The body; raises `RefusalError` for an unreadable one, so that an operation without a body takes any."""
        return body_of(self.request) if self.request.verb in READABLE_BODY else None

    @property
    def actor(self) -> Actor:
        """The caller as the state machine and the ledger know them."""
        return Actor(self.caller, method=self.method, request=self.request.number)

    @property
    def url(self) -> str:
        """The address that was called, without its query."""
        return self.request.origin + self.request.path

    def part(self, name: str) -> int:
        """Return the int32 in the path at ``{name}``."""
        return self._int32(name, self.parts[name])

    def query_int(self, name: str, default: int | None = None) -> int:
        """Return the int32 ``name`` of the query; an absent one without ``default`` cannot be bound."""
        text = self.query.get(name.casefold())
        if text is None and default is not None:
            return default
        return self._int32(name, text or "")

    def query_bool(self, name: str, default: bool | None = None) -> bool:
        """Return the boolean ``name`` of the query."""
        text = self.query.get(name.casefold(), "").casefold()
        if not text and default is not None:
            return default
        if text not in ("true", "false"):
            raise errors.unbound(name, "System.Boolean", status=self.unbound_status)
        return text == "true"

    def integer(self, name: str) -> int:
        """Return the int32 member ``name`` of the body; 0 when it is left out, as .NET has it."""
        return int(self.bound(name, self.member(name), like=0))

    def text(self, name: str) -> str | None:
        """Return the string member ``name`` of the body."""
        value: str | None = self.bound(name, self.member(name), like="")
        return value

    def flag(self, name: str) -> bool:
        """Return the boolean member ``name`` of the body; false when it is left out."""
        return bool(self.bound(name, self.member(name), like=False))

    def entity(self, value: Any, name: str, *, like: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``value`` as a carrier with the members of ``like``.

        Unknown members are ignored; a missing one has the default value of its type, whatever ``like`` holds.
        """
        if not isinstance(value, dict):
            raise errors.unbound(name, "SuperOffice.CRM.Services", status=self.unbound_status)
        given = lower(value)
        return {member: self.bound(member, given.get(member.casefold()), like=default)
                for member, default in like.items()}  # fmt: skip

    def bound(self, name: str, value: Any, *, like: Any) -> Any:
        """``value`` as the type of ``like``; a carrier (an object, ``None`` in ``like``) is taken as it is."""
        if isinstance(like, bool):
            return self._boolean(name, value)
        if isinstance(like, int):
            return self._integer(name, value)
        if isinstance(like, str):
            return self._string(name, value)
        if value is not None and not isinstance(value, dict):
            raise errors.unbound(name, "SuperOffice.CRM.Services", status=self.unbound_status)
        return value

    def items(self, value: Any, name: str) -> list[Mapping[str, Any]]:
        """``value`` as a list of objects, their names lower case."""
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise errors.unbound(name, "System.Array", status=self.unbound_status)
        return [lower(item) for item in value]

    def member(self, name: str) -> Any:
        """Return the member ``name`` of the body, whatever it is."""
        if self.body is None:
            return None
        if not isinstance(self.body, dict):
            raise errors.unbound("request", "SuperOffice.WebApi.v1.Carriers", status=self.unbound_status)
        return lower(self.body).get(name.casefold())

    def _boolean(self, name: str, value: Any) -> bool:
        if self.lenient and isinstance(value, str) and value.casefold() in ("true", "false"):
            return value.casefold() == "true"
        if value is not None and not isinstance(value, bool):
            raise errors.unbound(name, "System.Boolean", status=self.unbound_status)
        return bool(value)

    def _integer(self, name: str, value: Any) -> int:
        if value is None:
            return 0
        if isinstance(value, str) and self.lenient:
            return self._int32(name, value)
        if isinstance(value, bool) or not isinstance(value, int) or value not in INT32:
            raise errors.unbound(name, status=self.unbound_status)
        return value

    def _string(self, name: str, value: Any) -> str | None:
        if (self.lenient or name in ENUMS) and isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if value is not None and not isinstance(value, str):
            raise errors.unbound(name, "System.String", status=self.unbound_status)
        return value

    def _int32(self, name: str, text: str) -> int:
        if (value := int32(text)) is None:
            raise errors.unbound(name, status=self.unbound_status)
        return value


def lower(value: Mapping[str, Any]) -> dict[str, Any]:
    """``value`` with its names in lower case: the official client writes camelCase, the documents PascalCase."""
    return {name.casefold(): item for name, item in value.items()}


def options(query: str) -> dict[str, str]:
    """Return a query string with its names in lower case; of a repeated name the first counts."""
    result: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        result.setdefault(name.casefold(), value)
    return result


def body_of(request: HttpRequest) -> Any:
    """Return the body: JSON, a form, or nothing (also with a JSON content type, as the official client sends it)."""
    if not request.body.strip():
        return None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if kind == FORM_TYPE:
        return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    if kind not in JSON_TYPES:
        raise errors.message(
            415, f"The request entity's media type '{kind}' is not supported for this resource.", "Not a known type."
        )
    try:
        return _well_formed(json.loads(request.body))
    except ValueError:
        raise errors.message(400, "The request is invalid.", "The body is not JSON.") from None


def _well_formed(value: Any) -> Any:
    """``value`` with U+FFFD for each half of a character, which JSON can write and UTF-8 cannot."""
    text = json.dumps(value, ensure_ascii=False)
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value if whole == text else json.loads(whole)
