# SPDX-License-Identifier: Apache-2.0
"""The REST methods of the portal. Importing this package registers them."""

from . import (
    bot_registration,
    bot_sessions,
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
from .registry import METHODS, Method, MethodCall, Page, find_method

__all__ = [
    "METHODS",
    "Method",
    "MethodCall",
    "Page",
    "bot_registration",
    "bot_sessions",
    "crm",
    "dialogs",
    "find_method",
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
