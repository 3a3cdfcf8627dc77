# SPDX-License-Identifier: Apache-2.0
"""Turn shared documents into the texts that a store keeps, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ...chats.model import Json


def as_documents(texts: Mapping[str, str]) -> dict[str, Json]:
    """Return the documents that ``texts`` are; one that cannot be read counts as missing."""
    found = {}
    for key, text in texts.items():
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(document, dict):
            found[key] = document
    return found


def as_texts(documents: Mapping[str, Json | None], *, of: Sequence[str]) -> dict[str, str | None]:
    """Return the texts of ``documents``; raises ``ValueError`` for one whose key was not read before."""
    if others := documents.keys() - set(of):
        raise ValueError(f"a document is written that was not read: {min(others)!r}")
    return {
        key: None if document is None else json.dumps(document, allow_nan=False, separators=(",", ":"))
        for key, document in documents.items()
    }
