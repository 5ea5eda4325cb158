"""`oidc`: JSON Web Tokens of an OpenID Connect issuer.

A token is verified once and remembered until it expires, or until the issuer's keys change; so a request costs a digest
and a look-up. A token signed with a key that is not known makes the keys be fetched again, at most every
`refetch_interval_s` for all such tokens together, so that nobody can make this process hammer the issuer. When the
issuer is away, the keys that are there stay in use; before there are any, callers are told to try again, not that they
are nobody.
Source: RFC 7519 (JWT), RFC 8725, RFC 9068.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

import jwt
import structlog

from processor.auth.claims import identity_of_claims
from processor.auth.config import OidcConfig
from processor.auth.discovery import Discovery
from processor.auth.identity import Identity
from processor.auth.jwks import KeySet, UnknownKey, key_set_of
from processor.clock import monotonic_s, now_ns
from processor.errors import ConfigError, Retryable, Unauthenticated
from processor.reloading import Reloading

_NANOS_PER_S: Final = 1_000_000_000
_OPTIONS: Final[Any] = {"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True}

_REASONS: Final = {
    jwt.ExpiredSignatureError: "it has expired; get a new one",
    jwt.InvalidAudienceError: "it is for another audience",
    jwt.InvalidIssuerError: "it is of another issuer",
    jwt.ImmatureSignatureError: "its time has not come yet; look at the clocks",
    jwt.InvalidIssuedAtError: "its time has not come yet; look at the clocks",
    jwt.InvalidSignatureError: "its signature is wrong",
}

_MALFORMED: Final = (ValueError, TypeError, OverflowError, RecursionError)
"""What the library lets through of a token that is made to hurt."""

_log = structlog.get_logger(__name__)


class Oidc:
    """Verifies tokens between `start` and `stop`, which are safe to call twice."""

    def __init__(self, config: OidcConfig, now_s: Callable[[], float] = monotonic_s) -> None:
        self._config = config
        self._now_s = now_s
        self._keys: KeySet | None = None
        self._raw_keys = b""
        self._verified: OrderedDict[bytes, tuple[float, Identity]] = OrderedDict()
        self._discovery: Discovery | None = None
        self._file = Reloading([config.jwks_file], self._use_file, config.refresh_interval_s, "oidc.jwks_file")
        self._refreshing: asyncio.Task[None] | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._fetched_at_s = -float("inf")
        self._complaint = ""

    async def start(self) -> None:
        """Get the keys, if the issuer is there. Errors: `ConfigError` for files that can't be used."""
        if self._config.jwks_file:
            await self._file.start()
        elif self._refreshing is None:
            self._discovery = Discovery(self._config)
            await self._fetch()
            self._refreshing = asyncio.create_task(self._refresh(), name="oidc keys")

    async def stop(self) -> None:
        """Fetch no more keys."""
        await self._file.stop()
        running = [task for task in (self._refreshing, self._fetching) if task is not None]
        self._refreshing = self._fetching = None
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        discovery, self._discovery = self._discovery, None
        if discovery is not None:
            await discovery.close()

    async def identity_of(self, token: str) -> Identity:
        """As `Authenticator` has it."""
        place = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        remembered = self._verified.get(place)
        if remembered is not None:
            expires_s, identity = remembered
            if _unix_s() < expires_s:
                self._verified.move_to_end(place)
                return identity
            del self._verified[place]
        try:
            claims = self._verify(token)
        except (UnknownKey, _NoKeys):
            await self._fetch()
            claims = self._verify(token)
        identity = identity_of_claims(claims, self._config)
        self._remember(place, int(claims["exp"]) + self._config.clock_skew_s, identity)
        return identity

    def _verify(self, token: str) -> dict[str, Any]:
        """The claims of a token that holds now. Errors: `Unauthenticated`, `UnknownKey`, `_NoKeys`."""
        if self._keys is None:
            raise _NoKeys("the keys of the issuer of tokens are not there yet; retry in a moment")
        config = self._config
        try:
            key = self._keys.key_for(jwt.get_unverified_header(token))
            claims: dict[str, Any] = jwt.decode(
                token,
                key.public,
                algorithms=list(key.algorithms),
                audience=config.audience,
                issuer=config.issuer_url,
                leeway=config.clock_skew_s,
                options=_OPTIONS,
            )
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"the token does not hold: {_reason(error)}") from None
        except _MALFORMED:
            raise Unauthenticated("the token does not hold: it is no JSON Web Token") from None
        return claims

    def _remember(self, place: bytes, expires_s: float, identity: Identity) -> None:
        self._verified[place] = expires_s, identity
        while len(self._verified) > self._config.cached_tokens_max:
            self._verified.popitem(last=False)

    async def _refresh(self) -> None:
        while True:
            # Without keys nobody gets in: ask more often until there are some.
            short, long = self._config.refetch_interval_s, self._config.refresh_interval_s
            await asyncio.sleep(long if self._keys is not None else short)
            await self._fetch()

    async def _fetch(self) -> None:
        """Fetch the keys, unless that was done a moment ago; those who come meanwhile wait for the same answer."""
        if self._discovery is None:
            return
        if self._fetching is None:
            if self._now_s() - self._fetched_at_s < self._config.refetch_interval_s:
                return
            self._fetched_at_s = self._now_s()
            self._fetching = asyncio.create_task(self._fetch_now(self._discovery), name="oidc fetch")
        await asyncio.shield(self._fetching)  # who waits may go away; the answer is for the others as well

    async def _fetch_now(self, discovery: Discovery) -> None:
        try:
            self._use(await discovery.keys())
            self._complaint = ""
        except Exception as error:
            # Whatever it is, it must not be the end of fetching.
            if str(error) != self._complaint:
                self._complaint = str(error)
                in_use = "no keys: nobody is let in" if self._keys is None else "the keys that were there before"
                _log.error(
                    "oidc_keys_not_fetched",
                    error=str(error),
                    in_use=in_use,
                    action="nothing while the issuer is away; else look at issuer_url and jwks_url",
                )
        finally:
            self._fetching = None

    def _use_file(self, contents: Sequence[bytes]) -> None:
        try:
            self._use(contents[0])
        except ConfigError as error:
            raise ConfigError(f"oidc.jwks_file: {self._config.jwks_file}: {error}") from error

    def _use(self, content: bytes) -> None:
        if content == self._raw_keys:
            return
        self._keys, self._raw_keys = key_set_of(content), content
        self._verified.clear()  # a key may have been taken back
        _log.info("oidc_keys", issuer=self._config.issuer_url, keys=len(self._keys))


class _NoKeys(Retryable):
    """No keys have been fetched so far."""


def _reason(error: jwt.PyJWTError) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"it has no claim {error.claim}"
    found = (reason for kind, reason in _REASONS.items() if isinstance(error, kind))
    return next(found, "it is no JSON Web Token that this issuer would sign")


def _unix_s() -> float:
    return now_ns() / _NANOS_PER_S
