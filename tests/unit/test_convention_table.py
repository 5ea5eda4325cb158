"""The table in the product against the researched rules, list by list: nothing lost, nothing reordered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from processor.conventions import table
from processor.conventions.table import Key

RULES = yaml.safe_load((Path(__file__).parents[1] / "data" / "attributes.yaml").read_text())


def keys(entries: list[Any]) -> list[str]:
    """The plain keys of a precedence list: entries that read JSON blobs or expressions are left out."""
    named = [entry if isinstance(entry, str) else entry.get("key") for entry in entries if _is_plain(entry)]
    return [name for name in named if name]


def _is_plain(entry: Any) -> bool:
    return isinstance(entry, str) or ("form" not in entry and "key" in entry)


def names(entries: tuple[Key, ...]) -> list[str]:
    """The keys of a list of the table."""
    return [key.name for key in entries]


@pytest.mark.parametrize(
    ("rules", "entries"),
    [
        (RULES["session_id"]["own_span"], table.SESSION_ID),
        (RULES["session_name"], table.SESSION_NAME),
        (RULES["user_id"], table.USER_ID),
        (RULES["thread_id"], table.THREAD_ID),
        (RULES["model"], table.MODEL),
        (RULES["provider"]["order"], table.PROVIDER),
        (RULES["usage"]["input"], table.INPUT_TOKENS),
        (RULES["usage"]["output"], table.OUTPUT_TOKENS),
        (RULES["usage"]["total"], table.TOTAL_TOKENS),
        (RULES["cost"], table.COST),
    ],
    ids=["session_id", "name", "user", "thread", "model", "provider", "input", "output", "total", "cost"],
)
def test_the_order_of_keys_is_the_researched_one(rules: list[Any], entries: tuple[Key, ...]) -> None:
    """The first usable value wins, so the order is the rule."""
    assert names(entries) == keys(rules)


def test_kinds_map_as_researched() -> None:
    """Every key and every value, in order; values match in any case."""
    rules = [entry for entry in RULES["span_kind"]["order"] if "map" in entry and "form" not in entry]
    found = [(entry["key"], {word.lower(): kind for word, kind in entry["map"].items()}) for entry in rules]
    assert [(key, dict(mapping)) for key, mapping in table.KIND] == found


def test_frameworks_are_no_providers() -> None:
    """The names that are passed over are the researched ones."""
    assert set(RULES["provider"]["not_a_provider"]) == table.NOT_A_PROVIDER
