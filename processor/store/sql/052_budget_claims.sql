-- Which worker posts an alert: of those that say so, the first by the store's clock, until its time is over.
CREATE TABLE IF NOT EXISTS {database}.budget_claims
(
    tenant LowCardinality(String),
    id String,
    attempt UInt32,
    claimant String,
    claimed_at DateTime64(6) DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, id, attempt, claimant)
