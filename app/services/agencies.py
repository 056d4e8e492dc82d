"""Agencies: read, add, change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy.exc import IntegrityError

from app.db import Executor, Row, Writer, one, row
from app.errors import TransitionNotAllowed, ValidationFailed
from app.models import Agency
from app.outages import constraint_of
from app.rules import policy
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.policy import Permission
from app.rules.vocabulary import Tier
from app.schemas.agencies import AgencyInput, AgencyPatch
from app.security import Keys
from app.services import changes, log, records, registry
from app.services.paging import Page
from app.services.versions import check_version, compare_and_set

_COLUMNS: Final = """
    a.code, a.office, a.tier, a.name_id, a.name_en, a.type, a.level, a.region_code, a.regions, a.coordinator,
    a.command_parent, a.functional_parent, a.valid_from, a.valid_to, a.source, a.verified, a.suspended,
    array(select m.agency from member m where m.body = a.code order by 1) as members, a.version
"""


async def list_agencies(
    executor: Executor, caller: Caller, keys: Keys, *, limit: int, cursor: str | None, **filters: Any
) -> Page:
    """Agencies by code; `region` finds those that cover a region."""
    return await registry.page_by_code(
        executor,
        caller,
        keys,
        select=_COLUMNS,
        tail="from agency a",
        key="a.code",
        name="agencies",
        conditions={
            "office": "a.office = :office",
            "tier": "a.tier = :tier",
            "type": "a.type = :type",
            "region": "(a.regions = '{}' or a.regions && region_path(:region))",
            "as_of": "(a.valid_from is null or a.valid_from <= :as_of) and (a.valid_to is null or a.valid_to > :as_of)",
        },
        filters=filters,
        limit=limit,
        cursor=cursor,
    )


async def show_agency(executor: Executor, code: str) -> Row:
    """An agency; raises NotFound."""
    return await one(executor, f"select {_COLUMNS} from agency a where a.code = :code", code=code)


async def create_agency(writer: Writer, caller: Caller, input: AgencyInput) -> Row:
    """Add an agency: from then on its region's matters resolve to it.

    Raises ValidationFailed, also when another agency holds the office in one of its regions at the same time.
    """
    await _require_known(writer, input.regions, input.region_code, input.command_parent, input.functional_parent)
    kind = await row(writer, "select levels from agency_type where code = :type", type=input.type)
    if kind is None or input.level not in kind["levels"]:
        raise records.refused(
            "/type" if kind is None else "/level",
            "unknown" if kind is None else "not_of_type",
            "There is no such type, or it has no such level; see /v1/reference/agency_type.",
            "Jenis itu tidak ada, atau tidak ada pada tingkat itu; lihat /v1/reference/agency_type.",
        )
    _require_period(input.valid_from, input.valid_to)
    regions = input.regions or ([] if input.region_code is None else [input.region_code])
    if input.tier != Tier.NATIONAL and not regions:
        raise records.refused(
            "/regions", "missing", "Only a national agency covers the whole country.",
            "Hanya instansi nasional yang mencakup seluruh negeri.",
        )  # fmt: skip
    said = input.model_dump(exclude={"name_en", "regions"})
    agency = Agency(**said, regions=regions, name_en=input.name_en or input.name_id)
    await _flush(writer, agency)
    await changes.record(writer, caller, EventKind.AGENCY_CREATED, "agency", input.code, (None, 1))
    await writer.flush()
    return await show_agency(writer, input.code)


async def update_agency(writer: Writer, caller: Caller, code: str, version: int, patch: AgencyPatch) -> Row:
    """Change an agency (merge patch); raises NotFound, StaleVersion, ValidationFailed."""
    found = await show_agency(writer, code)
    changed = {name: getattr(patch, name) for name in patch.model_fields_set}
    await _require_known(
        writer, changed.get("regions") or [], None, changed.get("command_parent"), changed.get("functional_parent")
    )
    _require_period(changed.get("valid_from", found["valid_from"]), changed.get("valid_to", found["valid_to"]))
    try:
        new = (await compare_and_set(writer, "agency", {"code": code}, version, changed))["version"]
    except IntegrityError as error:
        raise _refused(error) from error
    await changes.record(writer, caller, EventKind.AGENCY_UPDATED, "agency", code, (version, new), sorted(changed))
    await writer.flush()
    return await show_agency(writer, code)


async def suspend_agency(writer: Writer, caller: Caller, code: str, version: int, reason: str) -> Row:
    """Shut out all clients of an agency from their next request on, until it is reinstated.

    Raises NotFound, StaleVersion, TransitionNotAllowed.
    """
    return await _turn(writer, caller, code, version, _SUSPENSION, reason)


async def reinstate_agency(writer: Writer, caller: Caller, code: str, version: int, reason: str) -> Row:
    """Let a suspended agency in again, but with no token of before: that is what its next epoch is for.

    Raises NotFound, StaleVersion, TransitionNotAllowed.
    """
    return await _turn(writer, caller, code, version, _REINSTATEMENT, reason)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One of the two ways in which an agency can turn."""

    action: str
    opposite: tuple[str, str]
    suspended: bool
    kind: EventKind


