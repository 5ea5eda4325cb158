"""The files of the web page, as the API serves them. What they do in a browser: tests/browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from fastapi import FastAPI

from processor.api.page_files import install_page
from tests.integration.serving import served

FOLDER = Path(str(files("processor.api"))) / "page"
LINES_MAX = 300


@pytest.fixture(scope="module")
def page() -> Iterator[httpx.Client]:
    """The page alone."""
    app = FastAPI()
    install_page(app)
    with served(app) as url, httpx.Client(base_url=url) as client:
        yield client


def test_everything_that_a_file_names_is_served(page: httpx.Client) -> None:
    """From `/` on, every style sheet, script, module and picture is there with its type, and every file is used."""
    waiting, seen = ["/"], dict[str, str]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        response = page.get(path)
        assert response.status_code == 200, path
        seen[path] = response.headers["content-type"]
        named = re.findall(r'(?:src|href|from|import)[= ]"([./][^"]*\.(?:js|css|svg))"', response.text)
        waiting += [urljoin(path, name) for name in named]
    served_files = {path.removeprefix("/page/") for path in seen} - {"/"}
    assert served_files == {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.*")} - {"index.html"}
    assert {path.rpartition(".")[2]: kind for path, kind in seen.items()} == {
        "/": "text/html; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
        "css": "text/css; charset=utf-8",
        "svg": "image/svg+xml",
    }


def test_a_file_is_sent_once_and_asked_for_by_its_tag(page: httpx.Client) -> None:
    """With the tag of what it has, a browser is told that nothing changed; with another one it gets the file."""
    first = page.get("/")
    again = page.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert page.get("/", headers={"If-None-Match": '"other"'}).content == first.content


@pytest.mark.parametrize("path", ["/page/", "/page/../app.py", "/page/..%2fapp.py", "/page/js/", "/page//etc/passwd"])
def test_nothing_else_is_served(page: httpx.Client, path: str) -> None:
    """No folder, and no way out of it."""
    assert page.get(path).status_code == 404


def test_headers_hold_for_every_file(page: httpx.Client) -> None:
    """Policy, type and referrer rules stand on scripts as on the page itself."""
    for path in ("/", "/page/js/main.js", "/page/css/base.css", "/page/icon.svg"):
        headers = page.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "require-trusted-types-for 'script'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.js")), ids=lambda path: path.name)
def test_modules_are_short_and_build_no_html_from_text(path: Path) -> None:
    """A module opens with what it is, stays readable, and has no door by which text becomes markup or code."""
    text = path.read_text()
    assert text.startswith("// ")
    assert len(text.splitlines()) <= LINES_MAX
    doors = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser")
    assert [door for door in doors if door in text] == []
