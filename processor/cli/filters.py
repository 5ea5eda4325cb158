"""Which sessions a command is about: the filters of the API, and in which order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

import typer

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_WHEN: Final = "ISO 8601 in UTC, or how long ago: 90s, 15m, 2h, 7d, 1w."


Since = Annotated[str | None, typer.Option(metavar="WHEN", help=f"End at or after it: {_WHEN}")]
Until = Annotated[str | None, typer.Option(metavar="WHEN", help="Start at or before it.")]


class SortKey(StrEnum):
    """What sessions can be sorted by; the API's names."""

    ID = "id"
    NAME = "name"
    START = "start"
    END = "end"
    TRACE_COUNT = "trace_count"
    TOTAL_COST = "total_cost"
    TOTAL_TOKENS = "total_tokens"
    LATENCY_MS = "latency_ms"
    USER_ID = "user_id"
    ERROR_COUNT = "error_count"
    ACTIVE_MS = "active_ms"
    SPAN_COUNT = "span_count"
    LAST_SEEN = "last_seen"


class Status(StrEnum):
    """How a session ended; the API's names."""

    OK = "OK"
    ERROR = "ERROR"
    UNSET = "UNSET"


@dataclass(frozen=True, slots=True)
class SessionFilters:
    """All that are given hold."""

    search: Annotated[str | None, typer.Option(help="Part of the id or the name, in any case.")] = None
    name: Annotated[str | None, typer.Option(help="Part of the name, in any case.")] = None
    user: Annotated[str | None, typer.Option(help="User id, exactly.")] = None
    thread: Annotated[str | None, typer.Option(help="Thread id, exactly.")] = None
    tag: Annotated[str | None, typer.Option(help="One of the tags, exactly.")] = None
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Metadata, exactly; may stand several times.")
    ] = None
    environment: Annotated[str | None, typer.Option(help="Environment, exactly.")] = None
    model: Annotated[str | None, typer.Option(help="One of the models, exactly.")] = None
    service: Annotated[str | None, typer.Option(help="One of the services, exactly.")] = None
    status: Annotated[
        Status | None, typer.Option(case_sensitive=False, help="How they ended, in the words of traces.")
    ] = None
    has_error: Annotated[
        bool | None, typer.Option("--has-error/--no-error", help="With errors on the way, or without.")
    ] = None
    min_cost: Annotated[float | None, typer.Option(min=0, help="US dollars, at least.")] = None
    min_tokens: Annotated[int | None, typer.Option(min=0, help="Tokens, at least.")] = None
    min_duration_ms: Annotated[
        float | None, typer.Option(min=0, help="Milliseconds from first start to last end, at least.")
    ] = None
    since: Since = None
    until: Until = None

    def parameters(self) -> dict[str, object]:
        """As the API's parameters. Errors: a usage error for metadata that is no KEY=VALUE, or twice."""
        now = datetime.now(UTC)
        return {
            "search": self.search,
            "name": self.name,
            "user_id": self.user,
            "thread_id": self.thread,
            "tag": self.tag,
            "environment": self.environment,
            "model": self.model,
            "service": self.service,
            "status": self.status and self.status.value,
            "has_error": self.has_error,
            "min_cost": self.min_cost,
            "min_tokens": self.min_tokens,
            "min_duration_ms": self.min_duration_ms,
            "start_date": moment(self.since, now),
            "end_date": moment(self.until, now),
            **_metadata_parameters(self.metadata or []),
        }


def moment(text: str | None, now: datetime) -> str | None:
    """`2h` as the ISO 8601 time two hours before `now`; anything else is left to the API."""
    ago = re.fullmatch(r"([0-9]{1,9})([smhdw])", text or "")
    if ago is None:
        return text
    try:
        then = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    except OverflowError:
        return text
    return then.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _metadata_parameters(filters: list[str]) -> dict[str, str]:
    """Options as the API's parameters; of two values of a key none could hold, so that is a mistake."""
    found: dict[str, str] = {}
    for text in filters:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--metadata")
        if found.setdefault(f"metadata.{key}", value) != value:
            raise typer.BadParameter(f"{key!r} stands twice", param_hint="--metadata")
    return found
