-- When the trace was noted, by the store's clock: notes expire by it. Nothing else depends on it.
ALTER TABLE {database}.shared_traces ADD COLUMN IF NOT EXISTS written_at DateTime MATERIALIZED now() CODEC(ZSTD(1))
