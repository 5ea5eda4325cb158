"""What every way to authenticate has in common: an `Authorization` header goes in, an identity comes out.

Must never put a credential, or a part of one, into an error or a log line.
Source: RFC 6750, "The OAuth 2.0 Authorization Framework: Bearer Token Usage".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from processor.auth.identity import Identity
from processor.errors import Unauthenticated

CREDENTIAL_CHARS_MAX: Final = 16 * 1024
"""Of one token; a JSON Web Token with many groups has a few thousand."""

CHALLENGE: Final = 'Bearer realm="otel-sessions"'
"""What `WWW-Authenticate` says to somebody who is not known."""


class Authenticator(Protocol):
    """Knows who holds a token. Called for every request, on the event loop."""

    async def identity_of(self, token: str) -> Identity:
        """Who holds `token`.

        Errors: `Unauthenticated` for a token that does not hold, `Retryable` when that can't be said now.
        """
        ...


async def authenticate(authenticator: Authenticator | None, authorization: str | None, everyone: Identity) -> Identity:
    """Who sends that `Authorization` header; `everyone`, where there is no authenticator.

    Errors: those of `identity_of`; `Unauthenticated` for no header, or one of another scheme.
    """
    return everyone if authenticator is None else await authenticator.identity_of(bearer_token(authorization))


def bearer_token(authorization: str | None) -> str:
    """The token of an `Authorization` header.

    Errors: `Unauthenticated`.
    """
    if not authorization:
        raise Unauthenticated("no credentials: send the header `Authorization: Bearer TOKEN`")
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("credentials of another kind: send the header `Authorization: Bearer TOKEN`")
    return checked_token(token)


def checked_token(token: str) -> str:
    """The same token. Errors: `Unauthenticated` for one that is too long to be looked at."""
    if len(token) > CREDENTIAL_CHARS_MAX:
        raise Unauthenticated(f"the token has more than {CREDENTIAL_CHARS_MAX} characters")
    return token


def only_authorization(values: Iterable[str]) -> str | None:
    """The one `Authorization` header among all of a request's.

    Errors: `Unauthenticated` for several: this process and a proxy before it might each believe another one.
    """
    found = list(values)
    if len(found) > 1:
        raise Unauthenticated("the header Authorization stands there more than once; send one")
    return found[0] if found else None
