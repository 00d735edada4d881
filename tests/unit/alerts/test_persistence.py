"""Doing again what failed for now: growing pauses, one word of it in the figures, and no second try for the rest."""

import pytest

from alerts.persistence import Persistence
from alerts.service import AlertStats
from core.errors import CorruptJournal, PermanentError, TemporaryError


class Attempts:
    """Raises what it is given, one after the other, and then returns 7; ``pauses`` are what was waited for."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.pauses: list[float] = []
        self.details: list[str] = []
        self.stats = AlertStats()

    async def attempt(self) -> int:
        if self.failures:
            raise self.failures.pop(0)
        return 7

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.details.append(self.stats.detail)

    async def persist(self) -> int:
        return await Persistence(self.stats, self.pause)("records.commit", self.attempt)


async def test_what_works_at_once_is_not_waited_for() -> None:
    attempts = Attempts()
    assert await attempts.persist() == 7
    assert (attempts.pauses, attempts.stats.retries, attempts.stats.detail) == ([], 0, "")


async def test_pauses_double_up_to_five_seconds_less_up_to_a_half() -> None:
    attempts = Attempts(*[TemporaryError("away")] * 9)
    assert await attempts.persist() == 7
    longest = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    assert all(most / 2 <= pause <= most for pause, most in zip(attempts.pauses, longest, strict=True))
    assert attempts.stats.retries == 9


async def test_the_figures_say_what_is_in_the_way_and_that_it_is_gone() -> None:
    attempts = Attempts(TemporaryError("disk full"), TemporaryError("locked"))
    await attempts.persist()
    assert attempts.details == ["records.commit: disk full", "records.commit: locked"]
    assert attempts.stats.detail == ""


async def test_what_is_refused_for_good_is_not_tried_again() -> None:
    attempts = Attempts(PermanentError("no"))
    with pytest.raises(PermanentError):
        await attempts.persist()
    assert attempts.pauses == []


@pytest.mark.parametrize(
    ("failure", "worked"), [(None, True), (TemporaryError("away"), False), (TimeoutError(), False)], ids=str
)
async def test_last_words_are_tried_once(failure: Exception | None, worked: bool) -> None:
    attempts = Attempts(*([] if failure is None else [failure]))

    async def attempt() -> None:
        await attempts.attempt()

    assert await Persistence(attempts.stats, attempts.pause).last_words("records.commit", attempt()) is worked
    assert attempts.pauses == []


async def test_a_damaged_journal_is_waited_for_with_its_words() -> None:
    attempts = Attempts(*[CorruptJournal("rescue it")] * 2)
    assert await attempts.persist() == 7
    assert attempts.details == ["records.commit: rescue it"] * 2
