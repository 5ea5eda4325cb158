"""Lists as CSV, NDJSON and Parquet, over real HTTP on a real store: the same rows as in JSON, whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from processor.api.app import create_app
from processor.api.exports.tables import LOGS, MODELS, SESSIONS, THREADS, TRACES, USERS, Table
from processor.api.exports.wanted import accepted
from processor.api.logs import LogRecord
from processor.api.models import ModelUsage, Session, Thread
from processor.api.pool import QueryPool
from processor.api.stats import User
from processor.api.traces import Trace
from processor.model import DEFAULT_TENANT
from processor.pricing.prices import Prices
from processor.store.connection import StoreConfig
from processor.store.queries import SessionQueries
from tests.integration.asking import api_on, bad, get
from tests.integration.serving import served
from tests.integration.stored import T0, S, insert, session, trace, usage
from tests.integration.test_api_logs import record

COUNT = 1_200  # more than a page
ODD = [
    session("=HYPERLINK(1)", name="+1", user_id="-x", thread_id="@y", tags=["=a", "b|c"], environment="\tt"),
    session(
        'quo"te, and\nline', name="ünïcödé 🧵", metadata='{"k":"v\\"","=x":"1"}', end_state="error", end_reason="x"
    ),
    session("with-times", ttft_ns=3_000_000, ttft_count=2, end_ns=T0 + 1_234_567, active_ns=1, models=["m", "n"]),
    session("costly", cost_nano_usd=8_999_999_999_123_456_789, input_cost_nano_usd=1, output_cost_nano_usd=999_999_999),
]
MANY = [
    session(
        f"s{i:04}",
        name=f"session {i % 7}",
        user_id=f"u{i % 3}",
        thread_id=f"t{i % 2}",
        start_ns=T0 + i % 100 * S,
        end_ns=T0 + i % 100 * S + i,
        cost_nano_usd=i * 1_234_567,
        total_tokens=i,
        tags=[f"tag {i % 5}"],
    )
    for i in range(COUNT)
]
LISTS = {
    "/v1/sessions": {"sort_by": "id", "sort_order": "asc"},
    "/v1/threads": {"sort_by": "last_seen"},
    "/v1/users": {"sort_by": "id"},
    "/v1/models": {},
    "/v1/sessions/s0001/traces": {"spans": "false"},
    "/v1/sessions/s0001/logs": {},
    "/v1/threads/t1/sessions": {"sort_by": "total_cost"},
}
MODELS_OF: dict[str, tuple[Table, Any]] = {
    "sessions": (SESSIONS, Session),
    "threads": (THREADS, Thread),
    "users": (USERS, User),
    "models": (MODELS, ModelUsage),
    "traces": (TRACES, Trace),
    "logs": (LOGS, LogRecord),
}


@pytest.fixture(scope="module")
def api(chdb_client: Callable[[], Any], store_config: StoreConfig) -> Iterator[httpx.Client]:
    """The API on more sessions than a page holds, odd ones, and one with traces, usage and log records."""
    client, database = chdb_client(), store_config.database
    insert(client, database, "session_rollups", *MANY)
    insert(client, database, "session_rollups", *ODD, session("r", tenant="rival", name="secret"))
    used = usage({"model": "gpt-5", "provider": "openai", "service": "x", "call_count": 1, "cost_nano_usd": 1_234})
    traces = [
        trace("s0001", f"{i:032x}", status_code=i % 3, start_ns=T0 + i, cost_nano_usd=i, **used) for i in range(60)
    ]
    insert(client, database, "session_traces", *traces)
    insert(client, database, "otel_logs", *(record(f"line {i}", T0 + i, SessionId="s0001") for i in range(60)))
    with api_on(chdb_client, store_config) as opened:
        yield opened


def exported(api: httpx.Client, path: str, kind: str, **parameters: object) -> bytes:
    """A file that must succeed."""
    response = api.get(path, params={**{name: str(value) for name, value in parameters.items()}, "format": kind})
    assert response.status_code == 200, response.text
    return response.content


def items(api: httpx.Client, path: str, **parameters: object) -> list[dict[str, Any]]:
    """All items of a list in JSON, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        body = get(api, path, **parameters, limit=1000, offset=len(found))
        found += body["data"]
        if len(found) >= body["pagination"]["total"]:
            return found


