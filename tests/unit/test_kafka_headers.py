"""A record says how its spans were placed, and whoever reads it finds out whether that is still true."""

from __future__ import annotations

import pytest

from processor.log.kafka.headers import PLACEMENT, SIGNAL, TENANT, framing_bytes, is_placed, placement, record_headers


def test_a_placed_record_says_so_to_its_own_topic_and_partition_only() -> None:
    """Raised partition counts and copies to elsewhere make the claim false."""
    headers = record_headers("acme", 3, 12)
    assert is_placed(headers, 3, 12)
    assert not is_placed(headers, 3, 24)
    assert not is_placed(headers, 4, 12)


def test_nothing_is_placed_where_the_partition_count_is_unknown() -> None:
    """Whatever the header claims."""
    assert not is_placed(record_headers("acme", 3, 0), 3, 0)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(SIGNAL, b"traces")],
        [(PLACEMENT, b"")],
        [(PLACEMENT, b"fnv1a(trace_id) % 12 = 3")],
        [(PLACEMENT, placement(3, 12)), (PLACEMENT, placement(2, 12))],
    ],
)
def test_what_says_anything_else_is_not_placed(headers: list[tuple[str, bytes]]) -> None:
    """Foreign producers, other rules, and contradictions."""
    assert not is_placed(headers, 3, 12)


def test_a_record_that_was_not_placed_claims_nothing() -> None:
    """Tenant and signal are there all the same."""
    assert dict(record_headers("größe", None, 12)) == {TENANT: "größe".encode(), SIGNAL: b"traces"}


def test_the_value_in_the_header_never_changes() -> None:
    """Other languages and other versions read it."""
    assert placement(3, 12) == b"crc32(trace_id) % 12 = 3"


def test_framing_is_never_less_than_what_the_headers_take() -> None:
    """Long tenants count."""
    headers = record_headers("t" * 10_000, 3, 12)
    assert framing_bytes(headers) > 10_000 + sum(len(name) for name, _ in headers)
