"""What a request runs that may do everything. For the writable mode of the tests only.

The statement runs as it came, and is never decoded or taken apart into words: store clients send lists of keys and
files of rows, megabytes of either.
"""

from __future__ import annotations

import re
from typing import Any, Final

from processor.clickhouse_http.errors import SYNTAX_ERROR, QueryError
from processor.clickhouse_http.formats import DEFAULT, Formats
from processor.clickhouse_http.guard import READING
from processor.clickhouse_http.plan import Plan
from processor.clickhouse_http.request import Request

_INSERT: Final = re.compile(
    rb"""\s*(?P<into>INSERT\s+INTO\s+(?:TABLE\s+)?(?:`[^`]*`|[\w.])+\s*(?:\([^()]*\))?)
         \s*(?P<settings>SETTINGS\s[^\n]*?)?
         \s*FORMAT\s+(?P<format>\w+)[ \t]*;?(?:\r?\n|\s|$)""",
    re.VERBOSE | re.IGNORECASE,
)
_VALUES: Final = "values"
_FIRST_WORD: Final = re.compile(rb"(?:[\s(]|--[^\n]*\n|/\*.*?\*/)*(\w+)", re.DOTALL)
_FORMAT_CLAUSE: Final = re.compile(rb"\sFORMAT\s+(\w+)(?:\s+SETTINGS\s[^'`\"]*)?$", re.IGNORECASE)
_CLAUSES_BYTES_MAX: Final = 4_096
_DESCRIBE: Final = {"DESC": "DESCRIBE"}


def writing_plan(request: Request, formats: Formats, handle: Any) -> Plan:
    """Find out what a query is and where its data or its FORMAT stands.

    Errors: `QueryError` 62 for nothing and for several statements, 73 for a format.
    """
    if (insert := split_insert(request.query)) is not None:
        return insert
    sql = request.query.rstrip(b"; \t\r\n")
    first = _FIRST_WORD.match(sql)
    if first is None:
        raise QueryError(SYNTAX_ERROR, "Empty query")
    if handle._conn.classify_query(sql)["statement_count"] > 1:
        raise QueryError(SYNTAX_ERROR, "Multi-statements are not allowed")
    keyword = first.group(1).decode("latin-1").upper()
    clause = _FORMAT_CLAUSE.search(sql, max(0, len(sql) - _CLAUSES_BYTES_MAX))
    name = clause.group(1).decode() if clause else request.default_format or DEFAULT
    return Plan(
        sql,
        formats.named(name),
        has_result=_DESCRIBE.get(keyword, keyword) in READING,
        output_at=-1 if keyword not in ("SELECT", "WITH") else clause.start() if clause else len(sql),
    )


def split_insert(query: bytes) -> Plan | None:
    """An INSERT with its data behind it, taken apart; None for everything else.

    `INSERT ... VALUES (...)` and `INSERT ... SELECT` are whole statements, which the engine takes as they are.
    """
    found = _INSERT.match(query)
    if found is None or found.group("format").decode().lower() == _VALUES:
        return None
    statement = found.group("into") + b" " + (found.group("settings") or b"")
    return Plan(statement.strip(), found.group("format").decode(), data=query[found.end() :])
