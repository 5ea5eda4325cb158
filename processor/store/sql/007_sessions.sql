-- What people query: one row a session, plain types, no FINAL to remember.
CREATE OR REPLACE VIEW {database}.sessions AS
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
FROM {database}.session_rollups FINAL
WHERE trace_count > 0
