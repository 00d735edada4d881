"""10,000 random, truncated and hostile messages: no crash, and every one accounted for."""

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from core.observations import Incoming, Observation, RejectionReason
from ingest.points import points_of
from ingest.ports import Journal
from storage.journal.sqlite import SqliteJournal
from storage.memory.journal import MemoryJournal
from tests.unit.ingest.entries import DECODER, LIFT, message
from tests.unit.ingest.writing import ScriptedStore, Writing, ledger, running

CASES = Path(__file__).parents[2] / "cases" / "native"
COUNT = 10_000
HOSTILE = [
    b"",
    b"\x00",
    b"null",
    b"[" * 50_000,
    b'{"a":' * 10_000,
    b'"\\ud800"',
    b'{"at":"2026-03-01T08:00:00Z","seq":1e999}',
    b'{"at":"2026-03-01T08:00:00Z","seq":' + b"9" * 5_000 + b"}",
    b'{"at":"0001-01-01T00:00:00+23:59"}',
    b'{"at":"2026-03-01T08:00:00Z","floor":"\\u0000"}',
    b'{"at":"2026-03-01T08:00:00Z","vendor":"' + b"x" * 60_000 + b'"}',
    b"x" * 70_000,
]
SHED = "anju/v1/demo/thermal/shed-1/telemetry"
# Sound, but the store below cannot say it: line protocol has no way to end a tag with a backslash.
REFUSED = b'{"at":"2026-03-01T08:00:00Z","regions":[{"region":"rack\\\\","maximum_celsius":%d}]}'


def sent() -> list[tuple[str, bytes]]:
    return [
        ((case / "topic.txt").read_text().rstrip("\n"), (case / "payload.json").read_bytes())
        for case in sorted(CASES.iterdir())
    ]


def numbered(payload: bytes, number: int) -> bytes:
    """Return ``payload`` with a running number, so that few of the sound ones are duplicates."""
    return re.sub(rb'"seq":\s*\d+,', b"", payload).replace(b"{", b'{"seq":%d,' % number, 1)


def spoil(payload: bytes, chance: random.Random) -> bytes:
    """Return ``payload`` cut off, with bytes changed, with a value changed, or as it was."""
    match chance.randrange(4):
        case 0:
            return payload[: chance.randrange(len(payload) + 1)]
        case 1:
            spoiled = bytearray(payload)
            for _ in range(chance.randrange(1, 4)):
                spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
            return bytes(spoiled)
        case 2:
            try:
                document = json.loads(payload)
                document[chance.choice(list(document))] = chance.choice([None, "", "\n", -1, 10**30, [], {}, True])
            except (ValueError, TypeError, IndexError):
                return payload
            return json.dumps(document).encode()
    return payload


def messages(seed: int) -> list[Incoming]:
    chance = random.Random(seed)
    cases = [(topic, payload) for topic, payload in sent() if payload]
    made = []
    for number in range(COUNT):
        topic, payload = chance.choice(cases)
        match chance.randrange(10):
            case 0:
                payload = chance.randbytes(chance.randrange(200))
            case 1:
                payload = chance.choice(HOSTILE)
            case 2:
                topic = chance.choice(["", "/", "anju", LIFT.upper(), LIFT + "/x", "anju/v1/🛗/elevator/a/event"])
            case 3:
                topic, payload = SHED, REFUSED % chance.randrange(2_000)
            case _:
                payload = spoil(numbered(payload, number), chance)
        made.append(message(topic, payload))
    return made


def on_disk(folder: Path) -> Journal:
    journal = SqliteJournal(folder / "journal.sqlite")
    journal.open()
    return journal


@pytest.mark.parametrize("make", [lambda _: MemoryJournal(), on_disk], ids=["memory", "sqlite"])
async def test_every_message_is_accounted_for(make: Callable[[Path], Journal], tmp_path: Path) -> None:
    journal, store = make(tmp_path), ScriptedStore(refuses=lambda point: "\\" in point.part)
    incoming = messages(seed=20260301)
    for start in range(0, COUNT, 500):
        journal.append(incoming[start : start + 500])
    writing = Writing(journal, store)
    async with running(writing):
        await writing.settled()
    received, stored, duplicate, rejected = ledger(journal)
    assert received == COUNT == stored + duplicate + rejected
    quarantine = journal.quarantine(None, COUNT)
    assert len(quarantine) == rejected
    assert Counter(one.reason for one in quarantine).keys() == set(RejectionReason)
    aside = {one.position for one in quarantine}
    entries = [entry for entry in journal.read(0, COUNT) if not entry.duplicate and entry.position not in aside]
    assert len(entries) == stored > 500
    # Counted as stored, and really there.
    for entry in entries:
        outcome = DECODER(entry)
        assert isinstance(outcome, Observation)
        assert all(store.has(point) for point in points_of(outcome))
    journal.close()
