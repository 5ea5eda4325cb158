"""Bounded decompression: round trips, limits, bombs and garbage."""

from __future__ import annotations

import gzip
import os
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from processor.errors import Permanent, TooLarge
from processor.receiver.compression import ENCODINGS, MEMBERS_MAX, SLICE_BYTES, decompress, is_supported

try:
    from compression import zstd
except ImportError:
    from backports import zstd

MIB = 1024 * 1024
TEXT = b"spans and spans " * 20_000 + os.urandom(3 * SLICE_BYTES)


def _raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


COMPRESSORS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", _raw_deflate),
    "zstd": ("zstd", zstd.compress),
    "identity": ("identity", bytes),
}
REAL = [name for name in COMPRESSORS if name != "identity"]
MULTI = ["gzip", "zstd"]


@pytest.mark.parametrize("name", COMPRESSORS)
@pytest.mark.parametrize("data", [b"", b"x", TEXT], ids=["empty", "one byte", "many slices"])
def test_round_trip(name: str, data: bytes) -> None:
    """What a client compresses comes out again, in every encoding and across input slices."""
    encoding, compress = COMPRESSORS[name]
    assert decompress(compress(data), encoding, len(TEXT)) == data


@pytest.mark.parametrize("name", COMPRESSORS)
def test_limit_is_inclusive(name: str) -> None:
    """A body of exactly the limit passes, one byte more does not."""
    encoding, compress = COMPRESSORS[name]
    assert len(decompress(compress(bytes(MIB)), encoding, MIB)) == MIB
    with pytest.raises(TooLarge, match="1048576 bytes"):
        decompress(compress(bytes(MIB + 1)), encoding, MIB)


@pytest.mark.parametrize("name", REAL)
def test_bomb_costs_no_more_than_the_limit(name: str) -> None:
    """A body that would grow to 256 MiB is refused after about 1 MiB of output."""
    encoding, compress = COMPRESSORS[name]
    bomb = compress(bytes(256 * MIB))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            decompress(bomb, encoding, MIB)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 4 * MIB


@pytest.mark.parametrize("name", REAL)
def test_truncated_at_any_place(name: str) -> None:
    """A body cut anywhere is refused for good, never taken for a shorter one."""
    encoding, compress = COMPRESSORS[name]
    body = compress(b"some spans that compress, compress, compress")
    for length in range(1, len(body)):
        with pytest.raises(Permanent):
            decompress(body[:length], encoding, MIB)


@pytest.mark.parametrize("name", REAL)
def test_garbage_after_the_end(name: str) -> None:
    """Bytes behind the compressed data are refused."""
    encoding, compress = COMPRESSORS[name]
    with pytest.raises(Permanent):
        decompress(compress(b"spans") + b"\xff\xff garbage", encoding, MIB)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_garbage(encoding: str) -> None:
    """A body that was never compressed is refused with the name of the encoding."""
    with pytest.raises(Permanent, match=encoding):
        decompress(b"\xffnot compressed at all", encoding, MIB)


@pytest.mark.parametrize("name", MULTI)
def test_members_are_concatenated(name: str) -> None:
    """Several gzip members or zstd frames are one body, and the limit holds for their sum."""
    encoding, compress = COMPRESSORS[name]
    body = compress(b"a" * 600) + compress(b"") + compress(b"b" * 600)
    assert decompress(body, encoding, 1200) == b"a" * 600 + b"b" * 600
    with pytest.raises(TooLarge):
        decompress(body, encoding, 1199)


@pytest.mark.parametrize("name", MULTI)
def test_members_are_bounded(name: str) -> None:
    """A body of very many empty members is refused instead of costing a decompressor each."""
    encoding, compress = COMPRESSORS[name]
    assert decompress(compress(b"") * MEMBERS_MAX, encoding, MIB) == b""
    with pytest.raises(Permanent, match="members"):
        decompress(compress(b"") * (MEMBERS_MAX + 1), encoding, MIB)


def test_zstd_window_is_bounded() -> None:
    """A frame whose window needs more memory than RFC 9659 allows is refused before it is allocated."""
    body = zstd.compress(bytes(32 * MIB), options={zstd.CompressionParameter.window_log: 27})
    with pytest.raises(Permanent, match="zstd"):
        decompress(body, "zstd", 64 * MIB)


def test_supported_encodings() -> None:
    """The list that a client is told is the list that works."""
    assert all(is_supported(encoding) for encoding in (*ENCODINGS, ""))
    assert not any(is_supported(encoding) for encoding in ("br", "snappy", "gzip, gzip", "x"))
