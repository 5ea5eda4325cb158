"""Fetches an issuer's keys over HTTP. Must never follow a redirect, or read more than a set of keys can have.

Source: OpenID Connect Discovery 1.0, 4.
"""

from __future__ import annotations

import ssl
from typing import Any, Final

import httpx
import orjson

from processor.auth.config import OidcConfig
from processor.errors import ConfigError, Retryable

_TIMEOUT_S: Final = 10.0
_BYTES_MAX: Final = 1024 * 1024
_WELL_KNOWN: Final = "/.well-known/openid-configuration"


class Discovery:
    """The way to one issuer. `close` it."""

    def __init__(self, config: OidcConfig) -> None:
        """Errors: `ConfigError` for an authority that can't be read."""
        self._config = config
        self._client = httpx.AsyncClient(timeout=_TIMEOUT_S, verify=_trusted(config.issuer_ca_path))

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()

    async def keys(self) -> bytes:
        """The issuer's JWKS document.

        Errors: `Retryable` when it does not answer as an issuer does; the message says what is wrong.
        """
        url = self._config.jwks_url or await self._jwks_uri()
        return await self._fetched(url)

    async def _jwks_uri(self) -> str:
        url = self._config.issuer_url.rstrip("/") + _WELL_KNOWN
        try:
            found: Any = orjson.loads(await self._fetched(url))
        except orjson.JSONDecodeError as error:
            raise Retryable(f"{url}: is no JSON: {error}") from None
        issuer = found.get("issuer") if isinstance(found, dict) else None
        if issuer != self._config.issuer_url:
            raise Retryable(
                f"{url}: is of the issuer {issuer!r}; write that into oidc.issuer_url, if it is the right one"
            )
        uri = found.get("jwks_uri")
        if not isinstance(uri, str) or not uri.startswith(("https://", "http://")):
            raise Retryable(f"{url}: has no jwks_uri; name it with oidc.jwks_url")
        if url.startswith("https://") and not uri.startswith("https://"):
            raise Retryable(f"{url}: its jwks_uri {uri} is not https, though the issuer is")
        return uri

    async def _fetched(self, url: str) -> bytes:
        content = b""
        try:
            async with self._client.stream("GET", url, headers={"accept": "application/json"}) as response:
                if response.status_code != httpx.codes.OK:
                    raise Retryable(f"{url}: answered {response.status_code}")
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > _BYTES_MAX:
                        raise Retryable(f"{url}: its answer is larger than {_BYTES_MAX} bytes")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Retryable(f"{url}: does not answer: {error or type(error).__name__}") from error
        return content


def _trusted(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise ConfigError(f"oidc.issuer_ca_path: {ca_file}: can't be read: {error.strerror or error}") from error
