"""The ClickHouse HTTP interface over the embedded store, for `curl`, clickhouse-connect and BI tools. Reads only.

`request` says what a request asks for, `guard` and `settings` what of it is allowed, `engine` runs it on a chDB handle
of its own, `app` speaks HTTP. `frames` and `encodings` compress, `formats` and `answers` shape the response.
Source: ClickHouse documentation, "HTTP Interface"; `src/Server/HTTPHandler.cpp`.
"""
