# SPDX-License-Identifier: Apache-2.0
"""The page at ``/`` in a real browser: it shows what the sandbox says, as it happens."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_chattransfer.sandbox import page as page_package
from airflow_provider_chattransfer.sandbox.server import SandboxServer

from .page_object import SandboxPage

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FILES = sorted(path for path in Path(page_package.__file__).parent.iterdir() if path.suffix in (".html", ".css", ".js"))
IDLE = {"people": {"ignore": 1}}
TEN: dict[str, Any] = {service: {"operators": 3, "queues": 1, "chats": 10} for service in ("bitrix24", "superoffice")}
TWO_THOUSAND: dict[str, Any] = {
    "bitrix24": {"operators": 40, "queues": 6, "chats": 2000, **IDLE},
    "superoffice": {"operators": 40, "queues": 6, "chats": 2000, **IDLE},
}
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    '" onmouseover="alert(3)',
    "{{7*7}} ${alert(4)} &lt;b&gt;",
    "\u202eright to left",
    "W" * 300,
]


class TestThePage:
    @pytest.mark.parametrize("scenario", [TEN, {}, TWO_THOUSAND], ids=["10", "default", "2000"])
    def test_the_page_shows_every_operator_and_queue_with_its_chats(
        self, page: SandboxPage, scenario: dict[str, Any]
    ) -> None:
        page.reset(**scenario)
        page.open()
        assert page.wait_until_current()

    @pytest.mark.parametrize("service", ["bitrix24", "superoffice"])
    def test_counts(self, page: SandboxPage, service: str) -> None:
        page.open()
        state = page.state()
        chats = [chat["state"] for chat in state[service]["chats"]]
        figures = {name: chats.count(name) for name in ("open", "waiting", "closed")}
        figures["requests"] = state["requests"][service]
        for name, figure in figures.items():
            assert page.tab.locator(f"#{service} [data-total={name}]").inner_text() == str(figure)

    def test_the_page_keeps_up_with_what_is_in_no_ledger(self, page: SandboxPage) -> None:
        page.tab.clock.install()
        page.open()
        page.bitrix24("imopenlines.dialog.get", CHAT_ID=101)
        page.tab.clock.fast_forward(6000)
        requests = page.tab.locator("#bitrix24 [data-total=requests]")
        assert page.wait_until(lambda: bool(requests.inner_text() == "1"))

    @pytest.mark.parametrize(("chats", "density"), [(10, "cards"), (300, "tags"), (2000, "dots")])
    def test_draws_chats_the_smaller_the_more_there_are(self, page: SandboxPage, chats: int, density: str) -> None:
        page.reset(bitrix24={"chats": chats})
        page.open()
        assert page.tab.locator("#bitrix24").get_attribute("data-density") == density

    def test_the_page_shows_who_is_there(self, page: SandboxPage) -> None:
        operators = [{"id": 7}, {"id": 8, "present": False}, {"id": 9, "active": False}, {"id": 12, "paused": True}]
        page.reset(bitrix24={"operators": operators, "chats": []})
        page.open()
        seen = {holder: place["presence"] for holder, place in page.displayed()["bitrix24"].items()}
        assert list(seen.items()) == [
            ("queue:3", None),
            ("queue:4", None),
            ("agent:7", "present"),
            ("agent:8", "away"),
            ("agent:12", "on a break"),
            ("agent:90", "inactive"),
            ("agent:9", "inactive"),
        ]

    def test_the_page_gives_a_place_to_an_owner_who_is_no_agent(self, page: SandboxPage) -> None:
        page.open()
        page.transfer(101, USER_ID=1)
        assert page.wait_until(lambda: "agent:1" in page.displayed()["bitrix24"])
        assert page.displayed()["bitrix24"]["agent:1"]["home"] == {("101", None)}

    def test_the_page_follows_the_clock_of_the_sandbox(self, page: SandboxPage) -> None:
        page.reset(speed=3600)
        page.open()
        assert page.tab.locator("#speed").inner_text() == "speed 3,600"
        before = page.tab.locator("#time").inner_text()
        assert page.wait_until(lambda: bool(page.tab.locator("#time").inner_text() != before))

    @pytest.mark.parametrize(("chosen", "other"), [("bitrix24", "superoffice"), ("superoffice", "bitrix24")])
    def test_the_page_can_be_that_of_one_service(self, page: SandboxPage, chosen: str, other: str) -> None:
        page.open()
        page.tab.locator(f".show [value={chosen}]").check()
        assert page.tab.locator(f"#{chosen}").is_visible()
        assert not page.tab.locator(f"#{other}").is_visible()
        page.tab.reload()
        page.tab.locator(".place").first.wait_for(state="attached")
        assert not page.tab.locator(f"#{other}").is_visible()


class TestAMove:
    def test_a_move_on_bitrix24_is_shown_within_two_seconds(self, page: SandboxPage) -> None:
        page.open()
        page.tab.evaluate("() => { window.loadedOnce = true; }")
        page.transfer(101, USER_ID=8)
        assert page.wait_until(lambda: ("101", None) in page.displayed()["bitrix24"]["agent:8"]["home"], seconds=2)
        assert page.tab.evaluate("() => window.loadedOnce")
        assert page.wait_until_current()

    def test_a_move_to_a_queue_belongs_to_nobody_while_it_rings(self, page: SandboxPage) -> None:
        page.reset(bitrix24={"operators": [{"id": 7}, {"id": 8, "present": False}], **IDLE})
        page.open()
        page.transfer(101, QUEUE_ID=3)
        assert page.wait_until(lambda: ("101", "7") in page.displayed()["bitrix24"]["queue:3"]["home"])
        assert "101" in page.displayed()["bitrix24"]["agent:7"]["rings"]
        assert page.wait_until_current()

    def test_a_move_on_superoffice_stays_with_its_sender_until_it_is_accepted(self, page: SandboxPage) -> None:
        page.reset(superoffice=IDLE)
        page.open()
        page.superoffice("TransferChatSession", by=7, ChatSessionId=150, ToAssociate="21")
        assert page.wait_until(lambda: ("150", "21") in page.displayed()["superoffice"]["agent:7"]["home"])
        assert page.displayed()["superoffice"]["agent:21"]["rings"] == {"150"}
        page.superoffice("AcceptChatSessionTransfer", by=21, ChatSessionId=150)
        assert page.wait_until(lambda: ("150", None) in page.displayed()["superoffice"]["agent:21"]["home"])
        assert page.wait_until_current()

    def test_away_from_the_floor_is_counted(self, page: SandboxPage) -> None:
        page.open()
        page.bitrix24("imopenlines.operator.another.finish", CHAT_ID=101)
        closed = page.tab.locator("#bitrix24 [data-total=closed]")
        assert page.wait_until(lambda: bool(closed.inner_text() == "4"))
        assert page.tile("bitrix24", 101).count() == 0
        assert page.wait_until_current()

    def test_a_move_of_hundreds_at_once_is_shown(self, page: SandboxPage) -> None:
        page.reset(**TWO_THOUSAND)
        page.open()
        bot = "CLIENT_ID=chattransfer"
        for start in range(0, 500, 50):
            commands = [
                f"imopenlines.bot.session.transfer?CHAT_ID={chat}&{bot}&USER_ID={20 + chat % 9}"
                for chat in range(101 + start, 151 + start)
            ]
            page.bitrix24("batch", cmd=commands)
        assert sum(chat["transfers"] for chat in page.state()["bitrix24"]["chats"]) == 500
        assert page.wait_until_current()

    @pytest.mark.parametrize(("motion", "flies"), [("no-preference", True), ("reduce", False)])
    def test_a_move_is_a_flight_unless_the_person_wants_less_motion(
        self, page: SandboxPage, motion: Any, flies: bool
    ) -> None:
        page.tab.add_init_script(
            "window.flights = []; const animate = Element.prototype.animate;"
            "Element.prototype.animate = function (frames, options) {"
            "  if (frames[0].transform) window.flights.push(this.dataset.chat);"
            "  return animate.call(this, frames, options); }"
        )
        page.tab.emulate_media(reduced_motion=motion)
        page.open()
        page.transfer(101, USER_ID=8)
        assert page.wait_until(lambda: ("101", None) in page.displayed()["bitrix24"]["agent:8"]["home"])
        assert ("101" in page.tab.evaluate("() => window.flights")) is flies

    def test_a_move_is_in_the_strip_of_the_ledger(self, page: SandboxPage) -> None:
        page.open()
        page.transfer(101, USER_ID=8)
        line = page.tab.locator("#ledger-changes li", has_text="transferred").first
        line.wait_for()
        time = page.ledger("101")[0]["at"][11:19]
        assert line.inner_text().split("\n") == [
            f"{time} 101 transferred",
            "Anna Adams (7) → Boris Berg (8)",
            "by user:1 webhook",
        ]


class TestTheHistory:
    def test_the_history_is_every_change_of_the_chat_with_who_and_how(self, page: SandboxPage) -> None:
        page.transfer(101, USER_ID=8)
        page.transfer(101, USER_ID=12)
        page.transfer(102, USER_ID=12)
        page.open()
        page.tile("bitrix24", 101).click()
        lines = page.tab.locator("#history-changes li").all_inner_texts()
        changes = page.ledger("101")
        assert len(lines) == len(changes) == 4
        for line, change in zip(lines, changes, strict=True):
            assert change["at"][11:19] in line
            assert change["change"] in line
            assert change["by"] in line
            assert f"{change['method']} in request {change['request']}" in line

    def test_the_history_goes_on_while_it_is_open(self, page: SandboxPage) -> None:
        page.open()
        page.tile("bitrix24", 101).click()
        assert "Now with Anna Adams (7)" in page.tab.locator("#history-now").inner_text()
        page.transfer(101, USER_ID=8)
        page.tab.locator("#history-changes li", has_text="accepted").wait_for()
        assert "Now with Boris Berg (8)" in page.tab.locator("#history-now").inner_text()

    def test_opens_from_the_ledger(self, page: SandboxPage) -> None:
        page.transfer(101, USER_ID=8)
        page.open()
        page.tab.locator("#ledger-changes button", has_text="101").first.click()
        assert page.tab.locator("#history-name").inner_text() == "Chat 101, Bitrix24"

    def test_the_history_names_no_customer(self, page: SandboxPage) -> None:
        page.open()
        page.tile("superoffice", 150).click()
        assert "Customer 5001," in page.tab.locator("#history-now").inner_text()


class TestFinding:
    def find(self, page: SandboxPage, chat: str) -> None:
        page.tab.locator("#find-id").fill(chat)
        page.tab.locator("#find-id").press("Enter")

    def test_a_chat_opens_its_history_and_marks_it(self, page: SandboxPage) -> None:
        page.reset(**TWO_THOUSAND)
        page.open()
        self.find(page, "1543")
        assert page.tab.locator("#history-name").inner_text() == "Chat 1543, Bitrix24"
        assert "chosen" in page.tile("bitrix24", 1543).get_attribute("class")
        box = page.tile("bitrix24", 1543).bounding_box()
        assert 0 <= box["y"] <= 900

    def test_finding_goes_to_the_other_service_when_asked_again(self, page: SandboxPage) -> None:
        page.reset(bitrix24={"chats": [{"id": 150, "owner": 7}]})
        page.open("#bitrix24")
        self.find(page, "150")
        assert page.tab.locator("#found").inner_text() == "1 of 2"
        assert page.tab.locator("#history-name").inner_text() == "Chat 150, Bitrix24"
        page.tab.locator("#find button").click()
        assert page.tab.locator("#history-name").inner_text() == "Chat 150, SuperOffice"
        assert page.tab.locator("#superoffice").is_visible()

    def test_a_closed_chat_is_possible(self, page: SandboxPage) -> None:
        page.open()
        closed = next(chat["id"] for chat in page.state()["bitrix24"]["chats"] if chat["state"] == "closed")
        self.find(page, closed)
        assert "Now closed" in page.tab.locator("#history-now").inner_text()

    def test_nothing_says_so(self, page: SandboxPage) -> None:
        page.open()
        self.find(page, "4711")
        assert page.tab.locator("#found").inner_text() == "No chat 4711"
        assert not page.tab.locator("#history").is_visible()


class TestTheKeyboard:
    def test_reaches_a_floor_goes_through_it_and_opens_a_history(self, page: SandboxPage) -> None:
        page.reset(bitrix24={"chats": [{"id": 101, "owner": 7}, {"id": 102, "owner": 7}, {"id": 103, "owner": 8}]})
        page.open()
        keyboard = page.tab.keyboard
        page.tab.locator("#find button").focus()
        keyboard.press("Tab")
        assert page.focused() == "101"
        for key, chat in [("ArrowRight", "102"), ("ArrowDown", "103"), ("ArrowUp", "101"), ("End", "103")]:
            keyboard.press(key)
            assert page.focused() == chat
        keyboard.press("Enter")
        assert page.tab.locator("#history-name").inner_text() == "Chat 103, Bitrix24"
        keyboard.press("Escape")
        assert not page.tab.locator("#history").is_visible()
        assert page.focused() == "103"
        keyboard.press("Tab")
        assert page.tab.locator("#superoffice .chat:focus").count() == 1
        keyboard.press("Shift+Tab")
        assert page.focused() == "103"

    def test_the_keyboard_stays_on_a_chat_that_moves(self, page: SandboxPage) -> None:
        page.open()
        page.tile("bitrix24", 101).focus()
        page.transfer(101, USER_ID=8)
        assert page.wait_until(lambda: ("101", None) in page.displayed()["bitrix24"]["agent:8"]["home"])
        assert page.focused() == "101"

    def test_the_keyboard_goes_to_the_search_with_a_slash(self, page: SandboxPage) -> None:
        page.open()
        page.tab.keyboard.press("/")
        page.tab.keyboard.type("101")
        assert page.tab.locator("#find-id").input_value() == "101"


class TestAReset:
    def test_a_reset_starts_the_page_anew(self, page: SandboxPage) -> None:
        page.transfer(101, USER_ID=8)
        page.open()
        page.tile("bitrix24", 102).click()
        page.reset(seed=2, **TEN)
        assert page.wait_until_current()
        assert page.tab.locator("#ledger-changes li").count() == 0
        assert not page.tab.locator("#history").is_visible()
        page.transfer(101, USER_ID=8)
        assert page.wait_until(lambda: ("101", None) in page.displayed()["bitrix24"]["agent:8"]["home"])


class TestASandboxThatStops:
    def test_a_sandbox_that_stops_is_told_and_its_successor_is_followed(self, browser: Browser) -> None:
        with browser.new_context() as context:
            with SandboxServer() as sandbox:
                page, port = SandboxPage(context.new_page(), sandbox.url), int(sandbox.address.rpartition(":")[2])
                page.open()
                page.transfer(101, USER_ID=8)
                assert page.wait_until(lambda: bool(page.tab.locator("#ledger-changes li").count()))
            page.tab.get_by_role("alert").wait_for()
            assert "No answer from the sandbox" in page.tab.get_by_role("alert").inner_text()
            with SandboxServer(TEN, port=port):
                assert page.wait_until(lambda: page.tab.get_by_role("alert").count() == 0)
                assert page.wait_until_current()
                assert page.tab.locator("#ledger-changes li").count() == 0
            assert all("ERR_CONNECTION_REFUSED" in complaint for complaint in page.problems), page.problems


class TestHostileNames:
    def test_hostile_names_are_text(self, page: SandboxPage) -> None:
        operators = [{"id": 7 + number, "name": name} for number, name in enumerate(HOSTILE)]
        queues = [{"id": 3 + number, "name": name} for number, name in enumerate(HOSTILE)]
        chats = [{"id": 101, "owner": 7}, {"id": 102, "owner": 8}]
        scenario = {"operators": operators, "queues": queues, "chats": chats}
        page.reset(bitrix24=scenario, superoffice=scenario)
        page.open()
        assert page.wait_until_current()
        page.tile("bitrix24", 101).hover()
        page.tile("bitrix24", 101).click()
        page.transfer(101, USER_ID=8)
        page.tab.locator("#history-changes li", has_text="accepted").wait_for()
        assert HOSTILE[0] in page.tab.locator("#history-changes").inner_text()
        assert page.tab.locator(".board :is(img, script, [onmouseover], [onerror])").count() == 0

    @pytest.mark.parametrize("width", [320, 400, 1440])
    def test_and_narrow_windows_do_not_make_it_scroll_sideways(self, page: SandboxPage, width: int) -> None:
        operators = [{"id": 7 + number, "name": name} for number, name in enumerate(HOSTILE)]
        page.reset(bitrix24={"operators": operators})
        page.tab.set_viewport_size({"width": width, "height": 800})
        page.open()
        assert page.tab.evaluate("() => document.documentElement.scrollWidth") <= width


class TestAccessibility:
    def test_every_chat_says_where_it_is(self, page: SandboxPage) -> None:
        page.open()
        chat = page.tab.get_by_role("button", name="Chat 151: with Clara Vik (8), rings at David Holm (12)")
        assert chat.count() == 2
        assert (
            page.tab.get_by_role("button", name=re.compile("^Chat ")).count()
            == page.tab.locator(".floor .chat").count()
        )

    def test_every_place_says_what_is_there(self, page: SandboxPage) -> None:
        page.open()
        name = "Anna Adams, present, 14 chats, 2 ringing"
        assert page.tab.get_by_role("article", name=name, exact=True).count() == 1

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_text_has_contrast(self, scheme: str) -> None:
        css = next(path for path in FILES if path.suffix == ".css").read_text()
        blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
        colours = dict(re.findall(r"--([\w-]+): (#\w{6});", blocks[scheme == "dark"]))
        for text, ground in [
            ("ink", "ground"),
            ("ink", "card"),
            ("quiet", "ground"),
            ("quiet", "card"),
            ("own-ink", "own"),
            ("wait-ink", "wait"),
            ("wait-ink", "card"),
            ("strong", "card"),
            ("alarm", "alarm-ground"),
        ]:
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio by WCAG 2."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class TestTheFiles:
    @pytest.mark.parametrize("path", ["/", *(f"/sandbox/page/{file.name}" for file in FILES)])
    def test_the_files_are_served_with_a_strict_policy(self, sandbox_server: SandboxServer, path: str) -> None:
        reply = requests.get(sandbox_server.url + path, timeout=10)
        assert reply.status_code == 200
        assert "default-src 'self'" in reply.headers["content-security-policy"]
        assert "unsafe" not in reply.headers["content-security-policy"]
        assert reply.headers["x-content-type-options"] == "nosniff"

    @pytest.mark.parametrize("path", ["/sandbox/page/", "/sandbox/page/__init__.py", "/sandbox/page/..%2Fserver.py"])
    def test_the_files_are_all_that_is_served(self, sandbox_server: SandboxServer, path: str) -> None:
        assert requests.get(sandbox_server.url + path, timeout=10).status_code == 404

    @pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
    def test_load_nothing_from_elsewhere_and_set_no_markup(self, file: Path) -> None:
        text = file.read_text()
        assert "://" not in text
        assert "url(" not in text
        for address in re.findall(r"""(?:src=|href=|from |import )["']([^"']+)["']""", text):
            assert address.startswith(("/sandbox/page/", "./")), address
        assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text)

    def test_the_files_need_no_request_but_their_own_and_those_of_the_control_plane(self, page: SandboxPage) -> None:
        page.open()
        page.transfer(101, USER_ID=8)
        assert page.wait_until_current()
        paths = {url.removeprefix(page.url).partition("?")[0] for url in page.requested_urls}
        assert {path for path in paths if not path.startswith("/sandbox/page/")} == {
            "/",
            "/sandbox/state",
            "/sandbox/ledger",
        }

    def test_the_files_cost_the_sandbox_no_request_of_a_service(self, page: SandboxPage) -> None:
        page.open()
        assert json.dumps(page.state()["requests"]) == '{"bitrix24": 0, "superoffice": 0}'
