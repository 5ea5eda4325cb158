-- How far an embedded process has rolled up: spans with a larger batch_seq are rolled up again at the next start.
CREATE TABLE IF NOT EXISTS {database}.rollup_checkpoints
(
    worker String,
    batch_seq UInt64
)
ENGINE = ReplacingMergeTree(batch_seq)
ORDER BY worker
