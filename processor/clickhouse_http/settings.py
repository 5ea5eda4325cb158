"""Which settings a reader may change, by URL or in the SQL, and how far.

Everything is closed but what shapes the result or makes the query do less. Limits may be lowered, never raised or
lifted. The engine then holds a query to what was set: with `readonly = 1` it refuses every other change (error 164).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from processor.clickhouse_http.config import ClickHouseHttpConfig
from processor.clickhouse_http.errors import (
    BAD_ARGUMENTS,
    READONLY,
    SETTING_CONSTRAINT_VIOLATION,
    UNKNOWN_SETTING,
    QueryError,
)

_OPEN_TEXT: Final = """
    date_time_output_format date_time_input_format cast_string_to_dynamic_use_inference
    session_timezone format_csv_delimiter
    format_csv_null_representation format_tsv_null_representation format_custom_field_delimiter
    format_custom_row_before_delimiter format_custom_row_after_delimiter format_custom_row_between_delimiter
    format_custom_result_before_delimiter format_custom_result_after_delimiter format_custom_escaping_rule
    bool_true_representation bool_false_representation extremes totals_mode totals_auto_threshold final
    limit offset join_use_nulls join_algorithm join_default_strictness any_join_distinct_right_table_keys
    joined_subquery_requires_alias transform_null_in cast_keep_nullable count_distinct_implementation
    aggregate_functions_null_for_empty prefer_column_name_to_alias result_overflow_mode timeout_overflow_mode
    read_overflow_mode group_by_overflow_mode sort_overflow_mode distinct_overflow_mode set_overflow_mode
    join_overflow_mode transfer_overflow_mode max_rows_to_read max_bytes_to_read max_rows_to_read_leaf
    max_bytes_to_read_leaf max_rows_to_group_by max_rows_to_sort max_bytes_to_sort max_rows_in_distinct
    max_bytes_in_distinct max_rows_in_set max_bytes_in_set max_rows_in_join max_bytes_in_join
    max_columns_to_read max_temporary_columns max_temporary_non_const_columns min_execution_speed
    force_primary_key force_index_by_date select_sequential_consistency async_insert wait_for_async_insert
    partial_result_on_first_cancel use_skip_indexes use_query_condition_cache optimize_read_in_order
    optimize_aggregation_in_order optimize_move_to_prewhere priority workload
    cross_to_inner_join_rewrite low_cardinality_allow_in_native_format
"""
_OPEN: Final = frozenset(_OPEN_TEXT.split())
_OPEN_PREFIX: Final = "output_format_"
_CLOSED: Final = frozenset({"output_format_schema"})  # a path that the engine writes to
QUERY_BYTES_MAX: Final = 1_048_576
"""Bytes of one statement, parameters not counted."""

_CEILINGS: Final = {
    "max_threads": 64,
    "max_block_size": 65_536,
    "max_ast_depth": 1_000,
    "max_ast_elements": 50_000,
    "max_expanded_ast_elements": 500_000,
    "max_parser_depth": 1_000,
    "max_parser_backtracks": 1_000_000,
    "max_subquery_depth": 100,
}
"""The engine's own defaults, beyond which a query may exhaust the stack of the process."""

_UNBOUNDED_BY_AUTO: Final = "max_threads"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def limits(config: ClickHouseHttpConfig) -> dict[str, str]:
    """The engine's settings for the limits of every query."""
    return {
        "max_execution_time": str(config.max_execution_time_s),
        "max_result_rows": str(config.max_result_rows),
        "max_result_bytes": str(config.max_result_bytes),
        "max_memory_usage": str(config.query_memory_bytes_max),
        "max_query_size": str(QUERY_BYTES_MAX),
    }


def reader_settings(
    wanted: Mapping[str, str],
    known: frozenset[str],
    config: ClickHouseHttpConfig,
    closed: frozenset[str] = frozenset(),
) -> dict[str, str]:
    """The settings of a request as far as they are to be set; refuses what a reader may not set, and those `closed`.

    Errors: `QueryError` 115 for unknown names, 164 for `readonly`, 452 for what may not be changed or raised.
    """
    ceilings = {**_CEILINGS, **{name: float(value) for name, value in limits(config).items()}}
    chosen: dict[str, str] = {}
    for name, value in wanted.items():
        check_name(name, known)
        if name == "readonly":
            if value not in ("1", "2"):
                raise QueryError(READONLY, "Cannot modify 'readonly' setting in readonly mode.")
        elif name in ceilings:
            _check_ceiling(name, value, ceilings[name])
            chosen[name] = value
        elif name in _CLOSED | closed or not (name in _OPEN or name.startswith(_OPEN_PREFIX)):
            raise QueryError(SETTING_CONSTRAINT_VIOLATION, f"Setting {name} should not be changed")
        else:
            chosen[name] = value
    return chosen


def check_name(name: str, known: frozenset[str]) -> None:
    """Refuse what is no setting of the engine.

    Errors: `QueryError` 115.
    """
    if name not in known or not _NAME.fullmatch(name):
        raise QueryError(UNKNOWN_SETTING, f"Setting {name[:200]} is neither a builtin setting nor a custom one.")


def set_statement(settings: Mapping[str, str]) -> str:
    """One SET for all of them; names are checked before, values are quoted here."""
    pairs = ", ".join(f"{name} = '{escaped(value)}'" for name, value in settings.items())
    return f"SET {pairs}"


def _check_ceiling(name: str, value: str, ceiling: float) -> None:
    if name == _UNBOUNDED_BY_AUTO and value in ("0", "auto"):
        return
    try:
        number = float(value)
    except ValueError:
        raise QueryError(BAD_ARGUMENTS, f"Setting {name} must be a number") from None
    # 0 stands for "no limit"; NaN is above everything.
    if not 0 <= number <= (ceiling or number) or (ceiling and not number):
        raise QueryError(SETTING_CONSTRAINT_VIOLATION, f"Setting {name} shouldn't be greater than {ceiling:.0f}")


def escaped(value: str) -> str:
    """The inside of a string in single quotes."""
    return value.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "")
