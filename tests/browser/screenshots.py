"""Pictures of every view, in both themes and on a phone, over the sample fortnight.

`python -m tests.browser.screenshots FOLDER [NAME…]`. Not a test: somebody has to look at them. README's are from here.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, sync_playwright

from tests.browser.sample import sessions
from tests.integration.process import ANY_PORTS, Running

SESSIONS = 260
BATCH = 20
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 360, "height": 740}


def load(running: Running) -> None:
    """The sample, sent as an exporter would."""
    waiting: list[Any] = []
    for number, (spans, logs) in enumerate(sessions(time.time_ns(), SESSIONS), 1):
        agent = next(span["name"].split()[1] for span in spans if span["name"].startswith("invoke_agent"))
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": f"{agent}-agent"}}]}
        waiting.append((resource, spans, logs))
        if len(waiting) < BATCH and number < SESSIONS:
            continue
        scope = {"name": "sample", "version": "1.0"}
        traces = [{"resource": r, "scopeSpans": [{"scope": scope, "spans": spans}]} for r, spans, _ in waiting]
        records = [{"resource": r, "scopeLogs": [{"scope": scope, "logRecords": logs}]} for r, _, logs in waiting]
        for path, body in (("traces", {"resourceSpans": traces}), ("logs", {"resourceLogs": records})):
            response = httpx.post(f"{running.url('http')}/v1/{path}", json=body, timeout=60)
            assert response.status_code == 200, response.text
        waiting.clear()


def wait_until_rolled_up(url: str) -> None:
    """Until all sessions are there, and stay as they are for a second."""
    seen: Any = None
    while True:
        data = httpx.get(f"{url}/v1/sessions/stats", timeout=60).json()["data"]
        if data["session_count"] == SESSIONS and data == seen:
            return
        seen = data
        time.sleep(1)


def first_session(page: Page) -> None:
    """Into the first session of a list."""
    page.locator("table.list tbody tr a").first.click()
    page.locator(".tree-row").first.wait_for()


def first_call(page: Page) -> None:
    """Its first model call."""
    first_session(page)
    page.locator(".tree-row", has_text="chat").first.click()
    page.locator(".panel-body .tile").first.wait_for()


def tab(name: str) -> Callable[[Page], None]:
    """One of its tabs."""

    def act(page: Page) -> None:
        first_session(page)
        page.get_by_role("tab", name=name).click()
        page.locator("[role=tabpanel]:not([hidden])").locator(".log, .usage, .attributes").first.wait_for()

    return act


def menu(page: Page) -> None:
    """A row's menu, open."""
    page.locator(".row-menu button").nth(4).click()


def point(page: Page) -> None:
    """The pointer over a chart."""
    page.locator(".chart svg").nth(4).hover()


LONGEST = "#/sessions?sort_by=trace_count&tag=support"
SHOTS: dict[str, tuple[str, Callable[[Page], None] | None]] = {
    "sessions": ("#/sessions", None),
    "menu": ("#/sessions?model=gpt-5&range=7d", menu),
    "empty": ("#/sessions?search=nobody", None),
    "session": (LONGEST, first_session),
    "span": (LONGEST, first_call),
    "usage": (LONGEST, tab("Usage")),
    "logs": (LONGEST, tab("Logs")),
    "details": (LONGEST, tab("Details")),
    "threads": ("#/threads", None),
    "thread": ("#/thread?id=thread-07", None),
    "users": ("#/users", None),
    "analytics": ("#/analytics?range=30d", point),
}


def main() -> None:
    """Take them."""
    folder, names = Path(sys.argv[1]), sys.argv[2:] or list(SHOTS)
    folder.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        Running(Path(data), ANY_PORTS) as running,
        sync_playwright() as playwright,
    ):
        url = running.url("sessions_api")
        load(running)
        wait_until_rolled_up(url)
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        for name in names:
            for kind, theme, viewport in (
                ("light", "light", DESKTOP),
                ("dark", "dark", DESKTOP),
                ("phone", "light", PHONE),
            ):
                context = browser.new_context(viewport=viewport, color_scheme=theme, timezone_id="UTC")
                page = context.new_page()
                address, act = SHOTS[name]
                page.goto(f"{url}/{address}")
                page.wait_for_load_state("networkidle")
                if act:
                    act(page)
                    page.wait_for_load_state("networkidle")
                page.screenshot(path=folder / f"{name}-{kind}.png")
                context.close()
        browser.close()


if __name__ == "__main__":
    main()
