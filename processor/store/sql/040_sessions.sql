-- What people query: one row a session, plain types, no FINAL to remember; deleted sessions are left out.
CREATE OR REPLACE VIEW {database}.sessions AS
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
FROM {database}.session_rollups FINAL
WHERE row_count > 0 AND cityHash64(tenant, session_id) GLOBAL NOT IN (
    SELECT cityHash64(tenant, session_id) FROM {database}.deleted_sessions
)
