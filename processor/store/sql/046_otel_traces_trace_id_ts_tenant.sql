-- The same for each tenant by itself: two tenants may bear one trace id, and neither may learn when the other's trace was.
CREATE OR REPLACE VIEW {database}.otel_traces_trace_id_ts AS
SELECT
    TraceId,
    toDateTime(min(Timestamp)) AS Start,
    toDateTime(max(Timestamp)) AS End,
    Tenant
FROM {database}.otel_traces
WHERE TraceId != ''
GROUP BY TraceId, Tenant
