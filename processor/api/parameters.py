"""Query parameters of the sessions API, as strict as the contract.

Must never let a parameter pass that it does not understand as meant: the answer would be another than was asked for.
Dates are ISO 8601. A time without a zone is UTC; a date without a time is the whole day: `start_date` its first
instant, `end_date` its last.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import ROUND_CEILING, Context, Decimal
from typing import Annotated, Literal

from fastapi import Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field

from processor.api.exports.formats import Format
from processor.api.paths import thread_id_in_path
from processor.model import NANOS_PER_MILLI, NANOS_PER_SECOND
from processor.store.queries import SessionFilter, SessionStatus, ThreadFilter, ThreadStatus, UserFilter

LIMIT_MAX = 1_000
TEXT_CHARS_MAX = 10_000
METADATA_FILTERS_MAX = 16
INT64_MAX = 2**63 - 1  # what the store can count
COST_MAX = INT64_MAX // 10**9  # US dollars
DURATION_MS_MAX = INT64_MAX // NANOS_PER_MILLI

SortKey = Literal[
    "id",
    "name",
    "start",
    "end",
    "trace_count",
    "total_cost",
    "total_tokens",
    "latency_ms",
    "user_id",
    "error_count",
    "active_ms",
    "span_count",
    "last_seen",
]

UserSortKey = Literal[
    "id",
    "session_count",
    "trace_count",
    "error_count",
    "total_tokens",
    "total_cost",
    "first_seen",
    "last_seen",
]

ThreadSortKey = Literal["last_seen", "total_cost", "total_tokens", "session_count"]

_METADATA = "metadata."
METADATA_PARAMETER: dict[str, object] = {
    "name": "metadata.{key}",
    "in": "query",
    "required": False,
    "schema": {"type": "string", "maxLength": TEXT_CHARS_MAX},
    "description": f"The value of that metadata key, exactly; up to {METADATA_FILTERS_MAX} of them, all of which hold.",
}
"""What no declared parameter can be, as OpenAPI describes it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UPWARDS = Context(prec=40, rounding=ROUND_CEILING)  # digits beyond that of any cost, and of any duration
_Text = Annotated[str, Field(max_length=TEXT_CHARS_MAX)]


class PageParameters(BaseModel):
    """`limit` and `offset`."""

    limit: int = Field(default=50, ge=1, le=LIMIT_MAX, description="Rows on the page.")
    offset: int = Field(default=0, ge=0, le=INT64_MAX, description="Rows before the page.")


class ListParameters(BaseModel):
    """What every list understands that can be had as a file."""

    limit: int | None = Field(
        default=None,
        ge=1,
        le=INT64_MAX,
        description=f"Rows: in JSON 50 by default, {LIMIT_MAX} at most; of a file all by default, and no most.",
    )
    offset: int = Field(default=0, ge=0, le=INT64_MAX, description="Rows before the first.")
    format: Format | None = Field(
        default=None, description="Wins over `Accept`; all but json are files, streamed as they are read."
    )


class RangeParameters(BaseModel):
    """A range of time that sessions overlap."""

    start_date: str | None = Field(default=None, description="Sessions that end at or after this ISO 8601 time.")
    end_date: str | None = Field(default=None, description="Sessions that start at or before this ISO 8601 time.")


class FilterParameters(RangeParameters):
    """Which sessions are meant."""

    search: _Text = Field(default="", description="Part of the id or the name, in any case; no wildcards.")
    name: _Text = Field(default="", description="Part of the name, in any case.")
    user_id: _Text = Field(default="", description="The user, exactly.")
    userId: _Text = Field(default="", description="Older spelling of user_id.")
    thread_id: _Text = Field(default="", description="The thread, exactly.")
    environment: _Text = Field(default="", description="The environment, exactly.")
    tag: _Text = Field(default="", description="One of the tags, exactly.")
    model: _Text = Field(default="", description="One of the models, exactly.")
    service: _Text = Field(default="", description="One of the services, exactly.")
    status: SessionStatus | None = Field(default=None, description="How it ended.")
    has_error: bool | None = Field(default=None, description="Whether any error arose in it, however it ended.")
    min_cost: Decimal | None = Field(default=None, ge=0, le=COST_MAX, description="US dollars, at least; exact.")
    min_tokens: int = Field(default=0, ge=0, le=INT64_MAX, description="Tokens, at least.")
    min_duration_ms: Decimal | None = Field(
        default=None, ge=0, le=DURATION_MS_MAX, description="Milliseconds from its start to its end, at least; exact."
    )


class SessionParameters(FilterParameters, ListParameters):
    """Everything `GET /v1/sessions` understands."""

    sort_by: SortKey = Field(default="start", description="Ties are broken by id.")
    sort_order: Literal["asc", "desc"] = "desc"


class UserParameters(RangeParameters, ListParameters):
    """Everything `GET /v1/users` understands."""

    sort_by: UserSortKey = Field(default="last_seen", description="Ties are broken by id.")
    sort_order: Literal["asc", "desc"] = "desc"
    search: _Text = Field(default="", description="Part of the id, in any case; no wildcards.")


