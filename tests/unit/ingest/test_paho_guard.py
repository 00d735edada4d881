"""What we use of paho beyond its documented interface; when one of these fails, read `ingest/broker_link.py` again."""

import inspect

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion


def test_the_socket_is_made_where_we_put_ours_in_its_place() -> None:
    assert not inspect.signature(paho.Client._create_socket).parameters.keys() - {"self"}
    assert "self._sock = self._create_socket()" in inspect.getsource(paho.Client.reconnect)


def test_paho_reads_and_writes_by_recv_and_send_alone() -> None:
    assert "self._sock.recv(bufsize)" in inspect.getsource(paho.Client._sock_recv)
    assert "self._sock.send(buf)" in inspect.getsource(paho.Client._sock_send)
    assert "BlockingIOError" in inspect.getsource(paho.Client._packet_read), "how an empty buffer ends a read"


def test_tls_is_wrapped_where_we_wrap_it() -> None:
    assert "sock = self._ssl_wrap_socket(sock)" in inspect.getsource(paho.Client._create_socket)
    assert paho.Client(CallbackAPIVersion.VERSION2)._ssl_context is None
