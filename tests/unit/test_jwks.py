"""Keys and claims of JSON Web Tokens: which algorithm may verify what, and what claims say. Attacks of RFC 8725."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from processor.auth.claims import claim, identity_of_claims
from processor.auth.config import OidcConfig
from processor.auth.identity import Identity
from processor.auth.jwks import ALGORITHMS, UnknownKey, key_set_of
from processor.errors import ConfigError, Unauthenticated

RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
EDWARDS = ed25519.Ed25519PrivateKey.generate()
CONFIG = OidcConfig(issuer_url="https://issuer.example", audience="sessions")


def public(key: Any, algorithm: str, **more: str) -> dict[str, Any]:
    """A key's public half as JWK."""
    found: dict[str, Any] = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {name: value for name, value in found.items() if name != "key_ops"} | more


def keys(*entries: dict[str, Any]) -> bytes:
    """A JWKS document."""
    return json.dumps({"keys": entries}).encode()


ALL = keys(public(RSA, "RS256", kid="r"), public(P256, "ES256", kid="e"), public(EDWARDS, "EdDSA", kid="d", use="sig"))


def test_no_shared_secret_and_no_unsigned_token_is_ever_among_the_algorithms() -> None:
    """Nor may a header choose one."""
    assert not any(name.startswith("HS") or name.lower() == "none" for name in ALGORITHMS)
    for algorithm in ("none", "None", "HS256", "", None, ["RS256"], 1):
        with pytest.raises(Unauthenticated):
            key_set_of(ALL).key_for({"alg": algorithm, "kid": "r"})


@pytest.mark.parametrize(
    ("header", "kid"),
    [
        ({"alg": "RS256", "kid": "r"}, "r"),
        ({"alg": "PS512", "kid": "r"}, "r"),
        ({"alg": "ES256", "kid": "e"}, "e"),
        ({"alg": "EdDSA", "kid": "d"}, "d"),
        ({"alg": "EdDSA"}, "d"),
    ],
)
def test_a_key_is_found_by_its_id_and_its_kind(header: dict[str, str], kid: str) -> None:
    """Without an id, by its kind alone if only one is of it."""
    assert key_set_of(ALL).key_for(header).kid == kid


@pytest.mark.parametrize("header", [{"alg": "ES256", "kid": "r"}, {"alg": "RS256", "kid": "new"}, {"alg": "ES384"}])
def test_a_key_of_another_kind_or_name_is_not_known(header: dict[str, str]) -> None:
    """It may be a new one."""
    with pytest.raises(UnknownKey):
        key_set_of(ALL).key_for(header)


def test_a_key_that_states_its_algorithm_verifies_no_other() -> None:
    """Also where the key could."""
    only = key_set_of(keys(public(RSA, "RS256", kid="r", alg="RS256")))
    assert only.key_for({"alg": "RS256", "kid": "r"}).algorithms == ("RS256",)
    with pytest.raises(UnknownKey):
        only.key_for({"alg": "PS256", "kid": "r"})


def test_without_an_id_two_keys_are_too_many() -> None:
    """Nobody tries them one after the other."""
    two = key_set_of(keys(public(RSA, "RS256", kid="1"), public(RSA, "RS256", kid="2")))
    with pytest.raises(Unauthenticated, match="kid"):
        two.key_for({"alg": "RS256"})


def test_keys_for_other_uses_and_of_other_kinds_are_left_out() -> None:
    """What encrypts does not sign, and a shared secret is no public key."""
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "s"}
    good = public(P256, "ES256", kid="e")
    others = [
        public(RSA, "RS256", kid="r", use="enc"),
        {"kty": "EC", "crv": "P-256", "x": "?"},
        {"kty": ["RSA"]},
        secret,
    ]
    assert len(key_set_of(keys(*others, good))) == 1
    with pytest.raises(ConfigError, match="no key that verifies"):
        key_set_of(keys(*others))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"keys": {}}', b"{", b'{"keys": []}', b"<html>"])
def test_what_is_no_set_of_keys_is_refused(content: bytes) -> None:
    """So that the one before stays."""
    with pytest.raises(ConfigError):
        key_set_of(content)


@pytest.mark.parametrize(
    ("claims", "identity"),
    [
        ({"tenant": "acme", "permissions": ["read", "write"]}, Identity("acme", True, True)),
        ({"tenant": "acme", "permissions": "write other"}, Identity("acme", False, True)),
        ({"tenant": "acme", "permissions": ["readwrite", 1]}, Identity("acme", False, False)),
        ({"tenant": "acme", "permissions": {"read": True}}, Identity("acme", False, False)),
        ({"tenant": "acme"}, Identity("acme", False, False)),
    ],
)
def test_claims_name_tenant_and_permissions(claims: dict[str, Any], identity: Identity) -> None:
    """Words in a list or in a text; a part of a word is another word."""
    assert identity_of_claims(claims, CONFIG) == identity


@pytest.mark.parametrize("tenant", [None, "", 1, ["acme"], {"a": 1}, "a b", "x" * 200])
def test_without_a_tenant_nobody_is_anybody(tenant: object) -> None:
    """There is no tenant that would do instead."""
    with pytest.raises(Unauthenticated, match="no tenant"):
        identity_of_claims({"tenant": tenant, "permissions": ["read"]}, CONFIG)


def test_a_claim_is_found_by_its_whole_name_or_along_its_dots() -> None:
    """Issuers write both: names that are addresses, and objects in objects."""
    claims = {"https://acme.example/tenant": "a", "realm_access": {"roles": ["x"]}, "flat": "b"}
    assert claim(claims, "https://acme.example/tenant") == "a"
    assert claim(claims, "realm_access.roles") == ["x"]
    assert claim(claims, "flat.more") is None
    assert claim(claims, "nothing") is None
