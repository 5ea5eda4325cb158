"""Static tokens: what is kept of them, who holds them, and what a configuration of them is told."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from processor.auth.authenticator import CREDENTIAL_CHARS_MAX, bearer_token, only_authorization
from processor.auth.bearer_tokens import read_tokens
from processor.auth.identity import Identity, is_tenant
from processor.auth.tokens import TokenTable, hash_of, is_hash, new_token
from processor.config import Config, read_config
from processor.errors import ConfigError, Unauthenticated

ACME = Identity("acme", may_read=True, may_write=False)
LONG = "x" * 40


def test_a_token_is_long_new_each_time_and_kept_as_its_hash() -> None:
    """256 random bits; the hash is SHA-256 of the text, in hexadecimal."""
    tokens = {new_token() for _ in range(50)}
    assert len(tokens) == 50
    assert all(token.startswith("ots_") and len(token) == 47 for token in tokens)
    assert hash_of(LONG) == f"sha256:{hashlib.sha256(LONG.encode()).hexdigest()}"
    assert is_hash(hash_of(LONG))
    assert not is_hash(hash_of(LONG).upper())


def test_only_the_token_itself_finds_its_holder() -> None:
    """Not its hash, not a part of it, not another one, and nothing at all in an empty table."""
    token = new_token()
    table = TokenTable([(hash_of(token), ACME), (hash_of(new_token()), Identity("other", True, True))])
    assert table.holder_of(token) == ACME
    for wrong in (hash_of(token), token[:-1], token + " ", token.lower(), "", new_token(), "\udcff"):
        with pytest.raises(Unauthenticated) as error:
            table.holder_of(wrong)
        assert not wrong or wrong not in str(error.value)
    with pytest.raises(Unauthenticated):
        TokenTable([]).holder_of(token)


@pytest.mark.parametrize("header", ["Bearer t0ken", "bearer t0ken", "BEARER   t0ken  "])
def test_a_bearer_token_is_read_in_any_case(header: str) -> None:
    """RFC 7235: the scheme has no case."""
    assert bearer_token(header) == "t0ken"


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic dDp0", "t0ken", f"Bearer {'x' * (CREDENTIAL_CHARS_MAX + 1)}"]
)
def test_another_header_is_nobody(header: str | None) -> None:
    """And what it said is not repeated."""
    with pytest.raises(Unauthenticated) as error:
        bearer_token(header)
    assert "dDp0" not in str(error.value)


def test_of_two_authorization_headers_none_is_believed() -> None:
    """A proxy might have checked the other one."""
    assert only_authorization([]) is None
    assert only_authorization(["Bearer a"]) == "Bearer a"
    with pytest.raises(Unauthenticated, match="more than once"):
        only_authorization(["Bearer a", "Bearer a"])


@pytest.mark.parametrize("name", ["default", "acme", "auth0|5f7", "a@b.example", "org/team:1", "x" * 128])
def test_a_tenant_may_be_called_that(name: str) -> None:
    """As issuers name organisations."""
    assert is_tenant(name)


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a'b", 'a"b', "a\nb", "a\x00b", "a`b", "a\\b", "ä", "x" * 129, "acme\n"]
)
def test_a_tenant_may_not_be_called_that(name: str) -> None:
    """Nothing that has a meaning in SQL, headers, labels or logs."""
    assert not is_tenant(name)


def refusal(text: str, **environment: str) -> str:
    """Why a configuration is refused."""
    with pytest.raises(ConfigError) as error:
        read_config(text, environment)
    return str(error.value)


def tokens(entry: str) -> str:
    """A configuration with one token."""
    return f"extensions: {{bearertokenauth: {{tokens: [{{{entry}}}]}}}}"


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (f"permissions: [read], hash: '{hash_of(LONG)}'", r"tokens[0].tenant: is missing"),
        (f"tenant: acme, hash: '{hash_of(LONG)}'", r"tokens[0].permissions: is missing"),
        (f"tenant: acme, permissions: [], hash: '{hash_of(LONG)}'", "permissions: empty"),
        (f"tenant: acme, permissions: [admin], hash: '{hash_of(LONG)}'", "permissions[0]: 'admin' is not allowed"),
        (f"tenant: 'a b', permissions: [read], hash: '{hash_of(LONG)}'", "tenant: 'a b' can't be one"),
        ("tenant: acme, permissions: [read]", "must have `hash` or `token`"),
        ("tenant: acme, permissions: [read], hash: 'sha256:12'", "64 hexadecimal digits"),
    ],
)
def test_an_entry_that_is_wrong_is_told_what_and_where(entry: str, why: str) -> None:
    """By its place in the list."""
    found = refusal(tokens(entry))
    assert found.startswith("extensions.bearertokenauth")
    assert why in found


@pytest.mark.parametrize("token", ["'hunter2-secret'", "123456789012", "[hunter2]"])
def test_a_token_that_is_wrong_is_not_repeated(token: str) -> None:
    """Messages end in logs and tickets."""
    found = refusal(tokens(f"tenant: acme, permissions: [read], token: {token}"))
    assert "token" in found
    assert not any(secret in found for secret in ("hunter2", "123456789012"))


def test_a_token_may_come_from_the_environment_and_shows_in_no_repr() -> None:
    """It is kept as its hash; what prints a configuration prints no token."""
    config = read_config(tokens("tenant: acme, permissions: [write], token: '${env:INGEST}'"), {"INGEST": LONG})
    assert config.extensions.bearertokenauth is not None
    (token,) = config.extensions.bearertokenauth.tokens
    assert token.holder == (hash_of(LONG), Identity("acme", may_read=False, may_write=True))
    assert LONG not in repr(config)


def test_the_same_token_may_not_have_two_holders() -> None:
    """However it is written."""
    by_hash = f"{{tenant: a, permissions: [read], hash: '{hash_of(LONG)}'}}"
    entries = f"{by_hash}, {{tenant: b, permissions: [read], token: {LONG}}}"
    assert "tokens[1]: the same token as" in refusal(f"extensions: {{bearertokenauth: {{tokens: [{entries}]}}}}")


@pytest.mark.parametrize("content", [b"", b"{}", b"tokens: {}", b"tokens: [1]", b"tokens: [", b"\xff", b"token: []"])
def test_half_a_file_of_tokens_is_no_file_of_no_tokens(content: bytes) -> None:
    """A file that is being written must not take everybody's token back."""
    with pytest.raises(ConfigError):
        read_tokens(content)
    assert read_tokens(b"tokens: []") == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("extensions: {bearertokenauth: {}}", "extensions.bearertokenauth: no tokens"),
        ("extensions: {oidc: {}}", "extensions.oidc.issuer_url: is missing"),
        ("extensions: {oidc: {issuer_url: 'https://i'}}", "extensions.oidc.audience: is missing"),
        ("extensions: {oidc: {issuer_url: 'ftp://i', audience: a}}", "is no address"),
        ("extensions: {oidc: {issuer_url: 'https://i', audience: a, jwks_url: 'https://j', jwks_file: f}}", "keep one"),
        (
            "extensions: {sessions_api: {auth: {}}}",
            "extensions.sessions_api.auth.authenticator: 'bearertokenauth' is not",
        ),
        ("extensions: {clickhouse_http: {auth: {authenticator: oidc}}}", "define extensions.oidc"),
        ("receivers: {otlp: {protocols: {grpc: {auth: {}}}}}", "receivers.otlp.protocols.grpc.auth.authenticator"),
        ("receivers: {otlp: {protocols: {http: {auth: {authenticator: basic}}}}}", "'basic' is not allowed here"),
        ("receivers: {otlp: {protocols: {grpc: {tls: }}}}", "receivers.otlp.protocols.grpc.tls.cert_file: is missing"),
        ("extensions: {health_check: {tls: {cert_file: c}}}", "extensions.health_check.tls.key_file: is missing"),
        (
            "receivers: {otlp: {protocols: {grpc: {tls: {cert_file: c, key_file: k, min_version: '1.3'}}}}}",
            "can't be enforced",
        ),
    ],
)
def test_what_is_half_said_is_refused(text: str, why: str) -> None:
    """A port that was meant to be closed must not open because a word is missing."""
    assert why in refusal(text)


def test_the_examples_of_the_documentation_are_read() -> None:
    """Each block of YAML in docs/authentication.md is a configuration, and closes what it says it closes."""
    page = Path(__file__).parents[2] / "docs" / "authentication.md"
    blocks = re.findall(r"^```yaml\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    read = [read_config(block, {"ACME_TOKEN": LONG}) for block in blocks]
    asking = [{port.name: port.auth.authenticator for port in config.ports if port.auth} for config in read]
    assert asking == [
        {"grpc": "bearertokenauth", "sessions_api": "bearertokenauth", "clickhouse_http": "bearertokenauth"},
        {"sessions_api": "oidc"},
    ]


def test_nothing_said_is_no_authentication_and_no_tls() -> None:
    """A local run works as it is."""
    assert all(port.auth is None and port.tls is None for port in Config().ports)
