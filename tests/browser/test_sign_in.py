"""The page where the server wants to know who asks: a token, for one tab, for as long as it lives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from processor.auth.bearer_tokens import BearerTokens
from processor.auth.config import BearerTokenAuthConfig, TokenConfig
from processor.auth.tokens import new_token
from processor.model import DEFAULT_TENANT
from processor.store.connection import StoreConfig
from tests.browser.conftest import PHONE, Visit, site_on, texts, wait_for_list
from tests.integration.stored import insert, session

OURS, THEIRS, WRITING = new_token(), new_token(), new_token()
REFUSED = "status of 40[13]"  # what the browser says of an answer that the page expects


@pytest.fixture(scope="module")
def site(chdb_client: Callable[[], Any], store_config: StoreConfig) -> Iterator[str]:
    """A site that asks for a token: of the tenant with sessions, of one without, and of one who may not read."""
    insert(chdb_client(), store_config.database, "session_rollups", session("s-1", name="One"), session("s-2"))
    tokens = (
        TokenConfig(DEFAULT_TENANT, ("read", "write"), token=OURS),
        TokenConfig("other", ("read",), token=THEIRS),
        TokenConfig(DEFAULT_TENANT, ("write",), token=WRITING),
    )
    with site_on(chdb_client, store_config, BearerTokens(BearerTokenAuthConfig(tokens))) as url:
        yield url


def sign_in(page: Page, token: str) -> None:
    """As somebody who has a token."""
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def kept(page: Page) -> str:
    """All that the page has put where it would outlive the tab, or be seen."""
    said: str = page.evaluate("JSON.stringify([localStorage, document.cookie, location.href, history.state])")
    return said + page.content()


def test_a_token_opens_what_the_address_names(visit: Visit) -> None:
    """A wrong one is told so; the right one shows the view that was asked for, also after loading it again."""
    page = visit("#/session?id=s-1", complains=REFUSED)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_label("Token")).to_be_focused()
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("not known here")
    sign_in(page, OURS)
    expect(page.get_by_role("heading", name="One")).to_be_visible()
    assert OURS not in kept(page)
    page.reload()
    expect(page.get_by_role("heading", name="One")).to_be_visible()
    page.get_by_role("link", name="Sessions", exact=True).first.click()
    wait_for_list(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
        page.get_by_role("menuitem", name="Export CSV").click()
    assert "s-1" in download.value.path().read_text()


def test_signing_out_leaves_nothing_behind(visit: Visit) -> None:
    """No row, no token; and a second tab never had it."""
    page = visit("#/sessions", complains=REFUSED)
    sign_in(page, OURS)
    wait_for_list(page)
    tab = page.context.new_page()
    tab.goto(page.url)
    expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    assert "s-1" not in page.content()
    assert page.evaluate("sessionStorage.length") == 0
    page.goto(f"{page.url.partition('#')[0]}#/users")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_another_tenants_token_shows_the_other_tenant(visit: Visit) -> None:
    """Which has nothing; and who may not read is told that he may not."""
    page = visit("#/sessions", complains=REFUSED)
    sign_in(page, WRITING)
    expect(page.get_by_role("alert")).to_contain_text("may not read")
    sign_in(page, THEIRS)
    expect(page.locator(".empty h2")).to_be_visible()
    assert texts(page, "table.list tbody tr") == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_and_a_phone_has_room(visit: Visit, theme: str) -> None:
    """The form is as accessible as any view."""
    page = visit("", complains=REFUSED, viewport=PHONE, color_scheme=theme)
    expect(page.get_by_label("Token")).to_be_visible()
    found = Axe().run(page).response["violations"]
    assert [rule["id"] for rule in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
