-- Data points of counters that tell a session's tokens or cost: the last resort where neither spans nor log records do.
-- The key is the point itself, series and interval: the table is the *set* of points, and nothing in it is summed.
-- Of two points of one series and interval the larger one stays, whichever came last.
CREATE TABLE IF NOT EXISTS {database}.session_metrics
(
    tenant LowCardinality(String),
    session_id String,
    metric LowCardinality(String),
    measure LowCardinality(String),
    service LowCardinality(String),
    model LowCardinality(String),
    provider LowCardinality(String),
    user_id String,
    temporality UInt8,
    start_ns Int64 CODEC(Delta, LZ4),
    time_ns Int64 CODEC(Delta, LZ4),
    amount UInt64,
    attributes Map(String, String) CODEC(ZSTD(1)),
    resource_attributes Map(String, String) CODEC(ZSTD(1)),
    series UInt64 MATERIALIZED cityHash64(mapSort(attributes), mapSort(resource_attributes)) CODEC(NONE)
)
ENGINE = ReplacingMergeTree(amount)
PARTITION BY toYYYYMM(toDateTime(intDiv(time_ns, 1000000000), 'UTC'))
PRIMARY KEY (tenant, session_id)
ORDER BY (tenant, session_id, metric, series, start_ns, time_ns)
SETTINGS min_bytes_for_wide_part = 268435456
