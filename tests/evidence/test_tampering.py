"""Who owns the server takes the guards down and changes the past: each way is found by an agency that kept one head.

First only the facts are changed; then the whole tree is rebuilt over them and every head signed anew with the log's own
key, so that nothing contradicts anything any more, but what left the machine before.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest
from notary import EVIDENCE, House, read_jws
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app import evidence
from app.calling import Login
from app.rules.merkle import Tree
from app.services import log_keys
from app.statements import Kind, state
from app.testimony import Kept
from app.witness import Rewritten
from app.witness_cli import Watch

#: The entry that is tampered with, counted back from the newest.
BACK = 7


async def edit(connection: AsyncConnection, index: int) -> None:
    """What was returned was accepted all along."""
    await connection.execute(
        text(
            'update event set payload = payload || \'{"to": "closed"}\''
            " where id = (select event_id from log_entry where index = :index)"
        ),
        {"index": index},
    )


async def delete(connection: AsyncConnection, index: int) -> None:
    """It never happened."""
    await connection.execute(text("delete from log_entry where index = :index"), {"index": index})
    await shift(connection, index, by=-1)


async def insert(connection: AsyncConnection, index: int) -> None:
    """Something else happened as well."""
    await shift(connection, index - 1, by=1)
    columns = (*(name for name in evidence.MEMBERS if name != "id"), "leaf")
    named = ", ".join(columns)
    await connection.execute(
        text(
            f"with made as (insert into event (id, {named}) select gen_random_uuid(), {named} from event"
            " where id = (select event_id from log_entry where index = :before) returning id)"
            " insert into log_entry (index, event_id) select :index, id from made"
        ),
        {"before": index - 1, "index": index},
    )
    await connection.execute(text("delete from unsequenced"))


async def shift(connection: AsyncConnection, index: int, *, by: int) -> None:
    for sign in (-1, 1):  # past the numbers that are taken
        await connection.execute(
            text("update log_entry set index = -(index + :by) where index > :index")
            if sign < 0
            else text("update log_entry set index = -index where index < 0"),
            {"index": index, "by": by} if sign < 0 else {},
        )


async def reorder(connection: AsyncConnection, index: int) -> None:
    """It happened after, not before."""
    await connection.execute(
        text("update log_entry set index = -(:one + :two - index) where index in (:one, :two)"),
        {"one": index, "two": index + 1},
    )
    await connection.execute(text("update log_entry set index = -index where index < 0"))


async def rebuild(house: House) -> None:
    """Make every leaf, node and head fit what the events say now; the log's own key signs, nobody witnessed."""
    async with house.superuser() as connection:
        await guards(connection, up=False)
        sizes = (await connection.execute(text("select size from log_head order by size"))).scalars().all()
        columns = ", ".join(f"e.{name}" for name in evidence.MEMBERS)
        events = await connection.execute(
            text(f"select {columns} from log_entry l join event e on e.id = l.event_id order by l.index")
        )
        for table in ("cosignature", "log_head", "log_node"):
            await connection.execute(text(f"delete from {table}"))
        tree, heads = Tree(), []
        async with house.app.state.database.working() as writer:
            key = await log_keys.signer(writer)
        found = events.mappings().all()
        for event in found:
            leaf = evidence.leaf(evidence.document(dict(event)))
            await connection.execute(
                text("update event set leaf = :leaf where id = :id"), {"leaf": leaf, "id": event["id"]}
            )
            nodes = [{"level": level, "place": place, "hash": node} for level, place, node in tree.append(leaf)]
            await connection.execute(text("insert into log_node values (:level, :place, :hash)"), nodes)
            if tree.size in sizes or tree.size == len(found):
                said = {"iss": "simpul", "size": tree.size, "root": tree.root().hex(), "iat": 1_800_000_000}
                heads.append({"size": tree.size, "root": tree.root(), "signed": state(key, Kind.HEAD, said)})
        await connection.execute(
            text("insert into log_head (size, root, signed) values (:size, :root, :signed)"), heads
        )
        await guards(connection, up=True)


