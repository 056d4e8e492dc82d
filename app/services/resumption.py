"""Going on after a loss: an operator declares it, and the log says so for good, in an entry and in every later head."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from app.db import Row, Writer, rows, value
from app.memory import Known
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.services import locks, log, log_tree, lost_heads, sequencer
from app.services.locks import Lock

# A head tells the second in which it was signed, no finer: what is not older may belong to either log. So more may be
# declared lost than is, never less.
_KEPT: Final = "select coalesce(max(size), 0) from log_head where size < :size and recorded_at < :signed_at"


class NotHalted(ValueError):
    """There is nothing to resume from."""


async def resume(writer: Writer, by: Caller, *, declaration: str, operator: str, known: Known | None) -> list[Row]:
    """Declare every lost head, `known` among them if it is one, and let the log go on; returns the lost heads.

    The declarations are the next entries, before all that waits, and a head is signed over them at once: no later head
    goes without naming them. `operator` and `declaration` stand in them in the clear. Raises NotHalted.
    """
    await locks.wait(writer, Lock.SEQUENCE)
    if known is not None and await lost_heads.is_lost(writer, known.said):
        await lost_heads.keep(writer, by, known, source="memory")
    found = await lost_heads.undeclared(writer)
    if not found:
        raise NotHalted("Every head that is known to be signed is under this log, or declared lost: nothing to resume.")
    tree = await log_tree.tree_of(writer, await log_tree.entries(writer))
    resumed_at, facts = tree.size, list[Row]()
    for lost in found:
        kept = int(await value(writer, _KEPT, size=lost["size"], signed_at=lost["signed_at"]))
        said = {
            "kept": kept,
            "lost_size": lost["size"],
            "lost_root": lost["root"],
            "lost_signed_at": lost["signed_at"],
            "lost_head": lost["head"],
            "resumed_at_size": resumed_at,
            "declaration": declaration,
            "operator": operator,
        }
        now, size = datetime.now(UTC), str(lost["size"])
        fact = await log.record(writer, by, EventKind.LOG_RESUMED, on="log", id=size, effective_at=now, payload=said)
        facts.append({"event_id": fact["id"], "leaf": fact["leaf"]})
        lost |= {"entry": resumed_at + len(facts), "kept": kept}
        await rows(
            writer,
            "update lost_head set entry = :entry, kept = :kept where size = :size and root = :root returning size",
            entry=lost["entry"],
            kept=kept,
            size=lost["size"],
            root=bytes.fromhex(lost["root"]),
        )
    await writer.flush()
    await sequencer.place(writer, tree, facts)
    await sequencer.sign(writer, tree)
    return found
