# SPDX-License-Identifier: Apache-2.0
"""Takes the picture of the page in the documentation: ``python -m tests.ui.screenshot docs/sandbox-page.png``."""

from __future__ import annotations

import sys

from airflow_provider_chattransfer.sandbox.server import SandboxServer

from .page_object import SandboxPage, launched

PEOPLE = {"people": {"accept_after": [60, 90], "agents": {"8": {"accept_after": [0, 0]}}}}


def take(path: str) -> None:
    """A hand-over on both services, some of its chats still ringing, and the history of one."""
    with SandboxServer() as sandbox, launched() as browser:
        floor = SandboxPage(browser.new_page(viewport={"width": 1360, "height": 800}), sandbox.url)
        floor.reset(bitrix24=PEOPLE, superoffice=PEOPLE)
        floor.open()
        for chat in (101, 102, 103, 104):
            floor.transfer(chat, QUEUE_ID=3)
        for chat, target in ((150, 21), (152, 21), (157, 15)):
            floor.superoffice("TransferChatSession", by=7, ChatSessionId=chat, ToAssociate=str(target))
        for chat, target in ((105, 15), (106, 15), (107, 16), (108, 16)):
            floor.transfer(chat, USER_ID=target)
        assert floor.agrees()
        floor.tile("superoffice", 152).click()
        floor.page.wait_for_timeout(1500)
        floor.page.screenshot(path=path)


if __name__ == "__main__":
    take(sys.argv[1])
