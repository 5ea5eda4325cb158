"""TLS and SASL listeners of a broker for tests: keys made on the spot by Java's keytool, users known to both sides.

Nothing here protects anything: the passwords stand in this file.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.kafka.failure import BrokerError

SASL_PLAINTEXT: Final = "SASL_PLAINTEXT"
SASL_SSL: Final = "SASL_SSL"
SSL: Final = "SSL"
USER: Final = "receiver"
PASSWORD: Final = "receiver-secret"  # noqa: S105 (of a broker that lives as long as a test)

_STORE_PASSWORD: Final = "changeit"  # noqa: S105 (keytool's habit)
_KEYTOOL_S_MAX: Final = 60
_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True, slots=True)
class Security:
    """What a broker needs for three more listeners: `SSL` asks for a client certificate, the SASL ones for a user."""

    key_store: Path
    trust_store: Path
    ca_file: Path  # PEM, for clients: what to trust
    cert_file: Path  # PEM, a client's certificate
    key_file: Path  # PEM, its key
    listeners: tuple[str, ...] = (SSL, SASL_PLAINTEXT, SASL_SSL)

    def format_options(self) -> list[str]:
        """SCRAM users are part of the storage."""
        return [
            option
            for mechanism in _MECHANISMS
            if mechanism.startswith("SCRAM")
            for option in ("--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]")
        ]

    def properties(self) -> dict[str, str]:
        """Lines of `server.properties`."""
        properties = {
            "ssl.keystore.location": str(self.key_store),
            "ssl.keystore.password": _STORE_PASSWORD,
            "ssl.truststore.location": str(self.trust_store),
            "ssl.truststore.password": _STORE_PASSWORD,
            "listener.name.ssl.ssl.client.auth": "required",
            "sasl.enabled.mechanisms": ",".join(_MECHANISMS),
        }
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule"
        for listener in (SASL_PLAINTEXT, SASL_SSL):
            prefix = f"listener.name.{listener.lower()}"
            properties[f"{prefix}.plain.sasl.jaas.config"] = f'{plain} required user_{USER}="{PASSWORD}";'
            for mechanism in _MECHANISMS[1:]:
                properties[f"{prefix}.{mechanism.lower()}.sasl.jaas.config"] = f"{scram} required;"
        return properties


def make_security(directory: Path) -> Security:
    """Keys for a broker on loopback and for one client, both self-signed, in `directory`.

    Errors: `BrokerError` when keytool or openssl (for the client's key as PEM) fails or is missing.
    """
    security = Security(
        key_store=directory / "broker.p12",
        trust_store=directory / "trusted.p12",
        ca_file=directory / "broker.pem",
        cert_file=directory / "client.pem",
        key_file=directory / "client.key",
    )
    broker_store = ("-keystore", security.key_store, "-storepass", _STORE_PASSWORD, "-storetype", "PKCS12")
    client_store = ("-keystore", security.trust_store, "-storepass", _STORE_PASSWORD, "-storetype", "PKCS12")
    names = ("-dname", "CN=localhost", "-ext", "san=ip:127.0.0.1,dns:localhost", "-ext", "bc:critical=ca:true")
    _run("keytool", "-genkeypair", "-alias", "broker", "-keyalg", "EC", "-validity", "30", *names, *broker_store)
    _run("keytool", "-exportcert", "-rfc", "-alias", "broker", "-file", security.ca_file, *broker_store)
    pair = ("-keyout", security.key_file, "-out", security.cert_file)
    _run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=receiver", *pair)
    _run("keytool", "-importcert", "-noprompt", "-alias", "client", "-file", security.cert_file, *client_store)
    return security


def _run(*command: str | Path) -> None:
    try:
        done = subprocess.run(  # noqa: S603 (our own command)
            command, capture_output=True, text=True, timeout=_KEYTOOL_S_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BrokerError(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        raise BrokerError(f"{command[0]} {command[1]} fails: {done.stdout}{done.stderr}")
