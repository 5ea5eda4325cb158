"""Addresses of servers: what reaches the driver, and that a password never reaches a message."""

from __future__ import annotations

import pytest

from processor.errors import ConfigError
from processor.store.dsn import option_names, server_options, without_password

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("dsn", "passed"),
    [
        ("http://db:8123", {"dsn": "http://db:8123", "interface": "http"}),
        ("https://u:p%40ss@db:9443/", {"dsn": "https://u:p%40ss@db:9443", "interface": "https"}),
        ("http://u:p@db/otel?compress=zstd", {"dsn": "http://u:p@db?compress=zstd", "interface": "http"}),
        ("https://db?database=otel&verify=false", {"dsn": "https://db?verify=false", "interface": "https"}),
    ],
)
def test_the_scheme_says_whether_it_is_tls_and_the_database_may_be_created(dsn: str, passed: dict[str, str]) -> None:
    """The driver would go by the port, and would open a database that is not there yet."""
    assert server_options(dsn, "otel") == passed


@pytest.mark.parametrize("dsn", [f"http://u:{SECRET}@db/other", f"http://db?password={SECRET}&database=other"])
def test_two_names_of_the_database_are_refused(dsn: str) -> None:
    """Else rows go where the reader of the other line does not look."""
    with pytest.raises(ConfigError, match=r"'other'.*'otel'") as raised:
        server_options(dsn, "otel")
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("dsn", [f"http://u:{SECRET}/x@db:8123", f"http://u:{SECRET}#@db", "http://", "http://db:0"])
def test_an_address_that_falls_apart_is_not_quoted(dsn: str) -> None:
    """Half a password may stand where the port should."""
    with pytest.raises(ConfigError, match="written as") as raised:
        server_options(dsn, "otel")
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None


def test_what_may_be_shown_of_an_address() -> None:
    """Scheme, host and port; of options the names."""
    dsn = f"https://user:{SECRET}@db:8443/otel?password={SECRET}&verify=false"
    assert without_password(dsn) == "https://db:8443"
    assert option_names(dsn) == ["password", "verify"]
