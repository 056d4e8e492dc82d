"""Contestant b: the fastest server one would write by hand for the same answers, Starlette over plain asyncpg.

It authenticates nobody and guards nothing: it answers for callers that it was told of, by the readers stored with each
task. `/rows/...` makes documents of rows with orjson, `/json/...` has PostgreSQL make them; `make bench` takes the
faster of the two for each answer. Its cursors are plain.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from benchmarks.contest import hand_counts, hand_moves, hand_sql
from benchmarks.contest.hand_sql import FULL, SUMMARY, Known
from benchmarks.contest.hand_writes import Stale, Writes
from benchmarks.contest.serving import serve, told
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.db import Database
from app.rules.vocabulary import Role
from app.security import Keys
from app.services import callers
from app.settings import Settings

POOL = 16  # as many connections as ours keeps


class Hand:
    """The answers, over one pool."""

    def __init__(self, url: str, clients: dict[str, str], var: str) -> None:
        self.url, self.clients, self.var = url, clients, Path(var)
        self.known: dict[str, Known] = {}
        self.pool: asyncpg.Pool[Any]
        self.writes: Writes

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Learn of the callers, then keep the pool for as long as the server runs."""
        settings = Settings(var=self.var)
        database = Database(self.url, settings)
        async with database.working() as worker:
            for agency, client in self.clients.items():
                found = await callers.caller_of(worker, agency)
                self.known[agency] = Known(replace(found, role=Role.SUPERVISOR, cleared=False, client_id=UUID(client)))
        async with asyncpg.create_pool(
            self.url.replace("+asyncpg", ""),
            min_size=POOL,
            max_size=POOL,
            server_settings={"jit": "off", "timezone": "UTC", "application_name": "hand"},
            init=_embed,
            reset=_keep,
            max_queries=2**31,
        ) as self.pool:
            self.writes = Writes(self.pool, database, Keys.open(self.var / "keys", issuer=settings.issuer))
            yield
        await database.close()

    async def single_rows(self, request: Request) -> Response:
        """One task, with the moves open to the caller."""
        known = self.known[request.path_params["agency"]]
        found = await self.pool.fetchrow(known.single, request.path_params["id"])
        shown = _shown(found)
        shown["available_transitions"] = orjson.Fragment(hand_moves.available(known.caller, found))
        return said(orjson.dumps(shown, option=orjson.OPT_UTC_Z))

    async def single_json(self, request: Request) -> Response:
        """The same; PostgreSQL makes the document, but for the moves."""
        known = self.known[request.path_params["agency"]]
        found = await self.pool.fetchrow(known.single_json, request.path_params["id"])
        moves = hand_moves.available(known.caller, found)
        return said(b'%s,"available_transitions":%s}' % (found["document"].encode()[:-1], moves))

    async def list_rows(self, request: Request) -> Response:
        """A page of tasks."""
        known = self.known[request.path_params["agency"]]
        statement, values = known.listed(request.query_params, form="rows")
        return _page_of_rows(await self.pool.fetch(statement, *values), matched=None)

    async def list_json(self, request: Request) -> Response:
        """The same; PostgreSQL makes the documents."""
        known = self.known[request.path_params["agency"]]
        statement, values = known.listed(request.query_params, form="json")
        return _page_of_documents(await self.pool.fetch(statement, *values), matched="null")

    async def search_rows(self, request: Request) -> Response:
        """The newest tasks with some words."""
        known = self.known[request.path_params["agency"]]
        found = await self.pool.fetch(known.found(form="rows"), request.query_params["q"].split())
        return _page_of_rows(found, matched="exactly")

    async def search_json(self, request: Request) -> Response:
        """The same; PostgreSQL makes the documents."""
        known = self.known[request.path_params["agency"]]
        found = await self.pool.fetch(known.found(form="json"), request.query_params["q"].split())
        return _page_of_documents(found, matched='"exactly"')

    async def statistics(self, request: Request) -> Response:
        """Tasks, counted."""
        known, at = self.known[request.path_params["agency"]], hand_counts.now()
        found = await self.pool.fetch(known.statistics, at)
        return said(orjson.dumps(hand_counts.counted(found, at), option=orjson.OPT_UTC_Z))

    async def log(self, request: Request) -> Response:
        """Log a task."""
        known, key = self.known[request.path_params["agency"]], request.headers["idempotency-key"]
        return said(await self.writes.log(known, await request.body(), key), 201)

    async def move(self, request: Request) -> Response:
        """Move a task."""
        known, key = self.known[request.path_params["agency"]], request.headers["idempotency-key"]
        version = int(request.headers["if-match"].strip('"').partition("-")[0])
        try:
            answer = await self.writes.move(known, request.path_params["id"], version, await request.body(), key)
        except Stale:
            return said(b"{}", 412)
        return said(answer)


async def _embed(connection: asyncpg.Connection[Any]) -> None:
    """Documents go from the database into the answer as they are."""
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=orjson.Fragment)


async def _keep(_: asyncpg.Connection[Any]) -> None:
    """A connection is put back as it is, without a round trip: nothing here leaves anything in it."""


def _shown(found: asyncpg.Record) -> dict[str, Any]:
    if found["whole"]:
        return {name: found[name] for name in FULL}
    return {**{name: found[name] for name in SUMMARY}, "access": "summary"}


def _page_of_rows(found: list[asyncpg.Record], *, matched: str | None) -> Response:
    items = [_shown(one) for one in found[:50]]
    page = {"items": items, "next_cursor": hand_sql.cursor(found), "count": None, "matched": matched}
    return said(orjson.dumps(page, option=orjson.OPT_UTC_Z))


def _page_of_documents(found: list[asyncpg.Record], *, matched: str) -> Response:
    items = ",".join([one["document"] for one in found[:50]])
    following = orjson.dumps(hand_sql.cursor(found)).decode()
    return said(f'{{"items":[{items}],"next_cursor":{following},"count":null,"matched":{matched}}}'.encode())


def said(body: bytes, status: int = 200) -> Response:
    """JSON."""
    return Response(body, status, media_type="application/json")


def app(url: str, clients: dict[str, str], var: str) -> Starlette:
    """The server; `clients` are the callers that it knows, by agency."""
    hand = Hand(url, clients, var)
    routes = [
        Route("/rows/{agency}/tasks", hand.list_rows),
        Route("/json/{agency}/tasks", hand.list_json),
        Route("/rows/{agency}/search", hand.search_rows),
        Route("/json/{agency}/search", hand.search_json),
        Route("/rows/{agency}/statistics", hand.statistics),
        Route("/rows/{agency}/tasks/{id}", hand.single_rows),
        Route("/json/{agency}/tasks/{id}", hand.single_json),
        Route("/rows/{agency}/tasks", hand.log, methods=["POST"]),
        Route("/rows/{agency}/tasks/{id}/transitions", hand.move, methods=["POST"]),
    ]
    return Starlette(routes=routes, lifespan=hand.lifespan)


if __name__ == "__main__":
    given = told()
    serve(app(given["url"], given["clients"], given["var"]), given["fd"])
