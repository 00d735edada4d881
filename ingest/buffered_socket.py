"""A socket that reads in large pieces, keeps PUBLISH packets for us, and sends acknowledgements together."""

import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress

from ingest.packets import PacketSplitter, Publish

READ_BYTES = 64 * 1024
# 250,000 acknowledgements: far more than an honest broker leaves unread.
_OUTGOING_BYTES = 1024 * 1024
_PUBACK = b"\x40\x02"  # MQTT 5 allows this short form too: no reason code means success.
_PINGREQ = b"\xc0\x00"


class BufferedSocket:
    """What paho is given in place of a socket: it sees every packet but PUBLISH, whole.

    Messages come from `fill`; writing never blocks: what the kernel does not take waits for `flush`.
    """

    def __init__(self, sock: socket.socket, *, version_5: bool) -> None:
        self._sock = sock
        self._splitter = PacketSplitter(version_5=version_5)
        self._control = b""
        self.control_bytes = 0
        """Bytes for paho read so far; whoever watches them sets it back."""
        self._outgoing = bytearray()
        self._ended: OSError | None = None
        self._end_told = False
        # Acknowledgements of a batch leave at once, not with the next batch.
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fill(self) -> tuple[list[Publish], bool]:
        """Read what is there, once; return the messages in it, and whether there may be more at once."""
        try:
            chunk = self._sock.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return [], False
        except OSError as error:
            self._ended = error
            return [], False
        if not chunk:
            self._ended = ConnectionError("closed by the broker")
            return [], False
        publishes, control = self._splitter.feed(chunk)
        self._control += control
        self.control_bytes += len(control)
        return publishes, self._more_after(len(chunk))

    def _more_after(self, read: int) -> bool:
        if isinstance(self._sock, ssl.SSLSocket):
            # A read returns one TLS record at most; the next ones may be decrypted already, where poll sees nothing.
            return True
        return read == READ_BYTES

    @property
    def has_control(self) -> bool:
        """Whether paho has something to read: a packet, or the end of the connection, which it is told once."""
        return bool(self._control) or (self._ended is not None and not self._end_told)

    @property
    def ended(self) -> OSError | None:
        """Why the connection is over, ``None`` while it is not."""
        return self._ended

    def acknowledge(self, mids: Iterable[int]) -> None:
        """Queue one PUBACK for each packet identifier, in order, and send what the kernel takes."""
        self._outgoing += b"".join([_PUBACK + mid.to_bytes(2, "big") for mid in mids])
        self.flush()
        self._bound_outgoing()

    def ping(self) -> None:
        """Send a PINGREQ past paho, which would expect the answer within the keep-alive."""
        self.send(_PINGREQ)

    def flush(self) -> None:
        """Send what waits, as far as the kernel takes it."""
        try:
            while self._outgoing:
                sent = self._sock.send(self._outgoing)
                del self._outgoing[:sent]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            self._ended = error

    def _bound_outgoing(self) -> None:
        if len(self._outgoing) > _OUTGOING_BYTES:
            self._ended = ConnectionError("the broker does not read what it is sent")

    @property
    def wants_write(self) -> bool:
        return bool(self._outgoing)

    # What paho calls.

    def recv(self, buffer_size: int) -> bytes:
        if self._control:
            head, self._control = self._control[:buffer_size], self._control[buffer_size:]
            return head
        if self._ended is not None:
            self._end_told = True
            raise self._ended
        raise BlockingIOError

    def send(self, buffer: bytes | bytearray) -> int:
        self._outgoing += buffer
        self.flush()
        self._bound_outgoing()
        return len(buffer)

    def close(self) -> None:
        self._sock.close()

    def fileno(self) -> int:
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        self._sock.setblocking(flag)
