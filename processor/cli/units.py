"""Numbers as people read them."""

from __future__ import annotations

_MS_PER_S = 1_000
_S_PER_MIN = 60
_S_PER_H = 3_600
_S_PER_DAY = 86_400
_BYTES_PER_STEP = 1_000


def duration(ms: float) -> str:
    """Milliseconds in the two units that matter: `12 ms`, `3.4 s`, `2m 05s`, `3h 20m`, `2d 04h`."""
    if ms < 1:
        return f"{ms:.2g} ms" if ms else "0 ms"
    if ms < _MS_PER_S:
        return f"{ms:.0f} ms"
    seconds = ms / _MS_PER_S
    if seconds < _S_PER_MIN:
        return f"{seconds:.1f} s"
    whole_s = round(seconds)
    if whole_s < _S_PER_H:
        return f"{whole_s // _S_PER_MIN}m {whole_s % _S_PER_MIN:02}s"
    if whole_s < _S_PER_DAY:
        return f"{whole_s // _S_PER_H}h {whole_s % _S_PER_H // _S_PER_MIN:02}m"
    return f"{whole_s // _S_PER_DAY}d {whole_s % _S_PER_DAY // _S_PER_H:02}h"


def dollars(usd: float) -> str:
    """US dollars: cents from a dollar on, four digits below it, and never `$0` for something."""
    if usd == 0:
        return "$0"
    if abs(usd) >= 1:
        return f"${usd:,.2f}"
    if abs(usd) >= 0.0001:
        return f"${usd:.4f}"
    return f"${usd:.2g}" if abs(usd) >= 1e-9 else "<$0.000000001"


def count(number: int) -> str:
    """Thousands apart."""
    return f"{number:,}"


def counted(number: int, what: str) -> str:
    """`1 trace`, `1,200 traces`."""
    return f"{count(number)} {what}{'' if number == 1 else 's'}"


def moment(iso: str) -> str:
    """An ISO time of the API, cut to seconds."""
    return iso[:19].replace("T", " ")


def size(number: int) -> str:
    """Bytes in the largest unit that leaves a whole number of it: `512 B`, `3.4 MB`."""
    if number < _BYTES_PER_STEP:
        return f"{number} B"
    steps = next((i for i in range(1, 4) if number < _BYTES_PER_STEP ** (i + 1)), 4)
    return f"{number / _BYTES_PER_STEP**steps:.1f} {('kB', 'MB', 'GB', 'TB')[steps - 1]}"
