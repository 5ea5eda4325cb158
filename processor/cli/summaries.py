"""Tables of what models, providers, services and threads took, for people; see `render`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.text import Text

from processor.cli.render import console, cost, table_of, text, write_facts
from processor.cli.units import count, dollars, moment

THREAD_FIELDS = ["id", "status", "session_count", "trace_count", "error_count", "user_ids", "tags"]
THREAD_FIELDS += ["first_seen", "last_seen", "input_tokens", "output_tokens", "total_tokens", "total_cost"]
THREAD_FIELDS += ["input_cost", "output_cost"]

_Json = dict[str, Any]


def write_breakdown(breakdown: dict[str, list[_Json]]) -> None:
    """A table for models, one for providers and one for services, each under an empty line."""
    for part, entries in breakdown.items():
        if entries:
            console().print()
            _write_usage([part.removesuffix("s")], [([entry["name"]], entry) for entry in entries])


def write_models(models: Iterable[_Json]) -> None:
    """A line a model and provider."""
    _write_usage(["model", "provider"], [([row["model"], row["provider"]], row) for row in models])


def write_threads(threads: Iterable[_Json]) -> None:
    """A line a thread."""
    table = table_of(["id", "status", "last seen (UTC)"], ["users", "sessions", "errors", "tokens", "cost"])
    for thread in threads:
        table.add_row(
            text(thread["id"]),
            Text(thread["status"]),
            Text(moment(thread["last_seen"])),
            Text(count(len(thread["user_ids"]))),
            Text(count(thread["session_count"])),
            _errors(thread),
            Text(count(thread["total_tokens"])),
            Text(dollars(thread["total_cost"])),
        )
    console().print(table)


def write_users(users: Iterable[_Json]) -> None:
    """A line a user."""
    table = table_of(["id", "last seen (UTC)"], ["sessions", "traces", "errors", "tokens", "cost"])
    for user in users:
        table.add_row(
            text(user["id"]),
            Text(moment(user["last_seen"])),
            Text(count(user["session_count"])),
            Text(count(user["trace_count"])),
            _errors(user),
            Text(count(user["total_tokens"])),
            Text(dollars(user["total_cost"])),
        )
    console().print(table)


def write_thread(thread: _Json) -> None:
    """A line a field."""
    write_facts(
        ("id", thread["id"]),
        ("status", thread["status"]),
        ("users", ", ".join(thread["user_ids"])),
        ("tags", ", ".join(thread["tags"])),
        ("first seen", f"{moment(thread['first_seen'])} UTC"),
        ("last seen", f"{moment(thread['last_seen'])} UTC"),
        ("sessions", count(thread["session_count"])),
        ("traces", count(thread["trace_count"])),
        ("errors", count(thread["error_count"])),
        (
            "tokens",
            f"{count(thread['total_tokens'])} ({count(thread['input_tokens'])} in, "
            f"{count(thread['output_tokens'])} out)",
        ),
        ("cost", dollars(thread["total_cost"])),
        ("input cost", dollars(thread["input_cost"])),
        ("output cost", dollars(thread["output_cost"])),
    )


def _write_usage(titles: Sequence[str], rows: Iterable[tuple[Sequence[str], _Json]]) -> None:
    table = table_of(titles, ["calls", "errors", "tokens", "in", "out", "cost", "unpriced"])
    for names, row in rows:
        table.add_row(
            *(text(name or "-") for name in names),
            Text(count(row["call_count"])),
            _errors(row),
            Text(count(row["total_tokens"])),
            Text(count(row["input_tokens"])),
            Text(count(row["output_tokens"])),
            Text(cost(row["cost"], row["unpriced_count"])),
            Text(count(row["unpriced_count"])),
        )
    console().print(table)


def _errors(row: _Json) -> Text:
    return Text(count(row["error_count"]), style="red" if row["error_count"] else "")
