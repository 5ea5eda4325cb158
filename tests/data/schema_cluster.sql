CREATE DATABASE IF NOT EXISTS agents ON CLUSTER 'main-1';

-- Which of these files a database has had. Every row is its own key: workers that migrate at once write the same rows,
-- and a file that was edited after it was applied stands here with both of its checksums.
CREATE TABLE IF NOT EXISTS agents.schema_migrations_local ON CLUSTER 'main-1'
(
    version UInt32,
    name String,
    checksum String
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
ORDER BY (version, name, checksum);

CREATE TABLE IF NOT EXISTS agents.schema_migrations ON CLUSTER 'main-1' AS agents.schema_migrations_local
ENGINE = Distributed('main-1', 'agents', 'schema_migrations_local', cityHash64(version));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (0, '000_schema_migrations.sql', '2f8b71bf46524387');

-- A span, whole, for people. Column-compatible with the contrib ClickHouse exporter's `otel_traces`, so its Grafana and
-- HyperDX panels work. Ours on top of it: the tenant, the span's own session id, what the contrib table drops (end time,
-- flags, dropped counts, scope attributes, schema URLs), and a key that makes a redelivered span overwrite itself.
-- ContentHash tells two different versions of one span apart, so that neither depends on which came last.
CREATE TABLE IF NOT EXISTS agents.otel_traces_local ON CLUSTER 'main-1'
(
    Tenant LowCardinality(String) DEFAULT 'default' CODEC(ZSTD(1)),
    Timestamp DateTime64(9) CODEC(Delta, ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested (
        Timestamp DateTime64(9),
        Name LowCardinality(String),
        Attributes Map(LowCardinality(String), String),
        DroppedAttributesCount UInt32
    ) CODEC(ZSTD(1)),
    Links Nested (
        TraceId String,
        SpanId String,
        TraceState String,
        Attributes Map(LowCardinality(String), String),
        DroppedAttributesCount UInt32,
        Flags UInt32
    ) CODEC(ZSTD(1)),
    SessionId String DEFAULT '' CODEC(ZSTD(1)),
    EndTimestamp DateTime64(9) DEFAULT toDateTime64(0, 9) CODEC(Delta, ZSTD(1)),
    Flags UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    DroppedAttributesCount UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    DroppedEventsCount UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    DroppedLinksCount UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    ResourceSchemaUrl LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    ResourceDroppedAttributesCount UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    ScopeSchemaUrl LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttributesCount UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    ContentHash UInt64 MATERIALIZED cityHash64(
        Timestamp, EndTimestamp, ParentSpanId, TraceState, Flags, StatusCode, StatusMessage, SpanAttributes,
        ResourceAttributes, Events.Timestamp, Events.Name, Events.Attributes, Links.TraceId, Links.SpanId,
        Links.Attributes
    ) CODEC(NONE),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_session_id SessionId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toDate(Timestamp)
PRIMARY KEY (Tenant, ServiceName, SpanName, toDateTime(Timestamp))
ORDER BY (Tenant, ServiceName, SpanName, toDateTime(Timestamp), TraceId, SpanId, ContentHash)
SETTINGS min_bytes_for_wide_part = 268435456, index_granularity = 8192, index_granularity_bytes = 4194304,
    ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS agents.otel_traces ON CLUSTER 'main-1' AS agents.otel_traces_local
ENGINE = Distributed('main-1', 'agents', 'otel_traces_local', cityHash64(Tenant, TraceId));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (1, '001_otel_traces.sql', 'eb68737923fd83c8');

-- A span, narrow, for rollups. The key is the span itself, content included: the table is the *set* of spans received.
-- A redelivered span replaces itself; a span sent twice with different content stands twice, and `rollup` picks one.
-- `batch_seq` only says where an embedded process resumes after a crash; no row that people read depends on it.
CREATE TABLE IF NOT EXISTS agents.session_spans_local ON CLUSTER 'main-1'
(
    tenant LowCardinality(String),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(LZ4),
    parent_span_id String CODEC(LZ4),
    service LowCardinality(String),
    name LowCardinality(String),
    kind LowCardinality(String),
    start_ns Int64 CODEC(Delta, LZ4),
    end_ns Int64 CODEC(Delta, LZ4),
    status_code UInt8,
    is_error Bool,
    session_id String,
    session_strength UInt8,
    session_name String,
    session_name_rank UInt8,
    user_id String,
    thread_id String,
    model LowCardinality(String),
    provider LowCardinality(String),
    input_tokens Int64,
    output_tokens Int64,
    total_tokens Int64,
    cost_nano_usd Int64,
    batch_seq UInt64 DEFAULT 0,
    content_hash UInt64 MATERIALIZED cityHash64(
        parent_span_id, service, name, kind, start_ns, end_ns, status_code, is_error, session_id, session_strength,
        session_name, session_name_rank, user_id, thread_id, model, provider, input_tokens, output_tokens, total_tokens,
        cost_nano_usd
    ) CODEC(NONE)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(toDateTime(intDiv(start_ns, 1000000000), 'UTC'))
PRIMARY KEY (tenant, trace_id)
ORDER BY (tenant, trace_id, span_id, content_hash)
SETTINGS min_bytes_for_wide_part = 268435456;

CREATE TABLE IF NOT EXISTS agents.session_spans ON CLUSTER 'main-1' AS agents.session_spans_local
ENGINE = Distributed('main-1', 'agents', 'session_spans_local', cityHash64(tenant, trace_id));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (2, '002_session_spans.sql', '5a3ded178b7fa8c9');

-- Which sessions a trace belongs to; one row for every trace ever seen, bound or not.
CREATE TABLE IF NOT EXISTS agents.trace_sessions_local ON CLUSTER 'main-1'
(
    tenant LowCardinality(String),
    trace_id String CODEC(ZSTD(1)),
    version UInt64,
    session_ids Array(String),
    span_count Int64,
    unbound_span_count Int64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version)
ORDER BY (tenant, trace_id)
SETTINGS min_bytes_for_wide_part = 268435456;

CREATE TABLE IF NOT EXISTS agents.trace_sessions ON CLUSTER 'main-1' AS agents.trace_sessions_local
ENGINE = Distributed('main-1', 'agents', 'trace_sessions_local', cityHash64(tenant, trace_id));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (3, '003_trace_sessions.sql', '5159ac913bcb5bad');

-- One trace's rollup inside one session. The version is the size of the trace's span set: a fuller row always wins.
-- span_count = 0: the trace no longer belongs to this session.
CREATE TABLE IF NOT EXISTS agents.session_traces_local ON CLUSTER 'main-1'
(
    tenant LowCardinality(String),
    session_id String,
    trace_id String CODEC(ZSTD(1)),
    version UInt64,
    name LowCardinality(String),
    status_code UInt8,
    session_name String,
    session_name_rank UInt8,
    user_id String,
    thread_id String,
    start_ns Int64 CODEC(Delta, LZ4),
    end_ns Int64 CODEC(Delta, LZ4),
    llm_ns Int64,
    span_count Int64,
    error_count Int64,
    llm_call_count Int64,
    tool_call_count Int64,
    input_tokens Int64,
    output_tokens Int64,
    total_tokens Int64,
    cost_nano_usd Int64,
    unpriced_span_count Int64,
    models Array(LowCardinality(String)),
    providers Array(LowCardinality(String)),
    services Array(LowCardinality(String)),
    start DateTime64(9, 'UTC') ALIAS fromUnixTimestamp64Nano(start_ns, 'UTC'),
    end DateTime64(9, 'UTC') ALIAS fromUnixTimestamp64Nano(end_ns, 'UTC'),
    total_cost Decimal(18, 9) ALIAS reinterpret(cost_nano_usd, 'Decimal(18, 9)')
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version)
PRIMARY KEY (tenant, session_id)
ORDER BY (tenant, session_id, trace_id)
SETTINGS min_bytes_for_wide_part = 268435456, index_granularity = 1024;

CREATE TABLE IF NOT EXISTS agents.session_traces ON CLUSTER 'main-1' AS agents.session_traces_local
ENGINE = Distributed('main-1', 'agents', 'session_traces_local', cityHash64(tenant, session_id));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (4, '004_session_traces.sql', 'edf4d2d45bbbd5d7');

-- One session's rollup. The version is the sum of the versions of its trace rows: a fuller row always wins.
-- trace_count = 0: all its traces moved to other sessions.
CREATE TABLE IF NOT EXISTS agents.session_rollups_local ON CLUSTER 'main-1'
(
    tenant LowCardinality(String),
    session_id String,
    version UInt64,
    name String,
    user_id String,
    thread_id String,
    trace_count Int64,
    active_ns Int64,
    start_ns Int64 CODEC(Delta, LZ4),
    end_ns Int64 CODEC(Delta, LZ4),
    llm_ns Int64,
    span_count Int64,
    error_count Int64,
    llm_call_count Int64,
    tool_call_count Int64,
    input_tokens Int64,
    output_tokens Int64,
    total_tokens Int64,
    cost_nano_usd Int64,
    unpriced_span_count Int64,
    models Array(LowCardinality(String)),
    providers Array(LowCardinality(String)),
    services Array(LowCardinality(String))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version)
ORDER BY (tenant, session_id)
SETTINGS min_bytes_for_wide_part = 268435456, index_granularity = 1024;

CREATE TABLE IF NOT EXISTS agents.session_rollups ON CLUSTER 'main-1' AS agents.session_rollups_local
ENGINE = Distributed('main-1', 'agents', 'session_rollups_local', cityHash64(tenant, session_id));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (5, '005_session_rollups.sql', 'e108da248195eb18');

-- How far an embedded process has rolled up: spans with a larger batch_seq are rolled up again at the next start.
CREATE TABLE IF NOT EXISTS agents.rollup_checkpoints_local ON CLUSTER 'main-1'
(
    worker String,
    batch_seq UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', batch_seq)
ORDER BY worker;

CREATE TABLE IF NOT EXISTS agents.rollup_checkpoints ON CLUSTER 'main-1' AS agents.rollup_checkpoints_local
ENGINE = Distributed('main-1', 'agents', 'rollup_checkpoints_local', cityHash64(worker));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (6, '006_rollup_checkpoints.sql', '7b93c4a903f31c17');

-- What people query: one row a session, plain types, no FINAL to remember.
CREATE OR REPLACE VIEW agents.sessions ON CLUSTER 'main-1' AS
SELECT
    tenant,
    session_id,
    name,
    user_id,
    thread_id,
    fromUnixTimestamp64Nano(start_ns, 'UTC') AS first_seen,
    fromUnixTimestamp64Nano(end_ns, 'UTC') AS last_seen,
    (end_ns - start_ns) / 1e6 AS duration_ms,
    active_ns / 1e6 AS active_ms,
    llm_ns / 1e6 AS llm_ms,
    trace_count,
    span_count,
    error_count,
    llm_call_count,
    tool_call_count,
    input_tokens,
    output_tokens,
    total_tokens,
    reinterpret(cost_nano_usd, 'Decimal(18, 9)') AS total_cost,
    unpriced_span_count,
    models,
    providers,
    services
FROM agents.session_rollups FINAL
WHERE trace_count > 0;

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (7, '007_sessions.sql', '671a44ce5070d19d');

-- Traces of which some worker stored spans that nobody had placed; no worker trusts its memory of them (ADR 0012).
CREATE TABLE IF NOT EXISTS agents.shared_traces_local ON CLUSTER 'main-1'
(
    tenant LowCardinality(String),
    trace_id String CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
ORDER BY (tenant, trace_id);

CREATE TABLE IF NOT EXISTS agents.shared_traces ON CLUSTER 'main-1' AS agents.shared_traces_local
ENGINE = Distributed('main-1', 'agents', 'shared_traces_local', cityHash64(tenant, trace_id));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (8, '008_shared_traces.sql', 'acab8235fbbbea3c');

-- When a row was written, by the store's clock: a worker that was assigned something new learns what is newer than what
-- it has learned before. No row that people read depends on it.
ALTER TABLE agents.trace_sessions_local ON CLUSTER 'main-1' ADD COLUMN IF NOT EXISTS written_at DateTime MATERIALIZED now() CODEC(ZSTD(1));

-- When a row was written, by the store's clock: a worker that was assigned something new learns what is newer than what
-- it has learned before. No row that people read depends on it.
ALTER TABLE agents.trace_sessions ON CLUSTER 'main-1' ADD COLUMN IF NOT EXISTS written_at DateTime MATERIALIZED now() CODEC(ZSTD(1));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (9, '009_trace_sessions_written_at.sql', 'b0261662cbf47c6e');
