# SPDX-License-Identifier: Apache-2.0
"""Whole numbers in texts, as .NET reads an int32."""

from __future__ import annotations

import re

INT32 = range(-(2**31), 2**31)

_WRITTEN = re.compile(r"\s*[+-]?[0-9]{1,20}\s*")


def int32(text: str) -> int | None:
    """Return the int32 that ``text`` writes, with a sign and spaces around it at most; ``None`` for anything else."""
    if not _WRITTEN.fullmatch(text):
        return None
    return value if (value := int(text)) in INT32 else None
