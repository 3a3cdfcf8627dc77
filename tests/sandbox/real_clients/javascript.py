# SPDX-License-Identifier: Apache-2.0
"""Talks to the process of ``superoffice_webapi.js``: one line per call, one line per answer."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class RejectedError(Exception):
    """The client rejected its promise with this name; ``status`` and ``body`` are the answer's."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(error["name"], error.get("status"))
        self.name = error["name"]
        self.status = error.get("status")
        self.body: Any = error.get("body")


@dataclass(frozen=True, slots=True)
class JavaScript:
    """The running process."""

    process: subprocess.Popen[str]

    def call(self, base: str, sign_in: Mapping[str, list[str]], agent: str, method: str, *arguments: Any) -> Any:
        """Return what ``get<agent>Agent().<method>(*arguments)`` resolves to; raise ``RejectedError``."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        call = {"base": base, "signIn": sign_in, "agent": agent, "method": method, "arguments": arguments}
        print(json.dumps(call), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        if error := answer.get("error"):
            raise RejectedError(error)
        return answer["result"]
