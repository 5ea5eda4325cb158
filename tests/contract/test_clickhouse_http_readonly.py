"""Ways out of the read-only interface: what writes, what reaches beyond the store, what lifts a limit.

Every statement here ran, or would run, on the bare engine. What the engine itself refuses with `readonly = 1` is marked
by its own error; for the rest `clickhouse_http/guard.py` stands.
"""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from processor.clickhouse_http.config import ClickHouseHttpConfig
from processor.clickhouse_http.engine import Engine
from processor.clickhouse_http.guard import FUNCTIONS_DENIED, SYSTEM_TABLES, TABLE_FUNCTIONS
from processor.store.connection import StoreConfig
from tests.clickhouse_server import clickhouse_server
from tests.integration.stored import insert, session

SECRET = "the-content-of-a-file"
READONLY, DENIED = "164", "497"


@pytest.fixture(scope="module")
def writer(chdb_client: Callable[[], Any], store_config: StoreConfig) -> Any:
    """A client that may do everything, of a store with one session."""
    client = chdb_client()
    insert(client, store_config.database, "session_rollups", session("one"))
    return client


@pytest.fixture(scope="module")
def url(writer: Any, store_config: StoreConfig) -> Iterator[str]:
    """The interface, reading only."""
    with clickhouse_server(store_config, max_execution_time_s=20) as base:
        yield base


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file beside the store."""
    path = tmp_path_factory.mktemp("secret") / "secret.txt"
    path.write_text(SECRET)
    return path


@pytest.fixture(scope="module")
def web() -> Iterator[tuple[int, list[str]]]:
    """The port of a web server, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(SECRET.encode())

        do_HEAD = do_POST = do_PUT = do_GET

        def log_message(self, *_: object) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1], asked
    server.shutdown()
    thread.join()
    server.server_close()


def code_of(url: str, query: str, **parameters: object) -> str:
    """The error code of a query that must fail."""
    response = httpx.post(url, content=query, params={k: str(v) for k, v in parameters.items()}, timeout=60)
    assert response.status_code != 200, response.text
    assert SECRET not in response.text
    return response.headers["x-clickhouse-exception-code"]


@pytest.mark.parametrize(
    "query",
    [
        "EXISTS default.`{path}`",
        "EXISTS TABLE `{path}`",
        "EXISTS {{db:Identifier}}.`{path}`",
        "EXISTS `DEFAULT`.`{path}`",
        "SHOW CREATE TABLE default.`{path}`",
        "SHOW CREATE TABLE `{path}`",
        "DESCRIBE default.`{path}`",
        "DESCRIBE `{path}`",
        "SELECT 1 FROM default.`{path}`",
        "SELECT 1 FROM `{path}`",
        "SELECT 1 IN default.`{path}`",
        "SELECT hasColumnInTable('default', '{path}', 'x')",
        "SHOW COLUMNS FROM `{path}` FROM default",
        "EXPLAIN SELECT 1 FROM default.`{path}`",
        "EXPLAIN ESTIMATE SELECT 1 FROM default.`{path}`",
        "CHECK TABLE default.`{path}`",
    ],
)
@pytest.mark.parametrize("database", ["", "default", "DEFAULT"])
def test_nobody_learns_which_files_there_are(url: str, secret: Path, query: str, database: str) -> None:
    """chDB takes tables of `default` for paths: the answer is the same for a file and for none."""
    answers = []
    for path in (secret, secret.with_name("none.txt")):
        parameters = {"param_db": "default", **({"database": database} if database else {})}
        response = httpx.post(url, content=query.format(path=path), params=parameters, timeout=60)
        answers.append((response.status_code, response.text.replace(str(path), "")))
    assert answers[0] == answers[1]
    assert SECRET not in answers[0][1]


