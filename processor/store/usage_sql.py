"""SQL for what models, providers and services took, as data.

Must never put a value into SQL text (see `session_sql`). Over all sessions it reads the view `session_usage`. What
counts for neither calls, tokens nor money has no model: entries that only say that something else failed, a tool say,
are left out where the question is about models or providers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from processor.model import COSTS, USAGE_KEY, USAGE_SUMMED, Source
from processor.store.deleted_sql import not_deleted
from processor.store.statement import BY_KEY, Row, Statement

DIMENSIONS: Final = {"models": "model", "providers": "provider", "services": "service"}
"""Parts of a breakdown, and the column of the view `session_usage` behind each."""

ENTRIES_MAX: Final = 1_000  # in each part of a breakdown

_AMOUNTS: Final = {"cost_nano_usd": "cost", "input_cost_nano_usd": "input_cost", "output_cost_nano_usd": "output_cost"}
_SUMMED: Final = ("call_count", "error_count", "input_tokens", "output_tokens", "total_tokens", "cache_read_tokens")
_SUMS: Final = ", ".join(
    f"sum({column}) AS {name}"
    for column, name in (
        *((column, column) for column in (*_SUMMED, "cache_write_tokens", "reasoning_tokens", "unpriced_count")),
        ("total_cost", "cost"),
        ("input_cost", "input_cost"),
        ("output_cost", "output_cost"),
    )
)
_SAYS_SOMETHING: Final = "(name != '' OR call_count > 0 OR total_tokens > 0 OR cost > 0)"


def breakdown_of_session(database: str, tenant: str, session_id: str) -> Statement:
    """What each model, provider and service took of a session: `part`, `name`, `is_counter` and sums.

    From `session_traces` itself: for one session, planning a query of the view takes longer than answering it.
    Counters stand apart; whether they count is for `breakdown` to say.
    """
    parts = "".join(f"grouping({column}) = 0, '{part}', " for part, column in DIMENSIONS.items())
    names = "".join(f"grouping({column}) = 0, toString({column}), " for column in DIMENSIONS.values())
    entries = ", ".join(f"`usage.{name}`" for name in (*USAGE_KEY, *USAGE_SUMMED))
    joined = [f"`usage.{name}` AS {name}" for name in USAGE_KEY] + [
        f"`usage.{name}` AS of_{name}" for name in USAGE_SUMMED
    ]
    amounts = ", ".join(f"{_amount(name)} AS {_AMOUNTS.get(name, name)}" for name in USAGE_SUMMED)
    sets = ", ".join(f"(is_counter, {column})" for column in DIMENSIONS.values())
    return Statement(
        f"""SELECT multiIf({parts}'') AS part, multiIf({names}'') AS name, source = {Source.METRIC:d} AS is_counter,
    {amounts}
FROM (
    SELECT source, span_count, {entries} FROM {database}.session_traces
    WHERE tenant = {{tenant:String}} AND session_id = {{session_id:String}} AND {not_deleted(database)}
    ORDER BY version DESC LIMIT 1 BY trace_id
)
ARRAY JOIN {", ".join(joined)}
WHERE span_count > 0 OR source = {Source.METRIC:d}
GROUP BY GROUPING SETS ({sets})
ORDER BY part, is_counter, cost DESC, total_tokens DESC, name
LIMIT {ENTRIES_MAX} BY part, is_counter
{BY_KEY}""",
        {"tenant": tenant, "session_id": session_id},
    )


def breakdown(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows of `breakdown_of_session` by part, the most expensive first, then by name.

    What counters add up to counts where nothing else reports tokens or cost, as in the session's row.
    """
    entries = list(rows)
    reported = any(row["total_tokens"] or row["cost"] for row in entries if not row["is_counter"])
    parts: dict[str, dict[str, Row]] = {part: {} for part in DIMENSIONS}
    for row in entries:
        if row["is_counter"] and reported:
            continue
        part, name = parts[row["part"]], row["name"]
        amounts = {column: row[column] for column in row if column not in ("part", "name", "is_counter")}
        earlier = part.get(name)
        part[name] = amounts if earlier is None else {column: earlier[column] + amounts[column] for column in amounts}
    return {
        part: sorted(
            (
                {"name": name, **row}
                for name, row in found.items()
                if part == "services" or name or _says_something(row)
            ),
            key=lambda row: (-row["cost"], row["name"]),
        )[:ENTRIES_MAX]
        for part, found in parts.items()
    }


def _amount(name: str) -> str:
    return f"reinterpret(sum(of_{name}), 'Decimal(18, 9)')" if name in COSTS else f"sum(of_{name})"


def _says_something(row: Row) -> bool:
    return bool(row["call_count"] or row["total_tokens"] or row["cost"])


def count_models(database: str, tenant: str, unpriced: bool) -> Statement:
    """How many rows `page_of_models` has on all pages: one row, one column."""
    return Statement(f"SELECT count() AS total FROM ({_models(database, unpriced)})", {"tenant": tenant})


def page_of_models(database: str, tenant: str, unpriced: bool, limit: int, offset: int) -> Statement:
    """A row a model and provider over all sessions: first what most calls have no price for, then what took most.

    `unpriced` leaves only those with a call whose tokens have no price.
    """
    return Statement(
        f"""SELECT * FROM ({_models(database, unpriced)})
ORDER BY unpriced_count DESC, total_tokens DESC, model, provider
LIMIT {{limit:UInt64}} OFFSET {{offset:UInt64}}""",
        {"tenant": tenant, "limit": limit, "offset": offset},
    )


def _models(database: str, unpriced: bool) -> str:
    kept = "unpriced_count > 0" if unpriced else _SAYS_SOMETHING.replace("name", "model")
    return f"""SELECT model, provider, {_SUMS}
    FROM {database}.session_usage
    WHERE tenant = {{tenant:String}}
    GROUP BY model, provider
    HAVING {kept}"""
