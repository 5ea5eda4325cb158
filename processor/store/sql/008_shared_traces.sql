-- Traces of which some worker stored spans that nobody had placed; no worker trusts its memory of them (ADR 0012).
CREATE TABLE IF NOT EXISTS {database}.shared_traces
(
    tenant LowCardinality(String),
    trace_id String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, trace_id)
