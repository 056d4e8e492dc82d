"""Worlds of their own, in which the law may change, and the worker's rounds at a word."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from scenarios.world import World, open_world
from succession.ends import Ends

from app.db import Database
from app.settings import Settings


@pytest.fixture(scope="session")
async def changing(
    clone: Callable[[], Awaitable[str]], settings: Settings, credentials: list[dict[str, Any]]
) -> AsyncIterator[World]:
    async with open_world(await clone(), settings, credentials) as world:
        yield world


@pytest.fixture(scope="session")
async def ends(changing: World, settings: Settings) -> AsyncIterator[Ends]:
    database = Database(changing.url, settings.model_copy(update={"succession_rest": 0}))
    yield Ends(changing, database)
    await database.close()
