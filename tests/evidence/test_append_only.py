"""Nobody changes what is in the log, be it the superuser of the database, without taking its guards down first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from notary import EVIDENCE, House, witness
from sqlalchemy import make_url

CHANGES = {
    "event": "salt = salt",
    "log_entry": "index = index",
    "log_node": "level = level",
    "log_head": "size = size",
    "cosignature": "kid = kid",
}
WAYS = {
    "update": "update {table} set {change}",
    "delete": "delete from {table}",
    "truncate": "truncate {table} cascade",
    "drop": "drop table {table} cascade",
    "drop the guard": "drop trigger keep_facts on {table}",
    "drop the guard of all": "drop function keep_facts() cascade",
    "drop the schema": "drop schema public cascade",
}


def plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture
async def filled(house: House) -> House:
    """Every table of the evidence holds something."""
    await house.bakesbangpol.log()
    size = await house.seal()
    key = await witness(house.bakesbangpol)
    assert (await key.cosign((await house.bakesbangpol.get(f"/v1/log/head?size={size}")).json())).status_code == 201
    await house.seal()
    return house


@pytest.fixture
async def connect(filled: House) -> AsyncIterator[Callable[[], Awaitable[asyncpg.Connection]]]:
    made: list[asyncpg.Connection] = []

    async def connect() -> asyncpg.Connection:
        made.append(await asyncpg.connect(plain(filled.url)))
        return made[-1]

    yield connect
    for one in made:
        await one.close()


async def test_the_superuser_is_refused_each_way_of_changing_evidence_as_a_replica_too(
    connect: Callable[[], Awaitable[asyncpg.Connection]],
) -> None:
    one = await connect()
    assert await one.fetchval("select rolsuper from pg_roles where rolname = current_user")
    before = {table: await one.fetchval(f"select count(*) from {table}") for table in EVIDENCE}
    assert all(before.values()), before
    for role in ("origin", "replica"):
        await one.execute(f"set session_replication_role = {role}")
        for table in EVIDENCE:
            for way, statement in WAYS.items():
                await refused(one, statement.format(table=table, change=CHANGES[table]), f"{role}: {way} of {table}")
    assert {table: await one.fetchval(f"select count(*) from {table}") for table in EVIDENCE} == before


async def test_the_owner_is_refused_them_all(
    filled: House, connect: Callable[[], Awaitable[asyncpg.Connection]]
) -> None:
    one = await connect()
    owner = f"owner_{filled.url.rsplit('/', 1)[-1].split('?')[0]}"
    await one.execute(f"create role {owner}")
    try:
        await one.execute(f"grant create on schema public to {owner}")
        for table in EVIDENCE:
            await one.execute(f"alter table {table} owner to {owner}")
        await one.execute(f"set role {owner}")
        for table in EVIDENCE:
            await one.execute(f"alter table {table} no force row level security")
            for way in ("update", "delete", "truncate", "drop", "drop the guard"):
                await refused(one, WAYS[way].format(table=table, change=CHANGES[table]), f"{way} of {table}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await one.execute("set session_replication_role = replica")
    finally:
        await one.execute("reset role")
        await one.execute(f"reassign owned by {owner} to current_user; drop owned by {owner}; drop role {owner}")


async def test_neither_role_of_the_service_may_either(
    connect: Callable[[], Awaitable[asyncpg.Connection]],
) -> None:
    one = await connect()
    for role in ("simpul_api", "simpul_worker"):
        await one.execute(f"set role {role}")
        for table in EVIDENCE:
            for way in ("update", "delete", "truncate", "drop", "drop the guard"):
                await refused(one, WAYS[way].format(table=table, change=CHANGES[table]), f"{role}: {way} of {table}")


async def refused(one: asyncpg.Connection, statement: str, what: str) -> None:
    try:
        await one.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return
    pytest.fail(what)


async def test_a_guard_that_is_taken_down_is_named(filled: House) -> None:
    async with filled.superuser() as connection:
        await connection.exec_driver_sql("alter table log_node disable trigger keep_facts")
        await connection.exec_driver_sql("alter event trigger keep_evidence enable")
    missing = (await filled.http.get("/readyz")).json()["missing_walls"]
    assert missing == ["event trigger keep_evidence", "trigger keep_facts on log_node"]
