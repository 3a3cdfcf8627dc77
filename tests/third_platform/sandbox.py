# SPDX-License-Identifier: Apache-2.0
"""Serve an account of Helpwave over HTTP on loopback, from a table of conversations.

What it does is written from the documents of a help desk that exists: an unknown ``assignee_id`` takes the
conversation from whoever has it, and is answered with ``null`` and 200. Keys for tokens are invented.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

KEY = "Xk29-agent-key-of-anna"
AGENTS = [
    {"id": n, "name": name, "email": f"{name}@acme.example"} for n, name in ((7, "anna"), (12, "ben"), (21, "cleo"))
]
TEAMS = [{"id": 3, "name": "night shift"}]
PAGE = 25


class Account:
    """Conversations by id, the token that is taken now, and every assignment that was asked for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.token = "token-1"
        self.assignments: list[dict[str, Any]] = []
        self.reads_until_pick_up = 2
        self.conversations: dict[int, dict[str, Any]] = {
            n: {"id": n, "status": "open", "assignee": 7 if n < 105 else 21, "team": 4} for n in range(101, 131)
        }
        self.conversations[131] = {"id": 131, "status": "resolved", "assignee": 7, "team": 4}

    def show(self, row: dict[str, Any]) -> dict[str, Any]:
        assignee, team = row["assignee"], row["team"]
        meta = {"sender": {"id": 900 + row["id"]}, "assignee": assignee and {"id": assignee}, "team": {"id": team}}
        return {"id": row["id"], "status": row["status"], "meta": meta}

    def read(self, number: int) -> tuple[int, Any]:
        """Show a conversation; an agent picks it up from its team after some reads."""
        if (row := self.conversations.get(number)) is None:
            return 404, {"error": "Resource could not be found"}
        if row["assignee"] is None and (waited := row["waited"] + 1) and row.update(waited=waited) is None:
            row["assignee"] = 12 if waited > self.reads_until_pick_up else None
        return 200, self.show(row)

    def assign(self, number: int, body: dict[str, Any]) -> tuple[int, Any]:
        self.assignments.append({"id": number, **body})
        row, agent = self.conversations[number], body.get("assignee_id")
        if "assignee_id" in body:
            row["assignee"] = found = next((each["id"] for each in AGENTS if each["id"] == agent), None)
            return 200, found and {"id": found}
        row.update(team=body["team_id"], assignee=None, waited=0)
        return 200, {"id": body["team_id"]}

    def answer(self, verb: str, path: str, query: str, body: Any, token: str | None) -> tuple[int, Any]:
        match verb, path.strip("/").split("/")[2:]:
            case "POST", ["token"]:
                return (200, {"access_token": self.token, "expires_in": 3600}) if body["key"] == KEY else (401, {})
            case _ if token != self.token:
                return 401, {"error": "Invalid Access Token"}
            case "GET", ["profile"]:
                return 200, AGENTS[0]
            case "GET", ["accounts", "1", "agents"]:
                return 200, AGENTS
            case "GET", ["accounts", "1", "teams"]:
                return 200, TEAMS
            case "GET", ["accounts", "1", "conversations"]:
                rows = [self.show(each) for each in self.conversations.values() if each["status"] == "open"]
                start = PAGE * (int(query.rpartition("page=")[2]) - 1)
                return 200, {"data": {"payload": rows[start : start + PAGE]}}
            case "GET", ["accounts", "1", "conversations", number]:
                return self.read(int(number))
            case "POST", ["accounts", "1", "conversations", number, "assignments"]:
                return self.assign(int(number), body)
        return 404, {"error": "Resource could not be found"}


@contextmanager
def serving() -> Iterator[Account]:
    """Serve a fresh account while the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or "null")
            status, answer = account.answer(self.command, path, query, body, self.headers.get("api_access_token"))
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            """Write nothing to the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        account = Account(f"http://127.0.0.1:{server.server_port}")
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield account
        server.shutdown()
