-- When a row was written, by the store's clock: a worker that was assigned something new learns what is newer than what
-- it has learned before. No row that people read depends on it.
ALTER TABLE {database}.trace_sessions ADD COLUMN IF NOT EXISTS written_at DateTime MATERIALIZED now() CODEC(ZSTD(1))
