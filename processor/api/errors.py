"""The error bodies of the sessions API: `{"error": {"code", "message", "details"?}}`, whatever went wrong.

Source: SESSIONS_API, "Errors"; codes of AgentMark's error envelope.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from processor.errors import Retryable

_log = structlog.get_logger(__name__)
_CODES = {404: "not_found", 405: "method_not_allowed"}


class ErrorDetail(BaseModel):
    """What went wrong; `details` says why, by parameter."""

    code: str
    message: str
    details: dict[str, str] | None = None


class ErrorBody(BaseModel):
    """The body of every error."""

    error: ErrorDetail


ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ErrorBody, "description": "A parameter that is not understood, by name."},
    401: {"model": ErrorBody, "description": "Nobody says who asks, or it does not hold; see `WWW-Authenticate`."},
    403: {"model": ErrorBody, "description": "Who asks may not do this."},
    404: {"model": ErrorBody, "description": "There is nothing of this name."},
    503: {"model": ErrorBody, "description": "The store can't answer now, or too much is asked at once."},
    "default": {"model": ErrorBody, "description": "Any other error."},
}
"""What OpenAPI says of every route."""


class NotFound(Exception):
    """There is nothing of this name."""


class InvalidPath(Exception):
    """The path can't be read; `details` says what is wrong, by parameter."""

    def __init__(self, details: Mapping[str, str]) -> None:
        super().__init__(str(details))
        self.details = dict(details)


def answer(
    status: int,
    code: str,
    message: str,
    details: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """One error as a response."""
    error: dict[str, object] = {"code": code, "message": message}
    if details:
        error["details"] = dict(details)
    told = {"Retry-After": "1"} if status == 503 else dict(headers or {})
    return JSONResponse({"error": error}, status_code=status, headers=told)


def install_error_handlers(app: FastAPI) -> None:
    """Translate every exception that leaves a handler, ours and the framework's."""
    app.add_exception_handler(RequestValidationError, _invalid_parameters)
    app.add_exception_handler(InvalidPath, _invalid_path)
    app.add_exception_handler(NotFound, lambda _, error: answer(404, "not_found", str(error)))
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(Retryable, _unavailable)
    # Uvicorn logs the traceback.
    app.add_exception_handler(Exception, lambda _, __: answer(500, "internal_error", "Internal error"))


def _invalid_parameters(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    details: dict[str, str] = {}
    for problem in error.errors():
        parameter = ".".join(str(part) for part in problem["loc"][1:]) or "_"
        details.setdefault(parameter, problem["msg"])
    return answer(400, "invalid_query_params", "Invalid query parameters", details)


def _invalid_path(_: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidPath)
    return answer(400, "invalid_path_params", "Invalid path parameters", error.details)


def _unavailable(request: Request, error: Exception) -> Response:
    # The operator reads why; the caller learns nothing of the inside.
    route = getattr(request.scope.get("route"), "path", "")  # not the path, in which ids of sessions stand
    _log.warning("query_failed", route=route, error=str(error), action="the caller may retry; look at the store")
    return answer(503, "service_unavailable", "The store can't answer now; try again in a moment")


def _http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return answer(error.status_code, _CODES.get(error.status_code, "http_error"), str(error.detail))
