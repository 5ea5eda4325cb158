"""Who asks, before anything is read of what they ask.

A password is a token: by basic authentication, `X-ClickHouse-Key`, `password=` in the URL, or as a bearer token.
Source: ClickHouse `src/Server/HTTPHandler.cpp`, `authenticateUserByHTTP`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from processor.auth.authenticator import Authenticator, checked_token
from processor.clickhouse_http.errors import ACCESS_DENIED, AUTHENTICATION_FAILED, NETWORK_ERROR, QueryError
from processor.clickhouse_http.request import credentials_of
from processor.errors import PermissionDenied, Retryable, Unauthenticated

_CHALLENGE: Final = 'Basic realm="ClickHouse server HTTP API"'


async def tenant_of(
    authenticator: Authenticator | None, url: Mapping[str, str], headers: Mapping[str, str]
) -> str | None:
    """Whose rows are seen by who asks, if they may read; None, all rows, where there is no authenticator.

    `headers` by lowercase name.

    Errors: `QueryError` 36 for a header that can't be read, also where nobody is asked; 516 for nobody we know, 497 for
    who may not read, 210 when that can't be said now.
    """
    password = credentials_of(url, headers).password
    if authenticator is None:
        return None
    if not password:
        raise QueryError(
            AUTHENTICATION_FAILED, "Authentication failed: no password; the password is a token", _CHALLENGE
        )
    try:
        identity = await authenticator.identity_of(checked_token(password))
        identity.check_read()
    except Unauthenticated as error:
        raise QueryError(AUTHENTICATION_FAILED, f"Authentication failed: {error}") from None
    except PermissionDenied as error:
        raise QueryError(ACCESS_DENIED, f"Not enough privileges: {error}") from None
    except Retryable as error:
        raise QueryError(NETWORK_ERROR, str(error)) from None
    return identity.tenant