_SUSPENSION: Final = _Turn("suspend", ("reinstate", "reinstatement"), True, EventKind.AGENCY_SUSPENDED)
_REINSTATEMENT: Final = _Turn("reinstate", ("suspend", "suspension"), False, EventKind.AGENCY_REINSTATED)


async def _turn(writer: Writer, caller: Caller, code: str, version: int, turn: _Turn, reason: str) -> Row:
    policy.require(caller.role, Permission.AGENCY_SUSPEND, set())
    found = await one(writer, "select suspended, epoch, version from agency where code = :code for update", code=code)
    check_version(found["version"], version)
    if found["suspended"] == turn.suspended:
        action, place = turn.opposite
        lawful = {"action": action, "method": "POST", "href": f"/v1/agencies/{code}/{place}", "requires": ["reason"]}
        current = "suspended" if turn.suspended else "active"
        raise TransitionNotAllowed(action=turn.action, current=current, lawful=[lawful])
    # while it lasts, tokens of before are told why they are refused: the epoch ends with the suspension
    changed = {"suspended": turn.suspended, "epoch": found["epoch"] + (0 if turn.suspended else 1)}
    new = (await compare_and_set(writer, "agency", {"code": code}, version, changed))["version"]
    now, said = datetime.now(UTC), {"reason": reason}
    await log.record(
        writer,
        caller,
        turn.kind,
        on="agency",
        id=code,
        concerns=code,
        effective_at=now,
        versions=(version, new),
        payload=said,
    )
    await writer.flush()
    return await show_agency(writer, code)


async def _require_known(
    writer: Writer, regions: list[str], seat: str | None, command: str | None, functional: str | None
) -> None:
    pointers = {"/command_parent": command, "/functional_parent": functional}
    agencies = {pointer: code for pointer, code in pointers.items() if code is not None}
    await records.require_known(writer, agencies=agencies)
    asked = [*regions, *([seat] if seat else [])]
    found = await row(writer, "select array(select code from region where code = any(:codes)) as codes", codes=asked)
    known = set(found["codes"]) if found else set()
    wrong = records.unknown_among("region", "/regions", regions, sorted(known))
    if seat and seat not in known:
        wrong.append(records.unknown("region", "/region_code"))
    if wrong:
        raise ValidationFailed(errors=wrong)


def _require_period(start: Any, end: Any) -> None:
    if start is not None and end is not None and end <= start:
        raise records.refused("/valid_to", "period", "It must lie after valid_from.", "Harus sesudah valid_from.")


async def _flush(writer: Writer, agency: Agency) -> None:
    writer.add(agency)
    try:
        await writer.flush()
    except IntegrityError as error:
        raise _refused(error) from error


def _refused(error: IntegrityError) -> Exception:
    if constraint_of(error) == "pk_agency":
        return records.duplicate("/code")
    if constraint_of(error) == "ex_agency_region_one_holder":
        return records.refused(
            "/regions",
            "office_taken",
            "Another agency holds this office for one of these regions in that period; end it first.",
            "Instansi lain memegang jabatan ini untuk salah satu wilayah itu pada masa tersebut; akhiri dahulu.",
        )
    return error
