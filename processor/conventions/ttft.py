"""How long a model call took to its first token. Pure. Source: attributes.yaml, `ttft`."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from processor.conventions.coerce import Counts, durations_ns
from processor.conventions.pick import Entries
from processor.conventions.rules import Keys
from processor.decode.columns import Ints
from processor.model import NANOS_PER_MILLI, NANOS_PER_SECOND

_UNITS_NS: Final = {"s": NANOS_PER_SECOND, "ms": NANOS_PER_MILLI}


def times_to_first_token(entries: Entries, keys: Keys, start_ns: Ints) -> Ints:
    """The time to the first token, 0 where none is stated."""
    value = np.zeros(entries.owners, np.int64)
    for key in reversed(keys):
        rows = entries.rows(key.name)
        if len(rows) and key.only_if is not None:
            rows = rows[entries.holds(key.only_if)[entries.owner(rows)]]
        if not len(rows):
            continue
        owner = entries.owner(rows)
        if key.unit == "iso":
            found = _since(entries.attributes.text.take(pa.array(rows)), start_ns[owner])
        else:
            found = durations_ns(entries.values(rows), _UNITS_NS[key.unit])
        value[owner[found.valid]] = found.value[found.valid]
    return value


def _since(moments: Any, start_ns: Ints) -> Counts:
    """What lies between the starts and these times in RFC 3339, which may stand in quotes."""
    plain = pl.Series(pc.utf8_trim(moments, characters='" '), dtype=pl.String)
    parsed = plain.str.to_datetime("%+", time_unit="ns", time_zone="UTC", strict=False)
    found = parsed.cast(pl.Int64).fill_null(-1).to_numpy()
    between = found - start_ns
    return Counts(np.maximum(between, 0), (found >= 0) & (between >= 0))
