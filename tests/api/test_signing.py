"""The ring of signing keys: published before they sign, rotated without a failed request, dead at once when killed."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from forger import Forger
from statements import heard
from support import Agency
from typer.testing import CliRunner, Result
from words import facts_of

from app import cli, start
from app.claims import b64, unb64
from app.db import Database, row, rows, value
from app.main import create_app
from app.rules.caller import itself
from app.security import Keys, SigningKey, new_pem
from app.services import signing
from app.services.signing import RingRefused
from app.settings import Settings, settings

NOW = timedelta(0)
BY = itself("test")
Ring = dict[str, list[str]]


class World:
    """One database of its own, and two API processes' worth of application on it."""

    def __init__(self, url: str, chosen: Settings, credentials: list[dict[str, Any]]) -> None:
        self.url, self.settings, self.credentials = url, chosen, credentials
        self.apps = [create_app(chosen, url) for _ in range(2)]
        self.doors: list[httpx.AsyncClient] = []
        self.database: Database = self.apps[0].state.database
        self.keys: Keys = Keys.open(chosen.var / "keys", issuer=chosen.issuer)

    async def ring(self) -> Ring:
        async with self.database.reading() as reader:
            found: Ring = {"next": [], "active": [], "passive": [], "dead": []}
            for one in await signing.list_ring(reader):
                found[one["state"]].append(one["kid"])
        return found

    async def rotate(self, notice: timedelta = NOW) -> str:
        async with self.database.working() as writer:
            return await signing.rotate(writer, self.keys, by=BY, notice=notice)

    async def kill(self, kid: str) -> int:
        async with self.database.working() as writer:
            return await signing.kill(writer, self.keys, kid, by=BY)

    async def sign_in(self, door: int = 0) -> str:
        signed_in = await Agency(self.doors[door], self.credentials[0]).sign_in()
        return signed_in.headers["Authorization"].removeprefix("Bearer ")

    async def status(self, token: str, door: int) -> int:
        return (await self.doors[door].get("/v1/me", headers={"Authorization": f"Bearer {token}"})).status_code

    async def published(self, door: int = 0) -> list[dict[str, str]]:
        answer = await self.doors[door].get("/.well-known/jwks.json")
        assert answer.headers["cache-control"] == "public, max-age=60"
        found: list[dict[str, str]] = answer.json()["keys"]
        return found


@pytest.fixture
async def world(
    clone: Callable[[], Awaitable[str]], settings: Settings, credentials: list[dict[str, Any]]
) -> AsyncIterator[World]:
    world = World(await clone(), settings, credentials)
    async with AsyncExitStack() as stack:
        for app in world.apps:
            stack.push_async_callback(app.state.database.close)
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simpul")
            world.doors.append(await stack.enter_async_context(client))
        yield world


@contextmanager
def readings(app: FastAPI) -> Iterator[list[str]]:
    """How often this process reads the ring meanwhile."""
    seen: list[str] = []

    def note(statement: str) -> None:
        if "signing_key" in statement:
            seen.append(statement)

    with heard(app.state.database, note):
        yield seen


def kept_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def kid_of(token: str) -> str:
    header, _, _ = token.partition(".")
    return str(json.loads(unb64(header))["kid"])


# the first start


async def test_the_first_start_makes_an_active_and_a_next_key_and_the_second_none(world: World) -> None:
    before = await world.ring()
    assert [len(one) for one in before.values()] == [1, 1, 0, 0]
    async with world.database.working() as writer:
        assert not await signing.prepare_ring(writer, world.keys, by=BY)
    assert await world.ring() == before
    assert [key.kid for key in world.keys.ring] == [*before["active"], *before["next"]]
    assert [key.private is None for key in world.keys.ring] == [False, True], "only the key that signs is opened"


async def test_a_key_of_an_earlier_version_signs_on_and_its_file_goes(world: World, tmp_path: Path) -> None:
    async with world.database.working() as writer:
        await value(writer, "with gone as (delete from signing_key returning 1) select count(*) from gone")
    older, newer = new_pem(), new_pem()
    (tmp_path / "1.pem").write_bytes(older)
    (tmp_path / "2.pem").write_bytes(newer)
    await start.signing_ring(world.database, world.keys, tmp_path)
    assert (await world.ring())["active"] == [SigningKey.load(newer).kid]
    assert {one.name for one in kept_in(tmp_path)} == {"1.pem"}
    assert kid_of(await world.sign_in()) == SigningKey.load(newer).kid


async def test_two_first_starts_at_once_make_one_ring(world: World) -> None:
    async with world.database.working() as writer:
        await value(writer, "with gone as (delete from signing_key returning 1) select count(*) from gone")

    async def prepare() -> bool:
        async with world.database.working() as writer:
            return await signing.prepare_ring(writer, Keys((), world.keys.pepper), by=BY)

    assert sorted(await asyncio.gather(prepare(), prepare(), prepare())) == [False, False, True]
    assert [len(one) for one in (await world.ring()).values()] == [1, 1, 0, 0]


