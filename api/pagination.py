"""Pages: an opaque cursor that says where the next one begins."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from api.problems import InvalidRequest

DEFAULT_LIMIT = 50
MAXIMUM_LIMIT = 500
BIGGEST_NUMBER = 2**63 - 1  # What a signed 64-bit column holds.

Item = TypeVar("Item")
Row = TypeVar("Row")
Model = TypeVar("Model", bound=BaseModel)

Limit = Annotated[int, Query(ge=1, le=MAXIMUM_LIMIT, description="How many items at most.")]
Cursor = Annotated[
    str | None, Query(max_length=400, description="`next_cursor` of the page before; leave out for the first page.")
]


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next_cursor: str | None = Field(description="Give it as `cursor` to get the next page; null on the last one.")


def make_cursor(listing: str, key: str | int) -> str:
    """Return a cursor to what follows ``key`` in ``listing``."""
    return base64.urlsafe_b64encode(f"{listing}:{key}".encode()).rstrip(b"=").decode()


def read_cursor(listing: str, cursor: str | None) -> str | None:
    """Return the key in ``cursor``; raises `InvalidRequest` for one that we did not make for ``listing``."""
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        raise _unknown_cursor(cursor) from None
    name, found, key = text.partition(":")
    if name != listing or not found or "\0" in key:
        raise _unknown_cursor(cursor)
    return key


def read_number_cursor(listing: str, cursor: str | None) -> int | None:
    """As `read_cursor`, where keys are numbers."""
    key = read_cursor(listing, cursor)
    if key is None:
        return None
    if not (key.isascii() and key.isdigit() and len(key) <= 19 and int(key) <= BIGGEST_NUMBER):
        raise _unknown_cursor(str(cursor))
    return int(key)


def page(
    listing: str, rows: Sequence[Row], limit: int, key_of: Callable[[Row], str | int], show: Callable[[Row], Model]
) -> Page[Model]:
    """Return ``rows``, of which one more than ``limit`` were asked for, as a page."""
    shown = rows[:limit]
    more = make_cursor(listing, key_of(shown[-1])) if len(rows) > limit else None
    return Page(items=[show(row) for row in shown], next_cursor=more)


def _unknown_cursor(cursor: str) -> InvalidRequest:
    return InvalidRequest("query.cursor", f"unknown cursor {cursor[:100]!r}", "`next_cursor` of the same list")
