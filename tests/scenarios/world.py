"""A database of its own, the service on it, and whoever asks in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from catalogued import kinds_told
from support import Agency, Contract

from app import worker
from app.db import Database
from app.main import create_app
from app.settings import Settings

Json = dict[str, Any]


@dataclass
class World:
    """Agencies by code, each with a supervisor of the first run or one that the operator makes when it is asked for."""

    url: str
    http: httpx.AsyncClient
    credentials: list[Json]
    operator: Agency
    settings: Settings
    _known: dict[str, Agency] = field(default_factory=dict)

    async def agency(self, code: str) -> Agency:
        if code not in self._known:
            first = [one for one in self.credentials if one["agency"] == code and one["role"] == "supervisor"]
            self._known[code] = await Agency(self.http, first[0] if first else await self._new_client(code)).sign_in()
        return self._known[code]

    async def _new_client(self, code: str) -> Json:
        made = await self.operator.post("/v1/clients", {"agency": code, "role": "supervisor", "purpose": "Test"})
        assert made.status_code == 201, made.text
        return {**made.json(), "agency": code}

    async def accept(self, sender: Agency, task: Json, **said: Any) -> Json:
        """Get a referral accepted, by letter if the receiver has no client; returns the task as the sender sees it."""
        referral = task["open_referral"]
        if "accept" in {move["action"] for move in task["available_transitions"]}:
            letter = {"number": "B-100/2024", "date": "2024-08-16"}
            answer = await sender.answer(referral["id"], "accepted", letter=letter, **said)
        else:
            receiver = await self.agency(referral["to_agency"])
            answer = await receiver.answer(referral["id"], "accepted", **said)
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == "accepted"
        return await sender.read(task["id"])

    async def close(self, logger: Agency, task: Json) -> Json:
        """The owner of an accepted task works it off with the facts it names, and the logger confirms."""
        owner = await self.agency(task["accountable"])
        begun = await owner.move(task["id"], "start")
        assert begun.status_code == 200, begun.text
        resolve = next(one for one in begun.json()["available_transitions"] if one["action"] == "resolve")
        facts = {name.removeprefix("facts."): 1 for name in resolve["requires"] if name.startswith("facts.")}
        done = await owner.move(task["id"], "resolve", outcome="mitigated", note="Selesai", facts=facts)
        assert done.status_code == 200, done.text
        confirmed = await logger.move(task["id"], "confirm")
        assert confirmed.status_code == 200, confirmed.text
        return dict(confirmed.json())

    async def mandates_end(self) -> None:
        """The worker goes its rounds until no end of a mandate has left anything behind."""
        database = Database(self.url, self.settings.model_copy(update={"succession_rest": 0}))
        try:
            for _ in range(3):  # a row that follows may have ended as well
                while await worker.succeed(database):
                    pass
        finally:
            await database.close()

    async def history(self, reader: Agency, task: Json) -> Json:
        answer = await reader.get(f"/v1/tasks/{task['id']}/history")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@asynccontextmanager
async def open_world(url: str, settings: Settings, credentials: list[Json]) -> AsyncIterator[World]:
    """The service on a database, for as long as the block lasts."""
    app = create_app(settings, url)
    transport = httpx.ASGITransport(app)
    hooks = {"response": [Contract(app).check]}
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://simpul", event_hooks=hooks) as http:
            operator = next(one for one in credentials if one["role"] == "operator")
            yield World(url, http, credentials, await Agency(http, operator).sign_in(), settings)
            await kinds_told(app.state.database)
    finally:
        await app.state.database.close()
