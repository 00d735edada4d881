"""Named bearer tokens.

A token holds 256 random bits, so a plain SHA-256 of it is enough: a slow hash protects secrets that people choose and
that can be guessed, and nobody guesses this one. It is found by its digest, so how long a look-up takes says nothing
about the token itself.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from core.errors import PermanentError
from storage.records.database import RecordsDatabase
from storage.records.tables import tokens
from storage.records.uninterrupted import uninterrupted

PREFIX = "anju_"  # Lets secret scanners, and people, see what was leaked.
RANDOM_BYTES = 32


class TokensAdapter:
    """The API's `Tokens` port on the records database. Everything raises `TemporaryError` when it is away."""

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    async def identify(self, token: str) -> str | None:
        """Return the name behind a token, or ``None`` when it is unknown or revoked."""
        wanted = select(tokens.c.name).where(tokens.c.digest == digest_of(token), tokens.c.revoked_at.is_(None))
        async with self._database.reading() as connection:
            name: str | None = (await connection.execute(wanted)).scalar_one_or_none()
            return name

    @uninterrupted
    async def add(self, name: str, now: datetime) -> str:
        """Create a token for ``name``, returned this once and never shown again. Raises `PermanentError` if taken."""
        token = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
        row = {"digest": digest_of(token), "name": name, "created_at": now}
        async with self._database.writing() as connection:
            try:
                await connection.execute(insert(tokens), row)
            except IntegrityError as error:
                raise PermanentError(f"token {name!r} exists: revoke it first or choose another name") from error
        return token

    async def names(self) -> Sequence[str]:
        """Return the names of the tokens in force, in order."""
        wanted = select(tokens.c.name).where(tokens.c.revoked_at.is_(None)).order_by(tokens.c.name)
        async with self._database.reading() as connection:
            return [str(name) for name in (await connection.execute(wanted)).scalars()]

    @uninterrupted
    async def revoke(self, name: str, now: datetime) -> bool:
        """End the token of ``name``; ``False`` when there is none in force. The name may then be given again."""
        ending = update(tokens).where(tokens.c.name == name, tokens.c.revoked_at.is_(None)).values(revoked_at=now)
        async with self._database.writing() as connection:
            return (await connection.execute(ending)).rowcount > 0


def digest_of(token: str) -> bytes:
    """Return what is kept of ``token``."""
    return hashlib.sha256(token.encode()).digest()
