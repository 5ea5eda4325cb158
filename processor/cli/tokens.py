"""Commands that make bearer tokens: `tokens create`, `tokens hash`."""

# ruff: noqa: PLC0415 (a command imports what it needs, so that the others start fast)

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from processor.cli.exits import EPILOG

app = typer.Typer(
    no_args_is_help=True, help="Make bearer tokens for `bearertokenauth`.", rich_markup_mode=None, epilog=EPILOG
)


class Permission(StrEnum):
    """What a token is good for."""

    READ = "read"
    WRITE = "write"


@app.command(epilog=EPILOG)
def create(
    tenant: Annotated[str, typer.Option(help="Whose spans it sends, and whose rows it reads.")] = "default",
    permission: Annotated[
        list[Permission] | None, typer.Option(help="Stands once for each; without it, both.", show_default=False)
    ] = None,
    name: Annotated[str, typer.Option(help="For people who read the file.")] = "",
) -> None:
    """Make a token: it goes to stdout, once and nowhere else; its entry for a list of `tokens` to stderr."""
    import orjson

    from processor.auth.identity import is_tenant
    from processor.auth.tokens import hash_of, new_token

    if not is_tenant(tenant):
        raise typer.BadParameter("must be 1 to 128 letters, digits and . _ @ : + / | = ~ -", param_hint="--tenant")
    token = new_token()
    permissions = ", ".join(dict.fromkeys(permission or list(Permission)))
    named = [f"    name: {orjson.dumps(name).decode()}"] if name else []
    lines = [f"  - tenant: {orjson.dumps(tenant).decode()}", f"    permissions: [{permissions}]", *named]
    typer.echo("\n".join([*lines, f"    hash: {hash_of(token)}"]), err=True)
    typer.echo(token)


@app.command("hash", epilog=EPILOG)
def show_hash() -> None:
    """Read a token from stdin and write what configuration keeps of it."""
    import getpass

    from processor.auth.tokens import TOKEN_CHARS_MIN, hash_of

    token = (getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if len(token) < TOKEN_CHARS_MIN:
        raise typer.BadParameter(
            f"has fewer than {TOKEN_CHARS_MIN} characters and may be guessed; make one with "
            "'otel-sessions tokens create'",
            param_hint="the token",
        )
    typer.echo(hash_of(token))
