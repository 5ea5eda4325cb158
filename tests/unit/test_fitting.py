"""The sessions table on terminals of every width."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processor.cli.fitting import TITLES, column_widths

NATURAL = {"id": 36, "name": 40, "user": 20, "start (UTC)": 19, "duration": 8, "traces": 6, "errors": 6}
NATURAL |= {"tokens": 9, "cost": 9}
GAP = 2


def total(widths: dict[str, int]) -> int:
    """Characters of a line."""
    return sum(widths.values()) + GAP * (len(widths) - 1)


def test_a_wide_terminal_shows_everything_whole() -> None:
    """With room for all, nothing is cut and nothing is padded."""
    assert column_widths(NATURAL, 400) == NATURAL


def test_a_narrow_terminal_drops_what_matters_least() -> None:
    """Id, duration, tokens and cost stay; at 80 columns the name is still there."""
    assert {"id", "name", "duration", "tokens", "cost"} <= column_widths(NATURAL, 80).keys()
    assert list(column_widths(NATURAL, 55)) == ["id", "duration", "tokens", "cost"]


def test_what_is_left_over_goes_to_the_id_first() -> None:
    """An id that fits on one line is not folded while a name is long."""
    assert column_widths(NATURAL, 140)["id"] == NATURAL["id"]


@given(st.fixed_dictionaries({title: st.integers(2, 60) for title in TITLES}), st.integers(20, 300))
def test_the_line_fits_whenever_an_id_and_three_numbers_can(natural: dict[str, int], terminal: int) -> None:
    """No line is longer than the terminal, no column wider than its content, and the id always stays."""
    widths = column_widths(natural, terminal)
    smallest = {title: natural[title] for title in ("duration", "tokens", "cost")} | {"id": 12}
    assert total(widths) <= max(terminal, total(smallest))
    assert all(width <= natural[title] for title, width in widths.items())
    assert "id" in widths
