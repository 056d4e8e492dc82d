"""Who may see what: the one predicate that lists, reads, counts and writes share (TRUST.md section 2)."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from app.db import Executor, Row, Writer, value
from app.errors import ClassificationDenied
from app.rules.caller import Caller
from app.rules.vocabulary import Access, Role, Standing


def acting(agencies: str) -> str:
    """SQL: the caller acts for one of these agencies; recused from task `t`, for itself and for no joint centre."""
    return f"({agencies} && :acts_for and (not :office = any(t.recused_offices) or {agencies} && :itself))"


# `t` is a task, vulnerability or meeting; the parameters are those of reach().
_CLEARED: Final = "(t.classification <> 'rahasia' or :cleared)"
_OF_THE_REGION: Final = "(:national or t.region_path && :regions)"
_OPEN_TO_REGION: Final = f"(t.classification = 'terbuka' and {_OF_THE_REGION})"
_COORDINATED: Final = f"(t.classification = 'terbatas' and :coordinator and {_OF_THE_REGION})"

_TASK_FULL: Final = f"({acting('t.readers')} or t.status <> 'draft' and {_OPEN_TO_REGION})"
_TASK_SHARED: Final = (
    "(t.status <> 'draft' and exists ("
    "select from share s where s.task_id = t.id and s.agency = any(:acts_for) and s.level = 'full'))"
)
_TASK_SUMMARY: Final = (
    f"({acting('t.summary_readers')} or t.status <> 'draft'"
    f" and not (:office = any(t.recused_offices)) and {_COORDINATED})"
)
_REGISTER: Final = f"({_CLEARED} and (t.readers && :acts_for or {_OPEN_TO_REGION} or {_COORDINATED}))"


def reach(caller: Caller) -> dict[str, Any]:
    """The parameters of the predicate."""
    return {
        "acts_for": list(caller.acts_for),
        "itself": list(caller.acts_for[:1]),
        "regions": list(caller.regions),
        "national": caller.national,
        "coordinator": caller.coordinator,
        "office": caller.office,
        "cleared": caller.cleared,
    }


def task_full(caller: Caller) -> str:
    """SQL: the caller sees the whole task `t`."""
    return _TASK_SHARED if caller.role is Role.EXPERT else _TASK_FULL


def task_visible(caller: Caller) -> str:
    """SQL: the caller sees task `t`, whole or in summary."""
    if caller.role is Role.EXPERT:
        return f"({_CLEARED} and {_TASK_SHARED})"
    return f"({_CLEARED} and ({_TASK_FULL} or {_TASK_SUMMARY}))"


def register_visible(alias: str = "t") -> str:
    """SQL: the caller sees the vulnerability or meeting of this alias."""
    return _REGISTER.replace("t.", f"{alias}.")


def standings(caller: Caller, task: Row) -> frozenset[Standing]:
    """How the caller's agency, and the bodies it acts for, stand to a visible task."""
    own = set(bodies_for(caller, task["recused_offices"]))
    referral = task["open_referral"] or {}
    found = {
        Standing.OWNER: task["accountable"] in own,
        Standing.LOGGER: task["logged_by"] in own,
        Standing.JUDGE: task["logged_by"] in own and caller.office not in task["recused_offices"],
        Standing.REFERRED_TO: referral.get("to_agency") in own,
        Standing.SENDER: referral.get("from_agency") in own,
        Standing.SUPPORTING: not own.isdisjoint(task["supporting"]),
        Standing.INFORMED: not own.isdisjoint(task["informed"]),
        Standing.COORDINATOR: caller.coordinator
        and task["classification"] != "rahasia"
        and covers(caller, task)
        and caller.office not in task["recused_offices"],
        Standing.FORMER: not own.isdisjoint(task["summary_readers"]),
    }
    held = {standing for standing, holds in found.items() if holds}
    if caller.role is Role.EXPERT:
        return frozenset({Standing.SHARED})
    if task["access"] == Access.FULL and not held - {Standing.COORDINATOR, Standing.FORMER}:
        held.add(Standing.RESIDENT if own.isdisjoint(task["readers"]) else Standing.SHARED)
    return frozenset(held)


def bodies_for(caller: Caller, recused_offices: list[str]) -> tuple[str, ...]:
    """For whom the caller may act in a matter: a body recused from it acts for itself only, not for a joint centre."""
    return caller.acts_for[:1] if caller.office in recused_offices else caller.acts_for


def covers(caller: Caller, record: Row) -> bool:
    """Whether the caller's regions cover the record's."""
    return caller.national or not set(caller.regions).isdisjoint(record["region_path"])


def require_full(task: Row) -> None:
    """Refuse a reader of the summary what only full readers see; raises ClassificationDenied."""
    if task["access"] != Access.FULL:
        raise ClassificationDenied(classification=task["classification"])


async def keep_readers(writer: Writer, task_id: UUID) -> None:
    """Recompute the stored readers of a task from its parties, shares and past; call it after any of them changed."""
    await value(writer, _KEEP_READERS, id=task_id)


async def stale_readers(executor: Executor) -> int:
    """How many tasks hold readers that their facts do not give; 0 is the only right answer."""
    return int(await value(executor, _STALE_READERS))


_FACTS: Final = """
    select t.id,
        array(select distinct a from unnest(
            array[t.logged_by, t.accountable, r.to_agency] || t.supporting || t.informed
            || array(select agency from share where task_id = t.id and level = 'full' and t.status <> 'draft')
            || array(select from_agency from referral where task_id = t.id and status = 'accepted' and retain_access)
        ) a where a is not null order by a) as full_readers,
        array(select distinct a from unnest(
            array(select agency from share where task_id = t.id and level = 'summary' and t.status <> 'draft')
            || array(select agency from assignment where task_id = t.id and role = 'accountable')
            || array(select to_agency from referral where task_id = t.id and status = 'returned')
        ) a order by a) as past_readers
    from task t left join referral r on r.id = t.open_referral
"""
_CURRENT: Final = f"""
    select id, full_readers,
        array(select unnest(past_readers) except select unnest(full_readers) order by 1) as summary_readers
    from ({_FACTS}) facts
"""
_KEEP_READERS: Final = f"""
    update task set readers = f.full_readers, summary_readers = f.summary_readers
    from ({_CURRENT}) f where task.id = f.id and task.id = :id
    returning task.id
"""
_STALE_READERS: Final = f"""
    select count(*) from task join ({_CURRENT}) f using (id)
    where task.readers <> f.full_readers or task.summary_readers <> f.summary_readers
"""
