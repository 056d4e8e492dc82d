"""The log as a stream: what comes, where one goes on, when it ends, and what it costs those who wait."""

import asyncio
import json
import random
import socket
import time
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from forger import Forger, compact
from house import VILLAGE
from listener import Listening, eventually, heard
from running import Running, running
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from support import Agency, SignIn, scaled

from app.claims import unb64
from app.db import Database
from app.services.listeners import Listener
from app.settings import Settings

SOON = 10.0


async def end_of(agency: Agency) -> int:
    """Where the log ends now."""
    after = 0
    while True:
        rare = {"after": after, "types": "log_key.retired"}
        found = int((await agency.get("/v1/events", params=rare)).json()["after"])
        if found == after:
            return after
        after = found


async def _moved(agency: Agency, begin: int) -> int:
    """The end of the log once it is beyond a place; 0 before."""
    size = await end_of(agency)
    return size if size > begin else 0


async def _about(agency: Agency, task: str) -> list[dict[str, Any]]:
    return [one for one in await heard(agency) if one["data"]["task"] == task]


async def _flooded(agency: Agency, begin: int) -> bool:
    return await end_of(agency) >= begin + FLOOD


async def told_of(stream: Listening, task: str) -> dict[str, Any]:
    """The first envelope about a task."""
    while (frame := await stream.frame()) is not None:
        if frame.event not in {None, "log.head"} and frame.data["data"]["task"] == task:
            assert frame.id == frame.data["logindex"]
            assert frame.event == frame.data["type"]
            return dict(frame.data)
    raise AssertionError("the stream ended")


# what comes


async def test_an_event_comes_as_it_happens_and_is_what_the_page_says(served: Running, caller_of: SignIn) -> None:
    kpu = await caller_of("KPU_KOTA_MALANG")
    stream = await Listening.to(served.port, kpu.token, query=f"?after={await end_of(kpu)}")
    assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    logged = await kpu.log()
    async with asyncio.timeout(SOON):
        envelope = await told_of(stream, logged["id"])
    page = (await kpu.get("/v1/events", params={"after": envelope["logindex"] - 1, "limit": 1})).json()
    assert page["items"] == [envelope]
    stream.close()


async def test_a_listener_hears_the_kinds_it_asked_for_and_no_others(served: Running, caller_of: SignIn) -> None:
    kpu = await caller_of("KPU_KOTA_MALANG")
    stream = await Listening.to(served.port, kpu.token, query=f"?after={await end_of(kpu)}&types=referral.*")
    logged = await kpu.log()
    async with asyncio.timeout(SOON):
        assert (await told_of(stream, logged["id"]))["type"] == "referral.sent"
    stream.close()


async def test_the_heartbeat_moves_a_listener_past_what_it_does_not_hear(served: Running, caller_of: SignIn) -> None:
    kpu, kodim = await caller_of("KPU_KOTA_MALANG"), await caller_of("KODIM_0833_KOTA_MALANG")
    begin = await end_of(kpu)
    stream = await Listening.to(served.port, kodim.token, last=begin)
    hidden = await kpu.log(classification="rahasia", region=VILLAGE)
    async with asyncio.timeout(SOON):
        size = await eventually(lambda: _moved(kpu, begin))
        while (frame := await stream.frame()) is not None and (frame.id or 0) < size:
            assert frame.event in {None, "log.head"}
    assert frame is not None
    assert frame.comment == "heartbeat"
    assert hidden["id"] not in json.dumps(await heard(kodim, after=begin))
    stream.close()


async def test_the_newest_head_comes_with_the_heartbeat(served: Running, caller_of: SignIn) -> None:
    kpu = await caller_of("KPU_KOTA_MALANG")
    begin = await end_of(kpu)
    await kpu.log()
    stream = await Listening.to(served.port, kpu.token, last=begin)
    async with asyncio.timeout(SOON):
        while (frame := await stream.frame()) is not None:
            if frame.event == "log.head" and json.loads(unb64(frame.data["head"].split(".")[1]))["size"] > begin:
                break
    assert frame is not None
    assert frame.id is None
    stream.close()


async def test_last_event_id_wins_over_after(served: Running, caller_of: SignIn) -> None:
    kpu = await caller_of("KPU_KOTA_MALANG")
    logged = await kpu.log()
    async with asyncio.timeout(SOON):
        about = await eventually(lambda: _about(kpu, logged["id"]))
        last = about[-1]["logindex"]
        stream = await Listening.to(served.port, kpu.token, query="?after=0", last=last - 1)
        assert (await stream.until(last))[0]["logindex"] == last
    stream.close()


async def test_a_stream_wants_http_1_1(served: Running, caller_of: SignIn) -> None:
    kpu = await caller_of("KPU_KOTA_MALANG")
    assert (await Listening.to(served.port, kpu.token, version="1.0")).status == 406


