"""The `schema` commands as a person at a terminal uses them: on the embedded store, and on a server."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from processor.store.connection import StoreConfig, connect
from processor.store.ddl import Target
from processor.store.migrations import script
from processor.store.tables import read_migrations
from tests.clickhouse_server import clickhouse_server
from tests.integration.process import Running, call

FILES = [migration.name for migration in read_migrations()]
DATABASE = "schema_cli"


@pytest.fixture(scope="module")
def url(store_config: StoreConfig) -> Iterator[str]:
    """A server."""
    with clickhouse_server(store_config, writable=True) as address:
        yield address


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., str]:
    """`config(dsn=..., …)`: a file with these options of the exporter."""

    def write(**options: Any) -> str:
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({"exporters": {"clickhouse": options}}))
        return str(path)

    return write


def test_the_sql_of_the_embedded_default_needs_no_configuration() -> None:
    """It is the script for an embedded store, and nothing else stands on stdout."""
    result = call("schema", "print")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == script(Target("otel", embedded=True))


def test_the_sql_of_a_cluster_is_printed_without_a_server(config: Callable[..., str]) -> None:
    """Nobody is asked, so it may be printed anywhere; no password is in it."""
    file = config(dsn="https://user:s3cret@clickhouse.invalid:8443", database="agents", cluster="main-1")
    result = call("schema", "print", "--config", file)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (Path(__file__).parents[1] / "data" / "schema_cluster.sql").read_text()


def test_a_database_from_nothing_to_whole(url: str, config: Callable[..., str]) -> None:
    """check says what is missing, migrate creates it and says so, check is content, migrate has nothing to do."""
    file = config(dsn=url, database=DATABASE)
    missing = call("schema", "check", "--config", file)
    assert (missing.returncode, missing.stdout) == (1, f"database {DATABASE} is missing or empty\n")
    assert missing.stderr == "1 difference; 'otel-sessions schema migrate' creates what is missing\n"
    created = call("schema", "migrate", "--config", file)
    assert (created.returncode, created.stderr) == (0, "")
    assert created.stdout.splitlines() == [f"created database {DATABASE}", *(f"applied {name}" for name in FILES)]
    whole = call("schema", "check", "--config", file)
    assert (whole.returncode, whole.stdout, whole.stderr) == (0, f"database {DATABASE}: as this version needs it\n", "")
    again = call("schema", "migrate", "--config", file)
    assert (again.returncode, again.stdout) == (0, f"database {DATABASE}: nothing is missing\n")


def test_what_migrating_can_not_mend_is_said(url: str, config: Callable[..., str]) -> None:
    """A changed column stays as it is, and the exit code tells."""
    file = config(dsn=url, database=f"{DATABASE}_changed")
    assert call("schema", "migrate", "--config", file).returncode == 0
    with connect(StoreConfig(dsn=url)) as client:
        client.command(f"ALTER TABLE {DATABASE}_changed.session_rollups MODIFY COLUMN name LowCardinality(String)")
        client.command(f"DROP TABLE {DATABASE}_changed.session_traces")
    result = call("schema", "migrate", "--config", file)
    assert result.returncode == 1
    assert result.stdout.splitlines() == [
        "applied 004_session_traces.sql",
        "column session_rollups.name is LowCardinality(String), expected String",
    ]
    assert result.stderr.startswith("1 difference; ")


def test_an_embedded_store_is_created_and_then_run(tmp_path: Path) -> None:
    """What `schema migrate` made is what `run` needs; while it runs, the directory is its own."""
    data = tmp_path / "data"
    file = tmp_path / "schema.yaml"
    file.write_text(yaml.safe_dump({"exporters": {"clickhouse": {"dsn": f"chdb://{data}"}}}))
    early = call("schema", "check", "--config", str(file))
    assert early.returncode == 1
    assert "no such directory" in early.stderr
    assert not data.exists()
    assert call("schema", "migrate", "--config", str(file)).returncode == 0
    with Running(tmp_path) as process:
        busy = call("schema", "check", "--config", str(file))
        assert busy.returncode == 1
        assert "is in use by process" in busy.stderr
        code, _ = process.stop(signal.SIGTERM)
    assert code == 0
    result = call("schema", "check", "--config", str(file))
    assert (result.returncode, result.stdout) == (0, "database otel: as this version needs it\n")


@pytest.mark.parametrize("command", ["check", "migrate"])
def test_a_server_that_is_away_is_one_sentence_without_the_password(config: Callable[..., str], command: str) -> None:
    """No traceback, and nothing that should not be in a log."""
    result = call("schema", command, "--config", config(dsn="http://user:s3cret@127.0.0.1:1"))
    assert result.returncode == 1
    assert result.stderr.startswith("otel-sessions: ClickHouse at http://127.0.0.1:1 does not answer: ")
    assert "s3cret" not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_a_worker_without_the_right_to_migrate_says_what_to_run(url: str, tmp_path: Path) -> None:
    """`run` with `migrate: false` on an empty server ends with that sentence."""
    file = tmp_path / "worker.yaml"
    exporter = {"dsn": url, "database": f"{DATABASE}_none", "migrate": False}
    ports = {name: {"endpoint": "127.0.0.1:0"} for name in ("health_check", "sessions_api")}
    telemetry = {"metrics": {"address": ""}}
    tree = {"exporters": {"clickhouse": exporter}, "extensions": ports, "service": {"telemetry": telemetry}}
    file.write_text(json.dumps(tree))
    result = call("run", "--config", str(file))
    assert result.returncode == 1
    assert "run 'otel-sessions schema migrate'" in result.stderr
