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
SETTINGS min_bytes_for_wide_part = 268435456, index_granularity = 8192, index_granularity_bytes = 1048576,
    ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS agents.otel_traces ON CLUSTER 'main-1' AS agents.otel_traces_local
ENGINE = Distributed('main-1', 'agents', 'otel_traces_local', cityHash64(Tenant, TraceId));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (1, '001_otel_traces.sql', '925c523fde2e3342');

-- A span, narrow, for rollups. The key is the span itself, content included: the table is the *set* of spans received.
-- A redelivered span replaces itself; a span sent twice with different content stands twice, and `rollup` picks one.
-- `batch_seq` only says where an embedded process resumes after a crash; no row that people read depends on it.
CREATE TABLE IF NOT EXISTS agents.session_spans_local ON CLUSTER 'main-1'
(
    tenant LowCardinality(String),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(LZ4),
    parent_span_id String CODEC(LZ4),
    source UInt8,
    turn_id LowCardinality(String),
    scope LowCardinality(String),
    service LowCardinality(String),
    name LowCardinality(String),
    kind LowCardinality(String),
    start_ns Int64 CODEC(T64),
    end_ns Int64 CODEC(T64),
    status_code UInt8,
    is_error Bool,
    status_message String,
    session_id String,
    session_strength UInt8,
    session_name String,
    session_name_rank UInt8,
    user_id String,
    thread_id String,
    environment LowCardinality(String),
    end_state LowCardinality(String),
    end_reason String,
    tags String,
    metadata String,
    model LowCardinality(String),
    request_model LowCardinality(String),
    provider LowCardinality(String),
    response_id String,
    also_logged Bool,
    input_tokens Int64 CODEC(T64),
    output_tokens Int64 CODEC(T64),
    total_tokens Int64 CODEC(T64),
    cache_read_tokens Int64 CODEC(T64),
    cache_write_tokens Int64 CODEC(T64),
    cache_write_1h_tokens Int64 CODEC(T64),
    reasoning_tokens Int64 CODEC(T64),
    cost_nano_usd Int64 CODEC(T64),
    input_cost_nano_usd Int64 CODEC(T64),
    output_cost_nano_usd Int64 CODEC(T64),
    ttft_ns Int64 CODEC(T64),
    input_preview String,
    output_preview String,
    batch_seq UInt64 DEFAULT 0,
    content_hash UInt64 MATERIALIZED cityHash64(
        parent_span_id, source, turn_id, scope, service, name, kind, start_ns, end_ns, status_code, is_error,
        status_message, session_id, session_strength, session_name, session_name_rank, user_id, thread_id, environment,
        end_state, end_reason, tags, metadata, model, request_model, provider, response_id, also_logged, input_tokens,
        output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, reasoning_tokens,
        cost_nano_usd, input_cost_nano_usd, output_cost_nano_usd, ttft_ns, input_preview, output_preview
    ) CODEC(NONE)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(toDateTime(intDiv(start_ns, 1000000000), 'UTC'))
PRIMARY KEY (tenant, trace_id)
ORDER BY (tenant, trace_id, span_id, content_hash)
SETTINGS min_bytes_for_wide_part = 268435456;

CREATE TABLE IF NOT EXISTS agents.session_spans ON CLUSTER 'main-1' AS agents.session_spans_local
ENGINE = Distributed('main-1', 'agents', 'session_spans_local', cityHash64(tenant, trace_id));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (2, '002_session_spans.sql', '3078ac1f02ce5426');

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
-- Small blocks: a session's rows are read from one place among millions, and a block is read as a whole.
-- Whole numbers are T64 and nothing on top of it: to read them takes a sixth of what LZ4 takes, and no more room.
CREATE TABLE IF NOT EXISTS agents.session_traces_local ON CLUSTER 'main-1'
(
    tenant LowCardinality(String),
    session_id String,
    trace_id String CODEC(ZSTD(1)),
    version UInt64 CODEC(T64),
    source UInt8,
    turn_id String,
    name LowCardinality(String),
    status_code UInt8,
    session_name String,
    session_name_rank UInt8,
    user_id String,
    thread_id String,
    environment LowCardinality(String),
    end_state LowCardinality(String),
    end_reason String,
    input_preview String,
    output_preview String,
    metadata String,
    start_ns Int64 CODEC(T64),
    end_ns Int64 CODEC(T64),
    llm_ns Int64 CODEC(T64),
    ttft_ns Int64 CODEC(T64),
    ttft_count Int64 CODEC(T64),
    span_count Int64 CODEC(T64),
    error_count Int64 CODEC(T64),
    llm_call_count Int64 CODEC(T64),
    tool_call_count Int64 CODEC(T64),
    input_tokens Int64 CODEC(T64),
    output_tokens Int64 CODEC(T64),
    total_tokens Int64 CODEC(T64),
    cache_read_tokens Int64 CODEC(T64),
    cache_write_tokens Int64 CODEC(T64),
    reasoning_tokens Int64 CODEC(T64),
    cost_nano_usd Int64 CODEC(T64),
    input_cost_nano_usd Int64 CODEC(T64),
    output_cost_nano_usd Int64 CODEC(T64),
    unpriced_span_count Int64 CODEC(T64),
    models Array(LowCardinality(String)),
    providers Array(LowCardinality(String)),
    services Array(LowCardinality(String)),
    tags Array(LowCardinality(String)),
    usage Nested (
        model LowCardinality(String),
        provider LowCardinality(String),
        service LowCardinality(String),
        call_count Int64,
        error_count Int64,
        input_tokens Int64,
        output_tokens Int64,
        total_tokens Int64,
        cache_read_tokens Int64,
        cache_write_tokens Int64,
        reasoning_tokens Int64,
        cost_nano_usd Int64,
        input_cost_nano_usd Int64,
        output_cost_nano_usd Int64,
        unpriced_count Int64
    ),
    start DateTime64(9, 'UTC') ALIAS fromUnixTimestamp64Nano(start_ns, 'UTC'),
    end DateTime64(9, 'UTC') ALIAS fromUnixTimestamp64Nano(end_ns, 'UTC'),
    total_cost Decimal(18, 9) ALIAS reinterpret(cost_nano_usd, 'Decimal(18, 9)')
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version)
PRIMARY KEY (tenant, session_id)
ORDER BY (tenant, session_id, trace_id)
SETTINGS min_bytes_for_wide_part = 268435456, index_granularity = 1024, min_compress_block_size = 4096;

CREATE TABLE IF NOT EXISTS agents.session_traces ON CLUSTER 'main-1' AS agents.session_traces_local
ENGINE = Distributed('main-1', 'agents', 'session_traces_local', cityHash64(tenant, session_id));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (4, '004_session_traces.sql', 'e4e69f3edb769941');

-- One session's rollup. The version is the sum of the versions of its trace rows: a fuller row always wins.
-- row_count = 0: all its traces moved to other sessions.
-- The first page in the orders that people ask for most is read from the projections, parts of ids and names are found by
-- idx_search; both lead to rows of any version, and who asks looks which are the newest (session_pages.py). Other orders,
-- of values that differ from row to row, scan one column and skip what minmax indexes tell not to be among the first.
-- Few marks in the projections: the engine looks through all of them before each query, also one that knows the session.
-- Small blocks: a page reads some fifty rows from as many places, and a block is read as a whole.
-- Whole numbers are T64 and nothing on top of it: to read them takes a sixth of what LZ4 takes, and no more room.
CREATE TABLE IF NOT EXISTS agents.session_rollups_local ON CLUSTER 'main-1'
(
    tenant LowCardinality(String),
    session_id String,
    version UInt64 CODEC(T64),
    row_count Int64 CODEC(T64),
    name String,
    user_id String,
    thread_id String,
    environment LowCardinality(String),
    end_state LowCardinality(String),
    end_reason String,
    input_preview String,
    output_preview String,
    metadata String,
    trace_count Int64 CODEC(T64),
    active_ns Int64 CODEC(T64),
    start_ns Int64 CODEC(T64),
    end_ns Int64 CODEC(T64),
    llm_ns Int64 CODEC(T64),
    ttft_ns Int64 CODEC(T64),
    ttft_count Int64 CODEC(T64),
    span_count Int64 CODEC(T64),
    error_count Int64 CODEC(T64),
    llm_call_count Int64 CODEC(T64),
    tool_call_count Int64 CODEC(T64),
    input_tokens Int64 CODEC(T64),
    output_tokens Int64 CODEC(T64),
    total_tokens Int64 CODEC(T64),
    cache_read_tokens Int64 CODEC(T64),
    cache_write_tokens Int64 CODEC(T64),
    reasoning_tokens Int64 CODEC(T64),
    cost_nano_usd Int64 CODEC(T64),
    input_cost_nano_usd Int64 CODEC(T64),
    output_cost_nano_usd Int64 CODEC(T64),
    unpriced_span_count Int64 CODEC(T64),
    models Array(LowCardinality(String)),
    providers Array(LowCardinality(String)),
    services Array(LowCardinality(String)),
    tags Array(LowCardinality(String)),
    metadata_map Map(LowCardinality(String), String) MATERIALIZED JSONExtract(metadata, 'Map(String, String)'),
    searched String MATERIALIZED lowerUTF8(concat(session_id, '\0', name)),
    duration_ns Int64 MATERIALIZED end_ns - start_ns CODEC(T64),
    labels LowCardinality(String) MATERIALIZED toJSONString((models, services, toString(environment), tags)),
    INDEX idx_cost cost_nano_usd TYPE minmax,
    INDEX idx_tokens total_tokens TYPE minmax,
    INDEX idx_duration duration_ns TYPE minmax,
    INDEX idx_active active_ns TYPE minmax,
    INDEX idx_spans span_count TYPE minmax,
    INDEX idx_search searched TYPE text(tokenizer = ngrams(3)),
    PROJECTION by_name (SELECT tenant, name, session_id, version, row_count ORDER BY tenant, name, session_id)
        WITH SETTINGS (index_granularity = 4096),
    PROJECTION by_user (SELECT tenant, user_id, session_id, version, row_count ORDER BY tenant, user_id, session_id)
        WITH SETTINGS (index_granularity = 4096),
    PROJECTION by_traces (
        SELECT tenant, trace_count, session_id, version, row_count ORDER BY tenant, trace_count, session_id
    ) WITH SETTINGS (index_granularity = 4096),
    PROJECTION by_errors (
        SELECT tenant, error_count, session_id, version, row_count ORDER BY tenant, error_count, session_id
    ) WITH SETTINGS (index_granularity = 4096),
    PROJECTION by_start (
        SELECT tenant, start_ns, end_ns, session_id, version, row_count ORDER BY tenant, start_ns, session_id
    ) WITH SETTINGS (index_granularity = 4096),
    PROJECTION by_end (
        SELECT tenant, end_ns, start_ns, session_id, version, row_count ORDER BY tenant, end_ns, session_id
    ) WITH SETTINGS (index_granularity = 4096)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version)
ORDER BY (tenant, session_id)
SETTINGS min_bytes_for_wide_part = 268435456, index_granularity = 256, min_compress_block_size = 2048,
    deduplicate_merge_projection_mode = 'rebuild',
    lightweight_mutation_projection_mode = 'rebuild';

CREATE TABLE IF NOT EXISTS agents.session_rollups ON CLUSTER 'main-1' AS agents.session_rollups_local
ENGINE = Distributed('main-1', 'agents', 'session_rollups_local', cityHash64(tenant, session_id));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (5, '005_session_rollups.sql', '3a688d66532c8290');

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

-- A log record, whole, for people. Column-compatible with the contrib ClickHouse exporter's `otel_logs`, so its Grafana
-- and HyperDX panels work. Ours on top of it: the tenant, the record's own session id, what the contrib table drops
-- (observed time, whole flags, dropped counts), and a key that makes a redelivered record overwrite itself. A record that
-- names no session belongs to those of its trace, which `session_traces` knows at query time.
CREATE TABLE IF NOT EXISTS agents.otel_logs_local ON CLUSTER 'main-1'
(
    Tenant LowCardinality(String) DEFAULT 'default' CODEC(ZSTD(1)),
    Timestamp DateTime64(9) CODEC(Delta, ZSTD(1)),
    TimestampTime DateTime DEFAULT toDateTime(Timestamp),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    TraceFlags UInt8,
    SeverityText LowCardinality(String) CODEC(ZSTD(1)),
    SeverityNumber UInt8,
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Body String CODEC(ZSTD(1)),
    ResourceSchemaUrl LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeSchemaUrl LowCardinality(String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion LowCardinality(String) CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    LogAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    EventName String CODEC(ZSTD(1)),
    SessionId String DEFAULT '' CODEC(ZSTD(1)),
    ObservedTimestamp DateTime64(9) DEFAULT toDateTime64(0, 9) CODEC(Delta, ZSTD(1)),
    Flags UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    DroppedAttributesCount UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    ResourceDroppedAttributesCount UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    ScopeDroppedAttributesCount UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    ContentHash UInt64 MATERIALIZED cityHash64(
        Timestamp, ObservedTimestamp, Flags, SeverityText, SeverityNumber, EventName, Body, LogAttributes,
        ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes
    ) CODEC(NONE),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_session_id SessionId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_log_attr_key mapKeys(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_log_attr_value mapValues(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_body Body TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toDate(TimestampTime)
PRIMARY KEY (Tenant, ServiceName, TimestampTime)
ORDER BY (Tenant, ServiceName, TimestampTime, Timestamp, TraceId, SpanId, ContentHash)
SETTINGS min_bytes_for_wide_part = 268435456, index_granularity = 8192, index_granularity_bytes = 1048576,
    ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS agents.otel_logs ON CLUSTER 'main-1' AS agents.otel_logs_local
ENGINE = Distributed('main-1', 'agents', 'otel_logs_local', cityHash64(Tenant, TraceId, Timestamp));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (10, '010_otel_logs.sql', 'ffd9f0a0ab17648b');

-- Data points of counters that tell a session's tokens or cost: the last resort where neither spans nor log records do.
-- The key is the point itself, series and interval: the table is the *set* of points, and nothing in it is summed.
-- Of two points of one series and interval the larger one stays, whichever came last.
CREATE TABLE IF NOT EXISTS agents.session_metrics_local ON CLUSTER 'main-1'
(
    tenant LowCardinality(String),
    session_id String,
    metric LowCardinality(String),
    measure LowCardinality(String),
    service LowCardinality(String),
    model LowCardinality(String),
    provider LowCardinality(String),
    user_id String,
    temporality UInt8,
    start_ns Int64 CODEC(Delta, LZ4),
    time_ns Int64 CODEC(Delta, LZ4),
    amount UInt64,
    attributes Map(String, String) CODEC(ZSTD(1)),
    resource_attributes Map(String, String) CODEC(ZSTD(1)),
    series UInt64 MATERIALIZED cityHash64(mapSort(attributes), mapSort(resource_attributes)) CODEC(NONE)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', amount)
PARTITION BY toYYYYMM(toDateTime(intDiv(time_ns, 1000000000), 'UTC'))
PRIMARY KEY (tenant, session_id)
ORDER BY (tenant, session_id, metric, series, start_ns, time_ns)
SETTINGS min_bytes_for_wide_part = 268435456;

CREATE TABLE IF NOT EXISTS agents.session_metrics ON CLUSTER 'main-1' AS agents.session_metrics_local
ENGINE = Distributed('main-1', 'agents', 'session_metrics_local', cityHash64(tenant, session_id));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (11, '011_session_metrics.sql', '4c96fd053934cf99');

-- Deliberate rewrites of roll-ups (other prices): rows of a higher revision win whatever they were made of. Workers look
-- here before they roll up, so what they write is of the highest. `what` tells two rewrites that began at once apart.
CREATE TABLE IF NOT EXISTS agents.revisions_local ON CLUSTER 'main-1'
(
    revision UInt32,
    what String,
    written_at DateTime DEFAULT now()
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
ORDER BY (revision, what);

CREATE TABLE IF NOT EXISTS agents.revisions ON CLUSTER 'main-1' AS agents.revisions_local
ENGINE = Distributed('main-1', 'agents', 'revisions_local', cityHash64(revision));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (13, '013_revisions.sql', 'daf293dbff0d4fa8');

-- What views depend on and configuration says; a worker writes what differs at its start, the last one counts.
CREATE TABLE IF NOT EXISTS agents.settings_local ON CLUSTER 'main-1'
(
    name String,
    value String,
    written_at DateTime64(3) DEFAULT now64(3)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', written_at)
ORDER BY name;

CREATE TABLE IF NOT EXISTS agents.settings ON CLUSTER 'main-1' AS agents.settings_local
ENGINE = Distributed('main-1', 'agents', 'settings_local', cityHash64(name));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (14, '014_settings.sql', 'c3530f870fabc966');

-- When a trace was, by its id: what Grafana's ClickHouse data source and other tools made for the contrib ClickHouse
-- exporter ask before they ask `otel_traces`. There a table that a materialized view fills; here a view over the spans'
-- bloom filter index, so that nothing is stored twice, and a span that is sent again changes nothing.
CREATE OR REPLACE VIEW agents.otel_traces_trace_id_ts ON CLUSTER 'main-1' AS
SELECT
    TraceId,
    toDateTime(min(Timestamp)) AS Start,
    toDateTime(max(Timestamp)) AS End
FROM agents.otel_traces
WHERE TraceId != ''
GROUP BY TraceId;

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (23, '023_otel_traces_trace_id_ts.sql', 'c9718912bef44ef3');

-- Deletions of sessions, each a row of its own; a session is deleted, and its id blocked, as long as it has one. What
-- people read leaves these sessions out; `purged` is 1 once nothing of what was there is left in any other table.
CREATE TABLE IF NOT EXISTS agents.deleted_sessions_local ON CLUSTER 'main-1'
(
    tenant LowCardinality(String),
    session_id String,
    deletion String,
    deleted_at DateTime64(3, 'UTC'),
    blocked_until DateTime64(3, 'UTC'),
    purged UInt8 DEFAULT 0
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', purged)
ORDER BY (tenant, session_id, deletion);

CREATE TABLE IF NOT EXISTS agents.deleted_sessions ON CLUSTER 'main-1' AS agents.deleted_sessions_local
ENGINE = Distributed('main-1', 'agents', 'deleted_sessions_local', cityHash64(tenant, session_id));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (30, '030_deleted_sessions.sql', '1ad67dccf46ea68f');

-- The places of spans that were removed with their session: ids, times, kinds and numbers, no text. They keep a trace's
-- set of spans as large as it was, and late spans of the trace bound as they would have been (ADR 0015). `session_hash`
-- stands for the deleted session. A row without a span id marks a trace that has lost spans, or is about to.
CREATE TABLE IF NOT EXISTS agents.deleted_spans_local ON CLUSTER 'main-1'
(
    tenant LowCardinality(String),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(LZ4),
    content_hash UInt64 CODEC(NONE),
    session_hash LowCardinality(String),
    names_session Bool,
    is_beaten Bool,
    parent_span_id String CODEC(LZ4),
    source UInt8,
    kind LowCardinality(String),
    start_ns Int64 CODEC(Delta, LZ4),
    end_ns Int64 CODEC(Delta, LZ4),
    status_code UInt8,
    is_error Bool,
    session_strength UInt8,
    scope LowCardinality(String),
    response_id String,
    input_tokens Int64,
    output_tokens Int64,
    total_tokens Int64,
    cache_read_tokens Int64,
    cache_write_tokens Int64,
    reasoning_tokens Int64,
    cost_nano_usd Int64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PRIMARY KEY (tenant, trace_id)
ORDER BY (tenant, trace_id, span_id, content_hash)
SETTINGS min_bytes_for_wide_part = 268435456;

CREATE TABLE IF NOT EXISTS agents.deleted_spans ON CLUSTER 'main-1' AS agents.deleted_spans_local
ENGINE = Distributed('main-1', 'agents', 'deleted_spans_local', cityHash64(tenant, trace_id));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (31, '031_deleted_spans.sql', '390b83a99c17651a');

-- What workers have found of deleted sessions after these were purged: a trace with late spans, or (trace_id '') a
-- session whose rows were written while it was deleted. A purge takes what it finds here, and removes what it has done.
CREATE TABLE IF NOT EXISTS agents.purge_due_local ON CLUSTER 'main-1'
(
    tenant LowCardinality(String),
    session_id String,
    trace_id String,
    note String
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
ORDER BY (tenant, session_id, trace_id, note);

CREATE TABLE IF NOT EXISTS agents.purge_due ON CLUSTER 'main-1' AS agents.purge_due_local
ENGINE = Distributed('main-1', 'agents', 'purge_due_local', cityHash64(tenant, session_id));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (32, '032_purge_due.sql', '3ff669fc369a007b');

-- When the trace's last span ends: rows expire by it (`exporters.clickhouse.ttl.rollups_days`). 0 in older rows.
ALTER TABLE agents.trace_sessions_local ON CLUSTER 'main-1' ADD COLUMN IF NOT EXISTS end_ns Int64 DEFAULT 0 CODEC(Delta, LZ4);

-- When the trace's last span ends: rows expire by it (`exporters.clickhouse.ttl.rollups_days`). 0 in older rows.
ALTER TABLE agents.trace_sessions ON CLUSTER 'main-1' ADD COLUMN IF NOT EXISTS end_ns Int64 DEFAULT 0 CODEC(Delta, LZ4);

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (36, '036_trace_sessions_end_ns.sql', '008efba0e1a52ee2');

-- When the trace was noted, by the store's clock: notes expire by it. Nothing else depends on it.
ALTER TABLE agents.shared_traces_local ON CLUSTER 'main-1' ADD COLUMN IF NOT EXISTS written_at DateTime MATERIALIZED now() CODEC(ZSTD(1));

-- When the trace was noted, by the store's clock: notes expire by it. Nothing else depends on it.
ALTER TABLE agents.shared_traces ON CLUSTER 'main-1' ADD COLUMN IF NOT EXISTS written_at DateTime MATERIALIZED now() CODEC(ZSTD(1));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (37, '037_shared_traces_written_at.sql', '1675545488de3fdf');

-- What people query: one row a session, plain types, no FINAL to remember; deleted sessions are left out.
CREATE OR REPLACE VIEW agents.sessions ON CLUSTER 'main-1' AS
SELECT
    tenant,
    session_id,
    name,
    user_id,
    thread_id,
    environment,
    tags,
    metadata_map AS metadata,
    end_state,
    end_reason,
    fromUnixTimestamp64Nano(start_ns, 'UTC') AS first_seen,
    fromUnixTimestamp64Nano(end_ns, 'UTC') AS last_seen,
    (end_ns - start_ns) / 1e6 AS duration_ms,
    active_ns / 1e6 AS active_ms,
    llm_ns / 1e6 AS llm_ms,
    if(ttft_count > 0, ttft_ns / ttft_count / 1e6, NULL) AS ttft_ms,
    trace_count,
    span_count,
    error_count,
    llm_call_count,
    tool_call_count,
    input_tokens,
    output_tokens,
    total_tokens,
    cache_read_tokens,
    cache_write_tokens,
    reasoning_tokens,
    reinterpret(cost_nano_usd, 'Decimal(18, 9)') AS total_cost,
    reinterpret(input_cost_nano_usd, 'Decimal(18, 9)') AS input_cost,
    reinterpret(output_cost_nano_usd, 'Decimal(18, 9)') AS output_cost,
    unpriced_span_count,
    models,
    providers,
    services,
    input_preview,
    output_preview
FROM agents.session_rollups FINAL
WHERE row_count > 0 AND cityHash64(tenant, session_id) GLOBAL NOT IN (
    SELECT cityHash64(tenant, session_id) FROM agents.deleted_sessions
);

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (40, '040_sessions.sql', '178717e40fca5c75');

-- What counts in a session that is not deleted, by model, provider and service. Errors outside of model calls stand under model ''.
-- What counters add up to (source 2) counts where neither spans nor log records report tokens or cost, as in the session.
CREATE OR REPLACE VIEW agents.session_usage ON CLUSTER 'main-1' AS
SELECT
    tenant,
    session_id,
    model,
    provider,
    service,
    sum(calls) AS call_count,
    sum(errors) AS error_count,
    sum(tokens_in) AS input_tokens,
    sum(tokens_out) AS output_tokens,
    sum(tokens) AS total_tokens,
    sum(tokens_read) AS cache_read_tokens,
    sum(tokens_written) AS cache_write_tokens,
    sum(tokens_reasoning) AS reasoning_tokens,
    reinterpret(sum(cost), 'Decimal(18, 9)') AS total_cost,
    reinterpret(sum(cost_in), 'Decimal(18, 9)') AS input_cost,
    reinterpret(sum(cost_out), 'Decimal(18, 9)') AS output_cost,
    sum(unpriced) AS unpriced_count
FROM (
    SELECT
        tenant,
        session_id,
        model,
        provider,
        service,
        source = 2 AS is_counter,
        sum(entry_calls) AS calls,
        sum(entry_errors) AS errors,
        sum(entry_tokens_in) AS tokens_in,
        sum(entry_tokens_out) AS tokens_out,
        sum(entry_tokens) AS tokens,
        sum(entry_tokens_read) AS tokens_read,
        sum(entry_tokens_written) AS tokens_written,
        sum(entry_tokens_reasoning) AS tokens_reasoning,
        sum(entry_cost) AS cost,
        sum(entry_cost_in) AS cost_in,
        sum(entry_cost_out) AS cost_out,
        sum(entry_unpriced) AS unpriced,
        max(NOT is_counter AND tokens + cost > 0) OVER (PARTITION BY tenant, session_id) AS is_reported
    FROM agents.session_traces FINAL
    ARRAY JOIN
        usage.model AS model,
        usage.provider AS provider,
        usage.service AS service,
        usage.call_count AS entry_calls,
        usage.error_count AS entry_errors,
        usage.input_tokens AS entry_tokens_in,
        usage.output_tokens AS entry_tokens_out,
        usage.total_tokens AS entry_tokens,
        usage.cache_read_tokens AS entry_tokens_read,
        usage.cache_write_tokens AS entry_tokens_written,
        usage.reasoning_tokens AS entry_tokens_reasoning,
        usage.cost_nano_usd AS entry_cost,
        usage.input_cost_nano_usd AS entry_cost_in,
        usage.output_cost_nano_usd AS entry_cost_out,
        usage.unpriced_count AS entry_unpriced
    WHERE (span_count > 0 OR source = 2) AND cityHash64(tenant, session_id) GLOBAL NOT IN (
        SELECT cityHash64(tenant, session_id) FROM agents.deleted_sessions
    )
    GROUP BY tenant, session_id, model, provider, service, is_counter
)
WHERE NOT is_counter OR NOT is_reported
GROUP BY tenant, session_id, model, provider, service;

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (41, '041_session_usage.sql', '630f1e5b196e047c');

-- Sessions that are not deleted, by the thread they name. A thread is active while its last moment is no longer ago than the setting
-- thread_idle_after_s says, in seconds; 3600 where it is not set.
CREATE OR REPLACE VIEW agents.threads ON CLUSTER 'main-1' AS
SELECT
    tenant,
    thread_id,
    count() AS session_count,
    sum(traces) AS trace_count,
    arraySort(groupUniqArrayIf(user_id, user_id != '')) AS user_ids,
    fromUnixTimestamp64Nano(min(start_ns), 'UTC') AS first_seen,
    fromUnixTimestamp64Nano(max(end_ns), 'UTC') AS last_seen,
    sum(tokens_in) AS input_tokens,
    sum(tokens_out) AS output_tokens,
    sum(tokens) AS total_tokens,
    reinterpret(sum(cost_nano_usd), 'Decimal(18, 9)') AS total_cost,
    reinterpret(sum(input_cost_nano_usd), 'Decimal(18, 9)') AS input_cost,
    reinterpret(sum(output_cost_nano_usd), 'Decimal(18, 9)') AS output_cost,
    sum(errors) AS error_count,
    arraySort(groupUniqArrayArray(labels)) AS tags,
    if(
        toUnixTimestamp64Nano(now64(9)) - max(end_ns) <= 1000000000 * (
            SELECT ifNull(toInt64OrNull(any(value)), 3600)
            FROM agents.settings FINAL
            WHERE name = 'thread_idle_after_s'
        ),
        'active',
        'idle'
    ) AS status
FROM (
    SELECT
        tenant,
        thread_id,
        user_id,
        start_ns,
        end_ns,
        trace_count AS traces,
        error_count AS errors,
        input_tokens AS tokens_in,
        output_tokens AS tokens_out,
        total_tokens AS tokens,
        cost_nano_usd,
        input_cost_nano_usd,
        output_cost_nano_usd,
        tags AS labels
    FROM agents.session_rollups FINAL
    WHERE row_count > 0 AND thread_id != '' AND cityHash64(tenant, session_id) GLOBAL NOT IN (
        SELECT cityHash64(tenant, session_id) FROM agents.deleted_sessions
    )
)
GROUP BY tenant, thread_id;

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (42, '042_threads.sql', '24937462250d0406');

-- One row a trace in a session, plain types, no FINAL to remember. A trace that names two sessions has a row in each, with
-- its own spans, so rows add up. What counters add up to is no trace: `trace_usage` and `sessions` know it.
CREATE OR REPLACE VIEW agents.traces ON CLUSTER 'main-1' AS
SELECT
    tenant,
    session_id,
    trace_id,
    transform(source, [0, 1], ['span', 'log'], '') AS reported_by,
    name,
    transform(status_code, [1, 2], ['OK', 'ERROR'], 'UNSET') AS status,
    user_id,
    thread_id,
    environment,
    end_state,
    end_reason,
    fromUnixTimestamp64Nano(start_ns, 'UTC') AS first_seen,
    fromUnixTimestamp64Nano(end_ns, 'UTC') AS last_seen,
    (end_ns - start_ns) / 1e6 AS duration_ms,
    llm_ns / 1e6 AS llm_ms,
    if(ttft_count > 0, ttft_ns / ttft_count / 1e6, NULL) AS ttft_ms,
    span_count,
    error_count,
    llm_call_count,
    tool_call_count,
    input_tokens,
    output_tokens,
    total_tokens,
    cache_read_tokens,
    cache_write_tokens,
    reasoning_tokens,
    reinterpret(cost_nano_usd, 'Decimal(18, 9)') AS total_cost,
    reinterpret(input_cost_nano_usd, 'Decimal(18, 9)') AS input_cost,
    reinterpret(output_cost_nano_usd, 'Decimal(18, 9)') AS output_cost,
    unpriced_span_count,
    models,
    providers,
    services,
    tags,
    input_preview,
    output_preview
FROM agents.session_traces FINAL
WHERE span_count > 0 AND cityHash64(tenant, session_id) GLOBAL NOT IN (
    SELECT cityHash64(tenant, session_id) FROM agents.deleted_sessions
);

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (43, '043_traces.sql', '3c57d6cbe5793c2f');

-- What counts, by trace, model, provider and service: `session_usage` before it is summed, with the time of the trace, for
-- what a model took over time. Errors outside of model calls stand under model ''. What counters add up to (source 2)
-- counts where neither spans nor log records report tokens or cost, as in the session.
CREATE OR REPLACE VIEW agents.trace_usage ON CLUSTER 'main-1' AS
SELECT
    tenant,
    session_id,
    trace_id,
    fromUnixTimestamp64Nano(start_ns, 'UTC') AS first_seen,
    fromUnixTimestamp64Nano(end_ns, 'UTC') AS last_seen,
    model,
    provider,
    service,
    calls AS call_count,
    errors AS error_count,
    tokens_in AS input_tokens,
    tokens_out AS output_tokens,
    tokens AS total_tokens,
    tokens_read AS cache_read_tokens,
    tokens_written AS cache_write_tokens,
    tokens_reasoning AS reasoning_tokens,
    reinterpret(cost, 'Decimal(18, 9)') AS total_cost,
    reinterpret(cost_in, 'Decimal(18, 9)') AS input_cost,
    reinterpret(cost_out, 'Decimal(18, 9)') AS output_cost,
    unpriced AS unpriced_count
FROM (
    SELECT
        tenant,
        session_id,
        trace_id,
        start_ns,
        end_ns,
        model,
        provider,
        service,
        calls,
        errors,
        tokens_in,
        tokens_out,
        tokens,
        tokens_read,
        tokens_written,
        tokens_reasoning,
        cost,
        cost_in,
        cost_out,
        unpriced,
        source = 2 AS is_counter,
        max(NOT is_counter AND tokens + cost > 0) OVER (PARTITION BY tenant, session_id) AS is_reported
    FROM agents.session_traces FINAL
    ARRAY JOIN
        usage.model AS model,
        usage.provider AS provider,
        usage.service AS service,
        usage.call_count AS calls,
        usage.error_count AS errors,
        usage.input_tokens AS tokens_in,
        usage.output_tokens AS tokens_out,
        usage.total_tokens AS tokens,
        usage.cache_read_tokens AS tokens_read,
        usage.cache_write_tokens AS tokens_written,
        usage.reasoning_tokens AS tokens_reasoning,
        usage.cost_nano_usd AS cost,
        usage.input_cost_nano_usd AS cost_in,
        usage.output_cost_nano_usd AS cost_out,
        usage.unpriced_count AS unpriced
    WHERE (span_count > 0 OR source = 2) AND cityHash64(tenant, session_id) GLOBAL NOT IN (
        SELECT cityHash64(tenant, session_id) FROM agents.deleted_sessions
    )
)
WHERE NOT is_counter OR NOT is_reported;

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (44, '044_trace_usage.sql', 'c2c080018e43bdd9');

-- Sessions by the user they name; sessions that name none are no user's.
CREATE OR REPLACE VIEW agents.users ON CLUSTER 'main-1' AS
SELECT
    tenant,
    user_id,
    count() AS session_count,
    countIf(errors > 0) AS error_session_count,
    sum(traces) AS trace_count,
    sum(spans) AS span_count,
    sum(errors) AS error_count,
    sum(calls) AS llm_call_count,
    sum(tool_calls) AS tool_call_count,
    fromUnixTimestamp64Nano(min(start_ns), 'UTC') AS first_seen,
    fromUnixTimestamp64Nano(max(end_ns), 'UTC') AS last_seen,
    sum(tokens_in) AS input_tokens,
    sum(tokens_out) AS output_tokens,
    sum(tokens) AS total_tokens,
    reinterpret(sum(cost_nano_usd), 'Decimal(18, 9)') AS total_cost,
    reinterpret(sum(input_cost_nano_usd), 'Decimal(18, 9)') AS input_cost,
    reinterpret(sum(output_cost_nano_usd), 'Decimal(18, 9)') AS output_cost,
    sum(unpriced) AS unpriced_span_count
FROM (
    SELECT
        tenant,
        user_id,
        start_ns,
        end_ns,
        trace_count AS traces,
        span_count AS spans,
        error_count AS errors,
        llm_call_count AS calls,
        tool_call_count AS tool_calls,
        input_tokens AS tokens_in,
        output_tokens AS tokens_out,
        total_tokens AS tokens,
        cost_nano_usd,
        input_cost_nano_usd,
        output_cost_nano_usd,
        unpriced_span_count AS unpriced
    FROM agents.session_rollups FINAL
    WHERE row_count > 0 AND user_id != '' AND cityHash64(tenant, session_id) GLOBAL NOT IN (
        SELECT cityHash64(tenant, session_id) FROM agents.deleted_sessions
    )
)
GROUP BY tenant, user_id;

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (45, '045_users.sql', '0f6dfbc716136027');

-- The same for each tenant by itself: two tenants may bear one trace id, and neither may learn when the other's trace was.
CREATE OR REPLACE VIEW agents.otel_traces_trace_id_ts ON CLUSTER 'main-1' AS
SELECT
    TraceId,
    toDateTime(min(Timestamp)) AS Start,
    toDateTime(max(Timestamp)) AS End,
    Tenant
FROM agents.otel_traces
WHERE TraceId != ''
GROUP BY TraceId, Tenant;

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (46, '046_otel_traces_trace_id_ts_tenant.sql', 'a345e5e8df1ae5ab');

-- How far rebuilds of roll-ups have come, so that one that was ended goes on where it was: the same range, tenant ('' is
-- every one) and prices. `phase` is traces, then sessions; `at_tenant` and `at_id` are the last key that is done.
CREATE TABLE IF NOT EXISTS agents.rebuilds_local ON CLUSTER 'main-1'
(
    tenant LowCardinality(String),
    since_ns Int64,
    until_ns Int64,
    revision UInt32,
    prices String,
    phase String,
    at_tenant String,
    at_id String,
    traces UInt64,
    sessions UInt64,
    step UInt64,
    written_at DateTime DEFAULT now()
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', step)
ORDER BY (tenant, since_ns, until_ns, revision);

CREATE TABLE IF NOT EXISTS agents.rebuilds ON CLUSTER 'main-1' AS agents.rebuilds_local
ENGINE = Distributed('main-1', 'agents', 'rebuilds_local', cityHash64(tenant, since_ns, until_ns));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (50, '050_rebuilds.sql', '83ee48eb2c5bec8f');

-- Crossings of budgets, each a row that says what is posted and how far that is. `sequence` is odd where a session went
-- over (or ended), even where it came back under. `revision` grows with each attempt to post: the newest row counts.
CREATE TABLE IF NOT EXISTS agents.budget_alerts_local ON CLUSTER 'main-1'
(
    tenant LowCardinality(String),
    session_id String,
    rule String,
    sequence UInt32,
    revision UInt32,
    id String,
    state LowCardinality(String),
    mark String,
    attempts UInt32,
    due_at_ms Int64,
    crossed_at_ms Int64,
    payload String
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', revision)
ORDER BY (tenant, session_id, rule, sequence);

CREATE TABLE IF NOT EXISTS agents.budget_alerts ON CLUSTER 'main-1' AS agents.budget_alerts_local
ENGINE = Distributed('main-1', 'agents', 'budget_alerts_local', cityHash64(tenant, session_id));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (51, '051_budget_alerts.sql', '4bfa488c4b939b19');

-- Which worker posts an alert: of those that say so, the first by the store's clock, until its time is over.
CREATE TABLE IF NOT EXISTS agents.budget_claims_local ON CLUSTER 'main-1'
(
    tenant LowCardinality(String),
    id String,
    attempt UInt32,
    claimant String,
    claimed_at DateTime64(6) DEFAULT now64(6)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
ORDER BY (tenant, id, attempt, claimant);

CREATE TABLE IF NOT EXISTS agents.budget_claims ON CLUSTER 'main-1' AS agents.budget_claims_local
ENGINE = Distributed('main-1', 'agents', 'budget_claims_local', cityHash64(tenant, id));

INSERT INTO agents.schema_migrations (version, name, checksum) SETTINGS distributed_foreground_insert = 1 VALUES (52, '052_budget_claims.sql', '40a14548df3dc135');
