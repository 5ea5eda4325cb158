"""What each log record says about itself: the session that it names, its service, and the name of its event.

Pure and vectorized, by the same rules as spans. What the record's trace knows is not looked at here.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from processor.conventions.pick import Entries
from processor.conventions.rules import Condition, Conventions, Key, Keys
from processor.decode.columns import Bools, Ints, to_bools
from processor.decode.logs import DecodedLogs
from processor.model import Strength

CODEX_EVENTS: Final = "codex."
CODEX_SESSION: Final = Key("conversation.id")
"""What Codex calls its session; a name too general to be one for other emitters.

Source: openai/codex `codex-rs/otel/src/events/session_telemetry.rs`."""

_EVENT_NAME: Final = Key("event.name")
_SERVICE_NAME: Final = Key("service.name")
_OPENLIT: Final = "openlit"


@dataclass(frozen=True, slots=True)
class Subjects:
    """Shape: one entry a log record, in order. Texts are '' for none.

    `event` is `event_name`, or the attribute `event.name` that emitters set before OTLP had that field.
    """

    entries: Entries
    event: Any  # pa.StringArray
    scope: Any
    service: Any
    session_id: Any
    session_strength: Ints


def subjects(decoded: DecodedLogs, rules: Conventions) -> Subjects:
    """Who and what each record is about. Errors: none; a value that can't be read is treated as absent."""
    scope = pc.fill_null(pc.struct_field(decoded.scopes, ["scope", "name"]), "").take(pa.array(decoded.scope))
    entries = Entries(decoded.attributes, len(decoded), functools.partial(_judged, scope))
    event = decoded.records.field("event_name")
    if entries.has(_EVENT_NAME.name):
        event = pc.if_else(pc.equal(event, ""), entries.text((_EVENT_NAME,)).value, event)
    resource = Entries(decoded.resource_attributes, len(decoded.resources))
    session_id, strength = _sessions(decoded, rules, entries, resource, event)
    return Subjects(entries, event, scope, _of_resource(decoded, resource, (_SERVICE_NAME,)), session_id, strength)


def _judged(scope: Any, entries: Entries, condition: Condition) -> Bools:
    """The conditions are about spans; of log records only OpenLIT's are like its spans."""
    if condition is Condition.OPENLIT:
        return to_bools(pc.starts_with(scope, _OPENLIT))
    return np.zeros(entries.owners, np.bool_)


def _sessions(decoded: DecodedLogs, rules: Conventions, entries: Entries, resource: Entries, event: Any) -> Any:
    found = entries.text(rules.session_id)
    session_id = found.value
    strengths = np.array(rules.session_strengths, np.uint8)
    strength = np.where(_said(session_id), strengths[found.rank], Strength.NONE)
    if entries.has(CODEX_SESSION.name):
        own = entries.text((CODEX_SESSION,)).value
        better = to_bools(pc.starts_with(event, CODEX_EVENTS)) & _said(own) & (strength != Strength.STRONG)
        session_id = pc.if_else(pa.array(better), own, session_id)
        strength = np.where(better, Strength.STRONG, strength)
    if any(resource.has(key.name) for key in rules.resource_session_id):
        inherited = _of_resource(decoded, resource, rules.resource_session_id)
        only = ~_said(session_id) & _said(inherited)
        session_id = pc.if_else(pa.array(only), inherited, session_id)
        strength = np.where(only, Strength.RESOURCE, strength)
    return session_id, strength.astype(np.uint8)


def _of_resource(decoded: DecodedLogs, resource: Entries, keys: Keys) -> Any:
    return resource.text(keys).value.take(pa.array(decoded.resource))


def _said(texts: Any) -> Bools:
    return to_bools(pc.not_equal(texts, ""))
