"""A store for reading: `python -m benchmarks.read_fill DIRECTORY --sessions N --traces-per-session M`.

Writes `session_traces` and `session_rollups` as if the sessions had come in over `--days`: trace rows by SQL over
numbers, session rows by the processor's own query out of them. Every column that people sort by, filter by or search
differs from session to session, in no order that the key knows. Of the last sessions of the store also spans
(`session_spans`). Not filled: `otel_traces`, `trace_sessions`, which none of the measured questions read.

In a process of its own: chDB opens one directory a process.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Final

from benchmarks.load import SESSION_PREFIX
from benchmarks.templates import SESSION_DIGITS
from processor.model import DEFAULT_TENANT, SESSION_ROLLUPS
from processor.store.clickhouse import open_store
from processor.store.connection import StoreConfig, connect
from processor.store.rollup_sql import session_rollups

DATABASE: Final = "otel"
_CHUNK_TRACES: Final = 500_000
_SAID_S: Final = 10.0
_SETTINGS: Final = {"optimize_on_insert": 0, "max_insert_block_size": _CHUNK_TRACES, "max_threads": 2}

TOPICS: Final = (
    "Refund", "Invoice", "Delivery", "Upgrade", "Outage", "Password", "Contract", "Migration", "Onboarding",
    "Review", "Planning", "Incident", "Translation", "Summary", "Research", "Deployment", "Triage", "Interview",
    "Booking", "Audit",
)  # fmt: skip
SUBJECTS: Final = (
    "orders", "customers", "suppliers", "tenants", "branches", "flights", "drafts", "papers", "tickets", "claims",
    "meters", "patients", "courses", "vehicles", "recipes", "songs", "houses", "books", "games", "gardens",
)  # fmt: skip
USERS: Final = 100_000
_MODELS: Final = ("gpt-5-2026-08-07", "gpt-5-mini-2026-08-07", "claude-sonnet-5-20260915", "gemini-3-pro")
_PROVIDERS: Final = ("openai", "openai", "anthropic", "gcp.gemini")
_SERVICES: Final = ("support-agent", "billing-agent", "research-agent", "tools-gateway")
_ENVIRONMENTS: Final = ("production", "production", "production", "staging", "development")
_TAGS: Final = ("beta", "vip", "eu", "us", "trial", "internal", "night", "mobile", "web", "batch")


def session_id(number: int) -> str:
    """The session of this number, as the load writes it."""
    return f"{SESSION_PREFIX}{number:0{SESSION_DIGITS}}"


def session_name(number: int) -> str:
    """What stands in the middle of its name."""
    return f"{number:08}"


def fill(directory: Path, sessions: int, traces_per_session: int, days: float) -> None:
    """Fill an empty store."""
    config = StoreConfig(dsn=f"chdb://{directory}", database=DATABASE)
    start_ns = time.time_ns() - int(days * 86_400e9)
    columns = ", ".join(SESSION_ROLLUPS.names())
    per_chunk = max(1, _CHUNK_TRACES // traces_per_session)
    began_s = said_s = time.perf_counter()
    with connect(config) as client:
        open_store(config).close()  # creates the tables
        for first in range(0, sessions, per_chunk):
            count = min(per_chunk, sessions - first)
            client.command(
                _traces(first, count, traces_per_session, start_ns, int(days * 86_400e9)), settings=_SETTINGS
            )
            of_chunk = (
                f"t.tenant = '{DEFAULT_TENANT}' AND "
                f"t.session_id BETWEEN '{session_id(first)}' AND '{session_id(first + count - 1)}'"
            )
            rows = session_rollups(DATABASE, of_chunk)
            client.command(f"INSERT INTO {DATABASE}.session_rollups ({columns}) {rows}", settings=_SETTINGS)
            if (now_s := time.perf_counter()) - said_s > _SAID_S or first + count == sessions:
                done = first + count
                print(f"  {done:,} of {sessions:,} sessions, {done / (now_s - began_s):,.0f} a second", flush=True)
                said_s = now_s
        # A store at rest: or the first quarter of an hour would be about merging what was filled too fast.
        for table in ("session_rollups", "session_traces"):
            print(f"  merging {table}", flush=True)
            client.command(f"OPTIMIZE TABLE {DATABASE}.{table} FINAL")


def _traces(first: int, sessions: int, each: int, start_ns: int, span_ns: int) -> str:
    """Trace rows of some sessions: `s` is the session's number, `k` the trace's place in it."""
    pause_ns = "(5000000000 + cityHash64(s, 2) % 115000000000)"
    model = "cityHash64(s, k, 3) % 4"
    topic, subject = _pick(TOPICS, "cityHash64(s, 5)"), _pick(SUBJECTS, "cityHash64(s, 6)")
    columns = {
        "tenant": f"'{DEFAULT_TENANT}'",
        "session_id": f"concat('{SESSION_PREFIX}', leftPad(toString(s), {SESSION_DIGITS}, '0'))",
        "trace_id": "concat(leftPad(lower(hex(s)), 16, '0'), leftPad(lower(hex(cityHash64(s, k))), 16, '0'))",
        "version": "8",
        "name": "'invoke_agent support'",
        "status_code": f"if(cityHash64(s, k, 4) % 100 = 0, 2, if(k = {each - 1}, 1, 0))",
        "session_name": f"concat({topic}, ' of ', {subject}, ' ', leftPad(toString(s), 8, '0'))",
        "session_name_rank": "1",
        "user_id": f"concat('user-', leftPad(toString(cityHash64(s, 7) % {USERS}), 6, '0'))",
        "thread_id": "concat('thread-', toString(cityHash64(s, 8) % 2000000))",
        "environment": _pick(_ENVIRONMENTS, "cityHash64(s, 9)"),
        "input_preview": "concat('Where is parcel ', toString(cityHash64(s, k)), '? It should have come on Tuesday.')",
        "output_preview": "concat('Your parcel ', toString(cityHash64(s, k)), ' is with the neighbours.')",
        "start_ns": f"toInt64({start_ns} + cityHash64(s, 1) % {span_ns} + k * {pause_ns})",
        "end_ns": "start_ns + toInt64(500000000 + cityHash64(s, k, 10) % 60000000000)",
        "llm_ns": "intDiv((end_ns - start_ns) * 8, 10)",
        "span_count": "8",
        "error_count": "toInt64(cityHash64(s, k, 4) % 100 = 0)",
        "llm_call_count": "3",
        "tool_call_count": "1",
        "input_tokens": "toInt64(600 + cityHash64(s, k, 11) % 26400)",
        "output_tokens": "toInt64(60 + cityHash64(s, k, 12) % 2640)",
        "total_tokens": "input_tokens + output_tokens",
        "cost_nano_usd": "input_cost_nano_usd + output_cost_nano_usd",
        "input_cost_nano_usd": "input_tokens * 1250",
        "output_cost_nano_usd": "output_tokens * 10000",
        "models": f"[{_pick(_MODELS, model)}]",
        "providers": f"[{_pick(_PROVIDERS, model)}]",
        "services": f"[{_pick(_SERVICES, 'cityHash64(s, 13)')}]",
        "tags": f"arraySort([{_pick(_TAGS[:5], 'cityHash64(s, 14)')}, {_pick(_TAGS[5:], 'cityHash64(s, 15)')}])",
        "`usage.model`": "models",
        "`usage.provider`": "providers",
        "`usage.service`": "services",
        "`usage.call_count`": "[llm_call_count]",
        "`usage.error_count`": "[error_count]",
        **{
            f"`usage.{name}`": f"[{name}]"
            for name in (
                "input_tokens",
                "output_tokens",
                "total_tokens",
                "cost_nano_usd",
                "input_cost_nano_usd",
                "output_cost_nano_usd",
            )
        },
        "`usage.cache_read_tokens`": "[0]",
        "`usage.cache_write_tokens`": "[0]",
        "`usage.reasoning_tokens`": "[0]",
        "`usage.unpriced_count`": "[0]",
    }
    chosen = ",\n    ".join(f"{expression} AS {name}" for name, expression in columns.items())
    return (
        f"INSERT INTO {DATABASE}.session_traces ({', '.join(columns)})\nSELECT\n    {chosen}\n"
        f"FROM (SELECT toUInt64({first}) + intDiv(number, {each}) AS s, number % {each} AS k "
        f"FROM numbers({sessions * each}))"
    )


def _pick(values: tuple[str, ...], number: str) -> str:
    return f"{list(values)}[{number} % {len(values)} + 1]"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.read_fill", description=__doc__)
    parser.add_argument("directory", type=Path, help="of the store; must be empty or missing")
    parser.add_argument("--sessions", type=int, required=True)
    parser.add_argument("--traces-per-session", type=int, default=10)
    parser.add_argument("--days", type=float, default=90.0)
    options = parser.parse_args()
    fill(options.directory, options.sessions, options.traces_per_session, options.days)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
