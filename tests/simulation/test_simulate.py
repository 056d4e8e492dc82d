"""`simpul simulate`: a nation that is as the service would have written it, the same again for the same seed."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from catalogued import kinds_told
from fastapi import FastAPI
from notary import Notary, witness
from plans import explained
from support import Agency, Contract, scaled
from typer.testing import CliRunner, Result

from app import cli, evidence
from app.db import Database, rows, value
from app.log_export import write, write_sealed
from app.main import create_app
from app.rules.facts import EventKind
from app.services import retirement, simulated_rows, visibility
from app.settings import Settings
from app.settings import settings as read_settings
from app.simulation.nation import voting
from app.testimony import Kept
from app.verifying import verify

TASKS = scaled(400, 3000)
SEED = 11
#: What differs from run to run: keys, and what is sealed under them.
SECRET = {"sealed", "words_sealed"}
SIMULATED = "recorded_at < '2025-07-01' and recorded_at > '2024-01-01'"
Simulate = Callable[..., Awaitable[Result]]


@pytest.fixture(scope="module")
def simulate(settings: Settings) -> Simulate:
    """Run the command on a database, as somebody at the machine would."""

    async def simulate(url: str, *words: str, **more: str) -> Result:
        with pytest.MonkeyPatch.context() as patch:
            told = {"SIMPUL_DATABASE_URL": url, "SIMPUL_VAR": str(settings.var), "SIMPUL_LOG_MEMORY": "-", **more}
            for name, content in {**told, "COLUMNS": "300"}.items():
                patch.setenv(name, content)
            read_settings.cache_clear()
            try:
                return await asyncio.to_thread(CliRunner().invoke, cli.app, ["simulate", *words])
            finally:
                read_settings.cache_clear()

    return simulate


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the clients of the nation are kept."""
    return tmp_path_factory.mktemp("nation") / "credentials.json"


def words(*more: str, seed: int = SEED) -> tuple[str, ...]:
    return ("--more", "--tasks", str(TASKS), "--seed", str(seed), "--processes", "1", *more)


@pytest.fixture(scope="module")
async def nation(clone: Callable[[], Awaitable[str]], simulate: Simulate, kept: Path) -> str:
    url = await clone()
    ran = await simulate(url, *words("--clients", "3", "--credentials", str(kept)))
    assert ran.exit_code == 0, ran.output
    return url


@pytest.fixture(scope="module")
def made(nation: str, kept: Path) -> list[dict[str, Any]]:
    """The clients that were made for it."""
    assert nation
    found: list[dict[str, Any]] = json.loads(kept.read_text())
    return found


@pytest.fixture(scope="module")
async def served(nation: str, settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings, nation)
    yield app
    await app.state.database.close()


@pytest.fixture
def database(served: FastAPI) -> Database:
    found: Database = served.state.database
    return found


