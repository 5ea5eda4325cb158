"""What holds of every view: accessible by axe-core's rules in both themes, no wider than a phone, nothing foreign."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from processor.clock import now_ns
from processor.store.connection import StoreConfig
from tests.browser.conftest import PHONE, Visit, site_on, texts, wait_for_list
from tests.integration.stored import S, insert, narrow_span, session, trace, usage, wide_span

TRACE = "d" * 32
# view, what stands there when it is drawn
VIEWS = {
    "sessions": ("#/sessions", "table.list tbody tr"),
    "no sessions": ("#/sessions?search=nobody", ".empty h2"),
    "session": (f"#/session?id=s-1&trace={TRACE}&span={'2' * 16}", ".panel-body .tile"),
    "usage": ("#/session?id=s-1&tab=usage", ".usage tbody th"),
    "logs": ("#/session?id=s-1&tab=logs", ".log"),
    "details": ("#/session?id=s-1&tab=about", ".attributes"),
    "threads": ("#/threads", "table.list tbody tr"),
    "thread": ("#/thread?id=thread-1", "table.list tbody tr"),
    "users": ("#/users", "table.list tbody tr"),
    "analytics": ("#/analytics", ".chart .columns rect"),
    "nothing": ("#/nowhere", "h1"),
}


@pytest.fixture(scope="module")
def add(chdb_client: Callable[[], Any], store_config: StoreConfig) -> Callable[..., None]:
    """Store sessions while somebody looks."""
    client = chdb_client()
    return lambda *rows: insert(client, store_config.database, "session_rollups", *rows)


@pytest.fixture(scope="module")
def site(chdb_client: Callable[[], Any], store_config: StoreConfig) -> Iterator[str]:
    """A little of everything: sessions of two days, a thread, users, errors, calls without a price, logs."""
    client, now = chdb_client(), now_ns()
    long = "a name that goes on and on without any space " + "x" * 200
    for number in range(30):
        start = now - number * 3_600 * S - 100 * S
        row = session(
            f"s-{number}" + "y" * (60 if number % 3 == 2 else 0), name=long if number % 5 == 0 else f"Session {number}"
        )
        row |= {
            "start_ns": start,
            "end_ns": start + 90 * S,
            "user_id": f"user-{number % 4}",
            "thread_id": f"thread-{number % 3}",
        }
        row |= {"total_tokens": 900, "cost_nano_usd": 5_000_000 * (number % 3), "unpriced_span_count": number % 2}
        row |= {"error_count": number % 4, "end_state": "error" if number % 4 else "success", "tags": ["vip", "eu"]}
        row |= {"models": ["gpt-5"], "services": ["svc"], "environment": "prod", "metadata": '{"plan":"gold"}'}
        insert(client, store_config.database, "session_rollups", row | {"input_preview": "Hello", "span_count": 2})
    first = now - 3_700 * S
    by_model = usage({"model": "gpt-5", "provider": "openai", "service": "svc", "call_count": 1, "total_tokens": 900})
    row = (
        trace("s-1", TRACE, name=long, start_ns=first, end_ns=first + 90 * S, total_tokens=900, error_count=1)
        | by_model
    )
    insert(client, store_config.database, "session_traces", row)
    spans = [
        narrow_span(TRACE, "1" * 16, name=long, kind="agent", start_ns=first, end_ns=first + 90 * S),
        narrow_span(TRACE, "2" * 16, parent_span_id="1" * 16, name="chat", kind="llm", start_ns=first, end_ns=first + S)
        | {"model": "gpt-5", "total_tokens": 900, "status_code": 2},
    ]
    insert(client, store_config.database, "session_spans", *spans)
    for span in spans:
        said = {f"key.{number}": "v" * number * 40 for number in range(15)} | {"gen_ai.operation.name": "chat"}
        said["gen_ai.input.messages"] = '[{"role":"user","content":"Hello"}]'
        insert(client, store_config.database, "otel_traces", wide_span(span, SpanAttributes=said))
    insert(
        client,
        store_config.database,
        "otel_logs",
        {"Timestamp": first, "TraceId": TRACE, "SpanId": "2" * 16, "SeverityText": "ERROR", "SeverityNumber": 17}
        | {"ServiceName": "svc", "Body": "It broke. " * 40, "SessionId": "s-1", "LogAttributes": {"a": "b"}},
    )
    with site_on(chdb_client, store_config) as url:
        yield url


def open_view(visit: Visit, view: str, **options: Any) -> Page:
    """A view, drawn."""
    address, drawn = VIEWS[view]
    page = visit(address, **options)
    expect(page.locator(drawn).first).to_be_visible()
    return page


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_and_a_phone_never_scrolls_sideways(visit: Visit, view: str) -> None:
    """No violation of WCAG and of axe-core's best practices, contrast in both themes; at 360 px nothing is wider."""
    page = open_view(visit, view, color_scheme="light", reduced_motion="reduce", bypass_csp=True)
    assert violations(page, {}) == []
    page.emulate_media(color_scheme="dark")
    assert violations(page, {"runOnly": ["color-contrast"]}) == []
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert violations(page, {"runOnly": ["color-contrast", "scrollable-region-focusable", "target-size"]}) == []


