"""Which spans count: each model call's tokens once, however many wrappers and instrumentations repeat them. Pure.

Judged over the whole trace, also where its spans lie in two sessions.
Source: attributes.yaml in tests/data, "counting".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from processor.decode.columns import Bools, Ints
from processor.model import AGENT, LLM, MODEL_CALLS, RETRIEVAL, TOOL, Source
from processor.rollup.lineage import Lineage, has_below, reaches_above
from processor.rollup.repeats import repeated_calls
from processor.rollup.runs import mask


@dataclass(frozen=True, slots=True)
class Counting:
    """What each span adds to its session; one entry a span."""

    usage: Bools  # its tokens and its cost count
    llm_call: Bools  # it is a model call
    tool_call: Bools
    error: Bools  # the error arose here, and was not only passed on from below
    itself: Bools  # it is a span, or a log record that reports what no span does


def counting(spans: pl.DataFrame, shape: Lineage) -> Counting:
    """Judge each span.

    A span's usage counts unless a usage-bearing descendant covers it: any such descendant covers an aggregate (agent,
    chain, ...); only one that is reached without passing a tool or an agent covers a model call, because behind those a
    new call begins. By the same path, an llm span above another is a wrapper of one call. Of several spans of one call,
    none above the other, one counts (`repeats`). A call that failed and reports no usage was not answered: it counts
    only in a trace without an answered call.
    """
    parent, kind = shape.parent, spans["kind"]
    everywhere = np.ones(len(spans), np.bool_)
    model_call = mask(kind.is_in(MODEL_CALLS))
    no_new_call = ~mask(kind.is_in([TOOL, AGENT]))
    states_usage = mask((spans["total_tokens"] > 0) & ~kind.is_in([TOOL, RETRIEVAL]))
    itself = ~_logs_of_spans(spans, parent, states_usage & model_call, no_new_call)
    bears_usage, llm = states_usage & itself, mask(kind == LLM) & itself
    covered = np.where(
        model_call, has_below(parent, bears_usage, no_new_call), has_below(parent, bears_usage, everywhere)
    )
    usage = bears_usage & ~covered
    calls = llm & ~has_below(parent, llm, no_new_call)
    repeated = repeated_calls(spans, shape, (usage | calls) & model_call)
    itself = mask(spans["source"] == Source.SPAN) | (itself & ~repeated)
    is_error = mask(spans["is_error"])
    failed = is_error & itself
    return Counting(
        usage=usage & ~repeated,
        llm_call=_answered(calls & ~repeated, bears_usage | ~is_error, shape),
        tool_call=mask(kind == TOOL),
        error=failed & ~has_below(parent, failed, everywhere),
        itself=itself,
    )


def _logs_of_spans(spans: pl.DataFrame, parent: Ints, reports: Bools, no_new_call: Bools) -> Bools:
    """The log records written inside of a model call whose span reports its usage itself."""
    repeated = np.zeros(len(spans), np.bool_)
    source = spans["source"].to_numpy()
    logs = np.flatnonzero(source == Source.LOG)
    if len(logs):
        repeated[logs] = reaches_above(parent, logs, reports & (source == Source.SPAN), no_new_call)
    return repeated


def _answered(calls: Bools, answered: Bools, shape: Lineage) -> Bools:
    """The calls that were answered, and all calls of the traces in which none was."""
    has_answer = np.zeros(shape.traces, np.bool_)
    has_answer[shape.trace[calls & answered]] = True
    return calls & (answered | ~has_answer[shape.trace])
