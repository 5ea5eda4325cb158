"""The web page: its files, as they lie in `page/`, beside the routes of the API.

Read once, at start, so that no request reaches the file system and no path can leave the folder. Must never let a page
run what is not in that folder, or talk to anybody but this server: telemetry is hostile text, and the policy below is
what holds should a module of the page ever forget it.
Source: CSP level 3; Trusted Types refuse every string that would be parsed as HTML.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",  # asked for again by ETag, so that an upgrade shows at once
}


def install_page(app: FastAPI) -> None:
    """Serve the page on `/`, and each of its files under `/page/`."""
    for name, content in _read(files("processor.api") / "page"):
        paths = [f"/page/{name}", *(["/"] if name == "index.html" else [])]
        for path in paths:
            app.add_route(path, _handler(name, content), methods=["GET"], include_in_schema=False)


def _read(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _read(entry, f"{prefix}{entry.name}/")
        elif entry.name.rpartition(".")[2] in _TYPES:
            yield prefix + entry.name, entry.read_bytes()


def _handler(name: str, content: bytes) -> Callable[[Request], Awaitable[Response]]:
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = _HEADERS | {"ETag": tag, "Content-Type": _TYPES[name.rpartition(".")[2]]}

    async def answer(request: Request) -> Response:
        if tag in request.headers.get("If-None-Match", ""):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers)

    return answer
