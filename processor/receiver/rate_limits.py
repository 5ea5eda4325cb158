"""How much a tenant may send: items and bytes a second, over all protocols and signals of this process.

Over the rate is no fault of the request: it is refused whole, nothing of it is kept, and the exporter is told when to
send it again. Must never cost anything where no limit is set: then there is no bucket.
Source: OTLP specification, "Failures" (RESOURCE_EXHAUSTED with RetryInfo; 429 with Retry-After).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from processor.errors import ConfigError, RateLimited, Retryable
from processor.receiver.item_count import count_items
from processor.receiver.token_bucket import TokenBucket
from processor.signals import Signal

TENANTS_MAX: Final = 10_000
"""Tenants whose buckets are remembered; beyond it, those that have been quiet longest are forgotten."""

_ITEMS_HELP: Final = "Spans, log records and data points a second"
_BYTES_HELP: Final = "Bytes of requests a second, after decompression"


@dataclass(frozen=True, slots=True)
class TenantRateLimit:
    """The limits of one tenant, in place of the common ones."""

    tenant: str = field(metadata={"help": "Whose limits these are."})
    items_per_s: float = field(default=0.0, metadata={"help": f"{_ITEMS_HELP}; 0 is no limit.", "min": 0})
    bytes_per_s: float = field(default=0.0, metadata={"help": f"{_BYTES_HELP}; 0 is no limit.", "min": 0})


@dataclass(frozen=True, slots=True)
class RateLimitsConfig:
    """How much each tenant may send to this process; more is refused with a delay, and sent again by exporters."""

    items_per_s: float = field(
        default=0.0, metadata={"help": f"{_ITEMS_HELP} that a tenant may send; 0 is no limit.", "min": 0}
    )
    bytes_per_s: float = field(
        default=0.0, metadata={"help": f"{_BYTES_HELP}, that a tenant may send; 0 is no limit.", "min": 0}
    )
    burst_s: float = field(
        default=5.0,
        metadata={
            "help": "Seconds of its rate that a tenant may send at once after a pause. A larger request passes as well "
            "and is made up for.",
            "min": 0.1,
            "max": 3600,
        },
    )
    tenants: tuple[TenantRateLimit, ...] = field(
        default=(), metadata={"help": "Tenants with other limits than these: tenant, items_per_s, bytes_per_s."}
    )

    def __post_init__(self) -> None:
        names = [limit.tenant for limit in self.tenants]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ConfigError(f"tenants: {twice!r} stands twice; keep one")
        for path, rate in self._rates():
            if 0 < rate < 1:
                raise ConfigError(f"{path}: {rate:g} is less than one a second; use 0 for no limit, or at least 1")

    @property
    def is_set(self) -> bool:
        """Whether anybody is limited."""
        return any(rate for _, rate in self._rates())

    def _rates(self) -> Iterator[tuple[str, float]]:
        """Each rate, and where it stands."""
        yield "items_per_s", self.items_per_s
        yield "bytes_per_s", self.bytes_per_s
        for at, limit in enumerate(self.tenants):
            yield f"tenants[{at}].items_per_s", limit.items_per_s
            yield f"tenants[{at}].bytes_per_s", limit.bytes_per_s


@dataclass(slots=True)
class _Buckets:
    """What one tenant may still send; None is no limit."""

    items: TokenBucket | None
    bytes: TokenBucket | None


class RateLimits:
    """The buckets of all tenants. Belongs to one event loop; shared by the receivers of a process."""

    def __init__(self, config: RateLimitsConfig, now_s: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._own = {limit.tenant: limit for limit in config.tenants}
        self._now_s = now_s
        self._buckets: dict[str, _Buckets] = {}  # those used last stand last

    @contextmanager
    def admitted(self, tenant: str, signal: Signal, value: bytes) -> Iterator[None]:
        """Take a request from the tenant's buckets; given back if the block says that it is to be sent again.

        Errors: `RateLimited`, with the delay; those of the block.
        """
        buckets = self._of(tenant)
        now_s = self._now_s()
        for bucket, option in ((buckets.items, "items_per_s"), (buckets.bytes, "bytes_per_s")):
            if bucket is not None and (wait_s := bucket.wait_s(now_s)):
                raise RateLimited(
                    f"the tenant {tenant!r} sends more than its {bucket.rate:g} {option.removesuffix('_per_s')} a "
                    f"second ({option}); retry after the delay, or have the limit raised",
                    wait_s,
                )
        taken = [(buckets.bytes, len(value))] if buckets.bytes else []
        if buckets.items is not None:
            taken.append((buckets.items, count_items(value, signal) or 0))
        for bucket, amount in taken:
            bucket.take(amount)
        try:
            yield
        except Retryable:
            for bucket, amount in taken:
                bucket.take(-amount)
            raise

    def _of(self, tenant: str) -> _Buckets:
        buckets = self._buckets.pop(tenant, None) or self._new(tenant)
        self._buckets[tenant] = buckets
        if len(self._buckets) > TENANTS_MAX:
            del self._buckets[next(iter(self._buckets))]
        return buckets

    def _new(self, tenant: str) -> _Buckets:
        limit = self._own.get(tenant, self._config)
        now_s, burst_s = self._now_s(), self._config.burst_s
        items, size = (
            TokenBucket.full(rate, burst_s, now_s) if rate else None for rate in (limit.items_per_s, limit.bytes_per_s)
        )
        return _Buckets(items, size)
