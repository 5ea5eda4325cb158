"""Small operations on Arrow columns that the decoder needs and Arrow lacks. Pure, vectorized."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

_HEX_PAIRS = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), dtype=np.uint16)


def list_owners(lists: Any) -> tuple[Ints, pa.Int32Array]:
    """For the flattened items of a list column: the row each item belongs to, and the offsets starting at 0."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return np.repeat(np.arange(len(lengths), dtype=np.int64), lengths), pa.array(offsets)


def hex_strings(ids: pa.BinaryArray) -> pa.StringArray:
    """Lowercase hex of each value; any length, so an absent parent id stays ''."""
    ids = ids if ids.offset == 0 else pa.concat_arrays([ids])
    offsets = np.frombuffer(ids.buffers()[1], np.int32, len(ids) + 1)
    raw = np.frombuffer(ids.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    text = _HEX_PAIRS[raw]
    return pa.StringArray.from_buffers(
        len(ids), pa.py_buffer(((offsets - offsets[0]) * 2).astype(np.int32)), pa.py_buffer(text)
    )


def to_bools(mask: Any) -> Bools:
    """A boolean Arrow column as numpy, null as false."""
    return np.asarray(pc.fill_null(mask, False).to_numpy(zero_copy_only=False), dtype=np.bool_)
