"""Errors as a ClickHouse server tells them: code, name, text, HTTP status.

Source: ClickHouse `src/Common/ErrorCodes.cpp`, `src/Server/HTTP/exceptionCodeToHTTPStatus.cpp`.
"""

from __future__ import annotations

import re
from typing import Final

READONLY: Final = (164, "READONLY")
ACCESS_DENIED: Final = (497, "ACCESS_DENIED")
AUTHENTICATION_FAILED: Final = (516, "AUTHENTICATION_FAILED")
BAD_ARGUMENTS: Final = (36, "BAD_ARGUMENTS")
NOT_IMPLEMENTED: Final = (48, "NOT_IMPLEMENTED")
SYNTAX_ERROR: Final = (62, "SYNTAX_ERROR")
UNKNOWN_FORMAT: Final = (73, "UNKNOWN_FORMAT")
UNKNOWN_COMPRESSION_METHOD: Final = (89, "UNKNOWN_COMPRESSION_METHOD")
UNKNOWN_SETTING: Final = (115, "UNKNOWN_SETTING")
INCORRECT_DATA: Final = (117, "INCORRECT_DATA")
TIMEOUT_EXCEEDED: Final = (159, "TIMEOUT_EXCEEDED")
TOO_MANY_SIMULTANEOUS_QUERIES: Final = (202, "TOO_MANY_SIMULTANEOUS_QUERIES")
SOCKET_TIMEOUT: Final = (209, "SOCKET_TIMEOUT")
NETWORK_ERROR: Final = (210, "NETWORK_ERROR")
QUERY_IS_TOO_LARGE: Final = (223, "QUERY_IS_TOO_LARGE")
TOO_MANY_ROWS_OR_BYTES: Final = (396, "TOO_MANY_ROWS_OR_BYTES")
SETTING_CONSTRAINT_VIOLATION: Final = (452, "SETTING_CONSTRAINT_VIOLATION")
UNKNOWN_EXCEPTION: Final = (1002, "UNKNOWN_EXCEPTION")

_STATUS: Final = {
    401: (194,),  # REQUIRED_PASSWORD
    403: (192, 193, 497, 512, 516),
    400: (6, 7, 15, 25, 26, 27, 36, 38, 41, 43, 44, 53, 62, 72, 117, 168, 427, 441, 467, 675, 676),
    404: (46, 47, 50, 56, 60, 63, 73, 78, 81, 106, 115, 336, 511),
    408: (159,),
    411: (381,),
    413: (223,),
    415: (677,),
    501: (48,),
    503: (76, 209, 210, 439),
}
_STATUS_OF: Final = {code: status for status, codes in _STATUS.items() for code in codes}
_MESSAGE: Final = re.compile(r"Code: (\d+)\. (?:DB::Exception: )?(.*)", re.DOTALL)
_NAME: Final = re.compile(r"\(([A-Z][A-Z0-9_]+)\)\s*$")
_VERSION: Final = re.compile(r"\s*\(version [^()]*(?:\([^()]*\))?\)")
_TEXT_CHARS_MAX: Final = 8_192


class QueryError(Exception):
    """A query that fails, or is refused. `text` has neither code nor name; `challenge` asks for credentials."""

    def __init__(self, error: tuple[int, str], text: str, challenge: str = "") -> None:
        super().__init__(text)
        self.code, self.name = error
        self.text = text
        self.challenge = challenge

    @property
    def status(self) -> int:
        """The HTTP status a server answers with."""
        if self.challenge:
            return 401
        return _STATUS_OF.get(self.code, 500)

    def body(self, version: str) -> str:
        """The text of the response, in one line that clients take apart."""
        return f"Code: {self.code}. DB::Exception: {self.text} ({self.name}) (version {version})\n"


def engine_error(error: BaseException) -> QueryError:
    """What the engine raised, taken apart: `Code: 60. DB::Exception: text. (UNKNOWN_TABLE)`, perhaps nested."""
    message = _VERSION.sub("", str(error))
    found = _MESSAGE.search(message)
    if found is None:
        return QueryError(UNKNOWN_EXCEPTION, message.strip()[:_TEXT_CHARS_MAX] or type(error).__name__)
    code, text = int(found.group(1)), found.group(2).strip()
    nested = _MESSAGE.match(text)
    if nested is not None and int(nested.group(1)) == code:
        text = nested.group(2).strip()
    name = ""
    while (end := _NAME.search(text)) is not None:
        name, text = name or end.group(1), text[: end.start()].rstrip()
    return QueryError((code, name or "UNKNOWN"), text[:_TEXT_CHARS_MAX])
