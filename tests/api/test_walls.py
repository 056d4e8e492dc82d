"""Two walls, the predicate of the services and row-level security: each alone keeps every secret."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from house import PARTS, VILLAGE, House, ids_of
from listener import sequence
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from statements import heard
from support import Agency, scaled

from app import sql, start
from app.db import Database, encode, execute, row, rows, value
from app.main import create_app
from app.security import verify
from app.services import callers, choosing, visibility
from app.settings import Settings

#: Registry and law, which everybody with a token may read, and what holds no data of agencies.
PUBLIC = {
    *("agency", "agency_region", "agency_type", "alembic_version", "calendar", "category", "clock_start"),
    *("closing_requirement", "deadline_relation", "deadline_rule", "referral_clock_start"),
    *("election", "enumeration", "enumeration_value", "epoch", "escalation", "holiday", "legal_instrument", "mandate"),
    *("log_key", "member", "published_index", "recusal", "region", "retired_year", "signing_key", "stage"),
}


async def tables(database: Database) -> list[str]:
    async with database.reading() as reader:
        found = await rows(reader, "select tablename as name from pg_tables where schemaname = 'public'")
    return [one["name"] for one in found]


# the second wall by itself


async def test_every_table_is_public_or_walled_in(database: Database) -> None:
    async with database.reading() as reader:
        walled = await rows(
            reader,
            "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
            " and relrowsecurity and relforcerowsecurity",
        )
        unwalled = await rows(
            reader,
            "select relname as name from pg_class where relnamespace = 'years'::regnamespace and relkind = 'r'"
            " and not (relrowsecurity and relforcerowsecurity and relacl is null)",
        )
        missing = await value(reader, "select app.missing_walls()")
    assert {one["name"] for one in walled} == set(await tables(database)) - PUBLIC
    assert (unwalled, missing) == ([], [])


async def test_without_a_context_no_row_of_any_walled_table_is_seen(database: Database, kpu: Agency) -> None:
    await kpu.log(region=VILLAGE)
    walled = sorted(set(await tables(database)) - PUBLIC - {"unsequenced", "word"})  # these aren't even granted
    async with database.writing() as writer:
        await value(writer, "select app.become('simpul_api')")
        seen = {
            table: await value(writer, f"select count(*) from {table}")
            for table in (*(one for one in walled if one != "task"), "task_detail", "task_counted")
        }
        seen["task"] = await value(writer, "select count(id) from task")
    assert seen == dict.fromkeys(seen, 0)
    async with database.working() as worker:
        there = {table: await value(worker, f"select count(*) from {table}") for table in walled}
    assert all(there[table] for table in ("task", "event", "client", "referral"))


@pytest.mark.parametrize(
    "statement",
    [
        "delete from event",
        "select from years.event_2026",
        "delete from years.event_rest",
        "update calendar set holidays = '[]'",
        "delete from deadline",
        "update event set payload = '{}'",
        "delete from task",
        "delete from comment",
        "delete from vulnerability_evidence",
        "update comment set body = '-'",
        "select title from task",
        "select note from task",
        "select words from task",
        "select brief from task",
        "select spelling from word",
        "insert into word (spelling) values ('loot')",
        "truncate task",
        "create table loot (id int)",
        "alter table task disable row level security",
        "drop table task",
        "create role thief",
        "select pg_read_file('/etc/passwd')",
        "copy task to '/tmp/loot'",
        "select from unsequenced",
        "delete from unsequenced",
        "insert into log_entry (index, event_id) values (1000000, gen_random_uuid())",
        "insert into log_head (size, root, signed) values (1000000, '', '')",
        "update log_key set sealed = null",
        "insert into task (id, reference) values (gen_random_uuid(), '-')",
    ],
)
async def test_the_role_of_the_api_may_not(database: Database, statement: str) -> None:
    async with database.writing() as writer:
        await value(writer, "select app.become('simpul_api')")
        with pytest.raises(Exception, match=r"permission denied|must be owner|row-level security"):
            await execute(writer, statement)
        await writer.rollback()


async def test_the_role_of_the_api_owns_nothing_and_bypasses_nothing(database: Database) -> None:
    async with database.reading() as reader:
        found = await rows(
            reader,
            "select rolname as name, rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolcanlogin as more,"
            " exists (select from pg_class c where c.relowner = r.oid and c.relkind in ('r', 'p')) as owns"
            " from pg_roles r where rolname in ('simpul_api', 'simpul_worker') order by 1",
        )
    assert [(one["name"], one["more"], one["owns"]) for one in found] == [
        ("simpul_api", False, False),
        ("simpul_worker", False, False),
    ]


async def test_what_is_not_seen_is_not_worked_on(app: FastAPI, kpu: Agency, kodim: Agency) -> None:
    hidden = await kpu.log(region=VILLAGE, classification="rahasia")
    token = kodim.headers["Authorization"].removeprefix("Bearer ")
    claims = verify(app.state.keys, token, at=datetime.now(UTC))
    async with app.state.database.writing() as writer:
        await callers.identify(writer, claims, address="", acting_user=None, request_id="")
        with pytest.raises(Exception, match="what is not seen is not worked on"):
            await visibility.take_up(writer, UUID(hidden["id"]))
        await writer.rollback()


# each wall alone: words planted in every text are collected from every read of every caller


@pytest.fixture(scope="module")
async def house(clone: Callable[[], Awaitable[str]], settings: Settings) -> AsyncIterator[tuple[House, FastAPI]]:
    app = create_app(settings, await clone())
    kept = json.loads((settings.var / start.CREDENTIALS).read_text())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simpul") as http:
        house = House(http, kept)
        await house.furnish()
        await sequence(app.state.database)
        yield house, app
    await app.state.database.close()


def without_predicate(statement: str) -> str:
    """A statement of ours with the first wall taken out."""
    for part in FIRST_WALL:
        statement = statement.replace(part, "(true)")
    return statement


FIRST_WALL = [
    visibility._TASK_FULL,
    visibility._TASK_EXPERT,
    visibility._TASK_SUMMARY,
    *(visibility.register_visible(table, alias) for table in ("vulnerability", "meeting") for alias in ("t", "v", "m")),
    *(visibility.cleared(record) for record in ("t", "f")),
    visibility.acting("array[f.from_agency, f.to_agency]", "f"),
]


async def test_each_wall_alone_shows_every_caller_what_both_show(
    house: tuple[House, FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, app = house
    database: Database = app.state.database
    ids = await ids_of(database)
    both = await home.seen(ids)
    told = {name: {one for one in found if "kenari" in one} for name, found in both.items()}
    assert told["BAKESBANGPOL_KOTA_MALANG cleared"] > told["BAKESBANGPOL_KOTA_MALANG"] > told["neighbour"]
    assert told["operator"] == set()
    assert all(told[name] for name in ("expert", "nation", "forum member"))

    original = sql.statement
    rewritten = 0

    def lowered(sql: str, values: dict[str, Any]) -> Any:
        nonlocal rewritten
        bare = without_predicate(sql)
        rewritten += bare != sql
        return original(bare, values)

    with monkeypatch.context() as first_wall_down:
        first_wall_down.setattr("app.db.statement", lowered)
        second_alone = await home.seen(ids)
    assert rewritten > 1000

    await second_wall(database, standing=False)
    try:
        first_alone = await home.seen(ids)
    finally:
        await second_wall(database, standing=True)
    for name, found in both.items():
        assert second_alone[name] == found, name
        assert first_alone[name] == found, name


async def second_wall(database: Database, *, standing: bool) -> None:
    """Take row-level security down in this database, or put it up again."""
    engine = create_async_engine(database.engine.url)
    verb = "enable" if standing else "disable"
    async with engine.begin() as connection:
        walled = await connection.execute(text("select tablename from pg_policies group by 1"))
        for table in walled.scalars().all():
            await connection.execute(text(f"alter table {table} {verb} row level security"))
        for view in ("task_detail", "task_counted"):
            shown = await connection.scalar(text(f"select pg_get_viewdef('{view}')"))
            kept = f"obj_description(cast('{view}' as regclass), 'pg_class')"
            if standing:
                shown = await connection.scalar(text(f"select {kept}"))
            else:
                await connection.execute(text(f"comment on view {view} is $kept${shown}$kept$"))
                bare = str(shown).rpartition("WHERE")[0]
                shown = re.sub(r"(?s)\( SELECT .* AS in_full", "( SELECT true AS in_full", bare)
            await connection.execute(text(f"create or replace view {view} with (security_barrier) as {shown}"))
    await engine.dispose()


# what is chosen before it is read

ASKED = (
    *(
        "",
        "status=draft",
        "status=assigned,accepted",
        "category=asn_neutrality",
        "category=logistics",
        "priority=medium",
    ),
    *(
        "function=prevention",
        "classification=rahasia",
        "holder=BKPSDM_KOTA_MALANG",
        "logged_by=BAKESBANGPOL_KOTA_MALANG",
    ),
    *("accountable=BAWASLU_KOTA_MALANG,BKPSDM_KOTA_MALANG", "referred_to=BKPSDM_KOTA_MALANG", "party=me"),
    *(
        "supporting=BKPSDM_KOTA_MALANG,KPU_KOTA_MALANG",
        "external_reference=kenari0001",
        "stage=campaign",
        "stage=voting",
    ),
    *("region=35", f"region={VILLAGE}", "created_after=2024-01-01T00:00:00Z", "created_before=2024-01-01T00:00:00Z"),
    *("updated_after=2026-01-01T00:00:00Z", "due_before=2031-01-01T00:00:00Z", "due_after=2029-01-01T00:00:00Z"),
    *("deadline_status=running", "deadline_status=paused,breached", "status=assigned&party=me&sort=due_at"),
    *("sort=recorded_at", "sort=-due_at", "count=exact", "count=estimate&status=assigned", "limit=3"),
)
CLOCKS = (
    "",
    "status=running,breached",
    "kind=agreed",
    "accountable=BKPSDM_KOTA_MALANG",
    "region=35.73",
    "sort=-due_at",
)


async def test_what_is_chosen_is_all_that_the_list_would_show(
    house: tuple[House, FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the database chooses or the list is walked, each caller is shown the same."""
    home, app = house
    paths = [*(f"/v1/tasks?{one}" for one in ASKED), *(f"/v1/deadlines?{one}" for one in CLOCKS)]
    read = [one for name, one in home.callers.items() if name not in {"operator", "admin"}]

    async def shown() -> list[Any]:
        answers = [(await one.get(path)) for one in read for path in paths]
        assert {one.status_code for one in answers} <= {200, 403}
        return [{**one.json(), "next_cursor": None} if one.is_success else one.status_code for one in answers]

    app.state.database.breadths.clear()
    chosen = await shown()
    page, count = choosing.page, choosing.count
    with monkeypatch.context() as walking:
        walking.setattr(choosing, "page", lambda executor, _, *more: page(executor, None, *more))
        walking.setattr(choosing, "count", lambda executor, _, *more, **named: count(executor, None, *more, **named))
        walked = await shown()
    assert sum(len(one["items"]) for one in chosen if isinstance(one, dict)) > 1_000
    for (caller, path), one, other in zip(((c.code, p) for c in read for p in paths), chosen, walked, strict=True):
        assert one == other, (caller, path)


