"""A request as OTLP/JSON: protobuf's own JSON, with ids in hex and enums as numbers, as OTLP has it."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

_IDS: Final = ("traceId", "spanId", "parentSpanId")
_ENUMS: Final = ("kind", "code", "severityNumber", "aggregationTemporality")


class NotJson(Exception):
    """It can't be said in OTLP/JSON: a negative enum, or values nested deeper than Python's stack."""


def as_json(message: Message) -> bytes:
    """The body of a request. Errors: `NotJson`."""
    try:
        return json.dumps(_as_otlp(MessageToDict(message, use_integers_for_enums=True))).encode()
    except RecursionError as error:
        raise NotJson(str(error)) from error


def _as_otlp(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_otlp(item) for item in value]
    if not isinstance(value, dict):
        return value
    if any(name in value and isinstance(value[name], int) and value[name] < 0 for name in _ENUMS):
        raise NotJson("a negative enum")
    return {
        name: base64.b64decode(item).hex() if name in _IDS and isinstance(item, str) else _as_otlp(item)
        for name, item in value.items()
    }
