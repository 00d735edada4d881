"""A real process that delivers what is in an outbox until it is killed: `python -m … DATABASE_URL WEBHOOK_URL`."""

import asyncio
import sys
from zoneinfo import ZoneInfo

from alerts.notify.book import Channel, MessengerBook
from alerts.notify.deliverer import Deliverer
from alerts.notify.webhook import WebhookMessenger
from core.clock import SystemClock
from storage.records import OutboxAdapter, RecordsDatabase
from tests.integration.webhook_receiver import SECRET


async def deliver_for_ever(database_url: str, webhook_url: str) -> None:
    database, clock = RecordsDatabase(database_url), SystemClock()
    await database.open()
    webhook = WebhookMessenger(webhook_url, SECRET, zone=ZoneInfo("Asia/Shanghai"), base_url=None, clock=clock)
    await Deliverer(OutboxAdapter(database), MessengerBook({"duty": Channel(webhook)}), clock).run()


if __name__ == "__main__":
    asyncio.run(deliver_for_ever(sys.argv[1], sys.argv[2]))
