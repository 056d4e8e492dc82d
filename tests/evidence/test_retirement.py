"""A year of facts is retired: what was proved stays so, what stands stands, and no part is told for the whole."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
from ageing import age
from listener import eventually, heard
from notary import House, Machine, Notary
from retiring import AFTER, WHY, YEAR, Json, Old, exported
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from stories import Cast, words
from support import Agency

from app import log_files
from app.db import execute, value, work
from app.log_export import write, write_sealed
from app.main import create_app
from app.rules.caller import itself
from app.rules.vocabulary import Status
from app.services import log_keys
from app.settings import ROOT, Settings
from app.testimony import Kept
from app.verifying import verify

#: An instant of the year that is retired.
WITHIN: Final = "2024-08-23T00:00:00Z"
READ: Final = "select from years.event_{year}"


def client_of(settings: Settings, agency: str) -> Json:
    """The credentials of the supervisor of an agency."""
    kept = json.loads((settings.var / "credentials.json").read_text())
    return dict(next(one for one in kept if one["agency"] == agency and one["role"] == "supervisor"))


async def seen(old: Old) -> list[Any]:
    """What agencies are told of these tasks after that year, but for the facts themselves."""
    found: list[Any] = []
    for agency in (old.house.bakesbangpol, old.house.bkpsdm):
        for at in (AFTER, "2026-01-01T00:00:00Z", datetime.now(UTC).isoformat()):
            for path in (f"/v1/tasks/{old.task['id']}", f"/v1/tasks/{old.closed['id']}", "/v1/tasks"):
                answer = await agency.get(
                    path, params={"as_of": at, **({"limit": "50"} if path == "/v1/tasks" else {})}
                )
                assert answer.status_code == 200, answer.text
                found.append(answer.json())
            counted = await agency.get("/v1/statistics/tasks", params={"as_of": at})
            found.append({name: one for name, one in counted.json().items() if name != "at"})
        found.append((await agency.get(f"/v1/tasks/{old.task['id']}")).json())
        found.append((await agency.get(f"/v1/tasks/{old.task['id']}/comments")).json())
    return found


async def test_what_stands_after_a_year_is_told_as_before_when_its_facts_are_gone(old: Old) -> None:
    before = await seen(old)
    assert before[0]["title"] == "Sosialisasi netralitas ASN"
    assert before[0]["status"] == "in_progress"
    told = await old.retire()
    assert (told["year"], told["facts"], told["table"]) == (YEAR, old.facts, f"years.event_{YEAR}")
    assert told["told_from"] == AFTER
    assert await old.online() == 0
    assert await seen(old) == before


async def test_a_task_that_is_still_open_goes_on(old: Old) -> None:
    await old.retire()
    task = f"/v1/tasks/{old.task['id']}"
    etag = (await old.house.bkpsdm.get(task)).headers["etag"]
    patched = await old.house.bkpsdm.patch(task, {"title": "Sosialisasi ulang", "priority": "high"}, etag=etag)
    assert patched.status_code == 200, patched.text
    said = words(["outcome", "note", "facts.participants"])
    assert (await old.house.bkpsdm.move(old.task["id"], "resolve", **said)).status_code == 200
    assert (await old.house.bakesbangpol.move(old.task["id"], "confirm")).status_code == 200
    now = await old.house.bakesbangpol.read(old.task["id"])
    then = (await old.house.bakesbangpol.get(task, params={"as_of": datetime.now(UTC).isoformat()})).json()
    assert then == {**now, "available_transitions": []}
    first = (await old.house.bakesbangpol.get(task, params={"as_of": AFTER})).json()
    assert (first["title"], first["priority"]) == ("Sosialisasi netralitas ASN", "medium")


async def test_the_history_says_which_of_its_facts_are_retired(old: Old) -> None:
    path = f"/v1/tasks/{old.task['id']}/history"
    before = (await old.house.bakesbangpol.get(path)).json()
    assert before["retired"] == []
    await old.retire()
    after = (await old.house.bakesbangpol.get(path)).json()
    assert after["items"] == []
    assert after["assignments"] == before["assignments"]
    names = ("id", "kind", "agency", "effective_at", "recorded_at", "log_index")
    assert after["retired"] == [{name: one[name] for name in names} for one in before["items"]]
    # what they said is in the export, at these places
    documents = {one.index: one.document for _, one in log_files.records(old.export / "entries.jsonl", log_files.Entry)}
    assert all(json.loads(documents[one["log_index"]] or "")["id"] == one["id"] for one in after["retired"])


async def test_who_owned_it_once_is_told_up_to_its_hand_over_only(
    house: House, machine: Machine, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("SIMPUL_RETENTION_YEARS", "1")
    monkeypatch.setenv("SIMPUL_WITNESSES", "1")
    bawaslu = await Agency(house.http, client_of(settings, "BAWASLU_KOTA_MALANG")).sign_in()
    await house.seal()
    cast = Cast(house.bakesbangpol, house.bkpsdm)
    task = await cast.refer(await cast.bring(Status.ACCEPTED), bawaslu)
    assert (await bawaslu.accept(task))["accountable"] == bawaslu.code
    assert (await bawaslu.move(task["id"], "start")).status_code == 200
    facts = await age(house.superuser, YEAR)
    async with house.superuser() as connection:  # what belongs to them is as old as they are
        handed = "select max(recorded_at) from event where task_id = :task and kind = 'referral.accepted'"
        at = await connection.scalar(text(handed), {"task": task["id"]})
        await connection.execute(
            text(
                "update assignment set ended_recorded_at = :at where task_id = :task and ended_recorded_at is not null"
            ),
            {"at": at, "task": task["id"]},
        )
    old = Old(house, machine, task, task, facts, await exported(house, "left"))
    path = f"/v1/tasks/{task['id']}/history"
    former, owner = [(await agency.get(path)).json()["items"] for agency in (house.bkpsdm, bawaslu)]
    assert 0 < len(former) < len(owner) == facts
    await old.retire()
    for agency, before in ((house.bkpsdm, former), (bawaslu, owner)):
        after = (await agency.get(path)).json()["retired"]
        assert [one["id"] for one in after] == [one["id"] for one in before]


async def test_the_follow_up_of_a_meeting_tells_the_last_act_although_it_is_retired(old: Old) -> None:
    agency = old.house.bakesbangpol
    held = await agency.post("/v1/meetings", {"title": "Rakor", "held_on": "2024-08-23", "region": "35.73"})
    assert held.status_code == 201, held.text
    task = await agency.log(meeting=held.json()["id"])
    old.facts += await age(old.house.superuser, YEAR)
    old.export = await exported(old.house, "newer")
    path = f"/v1/meetings/{held.json()['id']}/follow-up"
    before = (await agency.get(path)).json()
    assert task["reference"] in json.dumps(before)
    assert '"last_act": {"kind": "referral.sent"' in json.dumps(before)
    await old.retire()
    assert {**(await agency.get(path)).json(), "at": before["at"]} == before


async def test_nobody_else_sees_what_is_left_of_them(old: Old, settings: Settings) -> None:
    await old.retire()
    kodim = await Agency(old.house.http, client_of(settings, "KODIM_0833_KOTA_MALANG")).sign_in()
    assert (await kodim.get(f"/v1/tasks/{old.task['id']}/history")).status_code == 404
    async with old.house.app.state.database.writing() as writer:
        await value(writer, "select app.become('simpul_api')")
        assert await value(writer, "select count(*) from retired_fact") == 0
        await writer.rollback()


# plain answers


@pytest.mark.parametrize("path", ["/v1/tasks", "/v1/tasks/{id}", "/v1/statistics/tasks"])
async def test_a_moment_of_that_year_is_told_no_more(old: Old, path: str) -> None:
    asked = path.format(id=old.task["id"])
    assert (await old.house.bakesbangpol.get(asked, params={"as_of": WITHIN})).status_code == 200
    await old.retire()
    for moment in (WITHIN, "2024-12-31T23:59:59.999999Z", "2019-01-01T00:00:00Z"):
        answer = await old.house.bakesbangpol.get(asked, params={"as_of": moment})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter")
        assert (answer.json()["errors"][0]["code"], answer.json()["told_from"]) == ("retired", AFTER)
    assert (await old.house.bakesbangpol.get(asked, params={"as_of": AFTER})).status_code == 200


async def test_the_feed_begins_after_what_is_retired_and_says_so(old: Old) -> None:
    told = await old.retire()
    await old.house.bakesbangpol.log()
    await old.house.seal()
    for after in (0, told["until"] - 1):
        for more in ({}, {"Accept": "text/event-stream"}):
            answer = await old.house.bakesbangpol.get("/v1/events", params={"after": str(after)}, headers=more)
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter")
            assert (answer.json()["errors"][0]["code"], answer.json()["retired_until"]) == ("retired", told["until"])
    kinds = [one["type"] for one in await heard(old.house.bakesbangpol, after=told["until"])]
    assert {"log.retired", "task.logged"} <= {*kinds}


async def test_a_webhook_begins_after_what_is_retired(old: Old) -> None:
    told = await old.retire()
    hook = {"url": "https://simpul.kpu-malangkota.go.id/masuk"}
    refused = await old.house.admin.post("/v1/webhooks", {**hook, "after": told["until"] - 1})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "retired")
    assert refused.json()["retired_until"] == told["until"]
    assert (await old.house.admin.post("/v1/webhooks", {**hook, "after": told["until"]})).status_code == 201


async def test_the_log_says_who_retired_what_on_which_basis(old: Old) -> None:
    told = await old.retire("--drop")
    await old.house.seal()
    found = await heard(old.house.bkpsdm, after=told["until"], types="log.retired")
    retired, dropped = [one["data"]["facts"] for one in found]
    assert (retired["dropped"], dropped["dropped"]) == (False, True)
    for one in (retired, dropped):
        assert (one["year"], one["count"], one["until"]) == (YEAR, old.facts, told["until"])
        assert (one["declaration"], one["operator"]) == (WHY[1], WHY[3])
    report = verify(old.export)
    assert (retired["size"], retired["root"]) == (report.entries, report.root)


# proofs


async def test_a_retired_fact_is_proved_as_before_and_an_export_verifies_with_its_leaf_alone(old: Old) -> None:
    history = (await old.house.bakesbangpol.get(f"/v1/tasks/{old.task['id']}/history")).json()["items"]
    entries = {one.index: one for _, one in log_files.records(old.export / "entries.jsonl", log_files.Entry)}
    size = max(entries)
    asked = {"leaf": entries[history[0]["log_index"]].leaf, "size": str(size)}
    before = (await old.house.bkpsdm.get("/v1/log/proofs/inclusion", params=asked)).json()
    await old.retire("--drop")
    assert (await old.house.bkpsdm.get("/v1/log/proofs/inclusion", params=asked)).json() == before
    newest = await old.house.seal()
    between = {"from": str(size), "to": str(newest)}
    assert (await old.house.bkpsdm.get("/v1/log/proofs/consistency", params=between)).status_code == 200
    asked_for = {"after": str(history[0]["log_index"] - 1), "limit": "1"}
    (shown,) = (await old.house.bakesbangpol.get("/v1/log/entries", params=asked_for)).json()["items"]
    assert (shown["leaf"], shown["document"]) == (asked["leaf"], None)

    folder = await old.house.export("after")
    report = verify(folder, Kept(heads=(old.export / "heads.jsonl",), keys=old.export / "keys.json"), quorum=1)
    assert report.findings == []
    assert (report.leaves, report.retired, report.documents) == (old.facts, old.facts, newest - old.facts)
    ran = await old.machine("log", "verify", str(folder))
    assert f"{old.facts} by their leaf alone" in ran.stdout
    assert f"declares {old.facts} facts retired" in ran.stdout


async def test_more_leaves_without_documents_than_were_retired_are_named(old: Old) -> None:
    await old.retire()
    await old.house.seal()
    folder = await old.house.export("cut")
    lines = [json.loads(line) for line in (folder / "entries.jsonl").read_bytes().splitlines()]
    there = next(one for one in lines if one["document"])
    there["document"] = None
    (folder / "entries.jsonl").write_text("".join(json.dumps(one, separators=(",", ":")) + "\n" for one in lines))
    report = verify(folder)
    assert report.leaves == report.retired + 1
    assert report.findings[0].startswith(f"{report.leaves} entries are here by their leaf alone")
    assert "1 of them are none of those" in report.findings[0]
    assert verify(folder, Kept(partial=True)).findings == []
    for more, code in (([], 1), (["--partial"], 0)):
        assert (await old.machine("log", "verify", str(folder), *more)).exit_code == code


async def test_a_fact_that_is_gone_without_being_retired_is_missed_as_before(old: Old) -> None:
    await old.retire()
    await old.house.bakesbangpol.log()
    size = await old.house.seal()
    async with old.house.superuser() as connection:
        await connection.execute(text("alter table event disable trigger keep_facts"))
        gone = "delete from event where id = (select event_id from log_entry where index = :index)"
        await connection.execute(text(gone), {"index": size - 1})
        await connection.execute(text("alter table event enable always trigger keep_facts"))
    assert f"Entry {size - 1} is missing." in await old.house.verified("gap")


# what stands in the way


async def test_without_the_setting_everything_is_kept(old: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIMPUL_RETENTION_YEARS")
    assert "SIMPUL_RETENTION_YEARS is not set" in await old.refused()


async def test_full_years_stay_as_long_as_the_setting_says(old: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMPUL_RETENTION_YEARS", "5")
    assert "5 full years stay online: 2024 may be retired from 1 January 2030 (UTC) on." in await old.refused()


async def test_there_must_be_facts_and_no_older_ones(old: Old) -> None:
    assert "There are no facts of 1999." in await old.refused(year=1999)
    await old.house.bakesbangpol.log()
    await age(old.house.superuser, 2019)
    assert "There are facts of 2019: the oldest year goes first." in await old.refused()


async def test_facts_without_a_place_hold_their_year(old: Old) -> None:
    await old.house.bakesbangpol.log()
    more = await age(old.house.superuser, YEAR)
    old.facts += more
    assert f"Facts of 2024 have no place in the log yet: {more}." in await old.refused()
    await old.house.seal()
    said = await old.refused()
    assert f"left holds {old.facts - more} facts of 2024, and not just the {old.facts}" in said
    assert (await old.retire(export=await exported(old.house, "newer")))["facts"] == old.facts


async def test_a_webhook_that_has_not_heard_the_year_holds_it(old: Old) -> None:
    made = await old.house.admin.post("/v1/webhooks", {"url": "https://simpul.example.go.id/masuk", "after": 0})
    assert made.status_code == 201, made.text
    said = await old.refused()
    assert "Webhooks have not heard all of 2024 yet: BAKESBANGPOL_KOTA_MALANG" in said
    assert made.json()["id"] in said
    gone = await old.house.admin.delete(f"/v1/webhooks/{made.json()['id']}", etag=made.headers["etag"])
    assert gone.status_code == 204, gone.text
    await old.retire()


async def test_a_log_that_stands_still_holds_it(old: Old) -> None:
    async with old.house.superuser() as connection:
        await connection.execute(
            text(
                "insert into lost_head (size, root, head, signed_at, source)"
                " values (1, sha256(''), '', now(), 'memory')"
            )
        )
    assert "The log stands still" in await old.refused()


def without_documents(folder: Path) -> None:
    path = folder / "entries.jsonl"
    lines = [{**json.loads(line), "document": None} for line in path.read_bytes().splitlines()]
    path.write_text("".join(json.dumps(one, separators=(",", ":")) + "\n" for one in lines))


def other_word(folder: Path) -> None:
    path = folder / "entries.jsonl"
    path.write_text(path.read_text().replace("task.commented", "task.cancelled"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "sealed.jsonl").unlink(), "sealed.jsonl can't be read"),
        (lambda folder: (folder / "sealed.jsonl").write_bytes(b""), "with all that is sealed beside them"),
        (without_documents, "are here by their leaf alone, and the log declares 0 retired"),
        (other_word, "left does not verify: Entry"),
        (shutil.rmtree, "keys.json can't be read"),
    ],
)
async def test_it_must_have_left_whole(old: Old, spoil: Callable[[Path], object], said: str) -> None:
    spoil(old.export)
    assert said in await old.refused()


async def test_an_export_of_another_log_is_no_evidence_of_this_one(
    old: Old, clone: Callable[[], Awaitable[str]], settings: Settings
) -> None:
    app = create_app(settings, await clone())
    try:
        async with app.state.database.working() as writer:
            await log_keys.rotate(writer, by=itself("cli"))
        await Notary(app).seal()
        folder = old.house.folder / "stranger"
        size = await write(app.state.database, folder, lambda *_: None)
        await write_sealed(app.state.database, folder, size)
    finally:
        await app.state.database.close()
    assert "stranger is of another log: there is no head over" in await old.refused(export=folder)


# the table that is left


@pytest.mark.parametrize("role", ["simpul_api", "simpul_worker"])
async def test_neither_role_reads_the_table_of_a_retired_year(old: Old, role: str) -> None:
    await old.retire()
    async with old.house.app.state.database.writing() as writer:
        await value(writer, f"select app.become('{role}')")
        with pytest.raises(Exception, match="permission denied"):
            await execute(writer, READ.format(year=YEAR))
        await writer.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "drop table years.event_2024",
        "drop table retired_fact cascade",
        "drop trigger keep_retired on years.event_2024",
        "delete from years.event_2024",
        "update years.event_2024 set payload = '{}'",
        "truncate years.event_2024",
        "delete from retired_fact",
        "update retired_year set facts = 0",
        "truncate retired_year",
    ],
)
async def test_what_is_retired_is_guarded_like_what_is_not(old: Old, statement: str) -> None:
    await old.retire()
    assert (await old.house.http.get("/readyz")).json()["missing_walls"] == []
    async with old.house.superuser() as connection:
        with pytest.raises(Exception, match=r"evidence is not dropped|facts are never changed or deleted"):
            await connection.execute(text(statement))
        await connection.rollback()


async def test_the_table_goes_only_when_that_is_asked_for_and_by_the_same_export(old: Old) -> None:
    told = await old.retire()
    assert await old.retire() == told  # done already: nothing happens
    ran = await old.machine("log", "retire", str(YEAR), "--export", str(old.export / "x"), *WHY, "--drop")
    assert (ran.exit_code, "can't be read" in ran.stderr) == (1, True)
    await old.house.seal()
    later = await exported(old.house, "later")  # holds leaves only
    ran = await old.machine("log", "retire", str(YEAR), "--export", str(later), *WHY, "--drop")
    assert (ran.exit_code, "later is not an export by which 2024 left" in ran.stderr) == (1, True)
    assert await old.retire("--drop") == {**told, "table": None}
    assert await old.retire("--drop") == {**told, "table": None}
    async with old.house.superuser() as connection:
        assert await connection.scalar(text("select to_regclass('years.event_2024')")) is None
        said = "select count(*) from event where kind = 'log.retired'"
        assert await connection.scalar(text(said)) == 2


async def test_what_was_said_is_erased_from_what_is_left_too(old: Old) -> None:
    await old.retire()
    path = f"/v1/tasks/{old.task['id']}"
    comments = (await old.house.bakesbangpol.get(f"{path}/comments")).json()["items"]
    assert [(one["body"], one["acting_user"]) for one in comments] == [("Sudah dihubungi.", "staf-17")]
    ran = await old.machine("log", "erase", "--task", old.task["id"], "--reason", "Putusan", "--yes")
    assert ran.exit_code == 0, ran.output
    comments = (await old.house.bakesbangpol.get(f"{path}/comments")).json()["items"]
    assert [one["body"] for one in comments] == ["—"]
    then = (await old.house.bakesbangpol.get(path, params={"as_of": AFTER})).json()
    assert "Sosialisasi" not in then["title"]


# killed, busy, restored


@pytest.fixture
async def reader(house: House) -> AsyncIterator[asyncpg.Connection]:
    """Somebody who reads the facts, and goes on reading."""
    one = await asyncpg.connect(house.url.replace("+asyncpg", ""))
    await one.execute("begin")
    await one.fetchval("select count(*) from event")
    yield one
    await one.close()


async def test_who_reads_for_long_is_waited_for_briefly_and_then_nothing_has_happened(
    old: Old, reader: asyncpg.Connection
) -> None:
    assert await old.refused()
    await reader.execute("commit")
    assert (await old.retire())["facts"] == old.facts


async def test_killed_at_the_last_step_nothing_has_happened_and_it_can_be_said_again(
    old: Old, reader: asyncpg.Connection
) -> None:
    command = (sys.executable, "-m", "app.cli", "log", "retire", str(YEAR), "--export", str(old.export), *WHY)
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=dict(os.environ), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    watch = await asyncpg.connect(old.house.url.replace("+asyncpg", ""))

    async def waits() -> bool:
        return bool(
            await watch.fetchval("select count(*) from pg_locks where relation = 'event'::regclass and not granted")
        )

    async def waits_no_more() -> bool:
        return not await waits()

    await eventually(waits)
    process.kill()
    await process.wait()
    await eventually(waits_no_more)
    assert await watch.fetchval("select count(*) from retired_fact") == 0
    await watch.close()
    assert await old.online() == old.facts
    await reader.execute("commit")
    assert (await old.retire())["facts"] == old.facts


async def test_a_backup_of_before_is_whole_and_is_retired_by_the_same_export(
    old: Old, monkeypatch: pytest.MonkeyPatch
) -> None:
    await old.house.app.state.database.engine.dispose()
    url = make_url(old.house.url)
    backup = f"{url.database}_backup"
    engine = create_async_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"create database {backup} template {url.database}"))
        told = await old.retire()
        monkeypatch.setenv("SIMPUL_DATABASE_URL", url.set(database=backup).render_as_string(hide_password=False))
        assert await old.retire() == told
    finally:
        async with engine.connect() as connection:
            await connection.execute(text(f"drop database if exists {backup} with (force)"))
        await engine.dispose()


async def test_the_background_process_retires_nothing(old: Old) -> None:
    async with old.house.app.state.database.writing() as writer:
        await work(writer)
        with pytest.raises(Exception, match="must be owner"):
            await execute(writer, f"alter table event detach partition years.event_{YEAR}")
        await writer.rollback()
