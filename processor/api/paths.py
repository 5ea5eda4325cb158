"""Ids in paths: one segment each, percent-encoded, of any characters and length.

Must never decode a path before it is routed (see `app.RawPath`): `%2F` is a character of an id, not a separator. So an
id that spells a route of its own stays reachable too, with a letter encoded: `/v1/sessions/%73tats`.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends

from processor.api.errors import InvalidPath


def session_id_in_path(session_id: str) -> str:
    """The id that the path names. Errors: 400 for what is not UTF-8, as for all that follow."""
    return _decoded("session_id", session_id)


def thread_id_in_path(thread_id: str) -> str:
    """The same for a thread."""
    return _decoded("thread_id", thread_id)


def trace_id_in_path(trace_id: str) -> str:
    """The same for a trace."""
    return _decoded("trace_id", trace_id)


def span_id_in_path(span_id: str) -> str:
    """The same for a span."""
    return _decoded("span_id", span_id)


def _decoded(parameter: str, encoded: str) -> str:
    try:
        return unquote(encoded, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidPath({parameter: "is not UTF-8 after percent-decoding"}) from error


SessionId = Annotated[str, Depends(session_id_in_path)]
ThreadId = Annotated[str, Depends(thread_id_in_path)]
TraceId = Annotated[str, Depends(trace_id_in_path)]
SpanId = Annotated[str, Depends(span_id_in_path)]
