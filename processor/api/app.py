"""The sessions API over HTTP, and the page that asks it: all routes, in the order in which they are looked at.

Sees `store.queries` and what is pure. Queries block, so handlers are plain functions that run in worker threads.
Must never serve another tenant than that of whoever asks: see `authentication`.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Security
from fastapi.security import HTTPBearer
from starlette.types import ASGIApp, Receive, Scope, Send

from processor.api.authentication import Authenticated
from processor.api.context import Context
from processor.api.errors import ERRORS, install_error_handlers
from processor.api.page_files import install_page
from processor.api.pool import QueryPool
from processor.api.routes.about import about_routes
from processor.api.routes.deletion import deletion_routes
from processor.api.routes.sessions import session_routes
from processor.api.routes.stats import stats_routes
from processor.api.routes.traces import trace_routes
from processor.auth.authenticator import Authenticator
from processor.auth.identity import Identity
from processor.conventions.rules import Conventions
from processor.pricing.prices import Prices
from processor.store.deletions import SessionDeletions


def create_app(
    pool: QueryPool,
    tenant: str,
    version: str,
    prices: Prices,
    deletions: SessionDeletions | None = None,
    authenticator: Authenticator | None = None,
) -> ASGIApp:
    """The whole API. `prices` are those that rollups are made with.

    Without `deletions` it only reads. Without an `authenticator` everybody is `tenant` and may do everything.
    """
    context = Context(pool, version, prices, Conventions.load().contents)
    # What the description says of every route; `Authenticated` is what holds.
    security = [] if authenticator is None else [Security(HTTPBearer(auto_error=False))]
    app = FastAPI(title="otel-sessions", version=version, docs_url=None, redoc_url=None, redirect_slashes=False)
    install_error_handlers(app)
    # `/v1/sessions/stats` before `/v1/sessions/{id}`: see `paths` for a session of that id.
    for routes in (stats_routes, session_routes, trace_routes, about_routes):
        app.include_router(routes(context), responses=ERRORS, dependencies=security)
    if deletions is not None:
        app.include_router(deletion_routes(context, deletions), responses=ERRORS, dependencies=security)
    install_page(app)
    return RawPath(Authenticated(app, authenticator, Identity(tenant, may_read=True, may_write=True)))


class RawPath:
    """Routes by the path as it was sent, so that `%2F` inside a session id is not a separator."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: Any = scope.get("raw_path")
        inner = {**scope, "path": raw.decode("ascii", "replace")} if raw else scope
        try:
            await self._app(inner, receive, send)
        finally:
            scope["route"] = inner.get("route")  # for those around it, who know this scope alone