WRITES = [
    "INSERT INTO session_rollups (session_id) VALUES ('x')",
    "INSERT INTO session_rollups SELECT * FROM session_rollups",
    "INSERT INTO session_rollups FORMAT CSV\n1,2",
    "INSERT INTO FUNCTION file('x.csv') SELECT 1",
    "INSERT INTO session_rollups FROM INFILE 'x.csv' FORMAT CSV",
    "CREATE TABLE x (a Int8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE x (a Int8)",
    "CREATE DATABASE x",
    "CREATE VIEW x AS SELECT 1",
    "CREATE MATERIALIZED VIEW x ENGINE = Memory AS SELECT 1",
    "CREATE FUNCTION x AS (a) -> a",
    "CREATE USER x",
    "CREATE DICTIONARY x (a Int8) PRIMARY KEY a SOURCE(NULL()) LAYOUT(FLAT()) LIFETIME(0)",
    "ATTACH TABLE x",
    "DETACH TABLE session_rollups",
    "DROP TABLE session_rollups",
    "DROP DATABASE system",
    "UNDROP TABLE x",
    "TRUNCATE TABLE session_rollups",
    "ALTER TABLE session_rollups DELETE WHERE 1",
    "ALTER TABLE session_rollups FREEZE",
    "ALTER TABLE session_rollups MODIFY SETTING index_granularity = 1",
    "DELETE FROM session_rollups WHERE 1",
    "UPDATE session_rollups SET name = 'x' WHERE 1",
    "OPTIMIZE TABLE session_rollups FINAL",
    "RENAME TABLE session_rollups TO x",
    "EXCHANGE TABLES session_rollups AND session_traces",
    "SYSTEM FLUSH LOGS",
    "SYSTEM SHUTDOWN",
    "SYSTEM STOP MERGES",
    "KILL QUERY WHERE 1",
    "KILL MUTATION WHERE 1",
    "GRANT ALL ON *.* TO default",
    "BACKUP TABLE session_rollups TO File('/tmp/x')",
    "RESTORE TABLE session_rollups FROM File('/tmp/x')",
    "SET readonly = 0",
    "SET max_threads = 1",
    "SET ROLE x",
    "EXECUTE AS default SELECT 1",
    "BEGIN TRANSACTION",
    "COMMIT",
    "CHECK TABLE session_rollups",
    "SELECT 1 PARALLEL WITH DROP TABLE session_rollups",
    "(SELECT 1) PARALLEL WITH (SELECT 2) FORMAT JSON",
    "MOVE USER x TO y",
]


@pytest.mark.parametrize("query", WRITES)
@pytest.mark.parametrize("disguise", ["{}", "/* x */ {} -- y", " ;{};"])
def test_what_writes_is_refused(url: str, writer: Any, store_config: StoreConfig, query: str, disguise: str) -> None:
    """As READONLY, whatever stands around it; the store is as it was."""
    code = code_of(url, disguise.format(query))
    assert code in (READONLY, "511" if "ROLE" in query else READONLY, "62" if ";{}" in disguise else READONLY)
    assert writer.command(f"SELECT count() FROM {store_config.database}.session_rollups") == 1


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1; DROP TABLE session_rollups",
        "SELECT 1\n;\n\nINSERT INTO session_rollups (session_id) VALUES ('x')",
        "SELECT '\\'; -- '; DROP TABLE session_rollups",
        "SELECT 1 -- ; \n ; DROP TABLE session_rollups",
        "SELECT 1\0; DROP TABLE session_rollups",
        "SELECT $x$ ; $x$; DROP TABLE session_rollups",
    ],
)
def test_a_second_statement_is_never_run(url: str, writer: Any, store_config: StoreConfig, query: str) -> None:
    """One request is one statement."""
    assert code_of(url, query) == "62"
    assert writer.command(f"EXISTS TABLE {store_config.database}.session_rollups") == 1
    assert writer.command(f"SELECT count() FROM {store_config.database}.session_rollups") == 1


