"""Session rows and what is known of their crossings, to new ones. Pure; time is an argument.

A rule with a limit is crossed when a session's row says more than the limit and did not before. When it comes back
under (prices that fell, spans that moved to another session) that is noted and not told, and the next time over is
another crossing. A session ends when nothing of it has come for some time; spans that come after that make another
ending possible. Spans that come again change no row, so they cross nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

import polars as pl

from processor.model import NANOS_PER_MILLI, NANOS_PER_SECOND
from processor.worker.budgets.config import BudgetRule

PENDING, WATCHED, POSTED, GIVEN_UP, BACK = "pending", "watched", "posted", "given up", "back"
EXCEEDED, ENDED = "session.budget.exceeded", "session.ended"
_NANOS_PER_USD: Final = 1_000_000_000

Key: TypeAlias = tuple[str, str, str]
"""Tenant, session and rule."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A row of `budget_alerts`. Units: Unix milliseconds.

    `sequence` counts ups (odd) and downs (even); `revision` grows with each change of the row. `mark`, of
    endings, tells sets of spans apart.
    """

    tenant: str
    session_id: str
    rule: str
    sequence: int
    revision: int
    id: str
    state: str
    mark: str
    attempts: int
    due_at_ms: int
    crossed_at_ms: int
    payload: str

    @property
    def key(self) -> Key:
        """Whose."""
        return self.tenant, self.session_id, self.rule

    @property
    def is_up(self) -> bool:
        """Whether it says that the session went over."""
        return self.sequence % 2 == 1


def crossings(
    rows: pl.DataFrame, rules: Sequence[BudgetRule], known: Mapping[Key, Alert], now_ms: int
) -> Iterator[Alert]:
    """What to write of session rows that were written just now. Shape: `rows` as `model.SESSION_ROLLUPS`; `known`, the
    last of each key that there is.
    """
    for rule in rules:
        if rule.kind == "idle_s":
            yield from _late(rows, rule, known, now_ms)
            continue
        is_over = _fits(rule) & (_amount(rule) > _limit(rule))
        for row in rows.filter(is_over).iter_rows(named=True):
            last = known.get(_key(row, rule))
            if last is None or not last.is_up:
                yield _alert(row, rule, (last.sequence if last else 0) + 1, PENDING, now_ms, now_ms)
        if known:
            for row in rows.filter(~is_over).select("tenant", "session_id").iter_rows(named=True):
                last = known.get(_key(row, rule))
                if last is not None and last.is_up:
                    yield _back(last, now_ms)


def endings(rows: pl.DataFrame, rule: BudgetRule, known: Mapping[Key, Alert], now_ms: int) -> Iterator[Alert]:
    """The endings among sessions whose last span ended long enough ago, by the clock. Shape: as above."""
    for row in rows.filter(_fits(rule) & _has_ended(rule, now_ms)).iter_rows(named=True):
        last = known.get(_key(row, rule))
        if last is None or (last.state != WATCHED and last.mark != _mark(row)):
            yield _alert(row, rule, _next_ending(last), PENDING, now_ms, now_ms)


def watched_through(row: Mapping[str, Any] | None, rule: BudgetRule | None, alert: Alert, now_ms: int) -> Alert:
    """What a watched ending is when its time has come: told, if no span has come since; else watched on.

    `row` is the session's now, None where it is gone; `rule` None where there is none of that name any more.
    """
    newer = replace(alert, revision=alert.revision + 1)
    if row is None or rule is None or rule.idle_s is None:
        return replace(newer, state=GIVEN_UP)
    if _mark(row) != alert.mark:
        return replace(newer, mark=_mark(row), due_at_ms=now_ms + int(rule.idle_s * 1_000))
    told = _alert(row, rule, alert.sequence, PENDING, now_ms, now_ms)
    return replace(told, revision=newer.revision)


def after_attempt(alert: Alert, state: str, due_at_ms: int) -> Alert:
    """The row of an alert once it was posted, or could not be."""
    return replace(alert, revision=alert.revision + 1, state=state, attempts=alert.attempts + 1, due_at_ms=due_at_ms)


def backoff_s(attempts: int, first_s: float, max_s: float, jitter: float) -> float:
    """Seconds to the next attempt after so many: doubling, up to a bound, and between half and all of it by `jitter`
    (0 to 1), so that what failed together does not come together.
    """
    whole: float = min(first_s * 2 ** min(attempts - 1, 32), max_s)
    return whole * (0.5 + 0.5 * jitter)


def _late(rows: pl.DataFrame, rule: BudgetRule, known: Mapping[Key, Alert], now_ms: int) -> Iterator[Alert]:
    """Of sessions whose spans came long after they ended, an ending is watched for from now on: the clock that looks
    for endings has passed them.
    """
    assert rule.idle_s is not None
    for row in rows.filter(_fits(rule) & _has_ended(rule, now_ms)).iter_rows(named=True):
        last = known.get(_key(row, rule))
        if last is not None and last.mark == _mark(row):
            continue
        due_at_ms = now_ms + int(rule.idle_s * 1_000)
        if last is not None and last.state == WATCHED:
            yield replace(last, revision=last.revision + 1, mark=_mark(row), due_at_ms=due_at_ms)
        else:
            yield _alert(row, rule, _next_ending(last), WATCHED, due_at_ms, now_ms)


def _fits(rule: BudgetRule) -> pl.Expr:
    wanted = [pl.lit(True)]
    wanted += [
        pl.col(name) == pl.lit(value) for name in ("tenant", "environment", "user_id") if (value := getattr(rule, name))
    ]
    if rule.tag:
        wanted.append(pl.col("tags").list.contains(pl.lit(rule.tag)))
    return pl.all_horizontal(pl.col("row_count") > 0, *wanted)


def _amount(rule: BudgetRule) -> pl.Expr:
    if rule.kind == "cost_usd":
        return pl.col("cost_nano_usd")
    return pl.col("total_tokens") if rule.kind == "tokens" else pl.col("end_ns") - pl.col("start_ns")


def _limit(rule: BudgetRule) -> int:
    """In the units of the amount, which are whole: more than a part of one is more than what is below it."""
    if rule.cost_usd is not None:
        return int(rule.cost_usd * _NANOS_PER_USD)
    return rule.tokens if rule.tokens is not None else int((rule.duration_s or 0) * NANOS_PER_SECOND)


def _has_ended(rule: BudgetRule, now_ms: int) -> pl.Expr:
    assert rule.idle_s is not None
    return pl.col("end_ns") <= now_ms * NANOS_PER_MILLI - int(rule.idle_s * NANOS_PER_SECOND)


def _next_ending(last: Alert | None) -> int:
    return last.sequence + 2 if last else 1


def _key(row: Mapping[str, Any], rule: BudgetRule) -> Key:
    return row["tenant"], row["session_id"], rule.name


def _mark(row: Mapping[str, Any]) -> str:
    return f"{row['trace_count']} {row['span_count']} {row['end_ns']}"


def _back(last: Alert, now_ms: int) -> Alert:
    return replace(
        last, sequence=last.sequence + 1, revision=0, id="", state=BACK, attempts=0, crossed_at_ms=now_ms, payload=""
    )


def _alert(row: Mapping[str, Any], rule: BudgetRule, sequence: int, state: str, due_at_ms: int, now_ms: int) -> Alert:
    crossing = (sequence + 1) // 2
    return Alert(
        tenant=row["tenant"],
        session_id=row["session_id"],
        rule=rule.name,
        sequence=sequence,
        revision=0,
        id=alert_id(row["tenant"], rule.name, row["session_id"], crossing),
        state=state,
        mark=_mark(row),
        attempts=0,
        due_at_ms=due_at_ms,
        crossed_at_ms=now_ms,
        payload=_payload(row, rule, crossing, now_ms),
    )


def alert_id(tenant: str, rule: str, session_id: str, crossing: int) -> str:
    """The same for the same crossing, whoever finds it: what a receiver tells repeated posts by."""
    name = json.dumps([tenant, rule, session_id, crossing])
    return f"msg_{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def _payload(row: Mapping[str, Any], rule: BudgetRule, crossing: int, now_ms: int) -> str:
    """Source: Standard Webhooks, "Payload"; docs/budget-webhook.schema.json. Money is text: no reader may round it."""
    is_ending = rule.kind == "idle_s"
    cost = str(Decimal(row["cost_nano_usd"]).scaleb(-9))
    duration_s = (row["end_ns"] - row["start_ns"]) / NANOS_PER_SECOND
    amounts = {"cost_usd": cost, "tokens": row["total_tokens"], "duration_s": duration_s}
    limit = getattr(rule, rule.kind)
    said = {
        "rule": rule.name,
        "crossing": crossing,
        "limit": {"kind": rule.kind, "value": str(limit) if isinstance(limit, Decimal) else limit},
        "value": None if is_ending else amounts[rule.kind],
        "tenant": row["tenant"],
        "session": {
            "id": row["session_id"],
            **{name: row[name] for name in ("name", "user_id", "thread_id", "environment", "tags", "end_state")},
            "start": _iso(row["start_ns"] // NANOS_PER_MILLI),
            "end": _iso(row["end_ns"] // NANOS_PER_MILLI),
            "duration_s": duration_s,
            **{name: row[name] for name in ("trace_count", "span_count", "error_count", "total_tokens")},
            "total_cost_usd": cost,
        },
    }
    body = {"type": ENDED if is_ending else EXCEEDED, "timestamp": _iso(now_ms), "data": said}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
