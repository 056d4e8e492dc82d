"""Who may read a task, its referrals and its clocks: what `app.readers_of` and `app.keep_readers` give, held there."""

from __future__ import annotations

from app.rules import regions
from app.rules.vocabulary import AssignmentRole, Classification, ReferralStatus
from app.simulation.telling import Telling


def keep_readers(telling: Telling) -> None:
    """Write the readers of a task into its rows: sorted as the database sorts them."""
    task, rank = telling.task, telling.nation.order.__getitem__
    readers, summary = _of(telling)
    task["readers"], task["summary_readers"] = sorted(readers, key=rank), sorted(summary, key=rank)
    kept = {"classification": task["classification"], "recused_offices": task["recused_offices"]}
    for referral in telling.rows["referral"]:
        both = readers | {referral["from_agency"], referral["to_agency"]}
        referral.update(kept, task_reference=task["reference"], readers=sorted(both, key=rank))
    for clock in telling.rows["deadline"]:
        clock.update(kept, readers=task["readers"])


def _of(telling: Telling) -> tuple[set[str], set[str]]:
    task, rows = telling.task, telling.rows
    offered = {one["to_agency"] for one in rows["referral"] if one["id"] == task["open_referral"]}
    parties = {task["logged_by"], *task["supporting"], *task["informed"], *offered}
    parties |= {task["accountable"]} - {None}
    past = {one["agency"] for one in rows["assignment"] if one["role"] == AssignmentRole.ACCOUNTABLE}
    past |= {one["to_agency"] for one in rows["referral"] if one["status"] == ReferralStatus.RETURNED}
    places = ("", *regions.path(task["region_code"]))
    open_ = {f"region:{one}" for one in places if task["classification"] == Classification.TERBUKA}
    known = {f"coordinator:{one}" for one in places if task["classification"] == Classification.TERBATAS}
    return parties | {"*"} | open_, past - parties | known
