# SPDX-License-Identifier: Apache-2.0
"""A browser for the tests of the page; they are skipped if there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from airflow_provider_chattransfer.sandbox.server import SandboxServer

from .page_object import CHROMIUM, SandboxPage, launch_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run a browser for one module: while playwright runs, no other test can start an event loop of its own."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with launch_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, sandbox_server: SandboxServer) -> Iterator[SandboxPage]:
    """Return the page of a fresh sandbox, not loaded yet; fail if it logs a problem or requests another host."""
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = SandboxPage(context.new_page(), sandbox_server.url)
        page.reset()
        yield page
        assert page.problems == []
        assert {urlsplit(url).netloc for url in page.requested_urls} <= {sandbox_server.address}
