"""A service with its worker, and a receiver on this machine that it may deliver to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from receiving import receiving
from support import Agency, Contract
from yard import Yard, working

from app import start
from app.main import create_app
from app.settings import Settings


@pytest.fixture(scope="module")
async def ground(
    clone: Callable[[], Awaitable[str]],
    settings: Settings,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Yard]:
    """The service and the receiver, and nobody who delivers yet."""
    async with receiving(tmp_path_factory.mktemp("receiver")) as receiver:
        near = settings.model_copy(
            update={
                "webhook_networks": "127.0.0.0/8",
                "webhook_ports": f"443,{receiver.port},{receiver.closed_port}",
                "webhook_ca": receiver.authority,
                "webhook_first_delay": 0.05,
                "webhook_longest_delay": 0.4,
                "webhook_hours": 1.0,
            }
        )
        url = await clone()
        app = create_app(near, url)
        hooks = {"response": [Contract(app).check]}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://simpul", event_hooks=hooks
        ) as http:
            kept = json.loads((settings.var / start.CREDENTIALS).read_text())
            first = next(one for one in kept if one["role"] == "operator")
            yield Yard(url, app, near, http, receiver, await Agency(http, first).sign_in())
        await app.state.database.close()


@pytest.fixture
async def idle(ground: Yard) -> AsyncIterator[Yard]:
    """The same for one test, which starts its own workers."""
    yield ground
    await ground.clear()


@pytest.fixture
async def yard(idle: Yard) -> AsyncIterator[Yard]:
    """The same with a worker."""
    async with working(idle.settings, idle.url):
        yield idle
