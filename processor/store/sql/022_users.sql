-- Sessions by the user they name; sessions that name none are no user's.
CREATE OR REPLACE VIEW {database}.users AS
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
    FROM {database}.session_rollups FINAL
    WHERE row_count > 0 AND user_id != ''
)
GROUP BY tenant, user_id
