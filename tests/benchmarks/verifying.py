"""How fast an exported log is verified: entries a second, what a head costs, how much memory it takes.

`make bench ONE=verifying` runs it: it makes an export of a million entries (SIMPUL_BENCH_ENTRIES) in a temporary
folder, with a head for every hundred and three witnesses for every ten thousand, and verifies it with a hundred
receipts, with the bar that a person sees, in a process of its own. Nothing here is a test: figures are for people.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from rich.console import Console
from rich.progress import Progress, track

from app import evidence, log_files
from app.rules.merkle import Tree
from app.security import SigningKey, new_pem
from app.statements import Kind, state
from app.testimony import Kept
from app.verifying import verify

ENTRIES = int(os.environ.get("SIMPUL_BENCH_ENTRIES", "1000000"))
SEALED, COSIGNED, KEPT = 100, 10_000, 100
AGENCIES = ("KPU_KOTA_MALANG", "BAWASLU_KOTA_MALANG", "POLRESTA_MALANG_KOTA")
NOW = 1_732_233_600
DOCUMENT = json.dumps(
    {
        "id": "%s",
        "kind": "task.accepted",
        "object_type": "task",
        "object_id": "%s",
        "agency": "BKPSDM_KOTA_MALANG",
        "client_id": str(UUID(int=7)),
        "effective_at": "2024-08-23T07:00:00.000000Z",
        "recorded_at": "2024-08-23T07:00:00.000000Z",
        "payload": {"from": "assigned", "to": "accepted", "mandate": str(UUID(int=9))},
        "person": "5d" * 32,
        "request_id": str(UUID(int=8)),
        "salt": "%s",
        "task_id": "%s",
        "version_before": 3,
        "version_after": 4,
        "words": {"note": "5d" * 32, "reason": "5d" * 32},
    },
    sort_keys=True,
    separators=(",", ":"),
)


def compact(line: dict[str, Any]) -> str:
    return orjson.dumps(line).decode() + "\n"


def make(folder: Path, receipts: Path) -> None:
    """Write an honest export, and the receipts of some of its entries."""
    log, witnesses = SigningKey.load(new_pem()), {one: SigningKey.load(new_pem()) for one in AGENCIES}
    keys = {
        "log": [log.published()],
        "witnesses": [{"agency": one, "jwk": key.published()} for one, key in witnesses.items()],
    }
    (folder / log_files.KEYS).write_text(json.dumps(keys))
    tree = Tree()
    with (
        (folder / log_files.ENTRIES).open("w") as entries,
        (folder / log_files.HEADS).open("w") as heads,
        (folder / log_files.COSIGNATURES).open("w") as cosignatures,
        receipts.open("w") as kept,
    ):
        for index in track(range(1, ENTRIES + 1), "Making them", transient=True):
            some = str(UUID(int=index))
            document = DOCUMENT % (some, some, some[:32], some)
            leaf = evidence.leaf(document.encode())
            deque(tree.append(leaf), maxlen=0)
            entries.write(compact({"index": index, "leaf": leaf.hex(), "document": document}))
            said = {"iss": "simpul", "iat": NOW + index // 100}
            if index % (ENTRIES // KEPT or 1) == 0:
                promise = {**said, "request_id": some, "within": 60, "leaves": [leaf.hex()]}
                kept.write(state(log, Kind.RECEIPT, promise) + "\n")
            if index % SEALED == 0 or index == ENTRIES:
                said |= {"size": index, "root": tree.root().hex()}
                heads.write(compact({"size": index, "head": state(log, Kind.HEAD, said)}))
            if index % COSIGNED == 0:
                for one, key in witnesses.items():
                    witnessed = state(key, Kind.COSIGNATURE, {**said, "iss": one, "log": "simpul"})
                    line = {"agency": one, "size": index, "kid": key.kid, "cosignature": witnessed}
                    cosignatures.write(compact(line))


def measure(folder: Path, receipts: Path) -> None:
    """Verify it, and print what that took."""
    began = time.perf_counter()
    with Progress() as bar:
        task = bar.add_task("Verifying them", total=log_files.bytes_of(folder / log_files.ENTRIES))
        report = verify(folder, Kept(receipts=(receipts,)), advance=lambda count: bar.advance(task, count))
    took = time.perf_counter() - began
    if report.findings:
        raise SystemExit(f"An honest export was found wrong: {report.findings}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    Console(highlight=False).print(
        f"{report.entries:,} entries with {report.heads:,} heads, {report.cosignatures:,} cosignatures and"
        f" {report.receipts:,} receipts verified in {took:.1f} s: {report.entries / took:,.0f} entries/s;"
        f" at most {peak:,.0f} MB of memory."
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="simpul-bench-") as made:
        make(Path(made), Path(made) / "receipts")
        process = multiprocessing.get_context("spawn").Process(
            target=measure, args=(Path(made), Path(made) / "receipts")
        )
        process.start()
        process.join()
        raise SystemExit(process.exitcode)
