"""What the numbered SQL files say: one statement a file, and the tables that they add up to.

Must never touch a database. It reads SQL as the files are written, not SQL: one `CREATE TABLE IF NOT EXISTS`,
`CREATE OR REPLACE VIEW` or `ALTER TABLE … ADD COLUMN IF NOT EXISTS` each, types and keys spelled as the engine shows
them in `system.columns` and `system.tables`. A file that is anything else is our mistake, and an assertion.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import resources
from typing import Final

_FILE: Final = re.compile(r"(\d{3})_\w+\.sql")
_STATEMENT: Final = re.compile(
    r"(?P<what>CREATE TABLE IF NOT EXISTS|CREATE OR REPLACE VIEW|ALTER TABLE) \{database\}\.(?P<table>\w+)\s"
)
_AFTER_TYPE: Final = re.compile(r" (DEFAULT|MATERIALIZED|ALIAS|CODEC)\b")
_ADDED: Final = re.compile(r"ADD COLUMN IF NOT EXISTS (.+)")
_NESTED: Final = re.compile(r"Nested ?\((.*)\)")
_STORAGE: Final = re.compile(
    r"ENGINE = (?P<engine>\w+)(?:\((?P<version>\w+)\))?(?: PARTITION BY (?P<partition>.+?))?"
    r"(?: PRIMARY KEY (?P<primary>.+?))? ORDER BY (?P<sorting>.+?)(?: (?:TTL|SETTINGS) .*)?"
)
_CHECKSUM_CHARS: Final = 16


@dataclass(frozen=True, slots=True)
class Column:
    """A column as `system.columns` shows it; `kind` is '', DEFAULT, MATERIALIZED or ALIAS."""

    name: str
    type: str
    kind: str

    @property
    def definition(self) -> str:
        """Type and kind, as a message shows them."""
        return f"{self.type} {self.kind}".rstrip()


@dataclass(frozen=True, slots=True)
class Table:
    """A table as `system.tables` shows it on a single server; `version` is the engine's version column or ''."""

    name: str
    columns: tuple[Column, ...]
    engine: str
    version: str
    partition_key: str
    primary_key: str
    sorting_key: str


@dataclass(frozen=True, slots=True)
class View:
    """A view; `select` still has `{database}` in it."""

    name: str
    select: str


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `sql` still has `{database}` in it; `table` is what it creates or alters."""

    version: int
    name: str
    sql: str

    @property
    def table(self) -> str:
        """The table or view that the file is about."""
        return self._statement["table"]

    @property
    def creates(self) -> bool:
        """Whether the table is there because of this file; else the file alters it."""
        return self._statement["what"].startswith("CREATE")

    @property
    def is_view(self) -> bool:
        """Whether it is about a view."""
        return self._statement["what"].endswith("VIEW")

    @property
    def checksum(self) -> str:
        """A digest of what the file does: comments and line breaks may be edited, nothing else."""
        return hashlib.sha256(self.words.encode()).hexdigest()[:_CHECKSUM_CHARS]

    @property
    def words(self) -> str:
        """The statement on one line, without comments."""
        lines = (line for line in self.sql.splitlines() if not line.lstrip().startswith("--"))
        return " ".join(" ".join(lines).split())

    @property
    def _statement(self) -> re.Match[str]:
        statement = _STATEMENT.match(self.words)
        assert statement is not None, f"{self.name}: not one of the statements that migrations are made of"
        return statement


def read_migrations() -> list[Migration]:
    """Every file of `store/sql`, in order."""
    files = sorted(resources.files("processor.store").joinpath("sql").iterdir(), key=lambda file: file.name)
    named = [(_FILE.fullmatch(file.name), file) for file in files if file.name.endswith(".sql")]
    migrations = []
    for name, file in named:
        assert name is not None, f"{file.name}: files are called 001_name.sql"
        migrations.append(Migration(int(name[1]), file.name, file.read_text(encoding="utf-8").strip()))
    assert len({migration.version for migration in migrations}) == len(migrations), "two files bear one number"
    return migrations


def described(migrations: Iterable[Migration]) -> dict[str, Table | View]:
    """The tables and views by name, once all of the files are applied in order."""
    found: dict[str, Table | View] = {}
    for migration in migrations:
        if migration.is_view:
            found[migration.table] = View(migration.table, migration.words.partition(" AS ")[2])
        elif migration.creates:
            found[migration.table] = _table(migration)
        else:
            found[migration.table] = _altered(found[migration.table], migration)
    return found


def _table(migration: Migration) -> Table:
    before, _, body = migration.words.partition(" (")
    assert before.endswith(migration.table), f"{migration.name}: no list of columns"
    columns, storage = _closed(body)
    parts = _STORAGE.fullmatch(storage.strip())
    assert parts is not None, f"{migration.name}: {storage!r} is not how tables end here"
    sorting = _bare(parts["sorting"])
    return Table(
        name=migration.table,
        columns=tuple(_columns(columns)),
        engine=parts["engine"],
        version=parts["version"] or "",
        partition_key=_bare(parts["partition"] or ""),
        primary_key=_bare(parts["primary"]) if parts["primary"] else sorting,
        sorting_key=sorting,
    )


def _altered(table: Table | View, migration: Migration) -> Table:
    assert isinstance(table, Table), f"{migration.name}: alters a view"
    clauses = migration.words.partition(f".{migration.table} ")[2]
    columns = list(table.columns)
    for clause in _split(clauses):
        added = _ADDED.fullmatch(clause)
        assert added is not None, f"{migration.name}: only ADD COLUMN IF NOT EXISTS is understood"
        columns += _columns(added[1])
    return replace(table, columns=tuple(columns))


def _columns(text: str) -> Iterator[Column]:
    for item in _split(text):
        name, _, rest = item.partition(" ")
        if name in ("INDEX", "PROJECTION"):
            continue
        after = _AFTER_TYPE.search(rest)
        kind = after[1] if after and after[1] != "CODEC" else ""
        of_type = rest[: after.start()] if after else rest
        nested = _NESTED.fullmatch(of_type)
        if nested is None:
            yield Column(name, of_type, kind)
            continue
        for inner in _split(nested[1].strip()):
            inner_name, _, inner_type = inner.partition(" ")
            yield Column(f"{name}.{inner_name}", f"Array({inner_type})", kind)


def _closed(text: str) -> tuple[str, str]:
    """What stands before the parenthesis that closes `text`, and what stands after it."""
    depth = 1
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if not depth:
            return text[:at].strip(), text[at + 1 :]
    raise AssertionError("a parenthesis is not closed")


def _split(text: str) -> list[str]:
    """At the commas outside of parentheses."""
    items, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            items.append("")
        else:
            items[-1] += character
    return [item.strip() for item in items]


def _bare(key: str) -> str:
    return key[1:-1] if key.startswith("(") and key.endswith(")") else key
