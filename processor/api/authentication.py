"""Who asks the API: known before any route sees the request, and the only place that its tenant comes from.

Everything needs an identity but what is the same for everybody: the page's own files and the description of the API.
Whatever is added later is closed until it is named here. Reading needs `read`; every other method needs `write`.
Must never look at the query, the path or another header for a tenant.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from processor.api.errors import answer
from processor.auth.authenticator import CHALLENGE, Authenticator, authenticate, only_authorization
from processor.auth.identity import Identity
from processor.errors import PermissionDenied, Retryable, Unauthenticated

_PUBLIC: Final = frozenset({"/", "/openapi.json"})
_PUBLIC_FOLDER: Final = "/page/"
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Authenticated:
    """Lets a request through with its identity in its state, or answers 401, 403, or 503 where that can't be said now.

    Without an authenticator everybody is `everyone`. Routes by the path that the application behind it routes by.
    """

    def __init__(self, app: ASGIApp, authenticator: Authenticator | None, everyone: Identity) -> None:
        self._app = app
        self._authenticator = authenticator
        self._everyone = everyone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_public(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            identity = await self._identity(scope)
        except (Unauthenticated, PermissionDenied, Retryable) as error:
            await _refusal(error)(scope, receive, send)
            return
        scope["state"] = {**scope.get("state", {}), "identity": identity}
        await self._app(scope, receive, send)  # the same one: those around it learn its route from it

    async def _identity(self, scope: Scope) -> Identity:
        """Errors: those of `authenticate`, `PermissionDenied`."""
        headers = (value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization")
        authorization = only_authorization(headers) if self._authenticator is not None else None
        identity = await authenticate(self._authenticator, authorization, self._everyone)
        if scope["method"] in _READING:
            identity.check_read()
        else:
            identity.check_write()
        return identity


def is_public(path: str) -> bool:
    """Whether what is there is the same for everybody."""
    return path in _PUBLIC or path.startswith(_PUBLIC_FOLDER)


async def _tenant(request: Request) -> str:
    identity: Identity = request.state.identity
    return identity.tenant


Tenant = Annotated[str, Depends(_tenant)]
"""The tenant of whoever asks, for routes."""


def _refusal(error: Exception) -> Response:
    if isinstance(error, Unauthenticated):
        return answer(401, "unauthorized", str(error), headers={"WWW-Authenticate": CHALLENGE})
    if isinstance(error, PermissionDenied):
        return answer(403, "forbidden", str(error))
    return answer(503, "service_unavailable", str(error))
