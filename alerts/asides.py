"""Which rules take a message that does not say how things are now, and as what: by its arrival, or as late. Pure.

A message taken by its arrival counts as said now. A late one is for the rules that ask for it (``late``), for those
that wait for an event, and for the twins that tell of it (`alerts.late`). An event that came in the wrong order within
seconds is not late: it counts for every rule that can tell which of two events is the newer one.
"""

from collections.abc import Callable, Sequence

import msgspec

from alerts import clocks
from alerts.clocks import Verdict
from alerts.late import LateRule
from alerts.memory import Microseconds
from alerts.parts import remembered
from alerts.posts import REORDERED, Post
from alerts.sites import Site
from alerts.trees import Leaves
from core.clock import to_microseconds
from core.devices import Channel
from core.observations import Observation

Taken = list[tuple[Sequence[Post], Observation]]
"""Posts, and the message as they take it, in the order of their steps."""
_Question = Callable[[LateRule, Leaves, Observation], bool]


def asides(site: Site, observation: Observation, verdict: Verdict, now: Microseconds) -> Taken:
    """Return who takes ``observation`` as what; keep what is to be restored if it proves to have been stored."""
    states, telemetry = site.device.state.rules, observation.channel is Channel.TELEMETRY
    posts = site.roster.telemetry if telemetry else site.roster.event
    age = now - to_microseconds(observation.at)
    arrival = verdict is Verdict.ARRIVAL
    counted = (
        [post for post in site.counting_by_arrival(posts) if not _is_known(site, post, observation)] if arrival else []
    )
    reordered = arrival and not (telemetry or observation.late)
    in_order = [post for post in posts if reordered and post.tells_late and post not in counted]
    in_order = [post for post in in_order if not _knows_end(site, post, observation)]
    late = [
        post
        for post in posts
        if post.late is None and post not in counted and post not in in_order
        if post.takes_late(observation, age) or (reordered and post.takes_reordered and age <= REORDERED)
    ]
    if arrival:
        clocks.keep_before(site.device.state, [post.id for post in counted if not post.takes_late(observation, age)])
    silences = [post for post in site.roster.silences if post.silence and post.id in states]
    arrived = msgspec.structs.replace(observation, at=observation.received_at, late=False) if arrival else observation
    as_late = msgspec.structs.replace(observation, late=True, reordered=reordered and age <= REORDERED)
    told = {post.rule.id for post in (*counted, *in_order)}
    # Only because the clock is known to be wrong: an event counts, and the signals that it is asked after.
    events_only = [post for post in counted if not (post.rule.counts_by_arrival or post.absence)]
    twins = [post for post in posts if post.late is not None and _is_told(site, post, observation, age)]
    return [
        ([*silences, *(post for post in counted if post not in events_only)], arrived),
        (events_only, msgspec.structs.replace(arrived, reordered=True)),
        (in_order, msgspec.structs.replace(observation, reordered=True)),
        (late, as_late),
        ([post for post in twins if post.rule.id in told], msgspec.structs.replace(observation, late=False)),
        ([post for post in twins if post.rule.id not in told], as_late),
    ]


def _is_told(site: Site, post: Post, observation: Observation, age: Microseconds) -> bool:
    """Tell whether a twin looks at ``observation``: at events, and at readings proven to be of the gap."""
    if post.late is None or age > (post.rule.policy.max_late or 0):
        return False
    if observation.channel is not Channel.TELEMETRY:
        return post.late.concerns(observation)
    # What was heard before the gap was evaluated then.
    state = site.device.state
    return post.late.reads and observation.late and to_microseconds(observation.at) > state.gap_from


def _is_known(site: Site, post: Post, observation: Observation) -> bool:
    """Tell whether ``observation`` repeats an event that began something before: it is a replay of history.

    A clock that stands still stamps different events alike. So the device must have shown that its clock moves.
    """
    if not post.tells_late or observation.channel is not Channel.EVENT:
        return False
    own = site.device.state
    moves = (own.track is not None and own.track.right) or any(
        newest is not None and newest > observation.at for newest in (own.newest_event, own.newest_telemetry)
    )
    return moves and _asked(site, post, observation, LateRule.knows)


def _knows_end(site: Site, post: Post, observation: Observation) -> bool:
    """Tell whether the twin of ``post`` knows that what ``observation`` begins has ended since."""
    return _asked(site, post, observation, LateRule.knows_end)


def _asked(site: Site, post: Post, observation: Observation, question: _Question) -> bool:
    """Ask the twin of ``post`` about the part of the device that ``observation`` is about."""
    twin = site.roster.posts.get(post.rule.late_key)
    state = site.device.state.rules.get(post.rule.late_key)
    if twin is None or twin.late is None or state is None:
        return False
    leaves = remembered(state, observation.body)
    return leaves is not None and question(twin.late, leaves, observation)
