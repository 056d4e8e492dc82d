"""What vulnerabilities and meetings share: classification, checks of what they refer to, the compare-and-set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from app import db
from app.db import Executor, Row, Writer, one, row, value
from app.errors import ClassificationRefused, DuplicateExternalReference, Fault, ValidationFailed
from app.rules.caller import Caller
from app.rules.vocabulary import RequestedClassification
from app.security import Keys
from app.services import searching, visibility
from app.services.filters import require_known as require_known_filters
from app.services.paging import Keyset, Page, binding, without_place

_KNOWN: Final = {
    "region": "select 1 from region where code = :region",
    "region_code": "select 1 from region where code = :region_code",
    "category": "select 1 from category where code = :category and parent_code is null",
    "subcategory": "select 1 from category where code = :subcategory and parent_code = :category",
    "election": "select 1 from election where code = :election",
    "stage": "select 1 from stage where election_code = :election and code = :stage",
    "mapped_by": "select 1 from agency where code = :mapped_by",
    "host": "select 1 from agency where code = :host",
    "suggested_agency": "select 1 from agency where code = :suggested_agency",
}


async def require_known(executor: Executor, *, agencies: dict[str, str] | None = None, **names: Any) -> None:
    """Refuse names of things that are not; `agencies` maps pointers to codes. Raises ValidationFailed."""
    asked = {name: given for name, given in names.items() if given is not None and name in _KNOWN}
    checks = [f"exists ({_KNOWN[name]}) as {name}" for name in asked]
    checks.append("array(select code from agency where code = any(:codes)) as codes")
    codes = agencies or {}
    values = {**names, "codes": list(codes.values())}
    used = {name for name in values if any(f":{name}" in check for check in checks)}
    found = await row(executor, f"select {', '.join(checks)}", **{name: values[name] for name in used}) or {}
    wrong = [unknown(name, f"/{name}") for name in asked if not found[name]]
    wrong += [unknown("agency", pointer) for pointer, code in codes.items() if code not in found["codes"]]
    if wrong:
        raise ValidationFailed(errors=wrong)


def unknown(noun: str, pointer: str) -> Fault:
    """The fault of a reference to something that is not, or that the caller may not see."""
    return Fault("unknown", f"There is no such {noun}.", f"Tidak ada {noun} seperti itu.", pointer=pointer)


def unknown_among(noun: str, pointer: str, asked: Sequence[Any], known: Sequence[Any]) -> list[Fault]:
    """The faults of those references in a list that are not among the known ones."""
    there = {str(one) for one in known}
    return [unknown(noun, f"{pointer}/{place}") for place, one in enumerate(asked) if str(one) not in there]


async def require_vulnerabilities(executor: Executor, caller: Caller, ids: Sequence[UUID], *, pointer: str) -> None:
    """Refuse vulnerabilities that are not, or that the caller may not see; raises ValidationFailed."""
    if not ids:
        return
    found = await db.rows(
        executor,
        f"select t.id from vulnerability t where t.id = any(:ids) and {visibility.register_visible('vulnerability')}",
        ids=list(ids),
        **visibility.reach(caller),
    )
    wrong = unknown_among("vulnerability", pointer, ids, [one["id"] for one in found])
    if wrong:
        raise ValidationFailed(errors=wrong)


def required(pointer: str) -> Fault:
    """The fault of a member that a move needs."""
    return Fault("missing", "This move needs it.", "Perpindahan ini memerlukannya.", pointer=pointer)


def duplicate(pointer: str) -> ValidationFailed:
    """The refusal of a code or number that is taken."""
    taken = Fault("taken", "It is already used.", "Sudah dipakai.", pointer=pointer)
    return ValidationFailed(errors=[taken])


def classification(asked: RequestedClassification | None, default: str) -> str:
    """The class of a new record; raises ClassificationRefused for the one that doesn't belong here."""
    if asked == RequestedClassification.SANGAT_RAHASIA:
        raise ClassificationRefused(classification=asked.value)
    return asked.value if asked is not None else default


async def load(executor: Executor, caller: Caller, table: str, columns: str, id: UUID) -> Row:
    """A vulnerability or meeting as the caller may see it; raises NotFound."""
    return await one(
        executor,
        f"select {columns}, t.readers, clock_timestamp() as now from {table} t"
        f" where t.id = :id and {visibility.register_visible(table)}",
        id=id,
        **visibility.reach(caller),
    )


async def take(writer: Writer, caller: Caller, table: str, columns: str, id: UUID) -> Row:
    """The same, and the transaction may work on it from here on; raises NotFound."""
    return await load(writer, caller, table, f"app.take_up(t.id) as _taken, {columns}", id)


async def refuse_duplicate(writer: Writer, caller: Caller, table: str, external: str | None) -> None:
    """Refuse a number that the agency uses already; names the record to whoever may see it.

    Raises DuplicateExternalReference.
    """
    taken = await value(
        writer,
        f"select case when {visibility.register_visible(table)} then cast(t.id as text) else '' end from {table} t"
        " where t.logged_by = :agency and t.external_reference = :external",
        agency=caller.agency,
        external=external,
        **visibility.reach(caller),
    )
    if taken is not None:
        raise DuplicateExternalReference(reference=taken or None)


async def page(
    executor: Executor,
    caller: Caller,
    keys: Keys,
    table: str,
    columns: str,
    conditions: Mapping[str, str],
    *,
    filters: dict[str, Any],
    limit: int,
    cursor: str | None,
) -> Page:
    """The vulnerabilities or meetings that the caller may see, newest first; `q` among the filters searches them.

    Raises CursorMismatch, InvalidParameter.
    """
    given = {name: asked for name, asked in filters.items() if asked is not None}
    keyset = Keyset("t.recorded_at", "t.id", True, binding(caller, table, given), keys, limit, cursor)
    text = given.pop("q", None)
    await require_known_filters(executor, given)
    where = " and ".join([visibility.register_visible(table), *(conditions[name] for name in given)])
    values = {**given, **visibility.reach(caller)}
    if text is None:
        statement, values = keyset.statement(columns, f"from {table} t", where, values)
        items, following = keyset.page(await db.rows(executor, statement, **values), without_place)
        return Page.of(items, following, matched=None)
    source = f"{table} t on t.id = f.record"
    search = searching.Search(table, text, source, where, values, "-recorded_at", filtered=bool(given))
    found, nearly = await searching.page(executor, search, keyset, columns)
    items, following = keyset.page(found, without_place, nearly)
    return Page.of(items, following, matched=searching.MATCHED[nearly])


def refused(pointer: str, code: str, en: str, id_: str) -> ValidationFailed:
    """One refused member, in both languages."""
    return ValidationFailed(errors=[Fault(code, en, id_, pointer=pointer)])
