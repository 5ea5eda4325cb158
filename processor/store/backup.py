"""A copy of the embedded store's tables as files, and a store made of it.

A backup is a directory: `manifest.json`, and `tables/TABLE/PART/FILE`. Parts of a MergeTree never change: marking them
(`FREEZE`, hard links) takes a moment, whatever their size, and copying them may take its time. The manifest is written
last: a directory without one is no backup.
Must never write into a directory that has anything in it, and never take a file for good that is not as it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from processor.errors import ConfigError
from processor.store.connection import StoreConfig, connect, driver_errors_translated
from processor.store.data_directory import MARK, RESTORING
from processor.store.schema import migrate_schema
from processor.store.tables import read_migrations

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
_TABLES: Final = "tables"
_NOT_COPIED: Final = "schema_migrations"  # a store that is restored has tables of its own making
_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class TableBackup:
    """What a backup has of a table. `checksum` is over `files`: sha256 by path below the table's directory."""

    rows: int
    bytes: int
    parts: int
    checksum: str
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup has. `schema` are the checksums of the SQL files by name, `schema_hash` is one of all of them."""

    format: int
    version: str
    engine: str
    taken_at: str
    schema_hash: str
    schema: dict[str, str]
    tables: dict[str, TableBackup]

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.rows for table in self.tables.values())

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(table.bytes for table in self.tables.values())


class Backup:
    """One backup of one store, on a connection of its own: `mark`, `copy`, `forget`."""

    def __init__(self, config: StoreConfig) -> None:
        """Errors: `ConfigError` for a store on a server."""
        if config.directory is None:
            raise ConfigError(
                "exporters.clickhouse.dsn: names a ClickHouse server, which has BACKUP and RESTORE of its own; "
                "this is for an embedded store (chdb://)"
            )
        self._directory = config.directory
        self._database = config.database
        self._client = connect(config)
        self._name = f"{MARK}{uuid4().hex}"

    def mark(self) -> None:
        """Keep what is in the tables now, while it is copied. Whoever calls sees to it that nobody writes meanwhile.

        Errors: those of the store.
        """
        with driver_errors_translated():
            for table in self._tables():
                self._client.command(f"ALTER TABLE {self._database}.{table} FREEZE WITH NAME '{self._name}'")

    def copy(self, target: Path, version: str, taken_at: str, progress: Callable[[int], None]) -> Manifest:
        """Copy what is marked into an empty directory. `progress` gets the bytes so far; what it raises ends the copy.

        Errors: `ConfigError` for a directory that is not empty or can't be written.
        """
        made = empty_directory(target)
        try:
            tables: dict[str, TableBackup] = {}
            for table, parts in self._marked():
                copied = sum(other.bytes for other in tables.values())
                tables[table] = _copied(parts, target / _TABLES / table, partial(_further, progress, copied))
            with driver_errors_translated():
                engine = str(self._client.query("SELECT version()").result_rows[0][0])
            schema = {migration.name: migration.checksum for migration in read_migrations()}
            manifest = Manifest(FORMAT, version, engine, taken_at, _hash_of(schema), schema, tables)
            _write_last(target / MANIFEST, json.dumps(asdict(manifest), indent=1, sort_keys=True))
        except OSError as error:
            raise ConfigError(f"{target}: can't be written: {error.strerror or error}") from error
        finally:
            if not (target / MANIFEST).exists():
                _clear(target, made)
        return manifest

    def close(self) -> None:
        """Forget the marks, and the connection. Safe without `mark`."""
        shutil.rmtree(self._directory / "shadow" / self._name, ignore_errors=True)
        self._client.close()

    def _tables(self) -> list[str]:
        query = f"SELECT name FROM system.tables WHERE database = '{self._database}' AND endsWith(engine, 'MergeTree')"
        names = [row[0] for row in self._client.query(f"{query} ORDER BY name").result_rows]
        return [name for name in names if name != _NOT_COPIED]

    def _marked(self) -> Iterator[tuple[str, list[Path]]]:
        """Tables, and the directories of their parts in the order in which they were written."""
        shadow = self._directory / "shadow" / self._name
        for table in self._tables():
            where = Path(_data_path(self._client, self._database, table)).relative_to(self._directory)
            parts = sorted((path for path in (shadow / where).glob("*") if path.is_dir()), key=_place)
            yield table, parts


def read_manifest(backup: Path) -> Manifest:
    """Errors: `ConfigError` for what is no backup, or one that this version can't read."""
    try:
        tree: dict[str, Any] = json.loads((backup / MANIFEST).read_text())
        tables = {name: TableBackup(**table) for name, table in tree.pop("tables").items()}
        manifest = Manifest(**tree, tables=tables)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"{backup}: is no backup: {MANIFEST} is missing or can't be read ({type(error).__name__}); a backup "
            "that was ended has none"
        ) from error
    ours = {migration.name: migration.checksum for migration in read_migrations()}
    newer = sorted(manifest.schema.keys() - ours.keys())
    if manifest.format > FORMAT or newer:
        raise ConfigError(
            f"{backup}: was made by otel-sessions {manifest.version}, which is newer than this one"
            f"{f' ({newer[0]} is not known here)' if newer else ''}; upgrade, then restore"
        )
    if manifest.schema_hash != _hash_of(manifest.schema):
        raise ConfigError(f"{backup}: {MANIFEST} is damaged: the hash of its schema is not that of the files it lists")
    return manifest


