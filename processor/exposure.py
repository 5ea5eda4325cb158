"""What anybody on the network could do to a configuration's ports, as warnings for its operator. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from processor.config import Config
from processor.endpoint import is_loopback

_DOES = {
    "grpc": "send spans",
    "http": "send spans",
    "sessions_api": "read and delete sessions",
    "clickhouse_http": "read everything by SQL",
}
_TELLS_NOTHING = "health_check"  # whether the process lives is what it is there to say


def exposures(config: Config) -> Iterator[tuple[str, str]]:
    """Pairs of a section of the configuration and what is wrong with it.

    Of ports that other hosts can reach; and of any port that lets everybody in while others ask for tokens, which is
    easily forgotten of one that is served by default.
    """
    asks = any(port.auth is not None for port in config.ports)
    for port in config.ports:
        known = port.auth is not None or (port.tls is not None and bool(port.tls.client_ca_file))
        if asks and not known and port.name in _DOES:
            yield port.section, f"other ports ask for tokens, and here anybody may {_DOES[port.name]}; set auth"
            continue
        if is_loopback(port.endpoint) or port.name == _TELLS_NOTHING:
            continue
        if port.name == "metrics":
            if not known:
                yield port.section, "anybody who reaches the port may read the metrics; set tls.client_ca_file"
        elif not known:
            yield port.section, f"anybody who reaches the port may {_DOES[port.name]}; set auth, or tls.client_ca_file"
        if port.auth is not None and port.tls is None:
            yield port.section, "tokens travel in plain text; set tls, or let a proxy on this host speak it"
