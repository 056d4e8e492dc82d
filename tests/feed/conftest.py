"""A server of its own with its worker, for those who listen."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from running import Running, running
from support import Agency, SignIn

from app.settings import Settings

#: Heartbeats come often and patience is short: nobody wants to wait.
HASTE = {
    "SIMPUL_STREAM_HEARTBEAT": "0.5",
    "SIMPUL_STREAM_PATIENCE": "1.5",
    "SIMPUL_CLIENT_STREAMS": "3000",
    "SIMPUL_AGENCY_STREAMS": "3000",
    "SIMPUL_POOL_SIZE": "4",
}


@pytest.fixture(scope="module")
async def served_url(clone: Callable[[], Awaitable[str]]) -> str:
    return await clone()


@pytest.fixture(scope="module")
async def served(served_url: str, settings: Settings) -> AsyncIterator[Running]:
    with running(served_url, settings, more=HASTE) as process:
        yield process


@pytest.fixture(scope="module")
async def caller_of(served: Running, credentials: list[dict[str, Any]]) -> AsyncIterator[SignIn]:
    """A client of the first run, signed in at that server."""
    async with httpx.AsyncClient(base_url=served.address, timeout=30) as http:

        async def caller_of(agency: str | None, role: str = "supervisor") -> Agency:
            found = next(one for one in credentials if one["agency"] == agency and one["role"] == role)
            return await Agency(http, found).sign_in()

        yield caller_of
