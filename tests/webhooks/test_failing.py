"""A receiver that fails is waited for, and parked at last; nothing is lost, nothing doubled, nobody else delayed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pytest
from receiving import Behaviour, Post, dripping, endless, informing, lying, silent, status
from support import scaled
from yard import BAWASLU, KPU, POLRI, Yard, working

from app import db
from app.outbound import PATIENCE
from app.rules.facts import EventKind
from app.rules.webhooks import AT_ONCE
from app.schemas.catalogue import CATALOGUE
from app.services import sealing, webhook_keys, webhook_queue
from app.settings import ROOT


async def change(yard: Yard, statement: str, **values: Any) -> None:
    async with yard.database.working() as writer:
        await db.rows(writer, f"{statement} returning id", **values)


async def subjects(yard: Yard, path: str) -> list[str]:
    return [one["subject"].partition("/")[2] for one in yard.receiver.events(path)]


async def test_a_receiver_that_was_down_gets_everything_once_in_order_when_it_is_back(yard: Yard) -> None:
    hook = await yard.hook(KPU, "/down", "election.*")
    yard.receiver.behaviours["/down"] = status(503)
    codes = await yard.happen(3)
    await yard.receiver.until("/down", 6)  # the first of them, over and over
    failing = await yard.show(hook)
    assert failing["failing_since"] is not None
    assert len({one.id for one in yard.receiver.at("/down")}) == 1
    codes += await yard.happen(10)
    kept = await yard.deliveries(hook)
    assert [(one["status"], one["failure"], one["status_code"]) for one in kept] == [("failing", "status", 503)]
    assert kept[0]["attempts"] >= 5

    yard.receiver.behaviours.clear()
    tried = len(yard.receiver.at("/down"))  # all of these were told 503
    await yard.settled(hook)
    assert (await subjects(yard, "/down"))[tried:] == codes
    shown = await yard.show(hook)
    assert (shown["failing_since"], shown["attempts"], shown["retry_at"]) == (None, 0, None)
    assert {one["status"] for one in await yard.deliveries(hook)} == {"delivered"}


async def test_an_hour_of_retries_by_the_settings_and_back_before_its_end_loses_nothing(idle: Yard) -> None:
    """The hour of the settings is four seconds here: the bounds of the delays are scaled with it."""
    hour = 4.0
    settings = idle.settings.model_copy(
        update={
            "webhook_hours": hour / 3600,
            "webhook_first_delay": hour * 5 / 3600,
            "webhook_longest_delay": hour / 8,
        }
    )
    hook = await idle.hook(KPU, "/hour", "election.*")
    idle.receiver.behaviours["/hour"] = status(500)
    async with working(settings, idle.url):
        codes = await idle.happen(5)
        (first,) = (await idle.receiver.until("/hour", 1))[:1]
        await asyncio.sleep(first.at + hour * 0.8 - monotonic())
        failing = await idle.show(hook)
        assert (failing["status"], failing["attempts"] > 5) == ("active", True)
        idle.receiver.behaviours.clear()
        failed = idle.receiver.at("/hour")  # all of these were told 500
        assert {one.id for one in failed} == {first.id}
        codes += await idle.happen(5)
        await idle.settled(hook)
    assert (await subjects(idle, "/hour"))[len(failed) :] == codes
    assert {one["attempts"] for one in await idle.deliveries(hook)} == {1, len(failed) + 1}


async def test_who_fails_to_the_end_is_parked_with_an_event_and_goes_on_where_it_stopped(idle: Yard) -> None:
    settings = idle.settings.model_copy(update={"webhook_hours": 0.5 / 3600})
    watching = await idle.hook(KPU, "/watching", "webhook.*")
    hook = await idle.hook(KPU, "/parked", "election.*")
    idle.receiver.behaviours["/parked"] = status(500)
    async with working(settings, idle.url):
        codes = await idle.happen(4)
        parked = await idle.until(hook, status="parked")
        assert (parked["version"], parked["retry_at"]) == (2, None)
        tried = len(idle.receiver.at("/parked"))
        await idle.settled(watching)
        told = [one for one in idle.receiver.events("/watching") if one["type"] == "webhook.parked"]
        assert [one["subject"].rpartition("/")[2] for one in told] == [hook["id"]]
        await asyncio.sleep(0.5)
        assert len(idle.receiver.at("/parked")) == tried

        idle.receiver.behaviours.clear()
        resumed = await idle.patch(hook, status="active")
        assert (resumed.status_code, resumed.json()["attempts"]) == (200, 0)
        await idle.settled(hook)
        assert (await subjects(idle, "/parked"))[tried:] == codes
        await idle.settled(watching)
        types = [one["type"] for one in idle.receiver.events("/watching")]
        assert types[-4:] == ["webhook.created", "webhook.created", "webhook.parked", "webhook.resumed"]


async def test_who_says_that_it_is_gone_is_parked_at_once(yard: Yard) -> None:
    hook = await yard.hook(KPU, "/gone", "election.*")
    yard.receiver.behaviours["/gone"] = status(410)
    await yard.happen()
    await yard.until(hook, status="parked")
    assert len(yard.receiver.at("/gone")) == 1
    (kept,) = await yard.deliveries(hook)
    assert (kept["failure"], kept["status_code"]) == ("gone", 410)


async def test_what_is_paused_waits_and_misses_nothing(yard: Yard) -> None:
    hook = await yard.hook(KPU, "/paused", "election.*")
    await yard.patch(hook, status="paused")
    codes = await yard.happen(3)
    other = await yard.hook(KPU, "/running", "election.*")
    await yard.settled(other)
    assert yard.receiver.at("/paused") == []
    await yard.patch(hook, status="active")
    await yard.settled(hook)
    assert await subjects(yard, "/paused") == codes


@pytest.mark.parametrize(
    ("path", "host", "word"),
    [("/r", "localhost", "redirect"), ("/d", "nowhere.invalid", "dns"), ("/x", "localhost", "refused")],
)
async def test_the_log_of_deliveries_says_in_our_words_why(yard: Yard, path: str, host: str, word: str) -> None:
    yard.receiver.behaviours["/r"] = status(302, location=yard.receiver.url("/landed"))
    port = yard.receiver.closed_port if path == "/x" else yard.receiver.port
    hook = await yard.hook(KPU, path, "election.*", url=f"https://{host}:{port}{path}")
    await yard.happen()
    for _ in range(500):
        if kept := await yard.deliveries(hook):
            break
        await asyncio.sleep(0.02)
    assert (kept[0]["status"], kept[0]["failure"]) == ("failing", word)
    assert yard.receiver.at("/landed") == []


async def test_an_address_that_the_settings_no_longer_allow_is_not_asked(idle: Yard) -> None:
    hook = await idle.hook(KPU, "/tightened", "election.*")
    settings = idle.settings.model_copy(update={"webhook_networks": "", "webhook_ports": "443"})
    async with working(settings, idle.url):
        await idle.happen()
        for _ in range(500):
            if kept := await idle.deliveries(hook):
                break
            await asyncio.sleep(0.02)
    assert kept[0]["failure"] == "target_not_allowed"
    assert idle.receiver.at("/tightened") == []


# one is nobody else's trouble


@pytest.mark.parametrize("behaviour", [silent, dripping, endless, informing, lying, status(302, location="/")])
async def test_no_receiver_delays_another_agencys_delivery(yard: Yard, behaviour: Behaviour) -> None:
    for number in range(AT_ONCE + 2):
        await yard.hook(BAWASLU, f"/ill{number}", "election.*")
        yard.receiver.behaviours[f"/ill{number}"] = behaviour
    hook = await yard.hook(POLRI, "/well", "election.*")
    await yard.happen(2)
    await yard.receiver.until("/well", 2)
    codes = await yard.happen(5)
    began = monotonic()
    last = (await yard.receiver.until("/well", 7))[-1]
    assert last.at - began < PATIENCE / 2
    assert (await subjects(yard, "/well"))[2:] == codes
    assert (await yard.show(hook))["failing_since"] is None


async def test_of_one_agency_a_few_are_served_at_once_by_all_workers_together(idle: Yard) -> None:
    busy: list[int] = []
    now = 0

    async def slow(_: Post, writer: asyncio.StreamWriter) -> None:
        nonlocal now
        now += 1
        busy.append(now)
        await asyncio.sleep(0.3)
        now -= 1
        writer.write(b"HTTP/1.1 204 -\r\n\r\n")
        await writer.drain()

    for number in range(10):
        await idle.hook(BAWASLU, f"/busy{number}", "election.*")
        idle.receiver.behaviours[f"/busy{number}"] = slow
    async with working(idle.settings, idle.url), working(idle.settings, idle.url):
        await idle.happen()
        for number in range(10):
            await idle.receiver.until(f"/busy{number}", 1)
    assert max(busy) == AT_ONCE


# any number of workers, and their ends


async def test_two_workers_never_interleave_one_webhook(idle: Yard) -> None:
    hooks = [await idle.hook(whose, f"/two-{whose}", "election.*") for whose in (KPU, BAWASLU, POLRI)]
    inside: dict[str, int] = {}
    crossed: list[str] = []

    async def watch(post: Post, writer: asyncio.StreamWriter) -> None:
        inside[post.path] = inside.get(post.path, 0) + 1
        if inside[post.path] > 1:
            crossed.append(post.path)
        await asyncio.sleep(0.01)
        inside[post.path] -= 1
        writer.write(b"HTTP/1.1 204 -\r\n\r\n")
        await writer.drain()

    idle.receiver.behaviours = {f"/two-{whose}": watch for whose in (KPU, BAWASLU, POLRI)}
    async with working(idle.settings, idle.url), working(idle.settings, idle.url), working(idle.settings, idle.url):
        codes = await idle.happen(scaled(25, 200))
        for hook in hooks:
            await idle.settled(hook)
    assert crossed == []
    for whose in (KPU, BAWASLU, POLRI):
        assert await subjects(idle, f"/two-{whose}") == codes


@asynccontextmanager
async def process(yard: Yard) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A worker as a process of its own."""
    kept = {name: held for name, held in os.environ.items() if not name.startswith("SIMPUL_")}
    said = {name: getattr(yard.settings, f"webhook_{name}") for name in ("networks", "ports", "ca", "first_delay")}
    environment = {f"SIMPUL_WEBHOOK_{name.upper()}": str(held) for name, held in said.items()}
    environment |= {"SIMPUL_DATABASE_URL": yard.url, "SIMPUL_VAR": str(yard.settings.var)}
    environment |= {"SIMPUL_LOG_MEMORY": "-"}
    command = [sys.executable, "-m", "app.worker"]
    worker = await asyncio.to_thread(subprocess.Popen, command, cwd=ROOT, env={**kept, **environment})
    try:
        yield worker
    finally:
        worker.kill()
        await asyncio.to_thread(worker.wait)