@pytest.mark.parametrize(
    "query",
    [
        "SELECT file('{path}')",
        "SELECT `file`('{path}')",
        "SELECT \"file\"('{path}')",
        "SELECT /* */ file /* */ ('{path}')",
        "SELECT arrayMap(file, ['{path}'])",
        "SELECT arrayMap(x -> file(x), ['{path}'])",
        "SELECT arrayMap({{f:Identifier}}, ['{path}'])",
        "SELECT COLUMNS('p') APPLY(file) FROM (SELECT '{path}' AS p)",
        "SELECT COLUMNS('p') APPLY file FROM (SELECT '{path}' AS p)",
        "SELECT * REPLACE (file(p) AS p) FROM (SELECT '{path}' AS p)",
        "WITH file AS f SELECT f('{path}')",
        "WITH (x -> file(x)) AS f SELECT f('{path}')",
        "SELECT * FROM file('{path}', 'LineAsString')",
        "SELECT * FROM `file`('{path}', LineAsString)",
        "SELECT * FROM FILE('{path}', 'LineAsString')",
        "DESCRIBE file('{path}', 'LineAsString')",
        "DESC TABLE `file`('{path}')",
        "DESCRIBE (SELECT * FROM file('{path}', 'LineAsString'))",
        "EXPLAIN SELECT file('{path}')",
        "EXPLAIN SYNTAX run_query_tree_passes = 1 SELECT file('{path}')",
        "SELECT * FROM view(SELECT file('{path}'))",
        "SELECT * FROM '{path}'",
        "SELECT * FROM `{path}`",
        "SELECT * FROM file.`{path}`",
        "SELECT * FROM default.`{path}`",
        "SELECT (SELECT file('{path}')) FROM sessions",
        "SELECT 1 WHERE file('{path}') = (SELECT 1)",
        "SELECT 1 ORDER BY file('{path}')",
        "SELECT 1 LIMIT length(file('{path}'))",
        "SELECT count() OVER (ORDER BY file('{path}'))",
        "SHOW TABLES WHERE file('{path}') != ''",
        "SHOW COLUMNS FROM sessions WHERE file('{path}') != ''",
        "SELECT * FROM sqlite('{path}', 't')",
        "SELECT * FROM filesystem('{path}')",
        "SELECT * FROM executable('{path}', 'CSV', 'a String')",
        "SELECT * FROM eval('SELECT file(\\'{path}\\')')",
        "SELECT * FROM icebergLocal('{path}')",
        "SELECT * FROM deltaLakeLocal('{path}')",
        "SELECT * FROM Python(secret)",
        "SELECT * FROM `python`(secret)",
        "SELECT * FROM loop(file('{path}'))",
        "SELECT * FROM (SELECT * FROM file('{path}', 'LineAsString') SETTINGS readonly = 0)",
        "SELECT (SELECT file('{path}') SETTINGS readonly = 0)",
        "EXISTS TABLE file('{path}')",
        # Drivers list settings with a weaker readonly, in which the engine would read this.
        "SELECT name FROM system.settings, default.`{path}`",
        "SELECT name FROM default.`{path}`, system.settings",
        "SELECT name FROM system.settings CROSS JOIN default.`{path}`",
        "SELECT name FROM system.settings PASTE JOIN default.`{path}`",
        "SELECT name FROM system.settings WHERE name IN default.`{path}`",
        "SELECT name IN default.`{path}` FROM system.settings",
        "SELECT name FROM system.settings UNION ALL SELECT * FROM default.`{path}`",
        "SELECT name FROM system.settings INTERSECT SELECT * FROM default.`{path}`",
        "WITH x AS (SELECT * FROM default.`{path}`) SELECT * FROM x, system.settings",
        "SELECT {{f:Identifier}} FROM system.settings LIMIT 1",
        "SELECT COLUMNS('name') APPLY file FROM system.settings",
        "SELECT 1 FORMAT Template SETTINGS format_template_resultset = '{path}'",
        "SELECT 1 FORMAT Protobuf SETTINGS format_schema = '{path}:X'",
    ],
)
def test_no_file_can_be_read(url: str, secret: Path, query: str) -> None:
    """Not by a function, a table function, a table, a format or a frame of this process."""
    assert code_of(url, query.format(path=secret), param_f="file") in (READONLY, DENIED, "60", "62", "81", "452")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 INTO OUTFILE '{path}'",
        "SELECT 1 INTO OUTFILE '{path}' FORMAT CSV",
        "SELECT 1 /* */ into/**/outfile '{path}' TRUNCATE",
        "SELECT 1 INTO OUTFILE '{path}' AND STDOUT",
        "EXPLAIN SELECT 1 INTO OUTFILE '{path}'",
        "SHOW TABLES INTO OUTFILE '{path}'",
        "DESCRIBE TABLE sessions INTO OUTFILE '{path}'",
        "SELECT * FROM system.settings LIMIT 1 INTO OUTFILE '{path}'",
        "SELECT 1 SETTINGS output_format_schema = '{path}' FORMAT Protobuf",
        "INSERT INTO FUNCTION file('{path}', 'CSV', 'a Int8') VALUES (1)",
    ],
)
def test_no_file_can_be_written(url: str, tmp_path: Path, query: str) -> None:
    """INTO OUTFILE passes the engine's own readonly."""
    path = tmp_path / "out"
    assert code_of(url, query.format(path=path)) in (READONLY, "452")
    assert code_of(url, "SELECT 1 FORMAT Protobuf", output_format_schema=path) == "452"
    assert not path.exists()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM url('http://127.0.0.1:{port}/a', 'LineAsString')",
        "DESCRIBE url('http://127.0.0.1:{port}/b', 'CSV')",
        "DESCRIBE TABLE `url`('http://127.0.0.1:{port}/b')",
        "DESCRIBE (SELECT * FROM url('http://127.0.0.1:{port}/b'))",
        "EXPLAIN SELECT * FROM url('http://127.0.0.1:{port}/b')",
        "EXPLAIN ESTIMATE SELECT * FROM url('http://127.0.0.1:{port}/b')",
        "SELECT * FROM s3('http://127.0.0.1:{port}/bucket/c.csv')",
        "DESCRIBE s3('http://127.0.0.1:{port}/bucket/c.csv', 'CSV')",
        "DESCRIBE gcs('http://127.0.0.1:{port}/bucket/c.csv')",
        "SELECT * FROM s3Cluster('default', 'http://127.0.0.1:{port}/bucket/c.csv')",
        "SELECT * FROM hudi('http://127.0.0.1:{port}/bucket/d')",
        "SELECT * FROM remote('127.0.0.1:{port}', system.one)",
        "DESCRIBE remote('127.0.0.1:{port}', system.one)",
        "SELECT * FROM remoteSecure('127.0.0.1:{port}', system, one)",
        "SELECT * FROM mysql('127.0.0.1:{port}', 'b', 'c', 'd', 'e')",
        "DESCRIBE postgresql('127.0.0.1:{port}', 'b', 'c', 'd', 'e')",
        "SELECT * FROM mongodb('127.0.0.1:{port}', 'b', 'c', 'd', 'e', 'a Int8')",
        "SELECT * FROM jdbc('http://127.0.0.1:{port}', 'x', 'y')",
        "SELECT * FROM cluster('default', system.one)",
        "SELECT * FROM clusterAllReplicas('default', system.one)",
        "SELECT * FROM bigquery('x', 'y', 'z')",
        "SELECT * FROM `http://127.0.0.1:{port}/e`",
        "EXPLAIN TABLE OVERRIDE mysql('127.0.0.1:{port}', 'b', 'c', 'd', 'e') COLUMNS (a Int8)",
        "SELECT aiGenerate('x', map('endpoint', 'http://127.0.0.1:{port}/f'))",
        "SELECT 1, url('http://127.0.0.1:{port}/a') FROM numbers(1), url('http://127.0.0.1:{port}/a', 'CSV')",
    ],
)
def test_the_network_is_out_of_reach(url: str, web: tuple[int, list[str]], query: str) -> None:
    """Nothing is ever asked for, not even to find out its columns."""
    port, asked = web
    assert code_of(url, query.format(port=port)) in (READONLY, DENIED, "60")
    assert asked == []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM system.processes",
        "SELECT * FROM `system`.`processes`",
        'SELECT * FROM "system"."processes"',
        "SELECT * FROM system . /* */ processes",
        "SELECT 1 IN system.processes",
        "SELECT 1 IN (SELECT 1 FROM system.processes)",
        "WITH system.processes AS x SELECT * FROM x",
        "WITH x AS (SELECT * FROM system.processes) SELECT * FROM x",
        "SELECT * FROM sessions JOIN system.processes AS p ON 1",
        "SELECT * FROM {db:Identifier}.{table:Identifier}",
        "SELECT * FROM {whole:Identifier}",
        "SELECT * FROM system.{table:Identifier}",
        "SELECT * FROM merge('system', 'proc.*')",
        "SELECT * FROM merge(REGEXP('sys.*'), 'proc.*')",
        "SELECT * FROM loop(system, processes)",
        "SELECT * FROM view(SELECT * FROM system.processes)",
        "SELECT * FROM viewIfPermitted(SELECT * FROM system.processes ELSE null('a Int8'))",
        "SELECT * FROM viewExplain('EXPLAIN', '', (SELECT * FROM system.processes))",
        "DESCRIBE system.processes",
        "SHOW PROCESSLIST",
        "SHOW FULL PROCESSLIST",
        "SELECT * FROM system.server_settings",
        "SELECT * FROM system.stack_trace",
        "SELECT * FROM system.disks",
        "SELECT * FROM system.named_collections",
        "SELECT * FROM system.user_query_log",
        "SELECT * FROM system.query_cache",
        "SELECT * FROM mergeTreeIndex(system, processes)",
    ],
)
def test_tables_about_the_machine_and_other_queries_are_closed(url: str, query: str) -> None:
    """However they are named."""
    names = {"param_db": "system", "param_table": "processes", "param_whole": "system.processes"}
    assert code_of(url, query, **names) in (READONLY, DENIED, "62")


