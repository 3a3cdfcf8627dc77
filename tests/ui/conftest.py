# SPDX-License-Identifier: Apache-2.0
"""A browser for the tests of the page; they are skipped where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from airflow_provider_chattransfer.sandbox.server import SandboxServer

from .page_object import CHROMIUM, SandboxPage, launched

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Closed with its module: while playwright runs, no other test could start an event loop of its own."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with launched() as browser:
        yield browser


@pytest.fixture
def floor(browser: Browser, sandbox_server: SandboxServer) -> Iterator[SandboxPage]:
    """The page of a fresh sandbox, not loaded yet. In no test may it complain, or ask another host."""
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        floor = SandboxPage(context.new_page(), sandbox_server.url)
        floor.reset()
        yield floor
        assert floor.complaints == []
        assert {urlsplit(url).netloc for url in floor.asked} <= {sandbox_server.address}
