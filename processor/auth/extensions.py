"""The authenticators that a configuration defines, started and found by the name that `auth` refers to."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from processor.auth.authenticator import Authenticator
from processor.auth.bearer_tokens import BearerTokens
from processor.auth.config import AuthConfig, BearerTokenAuthConfig, OidcConfig

if TYPE_CHECKING:
    from processor.auth.oidc import Oidc


class Authenticators:
    """All of one process. `start` and `stop` are safe to call twice, `stop` also without `start`."""

    def __init__(self, bearertokenauth: BearerTokenAuthConfig | None, oidc: OidcConfig | None) -> None:
        found: dict[str, BearerTokens | Oidc] = {}
        if bearertokenauth is not None:
            found["bearertokenauth"] = BearerTokens(bearertokenauth)
        if oidc is not None:
            # With cryptography, a tenth of a second of each start.
            from processor.auth.oidc import Oidc  # noqa: PLC0415

            found["oidc"] = Oidc(oidc)
        self._found = found
        self._stack: AsyncExitStack | None = None

    async def start(self) -> None:
        """Read what they need. Errors: `ConfigError` for files that can't be used."""
        if self._stack is not None:
            return
        async with AsyncExitStack() as stack:
            for authenticator in self._found.values():
                stack.push_async_callback(authenticator.stop)
                await authenticator.start()
            self._stack = stack.pop_all()

    async def stop(self) -> None:
        """Stop all of them."""
        stack, self._stack = self._stack, None
        if stack is not None:
            await stack.aclose()

    def of(self, auth: AuthConfig | None) -> Authenticator | None:
        """The one that a section names, None where it has no `auth`. The configuration has seen that it is defined."""
        return None if auth is None else self._found[auth.authenticator]
