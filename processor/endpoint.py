"""`host:port` as configuration writes it."""

from __future__ import annotations

from processor.errors import ConfigError

_PORT_MAX = 65_535


def parse_endpoint(endpoint: str) -> tuple[str, int]:
    """`host:port` as host and port; port 0 is any free one.

    The host of `:port` is every IPv4 interface; an IPv6 host stands in brackets.
    Errors: `ConfigError` for anything else.
    """
    host, colon, port = endpoint.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > _PORT_MAX:
        raise ConfigError(f"{endpoint!r} is no endpoint; write host:port, as in 127.0.0.1:4317")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ConfigError(f"{endpoint!r} is no endpoint; put an IPv6 address in brackets, as in [::1]:4317")
    return host or "0.0.0.0", int(port)  # noqa: S104 (asked for by leaving the host out, as in the Collector)


def cannot_listen(endpoint: str, option: str, why: str) -> str:
    """What to tell somebody whose endpoint can't be bound; `option` is the configuration key to change."""
    return (
        f"can't listen on {endpoint}: {why}; stop the process that uses the port, or set {option} to another endpoint"
    )
