"""One embedded ClickHouse for a whole pytest process: chDB opens one path a process, so tests share the engine.

Each test module works in a database of its own, named after the module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from processor.store.clickhouse import ClickHouseStore, open_store
from processor.store.connection import StoreConfig, connect
from processor.store.ddl import Target
from processor.store.migrations import migrate


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


@pytest.fixture(scope="module")
def store_config(_engine: StoreConfig, request: pytest.FixtureRequest) -> StoreConfig:
    """The engine and this module's database, its tables not created yet (`open_store` does that)."""
    return replace(_engine, database=request.module.__name__.rpartition(".")[2])


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
