"""Whether a log is whole, judged with nothing of ours but its tables: the tree of RFC 6962 and ES256 by other hands."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from hashlib import sha256
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from joserfc import jws
from joserfc.jwk import ECKey

from app.db import Database, rows

FACTS = """
    select e.id, e.leaf, e.xmin::text as transaction, e.object_type, e.object_id, e.version_before, e.version_after,
        l.index, q.event_id is not null as waits
    from event e left join log_entry l on l.event_id = e.id left join unsequenced q on q.event_id = e.id
    order by l.index nulls last
"""


class Judged(NamedTuple):
    """How much was found in order."""

    entries: int
    heads: int
    waiting: int


class Roots:
    """MTH of RFC 6962, section 2.1, as it is written there, of the first n leaves."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves = leaves
        self.known: dict[tuple[int, int], bytes] = {}

    def of(self, first: int, after: int) -> bytes:
        if after == first:
            return sha256(b"").digest()
        if after - first == 1:
            return self.leaves[first]
        if (first, after) not in self.known:
            k = 1
            while k * 2 < after - first:
                k *= 2
            left, right = self.of(first, first + k), self.of(first + k, after)
            self.known[first, after] = sha256(b"\x01" + left + right).digest()
        return self.known[first, after]


async def judge(database: Database) -> Judged:
    """Fail the test whose log has a gap, a double, another tree than its leaves give, or a head that isn't its own."""
    async with database.working() as worker:
        facts = await rows(worker, FACTS)
        entries = await rows(worker, "select index, event_id from log_entry order by index")
        nodes = await rows(worker, "select level, place, hash from log_node")
        heads = await rows(worker, "select size, root, signed from log_head order by recorded_at, size")
        keys = await rows(worker, "select kid, public from log_key")
    sealed = [one for one in facts if one["index"] is not None]
    assert [one["index"] for one in entries] == list(range(1, len(entries) + 1)), "a gap or a double"
    assert [one["id"] for one in sealed] == [one["event_id"] for one in entries], "an entry without its fact"
    assert all(one["waits"] == (one["index"] is None) for one in facts), "a fact lost, or placed and waiting"
    roots = Roots([bytes(one["leaf"]) for one in sealed])
    _judge_tree(roots, nodes)
    _judge_heads(roots, heads, {one["kid"]: ECKey.import_key(one["public"]) for one in keys})
    _judge_order(sealed)
    return Judged(len(entries), len(heads), len(facts) - len(sealed))


def _judge_tree(roots: Roots, nodes: list[dict[str, Any]]) -> None:
    kept = {(one["level"], one["place"]): bytes(one["hash"]) for one in nodes}
    size = len(roots.leaves)
    complete = {
        (level, place): roots.of(place << level, (place + 1) << level)
        for level in range(size.bit_length())
        for place in range(size >> level)
    }
    assert kept == complete, "another tree than the leaves give"


def _judge_heads(roots: Roots, heads: list[dict[str, Any]], keys: dict[str, ECKey]) -> None:
    """Each is signed, is of a size that exists and says the root of just that many leaves: so all are consistent."""
    for one in heads:
        kid = json.loads(_unpadded(one["signed"].partition(".")[0]))["kid"]
        said = json.loads(jws.deserialize_compact(one["signed"], keys[kid], algorithms=["ES256"]).payload)
        assert 0 < one["size"] <= len(roots.leaves), "a head of entries that are not there"
        root = roots.of(0, one["size"])
        assert (said["size"], said["root"], bytes(one["root"])) == (one["size"], root.hex(), root)
    sizes = [one["size"] for one in heads]
    assert all(before < after for before, after in pairwise(sizes)), "heads out of order, or two of one size"


def _unpadded(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _judge_order(sealed: list[dict[str, Any]]) -> None:
    together = [transaction for transaction, _ in groupby(sealed, key=lambda one: one["transaction"])]
    assert len(together) == len(set(together)), "the facts of one transaction are apart"
    for _, group in groupby(sealed, key=lambda one: one["transaction"]):
        ids = [one["id"] for one in group]
        assert ids == sorted(ids), "the facts of one transaction are in another order"
    versions: dict[tuple[str, str], int] = {}
    for one in sealed:
        if one["version_after"] is None:
            continue
        thing = (one["object_type"], one["object_id"])
        before = one["version_before"] or 0
        assert before >= versions.get(thing, 0), f"an effect before its cause: {thing}"
        versions[thing] = one["version_after"]
