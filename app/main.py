"""create_app(): the composition root. Nobody imports it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI

from app import heap, matrix, openapi, problems
from app.cors import Origins
from app.db import Database
from app.ingress import Ingress
from app.quota import Quota
from app.refusals import Refusals
from app.route_index import RouteIndex
from app.routers import (
    agencies,
    batch,
    calendar,
    clients,
    credentials,
    deadlines,
    elections,
    erasures,
    events,
    legal_instruments,
    log,
    mandates,
    meetings,
    meta,
    oauth,
    reference,
    referrals,
    regions,
    statistics,
    tasks,
    vulnerabilities,
    webhooks,
)
from app.security import Keys
from app.services.health import Readiness
from app.services.listeners import Listeners
from app.services.log_keys import Published
from app.services.replica import Replica
from app.settings import Settings

_MODULES: Final = (
    oauth,
    clients,
    credentials,
    tasks,
    batch,
    referrals,
    deadlines,
    vulnerabilities,
    meetings,
    statistics,
    mandates,
    agencies,
    legal_instruments,
    elections,
    calendar,
    events,
    webhooks,
    regions,
    reference,
    log,
    erasures,
    meta,
)
#: Bytes that a batch may have: 200 operations of five kilobytes each.
BATCH: Final = 1_048_576
DESCRIPTION: Final = """
Simpul is the service in which Indonesian election agencies coordinate: any agency logs a mitigation task, the law
decides who owns it, the owner accepts, acts and closes, and everybody entitled sees the state.

**Begin** with `POST /oauth2/token`, then `GET /v1/me`. Every POST under `/v1` takes an `Idempotency-Key`; every
operation that lists `If-Match` requires it. A refusal is a problem document (RFC 9457) whose `code` never changes, in
English or, by `Accept-Language: id`, in Indonesian; `GET /problems` and `GET /events` explain them as pages for people.

**Lists** are read page by page: send `next_cursor` as `cursor`, or follow `Link`, with the same filters, until it is
null. A cursor is opaque, and good for the same filters, order, agency, role and clearance. Events and the log are read
on by `after`; other lists without `cursor` come whole. Several values of one filter go with commas (any of); different
filters are all of. Unknown parameters and members are refused. Instants are RFC 3339 with an offset and at most six
decimals, years 1945 to 2100. Changes (PATCH) are JSON merge patches, sent as `application/json`.

Region names contain information from idn-area-data (pkg:npm/idn-area-data@4.0.1), which is made available under the
Open Database License (ODbL), https://opendatacommons.org/licenses/odbl/1-0/
"""


def create_app(settings: Settings, database_url: str, *, keys: Keys | None = None) -> FastAPI:
    """Compose the service: routes, guard, problems, ingress, over one database."""
    database = Database(database_url, settings, keys=keys)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        heap.settle()
        keeping = asyncio.create_task(app.state.refusals.keep())
        yield
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await app.state.refusals.enter()
        await app.state.listeners.close()
        await app.state.replica.close()
        await database.close()

    app = FastAPI(
        title="Simpul",
        version="1.0.0",
        summary="Inter-agency coordination of election-risk mitigation.",
        description=DESCRIPTION.strip(),
        openapi_url=None,  # the kept document is shown, which costs neither time nor memory
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.database = database
    app.state.quota = Quota(settings)
    app.state.refusals = Refusals(database)
    app.state.replica = Replica(database)
    app.state.readiness = Readiness(database, app.state.replica)
    app.state.keys = database.keys
    app.state.log_keys = Published(database)
    app.state.listeners = Listeners(database, app.state.replica)
    app.state.files = matrix.seats(settings)
    # flat: each router knows its whole paths, and including one would build each of its routes a second time
    app.router.routes.extend(route for module in _MODULES for route in module.router.routes)
    app.mount("/docs/assets", meta.ASSETS)
    problems.install(app)
    openapi.install(app)
    app.middleware_stack = Ingress(
        RouteIndex(app.router, otherwise=app.build_middleware_stack()),
        answer=problems.answer,
        larger_bodies={batch.PATH: BATCH},
        origins=Origins(database.reading),
    )
    return app
