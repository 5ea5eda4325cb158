"""Rates of tenants, with time as an argument."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.config import read_config
from processor.errors import ConfigError, Overloaded, Permanent, RateLimited, Retryable
from processor.receiver import rate_limits
from processor.receiver.rate_limits import RateLimits, RateLimitsConfig, TenantRateLimit
from processor.receiver.token_bucket import TokenBucket
from processor.signals import Signal
from tests.contract.otlp_harness import request_bytes


class Clock:
    """A clock that a test sets."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Iterator[Clock]:
    """A clock."""
    return Clock()


def send(limits: RateLimits, spans: int = 1, tenant: str = "a", error: Exception | None = None) -> None:
    """A request of that many spans, which the log takes or refuses with `error`."""
    with limits.admitted(tenant, Signal.TRACES, request_bytes(spans)):
        if error is not None:
            raise error


def wait_of(limits: RateLimits, spans: int = 1, tenant: str = "a") -> float:
    """The delay that a refused request is told."""
    with pytest.raises(RateLimited) as refused:
        send(limits, spans, tenant)
    return refused.value.retry_after_s


def test_a_burst_then_the_rate(clock: Clock) -> None:
    """What comes together in the burst's time passes at once, then one unit in its time."""
    limits = RateLimits(RateLimitsConfig(items_per_s=10, burst_s=2), clock)
    for _ in range(20):
        send(limits)
    assert wait_of(limits) == pytest.approx(0.1)
    clock.now_s += 0.1
    send(limits)
    assert wait_of(limits) == pytest.approx(0.1)


def test_a_request_larger_than_the_burst_passes_and_is_made_up_for(clock: Clock) -> None:
    """Else it would never pass; the next one waits as long as it was large."""
    limits = RateLimits(RateLimitsConfig(items_per_s=10, burst_s=1), clock)
    send(limits, 110)
    assert wait_of(limits) == pytest.approx(10)
    clock.now_s += 10.01
    send(limits)


def test_bytes_are_limited_beside_items(clock: Clock) -> None:
    """Either limit refuses; the message names the one."""
    limits = RateLimits(RateLimitsConfig(items_per_s=1000, bytes_per_s=len(request_bytes(5)), burst_s=1), clock)
    send(limits, 5)
    with pytest.raises(RateLimited, match="bytes_per_s"):
        send(limits)


def test_tenants_do_not_share(clock: Clock) -> None:
    """Each has buckets of its own, and its own limits where it is named; 0 there is no limit."""
    own = (TenantRateLimit("big", items_per_s=100), TenantRateLimit("free"))
    limits = RateLimits(RateLimitsConfig(items_per_s=1, burst_s=1, tenants=own), clock)
    send(limits, tenant="a")
    wait_of(limits, tenant="a")
    send(limits, tenant="b")
    send(limits, 100, tenant="big")
    wait_of(limits, tenant="big")
    for _ in range(5):
        send(limits, 1000, tenant="free")


@pytest.mark.parametrize(
    ("error", "is_given_back"), [(Overloaded("full"), True), (Retryable("x"), True), (Permanent("bad"), False)]
)
def test_what_comes_again_is_not_counted_twice(clock: Clock, error: Exception, is_given_back: bool) -> None:
    """A full log's refusal costs the tenant nothing; what is refused for good does."""
    limits = RateLimits(RateLimitsConfig(items_per_s=1, burst_s=1), clock)
    with pytest.raises(type(error)):
        send(limits, error=error)
    if is_given_back:
        send(limits)
    wait_of(limits)


def test_tenants_remembered_are_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that has been quiet longest goes."""
    monkeypatch.setattr(rate_limits, "TENANTS_MAX", 2)
    limits = RateLimits(RateLimitsConfig(items_per_s=1, burst_s=1), clock)
    for tenant in ("a", "b"):
        send(limits, tenant=tenant)
    wait_of(limits, tenant="a")
    send(limits, tenant="c")
    wait_of(limits, tenant="a")
    send(limits, tenant="b")


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 50)), max_size=60))
def test_no_more_than_the_rate_over_time(steps: list[tuple[float, int]]) -> None:
    """Whatever comes, what is taken stays below rate, burst and one request more."""
    bucket, now_s, taken = TokenBucket.full(10, 2, 0.0), 0.0, 0
    for pause_s, amount in steps:
        now_s += pause_s
        if not bucket.wait_s(now_s):
            bucket.take(amount)
            taken += amount
        assert taken <= 10 * now_s + 20 + 50
        wait_s = bucket.wait_s(now_s)
        assert not replace(bucket).wait_s(now_s + wait_s + 1e-6)


def test_configured() -> None:
    """By tenant, over the common ones; what can't be is refused with its path."""
    limits = "{items_per_s: 50, tenants: [{tenant: a, bytes_per_s: 1000000}]}"
    config = read_config(f"receivers: {{otlp: {{protocols: {{grpc:}}, limits: {limits}}}}}", {})
    assert config.otlp is not None
    assert config.otlp.limits.is_set
    assert config.otlp.limits.tenants == (TenantRateLimit("a", bytes_per_s=1e6),)
    assert not RateLimitsConfig().is_set
    for wrong, message in (
        ("{items_per_s: 0.5}", "limits: items_per_s: 0.5 is less than one a second"),
        ("{tenants: [{tenant: a}, {tenant: a}]}", "limits: tenants: 'a' stands twice"),
        ("{tenants: [{bytes_per_s: 1}]}", "tenant: is missing"),
        ("{burst: 1}", "did you mean 'burst_s'"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_config(f"receivers: {{otlp: {{protocols: {{grpc:}}, limits: {wrong}}}}}", {})
