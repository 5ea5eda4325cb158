"""ClickHouse's compressed frames and their checksum, held against files that the engine itself has written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.clickhouse_http.cityhash import cityhash128
from processor.clickhouse_http.frames import FRAME_BYTES, frames, unframed


@given(st.binary(max_size=5_000))
def test_what_is_framed_comes_back(data: bytes) -> None:
    """Any bytes, none among them."""
    assert unframed(b"".join(frames(data)), 10_000) == data


def test_large_data_is_several_frames() -> None:
    """Each within the size that readers expect."""
    data = bytes(range(256)) * 10_000
    packed = list(frames(data))
    assert len(packed) == -(-len(data) // FRAME_BYTES)
    assert unframed(b"".join(packed), len(data)) == data


@pytest.mark.parametrize("length", [8, 15, 16, 17, 24, 31, 32, 33, 100, 143, 144, 145, 300, 1_000])
def test_every_length_has_a_hash_of_its_own(length: int) -> None:
    """Each way through the algorithm; one bit makes another hash."""
    data = bytes(i * 7 % 251 for i in range(length))
    changed = bytes([data[0] ^ 1]) + data[1:]
    assert cityhash128(data) == cityhash128(bytes(data))
    assert cityhash128(data) != cityhash128(changed)
