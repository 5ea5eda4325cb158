"""An audit: some sessions, looked at until it is clear of each whether its rows are right.

A session whose rows may be behind its spans is looked at again, and a difference counts when a second look finds the
same; what is still moving at the end is left out, and counted. Time is given, not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from processor.errors import ConfigError
from processor.model import NANOS_PER_SECOND
from processor.pricing.prices import Prices
from processor.rollup.span_set import SESSION_KEY, TRACE_KEY
from processor.row_versions import REVISION_MAX
from processor.store.auditing import AuditStore, Scope
from processor.store.retention import RetentionConfig
from processor.worker.audit.believed import Horizons
from processor.worker.audit.differences import Difference
from processor.worker.audit.look import Ground, Look, look_at
from processor.worker.dirty import Key

SAMPLE_MAX: Final = 1_000_000
_TRACES_AT_ONCE: Final = 5_000  # whose rows are in memory, but for one session that has more
_DAY_NS: Final = 86_400 * NANOS_PER_SECOND


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """What to audit, and how long to wait for what moves. `patience_s` is the time between two looks."""

    sample: int
    seed: int = 0
    scope: Scope = field(default_factory=Scope)
    patience_s: float = 1.0
    looks_max: int = 60

    def __post_init__(self) -> None:
        if not 1 <= self.sample <= SAMPLE_MAX:
            raise ConfigError(f"sample: {self.sample} is out of range; allowed is 1 to {SAMPLE_MAX:,} sessions")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed: {self.seed} is out of range; allowed is 0 to 2^63 - 1")


@dataclass(slots=True)
class Audited:
    """The end of an audit. `moving` are sessions left out, since spans of them kept coming or were not rolled up."""

    sessions: int = 0
    traces: int = 0
    differences: int = 0
    moving: int = 0
    trimmed: int = 0
    costs_as_stored: bool = False


class Audit:
    """Goes through a store once."""

    def __init__(
        self,
        store: AuditStore,
        prices: Prices,
        ttl: RetentionConfig,
        *,
        has_checkpoint: bool,
        now_ns: int,
        wait: Callable[[float], None] | None,
    ) -> None:
        """`has_checkpoint`: whoever writes to the store says in it how far it has rolled up. `wait` waits so many
        seconds, or raises what ends the audit; None where nobody writes to the store, and waiting would be for nothing.
        """
        self._store = store
        self._prices = prices
        self._has_checkpoint = has_checkpoint
        self._wait = wait
        self._horizons = Horizons(*(_before(now_ns, days) for days in (ttl.spans_days, ttl.rollups_days)))
        self.done = Audited()

    def run(self, plan: AuditPlan) -> Iterator[Difference]:
        """Every difference, session by session; `done` grows meanwhile, and is whole at the end.

        Errors: those of the store and of `wait`.
        """
        ground = Ground(self._prices, self._horizons, self._priced_from(), self._has_checkpoint)
        sessions = self._store.sampled_sessions(plan.scope, plan.sample, plan.seed)
        naming = self._store.traces_naming(sessions)
        for some in _parts(sessions, naming):
            yield from self._clear_up(some, naming.join(some, on=SESSION_KEY, how="semi"), ground, plan)

    def _clear_up(
        self, sessions: pl.DataFrame, naming: pl.DataFrame, ground: Ground, plan: AuditPlan
    ) -> Iterator[Difference]:
        seen: dict[Key, tuple[Difference, ...]] = {}
        looked = look_at(self._store, sessions, naming, ground)
        self._note(looked)
        moving: set[Key] = set()
        for number in range(plan.looks_max):
            certain = looked.found.keys() - looked.waiting
            if self._wait is not None:  # somebody may have been in the middle of writing
                certain = {key for key in certain if seen.get(key) == looked.found[key]}
            for key in sorted(certain):
                self.done.differences += len(looked.found[key])
                yield from looked.found[key]
            # A session that waits and shows no difference is right by what it has.
            moving = looked.found.keys() - certain
            if not moving or self._wait is None or number == plan.looks_max - 1:
                break
            self._wait(plan.patience_s)
            seen = {key: looked.found[key] for key in moving - looked.waiting}
            again = pl.DataFrame(sorted(moving), schema=sessions.schema, orient="row")
            looked = look_at(self._store, again, self._store.traces_naming(again), ground)
        self.done.sessions += len(sessions) - len(moving)
        self.done.moving += len(moving)

    def _note(self, looked: Look) -> None:
        self.done.traces += looked.traces
        self.done.trimmed += looked.trimmed
        self.done.costs_as_stored |= looked.costs_as_stored

    def _priced_from(self) -> int | None:
        """The least revision of rows that were certainly made by the prices in use; None where all were."""
        ours, rewrites = self._prices.revision, self._store.rewrites()
        used_at_s = [at_s for name, at_s in self._store.prices_used().items() if name != ours]
        of_others = [one.revision for one in rewrites if one.prices != ours]
        if not used_at_s and not of_others:
            return None
        after_s, above = max(used_at_s, default=-1), max(of_others, default=0)
        certain = [one for one in rewrites if one.prices == ours and one.revision > above and one.at_s > after_s]
        return min((one.revision for one in certain), default=REVISION_MAX + 1)


def _before(now_ns: int, days: int) -> int | None:
    return now_ns - days * _DAY_NS if days else None


def _parts(sessions: pl.DataFrame, naming: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The sessions in their order, as many at a time as have so many traces together."""
    sizes = naming.group_by(SESSION_KEY).agg(size=pl.col(TRACE_KEY[1]).n_unique())
    sized = sessions.join(sizes, on=SESSION_KEY, how="left", maintain_order="left").with_columns(
        part=pl.col("size").fill_null(0).cum_sum() // _TRACES_AT_ONCE
    )
    for part in sized.partition_by("part", maintain_order=True):
        yield part.select(SESSION_KEY)
