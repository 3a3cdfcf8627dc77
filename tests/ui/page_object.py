# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser, as the tests see it: what is drawn where, and what was asked of whom."""

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
    """One tab with the page of one sandbox; notes what must never happen."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.asked: set[str] = set()
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        page.on("request", lambda request: self.asked.add(request.url))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def open(self, hash: str = "") -> None:
        """Load the page, and wait until it shows the floor."""
        self.page.goto(f"{self.url}/{hash}")
        self.page.locator(".place").first.wait_for(state="attached")

    def reset(self, **scenario: Any) -> None:
        """A new sandbox from ``scenario``; Bitrix24 without a limit of requests."""
        scenario["bitrix24"] = {"rate": None, **scenario.get("bitrix24", {})}
        reply = requests.post(f"{self.url}/sandbox/reset", json=scenario, timeout=10)
        assert reply.status_code == 200, reply.text

    def state(self) -> Any:
        """The sandbox's state."""
        return requests.get(f"{self.url}/sandbox/state", timeout=10).json()

    def ledger(self, chat: str | None = None) -> list[dict[str, Any]]:
        """The sandbox's ledger, of all chats or of one."""
        changes = requests.get(f"{self.url}/sandbox/ledger", timeout=10).json()["changes"]
        return [change for change in changes if chat in (None, change["chat_id"])]

    def bitrix24(self, method: str, **params: Any) -> Any:
        """The result of a call as the webhook of user 1."""
        reply = requests.post(f"{self.url}/rest/1/secretcode/{method}", json=params, timeout=10)
        assert reply.status_code == 200, reply.text
        return reply.json()["result"]

    def transfer(self, chat: int, **target: Any) -> None:
        """A transfer on Bitrix24, as the bot."""
        assert self.bitrix24("imopenlines.bot.session.transfer", CHAT_ID=chat, CLIENT_ID="chattransfer", **target)

    def superoffice(self, method: str, *, by: int, **body: Any) -> None:
        """A call of SuperOffice's Chat agent by an associate."""
        url = f"{self.url}/Cust12345/api/v1/Agents/Chat/{method}"
        reply = requests.post(url, json=body, auth=(f"agent{by}", f"Secret{by}"), timeout=10)
        assert reply.status_code == 200, reply.text

    def shown(self) -> Any:
        """By service and holder: name, number, presence, the chats that belong there and those that ring there."""
        places = self.page.evaluate(PLACES)
        for service in SERVICES:
            for place in places[service].values():
                place["home"] = {tuple(each) for each in place["home"]}
                place["rings"] = set(place["rings"])
        return places

    def expected(self) -> Any:
        """The same from the sandbox's state."""
        state = self.state()
        return {service: _places(state[service]) for service in SERVICES}

    def until(self, condition: Callable[[], bool], *, seconds: float = 15.0) -> bool:
        """Whether ``condition`` comes true in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.page.wait_for_timeout(50)
        return True

    def agrees(self) -> bool:
        """Whether the page comes to show exactly what the sandbox says."""
        return self.until(lambda: bool(self.shown() == self.expected()))

    def tile(self, service: str, chat: int) -> Any:
        """The tile of a chat where it belongs."""
        return self.page.locator(f"#{service} .home [data-chat='{chat}']")

    def focused(self) -> str | None:
        """The chat whose tile has the keyboard's focus."""
        chat: str | None = self.page.evaluate("() => document.activeElement.dataset.chat ?? null")
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
def launched() -> Iterator[Browser]:
    """The browser; needs playwright and Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()
