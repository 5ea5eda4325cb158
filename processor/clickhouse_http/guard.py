"""What a reader may ask for: statements, tables and functions.

The engine runs a reader's query with `readonly = 1`, and that alone refuses writing. It does not refuse all that leaves
the store: the function `file`, `DESCRIBE url(...)`, `INTO OUTFILE`, `KILL QUERY` and settings of a subquery pass, and
tables of `system` tell about other queries and the machine. So the words of the statement are judged here, before.
A list says what may be used; only of functions, of which there are two thousand, it says what may not.
Must never see another text than the one that runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from processor.clickhouse_http.errors import ACCESS_DENIED, READONLY, SYNTAX_ERROR, QueryError
from processor.clickhouse_http.statement import Kind, Token, begins_settings

READING: Final = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "EXISTS", "EXPLAIN"})
"""First words of statements that have a result."""

HARMLESS: Final = frozenset({"USE", "SET"})  # of the query's own handle; the engine refuses to SET anything
_SYSTEM: Final = "system"
FILES: Final = "default"
"""The database in which chDB takes any table name for a path. The engine refuses to read, but tells what is there."""

_AFTER_SETTINGS: Final = ("ORDER", "LIMIT", "FORMAT", "SETTINGS")
_SYSTEM_TABLES_TEXT: Final = """
    aggregate_function_combinators clusters codecs collations columns completions constraints contributors
    current_roles data_skipping_index_types data_skipping_indices data_type_families database_engines databases
    dictionaries dictionary_layouts dictionary_sources documentation enabled_roles formats functions
    graphite_retentions keywords licenses merge_tree_settings merges mutations numbers numbers_mt one parts
    parts_columns primes privileges projection_parts projections replicas replicated_merge_tree_settings
    settings statements table_engines table_functions tables time_zones tokenizers unicode view_refreshes
    zeros zeros_mt
"""
SYSTEM_TABLES: Final = frozenset(_SYSTEM_TABLES_TEXT.split())
"""What tools look up. Not among them: queries of others, logs, server settings, disks, threads, credentials."""

_TABLE_FUNCTIONS_TEXT: Final = """
    numbers numbers_mt zeros zeros_mt primes generateseries generate_series generaterandom values null view
"""
TABLE_FUNCTIONS: Final = frozenset(_TABLE_FUNCTIONS_TEXT.split())
"""Table functions that make rows out of their arguments, in small letters."""

_FUNCTIONS_DENIED_TEXT: Final = """
    file filesystemavailable filesystemcapacity filesystemunreserved showcertificate getserversetting
    getoskernelversion getmacro getserverport tcpport serveruuid buildid icebergtruncate icebergbucket
    addresstoline addresstolinewithinlines addresstosymbol demangle logtrace tid zookeepersessionuptime
    generateserialid getclienthttpheader catboostevaluate modelevaluate evalmlmethod hasthreadfuzzer
    reversednsquery regiontoname joinget joingetornull fuzzquery hascolumnintable
