"""Static bearer tokens: how one is made, what is kept of it, and who holds it.

Only SHA-256 of a token is ever kept. That is enough, and needs no salt, because a token is 256 random bits: nobody can
try them all. A password would be another matter, so what looks like one is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from typing import Final

from processor.auth.identity import Identity
from processor.errors import Unauthenticated

TOKEN_CHARS_MIN: Final = 32
HASH_PREFIX: Final = "sha256:"

_PREFIX: Final = "ots_"  # so that scanners of repositories know one when they see it
_RANDOM_BYTES: Final = 32
_HASH: Final = re.compile(rf"{HASH_PREFIX}([0-9a-f]{{64}})")


def new_token() -> str:
    """A token that nobody can guess."""
    return _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def hash_of(token: str) -> str:
    """What configuration keeps of a token: `sha256:` and 64 hexadecimal digits."""
    return HASH_PREFIX + _digest(token).hex()


def is_hash(text: str) -> bool:
    """Whether `text` is what `hash_of` gives."""
    return _HASH.fullmatch(text) is not None


class TokenTable:
    """Who holds which token; immutable. Constant time: looking one up tells nothing about those that are there.

    Places in the table go by a digest under a key of this process alone, so how long a look-up takes has nothing to do
    with the hashes themselves; what is found there is compared in constant time.
    """

    def __init__(self, holders: Iterable[tuple[str, Identity]]) -> None:
        """`holders` are pairs of a token's hash and who holds it; every hash stands there once."""
        self._key = secrets.token_bytes(32)
        self._holders: dict[bytes, tuple[bytes, Identity]] = {}
        for text, identity in holders:
            digest = bytes.fromhex(text.removeprefix(HASH_PREFIX))
            self._holders[self._place(digest)] = digest, identity

    def __len__(self) -> int:
        return len(self._holders)

    def holder_of(self, token: str) -> Identity:
        """Who holds the token.

        Errors: `Unauthenticated`.
        """
        digest = _digest(token)
        kept, identity = self._holders.get(self._place(digest), (b"", None))
        if not hmac.compare_digest(kept, digest) or identity is None:
            raise Unauthenticated("the token is not known here; it may have been taken back")
        return identity

    def _place(self, digest: bytes) -> bytes:
        return hashlib.blake2b(digest, key=self._key, digest_size=16).digest()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
