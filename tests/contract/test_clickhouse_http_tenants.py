"""A tenant's SQL tells nothing of other tenants: what it is answered is the same with their rows and without.

Each statement runs on two databases, one with the rows of one tenant, one with those of another one beside them,
and the answers must be equal to the byte: rows, counts, errors, statistics. So a statement that is refused may be
written in any way, and one that is allowed may do anything, as long as it sees no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import orjson
import pytest

from processor.clickhouse_http.config import ClickHouseHttpConfig
from processor.clickhouse_http.engine import Engine
from processor.clickhouse_http.tenancy import CLOSED, SETTINGS, SYSTEM_TABLES
from processor.clickhouse_http.tenant_guard import SIZES, VIRTUAL_COLUMNS
from processor.store.connection import StoreConfig
from tests.clickhouse_server import clickhouse_server
from tests.contract.tenant_rows import OTHER, OWN, ROWS, fill

HEADER = "x-test-tenant"
SECRET = b"secret"
ALONE, SHARED = "tenants_a", "tenants_b"
DENIED, CHANGED = "497", "452"

TABLES = (
    *("sessions", "session_usage", "threads", "traces", "trace_usage", "users", "otel_traces_trace_id_ts"),
    *("otel_traces", "otel_logs", "session_spans", "session_traces", "session_rollups", "session_metrics"),
    *("trace_sessions", "shared_traces", "deleted_sessions", "deleted_spans", "purge_due"),
    *("schema_migrations", "rollup_checkpoints", "revisions", "settings"),
)


@pytest.fixture(scope="module")
def client(chdb_client: Callable[[str], Any]) -> Any:
    """A client that may do everything, of both databases, filled."""
    for database, tenants in ((ALONE, (OWN,)), (SHARED, (OWN, OTHER))):
        opened = chdb_client(database)
        for tenant in tenants:
            fill(opened, database, tenant)
        tables = opened.query(
            f"SELECT name FROM system.tables WHERE database = '{database}' AND engine LIKE '%MergeTree'"
        )
        for (table,) in tables.result_rows:
            opened.command(f"OPTIMIZE TABLE {database}.{table} FINAL")  # rows of both beside each other
    return opened


@pytest.fixture(scope="module", autouse=True)
def _connections() -> Iterator[None]:
    yield
    _http.close()


@pytest.fixture(scope="module")
def urls(client: Any, store_config: StoreConfig) -> Iterator[dict[str, str]]:
    """The interfaces over both databases, by database."""
    configs = {name: StoreConfig(dsn=store_config.dsn, database=name) for name in (ALONE, SHARED)}
    options: dict[str, Any] = {"tenant_header": HEADER, "max_execution_time_s": 20}
    with clickhouse_server(configs[ALONE], **options) as alone, clickhouse_server(configs[SHARED], **options) as shared:
        yield {ALONE: alone, SHARED: shared}


_http = httpx.Client(timeout=60)  # one connection for all: a thousand queries


def ask(url: str, query: str, tenant: str = OWN, **parameters: str) -> httpx.Response:
    """What a tenant is answered."""
    return _http.post(url, content=query, params=parameters, headers={HEADER: tenant.encode()})


def answers(urls: dict[str, str], query: str, **parameters: str) -> list[tuple[Any, ...]]:
    """All that the answers on both databases tell, without what any two answers differ in."""
    told = []
    for database, url in urls.items():
        given = {name: value.replace("{db}", database) for name, value in parameters.items()}
        response = ask(url, query.replace("{db}", database), **given)
        summary = orjson.loads(response.headers.get("x-clickhouse-summary", "{}"))
        summary.pop("elapsed_ns", None)
        body = response.content.replace(database.encode(), b"{db}")
        assert SECRET not in body.replace(b"not-their-secret", b""), (query, body[:500])
        told.append((response.status_code, response.headers.get("x-clickhouse-exception-code"), body, summary))
    return told


def same(urls: dict[str, str], query: str, **parameters: str) -> tuple[Any, ...]:
    """The one answer that both databases give."""
    alone, shared = answers(urls, query, **parameters)
    assert alone == shared, query
    return alone


@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_only_the_rows_of_the_tenant(urls: dict[str, str], table: str) -> None:
    """Every table and view, its rows and its counts, with FINAL or without, by any name."""
    status, _, body, _ = same(urls, f"SELECT * FROM {table} ORDER BY ALL LIMIT 100")
    assert status == 200, body
    forms = ("{0}",) if table != "sessions" else ("{{db}}.{0}", '`{{db}}`."{0}" AS x', "(SELECT * FROM {0})", "{0}")
    for form in forms:
        status, _, body, _ = same(urls, f"SELECT count() FROM {form.format(table)}")
        assert status == 200, body
    if table in ("sessions", "otel_traces", "session_spans"):
        assert body == b"%d\n" % ROWS


def test_each_tenant_has_its_own_rows(urls: dict[str, str]) -> None:
    """The other one sees its own on the same server; a tenant without rows, whatever it is called, none."""
    query = "SELECT DISTINCT tenant FROM sessions UNION ALL SELECT DISTINCT Tenant FROM otel_traces"
    assert ask(urls[SHARED], query).text == f"{OWN}\n{OWN}\n"
    assert ask(urls[SHARED], query, tenant=OTHER).text == f"{OTHER}\n{OTHER}\n"
    for name in ("", "none", "a' OR 1 --", "x') OR ('1'='1", "\\", "\\' OR 1", f"{OTHER}\\", "%", "{x}", OTHER.upper()):
        response = ask(urls[SHARED], query, tenant=name)
        assert (response.status_code, response.text) == (200, ""), name


# Each computes something on rows that a filter should have left out, and fails if one of them is another tenant's.
TELLS = "throwIf(startsWith({column}, 'secret'))"
ORACLES = [
    "SELECT count() FROM {table} WHERE {tells} = 0",
    "SELECT count() FROM {table} WHERE {column} != 'x' AND {tells} = 0",
    "SELECT count() FROM {table} WHERE {tells} = 0 AND {column} LIKE 'own%'",
    "SELECT count() FROM {table} WHERE {column} LIKE 'own%' OR {tells} = 0",
    "SELECT count() FROM {table} PREWHERE {tells} = 0",
    "SELECT count() FROM {table} WHERE arrayExists(x -> throwIf(startsWith(x, 'secret')) = 0, [{column}])",
    "SELECT count() FROM {table} WHERE if({column} = 'z', 1, {tells} = 0)",
    "SELECT count() FROM {table} WHERE toUInt64OrZero({column}) = 0 AND identity({tells}) = 0",
    "SELECT {column}, {tells} FROM {table} ORDER BY 1 LIMIT 2",
    "SELECT count() FROM {table} GROUP BY {tells}",
    "SELECT {column}, count() FROM {table} GROUP BY {column} HAVING {tells} = 0 ORDER BY 1 LIMIT 2",
    "SELECT max({tells}), countIf({tells} = 0) FROM {table}",
    "SELECT {column} FROM {table} ORDER BY {tells}, {column} LIMIT 1",
    "SELECT {column} FROM {table} ORDER BY {column} LIMIT 1 BY {tells}",
    "SELECT row_number() OVER (ORDER BY {tells}, {column}) FROM {table} LIMIT 1",
    "SELECT {column}, row_number() OVER (PARTITION BY {column}) AS r FROM {table} QUALIFY {tells} = 0 LIMIT 1 BY r",
    "SELECT count() FROM (SELECT {column} FROM {table}) WHERE {tells} = 0",
    "SELECT count() FROM (SELECT DISTINCT {column} FROM {table}) WHERE {tells} = 0",
    "SELECT count() FROM (SELECT {column}, {tells} AS x FROM {table}) WHERE x = 0",
    "WITH x AS (SELECT * FROM {table}) SELECT count() FROM x WHERE {tells} = 0",
    "SELECT count() FROM (SELECT {column} FROM {table} UNION ALL SELECT {column} FROM {table}) WHERE {tells} = 0",
    "SELECT count() FROM {table} AS x JOIN {table} AS y ON x.{column} = y.{column} WHERE {tells_y} = 0",
    "SELECT count() FROM {table} AS x LEFT JOIN {table} AS y ON x.{column} = y.{column} AND {tells_y} = 0",
    "SELECT count() FROM {table} AS x SEMI JOIN {table} AS y USING ({column}) WHERE {tells} = 0",
    "SELECT count() FROM {table} WHERE {column} IN (SELECT {column} FROM {table} WHERE {tells} = 0)",
    "SELECT count() FROM {table} WHERE EXISTS(SELECT 1 FROM {table} AS y WHERE {tells_y} = 0)",
    "SELECT count() FROM {table} ARRAY JOIN [1, 2] AS z WHERE {tells} = 0 AND z = 1",
    "SELECT count() FROM {table} WHERE toUInt8(replaceOne({column}, 'own-', '')) < 255",
    "SELECT count() FROM {table} WHERE intDiv(1, toUInt8(startsWith({column}, 'own'))) = 1",
]
PLACES = [
    ("session_rollups", "session_id"),
    ("otel_traces", "TraceId"),
    ("otel_traces FINAL", "ServiceName"),
    ("sessions", "session_id"),
]


@pytest.mark.parametrize(("table", "column"), PLACES)
def test_nothing_is_computed_on_rows_of_others(urls: dict[str, str], table: str, column: str) -> None:
    """In no clause, with no function that fails: the text of an error would be theirs, and that there is one, too."""
    for template in ORACLES:
        if "FINAL" in table and " AS " in template and "{table} AS" in template:
            continue  # FINAL stands behind an alias
        query = template.format(
            table=table, column=column, tells=TELLS.format(column=column), tells_y=TELLS.format(column=f"y.{column}")
        )
        response = ask(urls[SHARED], query)
        is_refused = response.headers.get("x-clickhouse-exception-code") == DENIED and "PREWHERE" in query
        assert response.status_code == 200 or is_refused, response.text
        assert SECRET not in response.content.replace(b"'secret'", b"")


STATEMENTS = [
    # counts, extremes and what is known of parts without reading them
    "SELECT count() FROM otel_traces",
    "SELECT count(), min(Timestamp), max(Timestamp), min(Tenant), max(Tenant), any(TraceId) FROM otel_traces",
    "SELECT count() FROM otel_traces WHERE Tenant = 'tenant-b'",
    "SELECT count() FROM otel_traces FINAL WHERE ServiceName LIKE 'secret%'",
    "SELECT tenant, name FROM session_rollups WHERE tenant = 'tenant-b' ORDER BY tenant, name, session_id LIMIT 5",
    "SELECT tenant, start_ns FROM session_rollups WHERE tenant != '' ORDER BY tenant, start_ns LIMIT 5",
    "SELECT uniqExact(tenant), groupUniqArray(tenant), topK(5)(tenant) FROM session_rollups",
    "SELECT tenant, count() FROM session_rollups GROUP BY tenant WITH ROLLUP ORDER BY ALL",
    "SELECT tenant, count() FROM session_rollups GROUP BY tenant WITH CUBE ORDER BY ALL",
    "SELECT count() FROM session_rollups GROUP BY () WITH TOTALS",
    "SELECT session_id FROM session_rollups ORDER BY session_id DESC LIMIT 1 OFFSET 59",
    "SELECT session_id FROM session_rollups ORDER BY session_id DESC LIMIT 3 OFFSET 60",
    "SELECT start_ns FROM session_rollups ORDER BY start_ns WITH FILL STEP 1 LIMIT 300",
    "SELECT session_id FROM session_rollups WHERE hasToken(name, 'secret') OR name LIKE '%secret%'",
    "SELECT session_id FROM session_rollups WHERE lowerUTF8(concat(session_id, '\\0', name)) LIKE '%secret%'",
    # names, aliases and scopes
    "WITH 'tenant-b' AS tenant SELECT count() FROM session_rollups",
    "SELECT 'tenant-a' AS tenant, session_id FROM session_rollups WHERE tenant = 'tenant-a' ORDER BY 2 LIMIT 3",
    "SELECT count() FROM session_rollups AS otel_traces",
    "SELECT count() FROM session_rollups AS `{db}.settings`",
    "SELECT count() FROM session_rollups AS `{db}.session_traces`",
    "SELECT count() FROM {db}.session_rollups AS {alias:Identifier}",
    "SELECT count() FROM {table:Identifier}",
    "SELECT count() FROM {base:Identifier}.{name:Identifier}",
    "SELECT count() FROM session_rollups AS x(tenant)",
    "SELECT tenant FROM (SELECT * EXCEPT (tenant), 'tenant-b' AS tenant FROM session_rollups) ORDER BY 1 LIMIT 2",
    # joins, subqueries, sets
    "SELECT count() FROM session_rollups AS a, session_rollups AS b",
    "SELECT count() FROM session_rollups AS a FULL JOIN session_traces AS b ON a.version = b.version",
    "SELECT count() FROM numbers(9) AS n LEFT JOIN session_rollups AS r ON r.row_count = n.number",
    "SELECT 'secret-1' IN (SELECT session_id FROM session_rollups) AS `not-their-secret`",
    "SELECT ('tenant-b', 'secret-1') IN shared_traces AS `not-their-secret`",
    "SELECT 1 IN (SELECT count() = 120 FROM session_rollups)",
    "SELECT (SELECT count() FROM session_rollups), exists(SELECT 1 FROM session_rollups WHERE tenant = 'tenant-b')",
    "SELECT * FROM (SELECT session_id FROM session_rollups INTERSECT SELECT session_id FROM session_traces) ORDER BY 1",
    "SELECT session_id FROM session_rollups EXCEPT SELECT session_id FROM session_rollups WHERE tenant = 'tenant-a'",
    "WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r WHERE x < 3) SELECT count() FROM r, sessions",
    "SELECT count() FROM (SELECT 1 FROM session_rollups UNION DISTINCT SELECT 2 FROM otel_logs)",
    "SELECT sum(c) FROM (SELECT count() AS c FROM session_rollups GROUP BY cityHash64(tenant, session_id))",
    "SELECT count() FROM session_rollups WHERE tenant GLOBAL IN (SELECT tenant FROM session_traces)",
    # what tells of parts, and table functions
    "SELECT DISTINCT _part FROM otel_traces",
    "SELECT count() FROM otel_traces WHERE throwIf(_part LIKE '%_3_3_%') = 0",
    "SELECT count() FROM otel_traces WHERE `_partition_id` = '20251124'",
    "SELECT max(_part_offset) FROM session_rollups",
    "SELECT _block_number FROM session_rollups LIMIT 1",
    "SELECT {virtual:Identifier} FROM session_rollups LIMIT 1",
    "SELECT _table, count() FROM session_rollups GROUP BY ALL",
    "SELECT count() FROM merge('{db}', '^session_rollups$')",
    "SELECT count() FROM merge(REGEXP('.*'), 'session_rollups')",
    "SELECT count() FROM mergeTreeIndex({db}, session_rollups)",
    "SELECT * FROM mergeTreeProjection({db}, session_rollups, by_name)",
    "SELECT * FROM mergeTreeAnalyzeIndexes({db}, session_rollups)",
    "SELECT count() FROM loop({db}.session_rollups)",
    "SELECT count() FROM remote('127.0.0.1', {db}.session_rollups)",
    "SELECT count() FROM cluster('default', {db}.session_rollups)",
    "SELECT count() FROM view(SELECT * FROM {db}.session_rollups WHERE tenant = 'tenant-b')",
    "SELECT count() FROM viewIfPermitted(SELECT * FROM session_rollups ELSE null('x Int8'))",
    "SELECT count() FROM viewExplain('EXPLAIN', '', (SELECT * FROM session_rollups))",
    "SELECT * FROM dictionary('x')",
    "SELECT dictGet('x', 'y', 1)",
    "SELECT joinGet('{db}.session_rollups', 'name', 'secret-1')",
    "SELECT hasColumnInTable('{db}', 'session_rollups', 'name')",
    "SELECT count() FROM session_rollups SAMPLE 1 / 2",
    "SELECT count() FROM session_rollups STREAM",
    # dictionaries that rows share
    "SELECT lowCardinalityKeys(ServiceName) FROM otel_traces",
    "SELECT lowCardinalityIndices(ServiceName) FROM otel_traces",
    "SELECT lowCardinalityKeys(environment) FROM sessions",
    "SELECT arrayMap(lowCardinalityKeys, [ServiceName]) FROM otel_traces",
    "SELECT COLUMNS('ServiceName') APPLY lowCardinalityKeys FROM otel_traces",
    "SELECT dumpColumnStructure(ServiceName) FROM otel_traces LIMIT 1",
    "SELECT blockSerializedSize(ServiceName) FROM otel_traces LIMIT 1",
    "SELECT uniq(ServiceName), groupUniqArray(ServiceName), max(ServiceName) FROM otel_traces",
    "SELECT ServiceName, toNullable(ServiceName), materialize(ServiceName) FROM otel_traces ORDER BY ALL LIMIT 5",
    "SELECT mapKeys(ResourceAttributes), arrayJoin(mapKeys(SpanAttributes)) FROM otel_traces ORDER BY ALL LIMIT 5",
    # plans and estimates
    "EXPLAIN SELECT count() FROM session_rollups",
    "EXPLAIN indexes = 1 SELECT count() FROM session_rollups WHERE tenant = 'tenant-b'",
    "EXPLAIN PLAN projections = 1 SELECT name FROM session_rollups ORDER BY tenant, name",
    "EXPLAIN ESTIMATE SELECT count() FROM session_rollups",
    "EXPLAIN PIPELINE SELECT count() FROM session_rollups",
    "EXPLAIN TABLE OVERRIDE {db}.session_rollups",
    "EXPLAIN AST SELECT count() FROM session_rollups",
    "EXPLAIN SYNTAX SELECT count() FROM session_rollups",
    "EXPLAIN QUERY TREE SELECT (SELECT count() FROM session_rollups) FROM session_rollups",
    "SELECT * FROM (EXPLAIN ESTIMATE SELECT count() FROM session_rollups)",
    "SELECT * FROM (EXPLAIN indexes = 1 SELECT count() FROM session_rollups)",
    # tables about tables
    "SELECT name, engine, sorting_key FROM system.tables WHERE database = '{db}' ORDER BY name",
    "SELECT count() FROM system.tables",
    "SELECT total_rows FROM system.tables WHERE name = 'session_rollups'",
    "SELECT `total_rows` FROM `system`.`tables`",
    "SELECT {size:Identifier} FROM system.tables",
    "SELECT t.total_bytes FROM system.tables AS t",
    "SELECT * FROM system.tables",
    "SELECT t.* FROM system.tables AS t",
    "SELECT DISTINCT ON (name) * FROM system.tables",
    "SELECT COLUMNS('total') FROM system.tables",
    "SELECT name FROM system.tables WHERE total_rows > 60",
    "SELECT name FROM system.tables ORDER BY lifetime_rows",
    "SELECT data_compressed_bytes FROM system.columns",
    "SELECT table_rows FROM information_schema.tables",
    "SELECT TABLE_ROWS FROM INFORMATION_SCHEMA.TABLES",
    "SELECT * FROM information_schema.tables",
    "SELECT table_name FROM information_schema.tables WHERE table_schema = '{db}' ORDER BY 1",
    "SELECT cardinality FROM information_schema.statistics",
    "SELECT name FROM system.databases ORDER BY name",
    "SELECT sum(rows) FROM system.parts",
    "SELECT * FROM system.parts_columns",
    "SELECT * FROM system.projection_parts",
    "SELECT * FROM system.merges",
    "SELECT * FROM system.mutations",
    "SELECT * FROM system.processes",
    "SELECT * FROM system.query_log",
    "SELECT * FROM system.part_log",
    "SELECT * FROM system.detached_parts",
    "SELECT * FROM system.replicas",
    "SELECT * FROM system.dropped_tables",
    "SELECT * FROM system.completions",
    "SELECT * FROM system.{parts:Identifier}",
    "SHOW TABLES",
    "SHOW FULL TABLES",
    "SHOW DATABASES",
    "SHOW CREATE TABLE session_rollups",
    "SHOW CREATE VIEW sessions",
    "SHOW COLUMNS FROM sessions",
    "SHOW INDEX FROM session_rollups",
    "SHOW MERGES",
    "SHOW CLUSTERS",
    "SHOW DICTIONARIES",
    "DESCRIBE TABLE session_rollups",
    "DESCRIBE (SELECT * FROM sessions)",
    "EXISTS TABLE session_rollups",
    "SELECT value FROM system.settings WHERE name = 'max_threads'",
    # other databases
    "SELECT count() FROM tenants_other.session_rollups",
    "SELECT count() FROM `tenants_other`.`session_rollups`",
    "SELECT count() FROM {other:Identifier}",
    "DESCRIBE TABLE tenants_other.session_rollups",
    "SHOW CREATE TABLE tenants_other.session_rollups",
    "SHOW TABLES FROM tenants_other",
    "USE tenants_other",
    "SELECT name FROM system.columns WHERE database = 'tenants_other'",
    # settings
    "SELECT getSetting('optimize_use_projections')",
    "SELECT count() FROM session_rollups SETTINGS additional_table_filters = {}",
    "SELECT count() FROM session_rollups SETTINGS `additional_table_filters` = {'x': '1'}",
    "SELECT count() FROM (SELECT * FROM session_rollups SETTINGS additional_table_filters = {})",
    "SELECT count() FROM session_rollups SETTINGS query_plan_merge_filters = 1",
    "SELECT count() FROM session_rollups SETTINGS optimize_move_to_prewhere",
    "SELECT count() FROM session_rollups SETTINGS optimize_use_projections = 1, max_threads = 1",
    "SELECT count() FROM session_rollups SETTINGS use_query_condition_cache = 1",
    "SELECT count() FROM session_rollups SETTINGS max_rows_to_read = 100",
    "SET additional_table_filters = {}",
    "SELECT count() FROM session_rollups FORMAT JSON SETTINGS output_format_write_statistics = 1",
    "SELECT session_id FROM session_rollups ORDER BY 1 FORMAT JSONEachRowWithProgress",
    "SELECT session_id FROM session_rollups ORDER BY 1 LIMIT 2 FORMAT JSON",
    "SELECT session_id FROM session_rollups ORDER BY 1 LIMIT 2 FORMAT XML",
    "SELECT session_id FROM session_rollups ORDER BY 1 LIMIT 2 FORMAT Null",
]
PARAMETERS = {
    "param_alias": "{db}.settings",
    "param_table": "{db}.session_rollups",
    "param_base": "{db}",
    "param_name": "session_rollups",
    "param_virtual": "_part",
    "param_size": "total_rows",
    "param_parts": "parts",
    "param_other": "tenants_other.session_rollups",
}


@pytest.fixture(scope="module")
def another(client: Any, chdb_client: Callable[[str], Any]) -> None:
    """A database beside the store's, with rows of the tenant's name."""
    fill(chdb_client("tenants_other"), "tenants_other", OWN)


@pytest.mark.usefixtures("another")
@pytest.mark.parametrize("query", STATEMENTS)
def test_an_answer_is_the_same_with_rows_of_others_and_without(urls: dict[str, str], query: str) -> None:
    """Rows, errors, headers: whatever is asked, and however it is written."""
    status, code, body, _ = same(urls, query, **PARAMETERS)
    assert status == 200 or code in (DENIED, CHANGED, "164", "60", "62", "47", "36", "48", "141", "392"), (code, body)
    assert b"Internal" not in body
    written = f"/* x */\t-- ;\n{query.replace('{db}', SHARED)} -- x\n;"
    told = ask(urls[SHARED], written, **{name: value.replace("{db}", SHARED) for name, value in PARAMETERS.items()})
    assert (told.status_code, told.headers.get("x-clickhouse-exception-code")) == (status, code)
    assert SECRET not in told.content.replace(b"not-their-secret", b"")


@pytest.mark.parametrize(
    ("query", "allowed"),
    [
        ("select COUNT(*) from SESSION_ROLLUPS", False),
        ("select/**/count(*)/**/from/**/session_rollups", True),
        ("SeLeCt CoUnT() FrOm `session_rollups`", True),
        ('SELECT count() FROM "session_rollups"', True),
        ("SELECT count() FROM session_rollups PrEwHeRe 1", False),
        ("SELECT count() FROM session_rollups/**/prewhere/**/1", False),
        ("SELECT count() FROM session_rollups WHERE name = 'PREWHERE'", True),
        ("SELECT `_pa\\x72t` FROM session_rollups", False),
        ('SELECT "_part" FROM session_rollups', False),
        ("SELECT LOWCARDINALITYKEYS(ServiceName) FROM otel_traces", False),
        ("SELECT `lowCardinalityKeys`(ServiceName) FROM otel_traces", False),
        ("SELECT total_rows FROM system . /* */ tables", False),
        ("SELECT `total\\x5frows` FROM system.tables", False),
        ("SELECT count() FROM session_rollups WHERE session_id = '\u0441ession'", True),
        ("SELECT count() FROM session\u005frollups", True),
        ("SELECT count() FROM \uff33ession_rollups", False),
    ],
)
def test_spelling_opens_nothing(urls: dict[str, str], query: str, allowed: bool) -> None:
    """Case, comments, quotes, escapes and letters that look alike."""
    response = ask(urls[SHARED], query)
    assert (response.status_code == 200) is allowed, response.text
    assert SECRET not in response.content
    assert f"{2 * ROWS}" not in response.text


def test_settings_that_hold_a_tenant_back_are_closed(urls: dict[str, str]) -> None:
    """In the URL and in the statement."""
    for name in sorted(CLOSED | {"additional_table_filters", "additional_result_filter", "readonly"}):
        value = "0" if name == "readonly" else "1"
        assert same(urls, "SELECT count() FROM sessions", **{name: value})[1] in (CHANGED, "164"), name
        assert same(urls, f"SELECT count() FROM sessions SETTINGS {name} = {value}")[1] in (CHANGED, "164"), name


@pytest.mark.parametrize("database", ["tenants_other", "default", "system", "information_schema", "INFORMATION_SCHEMA"])
@pytest.mark.parametrize(
    "query", ["SELECT count() FROM session_rollups", "SELECT * FROM tables", "SELECT * FROM parts", "SHOW TABLES"]
)
@pytest.mark.usefixtures("another")
def test_naming_the_database_apart_opens_nothing(urls: dict[str, str], database: str, query: str) -> None:
    """`database=` in the URL is as good as a qualified name."""
    told = [answer[:2] for answer in answers(urls, query, database=database)]
    assert told[0] == told[1]


def test_no_format_carries_values_of_others(urls: dict[str, str], client: Any) -> None:
    """Uncompressed, so that they would be found: dictionaries of columns are written by some formats."""
    plain = {
        "output_format_parquet_compression_method": "none",
        "output_format_orc_compression_method": "none",
        "output_format_arrow_compression_method": "none",
        "output_format_avro_codec": "null",
    }
    columns = "SELECT ServiceName, SpanName, ResourceAttributes, mapKeys(SpanAttributes) FROM otel_traces ORDER BY ALL"
    formats = client.query("SELECT name FROM system.formats WHERE is_output").result_rows
    written = 0
    for (name,) in formats:
        answer = ask(urls[SHARED], f"{columns} FORMAT {name}", **plain)
        assert SECRET not in answer.content, name
        written += b"own-0" in answer.content
    assert written > 30
    for dictionary in ("output_format_arrow_low_cardinality_as_dictionary", "low_cardinality_allow_in_native_format"):
        assert ask(urls[SHARED], f"{columns} FORMAT ArrowStream", **{dictionary: "1"}).status_code != 200


def test_what_a_tenant_was_answered_is_kept_for_nobody_else(urls: dict[str, str]) -> None:
    """Asked in turn, each is answered as if alone: nothing the engine remembers of one query serves another tenant."""
    query = "SELECT count() FROM otel_traces WHERE TraceId LIKE '{}-%' AND Duration >= 0"
    for _ in range(2):
        for tenant, word in ((OWN, "own"), (OTHER, "secret")):
            assert ask(urls[SHARED], query.format("secret"), tenant=tenant).text == f"{ROWS * (word == 'secret')}\n"
            assert ask(urls[SHARED], query.format("own"), tenant=tenant).text == f"{ROWS * (word == 'own')}\n"


def test_who_has_no_tenant_sees_all(urls: dict[str, str]) -> None:
    """Where nobody authenticates, nothing is filtered or closed."""
    response = httpx.post(urls[SHARED], content="SELECT count() FROM session_rollups PREWHERE 1 WHERE _part != ''")
    assert response.text == f"{2 * ROWS}\n"
    assert int(orjson.loads(response.headers["x-clickhouse-summary"])["read_rows"]) > 0


def test_every_table_is_filtered(client: Any, store_config: StoreConfig) -> None:
    """A table without a tenant has no rows for one, and a view reads tables; lists name what there is."""
    engine = Engine(StoreConfig(dsn=store_config.dsn, database=SHARED), ClickHouseHttpConfig())
    try:
        filters = engine.tenancy.filters(OWN)
        tables = client.query("SELECT database, name, engine FROM system.tables").result_rows
        for database, table, kind in tables:
            if kind == "View" or (database == "system" and table in SYSTEM_TABLES - {"tables", "columns", "databases"}):
                assert f"{database}.{table}" not in filters
            else:
                assert filters[f"{database}.{table}"]
        open_to_all = [name for name, text in filters.items() if name.startswith(SHARED) and text in ("1", "")]
        assert not open_to_all
        assert set(SETTINGS) <= engine.settings
        assert not SYSTEM_TABLES - engine.guard.system_tables
        described = client.query(f"DESCRIBE TABLE {SHARED}.otel_traces SETTINGS describe_include_virtual_columns = 1")
        virtual = {row[0] for row in described.result_rows if row[-1]}
        assert virtual - VIRTUAL_COLUMNS == {"_table", "_database"}
        known = client.query(
            "SELECT groupUniqArray(lower(name)) FROM system.columns "
            "WHERE database = 'system' AND table IN ('tables', 'columns')"
        )
        assert set(known.result_rows[0][0]) - SIZES == HARMLESS
    finally:
        engine.close()


HARMLESS_TEXT = """
    as_select character_octet_length column comment compression_codec create_table_query database
    datetime_precision default_expression default_kind definer dependencies_database dependencies_table engine
    engine_full has_own_data is_in_partition_key is_in_primary_key is_in_sampling_key is_in_sorting_key
    is_temporary loading_dependencies_database loading_dependencies_table loading_dependent_database
    loading_dependent_table metadata_version name numeric_precision numeric_precision_radix numeric_scale
    parameterized_view_parameters partition_key position primary_key sampling_key skipping_indices_types
    sorting_key table target_database target_table type unique_key uuid
"""
HARMLESS = set(HARMLESS_TEXT.split())
