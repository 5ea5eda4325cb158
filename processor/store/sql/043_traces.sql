-- One row a trace in a session, plain types, no FINAL to remember. A trace that names two sessions has a row in each, with
-- its own spans, so rows add up. What counters add up to is no trace: `trace_usage` and `sessions` know it.
CREATE OR REPLACE VIEW {database}.traces AS
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
FROM {database}.session_traces FINAL
WHERE span_count > 0 AND cityHash64(tenant, session_id) GLOBAL NOT IN (
    SELECT cityHash64(tenant, session_id) FROM {database}.deleted_sessions
)
