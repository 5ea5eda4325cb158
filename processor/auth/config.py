"""Options of authentication: who may, and where it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from processor.auth.identity import Identity, is_tenant
from processor.auth.tokens import HASH_PREFIX, TOKEN_CHARS_MIN, hash_of, is_hash
from processor.errors import ConfigError

Permission: TypeAlias = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """Which extension says who asks. Without it everybody may, as the tenant `default`."""

    authenticator: Literal["bearertokenauth", "oidc"] = field(
        default="bearertokenauth", metadata={"help": "The extension that is asked; it must be defined in extensions."}
    )


@dataclass(frozen=True, slots=True)
class TokenConfig:
    """One token: its hash, or the token itself, by `${env:NAME}` and never in the file."""

    tenant: str = field(metadata={"help": "Whose spans the token sends, and whose rows it reads."})
    permissions: tuple[Permission, ...] = field(metadata={"help": "`read`, `write` or both."})
    hash: str = field(default="", metadata={"help": "As `otel-sessions tokens create` prints it: sha256:..."})
    token: str = field(default="", repr=False, metadata={"help": "The token itself, as ${env:NAME}."})
    name: str = field(default="", metadata={"help": "For people who read the file; nothing depends on it."})

    def __post_init__(self) -> None:
        check_tenant(self.tenant)
        if not self.permissions:
            raise ConfigError("permissions: empty; write read, write or both")
        if bool(self.hash) == bool(self.token):
            raise ConfigError("must have `hash` or `token`, and not both")
        if self.hash and not is_hash(self.hash):
            raise ConfigError(
                f"hash: must be {HASH_PREFIX} and 64 hexadecimal digits; `otel-sessions tokens hash` says it"
            )
        if self.token and len(self.token) < TOKEN_CHARS_MIN:
            raise ConfigError(
                f"token: has fewer than {TOKEN_CHARS_MIN} characters and may be guessed; make one with "
                "`otel-sessions tokens create`"
            )

    @property
    def holder(self) -> tuple[str, Identity]:
        """The token's hash, and who holds it."""
        identity = Identity(self.tenant, "read" in self.permissions, "write" in self.permissions)
        return self.hash or hash_of(self.token), identity


@dataclass(frozen=True, slots=True)
class BearerTokenAuthConfig:
    """Static tokens, each of one tenant: `authenticator: bearertokenauth`."""

    tokens: tuple[TokenConfig, ...] = field(
        default=(), metadata={"help": "Tokens, each with tenant, permissions and hash (or token: ${env:NAME})."}
    )
    filename: str = field(
        default="",
        metadata={"help": "A YAML file with a list `tokens` of the same form, read again when it changes; '' is none."},
    )
    reload_interval_s: float = field(
        default=5.0,
        metadata={"help": "Seconds from one look at that file to the next.", "min": 0.05, "max": 3600},
    )

    def check(self, path: str) -> None:
        """Errors: `ConfigError`, with `path`, the dotted path of this section."""
        if not self.tokens and not self.filename:
            raise ConfigError(f"{path}: no tokens; name some under tokens, or a file under filename")
        check_distinct(self.tokens, f"{path}.tokens")


@dataclass(frozen=True, slots=True)
class TokensFile:
    """What stands in the file that `filename` names. Without `tokens` it is no such file, but half of one."""

    tokens: tuple[TokenConfig, ...] = field(metadata={"help": "A list, [] where nobody may."})


@dataclass(frozen=True, slots=True)
class OidcConfig:
    """JSON Web Tokens of an OpenID Connect issuer: `authenticator: oidc`. Signatures are asymmetric alone."""

    issuer_url: str = field(default="", metadata={"help": "The issuer, exactly as the claim `iss` has it."})
    audience: str = field(default="", metadata={"help": "What the claim `aud` must name."})
    jwks_url: str = field(
        default="",
        metadata={"help": "Where its keys are; '' asks issuer_url/.well-known/openid-configuration."},
    )
    jwks_file: str = field(
        default="", metadata={"help": "A file with the keys, read again when it changes; instead of jwks_url."}
    )
    issuer_ca_path: str = field(
        default="", metadata={"help": "A PEM file with the authority of the issuer's certificate; '' is the system's."}
    )
    tenant_claim: str = field(
        default="tenant",
        metadata={"help": "The claim that names the tenant; dots lead into objects where no claim is called that."},
    )
    permissions_claim: str = field(
        default="permissions",
        metadata={"help": "The claim that names permissions: a list, or words with spaces between; as tenant_claim."},
    )
    read_value: str = field(default="read", metadata={"help": "The word that permits to read; '' permits nobody."})
    write_value: str = field(default="write", metadata={"help": "The word that permits to write; '' permits nobody."})
    clock_skew_s: float = field(
        default=60.0,
        metadata={"help": "Seconds that the issuer's clock may be off.", "min": 0, "max": 600},
    )
    refresh_interval_s: float = field(
        default=300.0,
        metadata={
            "help": "Seconds after which keys are fetched again; a file is looked at.",
            "min": 0.05,
            "max": 86400,
        },
    )
    refetch_interval_s: float = field(
        default=10.0,
        metadata={"help": "Seconds between fetches for keys that are not known, at least.", "min": 0.05, "max": 3600},
    )
    cached_tokens_max: int = field(
        default=10_000,
        metadata={
            "help": "Tokens that are verified once and remembered until they expire.",
            "min": 0,
            "max": 1_000_000,
        },
    )

    def check(self, path: str) -> None:
        """Errors: `ConfigError`, with `path`, the dotted path of this section."""
        for name in ("issuer_url", "audience", "tenant_claim", "permissions_claim"):
            if not getattr(self, name):
                raise ConfigError(f"{path}.{name}: is missing")
        if self.jwks_url and self.jwks_file:
            raise ConfigError(f"{path}: jwks_url and jwks_file are both there; keep one")
        for name, url in (("issuer_url", self.issuer_url), ("jwks_url", self.jwks_url)):
            if url and not url.startswith(("https://", "http://")):
                raise ConfigError(f"{path}.{name}: {url!r} is no address; write https://...")
        if not self.read_value and not self.write_value:
            raise ConfigError(f"{path}: read_value and write_value are empty; nobody may do anything")


def check_tenant(tenant: str) -> None:
    """Errors: `ConfigError` for what no tenant may be called."""
    if not is_tenant(tenant):
        raise ConfigError(
            f"tenant: {tenant[:200]!r} can't be one; write 1 to 128 letters, digits and . _ @ : + / | = ~ -"
        )


def check_distinct(tokens: tuple[TokenConfig, ...], path: str) -> None:
    """Errors: `ConfigError` for a token that stands twice: nobody could say whose it is."""
    seen: dict[str, int] = {}
    for at, token in enumerate(tokens):
        first = seen.setdefault(token.holder[0], at)
        if first != at:
            raise ConfigError(f"{path}[{at}]: the same token as {path}[{first}]; keep one")
