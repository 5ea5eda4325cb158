"""`audit`, `rebuild`, `backup` and `restore` as a person uses them, on a store that takes spans meanwhile."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.closed_store import read, write
from tests.integration.load import Client, make_load
from tests.integration.process import ANY_PORTS, Running, call
from tests.integration.truth import assert_tables_hold

TRACES = 400
WRONG = {
    # What is wrong of which row, under the version that the right one has.
    "session_rollups": ("total_tokens", "total_tokens + 1", "session_id = 'session 7'"),
    "session_traces": ("llm_ns", "llm_ns + 5", "session_id = 'session 8'"),
    "trace_sessions": ("unbound_span_count", "3", "has(session_ids, 'session 9')"),
}
GHOST = "00" * 15 + "ff"


@dataclass
class Played:
    """A folder whose store was filled while it was audited and backed up, and what these said."""

    folder: Path
    load: list[bytes]
    audits: list[subprocess.CompletedProcess[str]]
    backup: subprocess.CompletedProcess[str]
    backup_path: Path

    def on(self, *arguments: str, data: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A command on its configuration."""
        store = data or self.folder / "data"
        return call(*arguments, "--config", str(self.folder / "config.yaml"), TEST_DATA=str(store))

    @property
    def data(self) -> Path:
        """Its store."""
        return self.folder / "data"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Spans come in all the while: four audits, and a backup between."""
    folder = tmp_path_factory.mktemp("truth")
    load = make_load(TRACES, random.Random(6))
    audits: list[subprocess.CompletedProcess[str]] = []
    made: list[subprocess.CompletedProcess[str]] = []

    async def scenario(running: Running) -> None:
        client = Client(load)
        client.connect(running)
        async with client.sending():
            for share in (0.3, 0.6):
                await client.reach(int(share * len(load)))
                arguments = ("audit", "--sample", "300", "--format", "ndjson", "--config", str(running.config))
                audits.append(await asyncio.to_thread(call, *arguments, TEST_DATA=str(running.data)))
                if share == 0.6:
                    arguments = ("backup", str(folder / "backup"), "--config", str(running.config))
                    made.append(await asyncio.to_thread(call, *arguments, TEST_DATA=str(running.data)))

    with Running(folder, ANY_PORTS) as running:
        asyncio.run(scenario(running))
        assert running.stop()[0] == 0
    return Played(folder, load, audits, made[0], folder / "backup")


def found_in(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The differences of an audit."""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_running_ingest_gives_no_false_alarm(played: Played) -> None:
    """Sessions with work waiting are looked at again, or left out."""
    for done in played.audits:
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert "0 differences" in done.stderr


def test_a_backup_is_a_store_of_whole_batches(played: Played, tmp_path: Path) -> None:
    """It is restored elsewhere, without a difference; a resent load then gives the oracle's totals."""
    assert played.backup.returncode == 0, played.backup.stderr
    data = tmp_path / "restored" / "data"
    restored = played.on("restore", str(played.backup_path), data=data)
    assert restored.returncode == 0, restored.stderr
    audited = played.on("audit", "--sample", "1000", data=data)
    assert (audited.returncode, audited.stdout) == (0, ""), audited.stderr
    wide, narrow = read(
        data,
        "SELECT count() AS n FROM otel.otel_traces FINAL",
        "SELECT uniqExact(trace_id, span_id) AS n FROM otel.session_spans",
    )
    assert wide == narrow
    assert wide[0]["n"] > 0
    again = played.on("restore", str(played.backup_path), data=data)
    assert again.returncode == 1
    assert "is not empty" in again.stderr

    async def scenario(running: Running) -> None:
        client = Client(played.load)
        client.connect(running)
        async with client.sending():
            pass

    with Running(data.parent, ANY_PORTS) as running:
        asyncio.run(scenario(running))
        assert running.stop()[0] == 0
    assert_tables_hold(played.load, lambda query: read(data, query)[0])


def test_a_damaged_backup_is_not_restored(played: Played, tmp_path: Path) -> None:
    """And nothing is left of the attempt."""
    damaged = tmp_path / "backup"
    subprocess.run(["cp", "-r", str(played.backup_path), str(damaged)], check=True)
    victim = max(damaged.rglob("*.bin"), key=lambda path: path.stat().st_size)
    content = victim.read_bytes()
    victim.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    done = played.on("restore", str(damaged), data=tmp_path / "data")
    assert done.returncode == 1
    assert "its checksum is not that of manifest.json" in done.stderr
    assert not (tmp_path / "data").exists()
    (damaged / "manifest.json").unlink()
    done = played.on("restore", str(damaged), data=tmp_path / "data")
    assert "is no backup" in done.stderr


def corrupt(data: Path) -> None:
    """A wrong row in each table, and rows that nothing stands behind."""
    statements = []
    for table, (column, value, where) in WRONG.items():
        row = f"SELECT * REPLACE ({value} AS {column}) FROM otel.{table} FINAL WHERE {where} LIMIT 1"
        statements.append(f"INSERT INTO otel.{table} {row}")
    ghost = "SELECT * REPLACE ('ghost' AS session_id) FROM otel.session_rollups FINAL LIMIT 1"
    statements.append(f"INSERT INTO otel.session_rollups {ghost}")
    traced = f"SELECT * REPLACE ('ghost-trace' AS session_id, '{GHOST}' AS trace_id) FROM otel.session_traces FINAL"
    traced += " WHERE span_count > 0 LIMIT 1"
    statements.append(f"INSERT INTO otel.session_traces {traced}")
    high = "SELECT * REPLACE (version + 1000000 AS version, total_tokens + 9 AS total_tokens)"
    statements.append(
        f"INSERT INTO otel.session_rollups {high} FROM otel.session_rollups FINAL WHERE session_id = 'session 10'"
    )
    write(data, *statements)


def test_wrong_rows_are_found_and_mended(played: Played) -> None:
    """In a process that runs, and is killed in the middle of it once; other rows stay as they are."""
    corrupt(played.data)
    done = played.on("audit", "--sample", "2000", "--format", "ndjson")
    assert done.returncode == 4, done.stderr
    found = {(row["table"], row["column"], row["session_id"]) for row in found_in(done)}
    assert {
        ("session_rollups", "total_tokens", "session 7"),
        ("session_traces", "llm_ns", "session 8"),
        ("trace_sessions", "unbound_span_count", ""),
        ("session_rollups", "(row)", "ghost"),
        ("session_traces", "(row)", "ghost-trace"),
        ("session_rollups", "version", "session 10"),
        ("session_rollups", "total_tokens", "session 10"),
    } <= found
    assert len(found) < 12, found
    with Running(played.folder, ANY_PORTS) as running:
        rebuilt = played.on("rebuild", "--since", "2020-01-01")
        assert rebuilt.returncode == 0, rebuilt.stderr
        audited = played.on("audit", "--sample", "2000", "--format", "json")
        assert audited.returncode == 0, audited.stdout
        assert json.loads(audited.stdout)["differences"] == []
        assert running.stop()[0] == 0
    assert_tables_hold(played.load, lambda query: read(played.data, query)[0])


def test_what_can_not_be_done_is_said(played: Played, tmp_path: Path) -> None:
    """What, where, and what to do."""
    done = played.on("rebuild", "--since", "2026-02-01", "--until", "2026-01-01")
    assert "is not after --since" in done.stderr
    done = played.on("audit", data=tmp_path / "nowhere")
    assert "there is no directory" in done.stderr
    done = played.on("backup", str(played.backup_path))
    assert "is not empty" in done.stderr