# going on


async def test_a_listener_killed_anywhere_misses_nothing_and_hears_nothing_twice(
    served: Running, caller_of: SignIn
) -> None:
    kpu, bakesbangpol = await caller_of("KPU_KOTA_MALANG"), await caller_of("BAKESBANGPOL_KOTA_MALANG")
    begin = await end_of(kpu)
    writers = [asyncio.create_task(_write(one, scaled(12, 150))) for one in (kpu, bakesbangpol, kpu)]
    place, found, kills = begin, list[int](), 0
    dice = random.Random(20241127)  # noqa: S311 - a die, no secret
    async with asyncio.timeout(scaled(60, 600)):
        while not all(one.done() for one in writers) or place < await end_of(kpu):
            stream = await Listening.to(served.port, kpu.token, last=place)
            for _ in range(dice.randrange(4)):
                frame = await stream.frame()
                assert frame is not None
                if frame.event not in {None, "log.head"}:
                    found.append(frame.data["logindex"])
                place = frame.id or place
            try:
                async with asyncio.timeout(dice.random() * 0.2):
                    await stream.reader.readexactly(dice.randrange(1, 700))  # it dies in the middle of this
            except TimeoutError:
                pass
            stream.close()
            kills += 1
    await asyncio.gather(*writers)
    assert found == [one["logindex"] for one in await heard(kpu, after=begin)]
    assert len(found) >= scaled(40, 500)
    assert kills > 10


async def _write(agency: Agency, tasks: int) -> None:
    for place in range(tasks):
        await agency.log(classification=("terbuka", "terbatas", "rahasia")[place % 3])


# the end of it


async def test_a_revoked_client_hears_no_more_at_once(served: Running, caller_of: SignIn) -> None:
    operator, kpu = await caller_of(None, "operator"), await caller_of("KPU_KOTA_MALANG")
    made = await operator.post("/v1/clients", {"agency": "KPU_KOTA_MALANG", "role": "viewer", "purpose": "Dengar"})
    client = await Agency(operator.http, {**made.json(), "agency": "KPU_KOTA_MALANG"}).sign_in()
    stream = await Listening.to(served.port, client.token, last=await end_of(kpu))
    await asyncio.sleep(0.7)
    path = f"/v1/clients/{made.json()['client_id']}"
    etag = (await operator.get(path)).headers["etag"]
    ended = await operator.post(f"{path}/revocation", {"reason": "Ganti perangkat"}, etag=etag)
    assert ended.status_code == 200, ended.text
    logged = await kpu.log(title="kenari-terlambat")
    async with asyncio.timeout(SOON):
        while (frame := await stream.frame()) is not None:
            assert logged["id"] not in json.dumps(frame.data)
    assert (await Listening.to(served.port, client.token)).status == 401


async def test_a_stream_ends_with_its_token(served: Running, app: FastAPI, caller_of: SignIn, kpu: Agency) -> None:
    listener = await caller_of(kpu.code)
    forger = Forger(app.state.keys, listener.token, listener.token)
    now = forger.now
    short = forger.saying(compact({**forger.claims, "iat": now - 5, "nbf": now - 5, "exp": now + 2}))
    stream = await Listening.to(served.port, short, last=await end_of(listener))
    assert stream.status == 200
    async with asyncio.timeout(SOON):
        assert await stream.ended()


async def test_who_does_not_read_is_cut_off(served: Running, served_url: str, caller_of: SignIn) -> None:
    kpu = await caller_of("KPU_KOTA_MALANG")
    begin = await end_of(kpu)
    await _flood(served_url)
    await eventually(lambda: _flooded(kpu, begin))
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect(("127.0.0.1", served.port))
    request = f"GET /v1/events?after={begin} HTTP/1.1\r\nHost: s\r\nAccept: text/event-stream\r\n"
    line.sendall(f"{request}Authorization: Bearer {kpu.token}\r\n\r\n".encode())
    await asyncio.sleep(4)
    line.settimeout(SOON)
    taken = b""
    while chunk := line.recv(65_536):
        taken += chunk
    line.close()
    assert not taken.endswith(b"0\r\n\r\n")
    assert len(taken) < FLOOD * LENGTH / 2


FLOOD, LENGTH = 800, 20_000


