"""An application over the twins, and people who use it."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from tests.unit.api.world import RIGHT, World, application, empty_world


@pytest.fixture
def world() -> World:
    """An empty world in which ``lan`` holds a token."""
    return empty_world()


@pytest.fixture
def app(world: World) -> FastAPI:
    """The application over `world`."""
    return application(world)


@pytest.fixture
async def stranger(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without a token."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://anju") as client:
        yield client


@pytest.fixture
async def lan(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with a token."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://anju", headers=RIGHT) as client:
        yield client
