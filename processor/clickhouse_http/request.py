"""What one HTTP request asks for. Pure: reads the URL, headers and body, and decides nothing.

Source: ClickHouse documentation, "HTTP Interface"; `src/Server/HTTPHandler.cpp`, `HTMLForm.cpp`.
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote

from processor.clickhouse_http.errors import BAD_ARGUMENTS, NOT_IMPLEMENTED, QueryError

PARAMETERS_MAX: Final = 10_000
_ID_CHARS_MAX: Final = 256
_OWN_TEXT: Final = """
    query query_id database default_format user password quota_key session_id session_timeout session_check
    session_close role compress decompress buffer_size wait_end_of_query http_wait_end_of_query
    enable_http_compression http_zlib_compression_level send_progress_in_http_headers
    http_headers_progress_interval_ms cancel_http_readonly_queries_on_client_close client_protocol_version
    add_http_cors_header log_queries log_comment http_response_buffer_size http_response_headers
    http_native_compression_disable_checksumming_on_decompress http_write_exception_in_output_format
"""
_OWN: Final = frozenset(_OWN_TEXT.split())
"""Parameters that speak to the interface, not to the engine. What sessions, progress and roles ask for is ignored."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who says that they ask. The password is a token, which says whose rows are read; the user says nothing."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """A query and how to answer it. `parameters` are the values of `{name:Type}`, `settings` those of the engine."""

    query: bytes
    query_id: str
    database: str
    default_format: str
    parameters: Mapping[str, str]
    settings: Mapping[str, str]
    accept_encoding: str
    compress: bool
    wait_end_of_query: bool


def parse_request(query_string: bytes, headers: Mapping[str, str], body: bytes) -> Request:
    """Put the parts of a request together; `headers` by lowercase name, `body` without any encoding.

    Errors: `QueryError` 36 for what can't be read, 48 for external tables.
    """
    url = parsed_url(query_string)
    content = headers.get("content-type", "")
    if content.lower().startswith("multipart/form-data"):
        form = _form(content, body)
        url, body = {**url, **{name: _text(value) for name, value in form.items() if name != "query"}}, b""
        head = url.get("query", "").encode() + form.get("query", b"")
    else:
        head = url.get("query", "").encode()
    return Request(
        query=head + b"\n" + body if head and body else head or body,
        query_id=_query_id(url.get("query_id", "")),
        database=url.get("database", "") or headers.get("x-clickhouse-database", ""),
        default_format=url.get("default_format", "") or headers.get("x-clickhouse-format", ""),
        parameters={name[6:]: value for name, value in url.items() if name.startswith("param_")},
        settings={name: value for name, value in url.items() if name not in _OWN and not name.startswith("param_")},
        accept_encoding=headers.get("accept-encoding", "") if _is_on(url, "enable_http_compression", "1") else "",
        compress=_is_on(url, "compress"),
        wait_end_of_query=_is_on(url, "wait_end_of_query") or _is_on(url, "http_wait_end_of_query"),
    )


def parsed_url(query_string: bytes) -> dict[str, str]:
    """The parameters of a URL; of one that stands twice, the first.

    Errors: `QueryError` 36 for too many of them.
    """
    try:
        pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=PARAMETERS_MAX)
    except ValueError as error:
        raise QueryError(BAD_ARGUMENTS, f"The URL can't be read: {error}") from None
    return dict(reversed(pairs))


def is_decompress(url: Mapping[str, str]) -> bool:
    """Whether the body is in ClickHouse's own frames."""
    return _is_on(url, "decompress")


def _is_on(url: Mapping[str, str], name: str, default: str = "0") -> bool:
    return url.get(name, default).lower() in ("1", "true")


def _query_id(given: str) -> str:
    # It goes back in a header.
    return quote(given[:_ID_CHARS_MAX], safe=" !#$&'()*+,/:;=?@[]{}|^~`<>") or str(uuid.uuid4())


def credentials_of(url: Mapping[str, str], headers: Mapping[str, str]) -> Credentials:
    """The credentials of a request, known before its body: by `Authorization`, else by header, else in the URL.

    Errors: `QueryError` 36 for a header that can't be read.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return Credentials("", token.strip())
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(token, validate=True).decode("utf-8", "replace").partition(":")
        except binascii.Error:
            raise QueryError(BAD_ARGUMENTS, "The Authorization header can't be read") from None
        return Credentials(user, password)
    user = headers.get("x-clickhouse-user") or url.get("user") or "default"
    return Credentials(user, headers.get("x-clickhouse-key") or url.get("password") or "")


def _form(content_type: str, body: bytes) -> dict[str, bytes]:
    """The fields of a `multipart/form-data` body (RFC 7578)."""
    found = re.search(r'boundary="?([^";]{1,70})"?', content_type)
    if found is None:
        raise QueryError(BAD_ARGUMENTS, "The form has no boundary")
    parts = (b"\r\n" + body).split(b"\r\n--" + found.group(1).encode("latin-1"), PARAMETERS_MAX)
    if len(parts) < 2 or len(parts) > PARAMETERS_MAX:
        raise QueryError(BAD_ARGUMENTS, "The form can't be read")
    fields: dict[str, bytes] = {}
    for part in parts[1:]:
        if part.startswith(b"--"):
            return fields
        head, separator, value = part.partition(b"\r\n\r\n")
        name = re.search(rb'[; ]name="([^"]*)"', head)
        if not separator or name is None:
            raise QueryError(BAD_ARGUMENTS, "A field of the form can't be read")
        if b"filename=" in head:
            raise QueryError(NOT_IMPLEMENTED, "External tables are not supported; write the values into the query")
        fields.setdefault(name.group(1).decode("utf-8", "replace"), value)
    raise QueryError(BAD_ARGUMENTS, "The form is truncated")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
