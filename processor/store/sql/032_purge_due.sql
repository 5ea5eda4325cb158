-- What workers have found of deleted sessions after these were purged: a trace with late spans, or (trace_id '') a
-- session whose rows were written while it was deleted. A purge takes what it finds here, and removes what it has done.
CREATE TABLE IF NOT EXISTS {database}.purge_due
(
    tenant LowCardinality(String),
    session_id String,
    trace_id String,
    note String
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, session_id, trace_id, note)
