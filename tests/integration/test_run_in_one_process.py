"""`anju run` inside the test's own process: what its parts share beyond the files."""

import asyncio
from pathlib import Path

from app.run import App
from app.settings import ApiSettings, BrokerSettings, MqttSettings, Settings
from app.steady_clock import open_clock
from tests.servers.running import free_port


async def test_a_call_that_the_api_keeps_wakes_the_deliverer(tmp_path: Path) -> None:
    settings = Settings(
        var=tmp_path / "var",
        api=ApiSettings(port=free_port()),
        broker=BrokerSettings(embedded="amqtt"),
        mqtt=MqttSettings(port=free_port()),
    )
    app, stopping = App(settings, open_clock(settings.var), simulation=None), asyncio.Event()
    running = asyncio.create_task(app.run(stopping))
    try:
        async with asyncio.timeout(60):
            while not (settings.var / "health" / "alerts.json").exists() and not running.done():
                await asyncio.sleep(0.05)
        assert app.api.calling.switchboard.on_pages == app.alerts.notifying.deliverer.wake
    finally:
        stopping.set()
        await running
