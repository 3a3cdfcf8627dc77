# SPDX-License-Identifier: Apache-2.0
"""Record stores for tests that need no Airflow, and a task state store without its database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from airflow_provider_chattransfer.chats.model import Json


class Lines:
    """Entries kept as text that outlives the tries of a run, as a file or the task state store would keep them."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def entries(self) -> Iterator[Json]:
        return map(json.loads, list(self.lines))

    def append(self, entry: Json) -> None:
        self.lines.append(json.dumps(entry))


class TaskStateStore(dict[str, Any]):
    """Airflow's task state store, which outlives every try of its task."""

    def set(self, key: str, value: Any) -> None:
        """Keep ``value`` as JSON would."""
        self[key] = json.loads(json.dumps(value))
