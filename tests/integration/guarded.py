"""The real process with tokens of two tenants and TLS on every port, and what its callers need."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from processor.auth.tokens import hash_of, new_token
from tests.contract.authority import Authority
from tests.integration.process import TIMEOUT_S, Running, call

ACME, GLOBEX = "acme", "globex"
BOTH, READ, WRITE = "read, write", "read", "write"

CONFIG: Final = """
receivers:
  otlp:
    protocols:
      grpc: {endpoint: "127.0.0.1:0", tls: &tls {cert_file: CERT, key_file: KEY, reload_interval_s: 0.1}, auth: }
      http: {endpoint: "127.0.0.1:0", tls: *tls, auth: {authenticator: bearertokenauth}}
exporters: {clickhouse: {dsn: "chdb://${env:TEST_DATA}"}}
extensions:
  bearertokenauth: {filename: TOKENS, reload_interval_s: 0.1}
  health_check: {endpoint: "127.0.0.1:0", tls: *tls}
  sessions_api: {endpoint: "127.0.0.1:0", tls: *tls, auth: }
  clickhouse_http: {endpoint: "127.0.0.1:0", tls: *tls, auth: }
service: {telemetry: {metrics: {address: "127.0.0.1:0", tls: *tls}, logs: {encoding: json}}}
"""


class Guarded(Running):
    """`otel-sessions run` that wants to know who asks. `tokens` are by tenant and permissions, as BOTH and so on."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.certificate, key = self.authority.issue()
        self.tokens_file = folder / "tokens.yaml"
        self.tokens = {(tenant, what): new_token() for tenant in (ACME, GLOBEX) for what in (BOTH, READ, WRITE)}
        self.write_tokens(self.tokens)
        files = {"CERT": self.certificate, "KEY": key, "TOKENS": self.tokens_file}
        config = CONFIG
        for name, file in files.items():
            config = config.replace(name, str(file))
        super().__init__(folder, config)

    def write_tokens(self, tokens: Mapping[tuple[str, str], str]) -> None:
        """Put these into the file of tokens, and no others."""
        entries = [
            f"- {{tenant: {tenant}, permissions: [{what}], hash: '{hash_of(token)}'}}"
            for (tenant, what), token in tokens.items()
        ]
        self.tokens_file.write_text("\n".join(["tokens:", *entries, ""]))

    def url(self, component: str) -> str:
        """Where a component listens."""
        return super().url(component).replace("http://", "https://")

    def address(self, component: str) -> str:
        """The same as host:port."""
        return self.url(component).removeprefix("https://")

    @property
    def trust(self) -> ssl.SSLContext:
        """What a client trusts."""
        return self.authority.trust()

    def asking(self, component: str, token: str = "", headers: Mapping[str, str] | None = None) -> httpx.Client:
        """A client with a token, or without one."""
        shown = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(
            base_url=self.url(component), verify=self.trust, headers={**(headers or {}), **shown}, timeout=TIMEOUT_S
        )

    def send(self, tenant: str, signal: str, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
        """Send OTLP/JSON as a tenant; it must be taken whole."""
        with self.asking("http", self.tokens[tenant, WRITE], headers) as client:
            response = client.post(f"/v1/{signal}", json=body)
        assert (response.status_code, response.json()) == (200, {}), response.text

    def command(self, tenant: str, *arguments: str, what: str = READ) -> tuple[int, str]:
        """Run the command line as a tenant; its exit code, and all that it said."""
        file = self.config.parent / f"{tenant}-{what.replace(', ', '-')}.token"
        file.write_text(f"{self.tokens[tenant, what]}\n")
        shown = ("--url", self.url("sessions_api"), "--token-file", str(file), "--ca-file", str(self.authority.file))
        result = call(*arguments, *shown)
        return result.returncode, result.stdout + result.stderr
