-- One trace's rollup inside one session. The version is the size of the trace's span set: a fuller row always wins.
-- span_count = 0: the trace no longer belongs to this session.
CREATE TABLE IF NOT EXISTS {database}.session_traces
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
ENGINE = ReplacingMergeTree(version)
PRIMARY KEY (tenant, session_id)
ORDER BY (tenant, session_id, trace_id)
SETTINGS min_bytes_for_wide_part = 268435456, index_granularity = 1024
