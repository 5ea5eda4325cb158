"""Posts what is due, again until it is taken, and looks for sessions that have ended; beside everything else.

A post and the note that it was made are two steps: after a crash between them it is made again, with the same id. Of
several workers one claims each attempt. What fails waits in the store, so a restart goes on with it.
Must never hold up a tick or an insert: it has a thread and store handles of its own.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any, Final

import polars as pl
import structlog

from processor.clock import now_ns
from processor.errors import OtelSessionsError
from processor.model import NANOS_PER_MILLI, NANOS_PER_SECOND
from processor.rollup.span_set import SESSION_KEY
from processor.store.budgeting import DUE_MAX, ENDED_MAX, BudgetStore
from processor.telemetry.metrics import Metrics
from processor.worker.budgets.config import BudgetRule, BudgetsConfig
from processor.worker.budgets.crossings import (
    GIVEN_UP,
    PENDING,
    POSTED,
    WATCHED,
    Alert,
    after_attempt,
    backoff_s,
    endings,
    watched_through,
)
from processor.worker.budgets.watch import last_alerts
from processor.worker.budgets.webhook import CONCURRENT_MAX, new_client, post
from processor.worker.threads import Threads, within

_CLAIM_SPARE_S: Final = 30.0
_SETTING: Final = "budget ended up to: "
_SLACK_NS: Final = 60 * NANOS_PER_SECOND  # rows that were on their way when their time was looked at
_KEPT_HWM_S: Final = 30  # between two notes of how far

_log = structlog.get_logger(__name__)


class Delivery:
    """A loop from `start` to `stop`, both safe to call twice."""

    def __init__(self, config: BudgetsConfig, store: BudgetStore, threads: Threads, metrics: Metrics) -> None:
        self._config = config
        self._store = store
        self._threads = threads
        self._metrics = metrics
        self._rules = {rule.name: rule for rule in config.rules}
        self._webhooks = {webhook.name: webhook for webhook in config.webhooks}
        self._ended_up_to: dict[str, int] = {}  # by rule; Unix ns
        self._noted_up_to: dict[str, int] = {}
        self._ended = asyncio.Event()
        self._wanted = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: asyncio.Task[None] | None = None
        self._dice = random.Random()  # noqa: S311 (spreads retries)

    def start(self) -> None:
        """Begin."""
        if self._running is None:
            self._loop = asyncio.get_running_loop()
            self._running = asyncio.create_task(self._run())

    def hurry(self) -> None:
        """There is something to post. Any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wanted.set)

    async def stop(self) -> None:
        """End after the posts that are under way; what is left, the next start does."""
        self._ended.set()
        self._wanted.set()
        if self._running is not None:
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        async with new_client() as client:
            while not self._ended.is_set():
                self._wanted.clear()
                try:
                    await self._do(self._look_for_endings)
                    await self._do(self._go_through_watched)
                    due = await self._do(self._due)
                    free = asyncio.Semaphore(CONCURRENT_MAX)
                    delivered = await asyncio.gather(*(self._deliver(client, alert, free) for alert in due))
                    self._metrics.budget_pending.set(await self._do(lambda: self._store.alerts_in(PENDING)))
                    if len(due) == DUE_MAX and any(delivered):  # none is ours while another worker has claimed them
                        continue
                except Exception as error:
                    unexpected = not isinstance(error, OtelSessionsError)
                    _log.error(
                        "budget_delivery_failed",
                        error=str(error),
                        action="it is tried again; look at the store",
                        exc_info=unexpected,
                    )
                    await within(self._ended, self._config.check_interval_s)
                    continue
                await within(self._wanted, self._config.check_interval_s)

    async def _do(self, call: Callable[[], Any]) -> Any:
        return await self._threads.run("budgets", call)

    def _due(self) -> list[Alert]:
        return [Alert(**row) for row in self._store.due_alerts((PENDING,), _now_ms()).iter_rows(named=True)]

    async def _deliver(self, client: Any, alert: Alert, free: asyncio.Semaphore) -> bool:
        """One attempt; whether it was ours to make. Errors: those of the store."""
        rule = self._rules.get(alert.rule)
        if rule is None:  # the rule is gone, and nobody knows whom to tell
            await self._do(lambda: self._write([after_attempt(alert, GIVEN_UP, alert.due_at_ms)]))
            return True
        webhook = self._webhooks[rule.webhook]
        async with free:
            if self._ended.is_set() or not await self._do(lambda: self._is_ours(alert, webhook.timeout_s)):
                return False
            body = alert.payload.encode()
            outcome = await post(client, webhook, alert.id, body, now_ns() // NANOS_PER_SECOND)
        if outcome.is_posted:
            self._metrics.budget_posted.labels(rule.name).inc()
            done = after_attempt(alert, POSTED, alert.due_at_ms)
        else:
            self._metrics.budget_failed.labels(rule.name).inc()
            attempts = alert.attempts + 1
            is_last = outcome.is_gone or attempts >= self._config.attempts_max
            wait_s = backoff_s(attempts, self._config.retry_first_s, self._config.retry_max_s, self._dice.random())
            wait_ms = int(max(wait_s, outcome.retry_after_s) * 1_000)
            done = after_attempt(alert, GIVEN_UP if is_last else PENDING, _now_ms() + wait_ms)
            say = _log.error if is_last else _log.warning
            say(
                "budget_alert_given_up" if is_last else "budget_alert_not_taken",
                rule=rule.name,
                webhook=webhook.name,
                id=alert.id,
                attempt=attempts,
                error=outcome.reason,
                action="see to the webhook" if is_last else "nothing while it comes back: the post is made again",
            )
            if is_last:
                self._metrics.budget_given_up.labels(rule.name).inc()
        await self._do(lambda: self._write([done]))
        return True

    def _is_ours(self, alert: Alert, timeout_s: float) -> bool:
        """Whether this worker makes the attempt, and nobody has made it."""
        # An attempt is over when the next revision is written, so its number is the revision's.
        if not self._store.is_claimed(alert.tenant, alert.id, alert.revision, timeout_s + _CLAIM_SPARE_S):
            return False
        now = last_alerts(self._store, pl.DataFrame([alert.key[:2]], schema=list(SESSION_KEY), orient="row"))
        newest = now.get(alert.key)
        return newest is None or newest.sequence != alert.sequence or newest.revision == alert.revision

    def _go_through_watched(self) -> None:
        watched = [Alert(**row) for row in self._store.due_alerts((WATCHED,), _now_ms()).iter_rows(named=True)]
        if not watched:
            return
        keys = pl.DataFrame([alert.key[:2] for alert in watched], schema=list(SESSION_KEY), orient="row").unique()
        rows = {(row["tenant"], row["session_id"]): row for row in self._store.sessions_now(keys).iter_rows(named=True)}
        now_ms = _now_ms()
        self._write(
            watched_through(rows.get(alert.key[:2]), self._rules.get(alert.rule), alert, now_ms) for alert in watched
        )

    def _look_for_endings(self) -> None:
        for rule in self._rules.values():
            if rule.idle_s is not None:
                self._look_for_endings_of(rule, int(rule.idle_s * NANOS_PER_SECOND))

    def _look_for_endings_of(self, rule: BudgetRule, idle_ns: int) -> None:
        now_ms = _now_ms()
        until_ns = now_ms * NANOS_PER_MILLI - idle_ns
        if rule.name not in self._ended_up_to:
            noted = self._store.setting(_SETTING + rule.name)
            # A new rule is for what ends from now on.
            self._ended_up_to[rule.name] = int(noted) if noted else until_ns
            self._note_ended(rule.name, self._ended_up_to[rule.name])
        past: tuple[str, str] | None = None
        while True:
            rows = self._store.sessions_ended(self._ended_up_to[rule.name] - _SLACK_NS, until_ns, past)
            if len(rows):
                known = last_alerts(self._store, rows.select(SESSION_KEY))
                self._write(endings(rows, rule, known, now_ms))
            if len(rows) < ENDED_MAX:
                break
            tenant, session_id = rows.select(SESSION_KEY).sort(SESSION_KEY).row(-1)
            past = (tenant, session_id)
        self._ended_up_to[rule.name] = until_ns
        if until_ns - self._noted_up_to[rule.name] >= _KEPT_HWM_S * NANOS_PER_SECOND:
            self._note_ended(rule.name, until_ns)

    def _note_ended(self, rule: str, up_to_ns: int) -> None:
        self._store.write_setting(_SETTING + rule, str(up_to_ns))
        self._noted_up_to[rule] = up_to_ns

    def _write(self, alerts: Iterable[Alert]) -> None:
        if rows := [asdict(alert) for alert in alerts]:
            self._store.write_alerts(rows)


def _now_ms() -> int:
    return now_ns() // NANOS_PER_MILLI
