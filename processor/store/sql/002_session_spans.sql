-- A span, narrow, for rollups. The key is the span itself, content included: the table is the *set* of spans received.
-- A redelivered span replaces itself; a span sent twice with different content stands twice, and `rollup` picks one.
-- `batch_seq` only says where an embedded process resumes after a crash; no row that people read depends on it.
CREATE TABLE IF NOT EXISTS {database}.session_spans
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
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(toDateTime(intDiv(start_ns, 1000000000), 'UTC'))
PRIMARY KEY (tenant, trace_id)
ORDER BY (tenant, trace_id, span_id, content_hash)
SETTINGS min_bytes_for_wide_part = 268435456