def restore(backup: Path, config: StoreConfig, progress: Callable[[int], None]) -> Manifest:
    """Make a store of a backup, in the directory that the configuration names: it must be empty, or not there.

    Every file is compared with its checksum, and every table with its number of rows. `progress` gets the bytes so far.
    Errors: `ConfigError` for what is no backup, for a directory with anything in it, for files that
    are not as they were; then nothing is left in the directory.
    """
    manifest = read_manifest(backup)
    directory = config.directory
    if directory is None:
        raise ConfigError("exporters.clickhouse.dsn: names a ClickHouse server; a backup is restored to chdb://PATH")
    made = empty_directory(directory)
    (directory / RESTORING).write_text(str(backup))
    try:
        _restored(backup, manifest, config, progress)
    except BaseException:
        _clear(directory, made)
        raise
    (directory / RESTORING).unlink()
    return manifest


def empty_directory(path: Path) -> bool:
    """Make it where it is missing; whether it was. Errors: `ConfigError` for one with anything in it, and for none."""
    try:
        made = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise ConfigError(f"{path}: is not empty; name a directory that is, or that is not there yet")
    except OSError as error:
        raise ConfigError(f"{path}: can't be used as a directory: {error.strerror or error}") from error
    return made


def _restored(backup: Path, manifest: Manifest, config: StoreConfig, progress: Callable[[int], None]) -> None:
    done = 0
    with connect(config) as client:
        migrate_schema(config)
        with driver_errors_translated():
            client.command("SYSTEM STOP MERGES")  # of what is attached, until it is counted
        for name, table in manifest.tables.items():
            detached = Path(_data_path(client, config.database, name)) / "detached"
            if _checksum(table.files) != table.checksum:
                raise ConfigError(f"{backup}: {MANIFEST} is damaged: the checksum of {name} is not that of its files")
            for file, digest in table.files.items():
                source = backup / _TABLES / name / file
                if _copied_file(source, detached / _inside(file)) != digest:
                    raise ConfigError(
                        f"{source}: is damaged: its checksum is not that of {MANIFEST}; nothing is restored"
                    )
                done += source.stat().st_size
                progress(done)
            with driver_errors_translated():
                for part in sorted({Path(file).parts[0] for file in table.files}, key=lambda name: _place(Path(name))):
                    client.command(f"ALTER TABLE {config.database}.{name} ATTACH PART '{part}'")
                count = f"SELECT sum(rows) FROM system.parts WHERE database = '{config.database}' AND table = '{name}'"
                rows = int(client.query(f"{count} AND active").result_rows[0][0])
            if rows != table.rows:
                raise ConfigError(
                    f"{backup}: table {name} has {rows} rows when restored, and {table.rows} in {MANIFEST}"
                )


def _further(progress: Callable[[int], None], before: int, copied: int) -> None:
    progress(before + copied)


def _copied(parts: list[Path], target: Path, progress: Callable[[int], None]) -> TableBackup:
    files, size, rows = {}, 0, 0
    for part in parts:
        rows += int((part / "count.txt").read_text())
        for source in sorted(path for path in part.rglob("*") if path.is_file()):
            name = str(source.relative_to(part.parent))
            files[name] = _copied_file(source, target / name)
            size += source.stat().st_size
            progress(size)
    return TableBackup(rows, size, len(parts), _checksum(files), files)


def _copied_file(source: Path, target: Path) -> str:
    """Its sha256. Errors: `ConfigError` for a file of a backup that is not there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    try:
        with source.open("rb") as reading, target.open("wb") as writing:
            while chunk := reading.read(_CHUNK):
                digest.update(chunk)
                writing.write(chunk)
            writing.flush()
            os.fsync(writing.fileno())
    except FileNotFoundError as error:
        raise ConfigError(f"{source}: is missing; the backup is damaged") from error
    return digest.hexdigest()


def _inside(file: str) -> Path:
    """A path of a manifest, which must not lead out of its directory."""
    path = Path(file)
    if path.is_absolute() or ".." in path.parts:
        raise ConfigError(f"{MANIFEST}: {file!r} is no path inside of a backup")
    return path


def _data_path(client: Any, database: str, table: str) -> str:
    query = f"SELECT data_paths[1] FROM system.tables WHERE database = '{database}' AND name = '{table}'"
    with driver_errors_translated():
        rows = client.query(query).result_rows
    if not rows:
        raise ConfigError(f"table {table} is not one of this version; the backup is of another product")
    return str(rows[0][0])


def _place(part: Path) -> tuple[str, int]:
    """By partition, and by the number of the first block in it: PARTITION_FIRST_LAST_LEVEL."""
    partition, first, *_ = part.name.rsplit("_", 3) if part.name.count("_") >= 3 else (part.name, "0")
    return partition, int(first) if first.isdigit() else 0


def _checksum(files: dict[str, str]) -> str:
    return _hash_of(files)


def _hash_of(texts: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(texts, sort_keys=True).encode()).hexdigest()


def _write_last(path: Path, text: str) -> None:
    beside = path.with_suffix(".tmp")
    with beside.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    with contextlib.suppress(OSError):
        os.fsync(descriptor)
    os.close(descriptor)


def _clear(directory: Path, made: bool) -> None:
    """Leave nothing in it; nor it, where it was not there before."""
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    if made:
        directory.rmdir()
