"""The sequencer: gives committed facts their places in the one sequence, grows the tree over them, signs its heads.

Whatever is committed is seen in some round, however late: facts wait in a queue of their own, and leave it in the
transaction that gives them their place. One works at a time, of any number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from app import statements
from app.db import Row, Writer, execute, keys_of, one, rows, value
from app.entries import copy
from app.memory import Known
from app.rules.caller import itself
from app.rules.merkle import Tree
from app.services import log, log_keys, log_tree, lost_heads
from app.services.locks import Lock
from app.statements import Kind

#: Within how many seconds a fact will be covered by a head, as receipts promise.
WITHIN: Final = 3600
#: How many leaves a receipt names: proxies leave 4 KiB to all headers of an answer.
NAMED: Final = 10
#: How many facts make a round full; the last transaction of it is placed whole.
FULL: Final = 1000

# Who holds the place for longer than this without a word is cut off, so that another one goes on. Rows are looked up
# one by one: the queue's statistics are always old, and whoever trusts them reads the whole log for three facts; or a
# whole year, where the plan is from before that year's first fact.
_ALONE: Final = """
    select pg_try_advisory_xact_lock(:key) as mine, set_config('idle_in_transaction_session_timeout', '5000', true),
        set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
        set_config('enable_seqscan', 'off', true)
"""
# The facts of one transaction stay together, in their own order and in one round: receipts of many name them by the
# first. Who waited for what another one changed entered its last fact after all of that one's, so that effects follow
# their causes. So many at once are answered in one go, even to somebody who has stopped listening, and cut off the
# sooner.
_QUEUED: Final = f"""
    select q.event_id, e.leaf from (
        select event_id, max(number) over (partition by transaction) as entered from unsequenced
        order by entered fetch first {FULL} rows with ties
    ) q join event e on e.id = q.event_id
    order by q.entered, q.event_id
"""
_STATE: Final = """
    select (select coalesce(max(index), 0) from log_entry) as size, coalesce(h.size, 0) as signed,
        coalesce(h.recorded_at <= clock_timestamp() - make_interval(secs => :every), true) as due,
        exists (select from unsequenced) as waiting, exists (select from lost_head where entry is null) as halted,
        cast(:size as bigint) is not null and not exists (
            select from log_head k where k.size = :size and k.root = cast(:root as bytea)) as strange
    from (values (1)) always left join lateral (
        select size, recorded_at from log_head order by size desc limit 1
    ) h on true
"""
_NEWEST: Final = "select signed from log_head order by size desc limit 1"
_UNPLACED: Final = """
    declare unplaced no scroll cursor for select e.id, e.leaf from event e
    where not exists (select from log_entry l where l.event_id = e.id) order by e.id
"""
_STEP: Final = 20_000
_PLACED: Final = """
    with placed as (
        insert into log_entry (index, event_id)
        select :size + o.place, o.id from unnest(cast(:ids as uuid[])) with ordinality o (id, place)
    ), grown as (
        insert into log_node (level, place, hash)
        select * from unnest(cast(:levels as integer[]), cast(:places as bigint[]), cast(:hashes as bytea[]))
    )
    delete from unsequenced where event_id = any(cast(:ids as uuid[]))
    returning event_id
