-- When the trace's last span ends: rows expire by it (`exporters.clickhouse.ttl.rollups_days`). 0 in older rows.
ALTER TABLE {database}.trace_sessions ADD COLUMN IF NOT EXISTS end_ns Int64 DEFAULT 0 CODEC(Delta, LZ4)
