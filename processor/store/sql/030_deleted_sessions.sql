-- Deletions of sessions, each a row of its own; a session is deleted, and its id blocked, as long as it has one. What
-- people read leaves these sessions out; `purged` is 1 once nothing of what was there is left in any other table.
CREATE TABLE IF NOT EXISTS {database}.deleted_sessions
(
    tenant LowCardinality(String),
    session_id String,
    deletion String,
    deleted_at DateTime64(3, 'UTC'),
    blocked_until DateTime64(3, 'UTC'),
    purged UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(purged)
ORDER BY (tenant, session_id, deletion)
