"""What a verified JSON Web Token says about who holds it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from processor.auth.config import OidcConfig
from processor.auth.identity import Identity, is_tenant
from processor.errors import Unauthenticated


def identity_of_claims(claims: Mapping[str, Any], config: OidcConfig) -> Identity:
    """The tenant and permissions that claims name.

    Errors: `Unauthenticated` for a token without a tenant, or with one that can't be one. A token without permissions
    has none: what it tries is refused then, with a better reason.
    """
    tenant = claim(claims, config.tenant_claim)
    if not isinstance(tenant, str) or not is_tenant(tenant):
        raise Unauthenticated(f"the token names no tenant: its claim {config.tenant_claim} must be a name")
    words = _words(claim(claims, config.permissions_claim))
    may_read = bool(config.read_value) and config.read_value in words
    may_write = bool(config.write_value) and config.write_value in words
    return Identity(tenant, may_read, may_write)


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of that name, or else what the dots of the name lead to; None where there is neither."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _words(value: Any) -> frozenset[str]:
    """Permissions are a list of words, or words in one string as `scope` has them (RFC 6749, 3.3)."""
    if isinstance(value, str):
        return frozenset(value.split())
    if isinstance(value, list):
        return frozenset(word for word in value if isinstance(word, str))
    return frozenset()
