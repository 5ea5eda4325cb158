-- Crossings of budgets, each a row that says what is posted and how far that is. `sequence` is odd where a session went
-- over (or ended), even where it came back under. `revision` grows with each attempt to post: the newest row counts.
CREATE TABLE IF NOT EXISTS {database}.budget_alerts
(
    tenant LowCardinality(String),
    session_id String,
    rule String,
    sequence UInt32,
    revision UInt32,
    id String,
    state LowCardinality(String),
    mark String,
    attempts UInt32,
    due_at_ms Int64,
    crossed_at_ms Int64,
    payload String
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (tenant, session_id, rule, sequence)
