"""Which spans count: each model call's tokens once, however many wrappers repeat them. Pure.

Source: attributes.yaml, "counting". Judged over the whole trace, also where its spans lie in two sessions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from processor.decode.columns import Bools, Ints
from processor.model import AGENT, LLM, MODEL_CALLS, RETRIEVAL, TOOL
from processor.rollup.lineage import has_below
from processor.rollup.runs import mask


@dataclass(frozen=True, slots=True)
class Counting:
    """What each span adds to its session; one entry a span."""

    usage: Bools  # its tokens and its cost count
    llm_call: Bools  # it is a model call
    tool_call: Bools
    error: Bools  # the error arose here, and was not only passed on from below


def counting(spans: pl.DataFrame, parent: Ints) -> Counting:
    """Judge each span.

    A span's usage counts unless a usage-bearing descendant covers it: any such descendant covers an aggregate (agent,
    chain, ...); only one that is reached without passing a tool or an agent covers a model call, because behind those a
    new call begins. By the same path, an llm span above another is a wrapper of one call; a call that failed and
    reports no usage was not billed and is not counted.
    """
    kind = spans["kind"]
    model_call = mask(kind.is_in(MODEL_CALLS))
    no_new_call = ~mask(kind.is_in([TOOL, AGENT]))
    everywhere = np.ones(len(spans), np.bool_)
    bears_usage = mask((spans["total_tokens"] > 0) & ~kind.is_in([TOOL, RETRIEVAL]))
    covered = np.where(
        model_call, has_below(parent, bears_usage, no_new_call), has_below(parent, bears_usage, everywhere)
    )
    llm = mask(kind == LLM)
    is_error = mask(spans["is_error"])
    return Counting(
        usage=bears_usage & ~covered,
        llm_call=llm & ~has_below(parent, llm, no_new_call) & (bears_usage | ~is_error),
        tool_call=mask(kind == TOOL),
        error=is_error & ~has_below(parent, is_error, everywhere),
    )
