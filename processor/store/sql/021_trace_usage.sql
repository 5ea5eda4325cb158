-- What counts, by trace, model, provider and service: `session_usage` before it is summed, with the time of the trace, for
-- what a model took over time. Errors outside of model calls stand under model ''. What counters add up to (source 2)
-- counts where neither spans nor log records report tokens or cost, as in the session.
CREATE OR REPLACE VIEW {database}.trace_usage AS
SELECT
    tenant,
    session_id,
    trace_id,
    fromUnixTimestamp64Nano(start_ns, 'UTC') AS first_seen,
    fromUnixTimestamp64Nano(end_ns, 'UTC') AS last_seen,
    model,
    provider,
    service,
    calls AS call_count,
    errors AS error_count,
    tokens_in AS input_tokens,
    tokens_out AS output_tokens,
    tokens AS total_tokens,
    tokens_read AS cache_read_tokens,
    tokens_written AS cache_write_tokens,
    tokens_reasoning AS reasoning_tokens,
    reinterpret(cost, 'Decimal(18, 9)') AS total_cost,
    reinterpret(cost_in, 'Decimal(18, 9)') AS input_cost,
    reinterpret(cost_out, 'Decimal(18, 9)') AS output_cost,
    unpriced AS unpriced_count
FROM (
    SELECT
        tenant,
        session_id,
        trace_id,
        start_ns,
        end_ns,
        model,
        provider,
        service,
        calls,
        errors,
        tokens_in,
        tokens_out,
        tokens,
        tokens_read,
        tokens_written,
        tokens_reasoning,
        cost,
        cost_in,
        cost_out,
        unpriced,
        source = 2 AS is_counter,
        max(NOT is_counter AND tokens + cost > 0) OVER (PARTITION BY tenant, session_id) AS is_reported
    FROM {database}.session_traces FINAL
    ARRAY JOIN
        usage.model AS model,
        usage.provider AS provider,
        usage.service AS service,
        usage.call_count AS calls,
        usage.error_count AS errors,
        usage.input_tokens AS tokens_in,
        usage.output_tokens AS tokens_out,
        usage.total_tokens AS tokens,
        usage.cache_read_tokens AS tokens_read,
        usage.cache_write_tokens AS tokens_written,
        usage.reasoning_tokens AS tokens_reasoning,
        usage.cost_nano_usd AS cost,
        usage.input_cost_nano_usd AS cost_in,
        usage.output_cost_nano_usd AS cost_out,
        usage.unpriced_count AS unpriced
    WHERE span_count > 0 OR source = 2
)
WHERE NOT is_counter OR NOT is_reported