async def test_a_worker_killed_before_it_records_sends_again_under_the_same_id(idle: Yard) -> None:
    hook = await idle.hook(KPU, "/killed", "election.*")
    victims: list[subprocess.Popen[bytes]] = []

    async def kill(post: Post, writer: asyncio.StreamWriter) -> None:
        if len(idle.receiver.at(post.path)) == 3:
            victims[0].send_signal(signal.SIGKILL)  # sent, and never recorded
            await asyncio.to_thread(victims[0].wait)
        writer.write(b"HTTP/1.1 204 -\r\n\r\n")
        await writer.drain()

    idle.receiver.behaviours["/killed"] = kill
    codes = await idle.happen(6)
    async with process(idle) as worker:
        victims.append(worker)
        await idle.receiver.until("/killed", 3, patience=30)
        await asyncio.to_thread(worker.wait)
    async with working(idle.settings, idle.url):
        third, again = (await idle.receiver.until("/killed", 4))[2:4]
        assert 1 < again.at - third.at < webhook_queue.LEASE.total_seconds() + 3  # when its claim ended, and not before
        await idle.settled(hook)
    ids = [one.id for one in idle.receiver.at("/killed")]
    assert len(ids) == 7
    assert ids[2] == ids[3]
    assert await subjects(idle, "/killed") == [*codes[:3], *codes[2:]]
    kept = {one["event"]: one["attempts"] for one in await idle.deliveries(hook)}
    assert kept == dict.fromkeys(ids, 1)  # what was not recorded is not known