async def test_what_is_chosen_is_nothing_that_the_policies_hide(house: tuple[House, FastAPI]) -> None:
    home, app = house
    chosen = "select record from app.comes_next('{}', '{{}}', {}, false, '{}', null, null, null)"
    many = 0
    for name, caller in home.callers.items():
        if name in {"operator", "admin"}:
            continue
        claims = verify(app.state.keys, caller.token, at=datetime.now(UTC))
        for noun, in_full, seen in (
            ("task", "false", "task"),
            ("task", "true", "task_detail"),
            ("deadline", "true", "deadline"),
        ):
            async with app.state.database.reading() as reader:
                await callers.identify(reader, claims, address="", acting_user=None, request_id="")
                found = chosen.format(noun, in_full, "due_at")
                differ = await rows(
                    reader, f"({found} except select id from {seen}) union all (select id from {seen} except {found})"
                )
                many += await value(reader, f"select count(*) from ({found}) x")
            assert differ == [], (name, noun, in_full)
    assert many > 100


async def test_nothing_is_chosen_by_an_entry_of_the_register_that_is_hidden(house: tuple[House, FastAPI]) -> None:
    """Or how long it takes would tell how many tasks have to do with it."""
    home, app = house
    chosen = "select count(*) from app.comes_next('task', :asked, true, false, 'due_at', null, null, null)"
    seen, told = {True: 0, False: 0}, {True: 0, False: 0}
    for name, caller in home.callers.items():
        if name in {"operator", "admin"}:
            continue
        claims = verify(app.state.keys, caller.token, at=datetime.now(UTC))
        async with app.state.database.working() as writer:  # all of it becomes secret, and a stage that has no days
            stage = (
                await row(writer, "update stage set starts_on = null, ends_on = null returning election_code, code")
                or {}
            )
            await rows(
                writer,
                "update vulnerability set classification = 'rahasia', stage = :code, election = :election_code",
                **stage,
            )
            await rows(writer, "update meeting set classification = 'rahasia'")
            asked = [
                {"vulnerability": await value(writer, "select vulnerability_id from task_vulnerability limit 1")},
                {"meeting": await value(writer, "select meeting from task where meeting is not null limit 1")},
                {"stage": stage["code"]},
            ]
            await callers.identify(writer, claims, address="", acting_user=None, request_id="")
            cleared = await value(writer, "select app.cleared()")
            for filters in asked:
                found = await value(writer, chosen, asked=encode(filters).decode())
                seen[cleared], told[cleared] = seen[cleared] + 1, told[cleared] + found
            await writer.rollback()
    assert (min(seen.values()) > 0, told[True] > 0, told[False]) == (True, True, 0)


