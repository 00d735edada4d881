"""A real process that appends as fast as it can, until it is killed: `python -m … FILE SEED`.

Batches of random length, with some messages given twice; every line says the last position and the numbers of the
messages that `append` has said are durable. Now and then it trims, as ingest does.
"""

import random
import sys
from datetime import timedelta
from pathlib import Path

from core.clock import SystemClock
from storage.journal.sqlite import SqliteJournal
from tests.contract.journal_cases import messages


def append_for_ever(path: Path, seed: int) -> None:
    chance = random.Random(seed)
    journal = SqliteJournal(path)
    journal.open()
    # Numbers that nobody else uses, so that only what is given twice on purpose is a duplicate.
    number = seed * 1_000_000
    clock = SystemClock()
    while True:
        numbers = list(range(number, number := number + chance.randint(1, 300)))
        again = chance.sample(numbers, k=len(numbers) // 10)
        now = clock.now()
        last = journal.append(messages([*numbers, *again], at=now))
        sys.stdout.write(f"{last} {numbers[0]} {numbers[-1]}\n")
        sys.stdout.flush()
        if chance.random() < 0.1:
            journal.trim(older_than=now - timedelta(days=1), beyond_bytes=None)


if __name__ == "__main__":
    append_for_ever(Path(sys.argv[1]), int(sys.argv[2]))