async def test_a_claim_is_held_for_as_long_as_a_slow_receiver_takes(idle: Yard) -> None:
    longer = webhook_queue.LEASE.total_seconds() + 1.5
    assert longer < PATIENCE

    async def slow(_: Post, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(longer)
        writer.write(b"HTTP/1.1 204 -\r\n\r\n")
        await writer.drain()

    hook = await idle.hook(KPU, "/slow", "election.*")
    idle.receiver.behaviours["/slow"] = slow
    async with working(idle.settings, idle.url), working(idle.settings, idle.url):
        codes = await idle.happen()
        await idle.settled(hook)
    assert await subjects(idle, "/slow") == codes
    assert {(one["status"], one["attempts"]) for one in await idle.deliveries(hook)} == {("delivered", 1)}


async def test_who_can_not_hold_its_claim_hangs_up_before_another_worker_begins(idle: Yard) -> None:
    seen: list[str] = []

    async def watch(_: Post, writer: asyncio.StreamWriter) -> None:
        seen.append("began")
        while not writer.is_closing():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        seen.append("hung up")

    hook = await idle.hook(KPU, "/unheld", "election.*")
    idle.receiver.behaviours["/unheld"] = watch
    async with working(idle.settings, idle.url), working(idle.settings, idle.url):
        codes = await idle.happen()
        (first,) = await idle.receiver.until("/unheld", 1)
        async with idle.database.working() as writer:  # who holds the row keeps the claim from being held
            await db.rows(writer, "select id from webhook where id = :id for update", id=hook["id"])
            while "hung up" not in seen:
                assert monotonic() - first.at < webhook_queue.LEASE.total_seconds() + 1
                await asyncio.sleep(0.02)
        idle.receiver.behaviours["/unheld"] = status(204)
        await idle.settled(hook)
    assert seen == ["began", "hung up"]
    again = idle.receiver.at("/unheld")[1]
    assert (again.id, again.at - first.at > 2) == (first.id, True)
    assert await subjects(idle, "/unheld") == codes * 2


async def test_who_lost_its_claim_records_nothing(idle: Yard) -> None:
    hook = await idle.hook(KPU, "/lost-claim", "election.*")

    async def rob(_: Post, writer: asyncio.StreamWriter) -> None:
        if len(idle.receiver.at("/lost-claim")) == 1:
            thief = "update webhook set lease = gen_random_uuid(), leased_until = now() + interval '1 second'"
            await change(idle, f"{thief} where id = :id", id=hook["id"])
        writer.write(b"HTTP/1.1 204 -\r\n\r\n")
        await writer.drain()

    idle.receiver.behaviours["/lost-claim"] = rob
    async with working(idle.settings, idle.url):
        await idle.happen(2)
        first, second, _ = await idle.receiver.until("/lost-claim", 3)
        assert first.id == second.id
        assert second.at - first.at > 0.9
        await idle.settled(hook)
    assert {one["attempts"] for one in await idle.deliveries(hook)} == {1}


async def test_retries_come_further_and_further_apart(idle: Yard) -> None:
    settings = idle.settings.model_copy(update={"webhook_first_delay": 0.5, "webhook_longest_delay": 3600.0})
    hook = await idle.hook(KPU, "/backoff", "election.*")
    idle.receiver.behaviours["/backoff"] = status(500)
    delays = []
    async with working(settings, idle.url):
        await idle.happen()
        for attempts in range(1, 8):
            shown = await idle.until(hook, attempts=attempts)
            delays.append(datetime.fromisoformat(shown["retry_at"]) - datetime.now(UTC))
            assert delays[-1] <= timedelta(seconds=0.5) * 2 ** (attempts - 1)
            await change(idle, "update webhook set retry_at = now() where id = :id", id=hook["id"])
    assert max(delays) > timedelta(seconds=0.5)  # where each delay is drawn from twice as much: all but certain


# what is forgotten


async def test_deliveries_are_forgotten_after_thirty_days_and_ended_keys_at_once(yard: Yard) -> None:
    hook = await yard.hook(KPU, "/old", "election.*")
    await yard.happen(2)
    await yard.settled(hook)
    newer, older = await yard.deliveries(hook)
    past = "update delivery set last_attempt_at = now() - interval '31 days' where id = :id"
    await change(yard, past, id=older["id"])
    await yard.operator.post(f"/v1/webhooks/{hook['id']}/secret", {"overlap_hours": 0})
    async with yard.database.working() as writer:
        assert await webhook_queue.forget_old(writer) == 1
        assert await webhook_keys.forget_ended(writer) == 1
        assert await db.value(writer, "select count(*) from webhook_secret where webhook_id = :id", id=hook["id"]) == 1
    assert [one["id"] for one in await yard.deliveries(hook)] == [newer["id"]]


async def test_what_the_log_says_of_webhooks_has_the_shapes_of_the_catalogue(yard: Yard) -> None:
    hook = await yard.hook(KPU, "/shapes", "election.*")
    await yard.operator.post(f"/v1/webhooks/{hook['id']}/secret", {"reason": "Berkala"})
    await yard.patch(hook, status="paused")
    await yard.patch(hook, status="active", types=[])
    yard.receiver.behaviours["/shapes"] = status(410)
    await yard.happen()
    await yard.until(hook, status="parked")
    await yard.clear()
    async with yard.database.working() as writer:
        found = await db.rows(
            writer,
            f"select e.kind, e.payload, {sealing.SEALED}, {sealing.PERSON} from event e {sealing.KEYS_OF}"
            " where e.object_type = 'webhook' and e.object_id = :id order by e.id",
            id=hook["id"],
        )
        keys = yard.database.keys
    told = {one["kind"]: {**one["payload"], **sealing.words_of(keys, one)} for one in found}
    names = ("created", "secret_rotated", "updated", "resumed", "parked", "deleted")
    assert list(told) == [f"webhook.{name}" for name in names]
    for kind, said in told.items():
        CATALOGUE[EventKind(kind)].shape.model_validate(said)
    assert told["webhook.secret_rotated"]["reason"] == "Berkala"
    assert hook["url"] not in str(told)
