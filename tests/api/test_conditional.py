"""Versions: nobody overwrites what he has not read, and nobody reads again what he has."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from snapshot import snapshot
from support import Agency

from app.db import Database


@pytest.fixture
async def logged(bakesbangpol: Agency) -> dict[str, Any]:
    return await bakesbangpol.log()


def writes(logged: dict[str, Any]) -> list[tuple[str, str, dict[str, Any] | None]]:
    """Every kind of write that takes If-Match, as its lawful author would send it."""
    path, referral = f"/v1/tasks/{logged['id']}", logged["open_referral"]["id"]
    return [
        ("PATCH", path, {"priority": "high"}),
        ("POST", f"{path}/transitions", {"action": "cancel", "reason": "-"}),
        ("PUT", f"{path}/shares/KODIM_0833_KOTA_MALANG", {"level": "full"}),
        ("DELETE", f"{path}/shares/KODIM_0833_KOTA_MALANG", None),
        ("POST", f"/v1/referrals/{referral}/withdrawal", {}),
    ]


async def send(agency: Agency, write: tuple[str, str, dict[str, Any] | None], etag: str | None) -> httpx.Response:
    method, path, body = write
    return await agency._send(method, path, body, etag=etag, headers={"Idempotency-Key": str(uuid4())})


@pytest.fixture
async def shared(bakesbangpol: Agency, logged: dict[str, Any]) -> dict[str, Any]:
    etag = (await bakesbangpol.get(f"/v1/tasks/{logged['id']}")).headers["etag"]
    path = f"/v1/tasks/{logged['id']}/shares/KODIM_0833_KOTA_MALANG"
    assert (await bakesbangpol.put(path, {"level": "summary"}, etag=etag)).status_code == 200
    return logged


@pytest.mark.parametrize("number", range(5))
async def test_a_change_without_if_match_is_428(
    bakesbangpol: Agency, shared: dict[str, Any], database: Database, number: int
) -> None:
    before = await snapshot(database)
    refused = await send(bakesbangpol, writes(shared)[number], None)
    assert (refused.status_code, refused.json()["code"]) == (428, "precondition-required")
    assert await snapshot(database) == before


STALE = (
    '"999"',
    "*",
    '"1", "2"',
    'W/"1"',
    'W/"2"',
    "garbage",
    '"-1"',
    '"7',
    "",
    '"01x"',
    '"99999999999999999999"',
    "''",
)


@pytest.mark.parametrize("number", range(5))
async def test_an_if_match_that_is_not_the_current_version_is_412_and_told_the_current_one(
    bakesbangpol: Agency, shared: dict[str, Any], database: Database, number: int
) -> None:
    write = writes(shared)[number]
    current = '"1"' if "referrals" in write[1] else '"2"'
    before = await snapshot(database)
    for etag in STALE:
        refused = await send(bakesbangpol, write, etag)
        assert (refused.status_code, refused.json()["code"]) == (412, "stale-version"), etag
        assert refused.json()["current_etag"] == current
    assert await snapshot(database) == before
    done = await send(bakesbangpol, write, current)
    assert done.status_code in {200, 204}, done.text


async def test_the_registry_is_changed_by_version_too(operator: Agency, database: Database) -> None:
    code = f"X_{uuid4().hex[:8].upper()}"
    said = {"code": code, "office": code, "tier": "city", "name_id": "Uji", "type": "election_organizer"}
    made = await operator.post("/v1/agencies", {**said, "level": "city", "regions": ["35.79"]})
    assert made.status_code == 201, made.text
    path, etag = f"/v1/agencies/{code}", made.headers["etag"]
    first = await operator.patch(path, {"name_en": "Test"}, etag=etag)
    assert (first.status_code, first.json()["name_en"]) == (200, "Test")
    before = await snapshot(database)
    stale = await operator.patch(path, {"name_en": "Late"}, etag=etag)
    assert (stale.status_code, stale.json()["current_etag"]) == (412, '"2"')
    assert (await operator.patch(path, {"name_en": "Late"})).status_code == 428
    assert await snapshot(database) == before


async def test_every_change_yields_a_new_etag_with_which_to_go_on(bakesbangpol: Agency, logged: dict[str, Any]) -> None:
    path = f"/v1/tasks/{logged['id']}"
    etag = (await bakesbangpol.get(path)).headers["etag"]
    seen = {etag}
    for priority in ("high", "low", "critical"):
        patched = await bakesbangpol.patch(path, {"priority": priority}, etag=etag)
        assert (patched.status_code, patched.json()["priority"]) == (200, priority)
        etag = patched.headers["etag"]
        seen.add(etag)
    assert len(seen) == 4
    assert (await bakesbangpol.get(path)).headers["etag"] == etag


@pytest.mark.parametrize(
    "path", ["/v1/tasks/{task}", "/v1/referrals/{referral}", "/v1/agencies/KPU_RI", "/v1/regions/35.73", "/v1/me"]
)
async def test_what_the_caller_has_already_is_304(bakesbangpol: Agency, logged: dict[str, Any], path: str) -> None:
    path = path.format(task=logged["id"], referral=logged["open_referral"]["id"])
    read = await bakesbangpol.get(path)
    etag = read.headers["etag"]
    for header in (etag, f"W/{etag}", f'"other", {etag}'):
        same = await bakesbangpol.get(path, headers={"If-None-Match": header})
        assert (same.status_code, same.content) == (304, b""), header
        assert same.headers["etag"] == etag
    for header in ('"other"', "", "garbage"):
        again = await bakesbangpol.get(path, headers={"If-None-Match": header})
        assert (again.status_code, again.content) == (200, read.content), header


async def test_a_304_is_not_given_for_what_has_changed(
    bakesbangpol: Agency, bkpsdm: Agency, logged: dict[str, Any]
) -> None:
    path = f"/v1/tasks/{logged['id']}"
    etag = (await bakesbangpol.get(path)).headers["etag"]
    # Receiving changes what the reader sees of the referral, though not the version of the task.
    assert (await bkpsdm.answer(logged["open_referral"]["id"], "received")).status_code == 200
    changed = await bakesbangpol.get(path, headers={"If-None-Match": etag})
    assert (changed.status_code, changed.json()["open_referral"]["status"]) == (200, "received")


async def test_two_callers_have_their_own_etags_of_what_they_see(
    bakesbangpol: Agency, kpu: Agency, logged: dict[str, Any]
) -> None:
    path = f"/v1/tasks/{logged['id']}"
    whole = (await bakesbangpol.get(path)).headers["etag"]
    summary = await kpu.get(path, headers={"If-None-Match": whole})
    assert (summary.status_code, summary.json()["access"]) == (200, "summary")


@pytest.mark.parametrize("prefer", ["return=minimal", "respond-async, return=minimal", "Return = Minimal"])
async def test_who_prefers_the_minimum_gets_no_body_but_the_etag(
    bakesbangpol: Agency, logged: dict[str, Any], prefer: str
) -> None:
    path = f"/v1/tasks/{logged['id']}"
    etag = (await bakesbangpol.get(path)).headers["etag"]
    patched = await bakesbangpol.patch(path, {"priority": "high"}, etag=etag, headers={"Prefer": prefer})
    assert (patched.status_code, patched.content) == (204, b"")
    assert patched.headers["preference-applied"] == "return=minimal"
    assert (await bakesbangpol.get(path)).headers["etag"] == patched.headers["etag"]


@pytest.mark.parametrize("prefer", ["return=representation", "return=minimalist", "wait=10"])
async def test_any_other_preference_gets_the_representation(
    bakesbangpol: Agency, logged: dict[str, Any], prefer: str
) -> None:
    path = f"/v1/tasks/{logged['id']}"
    etag = (await bakesbangpol.get(path)).headers["etag"]
    patched = await bakesbangpol.patch(path, {"priority": "high"}, etag=etag, headers={"Prefer": prefer})
    assert (patched.status_code, patched.json()["priority"]) == (200, "high")
    assert "preference-applied" not in patched.headers
