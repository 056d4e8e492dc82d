"""Clocks are watched: each end is spoken of once, whoever watches and however that ends; corrections are explained."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from catalogued import kinds_told
from fastapi import FastAPI
from support import Agency, Contract

from app import worker
from app.db import Database, execute, rows, value
from app.main import create_app
from app.rules.caller import itself
from app.services import calendars, clock_watch
from app.settings import ROOT, Settings

Json = dict[str, Any]


class Town:
    """A service of its own, and who asks in it."""

    def __init__(self, app: FastAPI, http: httpx.AsyncClient, credentials: list[Json]) -> None:
        self.app, self.http, self.credentials = app, http, credentials

    @property
    def database(self) -> Database:
        database: Database = self.app.state.database
        return database

    async def sign_in(self, agency: str | None, role: str = "supervisor") -> Agency:
        found = next(one for one in self.credentials if (one["agency"], one["role"]) == (agency, role))
        return await Agency(self.http, found).sign_in()

    async def facts(self, kind: str) -> list[Json]:
        async with self.database.working() as reader:
            return await rows(
                reader, "select object_id, payload, effective_at from event where kind = :kind order by id", kind=kind
            )

    async def correct(self, **said: Any) -> httpx.Response:
        operator = await self.sign_in(None, "operator")
        etag = (await operator.get("/v1/calendar")).headers["etag"]
        return await operator.post("/v1/calendar/corrections", {"reason": "SKB 3 Menteri", **said}, etag=etag)


@pytest.fixture
async def town(clone: Callable[[], Awaitable[str]], settings: Settings, credentials: list[Json]) -> AsyncIterator[Town]:
    app = create_app(settings, await clone())
    hooks = {"response": [Contract(app).check]}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://simpul", event_hooks=hooks
    ) as http:
        yield Town(app, http, credentials)
    await kinds_told(app.state.database)
    await app.state.database.close()


async def agreed(who: Agency, task: Json, *, start: datetime, due: datetime) -> Json:
    body = {"started_at": start.isoformat(), "due_at": due.isoformat(), "reason": "Rakor"}
    made = await who.post(f"/v1/tasks/{task['id']}/deadlines", body)
    assert made.status_code == 201, made.text
    return dict(made.json())


async def watch_to_the_end(town: Town, *, at_once: int = 1) -> None:
    while any(await asyncio.gather(*(worker.watch(town.database) for _ in range(at_once)))):
        pass


async def test_a_clock_approaches_and_runs_out_and_each_is_said_once(town: Town) -> None:
    kpu = await town.sign_in("KPU_KOTA_MALANG")
    task, now = await kpu.log(), datetime.now(UTC)
    hour = timedelta(hours=1)
    far = await agreed(kpu, task, start=now - hour, due=now + 24 * hour)
    near = await agreed(kpu, task, start=now - hour, due=now + hour / 6)
    late = await agreed(kpu, task, start=now - 2 * hour, due=now - hour)
    for _ in range(3):
        await watch_to_the_end(town, at_once=3)
    assert [one["object_id"] for one in await town.facts("deadline.approaching")] == [near["id"]]
    (fact,) = await town.facts("deadline.breached")
    assert (fact["object_id"], fact["effective_at"]) == (late["id"], now - hour)
    assert (fact["payload"]["was"], fact["payload"]["status"]) == ("running", "breached")
    shown = {one["id"]: one for one in (await kpu.get("/v1/deadlines", params={"task": task["id"]})).json()["items"]}
    assert {name: shown[one["id"]]["status"] for name, one in (("far", far), ("near", near), ("late", late))} == {
        "far": "running",
        "near": "running",
        "late": "breached",
    }
    assert shown[late["id"]]["breached_at"] == late["due_at"]
    listed = await kpu.get("/v1/tasks", params={"deadline_status": "breached"})
    assert [one["id"] for one in listed.json()["items"]] == [task["id"]]
    history = (await kpu.get(f"/v1/tasks/{task['id']}/history")).json()["items"]
    assert [one["agency"] for one in history if one["kind"] == "deadline.breached"] == [None]


async def test_who_has_time_again_runs_on_and_runs_out_again(town: Town) -> None:
    kpu = await town.sign_in("KPU_KOTA_MALANG")
    task, now = await kpu.log(), datetime.now(UTC)
    clock = await agreed(kpu, task, start=now - timedelta(hours=2), due=now - timedelta(hours=1))
    await watch_to_the_end(town)
    here = f"/v1/deadlines/{clock['id']}"
    for due, status in ((now + timedelta(days=9), "running"), (now - timedelta(minutes=1), "running")):
        etag = (await kpu.get(here)).headers["etag"]
        revised = await kpu.patch(here, {"due_at": due.isoformat(), "reason": "Disepakati lagi"}, etag=etag)
        assert (revised.json()["status"], revised.json()["breached_at"]) == (status, None), revised.text
    await watch_to_the_end(town)
    assert [one["object_id"] for one in await town.facts("deadline.breached")] == [clock["id"]] * 2
    told_late = {"action": "meet", "note": "Selesai", "effective_at": (now - timedelta(minutes=2)).isoformat()}
    etag = (await kpu.get(here)).headers["etag"]
    met = (await kpu.post(f"{here}/transitions", told_late, etag=etag)).json()
    assert (met["status"], met["breached_at"]) == ("met", None)


async def crowd(town: Town, count: int) -> None:
    """So many clocks that ran out and nobody spoke of."""
    kpu = await town.sign_in("KPU_KOTA_MALANG")
    now = datetime.now(UTC)
    clock = await agreed(kpu, await kpu.log(), start=now - timedelta(hours=2), due=now - timedelta(hours=1))
    async with town.database.working() as writer:
        columns = [
            one["name"]
            for one in await rows(
                writer,
                "select quote_ident(column_name) as name from information_schema.columns"
                " where table_name = 'deadline' and column_name <> 'id'",
            )
        ]
        listed = ", ".join(columns)
        await execute(
            writer,
            f"insert into deadline (id, {listed}) select gen_random_uuid(), {listed} from deadline,"
            f" generate_series(2, {count}) where id = '{clock['id']}'",
        )


class Killed(Exception):
    """Somebody pulled the plug."""


async def cut_off(town: Town) -> None:
    """A round of the watch that ends before its transaction does."""
    async with town.database.working() as writer:
        assert await clock_watch.breach(writer, by=itself("test")) == 20
        raise Killed


async def test_a_watch_that_is_cut_off_says_nothing_and_the_next_says_it_once(town: Town) -> None:
    await crowd(town, 20)
    with pytest.raises(Killed):
        await cut_off(town)
    assert await town.facts("deadline.breached") == []
    await watch_to_the_end(town, at_once=4)
    told = [one["object_id"] for one in await town.facts("deadline.breached")]
    assert len(told) == len(set(told)) == 20


async def test_two_workers_of_which_one_is_killed_say_of_each_clock_once_that_it_ran_out(
    town: Town, settings: Settings
) -> None:
    count = 1_500
    await crowd(town, count)
    address = town.database.engine.url.render_as_string(hide_password=False)
    environment = {**os.environ, "SIMPUL_DATABASE_URL": address, "SIMPUL_VAR": str(settings.var)}

    async def begin() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "app.worker"),
            env=environment,
            cwd=ROOT,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )

    workers = [await begin(), await begin()]
    try:
        await until(lambda: breached(town), at_least=1)
        workers[0].send_signal(signal.SIGKILL)
        workers.append(await begin())
        await until(lambda: breached(town), at_least=count)
    finally:
        for one in workers:
            if one.returncode is None:
                one.kill()
            await one.wait()
    told = [one["object_id"] for one in await town.facts("deadline.breached")]
    assert len(told) == len(set(told)) == count


async def breached(town: Town) -> int:
    async with town.database.working() as reader:
        return int(await value(reader, "select count(*) from deadline where status = 'breached'"))


async def until(count: Callable[[], Awaitable[int]], *, at_least: int) -> None:
    end = time.monotonic() + 60
    while (found := await count()) < at_least:
        assert time.monotonic() < end, found
        await asyncio.sleep(0.05)


# the calendar


async def dispute(town: Town, start: str) -> tuple[Agency, Json]:
    """A clock of three working days."""
    kpu = await town.sign_in("KPU_KOTA_MALANG")
    task = await kpu.log(category="process_dispute", function="adjudication", draft=True)
    body = {"clock_starts_at": "kpu_decision", "occurred_at": start}
    made = await kpu.post(f"/v1/tasks/{task['id']}/clock-starts", body)
    assert made.status_code == 201, made.text
    return kpu, made.json()["deadlines"][0]


async def test_a_corrected_calendar_moves_the_open_clocks_and_says_why(town: Town) -> None:
    kpu, clock = await dispute(town, "2024-09-22T10:00:00+07:00")
    _, other = await dispute(town, "2024-10-22T10:00:00+07:00")
    _, met = await dispute(town, "2024-09-22T11:00:00+07:00")
    done = {"action": "meet", "note": "Permohonan", "effective_at": "2024-09-24T10:00:00+07:00"}
    assert (await kpu.post(f"/v1/deadlines/{met['id']}/transitions", done, etag='"1"')).status_code == 200
    await watch_to_the_end(town)
    before = (await kpu.get(f"/v1/deadlines/{clock['id']}")).json()
    assert (before["status"], before["due_at"]) == ("breached", "2024-09-25T16:59:59Z")
    day = {"day": "2024-09-24", "name_id": "Cuti bersama", "kind": "collective_leave"}
    corrected = await town.correct(added=[day])
    assert corrected.status_code == 201, corrected.text
    assert (corrected.json()["version"], corrected.json()["added"]) == (2, ["2024-09-24"])
    await watch_to_the_end(town, at_once=3)
    after = (await kpu.get(f"/v1/deadlines/{clock['id']}")).json()
    assert (after["due_at"], after["calendar_version"]) == ("2024-09-26T16:59:59Z", 2)
    assert {"on": "2024-09-24", "count": None, "because": "holiday", "holiday": "Cuti bersama"} in after["arithmetic"]
    (fact,) = await town.facts("deadline.recomputed")
    assert fact["object_id"] == clock["id"]
    said = fact["payload"]
    assert (said["due_before"], said["due_at"]) == (before["due_at"], after["due_at"])
    assert (said["calendar_before"], said["calendar_version"], said["days"]) == (1, 2, ["2024-09-24"])
    assert said["because"] == "calendar_corrected"
    untouched = (await kpu.get(f"/v1/deadlines/{other['id']}")).json()
    assert (untouched["due_at"], untouched["calendar_version"]) == (other["due_at"], 2)
    closed = (await kpu.get(f"/v1/deadlines/{met['id']}")).json()
    assert (closed["status"], closed["calendar_version"]) == ("met", 1)
    back = await town.correct(removed=["2024-09-24"])
    assert back.status_code == 201, back.text
    await watch_to_the_end(town)
    assert (await kpu.get(f"/v1/deadlines/{clock['id']}")).json()["due_at"] == before["due_at"]
    old = (await kpu.get("/v1/calendar", params={"version": 2})).json()
    assert "2024-09-24" in {one["day"] for one in old["holidays"]}
    assert "2024-09-24" not in {one["code"] for one in (await kpu.get("/v1/reference/holiday")).json()["values"]}


async def test_what_was_provisional_is_settled_when_the_calendar_reaches_so_far(town: Town) -> None:
    kpu, clock = await dispute(town, "2026-05-29T10:00:00+07:00")
    assert clock["provisional"]
    # the library knows 1 June (Pancasila); let the decree say that it was worked on
    corrected = await town.correct(covers_to="2026-06-30")
    assert corrected.status_code == 201, corrected.text
    await watch_to_the_end(town)
    after = (await kpu.get(f"/v1/deadlines/{clock['id']}")).json()
    assert not after["provisional"]
    assert after["due_at"] < clock["due_at"]
    (fact,) = await town.facts("deadline.recomputed")
    assert fact["payload"]["provisional"] is False


async def test_operators_alone_correct_the_calendar_and_see_no_clock(town: Town) -> None:
    kpu, clock = await dispute(town, "2024-09-22T10:00:00+07:00")
    operator = await town.sign_in(None, "operator")
    day = {"day": "2024-09-24", "name_id": "Cuti bersama", "kind": "collective_leave"}
    body = {"reason": "SKB", "added": [day]}
    place = "/v1/calendar/corrections"
    assert (await kpu.post(place, body, etag='"1"')).status_code == 403
    assert (await operator.post(place, body)).status_code == 428
    answers = await asyncio.gather(*(operator.post(place, body, etag='"1"') for _ in range(4)))
    assert sorted(one.status_code for one in answers) == [201, 412, 412, 412]
    for wrong, pointer in (
        ({"added": [day]}, "/added/0"),
        ({"removed": ["2024-09-23"]}, "/removed/0"),
        ({}, ""),
        ({"covers_to": "2020-01-01"}, "/covers_to"),
    ):
        refused = await town.correct(**wrong)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)
    assert [one["version"] for one in (await kpu.get(place)).json()["items"]] == [2, 1]
    assert (await operator.get(f"/v1/deadlines/{clock['id']}")).status_code == 403
    fact = (await town.facts("calendar.corrected"))[0]
    assert (fact["object_id"], fact["payload"]["added"]) == ("2", ["2024-09-24"])


async def test_loading_the_files_again_adds_what_is_new_and_leaves_what_was_corrected(town: Town) -> None:
    assert (await town.correct(removed=["2024-09-16"])).status_code == 201
    window = {"covers_from": date(2024, 8, 1), "covers_to": date(2025, 4, 30)}
    async with town.database.writing() as writer:
        await calendars.settle(writer, **window)
        assert await value(writer, "select max(version) from calendar") == 2
        await execute(writer, "insert into holiday values ('2025-04-21', 'Uji', 'national', 'unverified', false)")
        await calendars.settle(writer, **window)
    operator = await town.sign_in(None, "operator")
    found = (await operator.get("/v1/calendar")).json()
    days = {one["day"] for one in found["holidays"]}
    assert (found["version"], "2024-09-16" in days, "2025-04-21" in days) == (3, False, True)
