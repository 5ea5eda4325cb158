"""Where ports listen by default, and what the operator is told of those that others can reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from processor.config import Config, read_config
from processor.endpoint import default_host, is_loopback
from processor.exposure import exposures

TOKENS = f"bearertokenauth: {{tokens: [{{tenant: a, permissions: [read], hash: 'sha256:{'0' * 64}'}}]}}"


def mark(root: Path, name: str) -> Path:
    """A file system with that file."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).touch()
    return root


def test_ports_that_nobody_names_are_this_hosts_alone_and_in_a_container_everybodys(tmp_path: Path) -> None:
    """A container is known by the marks of Docker, Podman and Kubernetes; a variable has the last word."""
    assert default_host({}, tmp_path) == "127.0.0.1"
    assert default_host({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, tmp_path) == "0.0.0.0"
    assert default_host({}, mark(tmp_path / "docker", ".dockerenv")) == "0.0.0.0"
    assert default_host({}, mark(tmp_path / "podman", "run/.containerenv")) == "0.0.0.0"
    assert default_host({"OTEL_SESSIONS_DEFAULT_HOST": "::1"}, tmp_path / "docker") == "[::1]"


@pytest.mark.parametrize("endpoint", ["127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1"])
def test_loopback_is_this_host(endpoint: str) -> None:
    """By any of its names."""
    assert is_loopback(endpoint)


@pytest.mark.parametrize("endpoint", [":1", "0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.com:1"])
def test_everything_else_is_not(endpoint: str) -> None:
    """A name that is not looked up may lead anywhere."""
    assert not is_loopback(endpoint)


def test_nothing_is_said_of_a_local_run() -> None:
    """Its ports are reached by nobody else."""
    assert list(exposures(Config())) == []


def told(text: str) -> dict[str, str]:
    """What is said of a configuration."""
    return dict(exposures(read_config(text, {})))


def test_an_open_port_without_authentication_is_named_with_what_anybody_may_do() -> None:
    """Each one, but the one that says whether the process lives."""
    found = told("""
    receivers: {otlp: {protocols: {grpc: {endpoint: ":1"}, http: {endpoint: ":2"}}}}
    extensions: {health_check: {endpoint: ":3"}, sessions_api: {endpoint: ":4"}, clickhouse_http: {endpoint: ":5"}}
    service: {telemetry: {metrics: {address: ":6"}}}
    """)
    assert found.keys() == {
        "receivers.otlp.protocols.grpc",
        "receivers.otlp.protocols.http",
        "extensions.sessions_api",
        "extensions.clickhouse_http",
        "service.telemetry.metrics",
    }
    assert "read and delete sessions" in found["extensions.sessions_api"]


def test_a_door_that_was_forgotten_is_named() -> None:
    """One port that asks for tokens, and others, served by default, that do not."""
    found = told(
        f"receivers: {{otlp: {{protocols: {{grpc: {{auth: }}}}}}}}\nextensions: {{clickhouse_http: , {TOKENS}}}"
    )
    assert found.keys() == {"extensions.clickhouse_http"}
    assert "read everything by SQL" in found["extensions.clickhouse_http"]


def test_a_token_in_plain_text_is_named_and_one_within_tls_is_not() -> None:
    """Who reads along has the token."""
    section = "extensions.sessions_api"
    assert "plain text" in told(f"extensions: {{sessions_api: {{endpoint: ':1', auth: }}, {TOKENS}}}")[section]
    tls = "tls: {cert_file: c, key_file: k}"
    assert section not in told(f"extensions: {{sessions_api: {{endpoint: ':1', auth: , {tls}}}, {TOKENS}}}")


def test_certificates_of_clients_are_authentication() -> None:
    """Nobody without one gets as far as a request."""
    tls = "tls: {cert_file: c, key_file: k, client_ca_file: a}"
    assert told(f"extensions: {{sessions_api: {{endpoint: ':1', {tls}}}}}") == {}
    assert told(f"service: {{telemetry: {{metrics: {{address: ':1', {tls}}}}}}}") == {}
