-- When a trace was, by its id: what Grafana's ClickHouse data source and other tools made for the contrib ClickHouse
-- exporter ask before they ask `otel_traces`. There a table that a materialized view fills; here a view over the spans'
-- bloom filter index, so that nothing is stored twice, and a span that is sent again changes nothing.
CREATE OR REPLACE VIEW {database}.otel_traces_trace_id_ts AS
SELECT
    TraceId,
    toDateTime(min(Timestamp)) AS Start,
    toDateTime(max(Timestamp)) AS End
FROM {database}.otel_traces
WHERE TraceId != ''
GROUP BY TraceId
