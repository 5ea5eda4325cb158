-- One session's rollup. The version is the sum of the versions of its trace rows: a fuller row always wins.
-- row_count = 0: all its traces moved to other sessions.
-- The first page in the orders that people ask for most is read from the projections, parts of ids and names are found by
-- idx_search; both lead to rows of any version, and who asks looks which are the newest (session_pages.py). Other orders,
-- of values that differ from row to row, scan one column and skip what minmax indexes tell not to be among the first.
-- Few marks in the projections: the engine looks through all of them before each query, also one that knows the session.
-- Small blocks: a page reads some fifty rows from as many places, and a block is read as a whole.
-- Whole numbers are T64 and nothing on top of it: to read them takes a sixth of what LZ4 takes, and no more room.
CREATE TABLE IF NOT EXISTS {database}.session_rollups
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
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, session_id)
SETTINGS min_bytes_for_wide_part = 268435456, index_granularity = 256, min_compress_block_size = 2048,
    deduplicate_merge_projection_mode = 'rebuild',
    lightweight_mutation_projection_mode = 'rebuild'
