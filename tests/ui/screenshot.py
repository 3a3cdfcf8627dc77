# SPDX-License-Identifier: Apache-2.0
"""Takes the documentation's screenshot of the page: ``python -m tests.ui.screenshot docs/sandbox-page.png``."""

from __future__ import annotations

import sys

from airflow_provider_chattransfer.sandbox.server import SandboxServer

from .page_object import SandboxPage, launch_browser

PEOPLE = {"people": {"accept_after": [60, 90], "agents": {"8": {"accept_after": [0, 0]}}}}


def take(path: str) -> None:
    """Write a screenshot of transfers on both services, some of them pending, with the history of one chat."""
    with SandboxServer() as sandbox, launch_browser() as browser:
        page = SandboxPage(browser.new_page(viewport={"width": 1360, "height": 800}), sandbox.url)
        page.reset(bitrix24=PEOPLE, superoffice=PEOPLE)
        page.open()
        for chat in (101, 102, 103, 104):
            page.transfer(chat, QUEUE_ID=3)
        for chat, target in ((150, 21), (152, 21), (157, 15)):
            page.superoffice("TransferChatSession", by=7, ChatSessionId=chat, ToAssociate=str(target))
        for chat, target in ((105, 15), (106, 15), (107, 16), (108, 16)):
            page.transfer(chat, USER_ID=target)
        assert page.wait_until_current()
        page.tile("superoffice", 152).click()
        page.tab.wait_for_timeout(1500)
        page.tab.screenshot(path=path)


if __name__ == "__main__":
    take(sys.argv[1])
