"""Heads that the log has signed and does not continue, as after a restored backup: evidence that stops the sequencer.

What is signed by the log's own key, or sealed in its memory, and is not under this log, proves that entries are lost or
were exchanged. Nothing gets a place from then on until an operator declares why; what is declared stays in every head.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from app import log_files
from app.db import Executor, Row, Writer, keys_of, one, row, rows
from app.log_files import Head, Loss
from app.losses import loss_of
from app.memory import Known
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.schemas.log import LostHeadInput
from app.services import log, log_keys, log_tree, records
from app.statements import Kind, Unsigned

_SHOWN: Final = "size, encode(root, 'hex') as root, head, signed_at, source, agency, recorded_at, entry, kept"
_FOUND: Final = f"select {_SHOWN} from lost_head where size = :size and root = :root"


async def list_lost_heads(executor: Executor) -> dict[str, Any]:
    """Every lost head there is, the smallest first."""
    return {"items": await rows(executor, f"select {_SHOWN} from lost_head order by size, root")}


async def declared(executor: Executor) -> list[Loss]:
    """The losses that operators have declared, the earliest first."""
    found = await rows(
        executor,
        "select entry, kept, size, encode(root, 'hex') as root from lost_head where entry is not null order by entry",
    )
    return [Loss(**found_one) for found_one in found]


async def undeclared(executor: Executor) -> list[Row]:
    """The lost heads that the log stands still for, the smallest first."""
    return await rows(executor, f"select {_SHOWN} from lost_head where entry is null order by size, root")


async def is_continued(executor: Executor, said: Head) -> bool:
    """Whether the first entries of this log are those that a head was signed over."""
    if said.size > await log_tree.entries(executor):
        return False
    tree = await log_tree.tree_of(executor, said.size)
    return tree.root().hex() == said.root


async def is_lost(executor: Executor, said: Head) -> bool:
    """Whether a head that the log has signed is neither continued by it nor declared lost."""
    return not await is_continued(executor, said) and loss_of(said, await declared(executor)) is None


async def report(writer: Writer, caller: Caller, input: LostHeadInput) -> Row:
    """Keep a head that somebody holds and this log does not continue; of one that is kept already nothing changes.

    Raises ValidationFailed for any other.
    """
    said = await _read(writer, input.head)
    found = await row(writer, _FOUND, size=said.size, root=bytes.fromhex(said.root))
    if found is not None:
        return found
    if await is_continued(writer, said):
        raise records.refused(
            "/head", "continued", "This log continues that head: nothing under it is lost.",
            "Log ini melanjutkan kepala itu: tidak ada yang hilang di bawahnya.",
        )  # fmt: skip
    loss = loss_of(said, await declared(writer))
    if loss is not None:
        raise records.refused(
            "/head", "declared", f"What it covers is declared lost already, by entry {loss.entry}.",
            f"Yang dicakupnya sudah dinyatakan hilang oleh entri {loss.entry}.",
        )  # fmt: skip
    await keep(writer, caller, Known(said, input.head), source="report")
    return await one(writer, _FOUND, size=said.size, root=bytes.fromhex(said.root))


async def _read(writer: Writer, text: str) -> Head:
    try:
        said = log_files.stated(await log_keys.published(writer), Kind.HEAD, Head, text)
    except Unsigned:
        raise records.refused(
            "/head", "unsigned", "No key that this log knows has signed it.",
            "Tidak ada kunci log ini yang menandatanganinya.",
        ) from None  # fmt: skip
    if said.iss != keys_of(writer).issuer:
        raise records.refused(
            "/head", "addressee", f"It is about another log: `iss` must be {keys_of(writer).issuer}.",
            f"Ini tentang log lain: `iss` harus {keys_of(writer).issuer}.",
        )  # fmt: skip
    return said


async def keep(writer: Writer, caller: Caller, found: Known, *, source: str) -> None:
    """Keep a lost head, of many reports of one the first: from the end of this transaction on the log stands still."""
    signed_at = datetime.fromtimestamp(found.said.iat, UTC)
    made = await row(
        writer,
        "insert into lost_head (size, root, head, signed_at, source, agency)"
        " values (:size, :root, :head, :signed_at, :source, :agency) on conflict do nothing returning size",
        size=found.said.size,
        root=bytes.fromhex(found.said.root),
        head=found.text,
        signed_at=signed_at,
        source=source,
        agency=caller.agency,
    )
    if made is None:
        return
    said = {"size": found.said.size, "root": found.said.root, "signed_at": signed_at, "source": source}
    now = datetime.now(UTC)
    await log.record(
        writer, caller, EventKind.LOG_HEAD_LOST, on="log", id=str(found.said.size), effective_at=now, payload=said
    )
    await writer.flush()
