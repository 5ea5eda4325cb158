"""One session in a browser: its figures, its timeline, the tree of a trace, a span, and what keys do there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from processor.store.connection import StoreConfig
from tests.browser.conftest import PHONE, Visit, site_on, texts
from tests.integration.stored import T0, S, insert, narrow_span, session, trace, usage, wide_span

HOUR = 3_600 * S
ODD_IDS = ["..", ".", "stats", "with/slash", "50%_off?q#f&a=b", "ünïcödé 🧵", "x" * 5_000]
FIRST, SECOND, LATE = "a" * 32, "b" * 32, "c" * 32
IMG = "<img src=x onerror=alert(1)>"

SPANS = [
    narrow_span(FIRST, "1" * 16, name="invoke_agent planner", kind="agent", end_ns=T0 + 10 * S),
    narrow_span(FIRST, "2" * 16, parent_span_id="1" * 16, name="chat gpt-5", kind="llm", end_ns=T0 + 4 * S)
    | {"model": "gpt-5", "provider": "openai", "input_tokens": 700, "output_tokens": 200, "total_tokens": 900}
    | {"cost_nano_usd": 5_000_000, "input_cost_nano_usd": 3_000_000, "output_cost_nano_usd": 2_000_000},
    narrow_span(FIRST, "3" * 16, parent_span_id="1" * 16, name="execute_tool search", kind="tool")
    | {"start_ns": T0 + 4 * S, "end_ns": T0 + 6 * S, "status_code": 2, "is_error": True, "status_message": "refused"},
    narrow_span(FIRST, "4" * 16, parent_span_id="3" * 16, name=IMG, start_ns=T0 + 5 * S, end_ns=T0 + 6 * S),
    narrow_span(FIRST, "5" * 16, parent_span_id="9" * 16, name="lost child", start_ns=T0 + 7 * S, end_ns=T0 + 8 * S),
    narrow_span(SECOND, "6" * 16, name="second turn", start_ns=T0 + HOUR, end_ns=T0 + HOUR + S),
]
SAID = {
    "2" * 16: {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": json.dumps([{"role": "user", "content": f"What is {IMG}?"}]),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "content": "An \u202eelement.\u0007"}]),
        "custom.key": "custom value",
    },
}
EVENTS = {
    "Events.Timestamp": [T0 + S],
    "Events.Name": ["first token"],
    "Events.Attributes": [{"n": "1"}],
    "Events.DroppedAttributesCount": [0],
}


@pytest.fixture(scope="module")
def site(chdb_client: Callable[[], Any], store_config: StoreConfig) -> Iterator[str]:
    """A session of three traces with an hour between the first two, and sessions with odd ids."""
    client = chdb_client()
    named = {
        "name": "Trip to Lisbon",
        "user_id": "ada",
        "thread_id": "thread/1",
        "environment": "prod",
        "tags": ["vip"],
    }
    totals = {"total_tokens": 900, "input_tokens": 700, "output_tokens": 200, "cost_nano_usd": 5_000_000}
    totals |= {"unpriced_span_count": 2, "error_count": 1, "span_count": 7, "models": ["gpt-5"], "services": ["svc"]}
    whole = session("trip", end_ns=T0 + 2 * HOUR, trace_count=3, metadata='{"plan":"gold"}', **named, **totals)
    others = [session(odd, name=f"Odd {number}") for number, odd in enumerate(ODD_IDS)]
    insert(client, store_config.database, "session_rollups", whole, *others)
    by_model = usage({"model": "gpt-5", "provider": "openai", "service": "svc", "call_count": 1, "total_tokens": 900})
    first = trace("trip", FIRST, name="invoke_agent planner", end_ns=T0 + 10 * S, span_count=5, error_count=1)
    rows = [
        first | by_model | {"status_code": 2, "total_tokens": 900, "cost_nano_usd": 5_000_000},
        trace("trip", SECOND, name="second turn", start_ns=T0 + HOUR, end_ns=T0 + HOUR + S),
        trace("trip", LATE, name="third turn", start_ns=T0 + 2 * HOUR - S, end_ns=T0 + 2 * HOUR),
        *(trace(odd, f"{number:032x}", name="odd trace") for number, odd in enumerate(ODD_IDS)),
    ]
    for row in rows:
        insert(client, store_config.database, "session_traces", row)
    insert(client, store_config.database, "session_spans", *SPANS)
    for span in SPANS:
        said = {"SpanAttributes": SAID.get(span["span_id"], {}), "StatusMessage": span["status_message"]}
        more = EVENTS if span["span_id"] in SAID else {}
        insert(client, store_config.database, "otel_traces", wide_span(span, **said, **more))
    with site_on(chdb_client, store_config) as url:
        yield url


def rows(page: Page) -> list[str]:
    """The names in the tree, as far as they are in sight."""
    return texts(page, ".tree-row .span-name bdi")


def open_trip(visit: Visit, more: str = "", **options: Any) -> Page:
    """The session, when its first trace is drawn."""
    page = visit(f"#/session?id=trip{more}", **options)
    expect(page.locator(".tree-row").first).to_be_visible()
    return page


def test_the_summary_says_what_the_session_took(visit: Visit) -> None:
    """Figures, who and where, each a link that leads on; cost is a lower bound where calls have no price."""
    page = open_trip(visit)
    expect(page.get_by_role("heading", level=1)).to_have_text("Trip to Lisbon")
    figures = dict(zip(texts(page, ".summary dt"), texts(page, ".summary dd:not(.note)"), strict=True))
    assert figures["Duration"] == "2h 00m"
    assert figures["Tokens"] == "900"
    assert figures["Cost"].startswith("> $0.0050")
    assert figures["Errors"] == "1"
    expect(page.get_by_role("link", name="ada")).to_have_attribute("href", "#/sessions?user_id=ada")
    expect(page.get_by_role("link", name="thread/1")).to_have_attribute("href", "#/thread?id=thread%2F1")
    page.get_by_role("tab", name="Usage").click()
    usage_table = page.get_by_role("table", name="By model")
    expect(usage_table.get_by_role("row", name="gpt-5")).to_contain_text("900")
    page.get_by_role("tab", name="Details").click()
    expect(page.get_by_role("link", name="gold")).to_have_attribute("href", "#/sessions?metadata.plan=gold")
    assert page.url.endswith("tab=about")
    page.go_back()
    expect(page.get_by_role("tab", name="Usage")).to_have_attribute("aria-selected", "true")


def test_the_timeline_shows_pauses(visit: Visit) -> None:
    """The picture says in words what it shows; a trace says how long nothing happened before it; folding can end."""
    page = open_trip(visit)
    expect(page.locator("canvas")).to_have_attribute(
        "aria-label", "3 traces over 2h 00m, 1 failed; the longest pause is 59m 58s"
    )
    expect(page.get_by_role("option", name="second turn")).to_contain_text("+59m 50s idle before")
    folded = page.get_by_role("option", name="second turn").locator(".trace-bar").evaluate("e => e.style.left")
    page.get_by_role("button", name="Fold long pauses").click()
    expect(page.get_by_role("button", name="Fold long pauses")).to_have_attribute("aria-pressed", "false")
    unfolded = page.get_by_role("option", name="second turn").locator(".trace-bar").evaluate("e => e.style.left")
    assert folded != unfolded
    assert unfolded.startswith("50")


def test_the_tree_shows_every_span_under_its_parent(visit: Visit) -> None:
    """Levels, places and errors are those of the spans; one whose parent never came stands at the top and says so."""
    page = open_trip(visit)
    assert rows(page) == ["invoke_agent planner", "chat gpt-5", "execute_tool search", IMG, "lost child"]
    items = page.get_by_role("treeitem")
    assert [item.get_attribute("aria-level") for item in items.all()] == ["1", "2", "2", "3", "1"]
    expect(items.nth(2)).to_contain_text("error")
    expect(items.nth(4)).to_contain_text("no parent")
    assert page.locator("main img").count() == 0


def test_arrows_walk_the_tree_as_aria_has_it(visit: Visit) -> None:
    """Down, right, left, star, Home, End and letters move, open and close; the active row is always named."""
    page = open_trip(visit)
    tree = page.get_by_role("tree")
    tree.focus()

    def active() -> str:
        return str(
            page.evaluate(
                "document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))"
                ".querySelector('bdi').textContent"
            )
        )

    assert active() == "invoke_agent planner"
    for key, wanted in [
        ("ArrowDown", "chat gpt-5"),
        ("ArrowDown", "execute_tool search"),
        ("ArrowRight", IMG),
        ("ArrowLeft", "execute_tool search"),
        ("ArrowLeft", "execute_tool search"),  # closes it
        ("ArrowDown", "lost child"),
        ("Home", "invoke_agent planner"),
        ("e", "execute_tool search"),
        ("*", "execute_tool search"),  # opens it and its siblings
        ("ArrowDown", IMG),
        ("End", "lost child"),
    ]:
        page.keyboard.press(key)
        assert active() == wanted
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("treeitem").first).to_have_attribute("aria-expanded", "false")
    assert rows(page) == ["invoke_agent planner", "lost child"]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Span detail")).to_contain_text("chat gpt-5")
    expect(tree).to_be_focused()


def test_a_span_is_shown_whole_and_shared_by_its_link(visit: Visit) -> None:
    """Messages, attributes and events of the chosen span; the address leads another reader to it; Escape closes it."""
    page = open_trip(visit)
    page.get_by_role("treeitem", name="chat gpt-5").click()
    panel = page.get_by_role("region", name="Span detail")
    expect(panel.locator(".role-user .said")).to_have_text(f"What is {IMG}?")
    expect(panel.locator(".role-assistant .said")).to_have_text("An [U+202E]element.␇")
    expect(panel.get_by_role("table", name="Attributes")).to_contain_text("custom value")
    expect(panel).to_contain_text("first token")
    expect(panel).to_contain_text("700 in · 200 out")
    other = visit(page.url.split("/", 3)[3])
    shown = other.get_by_role("region", name="Span detail")
    expect(shown.locator(".role-user .said")).to_have_text(f"What is {IMG}?")
    expect(other.locator(".tree-row.selected bdi")).to_have_text("chat gpt-5")
    page.get_by_role("heading", name="chat gpt-5").focus()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page.get_by_role("tree")).to_be_focused()
    page.go_back()
    expect(panel).to_be_visible()


def test_search_in_the_tree_opens_what_it_finds(visit: Visit) -> None:
    """A match inside a closed branch is opened to and counted; Enter goes to the next one."""
    page = open_trip(visit)
    page.get_by_role("button", name="Collapse all").click()
    assert rows(page) == ["invoke_agent planner", "lost child"]
    search = page.get_by_role("searchbox", name="Search in this trace")
    search.fill("ch")
    expect(page.locator(".found")).to_have_text("1 of 3")
    assert "chat gpt-5" in rows(page)
    search.press("Enter")
    search.press("Enter")
    expect(page.locator(".found")).to_have_text("3 of 3")
    expect(page.locator(".tree-row.active bdi")).to_have_text("lost child")
    search.fill("nowhere")
    expect(page.locator(".found")).to_have_text("none")


def test_another_trace_is_chosen_by_keys(visit: Visit) -> None:
    """Arrows move in the list of traces, Enter shows the trace; "back" shows the one before."""
    page = open_trip(visit)
    page.get_by_role("listbox").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".tree-row bdi")).to_have_text(["second turn"])
    expect(page.get_by_role("option", name="second turn")).to_have_attribute("aria-selected", "true")
    assert f"trace={SECOND}" in page.url
    page.go_back()
    expect(page.locator(".tree-row bdi").first).to_have_text("invoke_agent planner")


@pytest.mark.parametrize("number", range(len(ODD_IDS)), ids=[odd[:12] for odd in ODD_IDS])
def test_ids_of_any_character_and_length_are_reached(visit: Visit, number: int) -> None:
    """From the list by its link, and by its address: dots, slashes, routes' names, 5,000 characters."""
    page = visit(f"#/session?id={quote(ODD_IDS[number], safe='')}")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Odd {number}")
    expect(page.get_by_role("option", name="odd trace")).to_be_visible()


def test_an_unknown_session_says_so(visit: Visit) -> None:
    """No empty page: what may have happened, and where to go."""
    page = visit("#/session?id=nobody", complains="404")
    expect(page.get_by_role("heading", name="There is no such session")).to_be_visible()
    page.get_by_role("link", name="All sessions").click()
    expect(page.locator("table.list tbody tr").first).to_be_visible()


def test_on_a_phone_panes_lie_below_each_other(visit: Visit) -> None:
    """Lists are as high as their rows, nothing is wider than the screen, a chosen span comes into sight, in focus."""
    page = open_trip(visit, viewport=PHONE)
    expect(page.get_by_role("option")).to_have_count(3)
    heights = "document.querySelectorAll('.virtual').values().map(list => list.clientHeight).toArray()"
    assert page.evaluate(heights) == [3 * 46, 5 * 28]
    page.get_by_role("treeitem", name="chat gpt-5").click()
    heading = page.get_by_role("heading", level=3, name="chat gpt-5")
    expect(heading).to_be_focused()
    expect(heading).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
