"""Who seals the log in the tests, and agencies that witness it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from support import Agency
from typer.testing import Result

from app import db
from app.claims import unb64
from app.log_export import write
from app.security import SigningKey, new_pem
from app.services import sequencer
from app.statements import Kind, state
from app.testimony import Kept
from app.verifying import verify

#: The tables of the evidence, each with the guard that keeps it.
EVIDENCE = ("event", "log_entry", "log_node", "log_head", "cosignature")
#: Runs a command.
Machine = Callable[..., Awaitable[Result]]


@dataclass
class Notary:
    """The sequencer, run by hand."""

    app: FastAPI

    async def seal(self) -> int:
        """Place all facts there are and sign a head over them; returns its size."""
        while True:
            async with self.app.state.database.working() as writer:
                done = await sequencer.sequence(writer, head_every=0)
            if done.placed == 0:
                break
        async with self.app.state.database.working() as writer:
            found = await db.one(writer, "select max(size) as size from log_head")
        return int(found["size"])


@dataclass
class Witness:
    """A client of an agency with a registered key."""

    client: Agency
    key: SigningKey
    id: str

    async def cosign(self, head: dict[str, Any], *, kind: Kind = Kind.COSIGNATURE, **other: Any) -> httpx.Response:
        return await self.client.post("/v1/log/cosignatures", self.says(head, kind=kind, **other))

    def says(self, head: dict[str, Any], *, kind: Kind = Kind.COSIGNATURE, **other: Any) -> dict[str, str]:
        """The body that hands in its cosignature."""
        said = {
            "iss": self.client.code,
            "log": "simpul",
            "size": head["size"],
            "root": head["root"],
            "iat": int(datetime.now(UTC).timestamp()),
        }
        return {"cosignature": state(self.key, kind, said | other)}


async def witness(client: Agency) -> Witness:
    """Register a fresh key of the client, by itself."""
    key = SigningKey.load(new_pem())
    jwk = {name: content for name, content in key.published().items() if name not in {"alg", "use"}}
    made = await client.post(f"/v1/clients/{client.credentials['client_id']}/keys", {"jwk": jwk})
    assert made.status_code == 201, made.text
    return Witness(client, key, made.json()["id"])


async def jwks_of(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    """The published keys of the log."""
    return list((await http.get("/.well-known/log-keys.json")).json()["keys"])


def read_jws(text: str) -> dict[str, Any]:
    """What a statement says, not checked."""
    return dict(json.loads(unb64(text.split(".")[1])))


@dataclass
class House:
    """A service on a database of its own, who works there, and where files go."""

    app: FastAPI
    url: str
    http: httpx.AsyncClient
    bakesbangpol: Agency
    bkpsdm: Agency
    admin: Agency
    operator: Agency
    folder: Path

    async def seal(self) -> int:
        return await Notary(self.app).seal()

    async def export(self, name: str) -> Path:
        folder = self.folder / name
        await write(self.app.state.database, folder, lambda *_: None)
        return folder

    async def verified(self, name: str, kept: Kept | None = None) -> list[str]:
        """What the verifier finds in a fresh export."""
        return verify(await self.export(name), kept).findings

    @asynccontextmanager
    async def superuser(self) -> AsyncIterator[AsyncConnection]:
        """One transaction of who owns the whole server."""
        engine = create_async_engine(self.url)
        try:
            async with engine.begin() as connection:
                yield connection
        finally:
            await engine.dispose()
