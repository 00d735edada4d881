"""The last good version of rules and plans, kept and read. On SQLite and PostgreSQL."""

import asyncio

import pytest
from msgspec.structs import replace

from core.configuration import EMERGENCY, PLAN, RULES, GoodConfiguration
from core.errors import TemporaryError
from storage.records import GoodConfigurationsAdapter, RecordsDatabase
from tests.contract.records_cases import START, after

pytestmark = pytest.mark.timeout(60)
TEXTS = {"/etc/anju/b.yaml": "version: 1\nrules: []\n", "/etc/anju/a.yaml": "# 规则 \U0001f6d7\u2028\n"}
GOOD = GoodConfiguration(RULES, TEXTS, START)


async def test_a_version_is_read_as_it_was_kept(records_database: RecordsDatabase) -> None:
    kept = GoodConfigurationsAdapter(records_database)
    assert await kept.newest(RULES) is None
    await kept.keep(GOOD)
    assert await kept.newest(RULES) == GOOD
    assert await kept.newest(PLAN) is None


async def test_a_newer_version_takes_the_place_of_the_one_before(records_database: RecordsDatabase) -> None:
    kept = GoodConfigurationsAdapter(records_database)
    await kept.keep(GOOD)
    newer = GoodConfiguration(RULES, {"a.yaml": "rules"}, after(60))
    other = GoodConfiguration(EMERGENCY, {"e.yaml": "calls"}, after(30))
    await kept.keep(other)
    await kept.keep(newer)
    assert await kept.newest(RULES) == newer
    assert await kept.newest(EMERGENCY) == other


async def test_the_same_again_changes_nothing(records_database: RecordsDatabase) -> None:
    kept = GoodConfigurationsAdapter(records_database)
    await kept.keep(GOOD)
    turned = dict(reversed(TEXTS.items()))
    await kept.keep(GoodConfiguration(RULES, turned, after(60)))
    found = await kept.newest(RULES)
    assert found == GOOD
    assert found.digest == GoodConfiguration(RULES, turned, after(60)).digest


async def test_several_parts_may_keep_at_once(records_database: RecordsDatabase) -> None:
    kept = GoodConfigurationsAdapter(records_database)
    versions = [replace(GOOD, texts={"a.yaml": str(number)}) for number in range(8)]
    await asyncio.gather(*(kept.keep(version) for version in versions))
    assert await kept.newest(RULES) in versions


async def test_a_database_that_is_away_is_a_temporary_error(records_database: RecordsDatabase) -> None:
    kept = GoodConfigurationsAdapter(records_database)
    await records_database.close()
    with pytest.raises(TemporaryError):
        await kept.newest(RULES)
    with pytest.raises(TemporaryError):
        await kept.keep(GOOD)