async def _flood(url: str) -> None:
    """Facts that everybody hears, each as long as a letter."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "insert into event (id, kind, object_type, object_id, request_id, effective_at, recorded_at, payload,"
                " words, salt, leaf) select gen_random_uuid(), 'agency.updated', 'agency', 'KPU_RI', 'x', now(), now(),"
                " jsonb_build_object('changed', jsonb_build_array(repeat('x', :length))), '{}', '',"
                " sha256(cast(n as text)::bytea) from generate_series(1, :count) n"
            ),
            {"length": LENGTH, "count": FLOOD},
        )
    await engine.dispose()


async def test_a_client_and_a_process_have_so_many_streams_and_end_them_when_they_stop(
    served_url: str, settings: Settings, credentials: list[dict[str, Any]]
) -> None:
    more = {"SIMPUL_CLIENT_STREAMS": "2", "SIMPUL_PROCESS_STREAMS": "3"}
    with running(served_url, settings, more=more) as served:
        async with httpx.AsyncClient(base_url=served.address, timeout=30) as http:
            first, second, third = [await Agency(http, one).sign_in() for one in credentials[:3]]
            streams = [await Listening.to(served.port, first.token) for _ in range(3)]
            assert [one.status for one in streams] == [200, 200, 429]
            assert "retry-after" in streams[2].headers
            streams.append(await Listening.to(served.port, second.token))
            assert streams[3].status == 200
            assert (await Listening.to(served.port, third.token)).status == 429
            streams[0].close()
            async with asyncio.timeout(SOON):
                while (again := await Listening.to(served.port, first.token)).status == 429:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            assert again.status == 200
        began = time.monotonic()
        served.process.terminate()
        async with asyncio.timeout(SOON):
            assert all(await asyncio.gather(streams[1].ended(), again.ended()))
        assert await asyncio.to_thread(served.process.wait, 15) is not None
        assert time.monotonic() - began < 10
        streams[3].close()


async def test_an_agency_with_many_clients_leaves_streams_to_the_others(
    served_url: str, settings: Settings, credentials: list[dict[str, Any]]
) -> None:
    more = {"SIMPUL_CLIENT_STREAMS": "2", "SIMPUL_AGENCY_STREAMS": "3", "SIMPUL_PROCESS_STREAMS": "5"}
    with running(served_url, settings, more=more) as served:
        async with httpx.AsyncClient(base_url=served.address, timeout=30) as http:
            of_kpu = [one for one in credentials if one["agency"] == "KPU_KOTA_MALANG"]
            other = next(one for one in credentials if one["agency"] == "BAWASLU_KOTA_MALANG")
            first, second, stranger = [await Agency(http, one).sign_in() for one in (*of_kpu[:2], other)]
            streams = [await Listening.to(served.port, one.token) for one in (first, first, second, second)]
            assert [one.status for one in streams] == [200, 200, 200, 429]
            assert "retry-after" in streams[3].headers
            streams.append(await Listening.to(served.port, stranger.token))
            assert streams[4].status == 200
            streams[0].close()
            await asyncio.sleep(0.5)
            streams.append(await Listening.to(served.port, second.token))
            assert streams[5].status == 200
            for one in streams[1:]:
                one.close()


async def test_who_is_woken_in_the_moment_in_which_it_stops_waiting_has_been_woken() -> None:
    listener = Listener()
    assert await listener.wait(0)
    loop = asyncio.get_running_loop()
    waiting = loop.create_task(listener.wait(0.01))
    await asyncio.sleep(0)
    loop.call_later(0.02, listener.wake)
    time.sleep(0.05)  # noqa: ASYNC251 - both are due when the loop looks again
    assert await waiting
    assert not await listener.wait(0)


# what it costs


@pytest.mark.parametrize("count", [200, pytest.param(2_000, marks=pytest.mark.attack)])
async def test_listeners_hold_no_connection_and_all_of_them_hear(
    served: Running, served_url: str, caller_of: SignIn, count: int
) -> None:
    if count > scaled(200, 2_000):
        pytest.skip("with SIMPUL_FULL")
    kpu = await caller_of("KPU_KOTA_MALANG")
    begin = await end_of(kpu)
    streams = [await Listening.to(served.port, kpu.token, last=begin) for _ in range(count)]
    await asyncio.sleep(1)
    assert await _connections(served_url) <= 4 + 5  # the pool's, and those of its worker
    began = time.monotonic()
    assert (await kpu.get("/v1/me")).status_code == 200
    assert time.monotonic() - began < 2
    logged = await kpu.log(external_reference=uuid4().hex)
    async with asyncio.timeout(scaled(60, 120)):
        told = await asyncio.gather(*(told_of(one, logged["id"]) for one in streams))
    assert {one["type"] for one in told} == {"task.logged"}
    for stream in streams:
        stream.close()


async def _connections(url: str) -> int:
    database = Database(url, Settings())
    async with database.engine.connect() as connection:
        found = await connection.scalar(
            text("select count(*) - 1 from pg_stat_activity where datname = current_database()")
        )
    await database.close()
    return int(found or 0)