async def guards(connection: AsyncConnection, *, up: bool) -> None:
    for table in EVIDENCE:
        await connection.execute(text(f"alter table {table} {'enable' if up else 'disable'} trigger user"))
        if up:
            for trigger in ("keep_facts", "keep_facts_whole"):
                await connection.execute(text(f"alter table {table} enable always trigger {trigger}"))


async def history(house: House) -> int:
    """Some work, sealed in several heads; returns the log's size."""
    for _ in range(3):
        task = await house.bakesbangpol.log()
        await house.seal()
        await house.bkpsdm.answer(task["open_referral"]["id"], "returned", reason="Bukan wewenang kami")
    return await house.seal()


@pytest.fixture
async def kept(house: House) -> Kept:
    """What an agency holds: one head, one receipt, and the keys that it fetched."""
    await history(house)
    head, keys, receipts = [house.folder / name for name in ("kept.jsonl", "log-keys.json", "receipts.txt")]
    head.write_text(json.dumps((await house.bakesbangpol.get("/v1/log/head")).json()) + "\n")
    keys.write_text(json.dumps((await house.http.get("/.well-known/log-keys.json")).json()))
    logged = await house.bakesbangpol.post("/v1/tasks", TASK)
    receipts.write_text(logged.headers["audit-receipt"] + "\n")
    await history(house)
    return Kept((head,), (receipts,), keys)


TASK = {"title": "-", "description": "-", "category": "asn_neutrality", "function": "prevention", "region": "35.73"}


@pytest.fixture
def watch(house: House) -> Watch:
    client = house.bakesbangpol.credentials
    return Watch(Login(client["client_id"], secret=client["client_secret"]), house.folder / "state.json")


@pytest.mark.parametrize("tamper", [edit, delete, insert, reorder])
async def test_an_agency_that_kept_a_head_finds_it(
    tamper: Callable[[AsyncConnection, int], Awaitable[None]], house: House, kept: Kept, watch: Watch
) -> None:
    assert await house.verified("honest", kept) == []
    seen = await watch.once(house.http)
    async with house.superuser() as connection:
        await guards(connection, up=False)
        await tamper(connection, held(kept) - BACK)
        await guards(connection, up=True)
    assert await house.verified("tampered") != []
    await rebuild(house)
    assert await house.verified("rebuilt") == [], "the forger has made a mistake"
    found = await house.verified("against what was kept", kept)
    assert any("another root" in one and "kept.jsonl" in one for one in found), found
    with pytest.raises(Rewritten):
        await watch.once(house.http)
    assert json.loads(watch.state.read_text())["head"] == seen.head
    (proof,) = house.folder.glob("state.rewritten-*.json")
    assert json.loads(proof.read_text())["head"] == seen.head


def held(kept: Kept) -> int:
    return int(json.loads(kept.heads[0].read_text())["size"])


async def test_a_log_cut_short_is_found(house: House, kept: Kept, watch: Watch) -> None:
    await watch.once(house.http)
    async with house.superuser() as connection:
        await guards(connection, up=False)
        await connection.execute(text("delete from log_entry where index > :size"), {"size": held(kept) - BACK})
        await guards(connection, up=True)
    await rebuild(house)
    found = await house.verified("cut short", kept)
    assert any("cut off" in one for one in found), found
    with pytest.raises(Rewritten, match="ends at entry"):
        await watch.once(house.http)


async def test_what_was_promised_and_left_out_is_found_by_its_receipt(house: House, kept: Kept) -> None:
    leaf = promised(kept)
    async with house.superuser() as connection:
        await guards(connection, up=False)
        place = text("select place + 1 from log_node where level = 0 and hash = :leaf")
        index = (await connection.execute(place, {"leaf": bytes.fromhex(leaf)})).scalar_one()
        assert index > held(kept)
        await delete(connection, int(index))
        await guards(connection, up=True)
    await rebuild(house)
    found = await house.verified("without it", kept)
    assert any(leaf in one for one in found), found


