"""Crossings of budgets, their signature and their retries: pure, with time as an argument."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest

from processor.errors import ConfigError
from processor.model import SESSION_ROLLUPS
from processor.worker.budgets.config import BudgetRule, BudgetsConfig, WebhookConfig
from processor.worker.budgets.crossings import (
    BACK,
    GIVEN_UP,
    PENDING,
    WATCHED,
    Alert,
    Key,
    backoff_s,
    crossings,
    endings,
    watched_through,
)
from processor.worker.budgets.webhook import signature
from tests.integration.stored import S, session

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "budget-webhook.schema.json").read_text())
NOW_MS = 1_764_000_000_000
TOKENS = BudgetRule("many", "ops", tokens=100)
IDLE = BudgetRule("over", "ops", idle_s=60)


def rows(**values: Any) -> pl.DataFrame:
    """One session's row."""
    return pl.DataFrame([session("s", **values)], schema=SESSION_ROLLUPS)


def known(*alerts: Alert) -> dict[Key, Alert]:
    """As the store has them: the last of each key."""
    return {alert.key: alert for alert in sorted(alerts, key=lambda alert: alert.sequence)}


def test_a_total_over_its_limit_is_told_once_a_crossing() -> None:
    """Over, over again, under, over: two crossings, with ids of their own; a limit that is met is not crossed."""
    assert not list(crossings(rows(total_tokens=100), [TOKENS], {}, NOW_MS))
    (first,) = crossings(rows(total_tokens=101), [TOKENS], {}, NOW_MS)
    assert (first.sequence, first.state) == (1, PENDING)
    assert not list(crossings(rows(total_tokens=500), [TOKENS], known(first), NOW_MS))
    (back,) = crossings(rows(total_tokens=90), [TOKENS], known(first), NOW_MS)
    assert (back.sequence, back.state, back.payload) == (2, BACK, "")
    assert not list(crossings(rows(total_tokens=90), [TOKENS], known(first, back), NOW_MS))
    (second,) = crossings(rows(total_tokens=200), [TOKENS], known(first, back), NOW_MS)
    assert (second.sequence, second.state) == (3, PENDING)
    assert first.id != second.id
    assert json.loads(second.payload)["data"]["crossing"] == 2


@pytest.mark.parametrize(
    ("rule", "over", "under"),
    [
        (
            BudgetRule("r", "ops", cost_usd=Decimal("0.5")),
            {"cost_nano_usd": 500_000_001},
            {"cost_nano_usd": 500_000_000},
        ),
        (BudgetRule("r", "ops", duration_s=2), {"start_ns": 0, "end_ns": 2 * S + 1}, {"start_ns": 0, "end_ns": 2 * S}),
        (BudgetRule("r", "ops", tokens=1, environment="prod"), {"environment": "prod"}, {"environment": "dev"}),
        (BudgetRule("r", "ops", tokens=1, user_id="ada"), {"user_id": "ada"}, {"user_id": "bob"}),
        (BudgetRule("r", "ops", tokens=1, tag="vip"), {"tags": ["a", "vip"]}, {"tags": ["a"]}),
        (BudgetRule("r", "ops", tokens=1, tenant="acme"), {"tenant": "acme"}, {"tenant": "other"}),
        (BudgetRule("r", "ops", tokens=1), {}, {"row_count": 0}),
    ],
)
def test_limits_and_filters(rule: BudgetRule, over: dict[str, Any], under: dict[str, Any]) -> None:
    """More than the limit, to the last nano-dollar; every filter that is set holds."""
    assert len(list(crossings(rows(**{"total_tokens": 2} | over), [rule], {}, NOW_MS))) == 1
    assert not list(crossings(rows(**{"total_tokens": 2} | under), [rule], {}, NOW_MS))