@pytest.mark.parametrize("query", ["SELECT * FROM processes", "SELECT 1 IN processes", "SHOW PROCESSLIST"])
def test_naming_the_database_apart_opens_nothing(url: str, query: str) -> None:
    """`database=system` and an unqualified name are the same table."""
    assert code_of(url, query, database="system") == DENIED
    assert code_of(url, query, database="SYSTEM") in (DENIED, "81", "60")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT getServerSetting('max_connections')",
        "SELECT filesystemCapacity()",
        "SELECT getOSKernelVersion()",
        "SELECT showCertificate()",
        "SELECT addressToLine(1::UInt64)",
        "SELECT serverUUID()",
        "SELECT aiEmbed('x')",
    ],
)
def test_functions_about_the_machine_are_closed(url: str, query: str) -> None:
    """They have nothing to do with sessions."""
    assert code_of(url, query) == DENIED


LIMITS = {
    "max_execution_time": "1000000",
    "max_memory_usage": "100000000000",
    "max_parser_depth": "1000000",
    "max_ast_depth": "1000000",
    "max_ast_elements": "0",
    "max_query_size": "0",
    "max_block_size": "1000000000",
    "max_subquery_depth": "0",
}


@pytest.mark.parametrize("name", LIMITS)
def test_no_limit_can_be_lifted(url: str, name: str) -> None:
    """Not above what is configured, not to 0, which is none, and not by any trick of numbers."""
    for value in (LIMITS[name], "0", "-1", "nan", "inf", "1e30"):
        assert code_of(url, "SELECT 1", **{name: value}) in ("452", "36")
        assert code_of(url, f"SELECT 1 SETTINGS {name} = '{value}'") in ("452", "36")
    assert code_of(url, f"SELECT * FROM (SELECT 1 SETTINGS {name} = {LIMITS[name]})") == READONLY
    assert code_of(url, "SELECT 1", **{name: "x"}) == "36"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("readonly", "0", READONLY),
        ("readonly", "3", READONLY),
        ("allow_ddl", "1", "452"),
        ("profile", "default", "115"),
        ("dialect", "kusto", "452"),
        ("allow_introspection_functions", "1", "452"),
        ("allow_experimental_eval_table_function", "1", "452"),
        ("format_schema", "x:y", "452"),
        ("additional_table_filters", "{}", "452"),
        ("insert_quorum", "1", "452"),
        ("max_threads", "1000", "452"),
        ("no_such_setting", "1", "115"),
        ("max_threads = 1, readonly", "0", "115"),
    ],
)
def test_other_settings_are_closed(url: str, name: str, value: str, code: str) -> None:
    """By URL; in the query the same holds."""
    assert code_of(url, "SELECT 1", **{name: value}) == code
    if name.isidentifier():
        assert code_of(url, f"SELECT 1 SETTINGS {name} = '{value}'") == code
        assert code_of(url, f"SELECT 1 FORMAT CSV SETTINGS max_threads = 1, {name} = '{value}'") == code


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM (SELECT 1 SETTINGS readonly = 0)",
        "SELECT (SELECT 1 SETTINGS allow_ddl = 1)",
        "SELECT 1 WHERE 1 IN (SELECT 1 SETTINGS max_memory_usage = 0)",
        "WITH x AS (SELECT 1 SETTINGS max_execution_time = 0) SELECT * FROM x",
        "SELECT * FROM view(SELECT 1 SETTINGS allow_introspection_functions = 1)",
        "SELECT * FROM ((SELECT 1 settings/**/`readonly`=0))",
        "SELECT 1 UNION ALL SELECT 2 SETTINGS readonly = 0",
        "(SELECT 1 SETTINGS readonly = 0) UNION ALL SELECT 2",
        "EXPLAIN SELECT 1 SETTINGS readonly = 0",
        "SELECT name FROM system.settings LIMIT 1 SETTINGS readonly = 0",
        # A name without a value is switched on, and may stand before others.
        "SELECT * FROM (SELECT 1 SETTINGS final)",
        "SELECT * FROM (SELECT 1 SETTINGS final, readonly = 0)",
        "SELECT * FROM (SELECT number FROM numbers(9) SETTINGS `final`, limit = 3)",
        "SELECT * FROM (SELECT 1 SETTINGS max_threads = 1, final)",
        "SELECT 1 SETTINGS final SETTINGS readonly = 0",
        "SELECT 1 SETTINGS final, readonly = 0",
    ],
)
def test_a_subquery_has_no_settings_of_its_own(url: str, query: str) -> None:
    """The engine would take them."""
    assert code_of(url, query) == READONLY


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT 1 SETTINGS allow_ddl", "452"),
        ("SELECT 1 SETTINGS max_threads = 1, allow_ddl", "452"),
        ("SELECT 1 SETTINGS final, max_memory_usage = 0", "452"),
        # A listing of settings runs with a weaker readonly, in which the engine would take all of these.
        ("SELECT name FROM system.settings LIMIT 1 SETTINGS final, max_memory_usage = 0", "452"),
        (
            "SELECT name FROM system.settings SETTINGS http_response_headers = {'a': 'b'}, max_memory_usage = 0",
            "36",
        ),
    ],
)
def test_a_setting_without_a_value_hides_no_other(url: str, query: str, code: str) -> None:
    """`SETTINGS name` is `name = 1`: by the same list, and so is what stands behind it."""
    assert code_of(url, query) == code
    assert httpx.post(url, content="SELECT 1 SETTINGS final, max_threads = 1").text == "1\n"
    assert httpx.post(url, content="SELECT (SETTINGS + 1) FROM (SELECT 1 AS SETTINGS)").text == "2\n"


