"""Taking ports, with one clear line when one is taken."""

import socket

from core.errors import StartupError

# While descriptors are short nothing is accepted for up to two seconds; clients wait here meanwhile.
_BACKLOG = 1_024


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on ``host``:``port`` (0: any free one); raises `StartupError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise StartupError(
            f"API cannot listen on {host}:{port}: {error.strerror}; set ANJU_API__PORT to a free one"
        ) from None
    listening.setblocking(False)
    return listening
