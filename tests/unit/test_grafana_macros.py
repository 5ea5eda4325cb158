"""The expander of the dashboard's queries does what the data source's documentation says."""

from __future__ import annotations

import pytest

from tests.grafana import ALL, Range, expanded

WHEN = Range(1415792726, 1447328726, 20)


@pytest.mark.parametrize(
    ("sql", "sent"),
    [
        ("$__timeFilter(time)", "time >= toDateTime(1415792726) AND time <= toDateTime(1447328726)"),
        ("$__timeInterval(column)", "toStartOfInterval(toDateTime(column), INTERVAL 20 second)"),
        ("$__fromTime, $__toTime", "toDateTime(1415792726), toDateTime(1447328726)"),
        ("x / $__interval_s", "x / 20"),
    ],
)
def test_macros_are_those_of_the_documentation(sql: str, sent: str) -> None:
    """Word for word as its table of macros has them."""
    assert expanded(sql, {}, WHEN) == sent


def test_an_interval_is_a_second_at_least() -> None:
    """Grafana may ask for less."""
    assert expanded("$__interval_s", {}, Range(0, 1, 0)) == "1"


def test_a_condition_is_left_out_for_all() -> None:
    """And for nothing at all; nested calls and commas belong to the condition."""
    sql = (
        "WHERE $__conditionalAll(hasAny(a, [${x:singlequote}]), $x) AND $__conditionalAll(b IN (${y:singlequote}), $y)"
    )
    assert expanded(sql, {"x": [ALL], "y": ["1", "2"]}, WHEN) == "WHERE 1=1 AND b IN ('1','2')"
    assert expanded(sql, {"x": ["it's"], "y": []}, WHEN) == "WHERE hasAny(a, ['it\\'s']) AND 1=1"


def test_variables_stand_where_they_are_named() -> None:
    """With and without braces; quoted in lists; what is no variable stays."""
    assert expanded("${db}.t, $db.t", {"db": "otel"}, WHEN) == "otel.t, otel.t"
    with pytest.raises(AssertionError, match="All where"):
        expanded("a IN (${x:singlequote})", {"x": [ALL]}, WHEN)
    with pytest.raises(AssertionError, match="not a macro"):
        expanded("$__timeFilter_ms(a)", {}, WHEN)
