"""From when until when: an end given as an instant or as a length."""

from datetime import datetime, timedelta

from pydantic import BaseModel, Field

from api.problems import InvalidRequest
from api.times import Instant, Window

LONGEST = timedelta(days=366)


class Span(BaseModel):
    """From when until when; exactly one of `ends_at` and `for` says the end."""

    starts_at: Instant | None = Field(default=None, description="Now where it is left out.")
    ends_at: Instant | None = None
    lasting: Window | None = Field(default=None, alias="for", description="In place of `ends_at`: 30m, 2h, 1d.")

    def chosen(self, now: datetime) -> tuple[datetime, datetime]:
        """Return both ends; raises `InvalidRequest` where it is over at ``now`` or longer than a year."""
        starts_at = self.starts_at or now
        ends_at = chosen_end(starts_at, self.ends_at, self.lasting, until_name="ends_at")
        place = "body.ends_at" if self.lasting is None else "body.for"
        check_length(starts_at, ends_at, LONGEST, place)
        if ends_at <= now:
            raise InvalidRequest(place, f"over since {ends_at.isoformat()}", f"an end after {now.isoformat()}")
        return starts_at, ends_at


def chosen_end(begin: datetime, until: datetime | None, lasting: timedelta | None, *, until_name: str) -> datetime:
    """Return the end that exactly one of ``until`` and ``lasting`` (the body's ``for``) gives, after ``begin``.

    ``until_name`` is what the body calls the first of them. Raises `InvalidRequest`.
    """
    if (until is None) == (lasting is None):
        found = "neither" if until is None else "both"
        raise InvalidRequest(f"body.{until_name}", f"{found} given", f"`{until_name}` or `for`, one of the two")
    end = until if until is not None else _later(begin, lasting or timedelta())
    if end <= begin:
        raise InvalidRequest(f"body.{until_name}", f"{end.isoformat()} is over at once", f"after {begin.isoformat()}")
    return end


def check_length(begin: datetime, end: datetime, longest: timedelta, place: str) -> None:
    """Raise `InvalidRequest` where ``end`` is more than ``longest`` after ``begin``."""
    if end - begin > longest:
        raise InvalidRequest(place, f"{end.isoformat()} is too far away", f"at most {longest.days} days")


def _later(begin: datetime, lasting: timedelta) -> datetime:
    try:
        return begin + lasting
    except OverflowError:
        raise InvalidRequest("body.for", f"{lasting.days} days is too long", "an end before the year 9999") from None
