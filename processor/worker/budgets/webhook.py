"""One post of an alert, signed by Standard Webhooks.

Must never follow a redirect, read an unbounded answer, or talk to an address that is not in the configuration.
Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

import httpx

from processor.worker.budgets.config import WebhookConfig

CONCURRENT_MAX: Final = 8
_GONE: Final = 410
_RETRY_AFTER_S_MAX: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a post. `is_gone`: the receiver wants no more of them. `retry_after_s` is what it asks for, or 0."""

    is_posted: bool
    is_gone: bool
    reason: str
    retry_after_s: float = 0.0


def signature(key: bytes, message_id: str, timestamp_s: int, body: bytes) -> str:
    """The header `webhook-signature`."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return f"v1,{base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"


async def post(client: httpx.AsyncClient, webhook: WebhookConfig, message_id: str, body: bytes, now_s: int) -> Outcome:
    """Post once. Errors: none; whatever goes wrong is an outcome, and its reason quotes no address."""
    headers = {
        "content-type": "application/json",
        "user-agent": "otel-sessions",
        "webhook-id": message_id,
        "webhook-timestamp": str(now_s),
        "webhook-signature": signature(webhook.key, message_id, now_s, body),
    }
    try:
        request = client.build_request("POST", webhook.url, content=body, headers=headers, timeout=webhook.timeout_s)
        response = await client.send(request, stream=True, follow_redirects=False)
        await response.aclose()  # what it says beside the status is not read
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return Outcome(False, False, type(error).__name__)
    if response.is_success:
        return Outcome(True, False, "")
    wait = response.headers.get("retry-after", "")
    retry_after_s = min(float(wait), _RETRY_AFTER_S_MAX) if wait.isdecimal() else 0.0
    return Outcome(False, response.status_code == _GONE, f"status {response.status_code}", retry_after_s)


def new_client() -> httpx.AsyncClient:
    """One for all posts of a process. Proxies of the environment are used, as other clients do."""
    return httpx.AsyncClient(limits=httpx.Limits(max_connections=CONCURRENT_MAX))
