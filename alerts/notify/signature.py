"""How a webhook proves that it comes from Anju: HMAC-SHA256 over the instant and the body."""

import hashlib
import hmac

SCHEME = "v1"
"""Names the way of signing; a receiver looks for the scheme it knows and passes over others."""


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """Return the value of ``Anju-Signature``; ``timestamp`` is that of ``Anju-Timestamp``, in whole Unix seconds.

    The instant is signed with the body, so that an old message cannot be sent again as a new one.
    """
    signed = str(timestamp).encode() + b"." + body
    return f"{SCHEME}={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"
