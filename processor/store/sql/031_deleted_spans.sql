-- The places of spans that were removed with their session: ids, times, kinds and numbers, no text. They keep a trace's
-- set of spans as large as it was, and late spans of the trace bound as they would have been (ADR 0015). `session_hash`
-- stands for the deleted session. A row without a span id marks a trace that has lost spans, or is about to.
CREATE TABLE IF NOT EXISTS {database}.deleted_spans
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
ENGINE = ReplacingMergeTree
PRIMARY KEY (tenant, trace_id)
ORDER BY (tenant, trace_id, span_id, content_hash)
SETTINGS min_bytes_for_wide_part = 268435456
