"""A set of an issuer's public keys, and the token headers that they answer. Pure.

Which algorithm verifies a token is settled here, by a list of asymmetric ones and the kind of the key: never by the
token alone, or one signed with a public key as if it were a shared secret would pass.
Source: RFC 7517 (JWK), RFC 8725 (best current practices), 3.1 to 3.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt
import orjson

from processor.errors import ConfigError, Unauthenticated

KEYS_MAX: Final = 256

_ALGORITHMS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("RSA", ""): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
"""By key type and curve."""

ALGORITHMS: Final = frozenset(name for names in _ALGORITHMS.values() for name in names)


@dataclass(frozen=True, slots=True)
class Key:
    """One public key, and the algorithms that may be used with it."""

    kid: str
    algorithms: tuple[str, ...]
    public: Any


class UnknownKey(Unauthenticated):
    """The token is signed with a key that is not in the set: the issuer may have a new one."""


class KeySet:
    """The keys of one issuer at one time; immutable."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def key_for(self, header: Mapping[str, Any]) -> Key:
        """The key that a token's header names.

        Errors: `Unauthenticated` for an algorithm that is never used; `UnknownKey` for no such key.
        """
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise Unauthenticated(f"the token is not signed as it must be: with one of {', '.join(sorted(ALGORITHMS))}")
        fitting = [key for key in self._keys if algorithm in key.algorithms and kid in (None, key.kid)]
        if not fitting:
            raise UnknownKey("the token is signed with a key that its issuer does not have")
        if len(fitting) > 1:
            raise Unauthenticated("the token does not say which of its issuer's keys it is signed with (kid)")
        return fitting[0]


def key_set_of(content: bytes) -> KeySet:
    """The keys of a JWKS document that verify signatures; others, and those of unknown kinds, are left out.

    Errors: `ConfigError` for what is no such document, or has no key that can be used.
    """
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"is no JSON: {error}") from None
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ConfigError("is no set of keys (JWKS): an object with a list `keys`")
    if len(entries) > KEYS_MAX:
        raise ConfigError(f"has more than {KEYS_MAX} keys")
    keys = [key for entry in entries if isinstance(entry, dict) and (key := _key_of(entry)) is not None]
    if not keys:
        raise ConfigError("has no key that verifies signatures with RS, PS, ES or EdDSA")
    return KeySet(keys)


def _key_of(entry: dict[str, Any]) -> Key | None:
    kind, curve = entry.get("kty"), entry.get("crv", "")
    algorithms = _ALGORITHMS.get((kind, "" if kind == "RSA" else curve)) if isinstance(kind, str) else None
    if algorithms is None or entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ["verify"]):
        return None
    if (stated := entry.get("alg")) is not None:
        algorithms = tuple(name for name in algorithms if name == stated)
    kid = entry.get("kid", "")
    # What belongs to the private half is not looked at.
    public = {name: value for name, value in entry.items() if name in ("kty", "crv", "n", "e", "x", "y")}
    try:
        return Key(kid if isinstance(kid, str) else "", algorithms, jwt.PyJWK(public, algorithms[0]).key)
    except (jwt.PyJWTError, IndexError, ValueError, TypeError):
        return None
