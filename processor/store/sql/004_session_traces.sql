-- One trace's rollup inside one session. The version is the size of the trace's span set: a fuller row always wins.
-- span_count = 0: the trace no longer belongs to this session.
-- Small blocks: a session's rows are read from one place among millions, and a block is read as a whole.
-- Whole numbers are T64 and nothing on top of it: to read them takes a sixth of what LZ4 takes, and no more room.
CREATE TABLE IF NOT EXISTS {database}.session_traces
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
ENGINE = ReplacingMergeTree(version)
PRIMARY KEY (tenant, session_id)
ORDER BY (tenant, session_id, trace_id)
SETTINGS min_bytes_for_wide_part = 268435456, index_granularity = 1024, min_compress_block_size = 4096
