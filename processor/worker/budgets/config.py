"""Options of budgets."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

from processor.errors import ConfigError

RULES_MAX: Final = 100
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 (what a secret begins with)
_SECRET_BYTES_MIN, _SECRET_BYTES_MAX = 24, 64
_YEAR_S: Final = 366 * 86_400


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """Who is told. Errors: `ConfigError` for an address or a secret that can't be one; it does not quote either."""

    name: str = field(metadata={"help": "What rules call it."})
    url: str = field(metadata={"help": "http(s) address that alerts are posted to. Redirects are not followed."})
    secret: str = field(
        repr=False,
        metadata={
            "help": "`whsec_` and 24 to 64 random bytes in base64, which sign what is posted; ${env:NAME} of it."
        },
    )
    timeout_s: float = field(default=10.0, metadata={"help": "Seconds for one post.", "min": 0.1, "max": 60})

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address:
            raise ConfigError(f"url: of webhook {self.name!r} is no http(s) address, like https://example.com/hooks")
        if not self.name:
            raise ConfigError("name: is empty; rules name a webhook by it")
        _ = self.key

    @property
    def key(self) -> bytes:
        """The secret's bytes."""
        try:
            key = base64.b64decode(self.secret.removeprefix(SECRET_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not self.secret.startswith(SECRET_PREFIX) or not _SECRET_BYTES_MIN <= len(key) <= _SECRET_BYTES_MAX:
            raise ConfigError(
                f"secret: of webhook {self.name!r} is not {SECRET_PREFIX} and 24 to 64 bytes in base64; make one with "
                "`echo whsec_$(openssl rand -base64 32)`"
            )
        return key


@dataclass(frozen=True, slots=True)
class BudgetRule:
    """When a session is told of. One of the limits, and which sessions it is for; a filter that is empty is for all.

    Errors: `ConfigError` for no limit, or more than one.
    """

    name: str = field(metadata={"help": "Of the rule: its crossings are known by it."})
    webhook: str = field(metadata={"help": "Name of the webhook that is told."})
    cost_usd: Decimal | None = field(default=None, metadata={"help": "More than so many dollars.", "min": 0})
    tokens: int | None = field(default=None, metadata={"help": "More than so many tokens.", "min": 0})
    duration_s: float | None = field(
        default=None, metadata={"help": "Longer than so many seconds from first start to last end.", "min": 0}
    )
    idle_s: float | None = field(
        default=None,
        metadata={"help": "Ended: so many seconds without a span.", "min": 1, "max": _YEAR_S},
    )
    tenant: str = field(default="", metadata={"help": "Sessions of this tenant."})
    environment: str = field(default="", metadata={"help": "Sessions of this environment."})
    user_id: str = field(default="", metadata={"help": "Sessions of this user."})
    tag: str = field(default="", metadata={"help": "Sessions with this tag."})

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigError("name: is empty; crossings are known by it")
        limits = [name for name in LIMITS if getattr(self, name) is not None]
        if len(limits) != 1:
            said = f"{' and '.join(limits)}; keep one, and make another rule of the other" if limits else "none"
            raise ConfigError(f"rule {self.name!r} names {said}; a rule has one of {', '.join(LIMITS)}")

    @property
    def kind(self) -> str:
        """Which of the limits it has."""
        return next(name for name in LIMITS if getattr(self, name) is not None)


LIMITS: Final = ("cost_usd", "tokens", "duration_s", "idle_s")


@dataclass(frozen=True, slots=True)
class BudgetsConfig:
    """Rules, and how what they find is posted."""

    webhooks: tuple[WebhookConfig, ...] = field(
        default=(),
        metadata={
            "help": "Who may be told: each a `name`, `url`, `secret` (`whsec_` and base64; signs by Standard Webhooks) "
            "and perhaps `timeout_s`. Nothing is ever posted to any other address."
        },
    )
    rules: tuple[BudgetRule, ...] = field(
        default=(),
        metadata={
            "help": "When: each a `name`, the `webhook`, one of `cost_usd`, `tokens`, `duration_s` (more than that) "
            "and `idle_s` (ended: so long without a span), and perhaps `tenant`, `environment`, `user_id`, `tag`. At "
            f"most {RULES_MAX}. See docs/truth.md."
        },
    )
    check_interval_s: float = field(
        default=5.0,
        metadata={
            "help": "Seconds between two looks for what is to be posted, or has ended.",
            "min": 0.05,
            "max": 3600,
        },
    )
    attempts_max: int = field(
        default=20,
        metadata={
            "help": "Posts of one alert, the first included; after the last it is given up.",
            "min": 1,
            "max": 1000,
        },
    )
    retry_first_s: float = field(
        default=5.0, metadata={"help": "Seconds to the second post; it doubles from there.", "min": 0.01, "max": 3600}
    )
    retry_max_s: float = field(
        default=3600.0, metadata={"help": "Seconds to the next post at most.", "min": 0.01, "max": 86_400}
    )

    def __post_init__(self) -> None:
        if len(self.rules) > RULES_MAX:
            raise ConfigError(f"rules: {len(self.rules)} of them; at most {RULES_MAX}")
        known = [webhook.name for webhook in self.webhooks]
        for what, names in (("webhooks", known), ("rules", [rule.name for rule in self.rules])):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ConfigError(f"{what}: the name {twice[0]!r} stands twice; keep one")
        for rule in self.rules:
            if rule.webhook not in known:
                said = ", ".join(known) or "none"
                raise ConfigError(f"rules: {rule.name!r} names the webhook {rule.webhook!r}; known here: {said}")
