"""Who owns the database, who answers requests and who tends it log in apart, and none of them is a superuser."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from ageing import age
from fastapi import FastAPI
from house import VILLAGE
from listener import sequence
from notary import witness
from rich.console import Console
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from support import Agency

from app import embedded, start, worker
from app.db import Database, execute, rows, value
from app.log_export import write, write_sealed
from app.main import create_app
from app.security import Keys
from app.services import health, retirement
from app.settings import ROOT, Settings


@dataclass
class Cluster:
    """A server on which nobody has been yet: roles are of a whole cluster, and the other tests' has them."""

    url: str
    settings: Settings

    def login(self, name: str) -> str:
        return (
            make_url(self.url)
            .set(username=name, password=f"{name}-Vq8tz0KhX3m", database="city")
            .render_as_string(hide_password=False)
        )

    async def administer(self, *statements: str) -> None:
        await run(self.url, *statements)

    @asynccontextmanager
    async def superuser(self) -> AsyncIterator[AsyncConnection]:
        """One transaction of who owns the whole server, in the city's database."""
        engine = create_async_engine(make_url(self.url).set(database="city"))
        try:
            async with engine.begin() as connection:
                yield connection
        finally:
            await engine.dispose()

    async def forbid_drops(self) -> None:
        """What no owner may do for itself."""
        city = make_url(self.url).set(database="city").render_as_string(hide_password=False)
        await run(city, "call app.forbid_drops()")

    async def owned_by(self, owner: str, rights: str) -> str:
        """A database of a new owner; how that one logs in."""
        await self.administer(
            f"create role {owner} login {rights} password '{owner}-Vq8tz0KhX3m'", f"create database city owner {owner}"
        )
        return self.login(owner)

    async def begin(self, owner: str) -> list[dict[str, Any]]:
        """Do as the owner what a first start does; the first clients."""
        await start.migrate(owner)
        database = Database(owner, self.settings)
        keys = Keys.open(self.settings.var / "keys", issuer=self.settings.issuer)
        try:
            await start.load(database, Console(quiet=True), with_register=True)
            await start.signing_ring(database, keys, self.settings.var / "keys")
            return await start.first_clients(database, keys, self.settings.var)
        finally:
            await database.close()

    @asynccontextmanager
    async def serving(self, url: str, **changed: Any) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
        app = create_app(self.settings.model_copy(update=changed), url)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simpul") as http:
            yield app, http
        await app.state.database.close()


