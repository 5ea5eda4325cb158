"""What this API can do, for clients that talk to several versions of it."""

from __future__ import annotations

from typing import Final, get_args

from fastapi import APIRouter
from pydantic import BaseModel

from processor.api.context import Context
from processor.api.exports.formats import MEDIA
from processor.api.parameters import (
    LIMIT_MAX,
    METADATA_FILTERS_MAX,
    TEXT_CHARS_MAX,
    SortKey,
    ThreadSortKey,
    UserSortKey,
)
from processor.api.routes.stats import TOP_MAX
from processor.store.queries import INTERVALS_MAX, SPANS_MAX, SPANS_PER_TRACE_MAX, Interval

FEATURES: Final = ("exports", "logs", "models", "sessions", "spans", "stats", "threads", "traces", "users")


class Capabilities(BaseModel):
    """What this API can do."""

    version: str
    formats: list[str]
    sort_by: dict[str, list[str]]
    intervals: list[str]
    limits: dict[str, int]
    features: list[str]


class CapabilitiesItem(BaseModel):
    """The capabilities."""

    data: Capabilities


def about_routes(context: Context) -> APIRouter:
    """`/v1/capabilities`."""
    router = APIRouter()

    @router.get("/v1/capabilities")
    def capabilities() -> CapabilitiesItem:
        """Version, formats, sort keys, limits and features."""
        sort_keys = {"sessions": SortKey, "threads": ThreadSortKey, "users": UserSortKey}
        return CapabilitiesItem(
            data=Capabilities(
                version=context.version,
                formats=list(MEDIA),
                sort_by={name: list(get_args(keys)) for name, keys in sort_keys.items()},
                intervals=list(get_args(Interval)),
                limits={
                    "limit": LIMIT_MAX,
                    "spans": SPANS_MAX,
                    "spans_per_trace": SPANS_PER_TRACE_MAX,
                    "text_chars": TEXT_CHARS_MAX,
                    "metadata_filters": METADATA_FILTERS_MAX,
                    "intervals": INTERVALS_MAX,
                    "top": TOP_MAX,
                },
                features=list(FEATURES),
            )
        )

    return router
