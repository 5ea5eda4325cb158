"""The JSON of statistics and users, and how rows become it. Times and money as in `models`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from pydantic import BaseModel, Field

from processor.api.models import Pagination
from processor.api.units import iso_utc
from processor.model import NANOS_PER_SECOND
from processor.store.queries import INTERVALS_MAX, Interval, Row

_SUMMED: Final = ("_count", "_tokens", "_cost")  # how sums are called
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LENGTH: Final = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_SPANNED_NS: Final[dict[Interval, int]] = {
    "minute": 2 * 3_600 * NANOS_PER_SECOND,
    "hour": 4 * 86_400 * NANOS_PER_SECOND,
    "day": 120 * 86_400 * NANOS_PER_SECOND,
    "week": 2 * 365 * 86_400 * NANOS_PER_SECOND,
}
"""The longest range for which an interval is the default."""


class Quantiles(BaseModel):
    """Each within a percent of the value."""

    p50: float
    p95: float
    p99: float


class SeriesPoint(BaseModel):
    """The sessions that started in one interval."""

    start: str
    session_count: int
    error_session_count: int
    total_cost: float
    total_tokens: int
    error_count: int
    latency_ms_p50: float
    latency_ms_p95: float


class Top(BaseModel):
    """The sessions that have one label; a session with two of them counts whole under each."""

    name: str
    session_count: int
    total_cost: float
    total_tokens: int


class Stats(BaseModel):
    """What some sessions took together."""

    session_count: int
    trace_count: int
    span_count: int
    error_count: int
    error_session_count: int
    llm_call_count: int
    tool_call_count: int
    user_count: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    total_cost: float
    input_cost: float
    output_cost: float
    unpriced_span_count: int
    start: str | None = Field(description="When the first of them started; null where there are none.")
    end: str | None = Field(description="When the last of them ended.")
    latency_ms: Quantiles
    cost: Quantiles
    tokens: Quantiles
    interval: Interval
    series: list[SeriesPoint] = Field(description="From the first to the last interval in which a session started.")
    top_models: list[Top] = Field(description="The most expensive first, as in all that follow.")
    top_users: list[Top]
    top_services: list[Top]
    top_environments: list[Top]
    top_tags: list[Top]


class StatsItem(BaseModel):
    """Statistics of some sessions."""

    data: Stats


class User(BaseModel):
    """A user and what their sessions took."""

    id: str
    session_count: int
    trace_count: int
    span_count: int
    error_count: int
    error_session_count: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    total_cost: float
    first_seen: str
    last_seen: str


class UserList(BaseModel):
    """One page of users."""

    data: list[User]
    pagination: Pagination


def default_interval(first_ns: int, last_ns: int) -> Interval:
    """The shortest interval that leaves a picture of the range."""
    return next((name for name, longest in _SPANNED_NS.items() if last_ns - first_ns <= longest), "month")


def intervals_between(interval: Interval, first_ns: int, last_ns: int) -> list[int]:
    """The first nanosecond of every interval from that of one time to that of another, one more than may be at most."""
    found = []
    for begin, end in pairwise(_begins(interval, first_ns)):
        found.append(begin)
        if end > last_ns or len(found) > INTERVALS_MAX:
            break
    return found


def stats_of(
    total: Row | None, series: list[Row], tops: dict[str, list[Row]], users: tuple[list[Row], int], interval: Interval
) -> Stats:
    """Rows of `session_series`, `session_tops` and `session_users` as JSON model. Intervals without sessions are 0."""
    total = total or {}
    by_start = {row["at_ns"]: row for row in series}
    starts = intervals_between(interval, series[0]["at_ns"], series[-1]["at_ns"]) if series else []
    sketched = {name: _quantiles(total.get(name)) for name in ("latency_ms", "cost", "tokens")}
    summed = {name: total.get(name, 0) for name in Stats.model_fields if name.endswith(_SUMMED)}
    return Stats.model_validate(
        {
            **summed,
            **sketched,
            "start": iso_utc(total["start_ns"]) if total else None,
            "end": iso_utc(total["end_ns"]) if total else None,
            "interval": interval,
            "series": [_point(at_ns, by_start.get(at_ns)) for at_ns in starts],
            **{part: [_top(row) for row in rows] for part, rows in tops.items()},
            "top_users": [_top(row) for row in users[0]],
            "user_count": users[1],
        }
    )


def user_of(row: Row) -> User:
    """A row of `list_users` as JSON model."""
    own = {name: row[name] for name in User.model_fields.keys() & row.keys()}
    return User(id=row["user_id"], first_seen=iso_utc(row["start_ns"]), last_seen=iso_utc(row["end_ns"]), **own)


def _begins(interval: Interval, at_ns: int) -> Iterator[int]:
    """Where intervals begin, from the one that holds `at_ns` on."""
    moment = _EPOCH + timedelta(microseconds=at_ns // 1_000)
    if interval == "month":
        year, month = moment.year, moment.month
        while True:
            yield _ns(datetime(year, month, 1, tzinfo=UTC))
            year, month = (year + month // 12, month % 12 + 1)
    anchor = _EPOCH + timedelta(days=4 if interval == "week" else 0)  # a Monday
    length = _LENGTH[interval]
    begin = anchor + (moment - anchor) // length * length
    while True:
        yield _ns(begin)
        begin += length


def _ns(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(seconds=1) * NANOS_PER_SECOND


def _quantiles(found: list[float] | None) -> Quantiles:
    p50, p95, p99 = found or (0.0, 0.0, 0.0)
    return Quantiles(p50=p50, p95=p95, p99=p99)


def _point(at_ns: int, row: Row | None) -> SeriesPoint:
    if row is None:
        nothing = dict.fromkeys(SeriesPoint.model_fields.keys() - {"start"}, 0)
        return SeriesPoint(start=iso_utc(at_ns), **nothing)
    p50, p95, _ = row["latency_ms"]
    own = {name: row[name] for name in SeriesPoint.model_fields.keys() & row.keys()}
    return SeriesPoint(start=iso_utc(at_ns), latency_ms_p50=p50, latency_ms_p95=p95, **own)


def _top(row: Row) -> Top:
    return Top(**{name: row[name] for name in Top.model_fields})
