-- What views depend on and configuration says; a worker writes what differs at its start, the last one counts.
CREATE TABLE IF NOT EXISTS {database}.settings
(
    name String,
    value String,
    written_at DateTime64(3) DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY name
