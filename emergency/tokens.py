"""The addresses on the walls."""

import secrets

# 128 bits: nobody finds the page of a lift they have not stood in front of.
_TOKEN_BYTES = 16


def new_token() -> str:
    """Return a token for a call point: 22 characters that nobody guesses, and that fit into a small QR code."""
    return secrets.token_urlsafe(_TOKEN_BYTES)
