"""JSON Web Tokens against a real issuer: what holds and what does not, keys that rotate, an issuer that is away."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.responses import JSONResponse, RedirectResponse, Response
from structlog.testing import capture_logs

from processor.auth.config import OidcConfig
from processor.auth.identity import Identity
from processor.auth.oidc import Oidc
from processor.errors import ConfigError, Retryable, Unauthenticated
from tests.contract.issuer import AUDIENCE, DISCOVERY, KEYS, Issuer, issuing

ACME = Identity("acme", may_read=True, may_write=False)
STRANGER = ec.generate_private_key(ec.SECP256R1())


async def turned_away(oidc: Oidc, token: str) -> str:
    """Until a token does not hold any more; gives why."""
    while True:
        try:
            await oidc.identity_of(token)
        except Unauthenticated as error:
            return str(error)
        await asyncio.sleep(0.01)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@contextlib.asynccontextmanager
async def trusting(issuer: Issuer, clock: Clock | None = None, **options: Any) -> AsyncIterator[Oidc]:
    """An authenticator that trusts the issuer; it refetches by `clock`, and refreshes only where a test says so."""
    config = OidcConfig(issuer_url=issuer.url, audience=AUDIENCE, **{"refresh_interval_s": 3_600.0, **options})
    oidc = Oidc(config, clock or Clock())
    await oidc.start()
    try:
        yield oidc
    finally:
        await oidc.stop()


def test_a_token_is_somebody_by_its_claims() -> None:
    """Found by the issuer's own description of itself."""

    async def scenario() -> None:
        async with issuing() as issuer, trusting(issuer) as oidc:
            assert await oidc.identity_of(issuer.token("acme", "read")) == ACME
            assert await oidc.identity_of(issuer.token("b", "write", "x")) == Identity("b", False, True)
            assert await oidc.identity_of(issuer.token("acme", "read", aud=["other", AUDIENCE])) == ACME

    asyncio.run(scenario())


NOBODY: list[tuple[dict[str, Any], str]] = [
    ({"exp": 1}, "expired"),
    ({"exp": None}, "no claim exp"),
    ({"exp": "soon"}, "no JSON Web Token"),
    ({"iss": "https://elsewhere.example"}, "another issuer"),
    ({"iss": None}, "no claim iss"),
    ({"aud": "elsewhere"}, "another audience"),
    ({"aud": None}, "no claim aud"),
    ({"nbf": 9_999_999_999}, "not come yet"),
    ({"tenant": None}, "no tenant"),
    ({"tenant": "x' OR 1"}, "no tenant"),
]


def test_a_token_that_does_not_hold_is_nobody() -> None:
    """And says why, without saying what it was."""

    async def scenario() -> None:
        async with issuing() as issuer, trusting(issuer) as oidc:
            for claims, why in NOBODY:
                token = issuer.token("acme", "read", **claims)
                with pytest.raises(Unauthenticated, match=why) as error:
                    await oidc.identity_of(token)
                assert token not in str(error.value)

    asyncio.run(scenario())


