-- Sessions that are not deleted, by the thread they name. A thread is active while its last moment is no longer ago than the setting
-- thread_idle_after_s says, in seconds; 3600 where it is not set.
CREATE OR REPLACE VIEW {database}.threads AS
SELECT
    tenant,
    thread_id,
    count() AS session_count,
    sum(traces) AS trace_count,
    arraySort(groupUniqArrayIf(user_id, user_id != '')) AS user_ids,
    fromUnixTimestamp64Nano(min(start_ns), 'UTC') AS first_seen,
    fromUnixTimestamp64Nano(max(end_ns), 'UTC') AS last_seen,
    sum(tokens_in) AS input_tokens,
    sum(tokens_out) AS output_tokens,
    sum(tokens) AS total_tokens,
    reinterpret(sum(cost_nano_usd), 'Decimal(18, 9)') AS total_cost,
    reinterpret(sum(input_cost_nano_usd), 'Decimal(18, 9)') AS input_cost,
    reinterpret(sum(output_cost_nano_usd), 'Decimal(18, 9)') AS output_cost,
    sum(errors) AS error_count,
    arraySort(groupUniqArrayArray(labels)) AS tags,
    if(
        toUnixTimestamp64Nano(now64(9)) - max(end_ns) <= 1000000000 * (
            SELECT ifNull(toInt64OrNull(any(value)), 3600)
            FROM {database}.settings FINAL
            WHERE name = 'thread_idle_after_s'
        ),
        'active',
        'idle'
    ) AS status
FROM (
    SELECT
        tenant,
        thread_id,
        user_id,
        start_ns,
        end_ns,
        trace_count AS traces,
        error_count AS errors,
        input_tokens AS tokens_in,
        output_tokens AS tokens_out,
        total_tokens AS tokens,
        cost_nano_usd,
        input_cost_nano_usd,
        output_cost_nano_usd,
        tags AS labels
    FROM {database}.session_rollups FINAL
    WHERE row_count > 0 AND thread_id != '' AND cityHash64(tenant, session_id) GLOBAL NOT IN (
        SELECT cityHash64(tenant, session_id) FROM {database}.deleted_sessions
    )
)
GROUP BY tenant, thread_id
