"""Request bodies out of their `Content-Encoding`, with the size limit applied while decompressing.

Must never hold more than one byte past the limit, nor spend more than `MEMBERS_MAX` decompressors on one body: a bomb
is refused when its output reaches the limit.
Source: RFC 9110 section 8.4.1 (gzip, deflate), RFC 8878 and RFC 9659 (zstd).
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from typing import Final, Protocol

from processor.errors import Permanent, TooLarge

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

MEMBERS_MAX = 1024
"""Concatenated gzip members or zstd frames in one body; each costs a decompressor, and may be empty."""

SLICE_BYTES = 64 * 1024
"""Input fed at once: what follows a member is copied, so a slice bounds that copy."""

_ZSTD_WINDOW_LOG_MAX = 23  # 8 MiB, the most RFC 9659 lets a sender of `Content-Encoding: zstd` ask for
_GZIP_WBITS = 31
_ZLIB_WBITS = 15
_RAW_WBITS = -15


class _Decompressor(Protocol):
    """What zlib's and zstd's decompressors share. `decompress` stops after `max_length` bytes of output."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def decompress(body: bytes, encoding: str, bytes_max: int) -> bytes:
    """Undo one content encoding.

    Units: `bytes_max` is the limit after decompression, in bytes; it holds for `identity` too.
    Errors: `TooLarge` over the limit; `Permanent` for truncated or corrupt data; `KeyError` for an encoding that is not
    in `ENCODINGS` (the receiver answers 415 before it gets here). A body of zero bytes is empty in every encoding.
    """
    start = _DECOMPRESSORS[encoding]
    if start is None or not body:
        if len(body) > bytes_max:
            raise too_large(bytes_max)
        return body
    try:
        return _decompress(body, start, bytes_max)
    except (zlib.error, ZstdError) as error:
        raise Permanent(f"the body is not valid {encoding}: {error}") from error
    except EOFError as error:
        raise Permanent(f"the body is truncated {encoding}") from error


def _decompress(body: bytes, start: Callable[[bytes], _Decompressor], bytes_max: int) -> bytes:
    view = memoryview(body)
    chunks: list[bytes] = []
    size = 0
    members = 1
    decompressor = start(body)
    for offset in range(0, len(view), SLICE_BYTES):
        data = bytes(view[offset : offset + SLICE_BYTES])
        while data:
            if decompressor.eof:
                members += 1
                if members > MEMBERS_MAX:
                    raise Permanent(f"the body has more than {MEMBERS_MAX} compressed members")
                decompressor = start(data)
            # One byte of room past the limit tells "exactly full" from "more to come".
            chunk = decompressor.decompress(data, bytes_max - size + 1)
            size += len(chunk)
            if size > bytes_max:
                raise too_large(bytes_max)
            chunks.append(chunk)
            data = decompressor.unused_data if decompressor.eof else b""
    if not decompressor.eof:
        raise EOFError
    return b"".join(chunks)


def too_large(bytes_max: int) -> TooLarge:
    """The error for a body over the limit, compressed or not."""
    return TooLarge(f"the body is over {bytes_max} bytes (max_request_body_size_mib); send smaller batches")


def _gzip(_: bytes) -> _Decompressor:
    return zlib.decompressobj(_GZIP_WBITS)


def _deflate(head: bytes) -> _Decompressor:
    # RFC 9110 says zlib, some clients send raw deflate; the two header bytes of zlib check themselves.
    is_zlib = len(head) > 1 and head[0] & 0x0F == 8 and int.from_bytes(head[:2], "big") % 31 == 0
    return zlib.decompressobj(_ZLIB_WBITS if is_zlib else _RAW_WBITS)


def _zstd(_: bytes) -> _Decompressor:
    return ZstdDecompressor(options={DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG_MAX})


_DECOMPRESSORS: Final[dict[str, Callable[[bytes], _Decompressor] | None]] = {
    "": None,
    "identity": None,
    "gzip": _gzip,
    "deflate": _deflate,
    "zstd": _zstd,
}

ENCODINGS: Final = ("gzip", "deflate", "zstd", "identity")


def is_supported(encoding: str) -> bool:
    """Whether `decompress` knows this `Content-Encoding`, lowercase; `""` is no header."""
    return encoding in _DECOMPRESSORS
