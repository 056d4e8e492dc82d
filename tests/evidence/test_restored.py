"""A restored backup: what tells the log that it is older than what it signed, what stops, and what going on costs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from notary import House, Machine, read_jws, witness
from running import running
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from support import Agency, task

from app import start, worker
from app.calling import Login
from app.db import Database, one
from app.memory import Memory
from app.security import SigningKey, new_pem
from app.services import log_keys
from app.settings import Settings
from app.statements import Kind, state
from app.testimony import Kept
from app.witness import Rewritten
from app.witness_cli import Watch

WHY = ("--reason", "Pusat data terbakar; cadangan kemarin dipulihkan", "--operator", "Diskominfo Kota Malang", "--yes")


# a real service, a real backup


@asynccontextmanager
async def supervisor(address: str, settings: Settings) -> AsyncIterator[Agency]:
    kept = json.loads((settings.var / start.CREDENTIALS).read_text())
    found = next(x for x in kept if (x["agency"], x["role"]) == ("BAKESBANGPOL_KOTA_MALANG", "supervisor"))
    async with httpx.AsyncClient(base_url=address, timeout=20) as http:
        yield await Agency(http, found).sign_in()


async def head_of(agency: Agency) -> dict[str, Any]:
    return dict((await agency.get("/v1/log/head")).json())


async def grown(agency: Agency, beyond: int) -> dict[str, Any]:
    """The newest head, once it covers more than this and all that waits."""
    async with asyncio.timeout(30):
        while (await head_of(agency))["size"] <= beyond:  # noqa: ASYNC110 - it says so in no other way
            await asyncio.sleep(0.1)
        newest, before = await head_of(agency), None
        while newest != before:  # heads come a second apart
            await asyncio.sleep(2)
            newest, before = await head_of(agency), newest
    return newest


@pytest.fixture
async def backup(server: str, worker_id: str) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """Copy a database that nobody uses; returns where the copy is."""
    name = f"simpul_restored_{worker_id}"
    engine = create_async_engine(make_url(server).set(database="postgres"), isolation_level="AUTOCOMMIT")

    async def copy(url: str) -> str:
        async with engine.connect() as connection:
            await connection.execute(text(f"drop database if exists {name} with (force)"))
            await connection.execute(text(f"create database {name} template {make_url(url).database}"))
        return make_url(server).set(database=name).render_as_string(hide_password=False)

    yield copy
    async with engine.connect() as connection:
        await connection.execute(text(f"drop database if exists {name} with (force)"))
    await engine.dispose()


async def test_a_restored_backup_stands_still_until_an_operator_says_why_and_everybody_can_read_that(  # noqa: PLR0915 - one story
    clone: Callable[[], Awaitable[str]],
    backup: Callable[[str], Awaitable[str]],
    settings: Settings,
    machine_on: Callable[[str, Path], Machine],
    tmp_path: Path,
) -> None:
    url, memory, kept = await clone(), tmp_path / "newest.json", tmp_path / "state.json"
    remembering = settings.model_copy(update={"log_memory": memory})
    with running(url, remembering) as served:
        async with supervisor(served.address, settings) as agency:
            await agency.post("/v1/tasks", task(title="Sebelum cadangan"))
            before = await grown(agency, 0)
    restored = await backup(url)
    with running(url, remembering) as served:
        async with supervisor(served.address, settings) as agency:
            for number in range(3):
                await agency.post("/v1/tasks", task(title=f"Sesudah cadangan {number}"))
            lost = await grown(agency, before["size"])
            login = Login(agency.credentials["client_id"], secret=agency.credentials["client_secret"])
            await Watch(login, kept).once(agency.http)
    assert (memory.stat().st_mode & 0o777, json.loads(memory.read_text())["head"]) == (0o600, lost["head"])

    command = machine_on(restored, memory)
    with running(restored, remembering) as served:
        async with supervisor(served.address, settings) as agency:
            async with asyncio.timeout(60):  # until the background process is there
                while (ready := await agency.http.get("/readyz")).json()["status"] == "ready":  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
            assert (ready.status_code, ready.json()["status"], ready.json()["checks"]["log"]) == (
                200,
                "degraded",
                False,
            )
            assert f"over {lost['size']} entries" in ready.json()["log_halted"]
            assert "simpul log resume" in ready.json()["log_halted"]
            taken = await agency.post("/v1/tasks", task(title="Selagi log berhenti"))
            assert taken.status_code == 201
            leaf = read_jws(taken.headers["audit-receipt"])["leaves"][0]
            await asyncio.sleep(1.5)
            assert await head_of(agency) == before
            listed = (await agency.get("/v1/log/lost-heads")).json()["items"]
            assert [(x["size"], x["root"], x["source"], x["entry"]) for x in listed] == [
                (lost["size"], lost["root"], "memory", None)
            ]
            resumed = await command("log", "resume", *WHY, "--json")
            assert resumed.exit_code == 0, resumed.output
            after = await grown(agency, before["size"])
            (loss,) = read_jws(after["head"])["resumed"]
            assert (loss["size"], loss["root"], loss["kept"]) == (lost["size"], lost["root"], before["size"])
            (entry,) = (await agency.get(f"/v1/log/entries?after={loss['entry'] - 1}&limit=1")).json()["items"]
            said = json.loads(entry["document"])["payload"]
            assert (entry["kind"], said["declaration"], said["operator"]) == ("log.resumed", WHY[1], WHY[3])
            assert (said["lost_head"], said["resumed_at_size"] + 1) == (lost["head"], entry["index"])
            proof = await agency.get(f"/v1/log/proofs/inclusion?leaf={leaf}")
            assert proof.json()["index"] > entry["index"]
            assert (await agency.http.get("/readyz")).json()["status"] == "ready"
            assert json.loads(memory.read_text())["head"] == after["head"]

            to = ("--url", served.address, "--client-id", login.client_id, "--state", str(kept))
            secret = tmp_path / "secret"
            secret.write_text(login.secret or "")
            words = ("log", "witness", *to, "--client-secret-file", str(secret))
            alarm = await command(*words)
            assert alarm.exit_code == 1
            for part in (
                "THE LOG WAS REWRITTEN",
                WHY[1],
                WHY[3],
                f"Entries {loss['kept'] + 1} to {lost['size']} are lost",
            ):
                assert part in alarm.stderr

            export = tmp_path / "export"
            assert (await command("log", "export", str(export))).exit_code == 0
            verify = ("log", "verify", str(export), "--head", str(kept), "--keys", str(kept))
            found = await command(*verify)
            assert found.exit_code == 1
            assert f"resumed by {WHY[3]}, because: {WHY[1]} (entry {loss['entry']})" in found.stdout
            assert f"Entries {loss['kept'] + 1} to {lost['size']} are lost" in found.stdout
            other = await command(*verify, "--accept-resumed", str(loss["entry"] + 1))
            accept = ("--accept-resumed", str(loss["entry"]))
            accepted = await command(*verify, *accept)
            assert (other.exit_code, accepted.exit_code) == (1, 0), accepted.output
            assert WHY[3] in accepted.stdout
            assert [(await command(*words, *accept)).exit_code, (await command(*words)).exit_code] == [0, 0]


@pytest.fixture
def machine_on(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Path], Machine]:
    """Run a command at a machine with this database and this memory."""

    def at(url: str, memory: Path) -> Machine:
        monkeypatch.setenv("SIMPUL_DATABASE_URL", url)
        monkeypatch.setenv("SIMPUL_LOG_MEMORY", str(memory))
        return machine

    return at


# the memory of the background process, attacked


@pytest.fixture
async def remembering(house: House, settings: Settings) -> AsyncIterator[Database]:
    """The same database as the background process reaches it that has a memory."""
    chosen = settings.model_copy(update={"log_memory": house.folder / "newest.json"})
    database = Database(house.url, chosen)
    await house.bakesbangpol.log()
    await house.seal()
    yield database
    await database.close()


async def said_by_us(house: House, key: SigningKey | None = None, **said: Any) -> str:
    """A head as our key signs it."""
    async with house.app.state.database.working() as writer:
        ours = await log_keys.signer(writer)
    told = {"iss": "simpul", "size": 10**6, "root": "a" * 64, "iat": int(time.time()), **said}
    return state(key or ours, Kind.HEAD, told)


async def place_all(database: Database) -> dict[str, Any]:
    """Let the background process do its rounds; how far the log is, and what waits."""
    for _ in range(12):
        await worker.sequence(database)
        await asyncio.sleep(0.1)
    async with database.working() as writer:
        return await one(writer, "select * from app.log_state()")


def memory_of(database: Database) -> Memory:
    return Memory(database.settings.head_memory, database.keys)


async def test_the_memory_of_a_lost_head_stops_the_log_even_if_its_key_is_unknown(
    house: House, remembering: Database
) -> None:
    memory_of(remembering).remember(await said_by_us(house, SigningKey.load(new_pem())))
    await house.bakesbangpol.log()
    stopped = await place_all(remembering)
    assert stopped["waiting"] >= 2  # the task, and the fact that the log stands still
    assert (await place_all(remembering))["size"] == stopped["size"]


async def test_nobody_stops_the_log_by_a_forged_memory_nor_hides_a_head_by_an_older_one(
    house: House, remembering: Database
) -> None:
    path = house.folder / "newest.json"
    old = (await house.bakesbangpol.get("/v1/log/head")).json()["head"]
    lost = await said_by_us(house)
    for number, content in enumerate(
        (json.dumps({"head": lost, "seal": "0" * 64}), json.dumps({"head": lost}), "[]", "{", json.dumps({"head": 1}))
    ):
        path.write_text(content)
        await house.bakesbangpol.log()
        assert (await place_all(remembering))["waiting"] == 0, content
        assert len(list(house.folder.glob("newest.json.refused-*"))) == number + 1
    newest = json.loads(path.read_text())["head"]
    memory_of(remembering).remember(old)
    assert json.loads(path.read_text())["head"] == newest
    seal = memory_of(remembering)._seal(old)
    path.write_text(json.dumps({"head": old, "seal": seal}))  # put back as it once was
    await house.bakesbangpol.log()
    assert (await place_all(remembering))["waiting"] == 0
    path.unlink()
    await house.bakesbangpol.log()
    assert (await place_all(remembering))["waiting"] == 0


# heads that somebody holds


async def hold(house: House, text: str) -> httpx.Response:
    return await house.bkpsdm.post("/v1/log/lost-heads", {"head": text})


async def test_a_head_that_somebody_holds_stops_the_log_though_its_memory_is_gone(
    house: House, machine: Machine
) -> None:
    await house.bakesbangpol.log()
    size = await house.seal()
    await asyncio.sleep(1.1)
    lost = await said_by_us(house, size=size + 20)
    made = await hold(house, lost)
    assert made.status_code == 201, made.text
    assert (made.json()["agency"], made.json()["source"]) == ("BKPSDM_KOTA_MALANG", "report")
    again = await hold(house, lost)
    assert (again.status_code, again.json()) == (201, made.json())
    assert "audit-receipt" not in again.headers
    await house.bakesbangpol.log()
    assert await house.seal() == size
    resumed = await machine("log", "resume", *WHY, "--json")
    assert (resumed.exit_code, json.loads(resumed.stdout)[0]["kept"]) == (0, size), resumed.output
    after = await house.seal()
    assert after > size + 2
    kinds = [x["kind"] for x in (await house.bkpsdm.get(f"/v1/log/entries?after={size}")).json()["items"]]
    assert (kinds[0], kinds.count("log.resumed"), kinds.count("log.head_lost")) == ("log.resumed", 1, 1)
    assert (await machine("log", "resume", *WHY)).exit_code == 1  # there is nothing to resume from
    assert (await hold(house, lost)).json()["entry"] == size + 1
    inside = await said_by_us(house, size=size + 10)
    assert (await hold(house, inside)).json()["errors"][0]["code"] == "declared"
    for beyond in ({"size": size + 21}, {"size": size + 20, "root": "b" * 64}, {"size": size}):
        assert (await hold(house, await said_by_us(house, **beyond))).status_code == 201, beyond
    assert await house.seal() == after
    assert json.loads((await machine("log", "resume", *WHY, "--json")).stdout)[0]["kept"] < size
    newest = (await house.bkpsdm.get("/v1/log/head")).json()
    assert len(read_jws(newest["head"])["resumed"]) == 4
    assert await house.verified("export") == []


async def test_a_head_signed_after_a_loss_was_declared_is_not_taken_in_by_it(house: House, machine: Machine) -> None:
    size = await house.seal()
    await hold(house, await said_by_us(house, size=size + 20))
    assert (await machine("log", "resume", *WHY)).exit_code == 0
    now = read_jws((await house.bkpsdm.get("/v1/log/head")).json()["head"])
    late = await said_by_us(house, size=size + 10, resumed=now["resumed"])
    assert (await hold(house, late)).status_code == 201
    halted = await house.seal()
    await house.bakesbangpol.log()
    assert await house.seal() == halted


async def test_two_trees_of_one_size_are_never_both_signed_without_a_word(house: House) -> None:
    await house.bakesbangpol.log()
    size = await house.seal()
    assert (await hold(house, await said_by_us(house, size=size, root="b" * 64))).status_code == 201
    await house.bakesbangpol.log()
    assert await house.seal() == size


async def test_what_proves_nothing_stops_nothing(house: House) -> None:
    await house.bakesbangpol.log()
    await house.seal()
    ours = (await house.bkpsdm.get("/v1/log/head")).json()["head"]
    receipt = (await house.bkpsdm.post("/v1/tasks", task())).headers["audit-receipt"]
    signer = await witness(house.bkpsdm)
    for text_, code in (
        (ours, "continued"),
        (await said_by_us(house, SigningKey.load(new_pem())), "unsigned"),
        (await said_by_us(house, signer.key), "unsigned"),
        (receipt, "unsigned"),
        (f"{ours[:-4]}AAAA", "unsigned"),
        (await said_by_us(house, size="1"), "unsigned"),
        (await said_by_us(house, root="A" * 64), "unsigned"),
        (await said_by_us(house, size=-1), "unsigned"),
        (await said_by_us(house, iss="other"), "addressee"),
    ):
        answer = await hold(house, text_)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code), answer.text
    before = await house.seal()
    await house.bakesbangpol.log()
    assert await house.seal() > before
    assert (await house.bkpsdm.get("/v1/log/lost-heads")).json() == {"items": []}


async def test_a_witness_brings_its_head_itself(house: House) -> None:
    client = house.bakesbangpol.credentials
    watch = Watch(Login(client["client_id"], secret=client["client_secret"]), house.folder / "state.json")
    await house.seal()
    seen = await watch.once(house.http)
    lost = await said_by_us(house, size=seen.size + 5)
    held = replace(seen, size=seen.size + 5, root="a" * 64, head=lost)
    watch.state.write_text(json.dumps(vars(held)))
    with pytest.raises(Rewritten) as found:
        await watch.once(house.http)
    assert any("stands still" in note for note in found.value.__notes__)
    assert (await house.bkpsdm.get("/v1/log/lost-heads")).json()["items"][0]["head"] == lost
    await asyncio.sleep(1.1)  # readiness is remembered for a second
    assert (await house.http.get("/readyz")).json()["status"] == "degraded"


async def test_a_cosignature_of_a_lost_head_is_wrong_until_its_loss_is_accepted(house: House, machine: Machine) -> None:
    size = await house.seal()
    lost = await said_by_us(house, size=size + 20, iat=int(datetime.now(UTC).timestamp()))
    await hold(house, lost)
    assert (await machine("log", "resume", *WHY)).exit_code == 0
    kept = house.folder / "heads"
    kept.write_text(f"{lost}\n{await said_by_us(house, size=size + 21)}\n")
    found = await house.verified("export", Kept(heads=(kept,)))
    assert [WHY[3] in sentence for sentence in found] == [True, False]
    accepted = await house.verified("again", Kept(heads=(kept,), accepted=(size + 1,)))
    assert [WHY[3] in sentence for sentence in accepted] == [False]
