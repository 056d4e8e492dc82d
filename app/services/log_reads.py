"""The log as evidence: heads, entries, and the proofs that tie the ones to the others (RFC 6962)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from app import evidence
from app.db import Executor, Row, row, rows
from app.errors import Fault, InvalidParameter, NoSuchHead, NotInLog
from app.rules import merkle
from app.rules.caller import Caller
from app.security import Keys
from app.services import finality, log_tree, sealing, visibility

#: What the document of an event is made from.
MEMBERS: Final = ", ".join(f"e.{name}" for name in evidence.MEMBERS)


async def show_head(executor: Executor, *, size: int | None) -> Row:
    """The head of a size, or the newest one; raises NoSuchHead."""
    (head,) = await _heads(executor, size)
    return head


async def _heads(executor: Executor, *sizes: int | None) -> list[Row]:
    """The heads of these sizes, the newest for None, in one statement; raises NoSuchHead."""
    found = await rows(
        executor,
        "select h.size, encode(h.root, 'hex') as root, h.signed as head, h.recorded_at,"
        f" {finality.of('h.size')} as finality"
        " from unnest(cast(:sizes as bigint[])) with ordinality asked (size, place)"
        " join log_head h on h.size = coalesce(asked.size, (select max(size) from log_head))"
        f" cross join {finality.standing(executor)} order by asked.place",
        sizes=list(sizes),
    )
    if len(found) < len(sizes):
        there = {one["size"] for one in found}
        await _refuse_size(executor, next(size for size in sizes if size not in there))
    return found


async def _refuse_size(executor: Executor, size: int | None) -> None:
    """Name the heads that there are instead; raises NoSuchHead."""
    near = await row(
        executor,
        "select (select min(size) from log_head where size > :size) as next, max(size) as newest from log_head",
        size=size or 0,
    )
    raise NoSuchHead(size=size, **(near or {}))


async def list_entries(executor: Executor, caller: Caller, keys: Keys, *, after: int, limit: int) -> dict[str, Any]:
    """The entries after an index, in their order: to whom hears of the fact all of it, else the leaf."""
    found = await rows(
        executor,
        f"select n.place + 1 as _index, encode(n.hash, 'hex') as _leaf, {finality.of('n.place + 1')} as _finality,"
        f" {MEMBERS}, e.words_sealed, w.id as words_key, w.sealed as words_key_sealed"
        f" from log_node n cross join {finality.standing(executor)} left join ("
        f"select l.index, e.* from log_entry l join event e on e.id = l.event_id where l.index > :after"
        f" and l.index <= cast(:after as bigint) + :limit and {visibility.heard(caller)}"
        ") e on e.index = n.place + 1 left join sealing_key w on w.id = e.words_key where n.level = 0"
        " and n.place >= :after and n.place < cast(:after as bigint) + :limit order by n.place",
        after=after,
        limit=limit,
        **visibility.hearing(caller),
    )
    return {"items": [_entry(keys, one) for one in found], "after": found[-1]["_index"] if found else after}


def _entry(keys: Keys, found: Row) -> Row:
    shown = {name: found[f"_{name}"] for name in ("index", "leaf", "finality")}
    if found["id"] is None:
        return {**shown, "kind": None, "document": None, "openings": None}
    openings = sealing.openings_of(keys, found) if found["words"] else {}
    return {**shown, "kind": found["kind"], "document": evidence.document(found).decode(), "openings": openings}


async def prove_inclusion(
    executor: Executor, *, index: int | None, leaf: str | None, size: int | None
) -> dict[str, Any]:
    """The audit path of an entry, by its index or its leaf (hex), to the head of a size or the newest.

    Raises InvalidParameter, NoSuchHead, NotInLog.
    """
    if (index is None) == (leaf is None):
        raise InvalidParameter(errors=[_ONE_OF_TWO])
    (head,) = await _heads(executor, size)
    entry = await row(
        executor,
        "select n.place + 1 as index, encode(n.hash, 'hex') as leaf,"
        f" {finality.of('n.place + 1')} as finality from log_node n cross join {finality.standing(executor)}"
        f" where n.level = 0 and {'n.hash = :leaf' if leaf else 'n.place = cast(:index as bigint) - 1'}"
        " and n.place < :size order by n.place limit 1",
        **({"leaf": bytes.fromhex(leaf)} if leaf else {"index": index}),
        size=head["size"],
    )
    if entry is None:
        raise NotInLog(size=head["size"])
    path = await _proof(executor, lambda node: merkle.inclusion(entry["index"] - 1, head["size"], node))
    return {**entry, **_stated(head), "path": path}


_ONE_OF_TWO: Final = Fault(
    "one_of_two", "Name the entry by `index` or by `leaf`.", "Sebutkan entri dengan `index` atau `leaf`.",
    parameter="index",
)  # fmt: skip


async def prove_consistency(executor: Executor, *, old: int, new: int | None) -> dict[str, Any]:
    """The proof that the head of size `new`, or the newest, continues that of size `old`.

    Raises InvalidParameter, NoSuchHead.
    """
    if new is not None and new < old:
        raise InvalidParameter(errors=[_BACKWARDS])
    before, head = await _heads(executor, old, new)
    path = await _proof(executor, lambda node: merkle.consistency(old, head["size"], node))
    return {"from_size": old, "from_root": before["root"], **_stated(head), "path": path}


_BACKWARDS: Final = Fault(
    "backwards", "`to` must not be less than `from`.", "`to` tidak boleh kurang dari `from`.", parameter="to"
)


def _stated(head: Row) -> Row:
    return {name: head[name] for name in ("size", "root", "head")}


async def _proof(executor: Executor, build: Callable[[Callable[[int, int], bytes]], list[bytes]]) -> list[str]:
    """A proof in hex: built once to see which nodes it takes, and again with these, all read in one statement."""
    wanted: set[log_tree.Node] = set()

    def want(level: int, place: int) -> bytes:
        wanted.add((level, place))
        return merkle.EMPTY

    build(want)
    nodes = await log_tree.nodes(executor, sorted(wanted))
    return [one.hex() for one in build(lambda level, place: nodes[level, place])]
