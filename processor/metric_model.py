"""The rows of metrics that count a session's tokens and cost, as Polars schemas. Units as in `model`."""

from __future__ import annotations

from typing import Final

import polars as pl

SESSION_METRICS: Final = pl.Schema(
    {
        "tenant": pl.String,
        "session_id": pl.String,
        "metric": pl.String,
        "measure": pl.String,  # a word of the metric's `type`, in lower case, or `cost`
        "service": pl.String,
        "model": pl.String,
        "provider": pl.String,
        "user_id": pl.String,
        "series": pl.UInt64,  # hash of all attributes, the resource's too
        "temporality": pl.UInt8,
        "start_ns": pl.Int64,
        "time_ns": pl.Int64,
        "amount": pl.UInt64,  # tokens, or nano-dollars
    }
)
"""Data points as the store has them."""

METRIC_USAGE: Final = pl.Schema(
    {
        "tenant": pl.String,
        "session_id": pl.String,
        "service": pl.String,
        "model": pl.String,
        "provider": pl.String,
        "user_id": pl.String,  # the smallest that any point names
        "start_ns": pl.Int64,  # when the first point's interval begins
        "end_ns": pl.Int64,
        "input_tokens": pl.Int64,  # cached tokens included
        "output_tokens": pl.Int64,  # reasoning included
        "total_tokens": pl.Int64,
        "cache_read_tokens": pl.Int64,
        "cache_write_tokens": pl.Int64,
        "reasoning_tokens": pl.Int64,
        "cost_nano_usd": pl.Int64,  # 0 is "not stated"
    }
)
"""One row a tenant, session, service, model and provider, sorted by these."""