def without_spans(item: dict[str, Any]) -> dict[str, Any]:
    """A trace as files have it."""
    return {name: value for name, value in item.items() if name != "spans"}


@pytest.mark.parametrize("name", MODELS_OF)
def test_files_have_the_columns_of_the_items_in_json(name: str) -> None:
    """All of them, in the same order; only spans are left out."""
    table, model = MODELS_OF[name]
    assert table.schema.names == [field for field in model.model_fields if field != "spans"]


@pytest.mark.parametrize("path", LISTS)
def test_a_line_of_ndjson_is_the_item_of_the_list(api: httpx.Client, path: str) -> None:
    """Every item once, in the same order, to the last digit."""
    lines = exported(api, path, "ndjson", **LISTS[path]).splitlines()
    assert [json.loads(line) for line in lines] == [without_spans(item) for item in items(api, path, **LISTS[path])]
    assert lines


@pytest.mark.parametrize("path", LISTS)
def test_a_row_of_csv_is_the_item_of_the_list(api: httpx.Client, path: str) -> None:
    """Lists joined by a bar, mappings as JSON, money with all its digits, null empty."""
    text = exported(api, path, "csv", **LISTS[path]).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    wanted = items(api, path, **LISTS[path])
    assert len(rows) == len(wanted)
    for row, item in zip(rows, wanted, strict=True):
        for name, value in without_spans(item).items():
            assert read_back(row[name], value) == (value if not isinstance(value, list) else "|".join(value)), name


def read_back(cell: str, like: Any) -> Any:
    """A cell of CSV as a value of JSON of that type."""
    match like:
        case None:
            return cell or None
        case bool():
            return {"true": True, "false": False}[cell]
        case int():
            return int(cell)
        case float():
            return float(cell)
        case dict():
            return json.loads(cell)
        case _:
            return cell.removeprefix("'")


