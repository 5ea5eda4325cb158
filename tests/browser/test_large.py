"""A million sessions, 20,000 traces in one of them, 100,000 spans in one of those: the page stays as small as a window.

Rows are made by the store itself, so that they are there in seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from processor.store.connection import StoreConfig
from tests.browser.conftest import Visit, site_on, texts, wait_for_list
from tests.integration.stored import T0, S

SESSIONS, TRACES, SPANS = 1_000_000, 20_000, 100_000
NODES_MAX = 2_500  # of a page; a row for each trace would be ten times as many
TIMEOUT_MS = 60_000


@pytest.fixture(scope="module")
def site(chdb_client: Callable[[], Any], store_config: StoreConfig) -> Iterator[str]:
    """`large` has 20,000 traces of a second, a second apart; the first of them has 100,000 spans in a tree."""
    client, database = chdb_client(), store_config.database
    client.command(
        f"INSERT INTO {database}.session_rollups"
        " (tenant, session_id, version, row_count, name, trace_count, span_count, start_ns, end_ns)"
        " SELECT 'default', concat('s-', leftPad(toString(number), 7, '0')), 1, 1,"
        " concat('Session ', toString(number)),"
        f" 1, 1, {T0} + number * {S}, {T0} + number * {S} + {S} FROM numbers({SESSIONS})"
    )
    client.command(
        f"INSERT INTO {database}.session_rollups"
        " (tenant, session_id, version, row_count, name, trace_count, span_count, start_ns, end_ns)"
        f" VALUES ('default', 'large', 1, 1, 'Large', {TRACES}, {SPANS}, {T0}, {T0 + 40_000 * S})"
    )
    client.command(
        f"INSERT INTO {database}.session_traces"
        " (tenant, session_id, trace_id, version, name, start_ns, end_ns, span_count, error_count, total_tokens)"
        " SELECT 'default', 'large', leftPad(toString(number), 32, '0'), 1, concat('turn ', toString(number)),"
        f" {T0} + number * 2 * {S}, {T0} + number * 2 * {S} + {S}, 1, number % 100 = 7, 10 FROM numbers({TRACES})"
    )
    # Span n's parent is n / 8: a tree of eight branches, six levels deep.
    client.command(
        f"INSERT INTO {database}.session_spans"
        " (tenant, trace_id, span_id, parent_span_id, service, name, kind, start_ns, end_ns)"
        " SELECT 'default', repeat('0', 32), leftPad(toString(number), 16, '0'),"
        " if(number = 0, '', leftPad(toString(intDiv(number - 1, 8)), 16, '0')), 'svc',"
        " concat('step ', toString(number)),"
        f" 'other', {T0} + number * 10, {T0} + {S} FROM numbers({SPANS})"
    )
    with site_on(chdb_client, store_config) as url:
        yield url


def nodes(page: Page) -> int:
    """How many elements the page has."""
    return int(page.evaluate("document.getElementsByTagName('*').length"))


def test_a_million_sessions_page_by_numbers(visit: Visit) -> None:
    """The last page is one step away, its rows are the last ones, and the page holds one page only."""
    page = visit("#/sessions?sort_by=id&sort_order=desc&live=off")
    wait_for_list(page)
    pager = page.get_by_role("navigation", name="Pages")
    expect(pager.locator(".range")).to_contain_text("50 of 1,000,001")
    pager.get_by_role("link", name="Page 20001").click()
    expect(page.locator("table.list tbody tr")).to_have_count(1, timeout=TIMEOUT_MS)
    assert texts(page, "table.list tbody td.id") == ["large"]
    field = page.get_by_role("spinbutton", name="Go to page, 1 to 20001")
    field.fill("10000")
    field.press("Enter")
    first = SESSIONS - 1 - 9_999 * 50
    expect(page.locator("table.list tbody td.id").first).to_have_text(f"s-{first:07d}", timeout=TIMEOUT_MS)
    expect(page.locator("table.list tbody tr")).to_have_count(50)
    assert "page=10000" in page.url
    assert nodes(page) < NODES_MAX


def test_twenty_thousand_traces_stay_usable(visit: Visit) -> None:
    """They come by pages of 1,000 without spans, all are drawn and reached, and rows in sight are all there is."""
    page = visit("#/session?id=large&trace=" + f"{1:032d}")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/v1/traces?" in request.url else None)
    expect(page.locator(".trace-pane .pane-head .muted")).to_have_text("20,000", timeout=TIMEOUT_MS)
    expect(page.locator("canvas")).to_have_attribute(
        "aria-label", "20,000 traces over 11h 07m, 0 failed; the longest pause is 1.0 s"
    )
    assert all("spans=false" in url and "limit=1000" in url for url in asked)
    listbox = page.get_by_role("listbox")
    listbox.focus()
    page.keyboard.press("End")
    last = page.get_by_role("option", name="turn 19999")
    expect(last).to_be_visible()
    expect(last).to_have_attribute("aria-setsize", "20000")
    expect(last).to_have_attribute("aria-posinset", "20000")
    page.keyboard.press("Enter")
    expect(last).to_have_attribute("aria-selected", "true")
    assert nodes(page) < NODES_MAX


def test_a_hundred_thousand_spans_stay_usable(visit: Visit) -> None:
    """They come by pages of 10,000; opened all, only rows in sight are in the document; keys and search reach any."""
    page = visit("#/session?id=large")
    expect(page.locator(".tree-state")).to_have_text("100,000 spans", timeout=TIMEOUT_MS)
    page.get_by_role("button", name="Expand all").click()
    tree = page.get_by_role("tree")
    tree.focus()
    page.keyboard.press("End")
    expect(page.locator(".tree-row.active bdi")).to_be_visible()
    assert page.locator(".tree-row").count() < 100
    page.get_by_role("button", name="Collapse all").click()
    search = page.get_by_role("searchbox", name="Search in this trace")
    search.fill("step 99999")
    expect(page.locator(".found")).to_have_text("1 of 1")
    found = page.locator(".tree-row.active")
    expect(found).to_contain_text("step 99999")
    assert int(found.get_attribute("aria-level") or 0) > 5
    assert nodes(page) < NODES_MAX
