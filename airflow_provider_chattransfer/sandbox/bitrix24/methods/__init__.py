# SPDX-License-Identifier: Apache-2.0
"""The REST methods of the portal. Importing this package registers them."""

from . import bots, crm, dialogs, lines, operators, recent, reports, users
from .registry import METHODS, Ask, Method, Page, find

__all__ = [
    "METHODS",
    "Ask",
    "Method",
    "Page",
    "bots",
    "crm",
    "dialogs",
    "find",
    "lines",
    "operators",
    "recent",
    "reports",
    "users",
]