async def test_private_halves_lie_sealed_and_another_pepper_opens_none(world: World) -> None:
    async with world.database.reading() as reader:
        kept = await rows(reader, "select public, sealed from signing_key")
    assert all(b"PRIVATE" not in one["sealed"] and "PRIVATE" not in one["public"] for one in kept)
    with pytest.raises(RingRefused, match="another pepper"):
        async with world.database.working() as writer:
            await signing.prepare_ring(writer, Keys((), b"another"), by=BY)


# what is published


async def test_what_may_have_signed_a_good_token_is_published_and_nothing_private_is(world: World) -> None:
    await world.rotate()
    ring = await world.ring()
    shown = await world.published()
    assert [one["kid"] for one in shown] == [*ring["active"], *ring["next"], *ring["passive"]]
    for one in shown:
        assert one.keys() == {"kid", "kty", "crv", "x", "y", "alg", "use"}
        assert (one["kty"], one["crv"], one["alg"], one["use"]) == ("EC", "P-256", "ES256", "sig")
    assert kid_of(await world.sign_in()) in {one["kid"] for one in shown}


async def test_the_metadata_leads_to_every_endpoint(world: World) -> None:
    door = world.doors[0]
    said = (await door.get("/.well-known/oauth-authorization-server")).json()
    assert said["issuer"] == "simpul"
    for name in ("token", "introspection", "revocation"):
        assert said[f"{name}_endpoint_auth_methods_supported"] == [
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
        ]
        assert said[f"{name}_endpoint_auth_signing_alg_values_supported"] == ["ES256"]
        assert (await door.post(said[f"{name}_endpoint"])).json()["error"] in {"invalid_client", "invalid_request"}
    assert (await door.get(said["jwks_uri"])).json()["keys"]
    assert "viewer" in said["scopes_supported"]


# rotation


async def test_a_rotation_lets_the_next_key_sign_and_breaks_no_token(world: World) -> None:
    before, old = await world.ring(), await world.sign_in()
    signs = await world.rotate()
    after = await world.ring()
    assert ([signs], after["active"], after["passive"]) == (before["next"], before["next"], before["active"])
    assert after["next"] != before["next"]
    for app in world.apps:
        app.state.keys.read_at = 0.0
    new = await world.sign_in(0)
    assert (kid_of(old), kid_of(new)) == (before["active"][0], signs)
    assert [await world.status(one, door) for one in (old, new) for door in (0, 1)] == [200] * 4


async def test_a_process_that_slept_through_rotations_accepts_the_first_token_it_meets(world: World) -> None:
    await world.sign_in(1)
    for _ in range(3):
        await world.rotate()
        await world.published(0)
    world.apps[0].state.keys.read_at = 0.0
    world.apps[1].state.keys.read_at -= 1.0  # it read the ring longer ago than the youngest key is published
    fresh = await world.sign_in(0)
    assert kid_of(fresh) not in {key.kid for key in world.apps[1].state.keys.ring}
    answers = await asyncio.gather(*(world.status(fresh, 1) for _ in range(8)))
    assert answers == [200] * 8


async def test_a_key_signs_only_after_it_was_published_long_enough(world: World) -> None:
    before = await world.ring()
    await world.rotate()
    with pytest.raises(RingRefused, match="published for 10 seconds"):
        await world.rotate(signing.NOTICE)
    assert (await world.ring())["active"] == before["next"]


async def test_of_rotations_at_once_each_finds_the_ring_whole(world: World) -> None:
    await asyncio.gather(*(world.rotate() for _ in range(5)))
    assert [len(one) for one in (await world.ring()).values()] == [1, 1, 5, 0]


async def test_made_up_keys_cost_one_reading_a_second_and_never_more(world: World) -> None:
    token = await world.sign_in()
    world.apps[0].state.keys.read_at -= 10.0
    forger = Forger(world.apps[0].state.keys, token, token)
    made_up = [forger.headed(forger.head(kid=b64(os.urandom(12)))) for _ in range(60)]
    with readings(world.apps[0]) as seen:
        statuses = await asyncio.gather(*(world.status(one, 0) for one in made_up))
    assert set(statuses) == {401}
    assert len(seen) <= 2
    with readings(world.apps[0]) as seen:
        for one in made_up[:20]:
            assert await world.status(one, 0) == 401
    assert len(seen) <= 1


# the end of a key


async def test_a_key_is_retired_only_when_no_token_of_it_can_live(world: World) -> None:
    (old,) = (await world.ring())["active"]
    await world.rotate()
    async with world.database.working() as writer:
        assert await signing.retire(writer, by=BY) == 0
        await value(
            writer,
            "update signing_key set retired_at = now() - cast(:ago as interval) where kid = :kid returning kid",
            ago=signing.OUTLIVED,
            kid=old,
        )
        assert await signing.retire(writer, by=BY) == 1
    assert (await world.ring())["dead"] == [old]
    world.apps[0].state.keys.read_at = 0.0
    assert old not in {one["kid"] for one in await world.published()}
    async with world.database.reading() as reader:
        kept = await row(reader, "select octet_length(sealed) as length from signing_key where kid = :kid", kid=old)
    assert kept == {"length": 0}, "what signs no more keeps no private half"


