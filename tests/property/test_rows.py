"""The vectorized core against the oracle, without a store: every generated span set, in any order, duplicated."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.conventions.previews import PreviewConfig
from processor.log.base import Record
from processor.model import SESSION_SPANS, SESSION_TRACES, TRACE_SESSIONS
from processor.rollup.traces import trace_rows
from processor.worker.batch import BatchMaker
from tests.oracle import expected, narrow_rows
from tests.prices import PRICES, price
from tests.strategies import NOW_NS, SentSpan, requests_of, span_sets

BATCHES = BatchMaker(previews=PreviewConfig(enabled=False))


def product_rows(spans: list[SentSpan]) -> pl.DataFrame:
    """Narrow rows as the product makes them."""
    records = [Record(tenant, request.SerializeToString()) for tenant, request in requests_of(spans)]
    return BATCHES.make(records, NOW_NS).narrow


def by_key(rows: pl.DataFrame, *key: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Rows without their version, by key."""
    return {tuple(row[name] for name in key): row for row in rows.drop("version").to_dicts()}


@settings(max_examples=150, deadline=None)
@given(span_sets())
def test_narrow_rows_are_the_oracles(spans: list[SentSpan]) -> None:
    """Every column of every span that takes part is what a plain reading of the rules gives."""
    truth = pl.DataFrame(narrow_rows(requests_of(spans), NOW_NS), schema=SESSION_SPANS, orient="row")
    order = truth.columns
    assert product_rows(spans).sort(order).to_dicts() == truth.sort(order).to_dicts()


@settings(max_examples=150, deadline=None)
@given(span_sets(), st.randoms(use_true_random=False))
def test_trace_rows_are_the_oracles_in_any_order(spans: list[SentSpan], random: Any) -> None:
    """Trace rows depend on the set of spans alone: not on order, not on duplicates."""
    rows = product_rows(spans)
    shuffled = [*range(len(rows)), *(random.randrange(len(rows)) for _ in range(len(rows) // 2))]
    random.shuffle(shuffled)
    traces = trace_rows(rows[shuffled], PRICES)
    truth = expected(requests_of(spans), NOW_NS, price)
    live = traces.session_traces.filter(pl.col("span_count") > 0)
    assert by_key(live, "tenant", "session_id", "trace_id") == truth.session_traces
    assert by_key(traces.trace_sessions, "tenant", "trace_id") == truth.trace_sessions
    assert traces.session_traces.schema == SESSION_TRACES
    assert traces.trace_sessions.schema == TRACE_SESSIONS


@settings(max_examples=100, deadline=None)
@given(span_sets(), st.data())
def test_a_row_of_fewer_spans_never_beats_one_of_more(spans: list[SentSpan], data: st.DataObject) -> None:
    """For any subset of a span set, every row that it writes is written by the whole set too, with a larger version."""
    rows = product_rows(spans)
    if rows.is_empty():
        return
    some = rows[data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1))]
    partial, whole = trace_rows(some, PRICES), trace_rows(rows, PRICES)
    key = ["tenant", "session_id", "trace_id"]
    joined = partial.session_traces.join(whole.session_traces, on=key, how="left", suffix="_whole")
    assert joined["version_whole"].null_count() == 0
    assert (joined["version_whole"] >= joined["version"]).all()
    # An equal version is an equal set, and so an equal row.
    equal = joined.filter(pl.col("version") == pl.col("version_whole")).select(key)
    assert (
        partial.session_traces.join(equal, on=key, how="semi")
        .sort(key)
        .equals(whole.session_traces.join(equal, on=key, how="semi").sort(key))
    )
