# SPDX-License-Identifier: Apache-2.0
"""The REST methods of the portal. Importing this package registers them."""

from . import (
    bots,
    chatbots,
    crm,
    dialogs,
    lines,
    messenger_users,
    operators,
    pauses,
    ratings,
    recent,
    reports,
    sessions,
    statistics,
    system,
    users,
    working_time,
)
from .registry import METHODS, Ask, Method, Page, find

__all__ = [
    "METHODS",
    "Ask",
    "Method",
    "Page",
    "bots",
    "chatbots",
    "crm",
    "dialogs",
    "find",
    "lines",
    "messenger_users",
    "operators",
    "pauses",
    "ratings",
    "recent",
    "reports",
    "sessions",
    "statistics",
    "system",
    "users",
    "working_time",
]