def test_a_setting_cannot_smuggle_another(url: str) -> None:
    """Values are quoted."""
    smuggled = "', readonly = 0, allow_ddl = '1"
    response = httpx.post(
        url, content="SELECT getSetting('readonly')", params={"format_csv_null_representation": smuggled}
    )
    assert response.text == "1\n"
    response = httpx.post(
        url, content="SELECT getSetting('readonly')", params={"format_csv_null_representation": "\\' , readonly=0 --"}
    )
    assert response.text == "1\n"


@pytest.mark.parametrize("database", ["`; DROP TABLE x; --", "a`b", "a\\", "../../etc", "x' OR '1"])
def test_a_database_name_is_only_a_name(url: str, database: str) -> None:
    """Quoted, so there is none of that name."""
    assert code_of(url, "SELECT 1", database=database) == "81"


def test_the_same_readonly_is_allowed_to_be_asked_for(url: str) -> None:
    """Grafana sends readonly=1 or 2."""
    for value in ("1", "2"):
        assert httpx.get(url, params={"query": "SELECT 1", "readonly": value}).text == "1\n"


def test_tools_can_look_around(url: str, store_config: StoreConfig) -> None:
    """What drivers ask before they show anything."""
    for query in (
        "SHOW DATABASES",
        "SHOW TABLES",
        "SHOW CREATE TABLE sessions",
        "SHOW COLUMNS FROM sessions",
        "DESCRIBE TABLE sessions",
        "DESCRIBE (SELECT 1)",
        "DESCRIBE TABLE numbers(1)",
        "EXISTS TABLE sessions",
        "EXPLAIN SELECT * FROM sessions",
        "EXPLAIN AST SELECT 1",
        f"SELECT * FROM system.columns WHERE database = '{store_config.database}'",
        "SELECT name, value FROM system.settings LIMIT 3",
        "SELECT * FROM system.data_type_families LIMIT 1",
        "SELECT * FROM information_schema.tables LIMIT 1",
        "SELECT table_name FROM INFORMATION_SCHEMA.COLUMNS LIMIT 1",
        "SELECT number FROM system.numbers LIMIT 1",
        "SELECT * FROM values('a Int8', 1)",
        "SELECT SpanAttributes['file'] AS file FROM otel_traces",
        "SELECT format('{}', 'x')",
        "SELECT 'system.processes; DROP TABLE x INTO OUTFILE'",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "FROM sessions SELECT count()",
    ):
        response = httpx.post(url, content=query, timeout=60)
        assert response.status_code == 200, (query, response.text)


def test_what_the_engine_has_is_either_open_or_closed_on_purpose(store_config: StoreConfig, writer: Any) -> None:
    """A new table function is closed until it is listed; lists name what exists, or did."""
    engine = Engine(store_config, ClickHouseHttpConfig())
    try:
        assert engine.guard.table_functions >= TABLE_FUNCTIONS
        assert not SYSTEM_TABLES - engine.guard.system_tables
        functions = {row[0] for row in writer.query("SELECT lower(name) FROM system.functions").result_rows}
        assert {"file", "filesystemcapacity", "showcertificate", "getserversetting"} <= functions & FUNCTIONS_DENIED
        # A plain function with the name of a closed table function would be closed with it.
        assert (functions & engine.guard.table_functions) - TABLE_FUNCTIONS == {"file", "format", "fuzzquery"}
        query = "SELECT lower(name) FROM system.functions WHERE categories IN ('AI')"
        assert all(row[0].startswith("ai") for row in writer.query(query).result_rows)
    finally:
        engine.close()
