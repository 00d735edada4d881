"""Signed-in browsers. What a browser keeps holds 256 random bits: as for tokens, its plain SHA-256 is enough."""

from datetime import datetime

from sqlalchemy import delete, insert, select, update

from storage.records.database import RecordsDatabase
from storage.records.tables import sessions, tokens
from storage.records.tokens import digest_of
from storage.records.uninterrupted import uninterrupted

_kept = sessions.c


class SessionsAdapter:
    """The API's `SessionRecords` port on the records database. Everything raises `TemporaryError` when it is away."""

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    @uninterrupted
    async def begin(self, session: bytes, token: str, now: datetime, forgotten: datetime) -> None:
        """Keep a session of ``token``, used ``now``; those last used at ``forgotten`` or before are deleted."""
        row = {"digest": session, "token": digest_of(token), "last_used_at": now}
        replaced = (_kept.last_used_at <= forgotten) | (_kept.digest == session)
        async with self._database.writing() as connection:
            await connection.execute(delete(sessions).where(replaced))
            await connection.execute(insert(sessions), row)

    async def find(self, session: bytes) -> tuple[str, datetime] | None:
        """Return the name of its token and its last use; ``None`` without a session or with a revoked token."""
        of_token = (tokens.c.digest == _kept.token) & tokens.c.revoked_at.is_(None)
        wanted = select(tokens.c.name, _kept.last_used_at).join(tokens, of_token).where(_kept.digest == session)
        async with self._database.reading() as connection:
            row = (await connection.execute(wanted)).one_or_none()
            # A last use that cannot be read ends the session: its owner signs in again.
            return None if row is None or not isinstance(row.last_used_at, datetime) else (row.name, row.last_used_at)

    @uninterrupted
    async def used(self, session: bytes, now: datetime) -> None:
        """Keep ``now`` as its last use; an earlier instant than the one kept changes nothing."""
        newer = update(sessions).where(_kept.digest == session, _kept.last_used_at < now).values(last_used_at=now)
        async with self._database.writing() as connection:
            await connection.execute(newer)

    @uninterrupted
    async def end(self, session: bytes) -> None:
        """Delete it; where there is none nothing changes."""
        async with self._database.writing() as connection:
            await connection.execute(delete(sessions).where(_kept.digest == session))
