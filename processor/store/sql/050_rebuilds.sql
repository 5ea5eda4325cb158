-- How far rebuilds of roll-ups have come, so that one that was ended goes on where it was: the same range, tenant ('' is
-- every one) and prices. `phase` is traces, then sessions; `at_tenant` and `at_id` are the last key that is done.
CREATE TABLE IF NOT EXISTS {database}.rebuilds
(
    tenant LowCardinality(String),
    since_ns Int64,
    until_ns Int64,
    revision UInt32,
    prices String,
    phase String,
    at_tenant String,
    at_id String,
    traces UInt64,
    sessions UInt64,
    step UInt64,
    written_at DateTime DEFAULT now()
)
ENGINE = ReplacingMergeTree(step)
ORDER BY (tenant, since_ns, until_ns, revision)
