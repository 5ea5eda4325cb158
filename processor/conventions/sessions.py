"""Which session a span names itself, how much that means, and what it calls the session. Pure.

Source: attributes.yaml, `session_id` and `session_name`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from processor.conventions.pick import Entries
from processor.conventions.rules import Condition, Conventions
from processor.decode.columns import Bools, Ints, to_bools
from processor.decode.otlp import DecodedSpans
from processor.model import Strength

_SESSION_SUFFIX: Final = r"\.session$"  # AgentOps names the span of a session after it


def session_ids(
    entries: Entries, resource: Entries, rules: Conventions, decoded: DecodedSpans, trace_id: pa.StringArray
) -> tuple[Any, Ints]:
    """Each span's own session id and its strength."""
    found = entries.text(rules.session_id)
    own = found.value
    has_own = to_bools(pc.not_equal(own, ""))
    strength = np.where(has_own, np.array(rules.session_strengths, np.uint8)[found.rank], Strength.NONE)
    if any(resource.has(key.name) for key in rules.resource_session_id):
        inherited = resource.text(rules.resource_session_id).value.take(pa.array(decoded.resource))
        takes = ~has_own & to_bools(pc.not_equal(inherited, ""))
        own, strength = pc.if_else(pa.array(takes), inherited, own), np.where(takes, Strength.RESOURCE, strength)
    for derived in rules.derived_session_id:
        takes = (strength == Strength.NONE) & _has_attribute(
            entries, resource, decoded, derived.name, derived.is_prefix
        )
        if takes.any():
            made = pc.binary_join_element_wise(derived.before, trace_id, "")
            own, strength = pc.if_else(pa.array(takes), made, own), np.where(takes, Strength.DERIVED, strength)
    return own, strength.astype(np.uint8)


def _has_attribute(entries: Entries, resource: Entries, decoded: DecodedSpans, name: str, is_prefix: bool) -> Bools:
    """The spans that have the attribute, or whose resource has it."""
    has = np.zeros(entries.owners, np.bool_)
    for key in entries.keys:
        if key == name or (is_prefix and key.startswith(name)):
            has[entries.owner(entries.rows(key))] = True
    on_resource = np.zeros(resource.owners, np.bool_)
    for key in resource.keys:
        if key == name or (is_prefix and key.startswith(name)):
            on_resource[resource.owner(resource.rows(key))] = True
    return has | on_resource[decoded.resource] if on_resource.any() else has


def session_names(entries: Entries, rules: Conventions, names: Any) -> tuple[Any, Ints]:
    """The name that each span gives its session, and how good it is; the name of AgentOps' session span is the last."""
    found = entries.text(rules.session_name)
    of_agentops = entries.holds(Condition.AGENTOPS_SESSION)
    if not of_agentops.any():
        return found.value, found.rank.astype(np.uint8)
    takes = of_agentops & to_bools(pc.equal(found.value, ""))
    base = pc.replace_substring_regex(names, _SESSION_SUFFIX, "")
    rank = np.where(takes, len(rules.session_name), found.rank)
    return pc.if_else(pa.array(takes), base, found.value), rank.astype(np.uint8)