def forged(issuer: Issuer) -> dict[str, str]:
    """Tokens that somebody made who has the public key and time."""
    good = issuer.token("acme", "read")
    head, payload, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    public = issuer.keys["one"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def encoded(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    other = encoded(claims | {"tenant": "globex"})
    deep = base64.urlsafe_b64encode(b'{"alg":' + b"[" * 5_000).decode()
    return {
        "unsigned": f"{encoded({'alg': 'none', 'kid': 'one'})}.{payload}.",
        "signed with the public key as a secret": jwt.encode(claims, public.hex(), "HS256", headers={"kid": "one"}),
        "another tenant under the same signature": f"{head}.{other}.{signature}",
        "signed by a stranger under a known name": issuer.token("acme", "read", key=STRANGER),
        "a key of its own in the header": jwt.encode(
            claims, STRANGER, "ES256", headers={"kid": "one", "jku": "http://127.0.0.1:1/keys"}
        ),
        "no signature": f"{head}.{payload}.",
        "one part": head,
        "nothing like it": "ots_whatever",
        "empty": "",
        "not ASCII": "ä.ö.ü",
        "a lone surrogate": "\udcff.\udcff.\udcff",
        "a list for an algorithm": f"{encoded({'alg': ['ES256'], 'kid': 'one'})}.{payload}.{signature}",
        "a list for a head": f"{encoded([1])}.{payload}.{signature}",
        "a head without a bottom": f"{deep}.{payload}.{signature}",
        "an extension that must be understood": f"{encoded({'alg': 'ES256', 'kid': 'one', 'crit': ['x']})}.{payload}.x",
    }


def test_no_forged_token_is_somebody() -> None:
    """The attacks that RFC 8725 names, and garbage."""

    async def scenario() -> None:
        async with issuing() as issuer, trusting(issuer) as oidc:
            for name, token in forged(issuer).items():
                with pytest.raises(Unauthenticated):
                    raise AssertionError(f"{name}: {await oidc.identity_of(token)}")
            assert await oidc.identity_of(issuer.token("acme", "read")) == ACME

    asyncio.run(scenario())


def test_clocks_may_differ_by_so_much() -> None:
    """A minute by default, to either side."""

    async def scenario() -> None:
        now = int(time.time())
        async with issuing() as issuer, trusting(issuer) as oidc, trusting(issuer, clock_skew_s=0.0) as strict:
            for claims in ({"exp": now - 30}, {"nbf": now + 30, "iat": now + 30}):
                token = issuer.token("acme", "read", **claims)
                assert await oidc.identity_of(token) == ACME
                with pytest.raises(Unauthenticated):
                    await strict.identity_of(token)

    asyncio.run(scenario())


def test_a_new_key_is_fetched_when_it_is_first_seen_and_a_gone_one_is_trusted_no_more() -> None:
    """Also for tokens that were verified before; who comes at the same time waits for the same answer."""

    async def scenario() -> None:
        clock = Clock()
        async with issuing() as issuer, trusting(issuer, clock) as oidc:
            old = issuer.token("acme", "read")
            assert await oidc.identity_of(old) == ACME
            issuer.rotate("two")
            clock.now_s += 60
            new = [issuer.token("acme", "read", jti=str(number)) for number in range(20)]
            assert await asyncio.gather(*map(oidc.identity_of, new)) == [ACME] * 20
            assert issuer.asked[KEYS] == 2
            clock.now_s += 60
            with pytest.raises(Unauthenticated):
                await oidc.identity_of(old)

    asyncio.run(scenario())


def test_nobody_can_make_us_hammer_the_issuer() -> None:
    """Tokens with keys that nobody knows cost one fetch in so many seconds, however many they are."""

    async def scenario() -> None:
        clock = Clock()
        async with issuing() as issuer, trusting(issuer, clock, refetch_interval_s=10.0) as oidc:
            for step in range(3):
                for number in range(50):
                    issuer.keys[f"unknown {step} {number}"] = STRANGER
                    token = issuer.token("acme", "read")
                    del issuer.keys[f"unknown {step} {number}"]
                    with pytest.raises(Unauthenticated):
                        await oidc.identity_of(token)
                assert issuer.asked[KEYS] == 1 + step
                clock.now_s += 11

    asyncio.run(scenario())


NONSENSE = [
    (KEYS, Response(status_code=500)),
    (KEYS, Response(b"<html>", 200)),
    (KEYS, JSONResponse({"keys": []})),
    (KEYS, RedirectResponse("http://127.0.0.1:1/")),
    (KEYS, Response(b" " * 2_000_000)),
    (DISCOVERY, JSONResponse({"issuer": "https://elsewhere.example", "jwks_uri": "http://127.0.0.1:1"})),
    (DISCOVERY, JSONResponse({"jwks_uri": 1})),
    (DISCOVERY, Response(b"[]")),
]


def test_an_issuer_that_answers_nonsense_takes_no_key_away() -> None:
    """Keys that are there stay; without any, callers are told to come again, not that they are nobody."""

    async def scenario() -> None:
        clock = Clock()
        async with issuing() as issuer:
            issuer.answers[KEYS] = NONSENSE[0][1]
            async with trusting(issuer, clock) as oidc:
                with pytest.raises(Retryable, match="not there yet"):
                    await oidc.identity_of(issuer.token("acme", "read"))
                issuer.answers.clear()
                clock.now_s += 60
                assert await oidc.identity_of(issuer.token("acme", "read")) == ACME
                for path, answer in NONSENSE:
                    old = issuer.token("acme", "read", jti=path)
                    issuer.answers = {path: answer}
                    issuer.rotate(f"{len(issuer.asked)} {clock.now_s}", keep=True)
                    clock.now_s += 60
                    before = issuer.asked[path]
                    with pytest.raises(Unauthenticated):
                        await oidc.identity_of(issuer.token("acme", "read"))
                    assert issuer.asked[path] == before + 1
                    assert await oidc.identity_of(old) == ACME
                    issuer.answers.clear()
                    clock.now_s += 60
                    assert await oidc.identity_of(issuer.token("acme", "read")) == ACME

    asyncio.run(scenario())


def test_keys_are_fetched_again_now_and_then() -> None:
    """A key that was taken back is trusted no longer than that."""

    async def scenario() -> None:
        config: dict[str, Any] = {"refresh_interval_s": 0.05, "refetch_interval_s": 0.05}
        async with issuing() as issuer, trusting(issuer, time.monotonic, **config) as oidc:  # type: ignore[arg-type]
            token = issuer.token("acme", "read")
            assert await oidc.identity_of(token) == ACME
            issuer.rotate("two")
            assert "key" in await turned_away(oidc, token)

    asyncio.run(scenario())


def test_keys_in_a_file_need_no_issuer_and_follow_the_file(tmp_path: Path) -> None:
    """Half a file changes nothing; a file that is not there is an error at the start."""

    async def scenario() -> None:
        issuer = Issuer()
        issuer.url = "https://issuer.example"
        file = tmp_path / "jwks.json"
        options: dict[str, Any] = {"jwks_file": str(file), "refresh_interval_s": 0.05}
        with pytest.raises(ConfigError, match=r"jwks\.json: can't be read"):
            async with trusting(issuer, **options):
                pass
        file.write_text(json.dumps(issuer.document()))
        async with trusting(issuer, **options) as oidc:
            old = issuer.token("acme", "read")
            assert await oidc.identity_of(old) == ACME
            with capture_logs() as lines:
                file.write_text(json.dumps(issuer.document())[:40])
                while not [line for line in lines if line["event"] == "not_reloaded"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert await oidc.identity_of(old) == ACME
            issuer.rotate("two")
            file.write_text(json.dumps(issuer.document()))
            assert "key" in await turned_away(oidc, old)
            assert await oidc.identity_of(issuer.token("acme", "read")) == ACME

    asyncio.run(scenario())


def test_a_token_is_remembered_until_it_expires_and_not_for_ever() -> None:
    """Verified once; a bounded number of them."""

    async def scenario() -> None:
        async with issuing() as issuer, trusting(issuer, cached_tokens_max=2, clock_skew_s=0.0) as oidc:
            short = issuer.token("acme", "read", exp=int(time.time()) + 2)
            for token in [short, *(issuer.token("acme", "read", jti=str(number)) for number in range(5)), short]:
                assert await oidc.identity_of(token) == ACME
                assert len(oidc._verified) <= 2
            assert "expired" in await turned_away(oidc, short)

    asyncio.run(scenario())
