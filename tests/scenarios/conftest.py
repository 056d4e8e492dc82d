"""Stories are told in a database of their own: what other tests add to the registry can't change how they end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from scenarios.world import World, open_world

from app.settings import Settings

Clone = Callable[[], Awaitable[str]]


@pytest.fixture(scope="session")
async def world(clone: Clone, settings: Settings, credentials: list[dict[str, Any]]) -> AsyncIterator[World]:
    async with open_world(await clone(), settings, credentials) as world:
        yield world


@pytest.fixture(scope="session")
async def lawless(clone: Clone, settings: Settings, credentials: list[dict[str, Any]]) -> AsyncIterator[World]:
    """A world in which mandate rows can be taken away."""
    async with open_world(await clone(), settings, credentials) as world:
        yield world
