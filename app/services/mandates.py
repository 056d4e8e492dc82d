"""Mandate rows: read, add."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.exc import IntegrityError

from app.db import Executor, Row, Writer, one
from app.models import Mandate
from app.outages import constraint_of
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.mandates import day_of
from app.schemas.mandates import MandateInput
from app.security import Keys
from app.services import changes, records, registry
from app.services.legal_instruments import require_instruments
from app.services.paging import Page

_COLUMNS: Final = """
    m.id, m.category, nullif(m.subcategory, '') as subcategory, m.function, nullif(m.variant, '') as variant,
    nullif(m.accountable, '') as accountable, m.supporting, m.informed, m.legal_basis, m.resolve_at,
    nullif(m.region_code, '') as region_code, m.valid_from, m.valid_to, m.source, m.verified, m.note, m.version
"""


async def list_mandates(
    executor: Executor, caller: Caller, keys: Keys, *, limit: int, cursor: str | None, **filters: Any
) -> Page:
    """Mandate rows by id; `as_of` keeps those in force on the WIB date of an instant."""
    if filters["as_of"] is not None:
        filters["as_of"] = day_of(filters["as_of"])
    return await registry.page_by_code(
        executor,
        caller,
        keys,
        select=_COLUMNS,
        tail="from mandate m",
        key="m.id",
        name="mandates",
        conditions={
            "category": "m.category = :category",
            "function": "m.function = :function",
            "as_of": "m.valid_from <= :as_of and (m.valid_to is null or m.valid_to > :as_of)",
        },
        filters=filters,
        limit=limit,
        cursor=cursor,
    )


async def show_mandate(executor: Executor, id: str) -> Row:
    """A mandate row; raises NotFound."""
    return await one(executor, f"select {_COLUMNS} from mandate m where m.id = :id", id=id)


async def create_mandate(writer: Writer, caller: Caller, input: MandateInput) -> Row:
    """Add a row to the matrix.

    Raises ValidationFailed, also when a row for the same matter, region and variant holds in part of its period:
    there is never more than one accountable office at one instant.
    """
    await records.require_known(
        writer, region_code=input.region_code, category=input.category, subcategory=input.subcategory
    )
    instruments = [ref.partition("#")[0] for ref in input.legal_basis]
    await require_instruments(writer, instruments, pointer="/legal_basis")
    if input.valid_to is not None and input.valid_to <= input.valid_from:
        raise records.refused("/valid_to", "period", "It must lie after valid_from.", "Harus sesudah valid_from.")
    keyed = {name: getattr(input, name) or "" for name in ("subcategory", "variant", "accountable", "region_code")}
    row_of_the_matrix: dict[str, Any] = {**input.model_dump(), **keyed}
    writer.add(Mandate(**row_of_the_matrix))
    try:
        await writer.flush()
    except IntegrityError as error:
        raise _refused(error) from error
    await changes.record(writer, caller, EventKind.MANDATE_CREATED, "mandate", input.id, (None, 1))
    await writer.flush()
    return await show_mandate(writer, input.id)


def _refused(error: IntegrityError) -> Exception:
    if constraint_of(error) == "pk_mandate":
        return records.duplicate("/id")
    if constraint_of(error) == "ex_mandate_one_accountable":
        return records.refused(
            "/valid_from",
            "overlap",
            "Another row is in force for the same matter, region and variant in part of this period; close it first.",
            "Baris lain berlaku untuk perkara, wilayah, dan varian yang sama pada sebagian masa ini; tutup dahulu.",
        )
    return error
