"""The ClickHouse HTTP interface on a real socket and a real store, as `curl` and BI tools speak to it."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import lz4.frame
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd

from processor.clickhouse_http.frames import frames, unframed
from processor.store.connection import StoreConfig
from tests.clickhouse_server import clickhouse_server
from tests.integration.stored import insert, session

SESSIONS = 300


@pytest.fixture(scope="module")
def url(chdb_client: Callable[[], Any], store_config: StoreConfig) -> Iterator[str]:
    """The interface over a store of `SESSIONS` sessions."""
    rows = [session(f"s{i}", name=f"né {i}", total_tokens=i, cost_nano_usd=i * 1_000_000) for i in range(SESSIONS)]
    insert(chdb_client(), store_config.database, "session_rollups", *rows)
    with clickhouse_server(store_config) as base:
        yield base


@pytest.fixture(scope="module")
def http(url: str) -> Iterator[httpx.Client]:
    """A client that asks for no compression by itself."""
    with httpx.Client(base_url=url, timeout=60, headers={"Accept-Encoding": "identity"}) as client:
        yield client


def ask(http: httpx.Client, query: str, **parameters: object) -> httpx.Response:
    """A query by POST."""
    return http.post("/", content=query, params={name: str(value) for name, value in parameters.items()})


def answer(http: httpx.Client, query: str, **parameters: object) -> str:
    """The text of an answer that must succeed."""
    response = ask(http, query, **parameters)
    assert response.status_code == 200, response.text
    return response.text


@pytest.mark.parametrize("path", ["/", "/ping", "/replicas_status"])
def test_health_paths_say_ok(http: httpx.Client, path: str) -> None:
    """`Ok.` and a line feed, also by HEAD, without a body there."""
    assert (http.get(path).status_code, http.get(path).text) == (200, "Ok.\n")
    head = http.head(path)
    assert (head.status_code, head.text, head.headers["content-length"]) == (200, "", "4")


def test_a_path_that_leads_nowhere_is_404(http: httpx.Client) -> None:
    """As a server says it."""
    response = http.get("/nowhere?query=SELECT+1")
    assert response.status_code == 404
    assert response.text.startswith("There is no handle /nowhere\n")
    assert http.put("/", content=b"SELECT 1").status_code == 501


def test_a_query_comes_by_get_by_post_or_half_and_half(http: httpx.Client) -> None:
    """The URL's part comes first, a line feed between."""
    assert http.get("/", params={"query": "SELECT 1"}).text == "1\n"
    assert http.post("/", content=b"SELECT 2;\n").text == "2\n"
    assert http.post("/", params={"query": "SELECT"}, content=b"3").text == "3\n"
    assert http.post("/", params={"query": "SELECT 4"}).text == "4\n"
    assert http.head("/", params={"query": "SELECT 5"}).headers["x-clickhouse-format"] == "TabSeparated"


