"""Options of TLS, the same for every port."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from processor.errors import ConfigError


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """The port's certificate; its files are read again when they change. Without it the port is plain text."""

    cert_file: str = field(
        default="", metadata={"help": "PEM file with the certificate, and those between it and its authority."}
    )
    key_file: str = field(default="", metadata={"help": "PEM file with its private key, without a password."})
    client_ca_file: str = field(
        default="",
        metadata={"help": "PEM file with the authority that clients must have a certificate of; '' asks for none."},
    )
    min_version: Literal["1.2", "1.3"] = field(
        default="1.2",
        metadata={"help": "The oldest version of TLS that is spoken; gRPC can't be told, there it is 1.2."},
    )
    reload_interval_s: float = field(
        default=10.0,
        metadata={"help": "Seconds from one look at the files to the next.", "min": 0.05, "max": 86400},
    )

    def check(self, path: str) -> None:
        """Errors: `ConfigError`, with `path`, the dotted path of this section."""
        for name in ("cert_file", "key_file"):
            if not getattr(self, name):
                raise ConfigError(f"{path}.{name}: is missing; TLS needs a certificate and its key")

    @property
    def files(self) -> list[str]:
        """Certificate, key and, where clients need one, the authority of theirs."""
        return [self.cert_file, self.key_file, *([self.client_ca_file] if self.client_ca_file else [])]
