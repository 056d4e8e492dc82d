"""An agency's witness: what it keeps, what it cosigns, and when it raises the alarm; by the command and over HTTP."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvicorn
from notary import House, Machine, jwks_of, witness

from app.calling import Login, Unreachable, read_key
from app.security import SigningKey, new_pem
from app.services import log_keys
from app.statements import Kind, state
from app.testimony import Kept
from app.witness import Rewritten, Untrusted
from app.witness_cli import Watch


@pytest.fixture
async def watch(house: House) -> Watch:
    client = house.bakesbangpol.credentials
    await house.bakesbangpol.log()
    await house.seal()
    return Watch(Login(client["client_id"], secret=client["client_secret"]), house.folder / "state.json")


async def test_it_keeps_the_newest_head_that_continues_the_last_and_what_it_keeps_verifies_an_export(
    house: House, watch: Watch
) -> None:
    first = await watch.once(house.http)
    await house.bakesbangpol.log()
    size = await house.seal()
    second = await watch.once(house.http)
    assert (second.size, second.since, second.log) == (size, first.since, "simpul")
    assert await watch.once(house.http) == second
    assert json.loads(watch.state.read_text())["head"] == second.head
    assert (watch.state.stat().st_mode & 0o777) == 0o600
    await house.bakesbangpol.log()
    await house.seal()
    assert await house.verified("export", Kept(heads=(watch.state,), keys=watch.state)) == []
    assert [one.name for one in house.folder.iterdir() if one.is_file()] == ["state.json"]


async def test_it_cosigns_what_others_did_and_not_what_only_witnesses_did(house: House, watch: Watch) -> None:
    signer = await witness(house.bakesbangpol)
    await house.seal()
    cosigning = replace(watch, cosigner=signer.key)
    seen = await cosigning.once(house.http)
    assert seen.cosigned == seen.size
    assert await house.seal() == seen.size + 1
    assert (await cosigning.once(house.http)).cosigned == seen.size
    await house.bakesbangpol.log()
    size = await house.seal()
    assert (await cosigning.once(house.http)).cosigned == size
    listed = (await house.bakesbangpol.get("/v1/log/cosignatures")).json()["items"]
    assert [(one["agency"], one["size"]) for one in listed] == [
        ("BAKESBANGPOL_KOTA_MALANG", seen.size),
        ("BAKESBANGPOL_KOTA_MALANG", size),
    ]
    await house.seal()
    assert await house.verified("export") == []


async def test_a_client_that_proves_itself_by_a_key_needs_no_secret(
    house: House, watch: Watch, machine: Machine
) -> None:
    pem = house.folder / "key.pem"
    pem.write_bytes(new_pem())
    key = read_key(pem, None)
    body = json.loads((await machine("log", "public-key", str(pem))).stdout)
    path = f"/v1/clients/{house.bakesbangpol.credentials['client_id']}/keys"
    assert (await house.bakesbangpol.post(path, body)).json()["kid"] == key.kid
    assert (await machine("log", "public-key", str(watch.state.with_name("none")))).exit_code == 2
    login = Login(watch.login.client_id, key=key)
    assert (await replace(watch, login=login, cosigner=key).once(house.http)).cosigned > 0


async def test_a_new_key_of_the_log_is_trusted_by_name_only(house: House, watch: Watch, machine: Machine) -> None:
    before = await watch.once(house.http)
    rotated = await machine("log", "rotate-key", "--json")
    assert rotated.exit_code == 0, rotated.output
    new = json.loads(rotated.stdout)[-1]
    assert (new["retired_at"], [bool(one["retired_at"]) for one in json.loads(rotated.stdout)]) == (None, [True, False])
    house.app.state.keys.log_key, house.app.state.log_keys._asked_at = None, 0.0
    await house.seal()
    with pytest.raises(Untrusted, match=f"--trust {new['kid']}"):
        await watch.once(house.http)
    assert json.loads(watch.state.read_text())["head"] == before.head
    after = await replace(watch, trusted=(new["kid"],)).once(house.http)
    assert [one["kid"] for one in after.keys] == [one["kid"] for one in json.loads(rotated.stdout)]
    await house.bakesbangpol.log()
    await house.seal()
    assert (await watch.once(house.http)).size > after.size
    assert await house.verified("export", Kept(heads=(watch.state,), keys=watch.state)) == []


class Liar(httpx.AsyncBaseTransport):
    """A service that answers some paths otherwise than ours does."""

    def __init__(self, house: House, **lies: Any) -> None:
        self.inner, self.lies = house.http._transport, lies

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for part, lie in self.lies.items():
            if request.url.path.endswith(part):
                if isinstance(lie, Exception):
                    raise lie
                return httpx.Response(200, json=lie) if isinstance(lie, dict) else lie
        return await self.inner.handle_async_request(request)


async def test_whatever_does_not_continue_the_log_is_an_alarm_and_changes_nothing_that_is_kept(
    house: House, watch: Watch
) -> None:
    seen = await watch.once(house.http)
    await house.bakesbangpol.log()
    size = await house.seal()
    honest = (await house.bakesbangpol.get("/v1/log/head")).json()
    proof = (await house.bakesbangpol.get(f"/v1/log/proofs/consistency?from={seen.size}&to={size}")).json()
    async with house.app.state.database.working() as writer:
        ours = await log_keys.signer(writer)

    def head(key: SigningKey = ours, **said: Any) -> dict[str, Any]:
        told = {"iss": "simpul", "size": size, "root": honest["root"], "iat": 1_800_000_000, **said}
        return {**honest, "head": state(key, Kind.HEAD, told)}

    unknown = httpx.Response(404, json={"code": "no-such-head"})
    for lies, alarm in (
        ({"head": head(size=seen.size - 1)}, Rewritten),
        ({"head": head(size=seen.size, root="a" * 64)}, Rewritten),
        ({"head": head(root="a" * 64)}, Rewritten),
        ({"consistency": {**proof, "path": proof["path"][:-1]}}, Rewritten),
        ({"consistency": {**proof, "path": ["-"]}}, Rewritten),
        ({"consistency": {}}, Rewritten),
        ({"consistency": unknown}, Rewritten),
        ({"head": head(iss="other")}, Untrusted),
        ({"head": head(SigningKey.load(new_pem()))}, Untrusted),
        ({"head": {}}, Untrusted),
        ({"consistency": httpx.Response(503, json={"detail": "-"})}, Unreachable),
        ({"head": httpx.Response(200, text="-")}, Unreachable),
        ({"head": httpx.ConnectError("-")}, Unreachable),
        ({"token": httpx.Response(401, json={"error": "invalid_client"})}, Unreachable),
    ):
        async with httpx.AsyncClient(transport=Liar(house, **lies), base_url="http://127.0.0.1:8000") as http:
            with pytest.raises(alarm):
                await watch.once(http)
        assert json.loads(watch.state.read_text())["head"] == seen.head
    assert (await watch.once(house.http)).size == size


# by the command, against a service that listens


async def test_the_command_watches_and_ends_with_1_when_the_log_was_rewritten(
    house: House, watch: Watch, machine: Machine
) -> None:
    server = uvicorn.Server(uvicorn.Config(house.app, port=0, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:  # noqa: ASYNC110 - it says so in no other way
            await asyncio.sleep(0.02)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    secret = house.folder / "secret"
    secret.write_text(f"{watch.login.secret}\n")
    login = ("--client-id", watch.login.client_id, "--client-secret-file", str(secret))
    words = ("log", "witness", "--url", address, *login, "--state", str(watch.state))
    try:
        first = await machine(*words, "--json")
        assert first.exit_code == 0, first.output
        seen = json.loads(first.stdout.splitlines()[-1])
        told = await machine(*words)
        assert f"{seen['size']:,} entries, one log since" in told.stdout
        watch.state.write_text(json.dumps({**seen, "root": "a" * 64}))
        found = await machine(*words)
        assert (found.exit_code, "THE LOG WAS REWRITTEN" in found.stderr) == (1, True)
        (proof,) = house.folder.glob("state.rewritten-*.json")
        assert str(proof) in found.stderr
        watch.state.write_text("{}")
        broken = await machine(*words)
        assert (broken.exit_code, "was not written by a witness" in broken.stderr) == (2, True)
    finally:
        server.should_exit = True
        await serving
    gone = await machine(*words)
    assert gone.exit_code == 2
    assert "Traceback" not in gone.output


# the export as a command


async def test_an_export_overwrites_nothing_and_verifies(house: House, watch: Watch, machine: Machine) -> None:
    assert watch.state.parent == house.folder
    folder = house.folder / "export"
    written = await machine("log", "export", str(folder))
    assert (written.exit_code, "entries to" in written.stdout) == (0, True), written.output
    before = {one.name: one.read_bytes() for one in folder.iterdir()}
    assert sorted(before) == ["cosignatures.jsonl", "entries.jsonl", "heads.jsonl", "keys.json"]
    again = await machine("log", "export", str(folder))
    assert (again.exit_code, "overwrites nothing" in again.stderr) == (1, True)
    assert {one.name: one.read_bytes() for one in folder.iterdir()} == before
    nowhere = await machine("log", "export", str(folder / "keys.json" / "export"))
    assert (nowhere.exit_code, "can't be written: Not a directory" in nowhere.stderr) == (1, True)
    keys = house.folder / "keys.json"
    keys.write_text(json.dumps({"keys": await jwks_of(house.http)}))
    verified = await machine("log", "verify", str(folder), "--keys", str(keys))
    assert verified.exit_code == 0, verified.output