def test_curl_reads_the_sessions(url: str) -> None:
    """What the documentation shows, unqualified names included."""

    def curl(*arguments: str) -> str:
        done = subprocess.run(["curl", "-sS", *arguments], capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    assert curl(url, "-d", "SELECT count() FROM sessions") == f"{SESSIONS}\n"
    assert curl(f"{url}/?query=SELECT%20total_cost%20FROM%20sessions%20WHERE%20session_id='s5'") == "0.005\n"
    line = curl(url, "-d", "SELECT session_id, name FROM sessions WHERE session_id='s7' FORMAT JSONEachRow")
    assert json.loads(line) == {"session_id": "s7", "name": "né 7"}
    assert curl("--compressed", url, "-d", "SELECT count() FROM sessions") == f"{SESSIONS}\n"
    assert curl("-u", "me:secret", url, "-d", "SELECT 1") == "1\n"
    assert "UNKNOWN_TABLE" in curl(url, "-d", "SELECT * FROM nothing")


def test_headers_are_those_of_a_server(http: httpx.Client) -> None:
    """Format, time zone, query id, name and summary."""
    response = ask(http, "SELECT * FROM sessions", query_id="my id/1", default_format="JSONEachRow")
    headers = response.headers
    assert headers["x-clickhouse-query-id"] == "my id/1"
    assert headers["x-clickhouse-format"] == "JSONEachRow"
    assert headers["content-type"] == "application/x-ndjson; charset=UTF-8"
    assert headers["x-clickhouse-timezone"] == answer(http, "SELECT timezone()").strip()
    assert headers["x-clickhouse-server-display-name"] == "otel-sessions"
    summary = json.loads(ask(http, "SELECT * FROM sessions", wait_end_of_query=1).headers["x-clickhouse-summary"])
    assert (summary["result_rows"], summary["read_rows"]) == (str(SESSIONS), str(SESSIONS))
    assert int(summary["elapsed_ns"]) > 0
    assert len(ask(http, "SELECT 1").headers["x-clickhouse-query-id"]) == 36
    assert "\n" not in ask(http, "SELECT 1", query_id="a\r\nX-Evil: 1").headers["x-clickhouse-query-id"]


@pytest.mark.parametrize(
    ("name", "content_type", "start"),
    [
        ("TabSeparated", "text/tab-separated-values; charset=UTF-8", "s0\t0\ns1"),
        ("CSV", "text/csv; charset=UTF-8; header=absent", '"s0",0\n"s1"'),
        ("CSVWithNames", "text/csv; charset=UTF-8; header=present", '"session_id","n"\n"s0"'),
        ("JSON", "application/json; charset=UTF-8", "{"),
        ("JSONEachRow", "application/x-ndjson; charset=UTF-8", '{"session_id":"s0","n":0}\n'),
        ("Pretty", "text/plain; charset=UTF-8", ""),
        ("XML", "application/xml; charset=UTF-8", "<?xml"),
    ],
)
def test_text_formats(http: httpx.Client, name: str, content_type: str, start: str) -> None:
    """By FORMAT in the query, by default_format, and by header, with the media type of a server."""
    query = "SELECT session_id, total_tokens AS n FROM sessions ORDER BY n LIMIT 3"
    response = ask(http, f"{query} FORMAT {name}")
    assert response.headers["content-type"] == content_type
    assert response.text.startswith(start)
    others = [
        ask(http, query, default_format=name),
        http.post("/", content=query, headers={"X-ClickHouse-Format": name}),
    ]
    for other in others:
        assert other.headers["x-clickhouse-format"] == name
        assert other.text.startswith(start)


def test_binary_formats(http: httpx.Client) -> None:
    """Arrow, ArrowStream and Parquet can be read by others, Native and RowBinary have the bytes they should."""
    query = "SELECT session_id, total_tokens FROM sessions ORDER BY total_tokens LIMIT 2 FORMAT "
    arrow = pa.ipc.open_file(io.BytesIO(ask(http, f"{query} Arrow").content)).read_all()
    stream = pa.ipc.open_stream(io.BytesIO(ask(http, f"{query} ArrowStream").content)).read_all()
    parquet = pq.read_table(io.BytesIO(ask(http, f"{query} Parquet").content))
    for table in (arrow, stream, parquet):
        assert table.column("total_tokens").to_pylist() == [0, 1]
    assert ask(http, "SELECT 1::UInt8 AS a FORMAT Native").content == b"\x01\x01\x01a\x05UInt8\x01"
    assert ask(http, "SELECT 258::UInt16 FORMAT RowBinary").content == b"\x02\x01"


def test_values_are_bound_by_the_engine(http: httpx.Client) -> None:
    """`param_x` fills `{x:Type}`, with the escapes of tab-separated values."""
    query = "SELECT name FROM sessions WHERE session_id = {id:String} AND total_tokens IN {n:Array(UInt64)}"
    assert answer(http, query, param_id="s3", param_n="[1,3]") == "né 3\n"
    assert answer(http, "SELECT length({x:String})", param_x="a\\tb'\\\\") == "5\n"
    assert answer(http, "SELECT {t:Identifier} FROM sessions LIMIT 1", param_t="tenant") == "default\n"
    response = ask(http, "SELECT {missing:UInt8}")
    assert (response.status_code, response.headers["x-clickhouse-exception-code"]) == (500, "456")


def test_a_form_carries_long_parameters(http: httpx.Client) -> None:
    """multipart/form-data, as clients send what does not fit a URL."""
    form = {"query": (None, "SELECT length({x:String})"), "param_x": (None, "y" * 200_000)}
    assert http.post("/", files=form).text == "200000\n"
    refused = http.post("/", data={"query": "SELECT 1"}, files={"t": ("t.tsv", b"1")})
    assert (refused.status_code, refused.headers["x-clickhouse-exception-code"]) == (501, "48")
    assert (
        http.post("/", content=b"--x", headers={"Content-Type": "multipart/form-data; boundary=x"}).status_code == 400
    )


def test_a_database_can_be_named(http: httpx.Client, store_config: StoreConfig) -> None:
    """By parameter and by header; without one, names are those of the store."""
    assert answer(http, "SELECT currentDatabase()") == f"{store_config.database}\n"
    # Tools that were told nothing say `default`; the tables are found all the same.
    assert answer(http, "SELECT count() FROM sessions", database="default") == f"{SESSIONS}\n"
    assert http.post("/", content=b"SELECT currentDatabase()", headers={"X-ClickHouse-Database": "system"}).text == (
        "system\n"
    )
    missing = ask(http, "SELECT 1", database="nowhere")
    assert (missing.status_code, missing.headers["x-clickhouse-exception-code"]) == (404, "81")


@pytest.mark.parametrize(
    ("query", "status", "code", "name"),
    [
        ("SELECT * FROM nothing", 404, 60, "UNKNOWN_TABLE"),
        ("SELECT nothing FROM sessions", 404, 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT no_such_function()", 404, 46, "UNKNOWN_FUNCTION"),
        ("SELECT FROM WHERE", 400, 62, "SYNTAX_ERROR"),
        ("SELECT 1; SELECT 2", 400, 62, "SYNTAX_ERROR"),
        ("", 400, 62, "SYNTAX_ERROR"),
        ("-- nothing", 400, 62, "SYNTAX_ERROR"),
        ("SELECT toUInt8('x')", 400, 6, "CANNOT_PARSE_TEXT"),
        ("SELECT 1 FORMAT Nonsense", 404, 73, "UNKNOWN_FORMAT"),
        ("SELECT 'a' + 1", 400, 43, "ILLEGAL_TYPE_OF_ARGUMENT"),
        ("SELECT throwIf(1)", 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
    ],
)
def test_errors_have_the_codes_and_statuses_of_a_server(
    http: httpx.Client, query: str, status: int, code: int, name: str
) -> None:
    """The code in a header, and the text in the one line that clients take apart."""
    response = ask(http, query)
    assert response.status_code == status, response.text
    assert response.headers["x-clickhouse-exception-code"] == str(code)
    assert response.text.startswith(f"Code: {code}. DB::Exception: ")
    assert f" ({name}) (version 2" in response.text
    assert response.text.count("Code: ") == 1
    assert "formatQuery" not in response.text


def test_settings_shape_the_answer_by_url_and_in_the_query(http: httpx.Client) -> None:
    """Either way, and never beyond the one request."""
    assert answer(http, "SELECT 18446744073709551615::UInt64 AS a FORMAT JSONEachRow") == '{"a":18446744073709551615}\n'
    quoted = '{"a":"18446744073709551615"}\n'
    setting = {"output_format_json_quote_64bit_integers": 1}
    assert answer(http, "SELECT 18446744073709551615::UInt64 AS a FORMAT JSONEachRow", **setting) == quoted
    clause = "SETTINGS output_format_json_quote_64bit_integers = 1, max_threads = 1"
    assert answer(http, f"SELECT 18446744073709551615::UInt64 AS a {clause} FORMAT JSONEachRow") == quoted
    assert answer(http, "SELECT toString(toDateTime(0))", session_timezone="Asia/Tokyo") == "1970-01-01 09:00:00\n"
    assert answer(http, "SELECT timezone()") != "Asia/Tokyo\n"


def test_totals_and_extremes_are_not_lost(http: httpx.Client) -> None:
    """They come after the rows, so such results are not streamed."""
    query = "SELECT total_tokens % 2 AS k, count() FROM sessions GROUP BY k WITH TOTALS ORDER BY k"
    assert answer(http, query) == f"0\t{SESSIONS // 2}\n1\t{SESSIONS // 2}\n\n0\t{SESSIONS}\n"
    assert answer(http, "SELECT number FROM numbers(3)", extremes=1) == "0\n1\n2\n\n0\n2\n"
    lines = answer(http, "SELECT 1 AS a FORMAT JSONEachRow", output_format_json_array_of_rows=1)
    assert json.loads(lines) == [{"a": 1}]


def test_session_and_credentials_are_taken_and_change_nothing(http: httpx.Client) -> None:
    """No users yet, and nothing that a session could keep."""
    taken = {
        "session_id": "s",
        "session_timeout": 10,
        "user": "grafana",
        "password": "x",
        "quota_key": "q",
        "role": "r",
    }
    assert answer(http, "SELECT currentUser()", **taken) == "default\n"
    headers = {"X-ClickHouse-User": "me", "X-ClickHouse-Key": "x"}
    assert http.post("/", content=b"SELECT 1", headers=headers).text == "1\n"
    assert http.post("/", content=b"SELECT 1", headers={"Authorization": "Basic %%%"}).status_code == 400
    assert answer(http, "USE system", session_id="s") == ""
    assert answer(http, "SELECT currentDatabase() != 'system'", session_id="s") == "1\n"


UNDO: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "zstd": zstd.decompress,
    "lz4": lz4.frame.decompress,
}


@pytest.mark.parametrize("encoding", UNDO)
@pytest.mark.parametrize("waiting", [0, 1])
def test_answers_are_compressed_as_the_client_asks(url: str, encoding: str, waiting: int) -> None:
    """Streamed and whole; not at all without Accept-Encoding, or with the setting off."""
    query = "SELECT number, 'some text' FROM numbers(200000)"
    expected = httpx.post(url, content=query, headers={"Accept-Encoding": "identity"}, timeout=60).content
    parameters = {"enable_http_compression": 1, "wait_end_of_query": waiting}
    with httpx.stream(
        "POST", url, content=query, params=parameters, headers={"Accept-Encoding": f"br, {encoding};q=0.5"}, timeout=60
    ) as response:
        assert response.headers["content-encoding"] == encoding
        packed = b"".join(response.iter_raw())
    assert len(packed) < len(expected)
    assert UNDO[encoding](packed) == expected
    plain = httpx.post(url, content=b"SELECT 1", params={"enable_http_compression": 0})
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "lz4"])
def test_a_compressed_query_is_understood(http: httpx.Client, encoding: str) -> None:
    """Content-Encoding of a request; what is unknown, corrupt or too large is said so."""
    pack = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd.compress, "lz4": lz4.frame.compress}[encoding]
    headers = {"Content-Encoding": encoding}
    assert http.post("/", content=pack(b"SELECT 1"), headers=headers).text == "1\n"
    corrupt = http.post("/", content=b"\x00" + pack(b"SELECT 1"), headers=headers)
    assert corrupt.headers["x-clickhouse-exception-code"] == "117", corrupt.text
    bomb = http.post("/", content=pack(b"SELECT 1 --" + b" " * (64 << 20)), headers=headers)
    assert (bomb.status_code, bomb.headers["x-clickhouse-exception-code"]) == (413, "223")
    unknown = http.post("/", content=b"x", headers={"Content-Encoding": "compress"})
    assert unknown.headers["x-clickhouse-exception-code"] == "89"


def test_frames_of_clickhouse_go_both_ways(http: httpx.Client) -> None:
    """`compress=1` and `decompress=1`, as JDBC and Go clients use them."""
    framed = ask(http, "SELECT number FROM numbers(300000)", compress=1)
    assert "content-encoding" not in framed.headers
    assert unframed(framed.content, 1 << 24) == "".join(f"{i}\n" for i in range(300_000)).encode()
    assert ask(http, "SELECT 1 WHERE 0", compress=1).content == b""
    query = b"".join(frames(b"SELECT 7"))
    assert http.post("/", params={"decompress": 1}, content=query).text == "7\n"
    for broken in (query[:-1], query[:20], b"\xff" + query[1:]):
        response = http.post("/", params={"decompress": 1}, content=broken)
        assert response.headers["x-clickhouse-exception-code"] == "117"


def test_a_body_over_the_limit_is_413(http: httpx.Client) -> None:
    """Announced or not."""
    big = b"SELECT 1 --" + b" " * (9 << 20)
    assert http.post("/", content=big).status_code == 413
    assert http.post("/", content=iter([big])).status_code == 413
