# SPDX-License-Identifier: Apache-2.0
"""The archive agent, `POST Agents/Archive/…`: the lists by restriction objects, or by texts as OData writes them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any
from urllib.parse import parse_qsl

from . import archive_query, carriers, errors
from .archive import PAGE_SIZE, Archive
from .binding import WebApiCall
from .columns import Column, Provider
from .model import Centre, ChatSession
from .routes import Handler, Route
from .switches import Switches


class ArchiveAgent:
    """Of `IArchiveAgent` the methods that name their columns.

    Those by `GuiName` go by what a user chose in the user interface, which the sandbox does not have; a `Context` means
    nothing to the archives about chat.
    """

    def __init__(self, centre: Centre, switches: Switches) -> None:
        self._centre = centre
        self._switches = switches

    def routes(self) -> list[Route]:
        """Eight methods: with or without a header, a context, and texts (`2`) in place of objects."""
        names = ("".join(parts) for parts in product(("WithHeader", ""), ("WithContext", ""), ("2", "")))
        return [self._route(f"GetArchiveListByColumns{name}") for name in names]

    def _route(self, method: str) -> Route:
        return Route("POST", f"Agents/Archive/{method}", self._handler(method))

    def _handler(self, method: str) -> Handler:
        with_header, as_text = "WithHeader" in method, method.endswith("2")
        restriction = "Restrictions" if method == "GetArchiveListByColumns2" else "Restriction"

        def handler(call: WebApiCall) -> Any:
            archive = Archive(self._centre, dates=call.dates, caller=call.caller, switches=self._switches)
            provider = archive.provider(call.text("ProviderName") or "")
            read = _Texts(call) if as_text else _Objects(call)
            found = archive.find(
                provider,
                restriction=read.restriction(restriction),
                order=read.order("SortOrder"),
                entities=read.names("Entities"),
            )
            columns = provider.chosen(read.names("Columns"))
            rows = [_item(provider, session, columns) for session in _page(found, call)]
            return _selected({"RowCount": self._count(found, call), "Rows": rows} if with_header else rows, call)

        return handler

    def _count(self, found: list[ChatSession], call: WebApiCall) -> int:
        """All rows, when the `Options` ask for `rowcount=true`, or the switch has them counted always; else 0."""
        options = {name.casefold(): value.casefold() for name, value in parse_qsl(call.text("Options") or "")}
        return len(found) if options.get("rowcount") == "true" or self._switches.row_count == "always" else 0


class _Texts:
    """The arguments of a method whose name ends in 2."""

    def __init__(self, call: WebApiCall) -> None:
        self._ask = call

    def names(self, member: str) -> list[str]:
        return archive_query.names(self._ask.text(member) or "")

    def order(self, member: str) -> str:
        return self._ask.text(member) or ""

    def restriction(self, member: str) -> str:
        return self._ask.text(member) or ""


class _Objects:
    """The arguments of a method whose name does not."""

    def __init__(self, call: WebApiCall) -> None:
        self._ask = call

    def names(self, member: str) -> list[str]:
        value = self._ask.member(member) or []
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise errors.unbound(member, "System.String[]", status=self._ask.unbound_status)
        return value

    def order(self, member: str) -> str:
        """`OrderBySortType` is ASC unless it says DESC."""
        return ",".join(f"{each.get('name')} {each.get('direction') or 'ASC'}" for each in self._each(member))

    def restriction(self, member: str) -> str:
        """Return the filter that `ArchiveRestrictionInfo` objects stand for.

        One that does not say that it is active, is not: "inactive restrictions will not influence the generated query".
        """
        active = [each for each in self._each(member) if each.get("isactive") is True]
        joints = [" or " if str(each.get("interoperator")).casefold() == "or" else " and " for each in active]
        return "".join(joint + self._written(each) for joint, each in zip(["", *joints], active, strict=False))

    def _each(self, member: str) -> list[Mapping[str, Any]]:
        value = self._ask.member(member)
        return [] if value is None else self._ask.items(value, member)

    def _written(self, restriction: Mapping[str, Any]) -> str:
        """One restriction as text, with the brackets that it opens (positive `InterParenthesis`) or closes."""
        values, depth = restriction.get("values") or [], restriction.get("interparenthesis") or 0
        if not isinstance(values, list) or not isinstance(depth, int):
            raise errors.unbound("Restriction", "ArchiveRestrictionInfo[]", status=self._ask.unbound_status)
        quoted = ",".join("'" + str(value).replace("'", "''") + "'" for value in values)
        condition = f"{restriction.get('name')} {restriction.get('operator')} {f'({quoted})' if values else ''}"
        return "(" * depth + condition + ")" * -depth


def _page(found: list[ChatSession], call: WebApiCall) -> list[ChatSession]:
    """Return the rows of `Page`, the first of which is 0; a negative one is a number of rows to skip."""
    page, size = call.integer("Page"), call.integer("PageSize")
    size = size if size > 0 else PAGE_SIZE
    start = page * size if page >= 0 else -page
    return found[start : start + size]


def _item(provider: Provider, session: ChatSession, columns: list[tuple[str, Column]]) -> dict[str, Any]:
    """`ArchiveListItem`: a number for a key, and every value as text."""
    return {
        "EntityName": provider.entity,
        "PrimaryKey": session.id,
        "ColumnData": {
            name: {"DisplayValue": column.encoded(session), "TooltipHint": "", "LinkHint": ""}
            for name, column in columns
        },
        "LinkHint": "",
        "StyleHint": "",
        "TableRight": None,
        "FieldProperties": {},
    }


def _selected(answer: Any, call: WebApiCall) -> Any:
    properties = archive_query.names(call.query.get("$select", ""))
    return carriers.selected(answer, properties) if properties else answer
