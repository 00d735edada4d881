"""Silences, maintenance windows and shelved alerts as they stand on the wire, and what their matchers may be."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from alerts import matchers as domain
from alerts.dispatch.model import Suppression, SuppressionKind
from api.problems import InvalidRequest
from api.times import Utc

MATCHERS_LIMIT = 16
_LABELS = ", ".join(f"`{label}`" for label in domain.OFFERED)


class Matcher(BaseModel):
    """One comparison with a label of an alert."""

    model_config = ConfigDict(extra="forbid")

    label: Annotated[str, Field(min_length=1, max_length=64, description=f"One of {_LABELS}.")]
    operator: domain.Operator = Field(
        default=domain.Operator.EQUALS, description="`like` knows `*` for any text; `in` a list separated by commas."
    )
    value: Annotated[str, Field(max_length=1_000, pattern=r"^[^\x00]*$")]

    @classmethod
    def of(cls, matcher: domain.Matcher) -> Self:
        return cls(label=matcher.label, operator=matcher.operator, value=matcher.value)

    def meant(self) -> domain.Matcher:
        """Return the matcher as the domain knows it."""
        return domain.Matcher(self.label, self.value, self.operator)


Matchers = Annotated[list[Matcher], Field(max_length=MATCHERS_LIMIT, description="All of them must hold.")]


class Suppressed(BaseModel):
    """For how long people are not told of which alerts, and why. The record goes on; protected alerts are told."""

    id: str
    kind: SuppressionKind
    in_force: bool = Field(description="Whether it holds now.")
    matchers: list[Matcher]
    starts_at: Utc
    ends_at: Utc
    reason: str
    author: str
    created_at: Utc
    ended_at: Utc | None = Field(description="When somebody ended it before its time.")
    ended_by: str | None

    @classmethod
    def of(cls, kept: Suppression, now: datetime) -> Self:
        return cls(
            id=kept.id,
            kind=kept.kind,
            in_force=kept.starts_at <= now < kept.ends_at and kept.ended_at is None,
            matchers=[Matcher.of(one) for one in kept.matchers],
            starts_at=kept.starts_at,
            ends_at=kept.ends_at,
            reason=kept.reason,
            author=kept.author,
            created_at=kept.created_at,
            ended_at=kept.ended_at,
            ended_by=kept.ended_by,
        )


def meant(matchers: Iterable[Matcher], *, everything: bool) -> tuple[domain.Matcher, ...]:
    """Return ``matchers`` as the domain knows them.

    Raises `InvalidRequest` for one that makes no sense, and where they match every alert without ``everything``.
    """
    found = tuple(matcher.meant() for matcher in matchers)
    for index, matcher in enumerate(found):
        if (expected := domain.objection(matcher)) is not None:
            said = f"{matcher.label} {matcher.operator.value} {matcher.value}"
            raise InvalidRequest(f"body.matchers.{index}", f"never makes sense: {said}", expected)
    if not everything and all(map(_matches_all, found)):
        wanted = "a matcher that narrows, or `everything: true` where that is meant"
        raise InvalidRequest("body.matchers", "this matches every alert there is", wanted)
    return found


def _matches_all(matcher: domain.Matcher) -> bool:
    return matcher.operator is domain.Operator.LIKE and set(matcher.value) == {"*"}
