"""Elections and their stages: read, add, change."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from sqlalchemy.exc import IntegrityError

from app.db import Executor, Row, Writer, one, rows
from app.models import Election, Stage
from app.outages import constraint_of
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.schemas.elections import ElectionInput, ElectionPatch, StageInput, StagePatch
from app.security import Keys
from app.services import changes, records, registry
from app.services.paging import Page
from app.services.versions import compare_and_set

_ELECTION: Final = "e.code, e.kind, e.name_id, e.region_code, e.voting_date, e.source, e.version"
_STAGE: Final = "election_code as election, code, name_id, name_en, starts_on, ends_on, source, verified, version"


async def list_elections(
    executor: Executor, caller: Caller, keys: Keys, *, limit: int, cursor: str | None, **filters: Any
) -> Page:
    """Elections by code."""
    return await registry.page_by_code(
        executor,
        caller,
        keys,
        select=_ELECTION,
        tail="from election e",
        key="e.code",
        name="elections",
        conditions={"kind": "e.kind = :kind", "region": "e.region_code = any(region_path(:region))"},
        filters=filters,
        limit=limit,
        cursor=cursor,
    )


async def show_election(executor: Executor, code: str) -> Row:
    """An election; raises NotFound."""
    return await one(executor, f"select {_ELECTION} from election e where e.code = :code", code=code)


async def list_stages(executor: Executor, code: str, *, on: date | None) -> list[Row]:
    """The stages of an election, or those in which a day lies: a day may lie in several. Raises NotFound."""
    await show_election(executor, code)
    return await rows(
        executor,
        f"select {_STAGE} from stage where election_code = :code and (cast(:day as date) is null"
        " or (coalesce(starts_on, '-infinity') <= :day and coalesce(ends_on, 'infinity') >= :day"
        " and (starts_on is not null or ends_on is not null)))"
        " order by starts_on nulls first, ends_on nulls last, code",
        code=code,
        day=on,
    )


async def create_election(writer: Writer, caller: Caller, input: ElectionInput) -> Row:
    """Add an election; raises ValidationFailed."""
    await records.require_known(writer, region_code=input.region_code)
    writer.add(Election(**input.model_dump()))
    await _flush(writer, "pk_election")
    await changes.record(writer, caller, EventKind.ELECTION_CREATED, "election", input.code, (None, 1))
    await writer.flush()
    return await show_election(writer, input.code)


async def update_election(writer: Writer, caller: Caller, code: str, version: int, patch: ElectionPatch) -> Row:
    """Change an election (merge patch); raises NotFound, StaleVersion."""
    changed = {name: getattr(patch, name) for name in patch.model_fields_set}
    new = (await compare_and_set(writer, "election", {"code": code}, version, changed))["version"]
    await changes.record(writer, caller, EventKind.ELECTION_UPDATED, "election", code, (version, new), sorted(changed))
    await writer.flush()
    return await show_election(writer, code)


async def create_stage(writer: Writer, caller: Caller, election: str, input: StageInput) -> Row:
    """Add a stage to an election; raises NotFound, ValidationFailed."""
    await show_election(writer, election)
    _require_order(input.starts_on, input.ends_on)
    named = input.model_dump(exclude={"name_en"})
    writer.add(Stage(election_code=election, name_en=input.name_en or input.name_id, **named))
    await _flush(writer, "pk_stage")
    await changes.record(writer, caller, EventKind.STAGE_CREATED, "stage", f"{election}/{input.code}", (None, 1))
    await writer.flush()
    return await show_stage(writer, election, input.code)


async def show_stage(executor: Executor, election: str, code: str) -> Row:
    """A stage of an election; raises NotFound."""
    return await one(
        executor,
        f"select {_STAGE} from stage where election_code = :election and code = :code",
        election=election,
        code=code,
    )


async def update_stage(
    writer: Writer, caller: Caller, election: str, code: str, version: int, patch: StagePatch
) -> Row:
    """Change a stage (merge patch); raises NotFound, StaleVersion, ValidationFailed."""
    found = await show_stage(writer, election, code)
    changed = {name: getattr(patch, name) for name in patch.model_fields_set}
    _require_order(changed.get("starts_on", found["starts_on"]), changed.get("ends_on", found["ends_on"]))
    key = {"election_code": election, "code": code}
    new = (await compare_and_set(writer, "stage", key, version, changed))["version"]
    await changes.record(
        writer, caller, EventKind.STAGE_UPDATED, "stage", f"{election}/{code}", (version, new), sorted(changed)
    )
    await writer.flush()
    return await show_stage(writer, election, code)


def _require_order(start: Any, end: Any) -> None:
    if start is not None and end is not None and end < start:
        raise records.refused(
            "/ends_on", "period", "It must not lie before starts_on.", "Tidak boleh sebelum starts_on."
        )


async def _flush(writer: Writer, key: str) -> None:
    try:
        await writer.flush()
    except IntegrityError as error:
        raise (records.duplicate("/code") if constraint_of(error) == key else error) from error
