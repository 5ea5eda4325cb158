"""SQL for what models, providers and services took, as data.

Must never put a value into SQL text (see `session_sql`). Reads the view `session_usage`. What counts for neither calls,
tokens nor money has no model: entries that only say that something else failed, a tool say, are left out where the
question is about models or providers.
"""

from __future__ import annotations

from typing import Final

from processor.store.session_sql import Statement

DIMENSIONS: Final = {"models": "model", "providers": "provider", "services": "service"}
"""Parts of a breakdown, and the column of the view `session_usage` behind each."""

ENTRIES_MAX: Final = 1_000  # in each part of a breakdown

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
    """A row a model, a row a provider and a row a service: `part`, `name` and sums; most expensive first."""
    parts = "".join(f"grouping({column}) = 0, '{part}', " for part, column in DIMENSIONS.items())
    names = "".join(f"grouping({column}) = 0, toString({column}), " for column in DIMENSIONS.values())
    return Statement(
        f"""SELECT * FROM (
    SELECT multiIf({parts}'') AS part, multiIf({names}'') AS name, {_SUMS}
    FROM {database}.session_usage
    WHERE tenant = {{tenant:String}} AND session_id = {{session_id:String}}
    GROUP BY GROUPING SETS (({"), (".join(DIMENSIONS.values())}))
)
WHERE part = 'services' OR {_SAYS_SOMETHING}
ORDER BY part, cost DESC, name
LIMIT {ENTRIES_MAX} BY part""",
        {"tenant": tenant, "session_id": session_id},
    )


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
