"""Counters of tokens and cost that name a session: into `session_metrics`, out of it, added up."""

from __future__ import annotations

import itertools
import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from processor.conventions.metric_usage import metric_usage
from processor.errors import Permanent
from processor.log.base import Record
from processor.metric_model import METRIC_USAGE, SESSION_METRICS
from processor.model import Receipt
from processor.signals import Signal
from processor.store.clickhouse import ClickHouseStore
from processor.worker.batch import Batch, BatchMaker
from tests.storing import insert_wide
from tests.strategies import DAY_NS, NOW_NS, any_value

MAKER = BatchMaker()
TENANTS = (f"metrics-{number}" for number in itertools.count())
START_NS = NOW_NS - 600 * 10**9
DELTA, CUMULATIVE = 1, 2
CLAUDE_TOKENS, CLAUDE_COST = "claude_code.token.usage", "claude_code.cost.usage"


def counter(
    name: str, value: float, temporality: int = DELTA, *, start_ns: int = START_NS, time_ns: int = NOW_NS, **said: Any
) -> Metric:
    """A sum of one point. Underscores in the names of attributes are dots."""
    metric = Metric(name=name)
    metric.sum.aggregation_temporality = temporality  # type: ignore[assignment]
    point = metric.sum.data_points.add(start_time_unix_nano=start_ns, time_unix_nano=time_ns)
    if isinstance(value, int):
        point.as_int = value
    else:
        point.as_double = value
    for key, word in {"session_id": "s", "model": "claude-sonnet-5", **said}.items():
        point.attributes.add(key=key.replace("_", "."), value=any_value(word))
    return metric


def histogram(name: str, total: float, **said: Any) -> Metric:
    """A delta histogram of one point."""
    metric = Metric(name=name)
    metric.histogram.aggregation_temporality = DELTA  # type: ignore[assignment]
    point = metric.histogram.data_points.add(start_time_unix_nano=START_NS, time_unix_nano=NOW_NS, sum=total, count=2)
    for key, word in said.items():
        point.attributes.add(key=key, value=any_value(word))
    return metric


def batch_of(*metrics: Metric, tenant: str = "acme", scope: str = "", **resource: str) -> Batch:
    """What the worker would store of one request."""
    request = ExportMetricsServiceRequest()
    of_resource = request.resource_metrics.add()
    for key, word in resource.items():
        of_resource.resource.attributes.add(key=key.replace("_", "."), value=any_value(word))
    scope_metrics = of_resource.scope_metrics.add()
    scope_metrics.scope.name = scope
    scope_metrics.metrics.extend(metrics)
    return MAKER.make([Record(tenant, request.SerializeToString())], NOW_NS, Signal.METRICS)


def usage_of(store: ClickHouseStore, tenant: str, session: str = "s") -> list[dict[str, Any]]:
    """What the session's points add up to."""
    sessions = pl.DataFrame({"tenant": [tenant], "session_id": [session]})
    rows = metric_usage(store.read_session_metrics(sessions))
    assert rows.schema == METRIC_USAGE
    return list(rows.iter_rows(named=True))


@pytest.mark.every_store
def test_claude_code(store: ClickHouseStore) -> None:
    """Delta points of four types and of cost, some of them twice; cached tokens are part of the input."""
    tenant = next(TENANTS)
    first = (
        counter(CLAUDE_TOKENS, 2, type="input"),
        counter(CLAUDE_TOKENS, 100, type="output"),
        counter(CLAUDE_TOKENS, 80_000, type="cacheRead"),
        counter(CLAUDE_TOKENS, 500, type="cacheCreation"),
        counter(CLAUDE_COST, 0.0312, user_id="u-1"),
    )
    later = counter(CLAUDE_TOKENS, 7, type="output", start_ns=NOW_NS, time_ns=NOW_NS + 10**9)
    for metrics in (first, (later,), first, (later, *first)):
        batch = batch_of(*metrics, tenant=tenant, service_name="claude-code")
        assert batch.outcomes == [Receipt(accepted_spans=len(metrics))]
        insert_wide(store, batch, "session_metrics")
    (row,) = usage_of(store, tenant)
    assert row == {
        "tenant": tenant, "session_id": "s", "service": "claude-code", "model": "claude-sonnet-5",
        "provider": "anthropic", "user_id": "u-1", "start_ns": START_NS, "end_ns": NOW_NS + 10**9,
        "input_tokens": 80_502, "output_tokens": 107, "total_tokens": 80_609, "cache_read_tokens": 80_000,
        "cache_write_tokens": 500, "reasoning_tokens": 0, "cost_nano_usd": 31_200_000,
    }  # fmt: skip


@pytest.mark.every_store
def test_a_cumulative_counter_counts_its_largest_value_of_each_start(store: ClickHouseStore) -> None:
    """A process that begins anew begins at zero; older points that come late change nothing."""
    tenant = next(TENANTS)
    again_ns = START_NS + 10**9
    for value, start_ns, time_ns in (
        (30, START_NS, NOW_NS),
        (5, again_ns, NOW_NS + 2),
        (10, START_NS, NOW_NS - 1),
        (8, again_ns, NOW_NS + 3),
    ):
        metric = counter(CLAUDE_TOKENS, value, CUMULATIVE, type="output", start_ns=start_ns, time_ns=time_ns)
        insert_wide(store, batch_of(metric, tenant=tenant), "session_metrics")
    (row,) = usage_of(store, tenant)
    assert row["output_tokens"] == 38


