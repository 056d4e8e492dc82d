"""A person or the words about a task are erased: nothing in the database tells them, and the log still verifies."""

from __future__ import annotations

import json
from typing import Any

from catalogued import kinds_told
from notary import House, Machine
from support import Agency, task

from app.log_files import ENTRIES

NAME = "staf-merak-0717"
OTHER = "staf-kasuari-0718"
WORD = "cendrawasih"


async def dumped(house: House) -> str:
    """All that all tables hold, as text; bytes in hex."""
    lines: list[str] = []
    async with house.superuser() as connection:
        found = await connection.exec_driver_sql(
            "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname in ('public', 'app')"
        )
        for table in found.scalars().all():
            rows = await connection.exec_driver_sql(f"select cast(to_jsonb(t) as text) from {table} t")
            lines += rows.scalars().all()
    assert len(lines) > 90_000
    return "\n".join(lines)


def told(dump: str, words: str) -> bool:
    """Whether a dump tells words, in the clear or in hex."""
    return words in dump or words.encode().hex() in dump


async def history(agency: Agency, task_id: str) -> list[dict[str, Any]]:
    answer = await agency.get(f"/v1/tasks/{task_id}/history")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def acted(house: House, name: str) -> dict[str, Any]:
    """A task that somebody logs, comments on and cancels, with words at each step."""
    by = {"Acting-User": name}
    answer = await house.bakesbangpol.post("/v1/tasks", task(title=f"Judul {WORD}-1"), headers=by)
    logged = dict(answer.json())
    said = {"body": f"Komentar {WORD}-2"}
    assert (await house.bakesbangpol.post(f"/v1/tasks/{logged['id']}/comments", said, headers=by)).is_success
    await house.bkpsdm.answer(logged["open_referral"]["id"], "returned", reason=f"Alasan {WORD}-3")
    moved = await house.bakesbangpol.move(logged["id"], "cancel", reason=f"Batal {WORD}-4")
    assert moved.status_code == 200, moved.text
    return logged


async def test_a_person_is_erased_and_the_log_verifies_as_before(house: House) -> None:
    logged, other = await acted(house, NAME), await acted(house, OTHER)
    assert {one["acting_user"] for one in await history(house.bakesbangpol, logged["id"])} == {NAME, None}
    await house.seal()
    assert await house.verified("before") == []
    answer = await house.admin.post("/v1/erasures", {"acting_user": NAME, "reason": "Permintaan subjek data"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["agency"] == "BAKESBANGPOL_KOTA_MALANG"
    assert NAME not in answer.text
    assert {one["acting_user"] for one in await history(house.bakesbangpol, logged["id"])} == {None}
    comments = (await house.bakesbangpol.get(f"/v1/tasks/{logged['id']}/comments")).json()["items"]
    assert [one["acting_user"] for one in comments] == [None]
    assert OTHER in {one["acting_user"] for one in await history(house.bakesbangpol, other["id"])}
    await house.seal()
    assert await house.verified("after") == []
    before, after = [(house.folder / name / ENTRIES).read_text() for name in ("before", "after")]
    assert after.startswith(before)
    assert json.loads(json.loads(after.splitlines()[-1])["document"])["kind"] == "person.erased"
    assert "person.erased" in await kinds_told(house.app.state.database)
    dump = await dumped(house)
    assert not told(dump, NAME)
    assert not told(before + after, NAME)


async def test_who_acts_again_after_the_erasure_is_recorded_anew(house: House) -> None:
    first = await acted(house, NAME)
    said = {"acting_user": NAME, "reason": "Permintaan subjek data"}
    assert (await house.admin.post("/v1/erasures", said)).status_code == 201
    assert (await house.admin.post("/v1/erasures", said)).json()["code"] == "not-found"
    second = await acted(house, NAME)
    assert {one["acting_user"] for one in await history(house.bakesbangpol, first["id"])} == {None}
    assert NAME in {one["acting_user"] for one in await history(house.bakesbangpol, second["id"])}


async def test_an_admin_erases_people_of_its_own_agency_and_an_operator_those_of_all(house: House) -> None:
    await acted(house, NAME)
    said = {"acting_user": NAME, "agency": "BAKESBANGPOL_KOTA_MALANG", "reason": "Permintaan subjek data"}
    made = (await house.operator.post("/v1/clients", {"agency": "BMKG", "role": "agency_admin", "purpose": "-"})).json()
    stranger = await Agency(house.http, {**made, "agency": "BMKG"}).sign_in()
    assert (await stranger.post("/v1/erasures", said)).json()["code"] == "not-found"
    own = {name: said[name] for name in ("acting_user", "reason")}
    assert (await stranger.post("/v1/erasures", own)).json()["code"] == "not-found"
    assert (await house.operator.post("/v1/erasures", own)).json()["code"] == "not-found"
    assert (await house.bakesbangpol.post("/v1/erasures", said)).json()["code"] == "permission-denied"
    assert (await house.operator.post("/v1/erasures", said)).status_code == 201


async def test_words_about_a_task_are_erased_with_their_live_copies(house: House, machine: Machine) -> None:
    logged, other = await acted(house, NAME), await house.bakesbangpol.log(title="Tugas elang-9")
    assert (await house.bakesbangpol.move(other["id"], "cancel", reason="Batal elang-10")).is_success
    await house.seal()
    assert WORD in json.dumps(await history(house.bakesbangpol, logged["id"]))
    assert await house.verified("before") == []
    result = await machine("log", "erase", "--task", logged["id"], "--reason", "Putusan", "--yes", "--json")
    assert result.exit_code == 0, result.output
    shown = await house.bakesbangpol.read(logged["id"])
    assert WORD not in json.dumps([shown, await history(house.bakesbangpol, logged["id"])])
    told_of = [one["facts"] for one in await history(house.bakesbangpol, logged["id"]) if "reason" in one["facts"]]
    assert [one["reason"] for one in told_of] == [None, None]
    await house.seal()
    assert await house.verified("after") == []
    dump = await dumped(house)
    assert not told(dump, WORD + "-")
    assert told(dump, "elang-9")
    assert "Batal elang-10" in json.dumps(await history(house.bakesbangpol, other["id"]))
    assert "record.erased" in await kinds_told(house.app.state.database)
