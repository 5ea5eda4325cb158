"""What a reader's request runs: one statement that only reads, of what may be read, with settings that it may set.

What runs is the statement as the engine has written it anew, so that what `guard` has judged is what runs.
"""

from __future__ import annotations

from typing import Any, Final

from processor.clickhouse_http.engine import Engine
from processor.clickhouse_http.errors import READONLY, SYNTAX_ERROR, QueryError, engine_error
from processor.clickhouse_http.formats import DEFAULT
from processor.clickhouse_http.guard import HARMLESS, READING, lists_settings
from processor.clickhouse_http.plan import Plan
from processor.clickhouse_http.request import Request
from processor.clickhouse_http.settings import reader_settings
from processor.clickhouse_http.statement import Token, format_clause, settings_of, tokens
from processor.clickhouse_http.tenancy import CLOSED
from processor.clickhouse_http.tenant_guard import check_format, check_tenant

_FORMATTED: Final = "SELECT formatQuerySingleLine({query:String})"
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})
_READONLY: Final = (READONLY, "default: Cannot execute query in readonly mode.")
_NOT_TEXT: Final = (SYNTAX_ERROR, "The query is not UTF-8 text")


def reading_plan(request: Request, database: str, engine: Engine, handle: Any, tenant: str | None = None) -> Plan:
    """Judge a reader's query. `database` is where unqualified names are; `handle` holds the engine's limits already.

    The plan of a `tenant` confines the handle to its rows; None sees all.

    Errors: `QueryError` of `Guard.check`, `check_tenant` and `reader_settings`, 62 for what is not one statement, 73
    for its format; whatever the engine raises.
    """
    sql = _formatted(_text(request.query), handle)
    words = tokens(sql, request.parameters)
    engine.guard.check(words, database)
    if not (_only_reads(sql, handle) or _begins_with(words, *HARMLESS)):
        raise QueryError(*_READONLY)
    wanted = {**request.settings, **settings_of(words, engine.settings)}
    if tenant is not None:
        check_tenant(words, database, engine.tenancy)
    name, at = format_clause(words) or (request.default_format or DEFAULT, len(sql))
    format_name = engine.formats.named(name)
    if tenant is not None:
        check_format(format_name)
    return Plan(
        _bytes(sql),
        format_name,
        has_result=_begins_with(words, *READING),
        output_at=len(_bytes(sql[:at])) if _begins_with(words, "SELECT", "WITH") else -1,
        settings=reader_settings(wanted, engine.settings, engine.config, frozenset() if tenant is None else CLOSED),
        confining="" if tenant is None else engine.tenancy.statement(tenant),
        readonly=2 if lists_settings(words) else 1,
    )


def _text(query: bytes) -> str:
    try:
        return query.decode()
    except UnicodeDecodeError:
        # Of a binary INSERT, the driver expects to hear what is wrong with it.
        raise QueryError(*(_READONLY if query.lstrip()[:6].upper() == b"INSERT" else _NOT_TEXT)) from None


def _formatted(text: str, handle: Any) -> str:
    """The statement as the engine understands it; exactly one."""
    parameters = {"query": text.translate(_ESCAPES)}
    try:
        return str(handle.query(_FORMATTED, "RawBLOB", params=parameters).bytes(), "utf-8", "surrogateescape")
    except Exception as error:
        told = engine_error(error)
        told.text = told.text.partition(": In scope SELECT formatQuery")[0]
        raise told from error


def _only_reads(sql: str, handle: Any) -> bool:
    """What the engine itself says of a statement."""
    report = handle._conn.classify_query(_bytes(sql))
    return bool(report["query_class"].name == "READ_ONLY" and report["statement_count"] == 1)


def _begins_with(words: list[Token], *keywords: str) -> bool:
    first = next((word for word in words if not word.is_mark("(")), None)
    return first is not None and first.is_word(*keywords)


def _bytes(sql: str) -> bytes:
    return sql.encode("utf-8", "surrogateescape")
