-- Deliberate rewrites of roll-ups (other prices): rows of a higher revision win whatever they were made of. Workers look
-- here before they roll up, so what they write is of the highest. `what` tells two rewrites that began at once apart.
CREATE TABLE IF NOT EXISTS {database}.revisions
(
    revision UInt32,
    what String,
    written_at DateTime DEFAULT now()
)
ENGINE = ReplacingMergeTree
ORDER BY (revision, what)