def violations(page: Page, options: dict[str, Any]) -> list[tuple[str, str]]:
    """Rule and element of everything that axe-core finds."""
    found = Axe().run(page, options={"resultTypes": ["violations"]} | options).response["violations"]
    return [(rule["id"], node["html"]) for rule in found for node in rule["nodes"]]


def test_the_theme_follows_the_system_until_somebody_chooses(visit: Visit) -> None:
    """The switch changes colours at once and for the next visit; the canvas of a session follows."""
    page = open_view(visit, "session", color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    before = page.locator("canvas").evaluate("e => e.toDataURL()")
    page.get_by_role("button", name="Switch to the light theme").click()
    light = page.evaluate(ground)
    assert light != dark
    page.wait_for_function("before => document.querySelector('canvas').toDataURL() !== before", arg=before)
    page.reload()
    expect(page.get_by_role("button", name="Switch to the dark theme")).to_be_visible()
    assert page.evaluate(ground) == light


def test_nothing_foreign_runs(visit: Visit, site: str) -> None:
    """The policy refuses inline script, other origins, frames, and strings parsed as HTML."""
    policy = httpx.get(site).headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; ")
    assert "unsafe" not in policy
    page = visit("#/threads", complains="action has been blocked|Refused to connect")
    expect(page.locator("table.list tbody tr").first).to_be_visible()
    refused = page.evaluate(
        """() => {
          try { document.body.innerHTML = "<p>telemetry</p>"; return ""; } catch (error) { return error.name; }
        }"""
    )
    assert refused == "TypeError"
    ran = page.evaluate(
        """async () => {
          const button = document.createElement("p");
          try { button.setAttribute("onclick", "window.ran = true"); } catch {}
          document.body.append(button);
          button.click();
          return [window.ran === true, await fetch("https://example.com/").then(() => true, () => false)];
        }"""
    )
    assert ran == [False, False]


def test_views_are_reached_from_each_other(visit: Visit) -> None:
    """Navigation, a thread's sessions, a user's sessions, and an interval of a chart lead on, and name where one is."""
    page = open_view(visit, "threads")
    page.get_by_role("link", name="thread-1").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("thread-1")
    expect(page.locator("table.list tbody tr")).to_have_count(10)
    expect(page.get_by_role("link", name="Threads", exact=True).first).to_have_attribute("aria-current", "page")
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Users").click()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.get_by_role("link", name="user-2").click()
    expect(page.locator("table.list tbody tr")).to_have_count(7)
    assert page.title() == "Sessions · otel-sessions"


def test_users_sort_and_lead_to_their_sessions(visit: Visit) -> None:
    """Every column of the list of users sorts, and a search narrows it."""
    page = open_view(visit, "users")
    expect(page.locator("table.list tbody tr")).to_have_count(4)
    for label, wanted in [("User", "user-0"), ("Errors", "user-3")]:
        page.get_by_role("columnheader", name=label).get_by_role("button").click()
        expect(page.locator("table.list tbody td.id").first).to_have_text(wanted)
    for label in ("Sessions", "Traces", "Tokens", "Cost", "First seen", "Last seen"):
        page.get_by_role("columnheader", name=label).get_by_role("button").click()
        expect(page.locator("table.list caption")).to_have_text(f"4 users, page 1, by {label}, descending")
    page.get_by_role("searchbox").fill("R-3")
    expect(page.locator("table.list tbody tr")).to_have_count(1)
    assert "search=R-3" in page.url


def test_threads_filter_by_activity_and_user(visit: Visit) -> None:
    """Threads of the last hour are active; a user's threads are those with one of his sessions."""
    page = open_view(visit, "threads")
    expect(page.locator("table.list tbody tr")).to_have_count(3)
    page.get_by_label("Status", exact=True).select_option("active")
    expect(page.locator("table.list tbody tr")).to_have_count(1)
    expect(page.locator("table.list tbody td.id")).to_have_text("thread-0")
    page.get_by_role("columnheader", name="Cost").get_by_role("button").click()
    expect(page.get_by_role("columnheader", name="Cost")).to_have_attribute("aria-sort", "descending")


def test_analytics_say_in_a_table_what_charts_show(visit: Visit) -> None:
    """Totals, a series that adds up to them, and rankings that lead to the sessions; unpriced calls are said."""
    page = open_view(visit, "analytics")
    figures = dict(zip(texts(page, ".tiles dt"), page.locator(".tiles dd:not(.note)").all_text_contents(), strict=True))
    assert figures["Sessions"] == "30"
    assert figures["Tokens"] == "27,000"
    assert figures["Cost"].startswith("> $0.1500, 15 calls have no known price")
    page.get_by_label("Interval").select_option("day")
    assert "interval=day" in page.url
    chart = page.get_by_role("figure").filter(has_text="Sessions").first
    chart.get_by_text("Numbers").click()
    rows = chart.get_by_role("table").locator("tbody tr")
    page.wait_for_function(
        "() => /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(document.querySelector('.chart tbody th').textContent)"
    )
    counted = [int(text) for text in rows.locator("td").all_inner_texts()]
    assert sum(counted) == 30
    assert page.locator(".chart .columns").first.locator("rect").count() == len(counted)
    rows.first.get_by_role("link").click()
    wait_for_list(page)
    expect(page.locator("table.list tbody tr")).to_have_count(counted[0])
    page.go_back()
    page.get_by_role("table", name="Top users").get_by_role("link", name="user-1").click()
    expect(page.locator("table.list tbody tr")).to_have_count(8)


def test_filters_suggest_what_there_is(visit: Visit) -> None:
    """The first focus on a filter fills its list with the values in use."""
    page = open_view(visit, "sessions")
    field = page.get_by_role("search").get_by_label("Model", exact=True)
    field.focus()
    expect(page.locator(f"#{field.get_attribute('list')} option")).to_have_count(1)
    expect(page.locator(f"#{field.get_attribute('list')} option")).to_have_attribute("value", "gpt-5")


def test_log_records_lead_to_their_span(visit: Visit) -> None:
    """The session's logs show severity and body; a record of a span opens it in the tree."""
    page = open_view(visit, "logs")
    page.locator(".log summary").click()
    expect(page.locator(".log-more")).to_contain_text("It broke. It broke.")
    page.get_by_role("link", name="Its span").click()
    expect(page.get_by_role("region", name="Span detail")).to_contain_text("chat")
    expect(page.locator(".tree-row.selected bdi")).to_have_text("chat")


def test_a_session_is_deleted_after_a_confirmation(visit: Visit, add: Callable[..., None]) -> None:
    """Cancel has the focus and does nothing; Delete removes it and leads to the list, where it is missing."""
    add(session("doomed", name="Doomed", user_id="deleter", trace_count=2, span_count=9))
    page = visit("#/sessions?user_id=deleter&live=off")
    page.get_by_role("link", name="doomed", exact=True).click()
    page.get_by_role("button", name="Delete…").click()
    dialog = page.get_by_role("dialog", name="Delete this session?")
    expect(dialog).to_contain_text("Its 2 traces and 9 spans are deleted too")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Delete…")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Delete session").click()
    expect(page.locator("#toast")).to_have_text("Session deleted")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sessions")
    page.go_back()
    expect(page.get_by_role("heading", name="No session matches")).to_be_visible()


def test_what_is_listed_is_exported(visit: Visit) -> None:
    """The menu of the list writes all sessions that the filters leave, not the page, as a file."""
    page = visit("#/sessions?environment=prod&user_id=user-1&size=25&live=off")
    wait_for_list(page)
    shown = set(texts(page, "table.list tbody td.id"))
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="Export CSV").click()
    assert download.value.suggested_filename == "sessions.csv"
    with download.value.path().open(newline="") as file:
        assert {row["id"] for row in csv.DictReader(file)} == shown
    expect(page.locator("#toast")).to_have_text("Exported")
