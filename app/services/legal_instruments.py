"""Legal instruments: read, add, change."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.exc import IntegrityError

from app.db import Executor, Row, Writer, one
from app.errors import ValidationFailed
from app.models import LegalInstrument
from app.outages import constraint_of
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.schemas.legal_instruments import LegalInstrumentInput, LegalInstrumentPatch
from app.security import Keys
from app.services import changes, records, registry
from app.services.paging import Page
from app.services.versions import compare_and_set

_COLUMNS: Final = (
    "i.id, i.kind, i.number, i.year, i.title_id, i.in_force_from, i.in_force_to, i.amends, i.url, i.verified, i.version"
)


async def list_legal_instruments(
    executor: Executor, caller: Caller, keys: Keys, *, limit: int, cursor: str | None, **filters: Any
) -> Page:
    """Legal instruments by id."""
    return await registry.page_by_code(
        executor,
        caller,
        keys,
        select=_COLUMNS,
        tail="from legal_instrument i",
        key="i.id",
        name="legal-instruments",
        conditions={"kind": "i.kind = :kind", "year": "i.year = :year"},
        filters=filters,
        limit=limit,
        cursor=cursor,
    )


async def show_legal_instrument(executor: Executor, id: str) -> Row:
    """A legal instrument; raises NotFound."""
    return await one(executor, f"select {_COLUMNS} from legal_instrument i where i.id = :id", id=id)


async def create_legal_instrument(writer: Writer, caller: Caller, input: LegalInstrumentInput) -> Row:
    """Add a legal instrument; raises ValidationFailed."""
    _require_period(input.in_force_from, input.in_force_to)
    await require_instruments(writer, input.amends, pointer="/amends")
    writer.add(LegalInstrument(**input.model_dump()))
    try:
        await writer.flush()
    except IntegrityError as error:
        raise (records.duplicate("/id") if constraint_of(error) == "pk_legal_instrument" else error) from error
    await changes.record(writer, caller, EventKind.INSTRUMENT_CREATED, "legal_instrument", input.id, (None, 1))
    await writer.flush()
    return await show_legal_instrument(writer, input.id)


async def require_instruments(executor: Executor, ids: list[str], *, pointer: str) -> None:
    """Refuse references to instruments that are not; raises ValidationFailed."""
    found = await one(executor, "select array(select id from legal_instrument where id = any(:ids)) as ids", ids=ids)
    wrong = records.unknown_among("legal instrument", pointer, ids, found["ids"])
    if wrong:
        raise ValidationFailed(errors=wrong)


async def update_legal_instrument(
    writer: Writer,
    caller: Caller,
    id: str,
    version: int,
    patch: LegalInstrumentPatch,
) -> Row:
    """Change a legal instrument (merge patch); raises NotFound, StaleVersion, ValidationFailed."""
    found = await show_legal_instrument(writer, id)
    changed = {name: getattr(patch, name) for name in patch.model_fields_set}
    _require_period(
        changed.get("in_force_from", found["in_force_from"]), changed.get("in_force_to", found["in_force_to"])
    )
    new = (await compare_and_set(writer, "legal_instrument", {"id": id}, version, changed))["version"]
    await changes.record(
        writer, caller, EventKind.INSTRUMENT_UPDATED, "legal_instrument", id, (version, new), sorted(changed)
    )
    await writer.flush()
    return await show_legal_instrument(writer, id)


def _require_period(start: Any, end: Any) -> None:
    if start is not None and end is not None and end <= start:
        raise records.refused(
            "/in_force_to", "period", "It must lie after in_force_from.", "Harus sesudah in_force_from."
        )
