"""How a span ended: status, whether it is an error, and what is said about it. Pure.

Source: attributes.yaml, `error`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from processor.conventions.pick import Entries
from processor.conventions.rules import Conventions, Key
from processor.decode.columns import Bools, Ints
from processor.decode.otlp import DecodedSpans
from processor.decode.values import Attributes
from processor.model import StatusCode

STATUS_MESSAGE_CHARS: Final = 256
_EXCEPTION_MESSAGE: Final = (Key("exception.message"), Key("exception.type"))


def status_codes(spans: pa.StructArray) -> Ints:
    """0 to 2; a span without a status, or with one that OTLP does not know, is UNSET."""
    codes = pc.fill_null(pc.struct_field(spans, ["status", "code"]), 0).to_numpy()
    known = (codes == StatusCode.OK) | (codes == StatusCode.ERROR)
    return np.where(known, codes, StatusCode.UNSET).astype(np.uint8)


def errors(entries: Entries, rules: Conventions, decoded: DecodedSpans, status: Ints) -> Bools:
    error: Bools = (status == StatusCode.ERROR) | entries.present(rules.error_present)
    error |= entries.says(rules.error_level, rules.error_level_word)
    if entries.has(rules.error_failed.name):
        error |= entries.says(rules.error_failed, rules.error_failed_word)
    events = decoded.spans.field("events")
    exceptions = pc.equal(events.flatten().field("name"), rules.error_event)
    if pc.any(exceptions).as_py():
        error[pc.list_parent_indices(events).filter(exceptions).to_numpy()] = True
    return error


def status_messages(entries: Entries, rules: Conventions, decoded: DecodedSpans, is_error: Bools) -> Any:
    """Of a failed span: its status message, else what the rules have as a reason, else its last exception's."""
    nothing = pa.repeat("", len(decoded))
    if not is_error.any():
        return nothing
    spans = decoded.spans
    message = pc.fill_null(pc.struct_field(spans, ["status", "message"]), "")
    message = pc.if_else(pc.equal(message, ""), entries.text(rules.end_reason).value, message)
    lists = spans.field("events")
    events = lists.flatten()
    rows = np.flatnonzero(pc.equal(events.field("name"), rules.error_event).to_numpy(zero_copy_only=False))
    if len(rows):
        of_event = Entries(Attributes.of(events.take(pa.array(rows)).field("attributes")), len(rows))
        said = of_event.text(_EXCEPTION_MESSAGE).value
        place = np.full(len(decoded), -1, np.int64)
        place[pc.list_parent_indices(lists).to_numpy()[rows]] = np.arange(len(rows))
        of_span = pc.fill_null(said.take(pa.array(place, mask=place < 0)), "")
        message = pc.if_else(pc.equal(message, ""), of_span, message)
    return pc.utf8_slice_codeunits(pc.if_else(pa.array(is_error), message, ""), 0, STATUS_MESSAGE_CHARS)