# hidden and absent


async def test_hidden_and_absent_run_the_same_statements_and_answer_the_same_bytes(
    app: FastAPI, kpu: Agency, kodim: Agency
) -> None:
    hidden = await kpu.log(classification="rahasia", region=VILLAGE)
    absent = "01a20095-dd78-7391-babc-105bdcc6dc88"
    ran: list[tuple[str, str]] = []
    parts = ("", f"?as_of={datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", *PARTS)
    answers = {}
    await kodim.get(f"/v1/tasks/{absent}")  # who asks is told once
    with heard(app.state.database, lambda statement: ran.append((place, statement))):
        for place in (hidden["id"], absent):
            for part in parts:
                answer = await kodim.get(f"/v1/tasks/{place}{part}", headers={"Request-Id": "same"})
                assert answer.status_code == 404
                answers[place, part] = answer.content.replace(place.encode(), b"-")
    assert [one for place, one in ran if place == absent] == [one for place, one in ran if place != absent]
    assert len(ran) >= 4 * (1 + len(PARTS))
    for part in parts:
        assert answers[hidden["id"], part] == answers[absent, part]


# a connection handed from one agency to the next


@pytest.mark.attack
async def test_requests_of_two_agencies_on_one_connection_never_cross(
    url: str, settings: Settings, kpu: Agency, kodim: Agency
) -> None:
    app = create_app(settings.model_copy(update={"pool_size": 1, "pool_timeout": 60.0}), url)
    own = {
        "kpu": (await kpu.log(title="kenari-kpu", classification="rahasia", region=VILLAGE), kpu, kodim),
        "kodim": (await kodim.log(title="kenari-kodim", classification="rahasia", region=VILLAGE), kodim, kpu),
    }
    crossed: list[str] = []

    async def ask(http: httpx.AsyncClient, number: int) -> None:
        _, mine, theirs = own["kpu" if number % 2 else "kodim"]
        asked = own["kpu" if number % 3 else "kodim"][0]
        path = (f"/v1/tasks/{asked['id']}", "/v1/tasks?limit=5", f"/v1/tasks/{asked['id']}/comments")[number % 3]
        answer = await http.get(path, headers=(mine if number % 5 else theirs).headers)
        asking = mine if number % 5 else theirs
        other = "kenari-kodim" if asking is kpu else "kenari-kpu"
        if other in answer.text or answer.status_code not in {200, 403, 404}:
            crossed.append(f"{number} {path} {answer.status_code}")

    total = scaled(600, 10_000)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simpul") as http:
        for begin in range(0, total, 40):
            await asyncio.gather(*(ask(http, number) for number in range(begin, begin + 40)))
    await app.state.database.close()
    assert crossed == []
