# SPDX-License-Identifier: Apache-2.0
"""Encodes responses as the server does: JSON with the escapes of its framework, or XML for a method with ``.xml``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from ..service import HttpResponse
from . import php

JSON_TYPE = "application/json; charset=utf-8"
XML_TYPE = "text/xml; charset=utf-8"
_ESCAPES = {
    '\\"': "\\u0022",
    "/": "\\/",
    "'": "\\u0027",
    "<": "\\u003C",
    ">": "\\u003E",
    "&": "\\u0026",
}
_SPECIAL = re.compile(r"""\\.|[/'<>&]""")


def reply(value: Mapping[str, Any], *, status: int = 200, xml: bool = False) -> HttpResponse:
    """Return ``value`` as a response."""
    if xml:
        return HttpResponse(status=status, body=_xml({"response": value}).encode(), content_type=XML_TYPE)
    return HttpResponse(status=status, body=_json(value).encode(), content_type=JSON_TYPE)


def _json(value: Any) -> str:
    """Return ``value`` as ``json_encode`` writes it with the options of the server's framework.

    Slashes, quotes, ampersands and angle brackets are escaped, other characters are not, and a whole float is written
    as an integer.
    """
    text = json.dumps(_whole(value), ensure_ascii=False, separators=(",", ":"))
    return _SPECIAL.sub(lambda match: _ESCAPES.get(match[0], match[0]), text)


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list | tuple) else value


def _xml(value: Mapping[str, Any]) -> str:
    """Return ``value`` as the server source ``rest/classes/general/rest.php`` (``outputXml``) writes it.

    There is no declaration and no attribute; list items are in ``<item>``.
    """
    return "".join(f"<{key}>{_xml_content(item)}</{key}>" for key, item in value.items())


def _xml_content(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "".join(f"<item>{_xml_content(item)}</item>" for item in value)
    if isinstance(value, Mapping):
        return _xml({"item" if str(key).isdecimal() else key: item for key, item in value.items()})
    return escape(php.to_str(value), {'"': "&quot;", "'": "&apos;"})
