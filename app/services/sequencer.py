"""The sequencer: gives committed facts their places in the one sequence, grows the tree over them, signs its heads.

Whatever is committed is seen in some round, however late: facts wait in a queue of their own, and leave it in the
transaction that gives them their place. One works at a time, of any number.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import Final, NamedTuple

from app import statements
from app.db import Executor, Row, Writer, keys_of, one, rows, value
from app.rules.merkle import Tree, frontier_places
from app.services import log, log_keys
from app.statements import Kind

_ONE_AT_A_TIME: Final = 731_005_006
#: Within how many seconds a fact will be covered by a head, as receipts promise.
WITHIN: Final = 3600
#: How many leaves a receipt names: proxies leave 4 KiB to all headers of an answer.
NAMED: Final = 10
#: How many facts make a round full; the last transaction of it is placed whole.
FULL: Final = 1000

# Who holds the place for longer than this without a word is cut off, so that another one goes on. Rows are looked up
# one by one: the queue's statistics are always old, and whoever trusts them reads the whole log for three facts.
_ALONE: Final = """
    select pg_try_advisory_xact_lock(:key) as mine, set_config('idle_in_transaction_session_timeout', '5000', true),
        set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)
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
        exists (select from unsequenced) as waiting
    from (values (1)) always left join lateral (
        select size, recorded_at from log_head order by size desc limit 1
    ) h on true
"""
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
    """What a round did: how many facts it placed, and the size of the head it signed, or None."""

    placed: int
    head: int | None


async def sequence(writer: Writer, *, head_every: float) -> Round:
    """Place what waits, and sign a head if the tree has grown and the last head is `head_every` seconds old.

    Does nothing while another one is at it.
    """
    if not _calls(await one(writer, _STATE, every=head_every)):
        return Round(0, None)
    if not await value(writer, _ALONE, key=_ONE_AT_A_TIME):
        return Round(0, None)
    state = await one(writer, _STATE, every=head_every)  # once more: only now does nobody else change it
    if not _calls(state):
        return Round(0, None)
    tree = await _tree(writer, state["size"])
    queued = await rows(writer, _QUEUED) if state["waiting"] else []
    await _place(writer, tree, queued)
    if tree.size == state["signed"] or not state["due"]:
        return Round(len(queued), None)
    await _sign(writer, tree)
    return Round(len(queued), tree.size)


def _calls(state: Row) -> bool:
    return bool(state["waiting"] or (state["due"] and state["size"] > state["signed"]))


async def _tree(executor: Executor, size: int) -> Tree:
    """The tree of this size, from its frontier."""
    places = frontier_places(size)
    found = await rows(
        executor,
        "select level, place, hash from log_node join unnest(cast(:levels as integer[]), cast(:places as bigint[]))"
        " asked (level, place) using (level, place)",
        levels=[level for level, _ in places],
        places=[place for _, place in places],
    )
    hashes = {(node["level"], node["place"]): bytes(node["hash"]) for node in found}
    return Tree(size, [hashes[place] for place in places])


async def _place(writer: Writer, tree: Tree, queued: list[Row]) -> None:
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


async def _sign(writer: Writer, tree: Tree) -> None:
    said = {
        "iss": keys_of(writer).issuer,
        "size": tree.size,
        "root": tree.root().hex(),
        "iat": int(datetime.now(UTC).timestamp()),
    }
    await rows(
        writer,
        "insert into log_head (size, root, signed) values (:size, :root, :signed) returning size",
        size=tree.size,
        root=tree.root(),
        signed=statements.state(await log_keys.signer(writer), Kind.HEAD, said),
    )


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
