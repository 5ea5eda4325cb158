"""What a purge removes, as SQL."""

from __future__ import annotations

import polars as pl

from processor.conventions.rules import Conventions
from processor.store.removal import SKIPPED, Removal, conditions, session_conditions

NO_SESSIONS = pl.DataFrame(schema={"tenant": pl.String, "session_id": pl.String})


def test_spans_without_a_narrow_row_are_those_of_the_conventions() -> None:
    """A new rule for spans that roll-ups leave out must be known to the purge too."""
    assert {key.name: value for key, value in Conventions.load().skip} == SKIPPED


def test_nothing_to_remove_is_no_statement() -> None:
    """Not even one that removes nothing."""
    assert list(conditions(Removal.nothing(), NO_SESSIONS, NO_SESSIONS)) == []
    assert list(session_conditions(NO_SESSIONS)) == []


def test_ids_are_literals_whatever_is_in_them() -> None:
    """A quote in an id ends no literal."""
    sessions = pl.DataFrame({"tenant": ["t"], "session_id": ["a' OR 1 = 1 --\\"]})
    assert dict(session_conditions(sessions))["session_traces"] == (
        "(tenant = 't' AND session_id IN ('a\\' OR 1 = 1 --\\\\'))"
    )
