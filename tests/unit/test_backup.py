"""What is no backup is refused before anything is made of it, and half of one is not taken for a store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from processor.errors import ConfigError
from processor.store.backup import MANIFEST, Backup, empty_directory, read_manifest, restore
from processor.store.connection import StoreConfig
from processor.store.data_directory import RESTORING, DataDirectory
from processor.store.tables import read_migrations


def manifest(path: Path, **values: Any) -> Path:
    """A directory with a manifest."""
    path.mkdir(exist_ok=True)
    plain = {"format": 1, "version": "0.1.0", "engine": "26.1", "taken_at": "2026-11-20T14:20:00Z"}
    plain |= {"schema_hash": "", "schema": {}, "tables": {}}
    (path / MANIFEST).write_text(json.dumps(plain | values))
    return path


def test_a_backup_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """By its format, or by a table that is not known here."""
    schema = {migration.name: migration.checksum for migration in read_migrations()} | {"999_new.sql": "x"}
    for values in ({"format": 2}, {"schema": schema}):
        with pytest.raises(ConfigError, match=r"newer than this one.*; upgrade"):
            read_manifest(manifest(tmp_path / "backup", **values))


def test_a_damaged_manifest_is_refused(tmp_path: Path) -> None:
    """One that is none, that says nothing, and one whose schema was edited."""
    with pytest.raises(ConfigError, match="is no backup"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_text("[]")
    with pytest.raises(ConfigError, match="is no backup"):
        read_manifest(tmp_path)
    with pytest.raises(ConfigError, match="is damaged"):
        read_manifest(manifest(tmp_path / "backup"))


def test_only_an_empty_directory_is_written_to(tmp_path: Path) -> None:
    """One that is not there is made."""
    assert empty_directory(tmp_path / "new")
    assert not empty_directory(tmp_path / "new")
    (tmp_path / "new" / "file").touch()
    with pytest.raises(ConfigError, match="is not empty"):
        empty_directory(tmp_path / "new")
    with pytest.raises(ConfigError, match="can't be used as a directory"):
        empty_directory(tmp_path / "new" / "file")


def test_a_server_has_backups_of_its_own(tmp_path: Path) -> None:
    """And says so."""
    config = StoreConfig(dsn="http://localhost:8123")
    with pytest.raises(ConfigError, match="BACKUP and RESTORE of its own"):
        Backup(config)
    with pytest.raises(ConfigError, match="is no backup"):
        restore(tmp_path, config, lambda _: None)


def test_half_of_a_restore_is_no_store(tmp_path: Path) -> None:
    """A process that was killed while it restored leaves a mark, and nobody opens the directory."""
    (tmp_path / RESTORING).touch()
    with pytest.raises(ConfigError, match="not restored to the end; empty it"):
        DataDirectory(StoreConfig(dsn=f"chdb://{tmp_path}")).claim()
