"""A real process that commits as a notification desk, as fast as it can, until it is killed: `python -m … URL`.

Every commit moves the sequence by one, ends the desk's own alert of the commit before and begins the next, tells of it,
and puts two messages into the outbox. It prints each sequence once `commit` has returned.
"""

import asyncio
import sys

from storage.records import DeskRecordsAdapter, RecordsDatabase
from tests.contract.records_cases import after, fired, resolved
from tests.contract.records_desk_cases import desk_commit, intent, note


async def commit_for_ever(url: str) -> None:
    database = RecordsDatabase(url)
    await database.open()
    desk = DeskRecordsAdapter(database)
    sequence = (await desk.load()).sequence
    while True:
        sequence += 1
        own = f"a{sequence}"
        ending = [resolved(f"a{sequence - 1}", after(sequence))] if sequence > 1 else []
        decided = desk_commit(
            sequence,
            sequence - 1,
            states={"counter": str(sequence).encode()},
            intents=[intent(f"n{sequence}-{receiver}", receiver=receiver, alerts=[own]) for receiver in ("duty", "li")],
            notes=[note(own)],
            transitions=[*ending, *fired(own, after(sequence))],
        )
        await desk.commit(decided)
        sys.stdout.write(f"{sequence}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(commit_for_ever(sys.argv[1]))
