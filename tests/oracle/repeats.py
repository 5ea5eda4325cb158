"""Model calls that a trace shows twice, side by side: two instrumentations of one client.

One above the other is another matter, see `counting`. Source: attributes.yaml, `counting.same_call_twice`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from tests.oracle.spans import Row


def repeated_calls(calls: list[Row], parent: Mapping[str, Row]) -> set[str]:
    """Span ids of the calls that say again what another one says. `parent`: span id to its parent's row."""
    repeats = _of_one_response(calls)
    return repeats | _beside_each_other([call for call in calls if call["span_id"] not in repeats], parent)


def _of_one_response(calls: list[Row]) -> set[str]:
    """All but the richest of those that name one response."""
    by_response: defaultdict[str, list[Row]] = defaultdict(list)
    for call in calls:
        if call["response_id"]:
            by_response[call["response_id"]].append(call)
    return {call["span_id"] for group in by_response.values() for call in group if call is not richest(group)}


def _beside_each_other(calls: list[Row], parent: Mapping[str, Row]) -> set[str]:
    """Siblings of different scopes with the same tokens at the same time: the n-th of each scope are one call."""
    alike: defaultdict[tuple[str, int, int], list[Row]] = defaultdict(list)
    for call in calls:
        if call["total_tokens"] > 0 and call["span_id"] in parent:
            alike[parent[call["span_id"]]["span_id"], call["input_tokens"], call["output_tokens"]].append(call)
    repeats: set[str] = set()
    for siblings in alike.values():
        for group in _one_of_each_scope(siblings):
            best = richest(group)
            repeats |= {call["span_id"] for call in group if call is not best and _may_be_one(call, best)}
    return repeats


def _one_of_each_scope(siblings: list[Row]) -> list[list[Row]]:
    by_scope: defaultdict[str, list[Row]] = defaultdict(list)
    for call in sorted(siblings, key=_place):
        by_scope[call["scope"]].append(call)
    longest = max(len(calls) for calls in by_scope.values())
    return [[calls[n] for calls in by_scope.values() if n < len(calls)] for n in range(longest)]


def _may_be_one(call: Row, other: Row) -> bool:
    overlap = call["start_ns"] <= _end_ns(other) and other["start_ns"] <= _end_ns(call)
    return overlap and not (call["response_id"] and other["response_id"])


def richest(group: list[Row]) -> Row:
    """The one that says most; the earliest of equals."""
    return max(sorted(group, key=_place), key=_riches)  # max takes the first of equals


def _riches(call: Row) -> tuple[int, ...]:
    return (
        call["cost_nano_usd"],
        call["total_tokens"],
        call["cache_read_tokens"],
        call["cache_write_tokens"],
        call["reasoning_tokens"],
    )


def _place(call: Row) -> tuple[int, str]:
    return call["start_ns"], call["span_id"]


def _end_ns(call: Row) -> int:
    return max(call["start_ns"], call["end_ns"])
