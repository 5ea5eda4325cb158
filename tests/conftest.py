"""One embedded ClickHouse for a whole pytest process: chDB opens one path a process, so tests share the engine.

Each test module works in a database of its own, named after the module.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from processor.endpoint import DEFAULT_HOST
from processor.store.clickhouse import ClickHouseStore, open_store
from processor.store.connection import StoreConfig, connect
from processor.store.ddl import Target
from processor.store.migrations import migrate
from tests.clickhouse_server import clickhouse_server

# No test depends on how fast the machine is.
settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")

# Nor on whether it runs in a container, where ports that nobody named are open to the network.
os.environ[DEFAULT_HOST] = "127.0.0.1"

EMBEDDED, HTTP, SERVER = "chdb", "http", "server"
LONG_FIRST = ("kafka", "integration", "property", "contract")
LONG_FILES = ("test_deletion.py", "test_two_workers.py", "test_kill.py", "test_budgets.py", "test_truth.py")
STORES = (EMBEDDED, HTTP, *([SERVER] if os.environ.get("CLICKHOUSE_URL") else []))


@pytest.fixture(scope="session")
def store_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one directory of this process's chDB."""
    return tmp_path_factory.mktemp("chdb")


@pytest.fixture(scope="session")
def _engine(store_dir: Path) -> Iterator[StoreConfig]:
    config = StoreConfig(dsn=f"chdb://{store_dir}")
    # chDB shuts down with its last handle and is slow to come back: keep one open to the end.
    client = connect(config)
    yield config
    client.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests marked `every_store` run once for each kind of store."""
    if metafunc.definition.get_closest_marker("every_store") and "store_config" in metafunc.fixturenames:
        metafunc.parametrize("store_config", STORES, indirect=True, scope="module")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: a file is run by one of several processes, and none should end alone with one."""
    order = {name: float(place) for place, name in enumerate(LONG_FIRST)}
    order |= dict.fromkeys(LONG_FILES, order["kafka"] + 0.5)
    last = float(len(order))
    items.sort(key=lambda item: order.get(item.path.name, order.get(item.path.parent.name, last)))


@pytest.fixture(scope="module")
def store_config(_engine: StoreConfig, request: pytest.FixtureRequest) -> Iterator[StoreConfig]:
    """A store and this module's database, its tables not created yet (`open_store` does that).

    The engine in this process, or for tests marked `every_store` the same one through clickhouse-connect over HTTP, and
    the server that `CLICKHOUSE_URL` names.
    """
    kind = getattr(request, "param", EMBEDDED)
    module = request.module.__name__.rpartition(".")[2]
    if kind == EMBEDDED:
        yield replace(_engine, database=module)
    elif kind == HTTP:
        with clickhouse_server(_engine, writable=True) as url:
            yield StoreConfig(dsn=url, database=f"{module}_http")
    else:
        given = StoreConfig(dsn=os.environ["CLICKHOUSE_URL"], database=f"{module}_{os.urandom(4).hex()}")
        yield given
        with connect(replace(given, database="default")) as client:
            client.command(f"DROP DATABASE IF EXISTS {given.database}")


@pytest.fixture(scope="module")
def store(store_config: StoreConfig) -> Iterator[ClickHouseStore]:
    """The tables of this module's database."""
    opened = open_store(store_config)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(store_config: StoreConfig) -> Iterator[Any]:
    """What a person would query with."""
    opened = connect(store_config)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def asking(store: ClickHouseStore, store_config: StoreConfig) -> Iterator[Any]:
    """What a person would query with who was told the database, so that names of tables do without it."""
    opened = connect(store_config)
    # The embedded engine keeps a `USE`; a server is told with each query.
    opened.command(f"USE {store_config.database}")
    opened.database = store_config.database
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def chdb_client(store_config: StoreConfig) -> Iterator[Callable[[str], Any]]:
    """`chdb_client(database)`: a client of the shared engine, that database's tables created."""
    clients: list[Any] = []

    def open_database(database: str = store_config.database) -> Any:
        client = connect(replace(store_config, database=database))
        clients.append(client)
        migrate(client, Target(database))
        return client

    yield open_database
    for client in clients:
        client.close()
