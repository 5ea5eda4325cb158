"""The address of a ClickHouse server: what the driver takes from it, and what may be shown of it.

Must never put a password, or a piece of an address that can't be taken apart, into a message.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from processor.errors import ConfigError

_OPTION = "exporters.clickhouse.dsn"


def server_options(dsn: str, database: str) -> dict[str, Any]:
    """Arguments of `clickhouse_connect.get_client` for `http(s)://user:password@host:port/database?option=value`.

    The driver would take the scheme for decoration, and speak without TLS to `https://host:9443`; and it would fail on
    a database in the path that is still to be created.
    Errors: `ConfigError` for what is no such address, and for another database in it than `database`.
    """
    parts = _parts(dsn)
    named = unquote(parts.path.strip("/")) or parse_qs(parts.query).get("database", [""])[0]
    if named and named != database:
        raise ConfigError(
            f"{_OPTION}: names the database {named!r}, and exporters.clickhouse.database is {database!r}; "
            "leave it out of the dsn"
        )
    options = "&".join(option for option in parts.query.split("&") if not option.startswith("database="))
    return {"dsn": parts._replace(path="", query=options).geturl(), "interface": parts.scheme}


def without_password(dsn: str) -> str:
    """`http(s)://host:port`: all of an address that may be shown."""
    parts = _parts(dsn)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def option_names(dsn: str) -> list[str]:
    """What stands after the question mark, without the values."""
    return sorted(parse_qs(_parts(dsn).query, keep_blank_values=True))


def _parts(dsn: str) -> SplitResult:
    try:
        parts = urlsplit(dsn)
        is_address = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_address = False
    if not is_address:
        # Not from the error, which quotes what may be half a password.
        raise ConfigError(
            f"{_OPTION}: not http(s)://user:password@host:port; characters like / : @ # of a password are written as "
            "%2F %3A %40 %23"
        ) from None
    return parts
