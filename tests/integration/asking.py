"""The sessions API on a test's database, and requests to it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from processor.api.app import create_app
from processor.api.pool import QueryPool
from processor.model import DEFAULT_TENANT
from processor.pricing.prices import Prices
from processor.store.connection import StoreConfig
from processor.store.queries import SessionQueries
from tests.integration.serving import served


@contextlib.contextmanager
def api_on(chdb_client: Callable[[], Any], store_config: StoreConfig) -> Iterator[httpx.Client]:
    """A client of the API of the default tenant, served by the real server."""
    readers = [SessionQueries(chdb_client(), store_config.database) for _ in range(2)]
    with (
        served(create_app(QueryPool(readers, 64), DEFAULT_TENANT, "0", Prices())) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


def get(api: httpx.Client, path: str, **parameters: object) -> Any:
    """The body of a request that must succeed."""
    response = api.get(path, params={name: str(value) for name, value in parameters.items()})
    assert response.status_code == 200, response.text
    return response.json()


def bad(api: httpx.Client, path: str, **parameters: object) -> dict[str, str]:
    """The details of a request that must be refused."""
    response = api.get(path, params={name: str(value) for name, value in parameters.items()})
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert error["code"] == "invalid_query_params"
    assert error["message"] == "Invalid query parameters"
    details: dict[str, str] = error["details"]
    assert all(isinstance(text, str) for text in details.values())
    return details
