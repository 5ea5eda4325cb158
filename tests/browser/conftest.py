"""The page in Debian's Chromium, on the real API over a real store.

Whatever a test does, the page may not complain on its console, raise, or ask anybody but the server that sent it: each
visit checks that when it ends. A test that provokes a complaint says which (`complains`, a pattern).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from processor.api.app import create_app
from processor.api.pool import QueryPool
from processor.auth.authenticator import Authenticator
from processor.model import DEFAULT_TENANT
from processor.pricing.prices import Prices
from processor.store.connection import StoreConfig
from processor.store.deletions import SessionDeletions
from processor.store.queries import SessionQueries
from tests.integration.serving import served

DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 360, "height": 740}
BLOCK_DAYS = 30
TIMEOUT_MS = 20_000  # the machine may be busy; nothing is asserted about speed

Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser a file: while it is there its event loop runs, and no other test of this process could have one.

    Without a browser, tests fail where they must run and are skipped elsewhere.
    """
    path = shutil.which("chromium")
    if path is None:
        message = "there is no chromium; install it with: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@contextlib.contextmanager
def site_on(
    chdb_client: Callable[[], Any], store_config: StoreConfig, authenticator: Authenticator | None = None
) -> Iterator[str]:
    """The API and its page on a database of the shared engine; gives its address."""
    readers = [SessionQueries(chdb_client(), store_config.database) for _ in range(2)]
    deletions = SessionDeletions(chdb_client(), store_config.database, BLOCK_DAYS)
    app = create_app(QueryPool(readers, 64), DEFAULT_TENANT, "0", Prices(), deletions, authenticator)
    with served(app) as url:
        yield url


@pytest.fixture
def visit(chromium: Browser, site: str) -> Iterator[Visit]:
    """`visit("#/sessions", complains=…, **options of the browser context)`: a new reader who opens that address."""
    with contextlib.ExitStack() as stack:
        wrong: list[str] = []

        def open_page(address: str = "", *, complains: str = "", clock: bool = False, **options: Any) -> Page:
            context = chromium.new_context(**{"viewport": DESKTOP, "timezone_id": "UTC", **options})
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(TIMEOUT_MS)
            watch(page, site, complains, wrong)
            if clock:
                page.clock.install()
            page.goto(f"{site}/{address}")
            return page

        yield open_page
        assert wrong == []


def watch(page: Page, site: str, complains: str, wrong: list[str]) -> None:
    """Note what the page must not do."""

    def on_console(message: Any) -> None:
        if message.type in ("error", "warning") and not (complains and re.search(complains, message.text)):
            wrong.append(f"{message.type}: {message.text}")

    def on_request(request: Any) -> None:
        if not request.url.startswith((f"{site}/", "blob:")):
            wrong.append(f"asked {request.url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: wrong.append(f"raised {error}"))
    page.on("request", on_request)


def texts(page: Page, selector: str) -> list[str]:
    """What the elements say, in order."""
    return page.locator(selector).all_inner_texts()


def wait_for_list(page: Page) -> None:
    """Until the list shows an answer to what the address asks."""
    expect(page.locator("table.list tbody tr").first).to_be_visible()
    expect(page.locator("table.list[aria-busy]")).to_have_count(0)
