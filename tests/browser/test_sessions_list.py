"""The list of sessions in a browser: what selects and sorts is asked of the server, and stands in the address."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from processor.store.connection import StoreConfig
from tests.browser.conftest import Visit, site_on, texts, wait_for_list
from tests.integration.stored import T0, S, insert, session

IMG = "<img src=x onerror=alert(1)>"
RLO = "invoice\u202etxt.exe"
ROWS = [
    session(
        f"s-{number:03d}",
        name=f"Conversation {(number * 37) % 120:03d}",
        user_id=f"user-{number % 7}",
        start_ns=T0 + number * 1_000 * S,
        end_ns=T0 + number * 1_000 * S + (number * 13 % 97 + 1) * S,
        trace_count=number * 7 % 31 + 1,
        error_count=number % 5 if number % 3 == 0 else 0,
        cost_nano_usd=(number * 29 % 83) * 1_000_000,
        total_tokens=number * 53 % 101 * 100,
        environment="production" if number % 2 else "staging",
        tags=["vip"] if number % 11 == 0 else [],
        models=["gpt-5"] if number % 4 else ["claude-opus-4-1"],
        services=["bot"] if number % 5 else ["batch"],
        end_state="error" if number % 6 == 0 else "success",
    )
    for number in range(120)
]
ODD = [
    session("free?", name="Unpriced", total_tokens=900, unpriced_span_count=3, start_ns=T0 - S, end_ns=T0),
    session("partly", name="Partly", total_tokens=900, unpriced_span_count=1, cost_nano_usd=5_000_000)
    | {"start_ns": T0 - S, "end_ns": T0},
    session(IMG, name=IMG, user_id=IMG, start_ns=T0 - 2 * S, end_ns=T0 - S),
    session(RLO, name=RLO, user_id="שלום", start_ns=T0 - 3 * S, end_ns=T0 - 2 * S),
]
# column, sort_by, the row's value, what the first click asks for
SORTS = [
    ("ID", "id", lambda row: row["session_id"], "asc"),
    ("Name", "name", lambda row: row["name"], "asc"),
    ("User", "user_id", lambda row: row["user_id"], "asc"),
    ("Duration", "latency_ms", lambda row: row["end_ns"] - row["start_ns"], "desc"),
    ("Cost", "total_cost", lambda row: row["cost_nano_usd"], "desc"),
    ("Tokens", "total_tokens", lambda row: row["total_tokens"], "desc"),
    ("Traces", "trace_count", lambda row: row["trace_count"], "desc"),
    ("Errors", "error_count", lambda row: row["error_count"], "desc"),
    ("Last seen", "last_seen", lambda row: row["end_ns"], "desc"),
]


@pytest.fixture(scope="module")
def add(chdb_client: Callable[[], Any], store_config: StoreConfig) -> Callable[..., None]:
    """Store sessions while somebody looks."""
    client = chdb_client()
    return lambda *rows: insert(client, store_config.database, "session_rollups", *rows)


@pytest.fixture(scope="module")
def site(chdb_client: Callable[[], Any], store_config: StoreConfig, add: Callable[..., None]) -> Iterator[str]:
    """120 plain sessions and four odd ones."""
    add(*ROWS, *ODD)
    with site_on(chdb_client, store_config) as url:
        yield url


def ids(page: Page) -> list[str]:
    """The sessions that the list shows, in its order."""
    return texts(page, "table.list tbody td.id")


@pytest.mark.parametrize(("label", "sort_by", "value", "first"), SORTS, ids=[sort[1] for sort in SORTS])
def test_every_column_sorts_on_the_server_both_ways(
    visit: Visit, label: str, sort_by: str, value: Callable[[dict[str, Any]], Any], first: str
) -> None:
    """A click on a heading shows the extremes of all sessions, not of the page; the heading says which way."""
    page = visit("#/sessions?search=s-&size=25&live=off")
    wait_for_list(page)
    by_id = {row["session_id"]: row for row in ROWS}
    for direction in (first, "asc" if first == "desc" else "desc"):
        if sort_by == "last_seen" and direction == "desc":
            page.goto(
                page.url.split("#")[0] + "#/sessions?search=s-&size=25&live=off&sort_by=last_seen&sort_order=desc"
            )
        else:
            page.get_by_role("columnheader", name=label).get_by_role("button").click()
        heading = page.get_by_role("columnheader", name=label)
        expect(heading).to_have_attribute("aria-sort", "ascending" if direction == "asc" else "descending")
        wanted = sorted((value(row) for row in ROWS), reverse=direction == "desc")[:25]
        page.wait_for_function(
            "wanted => document.querySelector('table.list caption').textContent.endsWith(wanted)",
            arg=f"by {label}, {'ascending' if direction == 'asc' else 'descending'}",
        )
        assert [value(by_id[shown]) for shown in ids(page)] == wanted
    assert f"sort_by={sort_by}" in page.url


FILTERS = [
    ("user_id", "User", "user-3", lambda row: row["user_id"] == "user-3"),
    ("tag", "Tag", "vip", lambda row: "vip" in row["tags"]),
    ("environment", "Environment", "staging", lambda row: row["environment"] == "staging"),
    ("model", "Model", "claude-opus-4-1", lambda row: "claude-opus-4-1" in row["models"]),
    ("service", "Service", "batch", lambda row: "batch" in row["services"]),
    ("has_error", "Errors", "true", lambda row: row["error_count"] > 0),
    ("status", "Status", "ERROR", lambda row: row["end_state"] == "error"),
]


@pytest.mark.parametrize(("name", "label", "value", "holds"), FILTERS, ids=[entry[0] for entry in FILTERS])
def test_every_filter_selects_and_is_shared_by_its_link(
    visit: Visit, name: str, label: str, value: str, holds: Callable[[dict[str, Any]], bool]
) -> None:
    """What a filter leaves is what holds; another reader who opens the address sees the same, filter included."""
    page = visit("#/sessions?size=200&live=off")
    wait_for_list(page)
    field = page.get_by_role("search").get_by_label(label, exact=True)
    if name in ("has_error", "status"):
        field.select_option(value)
    else:
        field.fill(value)
        field.press("Enter")
    wanted = {row["session_id"] for row in ROWS if holds(row)}
    expect(page.locator("table.list tbody tr")).to_have_count(len(wanted))
    assert set(ids(page)) == wanted
    other = visit(page.url.split("/", 3)[3])
    expect(other.locator("table.list tbody tr")).to_have_count(len(wanted))
    assert ids(other) == ids(page)
    expect(other.get_by_role("search").get_by_label(label, exact=True)).to_have_value(value)


def test_a_custom_range_selects_overlapping_sessions(visit: Visit) -> None:
    """From and to are instants in the reader's time zone; sessions that overlap them are shown."""
    page = visit("#/sessions?size=200&live=off")
    wait_for_list(page)
    page.get_by_label("Time range").select_option("custom")
    page.get_by_label("From", exact=True).fill("2025-11-24T18:00:00")
    page.get_by_label("To", exact=True).fill("2025-11-24T19:00:00")
    page.get_by_label("To", exact=True).press("Enter")
    start, end = T0 + 7_200 * S, T0 + 10_800 * S
    wanted = {row["session_id"] for row in ROWS if row["end_ns"] >= start and row["start_ns"] <= end}
    assert wanted
    expect(page.locator("table.list tbody tr")).to_have_count(len(wanted))
    assert set(ids(page)) == wanted
    assert "start_date=2025-11-24T18" in page.url