"""


class Round(NamedTuple):
    """What a round did: how many facts it placed, the size of the head it signed, or None.

    `newest` is a head to be remembered outside the database, `lost` the size of one that was remembered there and that
    this round found lost.
    """

    placed: int
    head: int | None
    newest: str | None = None
    lost: int | None = None


async def sequence(writer: Writer, *, head_every: float, known: Known | None = None) -> Round:
    """Place what waits, and sign a head if the tree has grown and the last head is `head_every` seconds old.

    Does nothing while another one is at it, nor while a head that the log has signed is lost: facts are kept and
    promised as ever, but what would follow them in one sequence belies what was signed. `known` is the newest head that
    is remembered outside the database; if it is lost, that is recorded here.
    """
    state = await _look(writer, head_every, known)
    if not _calls(state) or not await value(writer, _ALONE, key=Lock.SEQUENCE.value):
        return Round(0, None)
    state = await _look(writer, head_every, known)  # once more: only now does nobody else change it
    if not _calls(state):
        return Round(0, None)
    if known is not None and state["strange"] and await lost_heads.is_lost(writer, known.said):
        await lost_heads.keep(writer, itself("worker"), known, source="memory")
        return Round(0, None, lost=None if state["halted"] else known.said.size)
    if state["halted"]:
        return Round(0, None)
    tree = await log_tree.tree_of(writer, state["size"])
    queued = await rows(writer, _QUEUED) if state["waiting"] else []
    await place(writer, tree, queued)
    if tree.size == state["signed"] or not state["due"]:
        newest = await value(writer, _NEWEST) if state["strange"] else None
        return Round(len(queued), None, newest)
    return Round(len(queued), tree.size, await sign(writer, tree))


async def _look(writer: Writer, head_every: float, known: Known | None) -> Row:
    size, root = (known.said.size, bytes.fromhex(known.said.root)) if known else (None, None)
    return await one(writer, _STATE, every=head_every, size=size, root=root)


def _calls(state: Row) -> bool:
    return bool(state["waiting"] or state["strange"] or (state["due"] and state["size"] > state["signed"]))


async def place_all(writer: Writer) -> AsyncIterator[int]:
    """Place every fact that has no place, by COPY, for who holds `Lock.SEQUENCE`, and sign a head over all.

    For a load that took facts past the queue; they are placed in the order of their ids. Yields after each step how
    many are.
    """
    tree = await log_tree.tree_of(writer, await log_tree.entries(writer))
    await execute(writer, _UNPLACED)
    placed = 0
    while found := await rows(writer, f"fetch {_STEP} from unplaced"):
        size = tree.size
        entries = [(size + 1 + place, fact["id"]) for place, fact in enumerate(found)]
        nodes = [node for fact in found for node in tree.append(bytes(fact["leaf"]))]
        await copy(writer, "log_entry", ("index", "event_id"), entries)
        await copy(writer, "log_node", ("level", "place", "hash"), nodes)
        placed += len(found)
        yield placed
    await execute(writer, "close unplaced")
    if placed:
        await sign(writer, tree)


async def place(writer: Writer, tree: Tree, queued: list[Row]) -> None:
    """Give facts (`event_id`, `leaf`) the next places, and grow the tree over them, for who holds `Lock.SEQUENCE`."""
    if not queued:
        return
    size = tree.size
    nodes = [node for fact in queued for node in tree.append(bytes(fact["leaf"]))]
    levels, places, hashes = zip(*nodes, strict=True)
    await rows(
        writer,
        _PLACED,
        size=size,
        ids=[fact["event_id"] for fact in queued],
        levels=list(levels),
        places=list(places),
        hashes=list(hashes),
    )


async def sign(writer: Writer, tree: Tree) -> str:
    """Sign a head over the tree that names every declared loss, for who holds `Lock.SEQUENCE`; returns it."""
    losses = [loss.model_dump() for loss in await lost_heads.declared(writer)]
    said = {
        "iss": keys_of(writer).issuer,
        "size": tree.size,
        "root": tree.root().hex(),
        "iat": int(datetime.now(UTC).timestamp()),
        **({"resumed": losses} if losses else {}),
    }
    head = statements.state(await log_keys.signer(writer), Kind.HEAD, said)
    await rows(
        writer,
        "insert into log_head (size, root, signed) values (:size, :root, :signed) returning size",
        size=tree.size,
        root=tree.root(),
        signed=head,
    )
    return head


async def receipt(writer: Writer, *, request_id: str) -> str | None:
    """A signed promise that the facts of this transaction will be in the log; None where there are none.

    It names their leaves; of many only the first, their number and the root (RFC 6962) of the tree that they make in
    the order of the log, where they stand together: so that it fits among the headers of an answer.
    """
    leaves = log.leaves(writer)
    if not leaves:
        return None
    named = [leaf.hex() for leaf in leaves]
    few = len(leaves) <= NAMED
    promised = {"leaves": named} if few else {"first": named[0], "count": len(leaves), "root": _root(leaves)}
    said = {
        "iss": keys_of(writer).issuer,
        "iat": int(datetime.now(UTC).timestamp()),
        "request_id": request_id,
        "within": WITHIN,
        **promised,
    }
    return statements.state(await log_keys.signer(writer), Kind.RECEIPT, said)


def _root(leaves: list[bytes]) -> str:
    tree = Tree()
    for leaf in leaves:
        deque(tree.append(leaf), maxlen=0)
    return tree.root().hex()