@pytest.fixture
async def http(served: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    hooks = {"response": [Contract(served).check]}
    transport = httpx.ASGITransport(served)
    async with httpx.AsyncClient(transport=transport, base_url="http://simpul", event_hooks=hooks) as client:
        yield client


@pytest.fixture
async def agencies(http: httpx.AsyncClient, made: list[dict[str, Any]]) -> list[Agency]:
    """The clients that were made for the nation: of the whole country, of a province, of the busiest city."""
    return [await Agency(http, one).sign_in() for one in made]


async def asked(database: Database, sql: str, **values: Any) -> list[dict[str, Any]]:
    async with database.working() as worker:
        return await rows(worker, sql, **values)


async def test_it_is_refused_where_there_are_tasks_and_in_production(
    clone: Callable[[], Awaitable[str]], simulate: Simulate
) -> None:
    url = await clone()
    ran = await simulate(url, "--tasks", "5", "--processes", "1")
    assert (ran.exit_code, "There are tasks in this database" in ran.stderr) == (1, True)
    fit = {"SIMPUL_ENV": "production", "SIMPUL_PEPPER": secrets.token_hex(32), "SIMPUL_ISSUER": "https://simpul.go.id"}
    guarded = f"postgresql+asyncpg://simpul:{secrets.token_hex(16)}@127.0.0.1/simpul"
    ran = await simulate(guarded, *words(), **fit)
    assert (ran.exit_code, "never simulated in production" in ran.stderr) == (1, True)


async def test_a_fact_that_one_does_not_hear_of_is_passed_by_in_one_look(
    nation: str, settings: Settings, made: list[dict[str, Any]]
) -> None:
    app = create_app(settings, nation)
    with explained(app.state.database) as told:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simpul") as http:
            city = await Agency(http, made[-1]).sign_in()
            told.ran.clear()
            page = (await city.get("/v1/events?after=0&limit=200")).json()
    await app.state.database.close()
    assert 0 < len(page["items"]) < page["after"] / 8
    assert len(told.ran) < page["after"] / 2  # those within functions too


async def test_the_same_seed_gives_the_same_rows_and_another_seed_others(
    clone: Callable[[], Awaitable[str]], simulate: Simulate, nation: str, settings: Settings
) -> None:
    found = [await rows_of(nation, settings)]
    for seed in (SEED, SEED + 1):
        url = await clone()
        assert (await simulate(url, *words(seed=seed))).exit_code == 0
        found.append(await rows_of(url, settings))
    assert found[0] == found[1]
    assert all(found[0][table] != found[2][table] for table in ("task", "event", "assignment"))


async def rows_of(url: str, settings: Settings) -> dict[str, str]:
    """A hash of all rows of the nation, by table, without what is sealed."""
    database = Database(url, settings)
    found = {}
    for table in ("agency", "member", "client", "task", "referral", "assignment", "deadline", "comment", "event"):
        columns = "to_jsonb(t)" + "".join(f" - '{name}'" for name in sorted(SECRET))
        where = "true" if table in {"agency", "member"} else f"t.{SIMULATED.replace(' and ', ' and t.')}"
        (one,) = await asked(
            database,
            f"select count(*), md5(string_agg(({columns})::text, '' order by t)) as sum from {table} t where {where}",
        )
        assert one["count"] > 10, table
        found[table] = one["sum"]
    await database.close()
    return found


async def test_it_is_as_many_as_asked_for_and_skewed_as_real_offices_are(database: Database) -> None:
    tasks = await asked(
        database, f"select region_code, status, classification, recorded_at from task where {SIMULATED}"
    )
    assert len(tasks) == TASKS
    seats = [one["region_code"][:5] for one in tasks]
    busiest = sorted((seats.count(one) for one in set(seats)), reverse=True)
    assert sum(busiest[:20]) > 0.5 * TASKS
    assert len(busiest) > 60
    closed = sum(one["status"] == "closed" for one in tasks)
    assert 0.8 * TASKS < closed < 0.97 * TASKS
    near = sum("2024-11-01" <= f"{one['recorded_at']:%Y-%m-%d}" <= "2024-12-10" for one in tasks)
    assert near > 0.3 * TASKS
    (there,) = await asked(
        database, "select count(distinct region_code) from agency where office = 'KPU' and tier = 'city'"
    )
    assert there["count"] == 514


async def test_545_regions_vote(database: Database) -> None:
    """All but Yogyakarta, which elects no governor, and the cities of Jakarta, which elect no mayors."""
    found = await asked(database, "select code from region where level in ('province', 'regency', 'city')")
    assert (len(found), len(voting([one["code"] for one in found]))) == (552, 545)


async def test_readers_are_those_that_the_facts_give(database: Database) -> None:
    async with database.working() as worker:
        assert await visibility.stale_readers(worker) == 0
        before = await rows(worker, "select id, readers from referral order by id")
        await value(worker, "select count(app.keep_readers(id)) from task")
        assert await rows(worker, "select id, readers from referral order by id") == before


async def test_every_word_that_a_text_holds_is_known_to_the_search(database: Database) -> None:
    missing = await asked(
        database,
        "select distinct w from task t, unnest(app.spelled(t.words)) w"
        " where not exists (select from word k where k.spelling = w)",
    )
    assert missing == []


async def test_all_that_held_each_row_holds_again(database: Database, settings: Settings, url: str) -> None:
    """Indexes, constraints, triggers and walls are those of a database into which nothing was loaded."""
    held = """
        select pg_get_indexdef(indexrelid) as one from pg_index join pg_class c on c.oid = indrelid
            where relnamespace = 'public'::regnamespace
        union all select concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated)
            from pg_constraint where connamespace = 'public'::regnamespace
        union all select concat_ws(' ', tgrelid::regclass, tgname, tgenabled) from pg_trigger where not tgisinternal
        union all select concat_ws(' ', relname, relrowsecurity, relforcerowsecurity) from pg_class
            where relnamespace = 'public'::regnamespace
        order by 1
    """
    untouched = Database(url, settings)
    assert await asked(database, held) == await asked(untouched, held)
    await untouched.close()


async def test_the_log_holds_every_fact_and_verifies(database: Database, served: FastAPI, tmp_path: Path) -> None:
    assert await Notary(served).seal() > 4 * TASKS
    await write(database, tmp_path / "export", lambda *_: None)
    report = verify(tmp_path / "export", Kept())
    assert (report.findings, report.pending) == ([], [])
    assert report.documents == report.entries == report.sealed
    (left,) = await asked(database, "select (select count(*) from event) - (select count(*) from log_entry) as facts")
    assert left["facts"] == 0


async def test_every_fact_says_what_the_catalogue_promises_words_included(database: Database) -> None:
    told = await kinds_told(database)
    assert {
        *(EventKind.TASK_LOGGED, EventKind.TASK_CONFIRMED, EventKind.TASK_CANCELLED, EventKind.TASK_COMMENTED),
        *(EventKind.REFERRAL_SENT, EventKind.REFERRAL_RECEIVED, EventKind.REFERRAL_ACCEPTED),
        *(EventKind.DEADLINE_STARTED, EventKind.DEADLINE_MET, EventKind.DEADLINE_BREACHED),
    } <= told


def test_a_document_is_what_the_log_hashes() -> None:
    """The quick spelling is that of RFC 8785, wherever a fact could differ."""
    fact = dict.fromkeys(evidence.MEMBERS) | {"payload": {"é": "</\u2028\x1f", "a": [1, True, {}]}}
    assert simulated_rows.document(fact) == evidence.document(fact)


async def test_what_a_nation_is_asked_for_keeps_the_contract(agencies: list[Agency]) -> None:
    """Each answer is held against its schema as it comes; then and now tell the same of what is over."""
    national, _, city = agencies
    seen = 0
    for caller in (national, city):
        listed = await caller.get("/v1/tasks?limit=100&count=exact&sort=-effective_at")
        assert listed.status_code == 200, listed.text
        for one in listed.json()["items"][: scaled(12, 60)]:
            path = f"/v1/tasks/{one['id']}"
            now, then = [await caller.get(f"{path}{when}") for when in ("", "?as_of=2026-01-01T00:00:00Z")]
            assert (now.status_code, then.status_code) == (200, 200), (now.text, then.text)
            same = ("title", "status", "holder", "accountable", "mandate", "outcome", "note", "facts", "supporting")
            assert [now.json().get(name) for name in same] == [then.json().get(name) for name in same]
            if one["access"] == "full":
                for part in ("history", "comments", "deadlines", "referrals", "transitions", "shares"):
                    assert (await caller.get(f"{path}/{part}")).status_code == 200
            seen += 1
    assert seen >= 20
    for path in (
        "/v1/referrals?limit=100",
        "/v1/deadlines?limit=100",
        "/v1/events?limit=100",
        "/v1/tasks?q=surat suara",
    ):
        assert (await national.get(path)).status_code == 200
    counted = await national.get("/v1/statistics/tasks")
    assert counted.status_code == 200


async def test_every_owner_is_whom_the_law_names_then(database: Database, agencies: list[Agency]) -> None:
    logged = await asked(
        database,
        "select t.*, e.effective_at as at, e.payload ->> 'competent' as competent, e.payload ->> 'mandate' as row,"
        " e.payload -> 'state' as state from task t join event e on e.task_id = t.id and e.kind = 'task.logged'"
        f" where t.{SIMULATED.replace(' and ', ' and t.')} order by md5(t.reference) limit 50",
    )
    assert len(logged) == 50
    for one in logged:
        await named(agencies[0], one, function=one["state"]["function"], variant=one["state"]["variant"])
    referred = await asked(
        database,
        "select t.*, f.effective_at as at, f.to_agency as competent, f.mandate as row, f.function as of, f.variant as v"
        f" from referral f join task t on t.id = f.task_id where f.{SIMULATED.replace(' and ', ' and f.')}"
        " and f.effective_at > t.effective_at limit 20",
    )
    assert len(referred) > 3
    for one in referred:
        await named(agencies[0], one, function=one["of"], variant=one["v"])


async def named(caller: Agency, one: dict[str, Any], *, function: str, variant: str | None) -> None:
    """Ask the dry run, as anybody may."""
    question = {
        "category": one["category"],
        "function": function,
        "region": one["region_code"],
        "at": one["at"].isoformat(),
        "event_at": (one["event_at"] or one["effective_at"]).isoformat(),
        **({"variant": variant} if variant else {}),
        **({"subject_kind": one["subject_kind"]} if one["subject_kind"] else {}),
    }
    answer = await caller.get("/v1/mandates/resolution", params=question)
    assert answer.status_code == 200, answer.text
    owner = answer.json()["accountable"]
    assert (owner["agency"], owner["mandate"]) == (one["competent"], one["row"]), question


async def test_the_service_goes_on_where_the_nation_was_left(
    database: Database, served: FastAPI, agencies: list[Agency]
) -> None:
    city = agencies[2]
    listed = await city.get(f"/v1/tasks?limit=1&holder={city.code}")
    (task,) = listed.json()["items"]
    said = await city.post(f"/v1/tasks/{task['id']}/comments", {"body": "Dilanjutkan."})
    assert said.status_code == 201, said.text
    logged = await city.log(region=task["region"])
    assert logged["open_referral"] or logged["accountable"]
    before = await asked(database, "select count(*) from unsequenced")
    assert before[0]["count"] >= 2
    await Notary(served).seal()
    async with database.working() as worker:
        assert await visibility.stale_readers(worker) == 0


def test_credentials_are_kept_for_their_owner_only(kept: Path, made: list[dict[str, Any]]) -> None:
    assert kept.stat().st_mode & 0o777 == 0o600
    assert [one["agency"] for one in made][:2] == ["KPU_RI", "BAWASLU_JATIM"]
    assert {one.keys() >= {"agency", "client_id", "client_secret", "role"} for one in made} == {True}


# last, for it takes the facts of that year away


async def test_when_its_year_is_retired_every_task_stands_as_it_stood(
    database: Database, nation: str, agencies: list[Agency], tmp_path: Path
) -> None:
    stood = (
        "select t.id, app.state_of(t.id, cast(:at as timestamptz)) as state,"
        " app.state_of(t.id, cast(:at as timestamptz) + interval '40 days') as later from task t order by t.id"
    )
    new_year = datetime(2025, 1, 1, tzinfo=UTC)
    before = await asked(database, stood, at=new_year)
    assert sum(one["state"] is not None for one in before) > TASKS / 2
    head = (await agencies[0].get("/v1/log/head")).json()
    assert (await (await witness(agencies[0])).cosign(head)).status_code == 201
    size = await write(database, tmp_path / "left", lambda *_: None)
    await write_sealed(database, tmp_path / "left", size)

    owner = Database(
        nation, database.settings.model_copy(update={"retention_years": 1, "witnesses": 1}), keys=database.keys
    )
    told = await retirement.retire(
        owner, year=2024, folder=tmp_path / "left", declaration="Berita acara 12/2026", operator="Diskominfo"
    )
    await owner.close()
    assert told["facts"] > 10 * TASKS
    assert await asked(database, stood, at=new_year) == before
    assert {
        one["year"]
        for one in await asked(
            database, "select distinct extract(year from recorded_at)::int as year from event where task_id is not null"
        )
    }.isdisjoint({2024})
