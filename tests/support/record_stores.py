# SPDX-License-Identifier: Apache-2.0
"""A record store for tests that need no Airflow."""

from __future__ import annotations

import json
from collections.abc import Iterator

from airflow_provider_chattransfer.chats.model import Json


class Lines:
    """Entries kept as text that outlives the tries of a run, as a file or the task state store would keep them."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def entries(self) -> Iterator[Json]:
        return map(json.loads, list(self.lines))

    def append(self, entry: Json) -> None:
        self.lines.append(json.dumps(entry))
