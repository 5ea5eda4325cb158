"""What a command shows of itself to the process that it asks: a token, and a certificate of its own.

Must never put a token into a message; the header is all that ever holds it.
"""

# ruff: noqa: PLC0415 (most commands need no certificates, and start fast)

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import ssl

    from processor.cli.options import Process

_TOKEN_BYTES_MAX = 64 * 1024


def headers_of(process: Process) -> dict[str, str]:
    """The headers of every request. Errors: a usage error for a file that holds no token."""
    token = token_of(process)
    return {"Authorization": f"Bearer {token}"} if token else {}


def token_of(process: Process) -> str:
    """The token, '' for none. Errors: a usage error for a file that holds none, or for what can't be one."""
    if process.token_file is not None:
        return _plain(_read(process.token_file), "--token-file")
    return _plain(process.token, "--token") if process.token else ""


def trust_of(process: Process) -> ssl.SSLContext | bool:
    """Whom to trust, and our own certificate. Errors: a usage error for files that can't be used."""
    ca_file, cert_file, key_file = process.ca_file, process.cert_file, process.key_file
    if ca_file is None and cert_file is None and key_file is None:
        return True
    import ssl

    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{ca_file}: {_reason(error)}", param_hint="--ca-file") from error
    if cert_file is None and key_file is None:
        return context
    if cert_file is None:
        raise typer.BadParameter("needs --cert-file beside it", param_hint="--key-file")
    try:
        context.load_cert_chain(cert_file, key_file, password=lambda: "")
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{cert_file}, {key_file}: {_reason(error)}", param_hint="--cert-file") from error
    return context


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(_TOKEN_BYTES_MAX)
    except OSError as error:
        raise typer.BadParameter(f"{file}: {_reason(error)}", param_hint="--token-file") from error
    return content.decode("utf-8", "replace")


def _plain(text: str, option: str) -> str:
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise typer.BadParameter("holds no token: one word of letters, digits and signs", param_hint=option)
    return token


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
