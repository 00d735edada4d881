"""A webhook receiver in a thread of its own, for tests that wait for processes themselves."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.webhook_receiver import WebhookReceiver


@contextmanager
def call_centre() -> Iterator[WebhookReceiver]:
    """Take webhooks until the block ends; ``requests`` may be read meanwhile."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="call centre")
    thread.start()
    receiver = asyncio.run_coroutine_threadsafe(WebhookReceiver().start(), loop).result()
    try:
        yield receiver
    finally:
        asyncio.run_coroutine_threadsafe(receiver.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
