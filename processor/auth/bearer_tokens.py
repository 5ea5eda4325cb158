"""`bearertokenauth`: tokens of the configuration, and of a file that is read again when it changes."""

from __future__ import annotations

import os
from collections.abc import Sequence

from processor.auth.config import BearerTokenAuthConfig, TokenConfig, TokensFile, check_distinct
from processor.auth.identity import Identity
from processor.auth.tokens import TokenTable
from processor.config.document import parse_document
from processor.config.fields import build
from processor.errors import ConfigError
from processor.reloading import Reloading


class BearerTokens:
    """Knows the holders of static tokens between `start` and `stop`."""

    def __init__(self, config: BearerTokenAuthConfig) -> None:
        self._config = config
        self._table = _table(config.tokens)
        files = [config.filename] if config.filename else []
        self._file = Reloading(files, self._use, config.reload_interval_s, "bearertokenauth")

    async def start(self) -> None:
        """Read the file of tokens. Errors: `ConfigError` for one that can't be used."""
        if self._config.filename:
            await self._file.start()

    async def stop(self) -> None:
        """Read it no more."""
        await self._file.stop()

    async def identity_of(self, token: str) -> Identity:
        """As `Authenticator` has it."""
        return self._table.holder_of(token)

    def _use(self, contents: Sequence[bytes]) -> None:
        (content,) = contents
        name = self._config.filename
        try:
            found = read_tokens(content)
            both = self._config.tokens + found
            check_distinct(both, "tokens, those of the configuration first,")
        except ConfigError as error:
            raise ConfigError(f"{name}: {error}") from error
        self._table = _table(both)


def read_tokens(content: bytes) -> tuple[TokenConfig, ...]:
    """The tokens of a file.

    Errors: `ConfigError` that says which entry is wrong, and never what a token is.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError("is not UTF-8 text") from error
    return build(TokensFile, parse_document(text), "", os.environ).tokens


def _table(tokens: Sequence[TokenConfig]) -> TokenTable:
    return TokenTable(token.holder for token in tokens)
