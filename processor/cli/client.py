"""Asks the REST API of a running process, and says what to do when it does not answer."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx

from processor.errors import OtelSessionsError

TIMEOUT_S = 60.0


class ApiError(OtelSessionsError):
    """The process did not answer, or refused; the message says what to do."""


def get(url: str, *path: str, **parameters: object) -> Any:
    """The JSON of `GET url/path…`; each part of the path is percent-encoded, parameters of None are left out.

    Errors: `ApiError`.
    """
    address = "/".join([url.rstrip("/"), *(quote(part, safe="") for part in path)])
    query = {name: str(value) for name, value in parameters.items() if value is not None}
    try:
        response = httpx.get(address, params=query, timeout=TIMEOUT_S)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise ApiError(f"{url!r} can't be asked: {error}; --url takes http://host:port") from error
    except httpx.TransportError as error:
        raise ApiError(
            f"no answer from {url} ({error}); start the process with 'otel-sessions run', or name another with --url "
            "or OTEL_SESSIONS_URL"
        ) from error
    try:
        body = response.json()
    except ValueError as error:
        raise ApiError(f"{url} is not the API of otel-sessions; check --url and OTEL_SESSIONS_URL") from error
    if response.is_success:
        return body
    problem = body.get("error") if isinstance(body, dict) else None
    if not isinstance(problem, dict):
        raise ApiError(f"{url} answered {response.status_code} and is not the API of otel-sessions; check --url")
    if problem.get("code") == "not_found":
        raise NotFound(f"{url}: {problem.get('message')}")
    details = "; ".join(f"{name}: {text}" for name, text in problem.get("details", {}).items())
    raise ApiError(f"{url} answered {response.status_code}: {details or problem.get('message')}")


class NotFound(ApiError):
    """There is nothing of this name."""
