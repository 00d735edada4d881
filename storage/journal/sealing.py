"""Batches sealed with a key, so that whoever comes by the journal's file alone reads no card number in it.

Sealed text is ``C1 01 | key id (4) | salt (16) | number (8) | AES-256-GCM ciphertext with its tag``; everything before
the ciphertext is authenticated with it. MessagePack never begins with C1, so that a batch of an older Anju, which is
not sealed, is told from it by its first byte.

AES-GCM must never use a nonce twice with one key, and positions cannot serve as nonces: an append that failed comes
again under the same position, and a backup that was restored gives positions again. So each opening of the journal
derives a key of its own from the secret and a random salt (keyed BLAKE2b), and numbers what it seals with that.
"""

import os
import sqlite3
from contextlib import closing
from hashlib import blake2b
from itertools import count
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import WrongJournalKey

SECRET_BYTES = 32
_FORMAT = b"\xc1\x01"
_ID_BYTES, _SALT_BYTES, _NUMBER_BYTES = 4, 16, 8
_SALT_AT = len(_FORMAT) + _ID_BYTES
_NUMBER_AT = _SALT_AT + _SALT_BYTES
_TEXT_AT = _NUMBER_AT + _NUMBER_BYTES
# GCM takes 12 bytes, of which the number fills eight.
_NONCE_HEAD = bytes(4)
# Each is an opening of the journal; one that lives for a week with a start every minute has 10,000.
_REMEMBERED_KEYS = 1_000


class Tampered(ValueError):
    """What is sealed was not sealed so with this key."""


class Seal:
    """Seals and opens with the key that ``secret`` (32 bytes) makes; for any thread."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"secret of {len(secret)} bytes; expected {SECRET_BYTES}")
        self._secret = secret
        self.key_id = blake2b(key=secret, digest_size=_ID_BYTES, person=b"anju key id").digest()
        salt = os.urandom(_SALT_BYTES)
        self._head = _FORMAT + self.key_id + salt
        self._key = self._derived(salt)
        self._numbers = count()
        self._known = {salt: self._key}

    def close(self, text: bytes) -> bytes:
        """Return ``text`` sealed."""
        number = next(self._numbers).to_bytes(_NUMBER_BYTES, "big")
        head = self._head + number
        return head + self._key.encrypt(_NONCE_HEAD + number, text, head)

    def open(self, sealed: bytes) -> bytes:
        """Return what was sealed. Raises `WrongJournalKey` (with another key) or `Tampered`."""
        if (its_id := key_id_of(sealed)) != self.key_id:
            raise WrongJournalKey(f"sealed with key {_shown(its_id)}, and the key at hand is {_shown(self.key_id)}")
        salt, number = sealed[_SALT_AT:_NUMBER_AT], sealed[_NUMBER_AT:_TEXT_AT]
        if (key := self._known.get(salt)) is None:
            if len(self._known) >= _REMEMBERED_KEYS:
                self._known.clear()
            key = self._known[salt] = self._derived(salt)
        try:
            return key.decrypt(_NONCE_HEAD + number, sealed[_TEXT_AT:], sealed[:_TEXT_AT])
        except (InvalidTag, ValueError) as error:
            raise Tampered("a sealed text does not open with its key") from error

    def _derived(self, salt: bytes) -> AESGCM:
        return AESGCM(blake2b(salt, key=self._secret, digest_size=32, person=b"anju journal").digest())


def is_sealed(text: bytes) -> bool:
    """Return whether ``text`` was sealed, with whatever key."""
    return text.startswith(_FORMAT)


def is_sealed_journal(path: Path) -> bool:
    """Return whether the newest batch of the journal at ``path`` is sealed; one that cannot be read counts as not."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute("SELECT entries FROM batches ORDER BY last_position DESC LIMIT 1").fetchone()
    except sqlite3.Error:
        return False
    return row is not None and isinstance(row[0], bytes) and is_sealed(row[0])


def key_id_of(sealed: bytes) -> bytes:
    """Return by which key ``sealed`` was sealed; an id tells nothing of the key."""
    return sealed[len(_FORMAT) : _SALT_AT]


def opened(text: bytes, seal: Seal | None) -> bytes:
    """Return ``text`` as it was before it was sealed, where it was. Raises `WrongJournalKey` or `Tampered`."""
    if not is_sealed(text):
        return text
    if seal is None:
        raise WrongJournalKey(f"sealed with key {_shown(key_id_of(text))}, and no key is at hand")
    return seal.open(text)


def _shown(key_id: bytes) -> str:
    return key_id.hex()
