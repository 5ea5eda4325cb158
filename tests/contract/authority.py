"""Certificate authorities and certificates as files that a test replaces."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import trustme

from processor.tls.config import TlsConfig

LOOK_S = 0.05


class Authority:
    """One authority; its certificates go to files of a folder."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self.folder = folder
        self._ca = trustme.CA()
        self.file = folder / f"{name}.pem"
        self._ca.cert_pem.write_to_path(str(self.file))

    @property
    def pem(self) -> bytes:
        """Its certificate."""
        return self._ca.cert_pem.bytes()

    def issue(self, name: str = "server", **options: Any) -> tuple[Path, Path]:
        """A new certificate for 127.0.0.1 and its key, in place of those that are there."""
        issued = self._ca.issue_cert("127.0.0.1", "localhost", **options)
        certificate, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        key.write_bytes(issued.private_key_pem.bytes())
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        return certificate, key

    def tls(self, **options: Any) -> TlsConfig:
        """The options of a server with a certificate of this authority."""
        certificate, key = self.issue()
        return TlsConfig(str(certificate), str(key), **{"reload_interval_s": LOOK_S, **options})

    def trust(self, client: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """What a client needs that trusts this authority, with a certificate of its own or none."""
        context = ssl.create_default_context(cadata=self.pem.decode())
        if client is not None:
            context.load_cert_chain(*client)
        return context
