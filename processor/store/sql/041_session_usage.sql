-- What counts in a session that is not deleted, by model, provider and service. Errors outside of model calls stand under model ''.
-- What counters add up to (source 2) counts where neither spans nor log records report tokens or cost, as in the session.
CREATE OR REPLACE VIEW {database}.session_usage AS
SELECT
    tenant,
    session_id,
    model,
    provider,
    service,
    sum(calls) AS call_count,
    sum(errors) AS error_count,
    sum(tokens_in) AS input_tokens,
    sum(tokens_out) AS output_tokens,
    sum(tokens) AS total_tokens,
    sum(tokens_read) AS cache_read_tokens,
    sum(tokens_written) AS cache_write_tokens,
    sum(tokens_reasoning) AS reasoning_tokens,
    reinterpret(sum(cost), 'Decimal(18, 9)') AS total_cost,
    reinterpret(sum(cost_in), 'Decimal(18, 9)') AS input_cost,
    reinterpret(sum(cost_out), 'Decimal(18, 9)') AS output_cost,
    sum(unpriced) AS unpriced_count
FROM (
    SELECT
        tenant,
        session_id,
        model,
        provider,
        service,
        source = 2 AS is_counter,
        sum(entry_calls) AS calls,
        sum(entry_errors) AS errors,
        sum(entry_tokens_in) AS tokens_in,
        sum(entry_tokens_out) AS tokens_out,
        sum(entry_tokens) AS tokens,
        sum(entry_tokens_read) AS tokens_read,
        sum(entry_tokens_written) AS tokens_written,
        sum(entry_tokens_reasoning) AS tokens_reasoning,
        sum(entry_cost) AS cost,
        sum(entry_cost_in) AS cost_in,
        sum(entry_cost_out) AS cost_out,
        sum(entry_unpriced) AS unpriced,
        max(NOT is_counter AND tokens + cost > 0) OVER (PARTITION BY tenant, session_id) AS is_reported
    FROM {database}.session_traces FINAL
    ARRAY JOIN
        usage.model AS model,
        usage.provider AS provider,
        usage.service AS service,
        usage.call_count AS entry_calls,
        usage.error_count AS entry_errors,
        usage.input_tokens AS entry_tokens_in,
        usage.output_tokens AS entry_tokens_out,
        usage.total_tokens AS entry_tokens,
        usage.cache_read_tokens AS entry_tokens_read,
        usage.cache_write_tokens AS entry_tokens_written,
        usage.reasoning_tokens AS entry_tokens_reasoning,
        usage.cost_nano_usd AS entry_cost,
        usage.input_cost_nano_usd AS entry_cost_in,
        usage.output_cost_nano_usd AS entry_cost_out,
        usage.unpriced_count AS entry_unpriced
    WHERE (span_count > 0 OR source = 2) AND cityHash64(tenant, session_id) GLOBAL NOT IN (
        SELECT cityHash64(tenant, session_id) FROM {database}.deleted_sessions
    )
    GROUP BY tenant, session_id, model, provider, service, is_counter
)
WHERE NOT is_counter OR NOT is_reported
GROUP BY tenant, session_id, model, provider, service
