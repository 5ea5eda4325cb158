"""The ClickHouse HTTP interface over the embedded store, for `curl`, clickhouse-connect and BI tools. Reads only.

The way of a request: `app` receives it (`body`, `request`) and waits for a slot (`slots`). `execution` takes a handle
of the `engine`; `reading` makes a `plan` of the query, after `guard` and `settings` have judged its `statement`. The
result comes through a `pipe`, compressed by `encodings` or `frames`, and leaves as a `response`.
Source: ClickHouse documentation, "HTTP Interface"; `src/Server/HTTPHandler.cpp`.
"""