@pytest.mark.parametrize("state", ["next", "active", "passive"])
async def test_a_killed_key_takes_every_token_with_it_on_every_process_from_the_next_request_on(
    state: str, world: World
) -> None:
    await world.rotate()
    tokens = [await world.sign_in(door) for door in (0, 1)]
    assert [await world.status(one, door) for one in tokens for door in (0, 1)] == [200] * 4
    (kid,) = (await world.ring())[state]
    assert await world.kill(kid) == 1
    assert [await world.status(one, door) for one in tokens for door in (0, 1)] == [401] * 4
    ring = await world.ring()
    assert (len(ring["next"]), len(ring["active"]), ring["dead"]) == (1, 1, [kid])
    for door in (0, 1):
        fresh = await world.sign_in(door)
        assert kid_of(fresh) == ring["active"][0]
        assert [await world.status(fresh, other) for other in (0, 1)] == [200, 200]


async def test_the_thief_of_a_key_gets_in_nowhere_though_it_knows_the_epoch_and_no_process_has_heard(
    world: World,
) -> None:
    good = await world.sign_in()
    thief = Forger(world.apps[0].state.keys, good, good)
    assert await world.status(thief.claiming(), 1) == 200
    for app in world.apps:
        app.state.keys.read_at += 3600.0  # both believe to be fresh for an hour
    await world.kill(thief.kid)
    for epoch in ("0.0.0", "1.0.0", "2.0.0", "999999999.0.0"):
        forged = thief.claiming(epoch=epoch)
        assert [await world.status(forged, door) for door in (0, 1)] == [401, 401], epoch


async def test_what_is_dead_or_unknown_cannot_be_killed(world: World) -> None:
    (kid,) = (await world.ring())["next"]
    await world.kill(kid)
    for one in (kid, "nobody"):
        with pytest.raises(RingRefused, match="No living key"):
            await world.kill(one)


async def test_every_turn_of_the_ring_is_a_fact(world: World) -> None:
    (kid,) = (await world.ring())["next"]
    await world.rotate()
    await world.kill(kid)
    async with world.database.reading() as reader:
        facts = await rows(
            reader,
            "select kind, payload ->> 'because' as because, request_id from event"
            " where object_type = 'signing_key' and object_id = :kid order by id",
            kid=kid,
        )
    assert [one["kind"].partition(".")[2] for one in facts] == ["added", "activated", "ended"]
    assert [one["because"] for one in facts] == [None, None, "compromised"]
    assert [one["request_id"] for one in facts] == ["start", "test", "test"]
    told = await facts_of(world.database, "e.kind = 'tokens.revoked'")
    assert [(one["object_id"], one["request_id"]) for one in told] == [("everybody", "test")]
    assert kid in told[0]["payload"]["reason"]


async def test_without_a_ring_nothing_is_signed_and_all_is_unavailable(world: World) -> None:
    async with world.database.working() as writer:
        await value(writer, "with gone as (delete from signing_key returning 1) select count(*) from gone")
    form = {name: world.credentials[0][name] for name in ("client_id", "client_secret")}
    answer = await world.doors[0].post("/oauth2/token", data={"grant_type": "client_credentials", **form})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


# the command


@pytest.fixture
def simpul(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Awaitable[Result]]]:
    """`simpul keys ...` on the database of this world, as whoever types it sees it."""
    monkeypatch.setenv("SIMPUL_DATABASE_URL", world.url)
    monkeypatch.setenv("SIMPUL_VAR", str(world.settings.var))
    settings.cache_clear()

    async def simpul(*arguments: str, said: str = "") -> Result:
        return await asyncio.to_thread(CliRunner().invoke, cli.app, ["keys", *arguments], input=said)

    yield simpul
    settings.cache_clear()


async def test_the_command_shows_turns_and_ends_keys(world: World, simpul: Callable[..., Awaitable[Result]]) -> None:
    before = await world.ring()
    listed = await simpul("list", "--json")
    assert {one["kid"]: one["state"] for one in json.loads(listed.stdout)} == {
        before["next"][0]: "next",
        before["active"][0]: "active",
    }
    async with world.database.working() as writer:
        await value(writer, "update signing_key set recorded_at = now() - interval '1 minute' returning kid")
    table = (await simpul("rotate")).stdout
    assert all(word in table for word in ("kid", "passive", *before["next"], *before["active"]))
    too_soon = await simpul("rotate")
    assert (too_soon.exit_code, "wait" in too_soon.stderr) == (1, True)
    (active,) = (await world.ring())["active"]
    unknown = await simpul("kill", "-no-such-kid", "--yes")
    assert (unknown.exit_code, "No living key" in unknown.stderr) == (1, True)
    not_meant = await simpul("kill", active, said="n\n")
    assert not_meant.exit_code == 1
    assert "ALL access tokens" in not_meant.stderr
    assert (await world.ring())["active"] == [active]
    meant = await simpul("kill", active, "--yes", "--json")
    assert {one["kid"]: one["state"] for one in json.loads(meant.stdout)}[active] == "dead"
