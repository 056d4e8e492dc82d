"""The ends of mandates in a world: the worker's rounds, and what they leave behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scenarios.story import moment
from scenarios.world import World
from support import Agency

from app.db import Database

Json = dict[str, Any]


@dataclass
class Ends:
    """A world and the worker that tends it."""

    world: World
    database: Database

    async def come(self) -> None:
        """The worker goes its rounds until nothing moves any more."""
        await self.world.mandates_end()

    async def owners(self, reader: Agency, task: Json) -> list[tuple[str, str, Any, Any]]:
        """Who was accountable under which row, from when to when."""
        return [
            (one["agency"], one["mandate"], moment(one["from_at"]), one["to_at"] and moment(one["to_at"]))
            for one in (await self.world.history(reader, task))["assignments"]
            if one["role"] == "accountable"
        ]

    async def told(self, reader: Agency, task: Json, *kinds: str) -> list[Json]:
        """The facts of some kinds in the history of a task."""
        return [one for one in (await self.world.history(reader, task))["items"] if one["kind"] in kinds]


async def at(reader: Agency, task: Json, instant: str) -> Json:
    """A task as it stood."""
    answer = await reader.get(f"/v1/tasks/{task['id']}", params={"as_of": instant})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
