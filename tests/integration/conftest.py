"""A house with codes on its walls, and a duty room with its desk, served by real servers, for tests of their pages."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.api_server import Running, running
from tests.integration.desk_world import DeskWorld
from tests.integration.resident_world import House, house
from tests.integration.web_server import serving
from tests.unit.api.walls import TOKEN


@pytest_asyncio.fixture(loop_scope="session")
async def home() -> House:
    return await house()


@pytest_asyncio.fixture(loop_scope="session")
async def house_server(home: House) -> AsyncIterator[Running]:
    async with running(home.app) as started:
        yield started


@pytest.fixture
def address(house_server: Running) -> str:
    return f"{house_server.url}/c/{TOKEN}"


@pytest.fixture
def world() -> DeskWorld:
    return DeskWorld()


@pytest_asyncio.fixture(loop_scope="session")
async def host(world: DeskWorld) -> AsyncIterator[str]:
    await world.begin()
    async with serving(world.application()) as address:
        yield address
