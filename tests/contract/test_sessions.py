"""Sign-in sessions: what the port promises, on SQLite, on PostgreSQL and in memory."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pytest

from api.ports import SessionRecords, Tokens
from storage.records import RecordsDatabase, SessionsAdapter, TokensAdapter, upgrade
from tests.contract.records_cases import START, after
from tests.contract.records_fixtures import DATABASES, url_of
from tests.unit.api.twins import SessionsTwin, TokensTwin

pytestmark = pytest.mark.timeout(60)
DESK, PHONE = b"d" * 32, bytes(range(32))


class RevocableTokens(Tokens, Protocol):
    """Tokens, and the command that ends one."""

    async def revoke(self, name: str, now: datetime, /) -> bool: ...


@dataclass
class Kept:
    """Sessions, beside the tokens they belong to."""

    sessions: SessionRecords
    elsewhere: SessionRecords
    """The same records in another process."""
    tokens: RevocableTokens


@pytest.fixture(params=[*DATABASES, "memory"])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    if request.param == "memory":
        tokens = TokensTwin()
        twin = SessionsTwin(tokens)
        yield Kept(twin, twin, tokens)
        return
    url = url_of(request.param, request, tmp_path)
    await upgrade(url)
    database, other = RecordsDatabase(url), RecordsDatabase(url)
    await database.open()
    await other.open()
    yield Kept(SessionsAdapter(database), SessionsAdapter(other), TokensAdapter(database))
    await other.close()
    await database.close()


async def test_a_session_is_found_in_every_process_under_the_name_of_its_token(kept: Kept) -> None:
    token = await kept.tokens.add("lan", START)
    await kept.sessions.begin(DESK, token, after(1), START)
    await kept.sessions.begin(PHONE, token, after(2), START)
    assert await kept.elsewhere.find(DESK) == ("lan", after(1))
    assert await kept.elsewhere.find(PHONE) == ("lan", after(2))
    assert await kept.sessions.find(b"nobody") is None


async def test_beginning_may_be_repeated(kept: Kept) -> None:
    token = await kept.tokens.add("lan", START)
    await kept.sessions.begin(DESK, token, after(1), START)
    await kept.sessions.begin(DESK, token, after(2), START)
    assert await kept.sessions.find(DESK) == ("lan", after(2))


async def test_the_newest_use_is_kept(kept: Kept) -> None:
    token = await kept.tokens.add("lan", START)
    await kept.sessions.begin(DESK, token, after(1), START)
    await kept.sessions.used(DESK, after(60))
    await kept.elsewhere.used(DESK, after(59))
    assert await kept.sessions.find(DESK) == ("lan", after(60))
    await kept.sessions.used(b"nobody", after(60))
    assert await kept.sessions.find(b"nobody") is None


async def test_a_session_ends_once_and_alone(kept: Kept) -> None:
    token = await kept.tokens.add("lan", START)
    await kept.sessions.begin(DESK, token, START, after(-1))
    await kept.sessions.begin(PHONE, token, START, after(-1))
    for _ in range(2):
        await kept.elsewhere.end(DESK)
        assert await kept.sessions.find(DESK) is None
    await kept.sessions.used(DESK, after(1))
    assert await kept.sessions.find(DESK) is None
    assert await kept.sessions.find(PHONE) == ("lan", START)


async def test_a_revoked_token_takes_its_sessions_along_and_no_others(kept: Kept) -> None:
    lan, wang = await kept.tokens.add("lan", START), await kept.tokens.add("wang", START)
    await kept.sessions.begin(DESK, lan, START, after(-1))
    await kept.sessions.begin(PHONE, wang, START, after(-1))
    assert await kept.tokens.revoke("lan", after(1))
    assert await kept.sessions.find(DESK) is None
    assert await kept.sessions.find(PHONE) == ("wang", START)
    await kept.tokens.add("lan", after(2))
    assert await kept.sessions.find(DESK) is None


async def test_what_has_expired_is_deleted_when_another_begins(kept: Kept) -> None:
    token = await kept.tokens.add("lan", START)
    for second, session in enumerate((b"a", b"b", b"c")):
        await kept.sessions.begin(session, token, after(second), after(-1))
    await kept.sessions.begin(DESK, token, after(9), after(1))
    assert [await kept.sessions.find(session) is not None for session in (b"a", b"b", b"c")] == [False, False, True]
