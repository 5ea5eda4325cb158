-- Which sessions a trace belongs to; one row for every trace ever seen, bound or not.
CREATE TABLE IF NOT EXISTS {database}.trace_sessions
(
    tenant LowCardinality(String),
    trace_id String CODEC(ZSTD(1)),
    version UInt64,
    session_ids Array(String),
    span_count Int64,
    unbound_span_count Int64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, trace_id)
SETTINGS min_bytes_for_wide_part = 268435456