def test_an_ending_is_told_once_and_again_when_spans_came() -> None:
    """By the clock: not before its time, and not for spans that come again, which change nothing."""
    end_ns = NOW_MS * 1_000_000 - 61 * S
    assert not list(endings(rows(end_ns=end_ns + 2 * S), IDLE, {}, NOW_MS))
    (first,) = endings(rows(end_ns=end_ns), IDLE, {}, NOW_MS)
    assert (first.sequence, first.state, json.loads(first.payload)["type"]) == (1, PENDING, "session.ended")
    assert not list(endings(rows(end_ns=end_ns), IDLE, known(first), NOW_MS))
    (second,) = endings(rows(end_ns=end_ns, span_count=2), IDLE, known(first), NOW_MS)
    assert second.sequence == 3
    assert second.id != first.id


def test_spans_that_come_long_after_are_watched_for() -> None:
    """A session that ended before the clock's look is told of when nothing has come for as long as the rule says."""
    end_ns = NOW_MS * 1_000_000 - 10_000 * S
    (watched,) = crossings(rows(end_ns=end_ns), [IDLE], {}, NOW_MS)
    assert (watched.state, watched.due_at_ms) == (WATCHED, NOW_MS + 60_000)
    assert not list(crossings(rows(end_ns=end_ns), [IDLE], known(watched), NOW_MS + 1_000))
    (later,) = crossings(rows(end_ns=end_ns, span_count=2), [IDLE], known(watched), NOW_MS + 30_000)
    assert (later.sequence, later.revision, later.due_at_ms) == (1, 1, NOW_MS + 90_000)
    (row,) = rows(end_ns=end_ns, span_count=2).iter_rows(named=True)
    told = watched_through(row, IDLE, later, NOW_MS + 90_000)
    assert (told.state, told.revision, told.id) == (PENDING, 2, watched.id)
    moved = watched_through(row | {"span_count": 3}, IDLE, later, NOW_MS + 90_000)
    assert (moved.state, moved.due_at_ms) == (WATCHED, NOW_MS + 150_000)
    assert watched_through(None, IDLE, later, NOW_MS).state == GIVEN_UP


def test_a_payload_is_what_its_schema_says() -> None:
    """Of every kind of rule."""
    of_all = [TOKENS, IDLE, BudgetRule("c", "ops", cost_usd=Decimal(0)), BudgetRule("d", "ops", duration_s=0.5)]
    row = rows(total_tokens=200, cost_nano_usd=5, tags=["a"], end_ns=NOW_MS * 1_000_000 - 100 * S, start_ns=0)
    found = list(crossings(row, of_all, {}, NOW_MS))
    assert len(found) == 4
    for alert in found:
        jsonschema.validate(json.loads(alert.payload), SCHEMA)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of its specification's reference libraries."""
    webhook = WebhookConfig("ops", "https://example.com", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    signed = signature(webhook.key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert "MfKQ" not in repr(webhook)


def test_retries_double_up_to_a_bound() -> None:
    """Between half and all of it."""
    assert [backoff_s(n, 5, 60, 1) for n in range(1, 6)] == [5, 10, 20, 40, 60]
    assert backoff_s(1, 5, 60, 0) == 2.5
    assert backoff_s(10_000, 5, 60, 1) == 60


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: WebhookConfig("ops", "ftp://x", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "no http(s) address"),
        (lambda: WebhookConfig("ops", "https://x", "hunter2"), "openssl rand"),
        (lambda: BudgetRule("r", "ops"), "has one of cost_usd"),
        (lambda: BudgetRule("r", "ops", tokens=1, idle_s=2), "keep one"),
        (lambda: BudgetsConfig(rules=(TOKENS,)), "names the webhook 'ops'; known here: none"),
        (lambda: BudgetsConfig(rules=(TOKENS, TOKENS)), "'many' stands twice"),
    ],
)
def test_mistakes_are_named(make: Any, said: str) -> None:
    """What is wrong, and what to do; never the secret."""
    with pytest.raises(ConfigError) as error:
        make()
    assert said in str(error.value)
    assert "hunter2" not in str(error.value)
