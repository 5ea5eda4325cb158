"""What a reader of one tenant may ask for, beyond what `guard` says of every reader.

Filters (`tenancy`) keep rows of others out of a result. What is refused here would tell of them otherwise: conditions
that the engine computes before a filter, how much it has stored and read, dictionaries that rows share.
Must never see another text than the one that runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from processor.clickhouse_http.errors import ACCESS_DENIED, QueryError
from processor.clickhouse_http.statement import Kind, Token
from processor.clickhouse_http.tenancy import INFORMATION_SCHEMA, SYSTEM, SYSTEM_TABLES, Tenancy

CLAUSES: Final = frozenset({"PREWHERE", "SAMPLE", "STREAM"})
"""Clauses that are read before, or beside, a filter."""

SHOWN: Final = frozenset({"TABLES", "DATABASES", "CREATE", "COLUMNS", "FUNCTIONS", "SETTINGS", "SETTING", "ENGINES"})
EXPLAINED: Final = frozenset({"AST", "SYNTAX", "QUERY"})
"""What SHOW and EXPLAIN may be followed by; plans and estimates count parts and granules of everybody."""

_FUNCTIONS_TEXT: Final = """
    lowcardinalitykeys lowcardinalityindices dumpcolumnstructure blocksize blockserializedsize bytesize
    partitionid mergetreepartinfo
"""
FUNCTIONS: Final = frozenset(_FUNCTIONS_TEXT.split())
"""Functions that show how rows lie beside each other, in small letters."""

_VIRTUAL_TEXT: Final = """
    _part _part_index _part_starting_offset _part_uuid _partition_id _partition_value _sample_factor _part_offset
    _part_granule_offset _part_data_version _disk_name _distance _row_exists _block_number _block_offset
"""
VIRTUAL_COLUMNS: Final = frozenset(_VIRTUAL_TEXT.split())
"""Columns that every table has; conditions on them are judged for parts, before any row is read."""

_SIZES_TEXT: Final = """
    total_rows total_bytes total_bytes_uncompressed parts active_parts total_marks active_on_fly_data_mutations
    active_on_fly_alter_mutations active_on_fly_metadata_mutations lifetime_rows lifetime_bytes
    columns_descriptions_cache_size metadata_modification_time metadata_path data_path data_paths storage_policy
    data_compressed_bytes data_uncompressed_bytes marks_bytes serialization_hint statistics
    table_rows data_length index_length avg_row_length max_data_length data_free auto_increment create_time
    update_time check_time checksum cardinality
"""
SIZES: Final = frozenset(_SIZES_TEXT.split())
"""Columns of the tables about tables that say how much is stored, and where, in small letters."""

_ABOUT_TABLES: Final = frozenset({"tables", "columns", "databases", "statistics"})
_CATALOGUES: Final = frozenset({SYSTEM, INFORMATION_SCHEMA})


def check_tenant(words: Sequence[Token], database: str, tenancy: Tenancy) -> None:
    """Let a statement pass that `Guard.check` has passed, if filters are enough to confine it to a tenant.

    Errors: `QueryError` 497.
    """
    _check_kind(words)
    if database in tenancy.other_databases:
        raise _closed(f"the database {database}")
    for word, after in zip(words, [*words[1:], None], strict=True):
        if word.is_word(*CLAUSES):
            raise _closed(f"{word.text} (use WHERE)")
        if not word.is_identifier:
            continue
        _check_name(word.text, tenancy.filtered)
        is_qualifier = after is not None and (after.is_mark(".") or after.kind is Kind.NAME)
        if is_qualifier and word.text in tenancy.other_databases:
            raise _closed(f"the database {word.text}")
    _check_system(words, database)


def check_format(name: str) -> None:
    """Refuse formats that tell of what was read meanwhile.

    Errors: `QueryError` 497.
    """
    if name.endswith("WithProgress"):
        raise _closed(f"the format {name} (use {name.removesuffix('WithProgress')})")


def _check_kind(words: Sequence[Token]) -> None:
    first, rest = words[0], words[1:]
    if any(word.is_word("EXPLAIN") for word in rest):
        raise _closed("EXPLAIN inside of a statement")
    if first.is_word("EXPLAIN") and not (rest and rest[0].is_word(*EXPLAINED)):
        raise _closed(f"EXPLAIN of plans (open are {', '.join(sorted(EXPLAINED))})")
    what = next((word for word in rest if not word.is_word("FULL", "EXTENDED")), None)
    if first.is_word("SHOW") and not (what and what.is_word(*SHOWN)):
        raise _closed(f"this SHOW (open are {', '.join(sorted(SHOWN))})")


def _check_name(name: str, filtered: frozenset[str]) -> None:
    if name in VIRTUAL_COLUMNS:
        raise _closed(f"the column {name}")
    if name.lower() in FUNCTIONS:
        raise _closed(f"the function {name}")
    # Filters go by alias, too: a table must not pass for another one.
    if name in filtered:
        raise _closed(f"a name like {name!r}; choose another alias")


def _check_system(words: Sequence[Token], database: str) -> None:
    names = {word.text.lower() for word in words if word.is_identifier}
    named = (names | {database.lower()}) & _CATALOGUES
    if not named:
        return
    in_system = database.lower() == SYSTEM
    for at, word in enumerate(words):
        if word.is_identifier and word.text.lower() == SYSTEM:
            following = [other for other in words[at + 1 : at + 3] if not other.is_mark(".")]
            if len(following) < 2 and following and following[0].text not in SYSTEM_TABLES:
                raise _closed(f"SELECT ON system.{following[0].text}")
    if not (names & _ABOUT_TABLES) or words[0].is_word("SHOW", "DESCRIBE", "EXISTS"):
        return
    for word in words:
        if word.is_mark("*") or word.is_word("COLUMNS"):
            raise _closed("all columns of a table about tables; name those you want, without any *")
        if word.is_identifier and word.text.lower() in SIZES:
            where = SYSTEM if in_system else "/".join(sorted(named))
            raise _closed(f"the column {word.text} of {where}")


def _closed(what: str) -> QueryError:
    return QueryError(
        ACCESS_DENIED,
        f"default: Not enough privileges. This interface shows each tenant its own rows alone, and is closed to {what}",
    )
