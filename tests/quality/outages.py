"""Outages that a world needs for its truth: a link that is down while a battery burns or a code is entered."""

from collections.abc import Sequence
from datetime import timedelta

from msgspec import structs

from tests.quality.links import Link, Outage, merge_outages
from tests.quality.model import Span


def outage(span: Span, began: float, ended: float, stores: int) -> Outage:
    """Return an outage from second ``began`` to ``ended`` of the span."""
    return Outage(span.since + timedelta(seconds=began), span.since + timedelta(seconds=ended), stores)


def with_outages(link: Link, needed: Sequence[Outage]) -> Link:
    """Return ``link`` with the outages that are ``needed``; those of its own that meet them make way."""
    own = [each for each in link.outages if not any(_meet(each, other) for other in needed)]
    return structs.replace(link, outages=merge_outages(*own, *needed))


def _meet(one: Outage, other: Outage) -> bool:
    return one.began <= other.ended and other.began <= one.ended
