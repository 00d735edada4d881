"""Whether a commit of calls fits what is stored. Pure: the databases and the twin ask the same questions."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from core.errors import Stale
from emergency.model import Call
from emergency.ports import CallCommit, Followed

Opening = tuple[str, bool]
"""A place's key, and whether it is a drill: one call at a time is open there."""


class Submission(Struct, frozen=True):
    """What is stored whole or not at all."""

    commits: tuple[CallCommit, ...]
    followed: Followed | None = None


class Standing(Struct, frozen=True):
    """As much of what is stored as a submission is judged by."""

    versions: dict[str, int]
    """By call; one that is not there is at 0."""
    open_calls: dict[Opening, str]
    keys: frozenset[str]
    followed: int


def opening_of(call: Call) -> Opening:
    return call.place.key, call.drill


def judge(standing: Standing, submission: Submission) -> Standing:
    """Return how things stand once ``submission`` is stored; raises `Stale` where it does not fit."""
    for commit in submission.commits:
        standing = _judge_one(standing, commit)
    followed = submission.followed
    if followed is None:
        return standing
    if followed.before != standing.followed:
        raise Stale(f"timelines were followed up to {standing.followed}, expected {followed.before}")
    return replace(standing, followed=followed.sequence)


def judge_all(
    standing: Standing, submissions: Sequence[Submission]
) -> tuple[list[Submission], dict[int, Stale], Standing]:
    """Return those that fit one after another, the refusals of the others by their place, and how things stand then."""
    fitting, refused = [], {}
    for place, submission in enumerate(submissions):
        try:
            standing = judge(standing, submission)
        except Stale as stale:
            refused[place] = stale
        else:
            fitting.append(submission)
    return fitting, refused, standing


def _judge_one(standing: Standing, commit: CallCommit) -> Standing:
    call, opening = commit.call, opening_of(commit.call)
    stored = standing.versions.get(call.id, 0)
    if stored != call.version - 1:
        raise Stale(f"call {call.id} stands at version {stored}, expected {call.version - 1}")
    if call.open and (other := standing.open_calls.get(opening, call.id)) != call.id:
        raise Stale(f"call {other} is open at {call.place.key} already")
    if commit.key and commit.key in standing.keys:
        raise Stale("the idempotency key was used before")
    return Standing(
        versions={**standing.versions, call.id: call.version},
        open_calls=_opened(standing.open_calls, opening, call),
        keys=standing.keys | {commit.key} if commit.key else standing.keys,
        followed=standing.followed,
    )


def _opened(open_calls: dict[Opening, str], opening: Opening, call: Call) -> dict[Opening, str]:
    if call.open:
        return {**open_calls, opening: call.id}
    return {one: its_id for one, its_id in open_calls.items() if its_id != call.id}
