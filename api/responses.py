"""Answers other than success, as the contract documents them."""

from typing import Any

from api.problems import MEDIA_TYPE

Responses = dict[int | str, dict[str, Any]]
_BODY = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": _BODY}


ANY: Responses = {"default": _problem("Any other problem.")}
NOT_FOUND: Responses = {404: _problem("There is no such thing.")}
CONFLICT: Responses = {409: _problem("The thing does not stand as this needs it; `detail` says how it does.")}
TOO_LARGE: Responses = {413: _problem("The body is too large.")}
GUARDED: Responses = {
    401: _problem("No token, or one that is unknown or revoked.")
    | {"headers": {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "`Bearer`"}}},
    422: _problem("Something in the request cannot be used; `errors` says where and what is expected."),
    503: _problem("A part that is needed is away; try again.")
    | {"headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}},
    **ANY,
}
