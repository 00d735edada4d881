"""Answers other than success, as the contract documents them."""

from typing import Any

from api.problems import MEDIA_TYPE

Responses = dict[int | str, dict[str, Any]]
_BODY = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def problem_answer(description: str) -> dict[str, Any]:
    """Return an answer that is a problem body."""
    return {"description": description, "content": _BODY}


ANY: Responses = {"default": problem_answer("Any other problem.")}
NOT_FOUND: Responses = {404: problem_answer("There is no such thing.")}
CONFLICT: Responses = {409: problem_answer("The thing does not stand as this needs it; `detail` says how it does.")}
TOO_LARGE: Responses = {413: problem_answer("The body is too large.")}
GUARDED: Responses = {
    401: problem_answer("No token and no session, or one that is unknown, revoked or over.")
    | {"headers": {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "`Bearer`"}}},
    403: problem_answer("A session's cookie came with a request that no page of ours made."),
    422: problem_answer("Something in the request cannot be used; `errors` says where and what is expected."),
    503: problem_answer("A part that is needed is away; try again.")
    | {"headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}},
    **ANY,
}
