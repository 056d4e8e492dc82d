"""The moves of contestant b: for each standing that a caller can have to a task, worked out once and kept as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from app.db import encode
from app.rules.caller import Caller
from app.services import moves

_ID: Final = "00000000-0000-0000-0000-000000000001"
_REFERRAL: Final = "00000000-0000-0000-0000-000000000002"
#: SQL: what the moves of a task `t` with its open referral `r` are worked out from, beyond the members of the task.
COLUMNS: Final = (
    "t.readers, t.summary_readers, t.recused_offices, t.region_path, t.resolved_by, r.id::text as referral,"
    " r.status as referral_status, r.from_agency, r.to_agency,"
    " r.id is not null and not app.has_client(r.to_agency) as receiver_has_no_client,"
    " array(select q.required_fact from closing_requirement q where q.category = t.category"
    " and q.function = t.function order by 1) as required_facts"
)


def available(caller: Caller, task: Mapping[str, Any]) -> bytes:
    """The moves open to the caller, as JSON."""
    recused = caller.office in task["recused_offices"]
    own = caller.acts_for[:1] if recused else caller.acts_for
    known = _worked_out(
        caller,
        task["status"],
        task["whole"],
        task["logged_by"] in own,
        task["accountable"] in own,
        task["from_agency"] in own,
        task["to_agency"] in own,
        any(one in own for one in task["supporting"]),
        any(one in own for one in task["informed"]),
        any(one in own for one in task["readers"]),
        any(one in own for one in task["summary_readers"]),
        task["classification"],
        recused,
        caller.coordinator and (caller.national or any(one in caller.regions for one in task["region_path"])),
        task["referral_status"],
        task["receiver_has_no_client"],
        task["resolved_by"] == caller.client_id,
        tuple(task["required_facts"]),
    )
    known = known.replace(_ID.encode(), task["id"].encode())
    return known.replace(_REFERRAL.encode(), task["referral"].encode()) if task["referral"] else known


@lru_cache(maxsize=4096)
def _worked_out(
    caller: Caller,
    status: str,
    whole: bool,  # noqa: FBT001
    logged: bool,  # noqa: FBT001
    accountable: bool,  # noqa: FBT001
    sent: bool,  # noqa: FBT001
    receives: bool,  # noqa: FBT001
    supports: bool,  # noqa: FBT001
    informed: bool,  # noqa: FBT001
    reads: bool,  # noqa: FBT001
    reads_summary: bool,  # noqa: FBT001
    classification: str,
    recused: bool,  # noqa: FBT001
    covered: bool,  # noqa: FBT001
    referral: str | None,
    without_client: bool,  # noqa: FBT001
    resolved: bool,  # noqa: FBT001
    facts: tuple[str, ...],
) -> bytes:
    def who(own: bool) -> str:  # noqa: FBT001
        return caller.body if own else ""

    task = {
        "id": _ID,
        "status": status,
        "access": "full" if whole else "summary",
        "logged_by": who(logged),
        "accountable": who(accountable),
        "supporting": [who(supports)],
        "informed": [who(informed)],
        "readers": [who(reads)],
        "summary_readers": [who(reads_summary)],
        "classification": classification,
        "recused_offices": [caller.office] if recused else [],
        "region_path": [*caller.regions] if covered else [],
        "resolved_by": caller.client_id if resolved else None,
        "receiver_has_no_client": without_client,
        "required_facts": list(facts),
        "open_referral": referral
        and {"id": _REFERRAL, "status": referral, "from_agency": who(sent), "to_agency": who(receives)},
    }
    return encode(moves.available(caller, task))
