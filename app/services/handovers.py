"""Handovers by law, many in a few statements: tasks by compare-and-set, and their assignments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from app.db import Writer, encode, rows
from app.rules.vocabulary import AssignmentRole
from app.services.assignments import Party
from app.services.inherited_referrals import Inherited

_TASKS: Final = """
    update task t set accountable = n.agency, holder = n.agency, mandate = n.mandate, mandate_ended = false,
        mandate_checked = 0, supporting = n.supporting, informed = n.informed, open_referral = n.open_referral,
        last_effective_at = n.at, version = t.version + 1, updated_at = now()
    from jsonb_to_recordset(cast(:said as jsonb)) n (id uuid, version integer, at timestamptz, agency text,
        mandate text, supporting text[], informed text[], open_referral uuid)
    where t.id = n.id and t.version = n.version returning t.id
"""
_ENDED: Final = """
    update assignment a set period = tstzrange(lower(a.period), n.at), ended_recorded_at = now()
    from jsonb_to_recordset(cast(:said as jsonb)) n (id uuid, at timestamptz, supporting text[], informed text[])
    where a.task_id = n.id and upper_inf(a.period) and (a.role = 'accountable'
        or a.role = 'supporting' and a.agency <> all(n.supporting)
        or a.role = 'informed' and a.agency <> all(n.informed)) returning a.id
"""
_BEGUN: Final = """
    insert into assignment (id, task_id, agency, role, mandate, period)
    select n.id, n.task_id, n.agency, n.role, n.mandate, tstzrange(n.at, null)
    from jsonb_to_recordset(cast(:said as jsonb)) n (id uuid, task_id uuid, agency text, role text, mandate text,
        at timestamptz)
    where not exists (select from assignment a where a.task_id = n.task_id and a.role = n.role
        and a.agency = n.agency and upper_inf(a.period)) returning id
"""
_MARKED: Final = """
    update task t set mandate_ended = true, last_effective_at = n.at, version = t.version + 1, updated_at = now()
    from jsonb_to_recordset(cast(:said as jsonb)) n (id uuid, version integer, at timestamptz)
    where t.id = n.id and t.version = n.version returning t.id
"""


@dataclass(frozen=True, slots=True)
class Handover:
    """A task, as it was when it was locked, and who has a part in it from an instant on."""

    id: UUID
    version: int
    at: datetime
    party: Party
    inherited: Inherited


async def carry_out(writer: Writer, handovers: Sequence[Handover]) -> None:
    """Make these parties those of their tasks, which this transaction has locked; those before them end then."""
    said = [
        {
            "id": one.id,
            "version": one.version,
            "at": one.at,
            "agency": one.party.agency,
            "mandate": one.party.mandate,
            "supporting": one.party.supporting,
            "informed": one.party.informed,
            "open_referral": one.inherited.open_referral,
        }
        for one in handovers
    ]
    await _each(writer, _TASKS, said)
    await rows(writer, _ENDED, said=_document(said))
    await rows(writer, _BEGUN, said=_document([part for one in handovers for part in _parts(one)]))


async def mark_ended(writer: Writer, ends: Sequence[tuple[UUID, int, datetime]]) -> None:
    """Mark tasks, by id and version, as without a mandate since an instant; this transaction has locked them."""
    await _each(writer, _MARKED, [{"id": task, "version": version, "at": at} for task, version, at in ends])


def _parts(one: Handover) -> list[dict[str, Any]]:
    roles = {
        AssignmentRole.ACCOUNTABLE: (one.party.agency,),
        AssignmentRole.SUPPORTING: one.party.supporting,
        AssignmentRole.INFORMED: one.party.informed,
    }
    shared = {"task_id": one.id, "mandate": one.party.mandate, "at": one.at}
    return [
        {**shared, "id": uuid7(), "agency": agency, "role": role} for role, those in roles.items() for agency in those
    ]


async def _each(writer: Writer, statement: str, said: list[dict[str, Any]]) -> None:
    changed = await rows(writer, statement, said=_document(said))
    if len(changed) != len(said):
        raise AssertionError(f"{len(said) - len(changed)} locked tasks have changed")


def _document(said: list[dict[str, Any]]) -> str:
    return encode(said).decode()
