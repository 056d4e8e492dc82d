"""A service and a receiver of webhooks on this machine, and what tests do with both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI
from receiving import Receiver
from support import Agency

from app.db import Database, rows, value
from app.settings import Settings
from app.worker import work

KPU, BAWASLU, POLRI = "KPU_KOTA_MALANG", "BAWASLU_KOTA_MALANG", "POLRESTA_MALANG_KOTA"


@dataclass
class Yard:
    """The service, who acts in it, and what it delivers to."""

    url: str
    app: FastAPI
    settings: Settings
    http: httpx.AsyncClient
    receiver: Receiver
    operator: Agency
    admins: dict[str, Agency] = field(default_factory=dict)
    made: list[tuple[Agency, str]] = field(default_factory=list)

    @property
    def database(self) -> Database:
        database: Database = self.app.state.database
        return database

    async def client(self, agency: str, role: str, **said: Any) -> Agency:
        body = {"agency": agency, "role": role, "purpose": "Uji", **said}
        made = await self.operator.post("/v1/clients", body)
        assert made.status_code == 201, made.text
        return await Agency(self.http, {**made.json(), "agency": agency}).sign_in()

    async def admin(self, agency: str) -> Agency:
        if agency not in self.admins:
            self.admins[agency] = await self.client(agency, "agency_admin")
        return self.admins[agency]

    async def hook(self, whose: str, path: str, *types: str, by: Agency | None = None, **said: Any) -> dict[str, Any]:
        """A webhook to a path of the receiver."""
        caller = by or await self.admin(whose)
        body = {"agency": whose, "url": self.receiver.url(path), "types": types, **said}
        made = await caller.post("/v1/webhooks", body)
        assert made.status_code == 201, made.text
        self.made.append((caller, made.json()["id"]))
        return dict(made.json())

    async def happen(self, count: int = 1) -> list[str]:
        """Facts of the registry, which everybody hears whole; returns the codes of the elections."""
        codes = [f"uji-{uuid4().hex[:12]}" for _ in range(count)]
        for code in codes:
            body = {"code": code, "kind": "pilkada", "name_id": "Uji", "region_code": "35.73"}
            made = await self.operator.post("/v1/elections", {**body, "voting_date": "2029-11-27"})
            assert made.status_code == 201, made.text
        return codes

    async def show(self, hook: dict[str, Any]) -> dict[str, Any]:
        shown = await self.operator.get(f"/v1/webhooks/{hook['id']}")
        assert shown.status_code == 200, shown.text
        return dict(shown.json())

    async def patch(self, hook: dict[str, Any], **said: Any) -> httpx.Response:
        etag = (await self.operator.get(f"/v1/webhooks/{hook['id']}")).headers["etag"]
        return await self.operator.patch(f"/v1/webhooks/{hook['id']}", said, etag=etag)

    async def deliveries(self, hook: dict[str, Any], **asked: str) -> list[dict[str, Any]]:
        found = await self.operator.get(f"/v1/webhooks/{hook['id']}/deliveries", params={"limit": "200", **asked})
        assert found.status_code == 200, found.text
        return list(found.json()["items"])

    async def until(self, hook: dict[str, Any], patience: float = 15.0, **like: Any) -> dict[str, Any]:
        """The webhook, once it looks like this."""
        end = monotonic() + patience
        while True:
            shown = await self.show(hook)
            if all(shown[name] == wanted for name, wanted in like.items()):
                return shown
            assert monotonic() < end, shown
            await asyncio.sleep(0.02)

    async def settled(self, hook: dict[str, Any]) -> dict[str, Any]:
        """The webhook, once it has dealt with all that there is."""
        end = monotonic() + 15
        while True:
            async with self.database.working() as writer:
                waiting = await value(writer, "select count(*) from unsequenced")
                size = await value(writer, "select coalesce(max(index), 0) from log_entry")
            shown = await self.show(hook)
            if not waiting and shown["position"] == size:
                return shown
            assert monotonic() < end, (waiting, size, shown)
            await asyncio.sleep(0.02)

    async def entries(self, *kinds: str, since: int) -> list[tuple[int, str]]:
        """Index and id of the entries of these kinds."""
        async with self.database.working() as writer:
            found = await rows(
                writer,
                "select l.index, e.id from log_entry l join event e on e.id = l.event_id"
                " where e.kind = any(:kinds) and l.index > :since order by l.index",
                kinds=list(kinds),
                since=since,
            )
        return [(one["index"], str(one["id"])) for one in found]

    async def clear(self) -> None:
        """Delete the webhooks of a test, and what the receiver got and how it was to behave."""
        for caller, made in self.made:
            etag = (await caller.get(f"/v1/webhooks/{made}")).headers.get("etag")
            if etag is not None:
                await caller.delete(f"/v1/webhooks/{made}", etag=etag)
        self.made.clear()
        self.receiver.behaviours.clear()
        self.receiver.posts.clear()


@asynccontextmanager
async def working(settings: Settings, url: str) -> AsyncIterator[None]:
    """A worker in this process until the block ends."""
    task = asyncio.create_task(work(settings, url, parent=None))
    try:
        yield
        assert not task.done() or task.exception() is None, task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