class ModelParameters(ListParameters):
    """Everything `GET /v1/models` understands."""

    unpriced: bool = Field(default=False, description="Only those with calls whose tokens have no known price.")


class ThreadParameters(ListParameters):
    """Everything `GET /v1/threads` understands."""

    sort_by: ThreadSortKey = Field(default="last_seen", description="Ties are broken by id.")
    sort_order: Literal["asc", "desc"] = "desc"
    status: ThreadStatus | None = None
    user_id: _Text = Field(default="", description="One of the users, exactly.")
    search: _Text = Field(default="", description="Part of the id, in any case; no wildcards.")


def thread_filter(parameters: Annotated[ThreadParameters, Query()]) -> ThreadFilter:
    """What the parameters select."""
    return ThreadFilter(parameters.status, parameters.user_id, parameters.search)


def user_filter(parameters: Annotated[UserParameters, Query()]) -> UserFilter:
    """What the parameters select. Errors: as of `session_filter`."""
    start_ns, end_ns = _range_ns(parameters)
    return UserFilter(start_ns, end_ns, parameters.search)


def session_filter(parameters: Annotated[FilterParameters, Query()], request: Request) -> SessionFilter:
    """What the parameters select. Errors: 400 that names the parameter."""
    start_ns, end_ns = _range_ns(parameters)
    if parameters.user_id and parameters.userId and parameters.user_id != parameters.userId:
        raise invalid("userId", "contradicts user_id; send one of them", parameters.userId)
    return SessionFilter(
        start_ns=start_ns,
        end_ns=end_ns,
        search=parameters.search,
        name=parameters.name,
        user_id=parameters.user_id or parameters.userId,
        thread_id=parameters.thread_id,
        environment=parameters.environment,
        tag=parameters.tag,
        model=parameters.model,
        metadata=_metadata(request),
        service=parameters.service,
        status=parameters.status,
        has_error=parameters.has_error,
        min_cost_nano_usd=_least(parameters.min_cost, 10**9),
        min_tokens=parameters.min_tokens,
        min_duration_ns=_least(parameters.min_duration_ms, NANOS_PER_MILLI),
    )


def session_filter_of_thread(
    thread_id: Annotated[str, Depends(thread_id_in_path)], wanted: Annotated[SessionFilter, Depends(session_filter)]
) -> SessionFilter:
    """What the parameters select of the thread that the path names. Errors: 400 for a parameter with another thread."""
    if wanted.thread_id not in ("", thread_id):
        raise invalid("thread_id", "contradicts the path; leave it out", wanted.thread_id)
    return replace(wanted, thread_id=thread_id)


def _range_ns(parameters: RangeParameters) -> tuple[int | None, int | None]:
    start_ns = _instant_ns("start_date", parameters.start_date, end_of_day=False)
    end_ns = _instant_ns("end_date", parameters.end_date, end_of_day=True)
    if start_ns is not None and end_ns is not None and start_ns > end_ns:
        raise invalid("end_date", "lies before start_date", parameters.end_date)
    return start_ns, end_ns


def _metadata(request: Request) -> tuple[tuple[str, str], ...]:
    found = [(name, text) for name, text in request.query_params.multi_items() if name.startswith(_METADATA)]
    for number, (name, text) in enumerate(found):
        if name == _METADATA:
            raise invalid(name, "names no key; write metadata.KEY=VALUE", text)
        if max(len(name), len(text)) > TEXT_CHARS_MAX:
            raise invalid(name[:TEXT_CHARS_MAX], f"has more than {TEXT_CHARS_MAX} characters", None)
        if number >= METADATA_FILTERS_MAX:
            raise invalid(name, f"is one of more than {METADATA_FILTERS_MAX}", text)
    return tuple((name.removeprefix(_METADATA), text) for name, text in found)


def _least(amount: Decimal | None, parts: int) -> int:
    """The least whole number of parts that is no less than the amount."""
    return int(_UPWARDS.to_integral_value(_UPWARDS.multiply(amount or Decimal(0), Decimal(parts))))


def _instant_ns(parameter: str, text: str | None, *, end_of_day: bool) -> int | None:
    if not text:
        return None
    try:
        if len(text) <= len("2026-11-20"):
            moment = datetime.combine(date.fromisoformat(text), time.max if end_of_day else time.min, UTC)
        else:
            moment = datetime.fromisoformat(text)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        since = moment - _EPOCH
    except (ValueError, OverflowError) as error:
        message = "is no ISO 8601 date or time; write 2026-11-20 or 2026-11-20T10:00:00Z (a plus sign as %2B)"
        raise invalid(parameter, message, text) from error
    whole_s = since.days * 86_400 + since.seconds
    last_ns = 999 if end_of_day else 0  # microseconds are all that `datetime` knows; keep the filter inclusive
    return whole_s * NANOS_PER_SECOND + since.microseconds * 1_000 + last_ns


def invalid(parameter: str, message: str, value: str | None) -> RequestValidationError:
    """400 that names the parameter."""
    return RequestValidationError([{"loc": ("query", parameter), "msg": message, "type": "value", "input": value}])