async def run(url: str, *statements: str) -> None:
    """Run statements as somebody, each by itself."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            for statement in statements:
                await connection.execute(text(statement))
    finally:
        await engine.dispose()


@contextmanager
def untouched(settings: Settings) -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="simpul-tests-"))
    folder.chmod(0o755)
    (folder / "var").mkdir()
    try:
        with embedded.serve(folder / "postgres", durable=False) as cluster:
            try:
                yield Cluster(cluster.url, settings.model_copy(update={"var": folder / "var"}))
            finally:
                home = cluster.home
        shutil.rmtree(home, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def sign_in(http: httpx.AsyncClient, clients: list[dict[str, Any]], agency: str) -> Agency:
    found = next(one for one in clients if one["agency"] == agency and one["role"] == "supervisor")
    return await Agency(http, found).sign_in()


# three logins


@pytest.fixture(scope="module")
async def city(settings: Settings) -> AsyncIterator[tuple[Cluster, list[dict[str, Any]]]]:
    """A database whose owner, API and worker are three, made and given their roles by the owner itself."""
    with untouched(settings) as cluster:
        owner = await cluster.owned_by("city_owner", "createrole nosuperuser nobypassrls")
        clients = await cluster.begin(owner)
        await run(
            owner,
            *(f"create role {name} login password '{name}-Vq8tz0KhX3m'" for name in ("api_1", "worker_1")),
            "grant simpul_api to api_1",
            "grant simpul_worker to worker_1",
        )
        await cluster.forbid_drops()
        yield cluster, clients


async def test_the_service_works_with_three_logins_none_of_them_a_superuser(
    city: tuple[Cluster, list[dict[str, Any]]],
) -> None:
    cluster, clients = city
    async with cluster.serving(cluster.login("api_1"), env="production") as (app, http):
        ready = await http.get("/readyz")
        assert ready.status_code == 200, ready.text
        assert ready.json()["checks"]["walls"]
        kpu, polresta, bkpsdm = [
            await sign_in(http, clients, agency)
            for agency in ("KPU_KOTA_MALANG", "POLRESTA_MALANG_KOTA", "BKPSDM_KOTA_MALANG")
        ]
        hidden = await kpu.log(title="kenari", region=VILLAGE)
        assert (await bkpsdm.read(hidden["id"]))["title"] == "kenari"
        assert "kenari" not in (await polresta.get(f"/v1/tasks/{hidden['id']}")).text
        shown = await kpu.log(classification="terbuka", region=VILLAGE)
        assert (await polresta.read(shown["id"]))["id"] == shown["id"]
        assert (await bkpsdm.accept(await bkpsdm.read(hidden["id"])))["accountable"] == "BKPSDM_KOTA_MALANG"
        assert (await bkpsdm.move(hidden["id"], "start")).status_code == 200
        operator = await Agency(http, next(one for one in clients if one["role"] == "operator")).sign_in()
        made = await operator.post("/v1/clients", {"agency": "KPU_KOTA_MALANG", "role": "viewer", "purpose": "Uji"})
        assert made.status_code == 201, made.text
        async with app.state.database.reading() as reader:
            whose = await rows(reader, "select distinct usename as name from pg_stat_activity where datname = 'city'")
        assert [one["name"] for one in whose] == ["api_1"]


async def test_the_worker_tends_with_a_login_of_its_own(city: tuple[Cluster, list[dict[str, Any]]]) -> None:
    cluster, clients = city
    tending = Database(cluster.login("worker_1"), cluster.settings)
    async with tending.working() as writer:
        assert await value(writer, "select current_user") == "simpul_worker"
        await value(
            writer,
            "insert into revoked_token (jti, client_id, expires_at) values"
            " (gen_random_uuid(), cast(:client as uuid), now() - interval '1 day') returning jti",
            client=clients[0]["client_id"],
        )
    await worker.tend(tending)
    async with tending.working() as writer:
        assert await value(writer, "select count(*) from revoked_token where expires_at < now()") == 0
        assert await value(writer, "select count(*) from task") > 0
    await tending.close()


async def test_the_owner_retires_a_year_and_drops_it_although_it_inherits_from_no_role(
    city: tuple[Cluster, list[dict[str, Any]]], tmp_path: Path
) -> None:
    cluster, clients = city
    changed = cluster.settings.model_copy(update={"retention_years": 1, "witnesses": 1})
    async with cluster.serving(cluster.login("api_1"), env="production") as (_, http):
        kpu = await sign_in(http, clients, "KPU_KOTA_MALANG")
        owner = Database(cluster.login("city_owner"), changed)
        await sequence(owner)
        task = await kpu.log(region=VILLAGE, effective_at="2024-08-20T09:00:00+07:00")
        facts = await age(cluster.superuser, 2024)
        size = await sequence(owner)
        head = (await kpu.get(f"/v1/log/head?size={size}")).json()
        assert (await (await witness(kpu)).cosign(head)).status_code == 201
        await write(owner, tmp_path / "left", lambda *_: None)
        await write_sealed(owner, tmp_path / "left", size)
        said = {"declaration": "Berita acara 12/2026", "operator": "Diskominfo"}
        why: dict[str, Any] = {**said, "folder": tmp_path / "left"}
        told = await retirement.retire(owner, year=2024, **why)
        assert (told["facts"], told["table"]) == (facts, "years.event_2024")
        for statement in ("drop table years.event_2024", "delete from years.event_2024"):
            with pytest.raises(Exception, match=r"evidence is not dropped|facts are never changed or deleted"):
                await run(
                    cluster.login("city_owner"), "alter table years.event_2024 no force row level security", statement
                )
        assert (await retirement.drop(owner, year=2024, **why))["table"] is None
        await owner.close()
        history = (await kpu.get(f"/v1/tasks/{task['id']}/history")).json()
        assert (history["items"], len(history["retired"])) == ([], facts)
        then = await kpu.get(f"/v1/tasks/{task['id']}", params={"as_of": "2025-06-01T00:00:00Z"})
        assert (then.status_code, then.json()["title"]) == (200, task["title"])
        assert (await http.get("/readyz")).json()["missing_walls"] == []


@pytest.mark.parametrize(
    "statement",
    [
        "set role simpul_worker",
        "set role city_owner",
        "set session authorization worker_1",
        "select title from task",
        "alter table task disable row level security",
        "alter table task no force row level security",
        "alter role api_1 bypassrls",
        "grant simpul_worker to api_1",
        "create policy mine on task to api_1 using (true)",
        "drop policy may_select on task",
        "drop table comment",
        "truncate event",
        "delete from event",
        "create table loot (id int)",
        "create or replace function app.works() returns boolean language sql return true",
        "alter function app.there(uuid) owner to api_1",
    ],
)
async def test_the_login_of_the_api_may_not(city: tuple[Cluster, list[dict[str, Any]]], statement: str) -> None:
    cluster, _ = city
    database = Database(cluster.login("api_1"), cluster.settings)
    async with database.writing() as writer:
        with pytest.raises(Exception, match=r"permission denied|must be owner|[Oo]nly roles"):
            await execute(writer, statement)
        await writer.rollback()
    await database.close()


async def test_the_login_of_the_api_sees_nothing_without_a_token_and_never_becomes_the_worker(
    city: tuple[Cluster, list[dict[str, Any]]],
) -> None:
    cluster, _ = city
    database = Database(cluster.login("api_1"), cluster.settings)
    counted = "select (select count(id) from task) + (select count(*) from event) + (select count(*) from client)"
    async with database.reading() as reader:
        assert await value(reader, counted) == 0
    async with database.working() as writer:  # asks to become the worker, in vain
        assert await value(writer, "select current_user") == "api_1"
        assert await value(writer, counted) == 0
        assert await value(writer, "select current_user = 'simpul_worker'") is False
    await database.close()


async def test_the_owner_itself_sees_nothing_until_it_works(city: tuple[Cluster, list[dict[str, Any]]]) -> None:
    cluster, _ = city
    database = Database(cluster.login("city_owner"), cluster.settings)
    async with database.reading() as reader:
        assert await value(reader, "select count(*) from task") == 0
        assert await health.missing_walls(reader) == []
    async with database.working() as writer:
        assert await value(writer, "select count(*) from task") > 0
    await database.close()


async def test_a_single_login_that_inherits_from_no_role_answers_pages_of_registered_origins(
    city: tuple[Cluster, list[dict[str, Any]]],
) -> None:
    cluster, clients = city
    superuser = make_url(cluster.url).set(database="city").render_as_string(hide_password=False)
    await run(  # as it is where a superuser migrates: what its owner revokes after giving it away stays granted
        superuser,
        "revoke execute on function app.registered_origins() from public",
        "grant execute on function app.registered_origins() to simpul_api",
    )
    async with cluster.serving(cluster.login("city_owner")) as (app, http):
        async with app.state.database.reading() as reader:
            assert await value(reader, "select pg_has_role('simpul_api', 'usage')") is False
        found = next(one for one in clients if one["agency"] is None and one["role"] == "operator")
        operator = await Agency(http, found).sign_in()
        origin = "https://depan.malang.example"
        said = {"agency": "KPU_KOTA_MALANG", "role": "viewer", "purpose": "Depan", "origins": [origin]}
        assert (await operator.post("/v1/clients", said)).status_code == 201
        asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        answer = await http.options("/v1/tasks", headers=asked)
        assert answer.headers.get("access-control-allow-origin") == origin, (answer.status_code, answer.text)


@pytest.mark.parametrize(
    "statement",
    [
        "drop table log_entry cascade",
        "alter table event drop column payload cascade",
        "drop trigger queue_event on event",
        "drop trigger keep_facts on log_node",
        "drop function keep_facts() cascade",
        "drop event trigger keep_evidence",
        "alter event trigger keep_evidence disable",
        "truncate log_node",
    ],
)
async def test_not_even_the_owner_drops_evidence(city: tuple[Cluster, list[dict[str, Any]]], statement: str) -> None:
    cluster, _ = city
    with pytest.raises(Exception, match=r"evidence is not dropped|facts are never changed or deleted|must be owner"):
        await run(cluster.login("city_owner"), statement)


async def test_facts_that_came_before_their_year_move_into_it_for_an_owner_who_sees_no_row(
    city: tuple[Cluster, list[dict[str, Any]]],
) -> None:
    """What the worker has it do, where it was late: the walls hold an owner off its own tables too."""
    cluster, _ = city
    columns = "kind, object_type, object_id, agency, request_id, effective_at, recorded_at, payload, words, salt, leaf"
    early = f"insert into event (id, {columns}) select app.first_id(2022), {columns} from event order by id limit 1"
    await run(make_url(cluster.url).set(database="city").render_as_string(hide_password=False), early)
    owner = Database(cluster.login("city_owner"), cluster.settings)
    async with owner.writing() as writer:
        assert await value(writer, "select app.open_year(2022)") is True
    async with owner.working() as worker_:
        lying = "select cast(cast(tableoid as regclass) as text) from event where id = app.first_id(2022)"
        assert await value(worker_, lying) == "years.event_2022"
        assert await value(worker_, "select app.keep_years()") == 0
    async with owner.reading() as reader:
        assert await health.missing_walls(reader) == []
    for statement in ("delete from years.event_2022", "truncate years.event_2022", "drop table years.event_2022"):
        with pytest.raises(Exception, match=r"evidence is not dropped|facts are never changed or deleted"):
            await run(
                cluster.login("city_owner"), "alter table years.event_2022 no force row level security", statement
            )
    await run(cluster.login("city_owner"), "alter table years.event_2022 force row level security")
    await owner.close()


async def test_the_owner_still_mends_its_schema(city: tuple[Cluster, list[dict[str, Any]]]) -> None:
    """What a later migration may have to do: another word in a check, another sentence in a policy."""
    cluster, _ = city
    owner = Database(cluster.login("city_owner"), cluster.settings)
    async with owner.writing() as writer:
        for statement in (
            "alter table event drop constraint ck_event_kind_known",
            "drop policy may_select on event",
            "drop index ix_event_object",
            "drop function region_path(text) cascade",
        ):
            await execute(writer, statement)
        await writer.rollback()
    await owner.close()


async def test_a_login_without_its_role_is_named(city: tuple[Cluster, list[dict[str, Any]]]) -> None:
    cluster, _ = city
    await cluster.administer("create role stray login password 'stray-Vq8tz0KhX3m'")
    for name, named in (("worker_1", "membership of worker_1 in simpul_api"), ("stray", "membership in simpul_api")):
        async with cluster.serving(cluster.login(name), env="production") as (_, http):
            ready = await http.get("/readyz")
        assert ready.status_code == 503, ready.text
        assert named in " ".join(ready.json()["missing_walls"])


# an owner who may make no roles


@pytest.mark.parametrize("drops_forbidden", ["first", "last"])
async def test_an_owner_without_createrole_starts_and_the_walls_rise_at_the_start_after_the_roles_came(
    settings: Settings, drops_forbidden: str
) -> None:
    with untouched(settings) as cluster:
        owner = await cluster.owned_by("plain", "nocreaterole nosuperuser")
        clients = await cluster.begin(owner)

        async with cluster.serving(owner) as (_, http), cluster.serving(owner, env="production") as (_, strict):

            async def works(title: str) -> tuple[httpx.Response, httpx.Response]:
                kpu, polresta = [
                    await sign_in(http, clients, agency) for agency in ("KPU_KOTA_MALANG", "POLRESTA_MALANG_KOTA")
                ]
                logged = await kpu.log(title=title, region=VILLAGE)
                assert (await kpu.read(logged["id"]))["title"] == title
                assert title not in (await polresta.get(f"/v1/tasks/{logged['id']}")).text
                await asyncio.sleep(1.1)  # readiness is remembered for a second
                return await http.get("/readyz"), await strict.get("/readyz")

            lax, severe = await works("before")
            assert (lax.status_code, lax.json()["status"], lax.json()["checks"]["walls"]) == (200, "ready", False)
            assert (severe.status_code, severe.json()["status"]) == (503, "not_ready")
            for one in (lax, severe):
                missing = one.json()["missing_walls"]
                assert {"role simpul_api", "role simpul_worker", "row-level security on task"} <= set(missing)
            said = await asyncio.to_thread(refused_in_production, owner, cluster.settings.var)
            assert "The second wall is not up: role simpul_api, role simpul_worker" in said

            # half of it: nobody is shut out by a role that is there and not granted
            await cluster.administer("create role simpul_api nologin", "create role simpul_worker nologin")
            await start.migrate(owner)
            lax, severe = await works("between")
            assert severe.status_code == 503
            assert {"membership of plain in simpul_api", "membership of plain in simpul_worker"} <= set(
                severe.json()["missing_walls"]
            )
            assert lax.json()["status"] == "ready"

            await cluster.administer("grant simpul_api, simpul_worker to plain")
            lax, severe = await works("granted")  # not yet raised: the next start does it
            assert (lax.status_code, severe.status_code) == (200, 503)

            if drops_forbidden == "last":
                await start.migrate(owner)
                lax, severe = await works("raised")
                assert (lax.status_code, severe.status_code) == (200, 503)
                assert severe.json()["missing_walls"] == ["event trigger keep_evidence"]
                said = await asyncio.to_thread(refused_in_production, owner, cluster.settings.var)
                assert "The second wall is not up: event trigger keep_evidence missing" in said
                await cluster.forbid_drops()
            else:
                await cluster.forbid_drops()
                await start.migrate(owner)
            lax, severe = await works("after")
            assert (lax.status_code, severe.status_code) == (200, 200), severe.text
            assert severe.json()["missing_walls"] == []
            await start.require_walls(owner, cluster.settings.model_copy(update={"env": "production"}))
        database = Database(owner, cluster.settings)
        async with database.writing() as writer:
            await value(writer, "select app.become('simpul_api')")
            assert await value(writer, "select count(id) from task") == 0
        await database.close()


def refused_in_production(owner: str, var: Path) -> str:
    """What `simpul serve` says when it will not start."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SIMPUL_")}
    given = {"ENV": "production", "DATABASE_URL": owner, "VAR": str(var), "PORT": "0"}
    given |= {"PEPPER": secrets.token_hex(32), "ISSUER": "https://simpul.kpu.go.id"}
    ran = subprocess.run(
        [sys.executable, "-m", "app.cli", "serve"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        env={**kept, **{f"SIMPUL_{name}": value for name, value in given.items()}},
    )  # fmt: skip
    assert ran.returncode != 0
    assert "Traceback" not in ran.stderr
    return " ".join(ran.stderr.split())
