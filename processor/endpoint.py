"""`host:port` as configuration writes it."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path

from processor.errors import ConfigError

DEFAULT_HOST = "OTEL_SESSIONS_DEFAULT_HOST"
"""The environment variable with the host of endpoints that configuration does not name."""

_PORT_MAX = 65_535
_LOOPBACK, _EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104 (in a container, whose network is its own)
_CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")  # Docker's, Podman's
_CONTAINER_VARIABLE = "KUBERNETES_SERVICE_HOST"


def default_endpoint(port: int) -> str:
    """Where a port is served that configuration says nothing about: by this host alone, in a container everywhere.

    A container has a network of its own, in which nobody could reach loopback; what is published is said outside of it.
    """
    return f"{default_host(os.environ, Path('/'))}:{port}"


def default_host(environment: Mapping[str, str], root: Path) -> str:
    """The host of `default_endpoint`; `root` is where the file system begins."""
    if host := environment.get(DEFAULT_HOST):
        return f"[{host}]" if ":" in host and not host.startswith("[") else host
    marks = (root / mark.lstrip("/") for mark in _CONTAINER_MARKS)
    contained = _CONTAINER_VARIABLE in environment or any(mark.exists() for mark in marks)
    return _EVERYWHERE if contained else _LOOPBACK


def is_loopback(endpoint: str) -> bool:
    """Whether only this host can reach an endpoint."""
    host, _ = parse_endpoint(endpoint)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
