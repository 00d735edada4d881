"""The codes that stand on the controllers of lifts.

They are short and chosen by people, so a slow salted hash keeps them: whoever steals the database has to try each code
of each lift by itself.
"""

import asyncio
import hashlib
import hmac
import secrets
from datetime import datetime

from sqlalchemy import select

from emergency.model import KeptCode
from storage.records.call_tables import controller_codes
from storage.records.database import RecordsDatabase
from storage.records.statements import upsert_into
from storage.records.uninterrupted import uninterrupted

SALT_BYTES = 16
# 16 MB and some 50 ms for each try (RFC 7914 names these for interactive use).
_COST, _BLOCK, _LANES = 1 << 14, 8, 1


class ControllerCodesAdapter:
    """`api.call_ports.ControllerCodes` on the records database. Everything raises `TemporaryError` when it is away."""

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    @uninterrupted
    async def set_code(self, path: str, code: str, actor: str, now: datetime) -> None:
        """Keep ``code`` for the lift ``path``, in place of its former one."""
        salt = secrets.token_bytes(SALT_BYTES)
        digest = await asyncio.to_thread(_digest, code, salt)
        row = {"salt": salt, "digest": digest, "author": actor, "at": now}
        async with self._database.writing() as connection:
            insert = upsert_into(connection, controller_codes)
            newest = {name: insert.excluded[name] for name in row}
            keeping = insert.on_conflict_do_update(index_elements=["path"], set_=newest)
            await connection.execute(keeping, {"path": path, **row})

    async def kept(self, path: str) -> KeptCode | None:
        """Return who set the code of the lift ``path``; ``None`` when none is kept for it."""
        wanted = select(controller_codes).where(controller_codes.c.path == path)
        found = await self._database.read(wanted, controller_codes, lambda row: KeptCode(row.author, row.at))
        return found[0] if found else None

    async def code_matches(self, path: str, code: str) -> bool | None:
        """Tell whether ``code`` is that of the lift ``path``; ``None`` when none is kept for it."""
        wanted = select(controller_codes).where(controller_codes.c.path == path)
        kept = await self._database.read(wanted, controller_codes, lambda row: (row.salt, row.digest))
        if not kept:
            return None
        ((salt, known),) = kept
        return hmac.compare_digest(await asyncio.to_thread(_digest, code, salt), known)


def _digest(code: str, salt: bytes) -> bytes:
    # Spaces and dashes are for reading: nobody is to fail at them in a machine room.
    plain = "".join(code.split()).replace("-", "").encode(errors="replace")
    return hashlib.scrypt(plain, salt=salt, n=_COST, r=_BLOCK, p=_LANES)
