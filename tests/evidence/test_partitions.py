"""The facts lie by the years in which they were entered: opened in time, guarded each by itself, looked up in one."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from listener import heard
from notary import House, Machine
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from app import worker
from app.db import execute, rows, value
from app.services import log, sequencer
from app.settings import ROOT

THIS: Final = datetime.now(UTC).year
COLUMNS: Final = (
    "id, kind, object_type, object_id, task_id, agency, client_id, request_id, effective_at, recorded_at, payload,"
    " words, salt, leaf"
)
#: A fact like the newest one, entered in another year, before the queue's trigger.
ENTER: Final = (
    f"insert into event ({COLUMNS}) select cast(:id as uuid), kind, object_type, object_id, task_id, agency, client_id,"
    " request_id, effective_at, recorded_at, payload, words, salt, leaf from event order by id desc limit 1"
)
#: Another fact of a task, like its first one.
ENTER_OF_TASK: Final = (
    f"insert into event ({COLUMNS}) select cast(:id as uuid), kind, object_type, object_id, task_id, agency, client_id,"
    " request_id, effective_at, recorded_at, payload, words, salt, leaf from event where task_id = cast(:task as uuid)"
    " order by id limit 1"
)
#: All facts in a few letters.
WHOLE: Final = (
    "select count(*), md5(string_agg(md5(cast(row(e.id, e.kind, e.payload, e.leaf, e.words_sealed) as text)), ''"
    " order by e.id)) from event e"
)


def id_in(year: int, month: int = 6) -> UUID:
    """An id (UUIDv7) as it is given in the middle of a year."""
    moment = int(datetime(year, month, 1, tzinfo=UTC).timestamp() * 1000)
    return UUID(int=moment << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62))


async def places(connection: AsyncConnection, *ids: UUID) -> list[str]:
    """The tables in which these facts lie."""
    found = await connection.execute(
        text("select cast(tableoid as regclass) from event where id = any(:ids) order by id"), {"ids": sorted(ids)}
    )
    return [str(one) for one in found.scalars().all()]


async def test_a_fact_lies_in_the_year_of_its_id(house: House) -> None:
    await house.bakesbangpol.log()
    ids = [id_in(year) for year in (2019, 2024, 2025, THIS, THIS + 1, THIS + 5)]
    async with house.superuser() as connection:
        newest = (await connection.execute(text("select id from event order by id desc limit 1"))).scalar_one()
        for one in ids:
            await connection.execute(text(ENTER), {"id": one})
        assert await places(connection, newest) == [f"years.event_{THIS}"]
        assert await places(connection, *ids) == [
            "years.event_rest",
            *(f"years.event_{year}" for year in (2024, 2025, THIS, THIS + 1)),
            "years.event_rest",
        ]


async def test_facts_of_many_years_that_are_copied_in_get_their_places_and_verify(house: House) -> None:
    await house.bakesbangpol.log()
    one = await asyncpg.connect(house.url.replace("+asyncpg", ""))
    try:
        names = COLUMNS.split(", ")
        like = await one.fetchrow(f"select {COLUMNS} from event order by id desc limit 1")
        facts = [(id_in(year), *list(like)[1:]) for year in (2023, 2024, 2025, THIS) for _ in range(50)]
        before = await one.fetchval("select count(*) from event")
        await one.copy_records_to_table("event", records=facts, columns=names)
        assert await one.fetchval("select count(*) from event") == before + 200
        assert await one.fetchval("select count(*) from years.event_2024") == 50
        assert await one.fetchval("select count(*) from unsequenced") >= 200
    finally:
        await one.close()
    assert await house.seal() == before + 200


# guards


@pytest.mark.parametrize("role", ["origin", "replica"])
@pytest.mark.parametrize(
    "statement",
    [
        "update years.event_{year} set payload = '{{}}'",
        "delete from years.event_{year}",
        "truncate years.event_{year}",
        "truncate years.event_rest",
        "delete from event",
        "truncate event",
        "drop table years.event_{year} cascade",
        "drop table years.event_rest",
        "drop trigger keep_facts_whole on years.event_{year}",
        "drop schema years cascade",
    ],
)
async def test_not_even_a_superuser_changes_a_year_by_its_own_table(house: House, role: str, statement: str) -> None:
    async with house.superuser() as connection:
        await connection.execute(text(f"set local session_replication_role = {role}"))
        with pytest.raises(Exception, match=r"evidence is not dropped|facts are never changed or deleted"):
            await connection.execute(text(statement.format(year=THIS)))
        await connection.rollback()
    async with house.superuser() as connection:
        assert await connection.scalar(text(f"select count(*) from years.event_{THIS}"))


@pytest.mark.parametrize("role", ["simpul_api", "simpul_worker"])
@pytest.mark.parametrize(
    "statement",
    [
        "select from years.event_{year}",
        "insert into years.event_{year} select * from event",
        "delete from years.event_rest",
        "alter table event detach partition years.event_{year}",
        "select app.open_year(1999)",
    ],
)
async def test_neither_role_reaches_a_year_by_itself(house: House, role: str, statement: str) -> None:
    async with house.app.state.database.writing() as writer:
        await value(writer, f"select app.become('{role}')")
        with pytest.raises(Exception, match=r"permission denied|must be owner"):
            await execute(writer, statement.format(year=THIS))
        await writer.rollback()


async def test_the_role_of_the_api_opens_no_years(house: House) -> None:
    async with house.app.state.database.writing() as writer:
        await value(writer, "select app.become('simpul_api')")
        with pytest.raises(Exception, match="permission denied"):
            await value(writer, "select app.keep_years()")
        await writer.rollback()


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("alter table years.event_{year} disable trigger keep_facts", "trigger keep_facts on years.event_{year}"),
        ("alter table years.event_{year} no force row level security", "row-level security on years.event_{year}"),
        ("alter table log_entry disable trigger entry_of_event", "trigger entry_of_event on log_entry"),
        ("grant select on years.event_{year} to simpul_api", "simpul_api at years.event_{year}"),
    ],
)
async def test_a_year_without_its_guard_is_named(house: House, statement: str, named: str) -> None:
    assert (await house.http.get("/readyz")).json()["missing_walls"] == []
    async with house.superuser() as connection:
        await connection.execute(text(statement.format(year=THIS)))
        missing = await connection.scalar(text("select app.missing_walls()"))
    assert missing == [named.format(year=THIS)]


async def test_an_entry_of_no_event_is_refused(house: House) -> None:
    size = await house.seal()
    async with house.superuser() as connection:
        await connection.execute(text("set local session_replication_role = replica"))
        with pytest.raises(Exception, match="there is no event"):
            await connection.execute(
                text("insert into log_entry (index, event_id) values (:index, gen_random_uuid())"), {"index": size + 1}
            )
        await connection.rollback()


# years to come


async def test_the_next_year_is_opened_by_the_background_process(house: House) -> None:
    async with house.superuser() as connection:
        await connection.execute(text(f"alter table event detach partition years.event_{THIS + 1}"))
        await connection.execute(text(f"alter table years.event_{THIS + 1} rename to put_aside"))
    await worker.tend(house.app.state.database)
    one = id_in(THIS + 1)
    async with house.superuser() as connection:
        await connection.execute(text(ENTER), {"id": one})
        assert await places(connection, one) == [f"years.event_{THIS + 1}"]
        assert await connection.scalar(text("select app.missing_walls()")) == []
    async with house.app.state.database.working() as writer:
        assert await value(writer, "select app.keep_years()") == 0


async def test_facts_that_came_before_their_year_was_opened_move_into_it_as_they_are(house: House) -> None:
    await house.bakesbangpol.log()
    ids = [id_in(THIS + 3) for _ in range(20)] + [id_in(THIS + 4, month=1), id_in(THIS + 2, month=12)]
    async with house.superuser() as connection:
        for one in ids:
            await connection.execute(text(ENTER), {"id": one})
        before = (await connection.execute(text(WHOLE))).one()
        waiting = await connection.scalar(text("select count(*) from unsequenced"))
    async with house.superuser() as connection:
        assert await connection.scalar(text(f"select app.open_year({THIS + 3})")) is True
        assert await connection.scalar(text(f"select app.open_year({THIS + 3})")) is False
        assert (await connection.execute(text(WHOLE))).one() == before
        assert await connection.scalar(text("select count(*) from unsequenced")) == waiting
        assert set(await places(connection, *ids[:20])) == {f"years.event_{THIS + 3}"}
        assert set(await places(connection, *ids[20:])) == {"years.event_rest"}
        assert await connection.scalar(text("select app.missing_walls()")) == []
        with pytest.raises(Exception, match="facts are never changed or deleted"):
            await connection.execute(text("delete from years.event_rest"))
        await connection.rollback()


# years that are over


@pytest.fixture
async def shelf(house: House) -> AsyncIterator[str]:
    """A tablespace, as an administrator makes one."""
    name = f"shelf_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(house.url.replace("+asyncpg", ""))
    try:
        await admin.execute("set allow_in_place_tablespaces = on")
        await admin.execute(f"create tablespace {name} location ''")
        yield name
        await admin.execute(f"alter table all in tablespace {name} set tablespace pg_default")
        await admin.execute(f"alter index all in tablespace {name} set tablespace pg_default")
        await admin.execute(f"drop tablespace {name}")
    finally:
        await admin.close()


async def test_a_year_that_is_over_is_set_aside_and_stays_readable_and_guarded(
    house: House, machine: Machine, shelf: str
) -> None:
    task = await house.bakesbangpol.log()
    async with house.superuser() as connection:
        for _ in range(50):
            await connection.execute(text(ENTER_OF_TASK), {"id": id_in(2025), "task": task["id"]})
        before = (await connection.execute(text(WHOLE))).one()
    await house.seal()
    entries = (await house.export("before") / "entries.jsonl").read_bytes()
    history = (await house.bakesbangpol.get(f"/v1/tasks/{task['id']}/history")).json()
    assert len(history["items"]) > 50

    ran = await machine("log", "set-aside", "--year", "2025", "--tablespace", shelf, "--json")
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    assert (told["year"], told["tablespace"], told["facts"]) == (2025, shelf, 50)
    async with house.superuser() as connection:
        lying = await connection.execute(
            text("select relname from pg_class c join pg_tablespace t on t.oid = reltablespace where spcname = :name"),
            {"name": shelf},
        )
        found = set(lying.scalars().all())
        assert found >= {"event_2025", "event_2025_pkey", "event_2025_task_id_id_idx"}
        assert any(one.startswith("pg_toast") for one in found)
        assert (await connection.execute(text(WHOLE))).one() == before
        frozen = "select age(relfrozenxid) < 1000 from pg_class where oid = cast('years.event_2025' as regclass)"
        assert await connection.scalar(text(frozen))
        assert await connection.scalar(text("select app.missing_walls()")) == []
        with pytest.raises(Exception, match="facts are never changed or deleted"):
            await connection.execute(text("delete from years.event_2025"))
        await connection.rollback()
    assert (await house.bakesbangpol.get(f"/v1/tasks/{task['id']}/history")).json() == history
    assert (await house.export("after") / "entries.jsonl").read_bytes() == entries


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--year", str(THIS)), f"The year {THIS} is not over (UTC): facts still come in."),
        (("--year", "1999"), "There is no table of the facts of 1999."),
        (("--year", "2024", "--tablespace", "attic"), "There is no tablespace attic;"),
    ],
)
async def test_what_cannot_be_set_aside_is_told_in_a_sentence(
    house: House, machine: Machine, words: tuple[str, ...], said: str
) -> None:
    assert house.url
    ran = await machine("log", "set-aside", *words)
    assert ran.exit_code == 1
    assert said in ran.stderr


# one table and back


async def migrate(url: str, *, to: str) -> None:
    config = Config(toml_file=ROOT / "pyproject.toml")
    engine = create_async_engine(url)

    def run(connection: Connection) -> None:
        config.attributes["connection"] = connection
        (command.upgrade if to == "head" else command.downgrade)(config, to)

    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


async def test_the_log_of_an_installation_goes_into_years_and_back_unchanged(house: House) -> None:
    task = await house.bakesbangpol.log()
    async with house.superuser() as connection:
        for year in (2018, 2024, 2025):
            await connection.execute(text(ENTER), {"id": id_in(year)})
    size = await house.seal()
    history = (await house.bakesbangpol.get(f"/v1/tasks/{task['id']}/history")).json()
    news = await heard(house.bakesbangpol)
    async with house.superuser() as connection:
        before = (await connection.execute(text(WHOLE))).one()

    await house.app.state.database.engine.dispose()
    await migrate(house.url, to="raising_1")
    async with house.superuser() as connection:
        assert (await connection.execute(text(WHOLE))).one() == before
        assert await connection.scalar(text("select relkind = 'r' from pg_class where oid = cast('event' as regclass)"))
        assert await connection.scalar(text("select app.missing_walls()")) == []
    await house.app.state.database.engine.dispose()
    await migrate(house.url, to="head")
    async with house.superuser() as connection:
        assert (await connection.execute(text(WHOLE))).one() == before
        assert await connection.scalar(text("select app.missing_walls()")) == []
        counts = await connection.execute(text("select cast(tableoid as regclass), count(*) from event group by 1"))
        lying = {str(table): count for table, count in counts.all()}
    assert lying.keys() == {"years.event_rest", "years.event_2024", "years.event_2025", f"years.event_{THIS}"}
    assert (await house.bakesbangpol.get(f"/v1/tasks/{task['id']}/history")).json() == history
    assert await heard(house.bakesbangpol) == news
    await house.bakesbangpol.log()
    assert await house.seal() > size


# plans


def scans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes of a plan that look into a table of the years."""
    own = [plan] if plan.get("Relation Name", "").startswith("event_") else []
    return own + [one for part in plan.get("Plans", []) for one in scans(part)]


