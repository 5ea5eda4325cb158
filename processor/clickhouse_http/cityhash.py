"""CityHash128 of release 1.0.2, the checksum of ClickHouse's compressed frames; later releases hash differently.

Some 10 MB/s: enough for frames, which hold what LZ4 has left.
Source: CityHash 1.0.2 by Geoff Pike and Jyrki Alakuijala (Google, MIT licence), as ClickHouse keeps it in `contrib`.
"""

from __future__ import annotations

import struct
from typing import Final

LENGTH_MIN: Final = 8
"""Shorter input is hashed otherwise, and no frame is that short."""

_MASK: Final = 0xFFFFFFFFFFFFFFFF
_K0: Final = 0xC3A5C85C97CB3127
_K1: Final = 0xB492B66FBE98F273
_K2: Final = 0x9AE16A3B2F90404F
_K3: Final = 0xC949D7C7509E6557
_MUL: Final = 0x9DDFEA08EB382D69
_WORD: Final = struct.Struct("<Q")
_WORDS: Final = struct.Struct("<16Q")
_BLOCK: Final = 128


def cityhash128(data: bytes) -> tuple[int, int]:
    """The hash as its low and high 64 bits.

    Shape: at least `LENGTH_MIN` bytes.
    """
    assert len(data) >= LENGTH_MIN
    if len(data) < 16:
        return _murmur(b"", _word(data, 0) ^ (len(data) * _K0 & _MASK), _word(data, len(data) - 8) ^ _K1)
    low, high = _word(data, 0) ^ _K3, _word(data, 8)
    rest = data[16:]
    return _murmur(rest, low, high) if len(rest) < _BLOCK else _long(rest, low, high)


def _long(data: bytes, x: int, y: int) -> tuple[int, int]:
    length = len(data)
    z = length * _K1 & _MASK
    v0 = (_rotate(y ^ _K1, 49) * _K1 + _word(data, 0)) & _MASK
    v1 = (_rotate(v0, 42) * _K1 + _word(data, 8)) & _MASK
    w0 = (_rotate(y + z, 35) * _K1 + x) & _MASK
    w1 = _rotate(x + _word(data, 88), 53) * _K1 & _MASK
    whole = length - length % _BLOCK
    for words in _WORDS.iter_unpack(memoryview(data)[:whole]):
        for half in (words[:8], words[8:]):
            x = _rotate(x + y + v0 + half[2], 37) * _K1 & _MASK
            y = _rotate(y + v1 + half[6], 42) * _K1 & _MASK
            x ^= w1
            y ^= v0
            z = _rotate(z ^ w0, 33)
            v0, v1 = _weak(half[:4], v1 * _K1, x + w0)
            w0, w1 = _weak(half[4:], z + w1, y)
            z, x = x, z
    y = (y + _rotate(w0, 37) * _K0 + z) & _MASK
    x = (x + _rotate(v0 + z, 49) * _K0) & _MASK
    left = length - whole
    for done in range(32, left + 32, 32):
        # The last of these reaches back into bytes that were hashed already.
        chunk = struct.unpack_from("<4Q", data, length - done)
        y = (_rotate(y - x, 42) * _K0 + v1) & _MASK
        w0 = (w0 + chunk[2]) & _MASK
        x = (_rotate(x, 49) * _K0 + w0) & _MASK
        w0 = (w0 + v0) & _MASK
        v0, v1 = _weak(chunk, v0, v1)
    x = _mix(x, v0)
    y = _mix(y, w0)
    return (_mix(x + v1, w1) + y) & _MASK, _mix(x + w1, y + v1)


def _murmur(data: bytes, a: int, b: int) -> tuple[int, int]:
    length = len(data)
    if length <= 16:
        a = _shift_mix(a * _K1 & _MASK) * _K1 & _MASK
        c = (b * _K1 + _short(data)) & _MASK
        d = _shift_mix((a + (_word(data, 0) if length >= 8 else c)) & _MASK)
    else:
        c = _mix(_word(data, length - 8) + _K1, a)
        d = _mix(b + length, c + _word(data, length - 16))
        a = (a + d) & _MASK
        for at in range(0, length - 16, 16):
            a = (a ^ _shift_mix(_word(data, at) * _K1 & _MASK) * _K1) * _K1 & _MASK
            b ^= a
            c = (c ^ _shift_mix(_word(data, at + 8) * _K1 & _MASK) * _K1) * _K1 & _MASK
            d ^= c
    a = _mix(a, c)
    b = _mix(d, b)
    return a ^ b, _mix(b, a)


def _short(data: bytes) -> int:
    """Up to 16 bytes."""
    length = len(data)
    if length > 8:
        a, b = _word(data, 0), _word(data, length - 8)
        return _mix(a, _rotate(b + length, length)) ^ b
    if length >= 4:
        head, tail = struct.unpack_from("<I", data)[0], struct.unpack_from("<I", data, length - 4)[0]
        return _mix(length + (head << 3), tail)
    if length:
        y = data[0] + (data[length >> 1] << 8)
        z = length + (data[-1] << 2)
        return _shift_mix((y * _K2 ^ z * _K3) & _MASK) * _K2 & _MASK
    return _K2


def _weak(words: tuple[int, ...], a: int, b: int) -> tuple[int, int]:
    a = (a + words[0]) & _MASK
    b = _rotate(b + a + words[3], 21)
    c = a
    a = (a + words[1] + words[2]) & _MASK
    b += _rotate(a, 44)
    return (a + words[3]) & _MASK, (b + c) & _MASK


def _mix(low: int, high: int) -> int:
    high &= _MASK
    a = ((low & _MASK) ^ high) * _MUL & _MASK
    b = (high ^ a ^ (a >> 47)) * _MUL & _MASK
    return (b ^ (b >> 47)) * _MUL & _MASK


def _rotate(value: int, shift: int) -> int:
    value &= _MASK
    return (value >> shift | value << (64 - shift)) & _MASK


def _shift_mix(value: int) -> int:
    return value ^ (value >> 47)


def _word(data: bytes, at: int) -> int:
    word: int = _WORD.unpack_from(data, at)[0]
    return word
