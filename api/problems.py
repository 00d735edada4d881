"""Every error as one body, ``application/problem+json`` (RFC 9457), with what was expected where a request is wrong."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Self

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from core.errors import Conflict, PermanentError, TemporaryError

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2
# RFC 9110's names; Python's own changed with version 3.13, and a problem's type must not.
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
_TEXT_LIMIT = 500
_VALUE_LIMIT = 100
_ERRORS_LIMIT = 20


class FieldProblem(BaseModel):
    """One thing that is wrong with a request."""

    location: str = Field(description="Where: `query.since`, `path.kind`, `body.text`, `header.Last-Event-ID`.")
    message: str = Field(description="What is wrong, with the value as received (cut short).")
    expected: str = Field(description="What would have been accepted.")


class Problem(BaseModel):
    """A problem body as of RFC 9457."""

    type: str = Field(description="Stable name of the sort of problem, to switch on: `urn:anju:problem:…`.")
    title: str = Field(description="The sort of problem in words, the same each time.")
    status: int = Field(description="The HTTP status code.")
    detail: str = Field(description="What happened this time.")
    instance: str = Field(description="The path of the request.")
    errors: list[FieldProblem] | None = Field(default=None, description="What is wrong with the request, by place.")


class InvalidRequest(Exception):
    """A request is well-formed but asks for what cannot be; becomes a 422 that names the place, or places."""

    def __init__(self, location: str, message: str, expected: str) -> None:
        super().__init__(message)
        self.problems = [FieldProblem(location=location, message=shortened(message), expected=shortened(expected))]

    def beside(self, others: Iterable["InvalidRequest"]) -> Self:
        """Return this one with what ``others`` say added."""
        self.problems = [*self.problems, *(problem for other in others for problem in other.problems)]
        return self


class NamedProblem(Exception):
    """A problem with a ``type`` of its own, made of ``title``: clients tell it from others of the same status."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.title = status, title


def shortened(text: str, limit: int = _TEXT_LIMIT) -> str:
    """Cut ``text`` to ``limit`` characters, and make it encodable: hostile input may hold lone surrogates."""
    printable = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return printable if len(printable) <= limit else printable[: limit - 1] + "…"


def problem_response(
    request: Request,
    status: int,
    detail: str,
    *,
    title: str = "",
    errors: list[FieldProblem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return ``status`` as a problem body; ``title`` names one that is more than its status."""
    phrase = title or _TITLES.get(status) or HTTPStatus(status).phrase
    body = Problem(
        type=f"urn:anju:problem:{phrase.lower().replace(' ', '-')}",
        title=phrase,
        status=status,
        detail=shortened(detail),
        instance=shortened(request.url.path),
        errors=errors,
    )
    return Response(body.model_dump_json(exclude_none=True), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make ``app`` answer every error with a problem body."""
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(InvalidRequest, _on_invalid)
    app.add_exception_handler(NamedProblem, _on_named)
    app.add_exception_handler(TemporaryError, _on_temporary)
    app.add_exception_handler(Conflict, _on_conflict)
    app.add_exception_handler(PermanentError, _on_permanent)
    app.add_exception_handler(Exception, _on_anything)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what Starlette promises, told to the type checker
    return problem_response(request, error.status_code, error.detail, headers=error.headers)


async def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    found = [_field_problem(one) for one in error.errors()[:_ERRORS_LIMIT]]
    return _unprocessable(request, found)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidRequest)  # noqa: S101 - as above
    return _unprocessable(request, error.problems[:_ERRORS_LIMIT])


async def _on_named(request: Request, error: Exception) -> Response:
    assert isinstance(error, NamedProblem)  # noqa: S101 - as above
    return problem_response(request, error.status, str(error), title=error.title)


async def _on_temporary(request: Request, error: Exception) -> Response:
    return problem_response(request, 503, str(error), headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


async def _on_conflict(request: Request, error: Exception) -> Response:
    return problem_response(request, 409, str(error))


async def _on_permanent(request: Request, error: Exception) -> Response:
    return problem_response(request, 400, str(error))


async def _on_anything(request: Request, error: Exception) -> Response:
    # The request's border: Starlette raises the error again after this answer, so the server logs it with its trace.
    return problem_response(request, 500, f"a fault of the service, recorded there ({type(error).__name__})")


def _unprocessable(request: Request, found: list[FieldProblem]) -> Response:
    places = ", ".join(one.location for one in found)
    return problem_response(request, 422, f"the request cannot be used as it is: {places}", errors=found)


def _field_problem(error: Mapping[str, Any]) -> FieldProblem:
    location = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    if "input" in error and error["type"] != "missing":
        message = f"{message}; got {shortened(repr(error['input']), _VALUE_LIMIT)}"
    return FieldProblem(location=shortened(location), message=shortened(message), expected=_expected(error))


_WORDS = {
    "ge": "at least",
    "gt": "above",
    "le": "at most",
    "lt": "below",
    "min_length": "length at least",
    "max_length": "length at most",
    "pattern": "matching",
    "expected": "one of",
    "error": "",
}


def _expected(error: Mapping[str, Any]) -> str:
    """Say what pydantic would have taken, from the context it gives with each sort of error."""
    if error["type"] == "missing":
        return "a value"
    context = error.get("ctx") or {}
    stated = [f"{_WORDS[name]} {value}".strip() for name, value in context.items() if name in _WORDS]
    return shortened(", ".join(stated) or str(error["type"]).removesuffix("_parsing").removesuffix("_type"))
