"""How many spans a serialized request holds, found without reading any of them. For the `refused_spans` metric only."""

from __future__ import annotations

from processor.decode.outline import outline_of
from processor.errors import Permanent


def count_spans(value: bytes) -> int | None:
    """Spans in one `ExportTraceServiceRequest`; None if the bytes are none."""
    try:
        request = outline_of(value)
    except Permanent:
        return None
    return sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
