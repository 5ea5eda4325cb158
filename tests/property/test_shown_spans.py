"""What the API shows of spans against what rollups make of them, on every generated span set."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.api.spans import judged
from processor.log.base import Record
from processor.model import COSTS, TOKENS
from processor.pricing.prices import Prices
from processor.rollup.traces import trace_rows
from processor.worker.batch import BatchMaker
from tests.strategies import NOW_NS, SentSpan, requests_of, span_sets

BATCHES = BatchMaker()
PRICES = Prices()
KEY = ("session_id", "trace_id")
SUMMED = (*TOKENS, *COSTS)


@settings(max_examples=100, deadline=None)
@given(span_sets(), st.randoms(use_true_random=False))
def test_what_spans_add_is_what_the_rows_of_their_traces_have(spans: list[SentSpan], random: Any) -> None:
    """Tokens of the spans that count and costs of all add up to the trace's row in their session, in any order."""
    requests = [Record(tenant, request.SerializeToString()) for tenant, request in requests_of(spans)]
    rows = BATCHES.make(requests, NOW_NS).narrow
    order = list(range(len(rows)))
    random.shuffle(order)
    without_previews = [pl.lit("").alias(name) for name in ("input_preview", "output_preview")]
    for (tenant,), of_tenant in rows.group_by("tenant"):
        read = rows[order].filter(pl.col("tenant") == tenant).with_columns(without_previews)
        counted = pl.when("counts").then(pl.col(TOKENS)).otherwise(0)
        shown = judged(read, PRICES).filter(pl.col("session_id") != "").with_columns(counted)
        sums = {row[:2]: row[2:] for row in shown.group_by(KEY).agg(pl.col(SUMMED).sum()).iter_rows()}
        written = trace_rows(of_tenant, PRICES).session_traces
        expected = {row[:2]: row[2:] for row in written.select(*KEY, *SUMMED).iter_rows()}
        nothing = (0,) * len(SUMMED)
        assert {key: sums.get(key, nothing) for key in expected} == expected
        assert sums.keys() <= expected.keys()
