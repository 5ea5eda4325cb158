"""The certificate of one port, as it is now: connections that begin get the newest one, those that are there stay.

Each change makes a new context. Sessions of an earlier one can't be resumed with it, so that an authority of clients
that was taken away lets nobody in by an old ticket.

Must never use half of a change: a certificate whose key has not come yet, or one that can't be read, is refused, and
the one that was there before stays in use.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from processor.errors import ConfigError
from processor.reloading import Reloading, read_file
from processor.tls.config import TlsConfig

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pem:
    """What stands in the files, in PEM. `client_ca` is None where clients need no certificate."""

    certificates: bytes
    key: bytes
    client_ca: bytes | None


class ServerTls:
    """The certificate of one port between `start` and `stop`. `option` is its section in the configuration."""

    def __init__(self, config: TlsConfig, option: str) -> None:
        self._config = config
        self._option = option
        self._files = Reloading(config.files, self._use, config.reload_interval_s, option)
        self._context: ssl.SSLContext | None = None
        self._pem: Pem | None = None

    @property
    def context(self) -> ssl.SSLContext:
        """The context of now. It stays what it is; ask again for each connection, or let `asgi_context` do that."""
        assert self._context is not None
        return self._context

    @property
    def pem(self) -> Pem:
        """What `context` was made of."""
        assert self._pem is not None
        return self._pem

    def asgi_context(self) -> ssl.SSLContext:
        """A context for a server that takes one for ever: each connection begins with the one of its time."""
        return _ContextOfNow(self)

    async def start(self) -> None:
        """Read the files, and again when they change. Errors: `ConfigError` for files that can't be used."""
        await self._files.start()

    async def stop(self) -> None:
        """Read them no more."""
        await self._files.stop()

    def _use(self, contents: Sequence[bytes]) -> None:
        pem = Pem(contents[0], contents[1], contents[2] if len(contents) > 2 else None)
        try:
            context = _context(self._config, pem)
            expires = _expiry(pem.certificates)
        except ConfigError as error:
            raise ConfigError(f"{self._option}.{error}") from error
        if [read_file(Path(file)) for file in self._config.files] != contents:
            raise ConfigError(f"{self._option}: the files changed while they were read; they are read again")
        self._context, self._pem = context, pem
        if expires <= datetime.now(UTC):
            _log.warning(
                "certificate_expired",
                option=self._option,
                expired=expires.isoformat(),
                action="put a new certificate there; it is read by itself",
            )
        else:
            _log.info("certificate", option=self._option, expires=expires.isoformat())


class _ContextOfNow(ssl.SSLContext):
    """asyncio asks a context for one TLS object a connection; this one passes the question on."""

    _server: ServerTls

    def __new__(cls, server: ServerTls) -> _ContextOfNow:
        self = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        self._server = server
        return self

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        return self._server.context.wrap_bio(*arguments, **options)


def _context(config: TlsConfig, pem: Pem) -> ssl.SSLContext:
    """Errors: `ConfigError` that begins with the name of the option."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[config.min_version]
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password at hand OpenSSL would ask the terminal for one.
        context.load_cert_chain(config.cert_file, config.key_file, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            f"cert_file: {config.cert_file} and key_file {config.key_file} can't be used: {_reason(error)}; they must "
            "be a certificate and its own key, without a password, both in PEM"
        ) from error
    except OSError as error:
        raise ConfigError(f"cert_file: {config.cert_file}: can't be read: {error.strerror or error}") from error
    if pem.client_ca is not None:
        try:
            context.load_verify_locations(cadata=pem.client_ca.decode("ascii"))
        except (ssl.SSLError, ValueError) as error:
            raise ConfigError(
                f"client_ca_file: {config.client_ca_file} can't be used: {_reason(error)}; it must be PEM certificates"
            ) from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _expiry(pem: bytes) -> datetime:
    try:
        # A tenth of a second of each start, and most have no certificate.
        from cryptography import x509  # noqa: PLC0415

        return x509.load_pem_x509_certificate(pem).not_valid_after_utc
    except ValueError as error:
        raise ConfigError(f"cert_file: can't be read: {error}") from error


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or str(error) or type(error).__name__
