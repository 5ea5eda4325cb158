"""An OpenID Connect issuer with keys that rotate, over real HTTP, beside an asyncio test."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from processor.asgi import AsgiServer

AUDIENCE = "otel-sessions"
DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/keys"


class Issuer:
    """Signs tokens with its newest key, publishes all that it has, and counts what it is asked."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.answers: dict[str, Response] = {}  # instead of its own, by path
        self.asked: Counter[str] = Counter()
        self.rotate("one")

    def rotate(self, kid: str, *, keep: bool = False) -> None:
        """From now on sign with a new key; the old ones are gone, unless they are kept."""
        kept = self.keys if keep else {}
        self.keys = {**kept, kid: ec.generate_private_key(ec.SECP256R1())}

    def token(self, whose: str = "acme", *permissions: str, key: Any = None, **claims: Any) -> str:
        """A token of a tenant; a claim of None is left out."""
        now = int(time.time())
        said = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "somebody",
            "iat": now,
            "exp": now + 3600,
            "tenant": whose,
            "permissions": list(permissions),
        } | claims
        kid = list(self.keys)[-1]
        payload = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(payload, key or self.keys[kid], "ES256", headers={"kid": kid})

    def document(self) -> dict[str, Any]:
        """Its JWKS document."""
        algorithm = jwt.get_algorithm_by_name("ES256")
        entries = {kid: algorithm.to_jwk(key.public_key(), as_dict=True) for kid, key in self.keys.items()}
        return {"keys": [{**entry, "kid": kid, "use": "sig"} for kid, entry in entries.items()]}

    @property
    def app(self) -> Starlette:
        """What it serves."""

        async def answer(request: Request) -> Response:
            path = request.url.path
            self.asked[path] += 1
            if path in self.answers:
                return self.answers[path]
            found = {"issuer": self.url, "jwks_uri": f"{self.url}{KEYS}"} if path == DISCOVERY else self.document()
            return JSONResponse(found)

        return Starlette(routes=[Route(path, answer) for path in (DISCOVERY, KEYS)])


@contextlib.asynccontextmanager
async def issuing() -> AsyncIterator[Issuer]:
    """An issuer that answers."""
    issuer = Issuer()
    server = AsgiServer(issuer.app, "127.0.0.1:0", "test")
    await server.start()
    issuer.url = f"http://127.0.0.1:{server.port}"
    try:
        yield issuer
    finally:
        await server.stop()