def test_a_preset_stays_relative_in_its_link(visit: Visit) -> None:
    """The address holds the preset's name; nothing so old is shown, with a way out."""
    page = visit("#/sessions?live=off")
    wait_for_list(page)
    page.get_by_label("Time range").select_option("24h")
    expect(page.get_by_role("heading", name="No session matches")).to_be_visible()
    assert page.url.endswith("range=24h")
    page.get_by_role("link", name="Clear filters").click()
    wait_for_list(page)


def test_search_waits_for_the_typing_to_end(visit: Visit) -> None:
    """Letters that come fast are one request and one step back; id or name, any case."""
    page = visit("#/sessions?live=off")
    wait_for_list(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/v1/sessions?" in request.url else None)
    page.keyboard.press("/")
    search = page.get_by_role("searchbox")
    expect(search).to_be_focused()
    with page.expect_response(lambda response: "search=conversation+007" in response.url):
        search.press_sequentially("conversation 007")
    expect(page.locator("table.list tbody tr")).to_have_count(1)
    assert len(asked) <= 2  # a pause of the machine between two letters makes two of one
    expect(search).to_be_focused()
    page.go_back()
    expect(page.locator("table.list tbody tr")).to_have_count(50)
    expect(search).to_have_value("")


def test_back_leads_to_the_same_place_in_the_list(visit: Visit) -> None:
    """Out of a session, "back" shows the page, the order, the scrolled place and the focused link as they were."""
    page = visit("#/sessions?sort_by=name&sort_order=asc&page=2&live=off")
    wait_for_list(page)
    before = ids(page)
    link = page.locator("table.list tbody tr").nth(44).get_by_role("link").first
    link.scroll_into_view_if_needed()
    scrolled = page.evaluate("scrollY")
    assert scrolled > 0
    link.click()
    expect(page.get_by_role("tab", name="Traces")).to_be_visible()
    page.go_back()
    wait_for_list(page)
    assert ids(page) == before
    expect(page.locator("table.list tbody tr").nth(44).get_by_role("link").first).to_be_focused()
    assert page.evaluate("scrollY") == scrolled
    page.go_forward()
    expect(page.get_by_role("tab", name="Traces")).to_be_visible()


def test_pages_are_links_and_reach_the_end(visit: Visit) -> None:
    """Numbers, next and previous lead through all sessions, each shown once; beyond the end it says so."""
    page = visit("#/sessions?size=25&sort_by=id&sort_order=asc&live=off")
    wait_for_list(page)
    pager = page.get_by_role("navigation", name="Pages")
    seen: list[str] = []
    for number in range(1, 6):
        expect(pager.locator("[aria-current=page]")).to_have_text(str(number))
        expect(pager.locator(".range")).to_have_text(re.compile(rf"^{(number - 1) * 25 + 1}\D"))
        seen += ids(page)
        if number < 5:
            pager.get_by_role("link", name="Next page").click()
    assert len(seen) == len(set(seen)) == len(ROWS) + len(ODD)
    expect(pager.get_by_role("link", name="Next page")).to_have_attribute("aria-disabled", "true")
    page.goto(page.url.replace("page=5", "page=99"))
    expect(page.get_by_text("The list ends before this page")).to_be_visible()
    page.get_by_role("link", name="Go to page 5").click()
    wait_for_list(page)


def test_cost_without_a_price_is_never_free(visit: Visit) -> None:
    """Tokens without any price have no cost; with some, the cost is a lower bound. What has no tokens is free."""
    page = visit("#/sessions?sort_by=last_seen&sort_order=asc&live=off")
    wait_for_list(page)
    cost = {
        row.locator("td.id").inner_text(): row.locator("td[data-label=Cost]").text_content()
        for row in page.locator("table.list tbody tr").all()[:6]
    }
    assert cost["free?"].startswith("no price, 3 calls")
    assert cost["partly"].startswith("> $0.0050, 1 call has no known price")
    assert cost["s-000"] == "$0.00"


def test_telemetry_is_text(visit: Visit) -> None:
    """Markup in ids, names and users is shown, not parsed; what reorders text is shown by name."""
    page = visit("#/sessions?search=onerror&live=off")
    wait_for_list(page)
    assert texts(page, "table.list tbody td.id, table.list tbody td.name") == [IMG, IMG]
    page.get_by_role("link", name=IMG).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(IMG)
    assert page.locator("main img").count() == 0
    page.goto(page.url.split("#")[0] + "#/sessions?search=invoice&live=off")
    wait_for_list(page)
    assert texts(page, "table.list tbody td.id") == ["invoice[U+202E]txt.exe"]
    assert page.locator("table.list tbody td.id .data").evaluate("e => getComputedStyle(e).unicodeBidi") == "isolate"


def test_live_refresh_shows_a_new_session_and_keeps_focus_and_place(visit: Visit, add: Callable[..., None]) -> None:
    """A session that arrives stands where it belongs; the focused row keeps focus, element and place in the window."""
    page = visit("#/sessions?environment=live-test", clock=True)
    expect(page.get_by_role("heading", name="No session matches")).to_be_visible()
    old = [
        session(f"live-{number}", environment="live-test", start_ns=T0, end_ns=T0 + number * S) for number in range(40)
    ]
    add(*old)
    page.clock.run_for(4_000)
    wait_for_list(page)
    link = page.get_by_role("link", name="live-9", exact=True)
    link.focus()
    page.evaluate("scrollTo(0, 300)")
    top = link.bounding_box()["y"]  # type: ignore[index]
    page.evaluate("document.activeElement.mine = true")
    add(session("live-new", environment="live-test", start_ns=T0, end_ns=T0 + 99 * S))
    page.clock.run_for(30_000)
    expect(page.locator("table.list tbody td.id").first).to_have_text("live-new")
    assert page.evaluate("document.activeElement.mine === true")
    expect(link).to_be_focused()
    assert abs(link.bounding_box()["y"] - top) < 40  # type: ignore[index]  # a row's height, where there is no anchoring


def test_live_refresh_keeps_still_under_a_menu_and_in_a_hidden_tab(visit: Visit, add: Callable[..., None]) -> None:
    """While a menu is open or the tab is hidden nothing is asked and nothing moves; after that it catches up."""
    add(session("still-1", environment="still-test", start_ns=T0, end_ns=T0 + S))
    page = visit("#/sessions?environment=still-test", clock=True)
    wait_for_list(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("button", name="Actions for session still-1").click()
    expect(page.get_by_role("menuitem", name="Open", exact=True)).to_be_focused()
    add(session("still-2", environment="still-test", start_ns=T0, end_ns=T0 + 2 * S))
    page.clock.run_for(60_000)
    assert asked == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Actions for session still-1")).to_be_focused()
    expect(page.locator("table.list tbody tr")).to_have_count(2)
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.clock.run_for(4_000)  # what was on its way may still come
    asked.clear()
    add(session("still-3", environment="still-test", start_ns=T0, end_ns=T0 + 3 * S))
    page.clock.run_for(60_000)
    assert asked == []
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("table.list tbody tr")).to_have_count(3)
    page.get_by_role("button", name="Live").click()
    expect(page.get_by_role("button", name="Live")).to_have_attribute("aria-pressed", "false")
    assert "live=off" in page.url


def test_a_failing_server_is_said_and_recovers(visit: Visit) -> None:
    """An error shows the server's words and a way to try again, and what was there stays."""
    page = visit("#/sessions?live=off", complains="400")
    wait_for_list(page)
    before = ids(page)
    page.goto(page.url.split("#")[0] + "#/sessions?live=off&range=custom&start_date=yesterday")
    alert = page.get_by_role("alert").filter(has_text="Invalid query parameters")
    expect(alert).to_contain_text("start_date: is no ISO 8601 date or time")
    assert ids(page) == before
    page.get_by_role("button", name="Clear filters").click()
    expect(alert).to_be_hidden()


def test_the_keyboard_is_enough(visit: Visit) -> None:
    """Tab, Enter and arrows alone: skip link, sort, menu, into a session and back."""
    page = visit("#/sessions?search=s-&live=off")
    wait_for_list(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    name = page.get_by_role("columnheader", name="Name").get_by_role("button")
    for _ in range(40):
        page.keyboard.press("Tab")
        if name.evaluate("e => e === document.activeElement"):
            break
    expect(name).to_be_focused()
    assert name.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "ascending")
    expect(page.get_by_role("columnheader", name="Name").get_by_role("button")).to_be_focused()
    expect(page.locator("table.list tbody td.name").first).to_have_text("Conversation 000")
    actions = page.get_by_role("button", name="Actions for session s-000")
    actions.focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Open", exact=True)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Copy ID")).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.get_by_role("heading", level=1)).to_have_text("Conversation 000")
