# SPDX-License-Identifier: Apache-2.0
"""The sandbox's page in a real browser: what it displays, and what it requests."""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-lcd-text",
]
SERVICES = ("bitrix24", "superoffice")
PLACES = """() => Object.fromEntries(["bitrix24", "superoffice"].map((service) => [service, Object.fromEntries(
    [...document.querySelectorAll(`#${service} .place`)].map((place) => [place.dataset.holder, {
        name: place.querySelector("h3 bdi").textContent,
        number: Number(place.querySelector(".number").textContent),
        presence: place.dataset.presence ?? null,
        home: [...place.querySelectorAll(".home .chat")].map(({ dataset }) => [dataset.chat, dataset.offered ?? null]),
        rings: [...place.querySelectorAll(".ring .chat")].map(({ dataset }) => dataset.chat),
    }]))]))"""


class SandboxPage:
    """One tab with the page of one sandbox; it records problems and requested URLs."""

    def __init__(self, tab: Page, url: str) -> None:
        self.tab = tab
        self.url = url
        self.problems: list[str] = []
        self.requested_urls: set[str] = set()
        tab.on("console", self._note)
        tab.on("pageerror", lambda error: self.problems.append(str(error)))
        tab.on("dialog", lambda dialog: self.problems.append(dialog.message))
        tab.on("request", lambda request: self.requested_urls.add(request.url))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def open(self, hash: str = "") -> None:
        """Load the page, and wait until it shows the chats."""
        self.tab.goto(f"{self.url}/{hash}")
        self.tab.locator(".place").first.wait_for(state="attached")

    def reset(self, **scenario: Any) -> None:
        """Reset the sandbox to ``scenario``; Bitrix24 without a limit of requests."""
        scenario["bitrix24"] = {"rate": None, **scenario.get("bitrix24", {})}
        reply = requests.post(f"{self.url}/sandbox/reset", json=scenario, timeout=10)
        assert reply.status_code == 200, reply.text

    def state(self) -> Any:
        """Return the sandbox's state."""
        return requests.get(f"{self.url}/sandbox/state", timeout=10).json()

    def ledger(self, chat: str | None = None) -> list[dict[str, Any]]:
        """Return the sandbox's ledger, of all chats or of one."""
        changes = requests.get(f"{self.url}/sandbox/ledger", timeout=10).json()["changes"]
        return [change for change in changes if chat in (None, change["chat_id"])]

    def bitrix24(self, method: str, **params: Any) -> Any:
        """Return the result of a call as the webhook of user 1."""
        reply = requests.post(f"{self.url}/rest/1/secretcode/{method}", json=params, timeout=10)
        assert reply.status_code == 200, reply.text
        return reply.json()["result"]

    def transfer(self, chat: int, **target: Any) -> None:
        """Transfer a chat on Bitrix24, as the bot."""
        assert self.bitrix24("imopenlines.bot.session.transfer", CHAT_ID=chat, CLIENT_ID="chattransfer", **target)

    def superoffice(self, method: str, *, by: int, **body: Any) -> None:
        """Call SuperOffice's Chat agent as an associate."""
        url = f"{self.url}/Cust12345/api/v1/Agents/Chat/{method}"
        reply = requests.post(url, json=body, auth=(f"agent{by}", f"Secret{by}"), timeout=10)
        assert reply.status_code == 200, reply.text

    def displayed(self) -> Any:
        """Return by service and holder: name, number, presence, the chats shown there and those offered there."""
        places = self.tab.evaluate(PLACES)
        for service in SERVICES:
            for place in places[service].values():
                place["home"] = {tuple(each) for each in place["home"]}
                place["rings"] = set(place["rings"])
        return places

    def expected(self) -> Any:
        """Return the same from the sandbox's state."""
        state = self.state()
        return {service: _places(state[service]) for service in SERVICES}

    def wait_until(self, condition: Callable[[], bool], *, seconds: float = 15.0) -> bool:
        """Return whether ``condition`` comes true in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.tab.wait_for_timeout(50)
        return True

    def wait_until_current(self) -> bool:
        """Return whether the page comes to show exactly what the sandbox says."""
        return self.wait_until(lambda: bool(self.displayed() == self.expected()))

    def tile(self, service: str, chat: int) -> Any:
        """Return the tile of a chat at its holder."""
        return self.tab.locator(f"#{service} .home [data-chat='{chat}']")

    def focused(self) -> str | None:
        """Return the chat whose tile has the keyboard's focus."""
        chat: str | None = self.tab.evaluate("() => document.activeElement.dataset.chat ?? null")
        return chat


def _places(service: Any) -> dict[str, Any]:
    home: dict[str, set[tuple[str, str | None]]] = defaultdict(set)
    rings: dict[str, set[str]] = defaultdict(set)
    for chat in service["chats"]:
        if chat["state"] != "closed":
            holder = f"agent:{chat['owner']}" if chat["owner"] else f"queue:{chat['queue']}"
            home[holder].add((chat["id"], chat["offered_to"]))
            rings[f"agent:{chat['offered_to']}"].add(chat["id"])
    places: dict[str, tuple[str, str | None]] = {
        f"queue:{queue['id']}": (queue["name"], None) for queue in service["queues"]
    }
    places |= {f"agent:{agent['id']}": (agent["name"], _presence(agent)) for agent in service["agents"]}
    return {
        holder: {
            "name": name,
            "number": len(home[holder]),
            "presence": presence,
            "home": home[holder],
            "rings": rings[holder],
        }
        for holder, (name, presence) in places.items()
    }


def _presence(agent: Any) -> str:
    if not agent["active"]:
        return "inactive"
    if agent["paused"]:
        return "on a break"
    return "present" if agent["present"] else "away"


@contextmanager
def launch_browser() -> Iterator[Browser]:
    """Run a browser; needs playwright and Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()
