-- Which of these files a database has had. Every row is its own key: workers that migrate at once write the same rows,
-- and a file that was edited after it was applied stands here with both of its checksums.
CREATE TABLE IF NOT EXISTS {database}.schema_migrations
(
    version UInt32,
    name String,
    checksum String
)
ENGINE = ReplacingMergeTree
ORDER BY (version, name, checksum)
