"""A real process that commits as fast as it can, until it is killed: `python -m … URL`.

Every commit moves the position by one, ends the alert of the commit before and begins its own. It prints each position
once `commit` has returned.
"""

import asyncio
import sys

from storage.records import AlertRecordsAdapter, RecordsDatabase
from tests.contract.records_cases import after, commit, fired, raised, resolved, seen


async def commit_for_ever(url: str) -> None:
    database = RecordsDatabase(url)
    await database.open()
    engine = AlertRecordsAdapter(database)
    position = (await engine.load()).position
    while True:
        position += 1
        ending = [resolved(f"a{position - 1}", after(position))] if position > 1 else []
        steps = [*ending, *fired(f"a{position}", after(position))]
        states: dict[str, bytes | None] = {"counter": str(position).encode()}
        faults = [raised(after(position))]
        await engine.commit(commit(position, states=states, transitions=steps, faults=faults, sightings=[seen()]))
        sys.stdout.write(f"{position}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(commit_for_ever(sys.argv[1]))
