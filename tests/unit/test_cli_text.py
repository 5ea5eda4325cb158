"""Lines, charts and numbers of the command line, without a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from processor.cli.chart import BARS, bars, grouped
from processor.cli.filters import SessionFilters, moment
from processor.cli.following import Event
from processor.cli.live import live_line
from processor.cli.logs import log_line
from processor.cli.options import Format
from processor.cli.progress import RowCounter
from processor.cli.units import size

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

SESSION = {
    "id": "refund-1042",
    "name": "Refund for order 1042",
    "user_id": "ada",
    "end": "2026-11-20T13:38:39.500000Z",
    "latency_ms": 12_500.0,
    "total_tokens": 2_355,
    "total_cost": 0.00535,
    "unpriced_span_count": 0,
    "error_count": 0,
    "trace_count": 1,
}

RECORD = {
    "timestamp": "2026-11-20T10:00:00.123456Z",
    "severity": "ERROR",
    "service_name": "shop",
    "event_name": "",
    "body": "it\nbroke\x1b[2J",
    "attributes": {"order.id": "42"},
}


@given(st.lists(st.floats(0, 1e12), max_size=300), st.integers(1, 80))
def test_a_chart_fits_and_loses_nothing(values: list[float], cells: int) -> None:
    """As many bars as have room, together the same sum; the highest is full, and only nothing is blank."""
    sums, each = grouped(values, cells)
    assert len(sums) <= cells
    assert (each - 1) * cells < max(1, len(values)) <= each * max(1, len(sums))
    assert sum(sums) == pytest.approx(sum(values))
    drawn = bars(sums)
    assert len(drawn) == len(sums)
    assert all((bar == " ") == (value == 0) for bar, value in zip(drawn, sums, strict=True))
    assert not any(values) or BARS[-1] in drawn


def test_bars_grow_with_their_values() -> None:
    """Eight heights; a terminal without them gets ASCII."""
    assert bars([0, 1, 2, 3, 4, 5, 6, 7, 8]) == " ▂▃▄▅▆▇██"
    assert bars([0.001, 8]) == "▁█"
    assert bars([0, 4, 8], ascii_only=True).isascii()
    assert bars([]) == bars([], ascii_only=True) == ""


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("90s", "2026-11-20T11:58:30.000000Z"),
        ("15m", "2026-11-20T11:45:00.000000Z"),
        ("2h", "2026-11-20T10:00:00.000000Z"),
        ("7d", "2026-11-13T12:00:00.000000Z"),
        ("1w", "2026-11-13T12:00:00.000000Z"),
        ("2026-11-20", "2026-11-20"),
        ("999999999w", "999999999w"),
        ("yesterday", "yesterday"),
        (None, None),
    ],
)
def test_a_time_can_be_how_long_ago(text: str | None, iso: str | None) -> None:
    """What is no span of time is left to the API, which says what is wrong with it."""
    assert moment(text, NOW) == iso


def test_filters_are_the_parameters_of_the_api() -> None:
    """One that is not given is none."""
    given_ones = {name: value for name, value in SessionFilters().parameters().items() if value is not None}
    assert given_ones == {}
    found = SessionFilters(user="ada", has_error=False, min_cost=0.5, metadata=["plan=pro", "a=b=c"]).parameters()
    wanted = {"user_id": "ada", "has_error": False, "min_cost": 0.5, "metadata.plan": "pro", "metadata.a": "b=c"}
    assert wanted.items() <= found.items()


@pytest.mark.parametrize("metadata", [["plan"], ["=pro"], ["a=1", "a=2"]])
def test_metadata_that_can_not_be_meant_is_a_usage_error(metadata: list[str]) -> None:
    """Before anything is asked."""
    with pytest.raises(typer.BadParameter):
        SessionFilters(metadata=metadata).parameters()


@given(st.lists(st.tuples(st.text(), st.text())), st.integers(1, 7))
def test_rows_of_csv_are_counted_however_it_is_cut(rows: list[tuple[str, str]], step: int) -> None:
    """Line ends and quotes inside of a cell are data; the header is no row."""
    cells = [("id", "name"), *rows]
    body = "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in cells).encode()
    counter = RowCounter(Format.CSV)
    chunks = [body[i : i + step] for i in range(0, len(body), step)]
    assert b"".join(counter.counted(iter(chunks))) == body
    assert (counter.rows, counter.bytes) == (len(rows), len(body))


def test_rows_of_ndjson_are_lines_and_those_of_parquet_are_unknown() -> None:
    """Parquet has no rows until it is read."""
    ndjson, parquet = RowCounter(Format.NDJSON), RowCounter(Format.PARQUET)
    assert list(ndjson.counted(iter([b"{}\n{", b"}\n"]))) == [b"{}\n{", b"}\n"]
    assert list(parquet.counted(iter([b"PAR1\n"]))) == [b"PAR1\n"]
    assert (ndjson.rows, parquet.rows) == (2, None)


def test_sizes_are_in_the_unit_that_fits() -> None:
    """A thousand of one is one of the next."""
    assert [size(n) for n in (0, 999, 1_000, 3_400_000, 10**9, 5 * 10**15)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "3.4 MB",
        "1.0 GB",
        "5000.0 TB",
    ]


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_a_line_of_tail_fits(width: int) -> None:
    """Id and numbers are whole; user and name take what is left."""
    line = live_line(Event.NEW, SESSION, width)
    assert line.cell_len <= width
    assert line.plain.startswith(f"{'11-20 ' * (width >= 100)}13:38:39  new      refund-1042  ")
    assert "12.5 s    2,355 tokens  $0.0053" in line.plain
    assert ("ada  Refund for order 1042" in line.plain) == (width >= 120)


@pytest.mark.parametrize("errors", [0, 12])
def test_a_line_of_tail_with_a_uuid_fits_eighty_columns(errors: int) -> None:
    """What is dropped for it is the date first; errors are never dropped."""
    identifier = "9b2f0c1e-58a4-4a52-b2b7-4f4f4d1c9a01"
    line = live_line(Event.CHANGED, SESSION | {"id": identifier, "error_count": errors}, 80)
    assert line.cell_len <= 80
    assert line.plain.startswith(f"13:38:39  changed  {identifier}  ")
    assert ("12 errors" in line.plain) == bool(errors)


def test_a_line_of_tail_never_cuts_an_id() -> None:
    """It is wider than the terminal rather than wrong."""
    identifier = "x" * 90
    assert identifier in live_line(Event.NEW, SESSION | {"id": identifier}, 80).plain


def test_a_log_record_is_one_line() -> None:
    """Lines of its body are joined, control characters can't command the terminal, and errors are red."""
    line = log_line(RECORD)
    assert line.plain == "2026-11-20 10:00:00.123  ERROR  shop  it broke�[2J  order.id=42"
    assert "red" in {str(span.style) for span in line.spans}
    silent: dict[str, Any] = {"severity": "", "service_name": "", "body": "", "attributes": {}}
    assert log_line(RECORD | silent).plain.split() == ["2026-11-20", "10:00:00.123", "-"]
