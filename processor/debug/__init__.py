"""The `debug` exporter: shows what goes through a pipeline, alone or beside another exporter."""
