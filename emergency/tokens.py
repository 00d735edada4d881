"""The tokens in the addresses on the walls.

A token is derived from a secret key, the call point's id and its generation. So a sheet can be printed again at any
time, and nothing from which a token could be read has to be kept: the records hold digests, the key is a file beside
them. A token that was drawn at random would have to be shown once and never again: a torn sheet would need a rotation.
"""

import base64
import hashlib
import hmac

from emergency.model import CallPoint

# 128 bits: nobody finds the page of a lift they have not stood in front of. In Base64, 22 characters: a small QR code.
_TOKEN_BYTES = 16


class PointTokens:
    """Derives the token of a call point from ``key``."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, point: CallPoint) -> str:
        """Return the token of ``point`` in its present generation."""
        named = f"call point\0{point.id}\0{point.generation}".encode()
        drawn = hmac.digest(self._key, named, hashlib.sha256)[:_TOKEN_BYTES]
        return base64.urlsafe_b64encode(drawn).rstrip(b"=").decode()


def digest_of(token: str) -> bytes:
    """Return what is kept of ``token``: it holds 128 random bits, so a plain SHA-256 cannot be turned back."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