def promised(kept: Kept) -> str:
    """The leaf that the receipt promises."""
    return str(read_jws(kept.receipts[0].read_text().strip())["leaves"][0])


async def said_of(house: House, task: str) -> list[tuple[str | None, str | None]]:
    """Who acted in each fact of a task, and the reason that was given."""
    items = (await house.bakesbangpol.get(f"/v1/tasks/{task}/history")).json()["items"]
    return [(one["acting_user"], one["facts"].get("reason")) for one in items]


EXCHANGED = {
    "the words of another fact": "words_sealed = o.words_sealed",
    "the person of another fact": "person_sealed = o.person_sealed, person_key = o.person_key",
    "no seal at all": "words_sealed = 'x', person_sealed = 'x'",
    "half a seal": "words_sealed = substr(e.words_sealed, 1, 20), person_sealed = ''",
}


@pytest.mark.parametrize("change", EXCHANGED.values(), ids=EXCHANGED)
async def test_other_words_or_people_beside_a_fact_are_shown_to_nobody(change: str, house: House) -> None:
    logged = await house.bakesbangpol.post("/v1/tasks", TASK, headers={"Acting-User": "staf-1"})
    task, referral = logged.json()["id"], logged.json()["open_referral"]["id"]
    await house.bkpsdm.answer(referral, "returned", reason="Bukan wewenang kami")
    etag = (await house.bakesbangpol.get(f"/v1/tasks/{task}")).headers["etag"]
    cancelled = await house.bakesbangpol.post(
        f"/v1/tasks/{task}/transitions",
        {"action": "cancel", "reason": "Sudah selesai"},
        etag=etag,
        headers={"Acting-User": "staf-2"},
    )
    assert cancelled.status_code == 200, cancelled.text
    await house.seal()
    true = await said_of(house, task)
    assert true[-1] == ("staf-2", "Sudah selesai")
    async with house.superuser() as connection:
        await guards(connection, up=False)
        other = "referral.returned" if "words_sealed = o" in change else "task.logged"
        changed = await connection.execute(
            text(
                f"update event e set {change} from event o where e.task_id = :task and o.task_id = :task"
                " and e.kind = 'task.cancelled' and o.kind = :other"
            ),
            {"task": task, "other": other},
        )
        assert changed.rowcount == 1
        await guards(connection, up=True)
    shown = await said_of(house, task)
    assert shown[:-1] == true[:-1]
    assert shown[-1] != true[-1]
    assert set(shown[-1]) <= {None, "staf-2", "Sudah selesai"}
    page = await house.bakesbangpol.get("/v1/events", params={"after": "0", "types": "task.cancelled"})
    assert page.status_code == 200, page.text


async def test_a_comment_says_what_the_log_was_given(house: House) -> None:
    task = await house.bakesbangpol.log()
    place = f"/v1/tasks/{task['id']}/comments"
    assert (await house.bakesbangpol.post(place, {"body": "Saya keberatan."})).status_code == 201
    async with house.superuser() as connection:
        await connection.execute(
            text("update comment set body = 'Saya setuju.' where task_id = :id"), {"id": task["id"]}
        )
    (shown,) = (await house.bakesbangpol.get(place)).json()["items"]
    assert shown["body"] == "Saya keberatan."
    await house.seal()
    page = await house.bakesbangpol.get("/v1/events", params={"after": "0", "types": "task.commented"})
    assert [one["data"]["facts"]["body"] for one in page.json()["items"]] == ["Saya keberatan."]
    async with house.superuser() as connection:
        await guards(connection, up=False)
        await connection.execute(text("update event set words_sealed = 'x' where kind = 'task.commented'"))
        await guards(connection, up=True)
    (shown,) = (await house.bakesbangpol.get(place)).json()["items"]
    assert shown["body"] == "\u2014"
