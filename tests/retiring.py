"""A log with a year that is over, and the command that retires it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from notary import House, Machine, witness
from sqlalchemy import text

from app.log_export import write_sealed

Json = dict[str, Any]
YEAR: Final = 2024
LOGGED, ACCEPTED, STARTED = (f"2024-08-2{day}T09:00:00+07:00" for day in range(3))
#: The instant from which on the state of tasks is told when that year is gone.
AFTER: Final = "2025-01-01T00:00:00Z"
WHY: Final = ("--reason", "Berita acara 12/2026", "--operator", "Diskominfo Kota Malang", "--yes", "--json")


@dataclass
class Old:
    """A log with a year that is over, and an export by which its facts have left."""

    house: House
    machine: Machine
    task: Json
    closed: Json
    facts: int
    export: Path

    async def retire(self, *more: str, export: Path | None = None, year: int = YEAR) -> Json:
        ran = await self.machine("log", "retire", str(year), "--export", str(export or self.export), *WHY, *more)
        assert ran.exit_code == 0, ran.output
        return dict(json.loads(ran.stdout))

    async def refused(self, *more: str, export: Path | None = None, year: int = YEAR) -> str:
        """The sentence with which it is refused; nothing has happened then."""
        ran = await self.machine("log", "retire", str(year), "--export", str(export or self.export), *WHY, *more)
        assert ran.exit_code == 1, ran.output
        assert await self.online() == self.facts
        return str(ran.stderr)

    async def online(self, year: int = YEAR) -> int:
        async with self.house.superuser() as connection:
            found = await connection.execute(
                text("select count(*) from event where id >= app.first_id(:year) and id < app.first_id(:year + 1)"),
                {"year": year},
            )
            return int(found.scalar_one())


async def exported(house: House, name: str) -> Path:
    """A fresh export under a cosigned head, with what is sealed."""
    size = await house.seal()
    key = await witness(house.bakesbangpol)
    head = (await house.bakesbangpol.get(f"/v1/log/head?size={size}")).json()
    assert (await key.cosign(head)).status_code == 201
    folder = await house.export(name)
    await write_sealed(house.app.state.database, folder, size)
    return folder
