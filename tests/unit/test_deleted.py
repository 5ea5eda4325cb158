"""Judging spans of deleted sessions, where generated traces seldom get to."""

from __future__ import annotations

import polars as pl
import pytest

from processor.model import DELETED_SPANS, SESSION_SPANS, STORED_SPANS, Strength
from processor.rollup.deleted import judge
from processor.rollup.rows import typed
from processor.rollup.span_set import SESSION_KEY, TRACE_KEY, span_set

NO_PLACES = pl.DataFrame(schema=DELETED_SPANS)


def spans(*rows: dict[str, object]) -> pl.DataFrame:
    """Rows of one trace, each of its own content. Shape: `model.STORED_SPANS`."""
    common = {"tenant": "t", "trace_id": "a", "session_strength": Strength.STRONG}
    frame = pl.DataFrame([common | row | {"content_hash": number} for number, row in enumerate(rows)])
    return typed(frame, STORED_SPANS)


@pytest.mark.parametrize("deleted", ["s1", "s2"])
def test_versions_that_end_together_are_chosen_between_before_ids_are_hidden(deleted: str) -> None:
    """The id is what they differ in, so it decides; the spans without an id follow it, deleted or not."""
    members = spans(
        {"span_id": "1", "session_id": "s1", "end_ns": 9},
        {"span_id": "1", "session_id": "s2", "end_ns": 9},
        {"span_id": "2", "session_id": "", "session_strength": Strength.NONE, "start_ns": 1},
    )
    speaking = span_set(members.select(SESSION_SPANS.names())).spans
    assert speaking.filter(pl.col("span_id") == "1")["session_id"].to_list() == ["s2"], "the larger one speaks"
    judged = judge(
        members.select(TRACE_KEY).unique(),
        members,
        NO_PLACES,
        pl.DataFrame({"tenant": ["t"], "session_id": [deleted]}).select(SESSION_KEY),
    )
    gone = set(judged.gone.select("span_id", "session_id").iter_rows())
    assert gone == ({("1", "s1")} if deleted == "s1" else {("1", "s1"), ("1", "s2"), ("2", "")})
    assert sorted(judged.places["is_beaten"].to_list()) == ([True] if deleted == "s1" else [False, False, True])


def test_a_version_that_stays_beaten_wins_no_tie_against_a_hidden_id() -> None:
    """Of two weak versions of a span the one that speaks names a deleted session; a strong id binds the trace."""
    members = spans(
        {"span_id": "1", "session_id": "s1", "end_ns": 9, "session_name": "a", "session_strength": Strength.WEAK},
        {"span_id": "1", "session_id": "s2", "end_ns": 9, "session_name": "b", "session_strength": Strength.WEAK},
        {"span_id": "2", "session_id": "strong", "session_strength": Strength.STRONG},
    )
    judged = judge(
        members.select(TRACE_KEY).unique(), members, NO_PLACES, pl.DataFrame({"tenant": ["t"], "session_id": ["s2"]})
    )
    assert judged.gone.is_empty()
    speaking = span_set(judged.rows.select(SESSION_SPANS.names())).spans
    assert speaking.filter(pl.col("span_id") == "1")["session_name"].to_list() == ["b"]