def test_gemini_cli_and_genai() -> None:
    """What Gemini CLI says as a GenAI metric too is counted once; others' GenAI histograms count by their sum."""
    gemini = (
        counter("gemini_cli.token.usage", 12_000, type="input", model="gemini-2.5-pro"),
        counter("gemini_cli.token.usage", 7, type="tool", model="gemini-2.5-pro"),
        counter("gemini_cli.token.usage", 350, type="output", model="gemini-2.5-pro"),
        counter("gemini_cli.token.usage", 420, type="thought", model="gemini-2.5-pro"),
        counter("gemini_cli.token.usage", 8_000, type="cache", model="gemini-2.5-pro"),
    )
    said = {"session.id": "s", "gen_ai.request.model": "m", "gen_ai.provider.name": "openai"}
    genai = [
        histogram("gen_ai.client.token.usage", 1.0 * count, **said, **{"gen_ai.token.type": kind})
        for kind, count in (("input", 50), ("output", 9))
    ]
    of_gemini = batch_of(*gemini, *genai, scope="gemini-cli", service_name="gemini-cli")
    assert of_gemini.outcomes == [Receipt(accepted_spans=7)]
    (row,) = rows_of(of_gemini)
    assert [row[name] for name in ("input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens")] == [
        12_007, 770, 8_000, 420,
    ]  # fmt: skip
    (row,) = rows_of(batch_of(*genai))
    assert (row["input_tokens"], row["output_tokens"], row["model"], row["provider"]) == (50, 9, "m", "openai")


def rows_of(batch: Batch) -> list[dict[str, Any]]:
    """What a batch's points add up to, without a store; the series is that of the attributes alone."""
    points = pl.DataFrame(pl.from_arrow(batch.wide.drop_columns(["attributes", "resource_attributes"])))
    texts = [repr(pair) for pair in batch.wide["attributes"].to_pylist()]
    points = points.with_columns(series=pl.Series(texts).hash())
    return list(metric_usage(points.select(SESSION_METRICS.names())).iter_rows(named=True))


def test_every_other_metric_is_accepted_and_passed_over() -> None:
    """Of any kind, without a session, of absurd times and numbers: success, and no row."""
    others = [Metric(name="app.requests") for _ in range(5)]
    for metric, kind in zip(others, ("sum", "gauge", "histogram", "exponential_histogram", "summary"), strict=True):
        getattr(metric, kind).data_points.add(time_unix_nano=NOW_NS)
    useless = (
        counter(CLAUDE_TOKENS, 1, type="input", session_id=""),
        counter(CLAUDE_TOKENS, 1, type="unknown"),
        counter(CLAUDE_TOKENS, 1, 0, type="input"),
        counter(CLAUDE_TOKENS, -1, type="input"),
        counter(CLAUDE_TOKENS, math.nan, type="input"),
        counter(CLAUDE_TOKENS, 1, type="input", time_ns=0),
        counter(CLAUDE_TOKENS, 1, type="input", time_ns=NOW_NS + 9 * DAY_NS),
    )
    batch = batch_of(*others, *useless)
    assert batch.outcomes == [Receipt(accepted_spans=12)]
    assert len(batch.wide) == 0


def test_a_session_may_stand_on_the_resource() -> None:
    """Its own attribute comes first."""
    (row,) = rows_of(batch_of(counter(CLAUDE_TOKENS, 1, type="input", session_id=""), session_id="r"))
    assert row["session_id"] == "r"


def test_a_malformed_request_is_refused() -> None:
    """For good, and the others of the poll are not."""
    good = batch_of(counter(CLAUDE_TOKENS, 1, type="input"))
    assert good.outcomes == [Receipt(accepted_spans=1)]
    (outcome,) = MAKER.make([Record("acme", b"garbage")], NOW_NS, Signal.METRICS).outcomes
    assert isinstance(outcome, Permanent)
    assert "ExportMetricsServiceRequest" in str(outcome)


POINTS = st.lists(
    st.fixed_dictionaries(
        {
            "tenant": st.just("t"),
            "session_id": st.sampled_from(["a", "b"]),
            "metric": st.just(CLAUDE_TOKENS),
            "measure": st.sampled_from(["input", "output", "cacheread"]),
            "service": st.just("x"),
            "model": st.sampled_from(["m", "n"]),
            "provider": st.just("anthropic"),
            "user_id": st.sampled_from(["", "u"]),
            "series": st.integers(0, 3),
            "temporality": st.sampled_from([DELTA, CUMULATIVE]),
            "start_ns": st.integers(0, 2),
            "time_ns": st.integers(3, 6),
            "amount": st.integers(0, 20),
        }
    ),
    max_size=12,
)


@given(POINTS, st.randoms(use_true_random=False))
def test_usage_is_a_function_of_the_set_of_points(points: list[dict[str, Any]], dice: Any) -> None:
    """Any order, any of them again."""
    once = metric_usage(pl.DataFrame(points, schema=SESSION_METRICS))
    again = points + dice.sample(points, len(points) // 2)
    dice.shuffle(again)
    assert metric_usage(pl.DataFrame(again, schema=SESSION_METRICS)).equals(once)


def test_what_marks_a_session_depends_on_the_points_alone() -> None:
    """One row a point, the same however points are put into requests; another amount is another row."""
    several = [counter(CLAUDE_TOKENS, amount, type="input", time_ns=NOW_NS - amount) for amount in (1, 2, 3)]
    together = batch_of(*several).narrow
    apart = pl.concat([batch_of(metric).narrow for metric in several])
    assert together.equals(apart)
    assert together["span_id"].n_unique() == 3
    larger = batch_of(counter(CLAUDE_TOKENS, 7, type="input", time_ns=NOW_NS - 1)).narrow
    assert larger["span_id"][0] not in together["span_id"]