"""
FUNCTIONS_DENIED: Final = frozenset(_FUNCTIONS_DENIED_TEXT.split())
"""Functions that read files, the network or the machine, in small letters."""

_AI: Final = ("aiclassify", "aiembed", "aiextract", "aifilter", "aigenerate", "airedact", "aisimilarity", "aitranslate")
_SAME_NAME: Final = frozenset({"format"})  # a plain function; the engine refuses the table function of that name


@dataclass(frozen=True, slots=True)
class Guard:
    """Judges statements. What it holds is all that the engine has; table functions and tables in small letters."""

    table_functions: frozenset[str]
    system_tables: frozenset[str]
    settings: frozenset[str]

    def check(self, words: Sequence[Token], database: str) -> None:
        """Let a statement pass that only reads, of what may be read. `database` is where unqualified names are.

        Errors: `QueryError` 164 for what writes, 497 for what is closed to readers, 62 for nothing at all.
        """
        if not words:
            raise QueryError(SYNTAX_ERROR, "Empty query")
        self._check_statement(words)
        in_system = database.lower() == _SYSTEM
        for at, word in enumerate(words):
            if not word.is_identifier:
                continue
            before = words[at - 1] if at else None
            after = words[at + 1] if at + 1 < len(words) else None
            _check_clause(word, after)
            # The engine holds only the statement's own settings to its readonly, not those in parentheses.
            if word.depth > 0 and begins_settings(words, at, self.settings):
                what = words[at + 1].text
                raise QueryError(READONLY, f"Cannot modify '{what}' setting in readonly mode: a subquery has none")
            self._check_function(word.text.lower(), before, after)
            if database != FILES:
                _check_files(word, after)
            self._check_system_table(words, at, in_system)

    def _check_statement(self, words: Sequence[Token]) -> None:
        first = next((word for word in words if not word.is_mark("(")), words[0])
        if not first.is_word(*READING, *HARMLESS):
            raise QueryError(READONLY, "default: Cannot execute query in readonly mode.")
        second = words[1] if len(words) > 1 else first
        if first.is_word("SHOW") and second.is_word("PROCESSLIST"):
            raise _closed("SELECT ON system.processes")
        if first.is_word("DESCRIBE"):
            self._check_described(words)

    def _check_described(self, words: Sequence[Token]) -> None:
        # To describe a table function, the engine opens what it names before it asks for a right to.
        names = [word for word in words[1:] if not word.is_word("TABLE")]
        is_call = len(names) > 1 and names[0].is_identifier and names[1].is_mark("(")
        if is_call and names[0].text.lower() not in TABLE_FUNCTIONS:
            raise _closed(f"the table function {names[0].text}")

    def _check_function(self, name: str, before: Token | None, after: Token | None) -> None:
        is_called = after is not None and after.is_mark("(")
        is_table_function = name in self.table_functions and name not in TABLE_FUNCTIONS | _SAME_NAME
        if is_called and is_table_function:
            raise _closed(f"the table function {name}")
        # A function is also named without being called: `arrayMap(file, ...)`, `APPLY file`.
        is_name_only = before is not None and (before.is_mark(".") or before.is_word("AS")) and not is_called
        if not is_name_only and (name in FUNCTIONS_DENIED or name.startswith(_AI)):
            raise _closed(f"the function {name} (a column or alias of that name can't be used here)")

    def _check_system_table(self, words: Sequence[Token], at: int, in_system: bool) -> None:
        word = words[at]
        names = [other for other in words[at + 1 : at + 3] if not other.is_mark(".")]
        if word.text.lower() == _SYSTEM and names and names[0].is_identifier and len(names) < 3:
            table = names[0].text
            if table.lower() in self.system_tables and table not in SYSTEM_TABLES:
                raise _closed(f"SELECT ON system.{table}")
        if in_system and word.text.lower() in self.system_tables and word.text not in SYSTEM_TABLES:
            raise _closed(f"SELECT ON system.{word.text}")


def lists_settings(words: Sequence[Token]) -> bool:
    """Whether this is how drivers ask which settings they may change: a plain listing of `system.settings`.

    With `readonly = 1` the engine would say "none", and they would send none. `readonly = 2` opens what reads files, so
    the statement must be too poor to name anything else: no parenthesis, no second table, nothing after this one but
    an order, a limit and a format.
    """
    froms = [at for at, word in enumerate(words) if word.is_word("FROM")]
    if len(froms) != 1 or any(word.is_mark("(") or word.is_word("IN", "APPLY", "UNION") for word in words):
        return False
    table, after = words[froms[0] + 1 : froms[0] + 4], words[froms[0] + 4 :]
    is_settings = [word.text for word in table] == [_SYSTEM, ".", "settings"]
    return words[0].is_word("SELECT") and is_settings and (not after or after[0].is_word(*_AFTER_SETTINGS))


def _check_clause(word: Token, after: Token | None) -> None:
    if after is not None and word.is_word("INTO") and after.is_word("OUTFILE"):
        raise QueryError(READONLY, "default: Cannot execute query in readonly mode: INTO OUTFILE writes a file")
    if after is not None and word.is_word("PARALLEL") and after.is_word("WITH"):
        raise QueryError(READONLY, "default: Cannot execute query in readonly mode: PARALLEL WITH is not a query")


def _check_files(word: Token, after: Token | None) -> None:
    # Two names beside each other are those of one parameter: `{table:Identifier}`.
    if word.text.lower() == FILES and after is not None and (after.is_mark(".") or after.kind is Kind.NAME):
        raise _closed(f"SELECT ON {FILES}.*")


def _closed(what: str) -> QueryError:
    return QueryError(
        ACCESS_DENIED,
        f"default: Not enough privileges. To execute this query, it's necessary to have the grant {what}; this "
        "interface only reads the tables of the store",
    )
