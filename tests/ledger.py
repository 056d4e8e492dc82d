"""A small log of its own, exported as files: honest, until somebody with all its entries at hand tampers with it."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rfc8785

from app import evidence
from app.rules.merkle import Tree
from app.security import SigningKey, new_pem
from app.services.sequencer import NAMED
from app.statements import Kind, state

KPU, BAWASLU, POLRI, TNI = "KPU_KOTA_MALANG", "BAWASLU_KOTA_MALANG", "POLRESTA_MALANG_KOTA", "KODIM_0833_KOTA_MALANG"
WITHIN = 60
Line = dict[str, Any]


def fresh() -> SigningKey:
    return SigningKey.load(new_pem())


def document(**said: Any) -> str:
    return rfc8785.dumps(said).decode()


@dataclass
class Ledger:
    """Its lists are the lines of the exported files; `now` passes by a second with every fact."""

    key: SigningKey = field(default_factory=fresh)
    witnesses: dict[str, SigningKey] = field(default_factory=lambda: {one: fresh() for one in (KPU, BAWASLU, POLRI)})
    issuer: str = "simpul"
    now: int = 1_732_233_600
    entries: list[Line] = field(default_factory=list)
    heads: list[Line] = field(default_factory=list)
    cosignatures: list[Line] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, size: int, *, sealed_every: int = 4) -> Ledger:
        """A log of so many facts, with heads now and then and one at the end; each fact has its receipt."""
        ledger = cls()
        for count in range(1, size + 1):
            ledger.record()
            if count % sealed_every == 0 or count == size:
                ledger.seal()
        return ledger

    # what an honest log does

    def record(self, count: int = 1) -> str:
        """Enter facts of one request; returns their receipt."""
        self.now += 1
        size = len(self.entries)
        leaves = [self.enter(one, document(kind="task.accepted", salt=one)) for one in range(size, size + count)]
        named: Line = {"leaves": leaves}
        if count > NAMED:
            own = Tree()
            for leaf in leaves:
                list(own.append(bytes.fromhex(leaf)))
            named = {"first": leaves[0], "count": count, "root": own.root().hex()}
        said = {"iss": self.issuer, "iat": self.now, "request_id": f"r-{self.now}", "within": WITHIN, **named}
        self.receipts.append(state(self.key, Kind.RECEIPT, said))
        return self.receipts[-1]

    def enter(self, place: int, text: str) -> str:
        """Put a document at a place (from 0); returns its leaf. Honest at the end only."""
        leaf = evidence.leaf(text.encode()).hex()
        self.entries.insert(place, {"index": place + 1, "leaf": leaf, "document": text})
        return leaf

    def seal(self, size: int | None = None, **other: Any) -> str:
        """Sign a head of the tree as it is, or of what it was at a smaller size; returns it."""
        size = len(self.entries) if size is None else size
        said = {"iss": self.issuer, "size": size, "root": self.root(size), "iat": self.now, **other}
        self.heads.append({"size": size, "head": state(self.key, Kind.HEAD, said)})
        return str(self.heads[-1]["head"])

    def cosign(self, *agencies: str, size: int | None = None, **other: Any) -> str:
        """Let agencies witness the tree as it is; returns the last one's statement."""
        size = len(self.entries) if size is None else size
        said = {"log": self.issuer, "size": size, "root": self.root(size), "iat": self.now, **other}
        for agency in agencies:
            key = self.witnesses[agency]
            signed = state(key, Kind.COSIGNATURE, {"iss": agency, **said})
            self.cosignatures.append({"agency": agency, "size": size, "kid": key.kid, "cosignature": signed})
        return str(self.cosignatures[-1]["cosignature"])

    def root(self, size: int) -> str:
        tree = Tree()
        for entry in self.entries[:size]:
            list(tree.append(bytes.fromhex(entry["leaf"])))
        return tree.root().hex()

    def export(self, folder: Path) -> Path:
        """Write the four files."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, lines in (
            ("entries", self.entries),
            ("heads", self.heads),
            ("cosignatures", self.cosignatures),
        ):
            (folder / f"{name}.jsonl").write_text("".join(f"{one}\n" for one in map(rfc, lines)))
        (folder / "keys.json").write_text(json.dumps(self.keys()))
        return folder

    def keys(self) -> dict[str, Any]:
        witnesses = [{"agency": agency, "jwk": key.published()} for agency, key in self.witnesses.items()]
        return {"log": [self.key.published()], "witnesses": witnesses}

    def jwks(self) -> dict[str, Any]:
        """The log's keys as it publishes them."""
        return {"keys": [self.key.published()]}

    # what a dishonest operator does

    def copy(self) -> Ledger:
        return deepcopy(self)

    def edit(self, place: int) -> None:
        """Another fact in the place of one (from 0)."""
        del self.entries[place]
        self.enter(place, document(kind="task.returned", salt=place))

    def delete(self, place: int) -> None:
        del self.entries[place]

    def insert(self, place: int) -> None:
        self.enter(place, document(kind="task.closed", salt=place))

    def reorder(self, place: int) -> None:
        """Swap a fact with the one after it, or the last with the one before it."""
        other = place + 1 if place + 1 < len(self.entries) else place - 1
        one, two = self.entries[place], self.entries[other]
        self.entries[place], self.entries[other] = {**two, "index": one["index"]}, {**one, "index": two["index"]}

    def truncate(self, place: int) -> None:
        del self.entries[place:]

    def rebuild(self, *, later: int = 2 * WITHIN) -> None:
        """Number the entries anew and sign heads over them as if nothing had happened, the last one `later`."""
        for index, entry in enumerate(self.entries, start=1):
            entry["index"] = index
        sizes = sorted({one["size"] for one in self.heads if one["size"] < len(self.entries)})
        self.heads, self.cosignatures = [], []
        for size in sizes:
            self.seal(size)
        self.now += later
        self.seal()


def rfc(line: Line) -> str:
    return rfc8785.dumps(line).decode()
