"""What the worker remembers between ticks: recent spans, known keys, what is dirty."""

from __future__ import annotations

import polars as pl

from processor.model import SESSION_SPANS
from processor.worker.dirty import DirtySessions, Key, Mark
from processor.worker.recent import RecentSpans
from processor.worker.seen import SeenKeys


def spans(*keys: tuple[str, str]) -> pl.DataFrame:
    """Narrow rows that have a trace and a span id, and nothing else."""
    rows = pl.DataFrame(keys, schema=["trace_id", "span_id"], orient="row").with_columns(tenant=pl.lit("t"))
    nothing = {name: "" if dtype == pl.String else 0 for name, dtype in SESSION_SPANS.items()}
    missing = (pl.lit(value, SESSION_SPANS[name]).alias(name) for name, value in nothing.items())
    return rows.with_columns(column for column in missing if column.meta.output_name() not in rows.columns).select(
        SESSION_SPANS.names()
    )


def traces(*ids: str) -> pl.DataFrame:
    """Trace keys of one tenant."""
    return pl.DataFrame({"tenant": ["t"] * len(ids), "trace_id": list(ids)})


def held(recent: RecentSpans, *ids: str) -> set[str]:
    """Which of the traces are whole in memory."""
    return set(recent.held(traces(*ids))["trace_id"])


def test_spans_of_a_trace_are_found_in_all_parts() -> None:
    """A trace that arrived over several ticks is given back whole, and only it."""
    recent = RecentSpans(rows_max=10)
    recent.remember(spans(("a", "1"), ("b", "1")))
    recent.remember(spans(("a", "2")))
    assert sorted(recent.rows_of(traces("a"))["span_id"]) == ["1", "2"]
    assert recent.rows_of(traces("unknown")).is_empty()


def test_a_trace_with_an_evicted_span_is_no_longer_whole() -> None:
    """Eviction takes the oldest part; a trace that reaches into it must be read back, also if newer spans are held."""
    recent = RecentSpans(rows_max=3)
    recent.remember(spans(("a", "1"), ("b", "1")))
    recent.remember(spans(("a", "2"), ("c", "1")))
    assert held(recent, "a", "b", "c") == {"c"}
    assert recent.rows_of(traces("a")).is_empty()
    assert len(recent) == 2


def test_a_part_larger_than_the_limit_is_kept_alone() -> None:
    """The newest part always stays: the tick that made it still needs it whole."""
    recent = RecentSpans(rows_max=1)
    recent.remember(spans(("a", "1")))
    recent.remember(spans(("b", "1"), ("b", "2"), ("b", "3")))
    assert held(recent, "a", "b") == {"b"}


def test_a_key_that_was_added_is_never_called_new() -> None:
    """False negatives would lose spans from a rollup, so there are none, however full the filter is."""
    seen = SeenKeys(bytes_max=64)
    keys = traces(*(f"{number:032x}" for number in range(5_000)))
    for part in keys.iter_slices(700):
        seen.add(part)
    assert seen.may_have(keys).all()


def test_keys_that_were_not_added_are_mostly_called_new() -> None:
    """Else everything would be read back: one in a hundred is allowed here, at 32 bits a key."""
    seen = SeenKeys(bytes_max=64 * 1024)
    seen.add(traces(*(f"{number:032x}" for number in range(16_000))))
    assert seen.may_have(traces(*(f"{number:032x}" for number in range(16_000, 32_000)))).mean() < 0.01


def dirty(sizes: dict[str, int], since_s: float = 0.0) -> DirtySessions:
    """Dirty sessions of one tenant with known sizes."""
    sessions = DirtySessions()
    sessions.note_sizes({("t", name): size for name, size in sizes.items()}.items())
    sessions.add([("t", name) for name in sizes], Mark(since_s, 1))
    return sessions


def names(keys: list[Key]) -> list[str]:
    """The session ids of keys."""
    return [name for _, name in keys]


def test_a_large_session_waits_longer() -> None:
    """A session of 5,000 traces is due five seconds after it became dirty, a small one at once."""
    sessions = dirty({"small": 1, "large": 5_000})
    assert names(sessions.due(now_s=1.0, traces_max=10_000, tick_s=0.1, force=False)) == ["small"]
    assert names(sessions.due(now_s=5.0, traces_max=10_000, tick_s=0.1, force=False)) == ["small", "large"]
    assert names(sessions.due(now_s=0.0, traces_max=10_000, tick_s=9.0, force=True)) == ["small", "large"]


def test_sessions_wait_longer_where_ticks_take_long() -> None:
    """So that each is recomputed once for several traces; new and small ones hardly wait, and none for ever."""
    sessions = dirty({"new": 1, "small": 10, "large": 100, "huge": 100_000})
    busy = {
        at_s: names(sessions.due(now_s=at_s, traces_max=10**6, tick_s=1.0, force=False)) for at_s in (0.1, 1, 9, 60)
    }
    assert busy == {
        0.1: ["new"],
        1: ["new", "small"],
        9: ["new", "small", "large"],
        60: ["new", "small", "large", "huge"],
    }


def test_the_size_of_a_session_that_waits_is_not_forgotten() -> None:
    """Else a tick would read a backlog of large sessions at once; how many others are remembered has a bound."""
    sessions = dirty({"first": 1_000, "second": 1_000})
    sessions.note_sizes((("t", f"other-{number}"), 1) for number in range(250_000))
    assert names(sessions.due(now_s=100.0, traces_max=1_500, tick_s=0.1, force=False)) == ["first"]
    others = [("t", f"other-{number}") for number in range(250_000)]
    assert sessions.unsized(others[-50_000:]) == []
    assert len(sessions.unsized(others)) >= 150_000


def test_what_is_due_stays_within_the_budget() -> None:
    """At most so many traces are read back at once, but a session larger than the budget is not put off for ever."""
    sessions = dirty({"a": 60, "b": 60, "c": 10})
    assert names(sessions.due(now_s=100.0, traces_max=100, tick_s=0.1, force=False)) == ["a"]
    assert names(dirty({"huge": 1_000}).due(now_s=100.0, traces_max=100, tick_s=0.1, force=False)) == ["huge"]


def test_a_mark_keeps_the_first_batch() -> None:
    """A session that is dirtied again stays as old as it was: the checkpoint must not pass it."""
    sessions = dirty({"a": 1})
    sessions.add([("t", "a")], Mark(9.0, 7))
    assert sessions.oldest() == Mark(0.0, 1)
