"""Content encodings of HTTP: bodies of requests undone within a limit, responses encoded piece by piece.

Source: RFC 9110 sections 8.4.1 and 12.5.3; ClickHouse documentation, "HTTP Interface", "Compression".
"""

from __future__ import annotations

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable
from typing import Final, Protocol

import lz4.frame  # has no annotations

from processor.clickhouse_http.errors import INCORRECT_DATA, UNKNOWN_COMPRESSION_METHOD, QueryError
from processor.clickhouse_http.frames import frames
from processor.errors import TooLarge

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdCompressor, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdCompressor, ZstdDecompressor, ZstdError

MEMBERS_MAX: Final = 1024
"""Members or frames, one after the other, in one body; each costs a decompressor."""

_GZIP_WBITS: Final = 31
_ZLIB_WBITS: Final = 15
_ZSTD_WINDOW_LOG_MAX: Final = 23
_ZLIB_LEVEL: Final = 3
_LZMA_MEMORY_BYTES_MAX: Final = 128 * 1024 * 1024


class Encoder(Protocol):
    """Encodes one response."""

    def encode(self, data: bytes) -> bytes:
        """As much of the encoded response as there is now."""

    def finish(self) -> bytes:
        """The rest."""


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Plain:
    """No encoding."""

    def encode(self, data: bytes) -> bytes:
        """The data itself."""
        return data

    def finish(self) -> bytes:
        """Nothing."""
        return b""


class Frames:
    """ClickHouse's own frames."""

    def encode(self, data: bytes) -> bytes:
        """Whole frames."""
        return b"".join(frames(data))

    def finish(self) -> bytes:
        """Nothing: frames end by themselves."""
        return b""


class _Stream:
    """A compressor with `compress` and `flush`."""

    def __init__(self, compressor: object) -> None:
        self._compress: Callable[[bytes], bytes] = compressor.compress  # type: ignore[attr-defined]
        self._flush: Callable[[], bytes] = compressor.flush  # type: ignore[attr-defined]

    def encode(self, data: bytes) -> bytes:
        return self._compress(data)

    def finish(self) -> bytes:
        return self._flush()


class _Lz4:
    def __init__(self) -> None:
        self._compressor = lz4.frame.LZ4FrameCompressor()
        self._begun = False

    def encode(self, data: bytes) -> bytes:
        head = b"" if self._begun else bytes(self._compressor.begin())
        self._begun = True
        return head + bytes(self._compressor.compress(data))

    def finish(self) -> bytes:
        return self.encode(b"") + bytes(self._compressor.flush())


_ENCODERS: Final[dict[str, Callable[[], Encoder]]] = {
    "zstd": lambda: _Stream(ZstdCompressor()),
    "lz4": _Lz4,
    "gzip": lambda: _Stream(zlib.compressobj(_ZLIB_LEVEL, zlib.DEFLATED, _GZIP_WBITS)),
    "deflate": lambda: _Stream(zlib.compressobj(_ZLIB_LEVEL, zlib.DEFLATED, _ZLIB_WBITS)),
    "bz2": lambda: _Stream(bz2.BZ2Compressor()),
    "xz": lambda: _Stream(lzma.LZMACompressor(preset=0)),
}


def _lz4_decoder() -> _Decoder:
    decoder: _Decoder = lz4.frame.LZ4FrameDecompressor()
    return decoder


_DECODERS: Final[dict[str, Callable[[], _Decoder]]] = {
    "gzip": lambda: zlib.decompressobj(_GZIP_WBITS),
    "deflate": lambda: zlib.decompressobj(_ZLIB_WBITS),
    "zstd": lambda: ZstdDecompressor(options={DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG_MAX}),
    "lz4": _lz4_decoder,
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY_BYTES_MAX),
}


def chosen_encoding(accepted: str) -> str:
    """The encoding of a response from `Accept-Encoding`: the first of ours that the client takes; "" for none."""
    taken = set()
    for item in accepted.lower().split(","):
        name, _, parameters = item.partition(";")
        if parameters.replace(" ", "").rstrip("0") not in ("q=", "q=0."):
            taken.add(name.strip())
    return next((name for name in _ENCODERS if name in taken), "")


def encoder(encoding: str) -> Encoder:
    """A fresh encoder of one of the encodings that `chosen_encoding` gives."""
    return _ENCODERS[encoding]() if encoding else Plain()


def decoded(body: bytes, encoding: str, bytes_max: int) -> bytes:
    """A request's body without its `Content-Encoding`.

    Errors: `QueryError` 89 for an encoding that is not known, 117 for corrupt data; `TooLarge` over `bytes_max`.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in _DECODERS:
        known = ", ".join(_DECODERS)
        raise QueryError(UNKNOWN_COMPRESSION_METHOD, f"Unknown Content-Encoding {encoding!r}; known: {known}")
    try:
        return _decoded(body, _DECODERS[encoding], bytes_max)
    except (zlib.error, ZstdError, OSError, RuntimeError, ValueError, EOFError, lzma.LZMAError) as error:
        raise QueryError(INCORRECT_DATA, f"The body is not valid {encoding}: {error or 'truncated'}") from error


def _decoded(body: bytes, start: Callable[[], _Decoder], bytes_max: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    for _ in range(MEMBERS_MAX):
        if not body:
            return b"".join(parts)
        decoder = start()
        # One byte of room past the limit tells "exactly full" from "more to come".
        part = decoder.decompress(body, bytes_max - size + 1)
        size += len(part)
        if size > bytes_max:
            raise TooLarge(f"the body is over {bytes_max} bytes (max_request_body_size_mib)")
        if not decoder.eof:
            raise EOFError
        parts.append(part)
        body = decoder.unused_data or b""
    raise ValueError(f"more than {MEMBERS_MAX} members")
