"""Who may see what: the one predicate that lists, reads, counts and writes share.

This is the first wall: it asks the facts themselves, parties, shares, past. The second, row-level security, asks the
readers stored with each row; either alone keeps what is not the caller's from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from app.db import Executor, Row, Writer, value
from app.entries import Computed
from app.errors import ClassificationDenied
from app.rules import policy, regions
from app.rules.caller import Caller
from app.rules.facts import KINDS, Family
from app.rules.vocabulary import Access, Role, Standing


def acting(agencies: str, record: str = "t") -> str:
    """SQL: the caller acts for one of these agencies; recused from the record, for itself and for no joint centre."""
    return f"({agencies} && :acts_for and (not :office = any({record}.recused_offices) or {agencies} && :itself))"


# The parameters of the predicates are those of reach(); `t` is a task, where no other record is named.


def cleared(record: str = "t") -> str:
    """SQL: the class of the record is not above the caller's clearance."""
    return f"({record}.classification <> 'rahasia' or :cleared)"


def _of_the_region(record: str = "t") -> str:
    return f"(:national or {record}.region_path && :regions)"


def _open_to_region(record: str = "t") -> str:
    return f"({record}.classification = 'terbuka' and {_of_the_region(record)})"


def _coordinated(record: str = "t") -> str:
    return f"({record}.classification = 'terbatas' and :coordinator and {_of_the_region(record)})"


# `d` is the task's detail, `r` its open referral
_PARTY: Final = acting("(array[d.logged_by, d.accountable, r.to_agency] || d.supporting || d.informed)")
_SHARED: Final = "select from share s where s.task_id = t.id and t.status <> 'draft' and s.level = "
_SHARED_WITH: Final = f"exists ({_SHARED}'full' and {acting('array[s.agency]')})"
_RETAINED: Final = (
    "exists (select from referral f where f.task_id = t.id and f.status = 'accepted' and f.retain_access"
    f" and {acting('array[f.from_agency]')})"
)
# what costs least comes first: of the many tasks that a wide region sees, most are open to it
_TASK_FULL: Final = f"(t.status <> 'draft' and {_open_to_region()} or {_PARTY} or {_SHARED_WITH} or {_RETAINED})"
_TASK_EXPERT: Final = f"(exists ({_SHARED}'full' and s.agency = any(:acts_for)))"
_TASK_FORMER: Final = (
    "(exists (select from assignment a where a.task_id = t.id and a.role = 'accountable'"
    f" and {acting('array[a.agency]')})"
    " or exists (select from referral f where f.task_id = t.id and f.status = 'returned'"
    f" and {acting('array[f.to_agency]')})"
    f" or exists ({_SHARED}'summary' and {acting('array[s.agency]')}))"
)
_TASK_SUMMARY: Final = (
    f"(t.status <> 'draft' and not (:office = any(t.recused_offices)) and {_coordinated()} or {_TASK_FORMER})"
)
#: Who is named in a vulnerability or meeting, the record of the caller's choice.
_NAMED: Final = {
    "vulnerability": "array[{0}.logged_by, {0}.mapped_by] && :acts_for",
    "meeting": "(array[{0}.logged_by, {0}.host] && :acts_for or exists (select from"
    " jsonb_array_elements({0}.participants) p where p ->> 'agency' = any(:acts_for)))",
}


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
    """SQL: the caller sees the whole task `t`, with its detail `d` and its open referral `r`."""
    return f"(d.id is not null and {_TASK_EXPERT if caller.role is Role.EXPERT else _TASK_FULL})"


def tasks(caller: Caller) -> str:
    """SQL: where tasks `t` come from, with what belongs to them."""
    return f"from task t {task_parts(caller)}"


def task_parts(caller: Caller) -> str:
    """SQL: what belongs to the tasks `t`: their detail `d`, open referral `r`, and whether the caller sees all (`w`).

    `offset 0` keeps the planner from looking for details before it has the tasks, and from asking `w` twice.
    """
    return (
        "left join lateral (select * from task_detail x where x.id = t.id offset 0) d on true"
        " left join referral r on r.id = t.open_referral"
        f" cross join lateral (select {task_full(caller)} as whole offset 0) w"
    )


def counted_parts(caller: Caller) -> str:
    """SQL: the same for tasks `t` of `task_counted`, which says of each whether its detail is shown, and that of it."""
    return (
        "cross join lateral (select case when t.in_full then t.id end as id, t.logged_by, t.accountable, t.supporting,"
        " t.informed, t.event_at) d left join referral r on r.id = t.open_referral"
        f" cross join lateral (select {task_full(caller)} as whole offset 0) w"
    )


