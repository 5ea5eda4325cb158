"""Data points that count a session's tokens or cost to rows of `session_metrics`. Pure and vectorized.

A point that names no session is of no use here, and left out.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from processor.conventions.coerce import COST_NANO_USD_MAX, TOKENS_MAX
from processor.conventions.log_rules import GEMINI_CLI
from processor.conventions.metric_rules import COST, GENAI_TOKENS, RULES, MetricRule
from processor.conventions.pick import Entries
from processor.conventions.rules import Conventions, Key
from processor.decode.columns import Bools, to_bools
from processor.decode.metrics import CUMULATIVE, DELTA, DecodedPoints

_SERVICE: Final = (Key("service.name"),)
_PROVIDER: Final = (Key("gen_ai.provider.name"), Key("gen_ai.system"))
_NANOS: Final = 1e9


def session_metrics(decoded: DecodedPoints, rules: Conventions, tenants: pa.StringArray) -> pa.Table:
    """One row a point that names its session, in order.

    Shape: `tenants` has one entry a request; the columns are those of the table, but for its hash.
    Units: `amount` is tokens, or nano-dollars of `measure` cost.
    Errors: none; a point without a number, a temporality or a known type is left out.
    """
    entries = Entries(decoded.attributes, len(decoded))
    resource = Entries(decoded.resource_attributes, decoded.resources)
    of_resource = pa.array(decoded.resource)
    own = entries.text(rules.session_id).value
    inherited = resource.text(rules.resource_session_id).value.take(of_resource)
    session_id = pc.if_else(pc.equal(own, ""), inherited, own)
    service = resource.text(_SERVICE).value.take(of_resource)
    columns = {
        "measure": np.full(len(decoded), "", object),
        "model": np.full(len(decoded), "", object),
        "provider": np.full(len(decoded), "", object),
    }
    for name, rule in RULES.items():
        mine = to_bools(pc.equal(decoded.metric, name))
        if mine.any():
            _read(rule, mine, entries, columns)
    again = _is(decoded.metric, GENAI_TOKENS) & (_is(decoded.scope_name, GEMINI_CLI) | _is(service, GEMINI_CLI))
    is_cost = columns["measure"] == COST
    amount = np.rint(decoded.value * np.where(is_cost, _NANOS, 1.0))
    known = (amount >= 0) & (amount <= np.where(is_cost, COST_NANO_USD_MAX, TOKENS_MAX))  # false for NaN
    known &= np.isin(decoded.temporality, (DELTA, CUMULATIVE)) & (decoded.time > 0)
    known &= (columns["measure"] != "") & ~_is(session_id, "") & ~again
    table = pa.table(
        {
            "tenant": tenants.take(pa.array(decoded.record)),
            "session_id": session_id,
            "metric": decoded.metric,
            "measure": pa.array(columns["measure"], pa.string()),
            "service": service,
            "model": pa.array(columns["model"], pa.string()),
            "provider": pa.array(columns["provider"], pa.string()),
            "user_id": entries.text(rules.user_id).value,
            "temporality": decoded.temporality.astype(np.uint8),
            "start_ns": decoded.start,
            "time_ns": decoded.time,
            "amount": np.where(known, amount, 0).astype(np.uint64),
            "attributes": decoded.attributes.maps(),
            "resource_attributes": decoded.resource_attributes.maps().take(of_resource),
        }
    )
    return table.take(pa.array(np.flatnonzero(known)))


def _read(rule: MetricRule, mine: Bools, entries: Entries, columns: dict[str, Any]) -> None:
    if rule.type_key is None:
        words = np.full(entries.owners, "", object)
    else:
        words = _objects(pc.utf8_lower(entries.text((rule.type_key,)).value))
    for word in rule.measures:
        columns["measure"][mine & (words == word)] = word or COST
    columns["model"][mine] = _objects(entries.text(rule.model).value)[mine]
    provider = _objects(entries.text(_PROVIDER).value)
    columns["provider"][mine] = np.where(provider == "", rule.provider, provider)[mine]


def _is(texts: Any, word: str) -> Bools:
    return to_bools(pc.equal(texts, word))


def _objects(texts: Any) -> Any:
    return texts.to_numpy(zero_copy_only=False)
