"""Asks the REST API of a running process, and says what to do when it does not answer.

Must never follow a redirect or ask another process than the one that was named.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final, Self
from urllib.parse import quote

import httpx
import typer

from processor.cli.credentials import headers_of, trust_of
from processor.cli.exits import ApiError, NotFound, Unreachable
from processor.cli.options import Process

TIMEOUT_S: Final = 60.0

_NOT_PLAIN: Final = (".", "..", "stats")  # as a part of a path they are a way up, or another route


def path_of(template: str, *ids: str) -> str:
    """A path with ids where the template has `{}`; they may hold any character."""
    return template.format(*(_encoded(identifier) for identifier in ids))


class Api:
    """One process. A context manager: its connection is kept from request to request.

    Errors of every method: `Unreachable`, `NotFound`, `ApiError`; a usage error at once for files that can't be used.
    """

    def __init__(self, process: Process, timeout_s: float = TIMEOUT_S) -> None:
        self._url = process.url
        self._client = httpx.Client(timeout=timeout_s, headers=headers_of(process), verify=trust_of(process))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **parameters: object) -> Any:
        """The JSON of `GET url/path`; parameters of None are left out."""
        return self._json("GET", path, parameters)

    def delete(self, path: str) -> Any:
        """The JSON of `DELETE url/path`."""
        return self._json("DELETE", path, {})

    def stream(self, path: str, media_type: str, **parameters: object) -> Iterator[bytes]:
        """The body of `GET url/path` as it comes, if it is of that type."""
        with self._translated():
            request = self._request("GET", path, parameters)
            response = self._client.send(request, stream=True)
            with contextlib.closing(response):
                if not response.is_success:
                    response.read()
                    self._raise(response, self._body(response))
                if response.headers.get("content-type", "").partition(";")[0] != media_type:
                    raise ApiError(f"{self._url} can't write {media_type}: it is older than this command; update it")
                yield from response.iter_bytes()

    def _json(self, method: str, path: str, parameters: dict[str, object]) -> Any:
        with self._translated():
            response = self._client.send(self._request(method, path, parameters))
        body = self._body(response)
        if not response.is_success:
            self._raise(response, body)
        return body

    def _request(self, method: str, path: str, parameters: dict[str, object]) -> httpx.Request:
        address = f"{self._url.rstrip('/')}/{path}"
        query = {name: _text(value) for name, value in parameters.items() if value is not None}
        return self._client.build_request(method, address, params=query)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise typer.BadParameter(f"{self._url!r}: {error}; write http://host:port", param_hint="--url") from error
        except httpx.RemoteProtocolError as error:
            raise Unreachable(f"{self._url} broke off its answer ({error}); try again") from error
        except httpx.TimeoutException as error:
            raise Unreachable(f"no answer from {self._url} in time; narrow the request, or try again") from error
        except httpx.TransportError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise Unreachable(
                    f"{self._url} has a certificate that is not trusted here ({error}); name its authority with "
                    "--ca-file"
                ) from error
            raise Unreachable(
                f"no answer from {self._url} ({error}); start the process with 'otel-sessions run', or name another "
                "with --url or OTEL_SESSIONS_URL"
            ) from error

    def _body(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError as error:
            raise ApiError(f"{self._url} is not the API of otel-sessions; check --url and OTEL_SESSIONS_URL") from error

    def _raise(self, response: httpx.Response, body: Any) -> None:
        problem = body.get("error") if isinstance(body, dict) else None
        if not isinstance(problem, dict):
            raise ApiError(
                f"{self._url} answered {response.status_code} and is not the API of otel-sessions; check --url"
            )
        if problem.get("code") == "not_found":
            raise NotFound(f"{self._url}: {problem.get('message')}")
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise ApiError(
                f"{self._url}: {problem.get('message')}; give a token with OTEL_SESSIONS_TOKEN or --token-file"
            )
        details = "; ".join(f"{name}: {text}" for name, text in problem.get("details", {}).items())
        told = f"{self._url} answered {response.status_code}: {details or problem.get('message')}"
        raise (Unreachable if response.status_code == httpx.codes.SERVICE_UNAVAILABLE else ApiError)(told)


def _encoded(identifier: str) -> str:
    if identifier in _NOT_PLAIN:
        return "".join(f"%{byte:02X}" for byte in identifier.encode())
    return quote(identifier, safe="")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