@pytest.mark.parametrize("path", LISTS)
def test_a_row_of_parquet_has_types(api: httpx.Client, path: str) -> None:
    """Times are times in UTC, money is decimal, lists are lists and mappings are maps."""
    table = pq.read_table(io.BytesIO(exported(api, path, "parquet", **LISTS[path])))
    wanted = items(api, path, **LISTS[path])
    assert table.num_rows == len(wanted)
    for column, kind in zip(table.column_names, table.schema.types, strict=True):
        found = table.column(column).to_pylist()
        shown = [item[column] for item in wanted]
        if pa.types.is_timestamp(kind):
            assert [moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") for moment in found] == shown
            assert kind.tz == "UTC"
        elif pa.types.is_decimal(kind):
            assert [int(amount.scaleb(9)) / 1_000_000_000 for amount in found] == shown
        elif pa.types.is_map(kind):
            assert [dict(each) for each in found] == shown
        else:
            assert found == shown


def test_parquet_keeps_money_that_no_float_holds(api: httpx.Client) -> None:
    """To the nano-dollar."""
    table = pq.read_table(io.BytesIO(exported(api, "/v1/sessions", "parquet", search="costly")))
    assert table.column("total_cost").to_pylist() == [Decimal("8999999999.123456789")]
    assert "8999999999.123456789" in exported(api, "/v1/sessions", "csv", search="costly").decode()


def test_files_are_read_by_other_libraries(api: httpx.Client) -> None:
    """Polars' own readers see the same sessions."""
    read = {
        "csv": pl.read_csv(io.BytesIO(exported(api, "/v1/sessions", "csv")), infer_schema=False),
        "ndjson": pl.read_ndjson(io.BytesIO(exported(api, "/v1/sessions", "ndjson")), infer_schema_length=None),
        "parquet": pl.read_parquet(io.BytesIO(exported(api, "/v1/sessions", "parquet")), use_pyarrow=True),
    }
    assert {len(frame) for frame in read.values()} == {COUNT + len(ODD)}
    assert read["parquet"]["start"].max() == datetime(2025, 11, 24, 16, 1, 39, tzinfo=UTC)


def test_no_cell_of_csv_is_a_formula(api: httpx.Client) -> None:
    """What a spreadsheet would run is text there, in lists too; NDJSON leaves it as it is."""
    rows = list(
        csv.DictReader(io.StringIO(exported(api, "/v1/sessions", "csv", search="HYPERLINK").decode(), newline=""))
    )
    (row,) = rows
    cells = (row["id"], row["name"], row["user_id"], row["thread_id"], row["tags"], row["environment"])
    assert cells == ("'=HYPERLINK(1)", "'+1", "'-x", "'@y", "'=a|b|c", "'\tt")
    assert json.loads(exported(api, "/v1/sessions", "ndjson", search="HYPERLINK"))["id"] == "=HYPERLINK(1)"


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_limit_and_offset_cut_files_where_they_cut_pages(api: httpx.Client, kind: str) -> None:
    """Without a limit everything from the offset on comes; with one it has no maximum."""
    order = {"sort_by": "start", "sort_order": "desc"}
    every = [item["id"] for item in items(api, "/v1/sessions", **order)]

    def ids(**parameters: object) -> list[str]:
        data = exported(api, "/v1/sessions", kind, **order, **parameters)
        if kind == "csv":
            return [row["id"].removeprefix("'") for row in csv.DictReader(io.StringIO(data.decode(), newline=""))]
        if kind == "ndjson":
            return [json.loads(line)["id"] for line in data.splitlines()]
        return list(pq.read_table(io.BytesIO(data)).column("id").to_pylist())

    assert ids() == every
    assert ids(offset=1_100) == every[1_100:]
    assert ids(limit=1_100, offset=3) == every[3:1_103]
    assert ids(offset=10**6) == []


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
@pytest.mark.parametrize("search", ["nobody", "u1", ""])
def test_a_file_that_has_ended_is_in_nobodys_way(
    client: Any, store_config: StoreConfig, api: httpx.Client, kind: str, search: str
) -> None:
    """Whoever has the end of a file finds its reader free, with one reader and nobody who may wait."""
    app = create_app(QueryPool([SessionQueries(client, store_config.database)], 0), DEFAULT_TENANT, "0", Prices())
    with served(app) as url, httpx.Client(base_url=url, timeout=60) as alone:
        for _ in range(20):
            assert exported(alone, "/v1/users", kind, search=search) == exported(api, "/v1/users", kind, search=search)


def test_a_file_of_nothing_is_still_a_file(api: httpx.Client) -> None:
    """A head of CSV, no lines, a schema of Parquet."""
    assert exported(api, "/v1/users", "csv", search="nobody") == (",".join(USERS.schema.names) + "\r\n").encode()
    assert exported(api, "/v1/users", "ndjson", search="nobody") == b""
    assert pq.read_table(io.BytesIO(exported(api, "/v1/users", "parquet", search="nobody"))).schema == USERS.schema


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "json"),
        ("text/csv", "csv"),
        ("Text/CSV; charset=utf-8", "csv"),
        ("application/x-ndjson", "ndjson"),
        ("application/vnd.apache.parquet", "parquet"),
        ("application/json;q=0.5, text/csv;q=0.6", "csv"),
        ("application/json, text/csv", "json"),
        ("text/csv;q=0, */*", "json"),
        ("text/csv;q=x", "json"),
        ("image/png", "json"),
    ],
)
def test_the_accepted_format_is_that_of_the_greatest_weight(header: str, kind: str) -> None:
    """JSON for whoever names none of ours."""
    assert accepted(header) == kind


def test_the_format_is_negotiated(api: httpx.Client) -> None:
    """By Accept, and by the parameter before it; the answer says what it is."""
    by_header = api.get("/v1/users", headers={"Accept": "text/csv"})
    assert by_header.headers["content-type"].startswith("text/csv")
    assert by_header.headers["content-disposition"] == 'attachment; filename="users.csv"'
    over = api.get("/v1/users", headers={"Accept": "text/csv"}, params={"format": "json"})
    assert over.headers["content-type"] == "application/json"
    assert list(bad(api, "/v1/users", format="xml")) == ["format"]
    assert list(bad(api, "/v1/users", format="csv", limit=0)) == ["limit"]
    assert list(bad(api, "/v1/users", limit=1001)) == ["limit"]


