"""Which web pages may send spans from a browser: the CORS protocol as pure functions over headers.

Nothing is allowed until origins are configured. Credentials are never allowed: spans need no cookies.
Source: Fetch standard, "CORS protocol"; Collector `confighttp`, `cors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Headers = Sequence[tuple[str, str]]

_ALWAYS_ALLOWED_HEADERS = ("content-type", "content-encoding", "x-requested-with")


class Cors:
    """The configured policy. An origin may hold one `*`, which stands for any characters; `*` alone is everyone."""

    def __init__(self, origins: Sequence[str], headers: Sequence[str], max_age_s: int) -> None:
        self._origins = [origin.lower().partition("*") for origin in origins]
        self._headers = ", ".join(dict.fromkeys((*_ALWAYS_ALLOWED_HEADERS, *(name.lower() for name in headers))))
        self._max_age_s = max_age_s

    def is_preflight(self, method: str, headers: Mapping[str, str]) -> bool:
        """Whether the request asks for permission; an `OPTIONS` that does not is an ordinary wrong method."""
        asks = "origin" in headers and "access-control-request-method" in headers
        return bool(self._origins) and method == "OPTIONS" and asks

    def preflight(self, headers: Mapping[str, str]) -> Headers:
        """Headers of the answer to a preflight; without the permission if the origin has none."""
        origin = self.answer(headers)
        if len(origin) < 2:
            return origin
        return (
            *origin,
            ("access-control-allow-methods", "POST"),
            ("access-control-allow-headers", self._headers),
            ("access-control-max-age", str(self._max_age_s)),
        )

    def answer(self, headers: Mapping[str, str]) -> Headers:
        """Headers that let the page read the answer to this request; none without CORS."""
        if not self._origins:
            return ()
        vary = ("vary", "Origin")  # or a cache would give one page's permission to another
        origin = headers.get("origin")
        if origin is None or not self._is_allowed(origin.lower()):
            return (vary,)
        return (vary, ("access-control-allow-origin", origin), ("access-control-expose-headers", "Retry-After"))

    def _is_allowed(self, origin: str) -> bool:
        for head, star, tail in self._origins:
            if origin == head and not star:
                return True
            if star and len(origin) >= len(head) + len(tail) and origin.startswith(head) and origin.endswith(tail):
                return True
        return False
