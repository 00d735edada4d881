"""An estate of known truth, and how rules do in it.

Rules of the built-in pack look at one device each, so every world is replayed by itself, in as many processes as
wanted; what they decided is then put together in the order of time, and the notification desk sees the whole estate.
"""

import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from alerts.dispatch.plan import Plan
from alerts.inventory import DeviceFacts, Inventory
from alerts.rules import Rule
from alerts.rules.checks import compares_devices
from alerts.scoring.figures import MONTH, Scored
from alerts.scoring.judging import Judgement, judged
from alerts.scoring.replay import Replayed, raised, replay
from alerts.scoring.truth import Disturbance, KnownIncident, Margins, Subject, Truth
from app.corpus import Received, entries, write_facts, write_messages
from app.score import decoder
from core.devices import DeviceKey
from tests.quality.gates import gate_worlds
from tests.quality.lifts import lift_gateways, lift_worlds
from tests.quality.model import Message, Span, World
from tests.quality.sheds import shed_worlds

ZONE = "Asia/Shanghai"
# A Monday, at midnight in Shanghai.
BEGINS = datetime(2026, 6, 29, 16, tzinfo=UTC)


class Size(Struct, frozen=True):
    """How many machines there are."""

    lifts: int = 20
    gates: int = 6
    sheds: int = 4


class Estate(Struct, frozen=True):
    """One estate over a span; ``seed`` decides everything else."""

    seed: int
    span: Span
    size: Size = Size()

    def worlds(self) -> Iterator[World]:
        """Yield the worlds of all devices, none of which has begun."""
        seed, size, span = self.seed, self.size, self.span
        lifts = lift_worlds(seed, size.lifts, span), lift_gateways(seed, size.lifts, span)
        yield from chain(*lifts, gate_worlds(seed, size.gates, span), shed_worlds(seed, size.sheds, span))

    def facts(self) -> dict[DeviceKey, DeviceFacts]:
        """Return what people told of the devices."""
        return {world.station.device: world.station.facts for world in self.worlds()}


class Lived(Struct):
    """What came of some worlds: what the engine decided, and the truth."""

    replayed: Replayed
    incidents: list[KnownIncident]
    disturbances: list[Disturbance]

    def add(self, other: "Lived") -> None:
        """Take in what came of other worlds."""
        self.replayed.add(other.replayed)
        self.incidents += other.incidents
        self.disturbances += other.disturbances


def days(count: float, begins: datetime = BEGINS) -> Span:
    """Return a span of ``count`` days."""
    return Span(begins, timedelta(days=count))


def live(rules: Sequence[Rule], world: World, inventory: Inventory, span: Span) -> Lived:
    """Let ``world`` pass up to the end of ``span``, and return what ``rules`` made of what came within it."""
    messages = received(world.messages, span)
    replayed = replay(rules, inventory, entries(messages), decoder(ZONE), span.until)
    return Lived(replayed, *truth_of(world, span))


def received(messages: Iterable[Message], span: Span) -> Iterator[Received]:
    """Yield what is received within ``span``."""
    for one in messages:
        if one.received_at >= span.until:
            return
        if one.received_at >= span.since:
            yield Received(one.received_at, one.topic, one.payload)


def truth_of(world: World, span: Span) -> tuple[list[KnownIncident], list[Disturbance]]:
    """Return the truth of a world whose messages are exhausted.

    Where nothing else explains a false alert, it may be for the way in which the device sends.
    """
    incidents = [_as(KnownIncident, each) for each in world.incidents]
    cause, device = f"nothing known ({world.station.pace})", world.station.device.path
    otherwise = Disturbance(cause=cause, device=device, began=span.since - MONTH, ended=span.until)
    return incidents, [otherwise, *(_as(Disturbance, each) for each in world.disturbances)]


_Known = TypeVar("_Known", KnownIncident, Disturbance)


def _as(kind: type[_Known], known: Struct) -> _Known:
    fields = msgspec.structs.asdict(known)
    return msgspec.convert({**fields, "device": fields["device"].path}, kind)


def judgement_of(rules: Sequence[Rule], world: World, subjects: dict[str, Subject], span: Span) -> Judgement:
    """Return which alerts of one world are true, and what was found of its incidents; nobody is told."""
    station = world.station
    lived = live(rules, world, Inventory({station.device: station.facts}, 1), span)
    return judged(truth_for(span, lived, subjects), raised(lived.replayed.transitions), ())


def score(
    estate: Estate, rules: Sequence[Rule], subjects: dict[str, Subject], plan: Plan, processes: int = 1
) -> Scored:
    """Return how ``rules`` do in ``estate``."""
    if any(map(compares_devices, rules)):
        raise ValueError("a rule compares devices: write the estate down (`export`) and use `anju rules score`")
    lived = _lived(estate, rules, processes)
    facts, span = estate.facts(), estate.span
    truth = truth_for(span, lived, subjects)
    return Scored(rules, list(facts), Inventory(facts, 1), plan, truth, lived.replayed)


def truth_for(span: Span, lived: Lived, subjects: dict[str, Subject]) -> Truth:
    """Return the truth of ``span``, with the incidents that began in it."""
    return Truth(
        since=span.since,
        until=span.until,
        zone=ZONE,
        incidents=[each for each in lived.incidents if each.began < span.until],
        disturbances=lived.disturbances,
        subjects=subjects,
        margins=Margins(),
    )


def _lived(estate: Estate, rules: Sequence[Rule], processes: int) -> Lived:
    lived = Lived(Replayed(), [], [])
    shares = [(estate, rules, first, processes) for first in range(processes)]
    if processes == 1:
        parts: Iterable[Lived] = map(_share, shares)
    else:
        # Each process makes its own worlds: what is to pass between them is what came of it, not the messages.
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            parts = pool.map(_share, shares)
    for part in parts:
        lived.add(part)
    return lived


def _share(share: tuple[Estate, Sequence[Rule], int, int]) -> Lived:
    """Let every so-manieth world pass, beginning with the ``first``."""
    estate, rules, first, step = share
    inventory = Inventory(estate.facts(), 1)
    lived = Lived(Replayed(), [], [])
    for world in islice(estate.worlds(), first, None, step):
        lived.add(live(rules, world, inventory, estate.span))
    return lived


def export(estate: Estate, folder: Path, subjects: dict[str, Subject]) -> int:
    """Write ``estate`` into a new ``folder``, as a corpus for `anju rules score`; return how many messages it holds."""
    folder.mkdir(parents=True)
    worlds = list(estate.worlds())
    # An order of worlds for messages of one instant, so that nothing hangs on what they say.
    streams = (received(world.messages, estate.span) for world in worlds)
    count = write_messages(folder, merge(*streams, key=lambda one: one.received_at))
    lived = Lived(Replayed(), [], [])
    for world in worlds:
        lived.add(Lived(Replayed(), *truth_of(world, estate.span)))
    write_facts(folder, estate.facts(), truth_for(estate.span, lived, subjects))
    return count