class _Network:
    """The network's part: a connection to the store that gives so many blocks of users and then breaks."""

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self.source = SimpleNamespace(column_names=("user_id", *_COUNTS, "total_cost", "start_ns", "end_ns"))
        self.closed = threading.Event()

    def query_column_block_stream(self, query: str, parameters: dict[str, Any], settings: dict[str, Any]) -> _Network:
        del query, parameters, settings
        return self

    def __iter__(self) -> Iterator[tuple[list[Any], ...]]:
        for number in range(self._blocks):
            names = [f"user {number} {i}" for i in range(_BLOCK_ROWS)]
            alike = [*([0] * len(_COUNTS)), Decimal(1), T0, T0]
            yield names, *([value] * _BLOCK_ROWS for value in alike)
        raise ConnectionResetError(104, "secret")

    def __enter__(self) -> _Network:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed.set()


_BLOCK_ROWS = 10_000
_COUNTS = [name for name in USERS.schema.names if name.endswith(("_count", "_tokens"))]
_ENDLESS = 10**9


@contextlib.contextmanager
def api_over(*clients: Any, database: str = "db") -> Iterator[httpx.Client]:
    """The API on such connections; the last is taken first."""
    readers = [SessionQueries(client, database) for client in clients]
    app = create_app(QueryPool(readers, 8), DEFAULT_TENANT, "0", Prices())
    with served(app) as url, httpx.Client(base_url=url, timeout=60) as opened:
        yield opened


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_a_store_that_breaks_in_the_middle_leaves_no_file_that_looks_whole(kind: str) -> None:
    """The connection ends without the end of the body, and nothing of the inside is told."""
    network, received = _Network(blocks=20), bytearray()
    with api_over(network) as broken:
        with broken.stream("GET", "/v1/users", params={"format": kind}) as response:
            assert response.status_code == 200
            with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
                b"".join(kept(response.iter_raw(), received))
        assert network.closed.wait(30)
    assert received
    assert b"secret" not in received
    if kind == "parquet":
        with pytest.raises(pa.ArrowInvalid):
            pq.read_table(io.BytesIO(received))


def kept(pieces: Iterator[bytes], into: bytearray) -> Iterator[bytes]:
    """The pieces, which are put aside as they come."""
    for piece in pieces:
        into += piece
        yield piece


def test_a_store_that_breaks_before_the_first_row_is_an_error_like_any_other() -> None:
    """503 in the contract's shape: nothing had been sent."""
    with api_over(_Network(blocks=0)) as broken:
        response = broken.get("/v1/users", params={"format": "csv"})
    assert (response.status_code, response.json()["error"]["code"]) == (503, "service_unavailable")
    assert "secret" not in response.text


def test_a_client_that_goes_away_gives_the_reader_back() -> None:
    """The stream behind an export ends with its connection, and the next one finds a reader."""
    network = _Network(_ENDLESS)
    with api_over(network) as endless:
        for _ in range(3):
            network.closed.clear()
            with endless.stream("GET", "/v1/users", params={"format": "csv"}) as response:
                assert response.status_code == 200
                next(response.iter_raw())
            assert network.closed.wait(30)


def test_exports_leave_readers_to_others(api: httpx.Client, client: Any, store_config: StoreConfig) -> None:
    """While as many run as may, one more is told to come again, and pages are answered."""
    network = _Network(_ENDLESS)
    with (
        api_over(client, network, database=store_config.database) as busy,
        busy.stream("GET", "/v1/users", params={"format": "csv"}) as response,
    ):
        assert response.status_code == 200
        refused = busy.get("/v1/users", params={"format": "csv"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert get(busy, "/v1/users", sort_by="id") == get(api, "/v1/users", sort_by="id")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_an_export_holds_little_of_what_it_sends(tmp_path_factory: pytest.TempPathFactory, kind: str) -> None:
    """Of 200,000 sessions with 3 kB of text each, sorted, a process never holds three quarters."""
    rows, text_chars = 200_000, 3_000
    directory = tmp_path_factory.getbasetemp() / "export_memory"
    if not directory.exists():
        run("fill", directory, rows, text_chars, kind)
    told = json.loads(run("export", directory, rows, text_chars, kind))
    whole_mb = rows * text_chars / 2**20
    assert kind == "parquet" or told["bytes"] > rows * text_chars
    assert told["grown_mb"] < whole_mb * 0.75


def run(action: str, directory: Path, rows: int, text_chars: int, kind: str) -> str:
    """The program beside this file."""
    command = [sys.executable, "-m", "tests.integration.export_memory", action, str(directory)]
    return subprocess.run(
        [*command, str(rows), str(text_chars), kind], check=True, capture_output=True, text=True, timeout=280
    ).stdout