@pytest.fixture
async def explained(house: House) -> Callable[..., Awaitable[list[dict[str, Any]]]]:
    """How a statement looks into the years, as the worker asks it in a round of the log."""

    async def explain(sql: str, **arguments: object) -> list[dict[str, Any]]:
        async with house.app.state.database.working() as writer:
            await value(writer, sequencer._ALONE, key=1)
            found = await rows(writer, f"explain (analyze, format json) {sql}", **arguments)
            plan = found[0]["QUERY PLAN"]
            return scans((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])

    return explain


async def test_the_sequencer_looks_into_the_year_of_each_fact_only(
    house: House, explained: Callable[..., Awaitable[list[dict[str, Any]]]]
) -> None:
    await house.bakesbangpol.log()
    looked = [one for one in await explained(sequencer._QUEUED) if one["Actual Loops"]]
    assert {one["Relation Name"] for one in looked} == {f"event_{THIS}"}
    assert {one["Node Type"] for one in looked} <= {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}


async def test_the_facts_of_a_task_are_found_by_index_in_every_year(
    house: House, explained: Callable[..., Awaitable[list[dict[str, Any]]]]
) -> None:
    task = await house.bakesbangpol.log()
    async with house.superuser() as connection:
        await connection.execute(
            text(
                f"insert into event ({COLUMNS}) select cast(left(cast(id as text), 24) || right("
                "cast(gen_random_uuid() as text), 12) as uuid), kind, object_type, object_id, gen_random_uuid(),"
                " agency, client_id, request_id, effective_at, recorded_at, payload, words, salt, leaf from event,"
                " generate_series(1, 50)"
            )
        )
        await connection.execute(text("delete from unsequenced"))
    async with house.superuser() as connection:
        await connection.execute(text("analyze event"))
    statement = log._HISTORY.format(standing="(values (0, 0)) s (sealed, witnessed)")
    looked = await explained(statement, task_id=task["id"], until=None)
    assert {one["Relation Name"] for one in looked} >= {"event_2024", f"event_{THIS}", "event_rest"}
    (grown,) = [one for one in looked if one["Relation Name"] == f"event_{THIS}"]
    indexes = [one.get("Index Name") for one in (grown, *grown.get("Plans", []))]
    assert f"event_{THIS}_task_id_id_idx" in indexes, grown