def task_visible(caller: Caller) -> str:
    """SQL: the caller sees a task of `tasks`, whole or in summary."""
    return f"({cleared()} and {'w.whole' if caller.role is Role.EXPERT else f'(w.whole or {_TASK_SUMMARY})'})"


def register_visible(table: str, alias: str = "t") -> str:
    """SQL: the caller sees the vulnerability or meeting (`table`) of this alias."""
    named = _NAMED[table].format(alias)
    return f"({cleared(alias)} and ({named} or {_open_to_region(alias)} or {_coordinated(alias)}))"


def heard(caller: Caller) -> str:
    """SQL: the caller hears of the event `e`; the parameters are those of hearing()."""
    conditions = {
        Family.WORK: _WORK_HEARD.format(tasks=tasks(caller), visible=task_visible(caller)),
        Family.VULNERABILITY: _register_heard("vulnerability"),
        Family.MEETING: _register_heard("meeting"),
        Family.REGISTRY: "true",
        Family.ACCESS: _ACCESS_HEARD.get(caller.role, _OWN_ACCESS),
    }
    heard_of = policy.hears(caller.role)
    lines = [f"when e.kind in ({_KINDS[one]}) then {conditions[one]}" for one in Family if one in heard_of]
    return f"(case {' '.join(lines)} else false end)"


_KINDS: Final = {one: ", ".join(f"'{kind}'" for kind in sorted(KINDS[one])) for one in Family}
#: A former owner hears of what was recorded up to its hand-over.
_WORK_HEARD: Final = (
    "exists (select {tasks} where t.id = e.task_id and {visible} and (w.whole or e.recorded_at <= ("
    "select max(a.ended_recorded_at) from assignment a where a.task_id = t.id and a.role = 'accountable'"
    " and a.agency = any(:acts_for))))"
)
_OWN_ACCESS: Final = ":hearer in (cast(e.client_id as text), e.object_id)"
_ACCESS_HEARD: Final = {
    Role.OPERATOR: "true",
    Role.AGENCY_ADMIN: "(:own in (e.agency, e.concerns))",
    Role.AUDITOR: "(:own in (e.agency, e.concerns))",
}


def hearing(caller: Caller) -> dict[str, Any]:
    """The parameters of `heard`."""
    return {**reach(caller), "hearer": str(caller.client_id), "own": caller.agency}


def _register_heard(table: str) -> str:
    return f"exists (select from {table} t where t.id = cast(e.object_id as uuid) and {register_visible(table)})"


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


async def take_up(writer: Writer, id: UUID) -> UUID:
    """Let this transaction work on a record that is new or that the caller sees; the second wall keeps it to these."""
    await value(writer, "select app.take_up(:id)", id=id)
    return id


def first_readers(
    parties: Sequence[str], shares: Mapping[str, str], *, region: str, classification: str, draft: bool
) -> dict[str, Computed]:
    """Who reads a task that is about to be entered: its parties, and agencies by the level at which it is shared."""
    shared = {} if draft else shares
    whole = [agency for agency, level in shared.items() if level == Access.FULL]
    brief = [agency for agency, level in shared.items() if level == Access.SUMMARY]
    values = {
        "parties": [*parties, *whole],
        "experts": [f"expert:{agency}" for agency in whole],
        "past": brief,
        "places": [] if draft else ["", *regions.path(region)],
        "class": classification,
    }
    return {
        "readers": Computed("app.readers_among(:parties, :experts, :places, :class)", values),
        "summary_readers": Computed("app.summary_readers_among(:past, :parties, :places, :class)", values),
    }


#: The columns of a task that decide who reads it. A status decides only by ceasing to be a draft: submission then sets
#: `supporting`, cancellation `open_referral`.
_DECIDING: Final = frozenset(
    {"accountable", "supporting", "informed", "open_referral", "classification", "recused_offices"}
)


async def keep_readers_after(writer: Writer, task_id: UUID, changed: Iterable[str]) -> None:
    """Recompute them after these columns of the task changed, where one of them decides who reads it."""
    if not _DECIDING.isdisjoint(changed):
        await keep_readers(writer, task_id)


async def keep_readers(writer: Writer, task_id: UUID) -> None:
    """Recompute the stored readers of a task from its parties, shares and past; call it after any of them changed."""
    await value(writer, "select app.keep_readers(:id)", id=task_id)


async def stale_readers(executor: Executor) -> int:
    """How many tasks hold readers that their facts do not give; 0 is the only right answer."""
    return int(
        await value(
            executor,
            "select count(*) from task t cross join lateral app.readers_of(t.id) f"
            " where t.readers <> f.readers or t.summary_readers <> f.summary_readers",
        )
    )
