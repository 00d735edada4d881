"""Parameters that the routes of emergency calls share."""

from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import AfterValidator, Field

from api.parameters import WORD_PATTERN, Community, Since, Until, check_order
from api.words import worded
from core.wire.topics import WORD
from emergency.model import CallFilter, CallState, Source

LIFT = rf"^{WORD.pattern}/elevator/{WORD.pattern}$"
CALL_ID = r"^[\w-]{1,64}$"
CallId = Annotated[str, Path(pattern=CALL_ID, description="The call's `id`.")]
_LINE = r"^[^\x00-\x1f\x7f]*$"

LiftPath = Annotated[str, Field(pattern=LIFT, description="`community/elevator/device`.")]
PointId = Annotated[str, Field(pattern=CALL_ID, description="A call point's `id`.")]
CommunityWord = Annotated[str, Field(pattern=WORD_PATTERN)]
Line = Annotated[str, Field(max_length=200, pattern=_LINE)]
"""One line that may be empty."""
PhoneNumber = Annotated[str, Field(pattern=r"^(\+?[0-9][0-9 -]{1,20})?$", description="A number to dial, or empty.")]
Named = Annotated[str, Field(min_length=1, max_length=200, pattern=_LINE), AfterValidator(worded)]
"""Names a person or a firm."""
People = Annotated[int, Field(ge=0, le=100, description="People in the car.")]
Lift = Annotated[str | None, Query(pattern=LIFT, description="Only this lift: `community/elevator/device`.")]


def _call_filter(
    *,
    open: Annotated[bool | None, Query(description="Only calls that want somebody, or only closed ones.")] = None,  # noqa: A002 - the word the field and the query use
    state: Annotated[CallState | None, Query(description="Only this state.")] = None,
    community: Community = None,
    lift: Lift = None,
    contractor: Annotated[str | None, Query(max_length=200, pattern=_LINE, description="Only this contractor.")] = None,
    source: Annotated[Source | None, Query(description="Only calls that came in this way.")] = None,
    drill: Annotated[bool | None, Query(description="Only drills, or none.")] = None,
    since: Since = None,
    until: Until = None,
) -> CallFilter:
    check_order(since, until)
    return CallFilter(open, state, community, lift, contractor, source, drill, since, until)


MatchingCalls = Annotated[CallFilter, Depends(_call_filter)]
