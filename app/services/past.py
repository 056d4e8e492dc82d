"""Tasks as they stood at an instant: their facts up to then, laid over what never changes, seen by today's access."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from app import evidence
from app.db import Executor, Row, one, value
from app.errors import Fault, InvalidParameter
from app.rules.caller import Caller
from app.rules.facts import WORDS
from app.rules.vocabulary import Access
from app.schemas.tasks import TaskFilters, TaskQuery
from app.security import Keys
from app.services import log, visibility
from app.services.moves import shown
from app.services.task_rows import FULL_FIELDS, SUMMARY_FIELDS, columns, load_task

#: SQL: the state `p` of the tasks `t` as of an instant; a task that was not yet logged then has none.
STATE: Final = "cross join lateral (select app.state_of(t.id, :as_of) as state offset 0) p"
THERE: Final = "t.effective_at <= :as_of and p.state is not null"

#: The filters of the task list that ask for what changes; the others ask for what never does, or for links of today.
FILTERS: Final = {
    "status": "p.state ->> 'status' = any(:status)",
    "accountable": "p.state ->> 'accountable' = any(:accountable)",
    "holder": "p.state ->> 'holder' = any(:holder)",
    "supporting": "exists (select from unnest(cast(:supporting as text[])) s where p.state -> 'supporting' ? s)",
    "referred_to": "p.state -> 'open_referral' ->> 'to_agency' = any(:referred_to)",
    "function": "p.state ->> 'function' = any(:function)",
    "priority": "p.state ->> 'priority' = any(:priority)",
    "classification": "p.state ->> 'classification' = any(:classification)",
    "external_reference": "p.state ->> 'external_reference' = :external_reference",
    "due_before": "cast(p.state ->> 'due_at' as timestamptz) < :due_before",
    "due_after": "cast(p.state ->> 'due_at' as timestamptz) >= :due_after",
}
#: What a task was where no fact up to then says so.
_UNTOLD: Final = {"mandate_ended": False, "next_deadline": None}
#: Who is a party and what was touched since are questions about today.
_OF_TODAY: Final = ("party", "updated_after", "deadline_status")
_SORTS: Final = ("effective_at", "recorded_at")


async def show_task(
    executor: Executor, caller: Caller, keys: Keys, id: UUID, *, as_of: datetime | None
) -> tuple[dict[str, Any], int]:
    """A task as it stands, with its version; or as it stood, without moves and with the version that no task has.

    Raises NotFound if it is not visible, or was not logged by then, and InvalidParameter.
    """
    if as_of is None:
        task = await load_task(executor, caller, id)
        return shown(caller, task), task["version"]
    await _require_told(executor, as_of)
    found = await one(
        executor,
        f"select {columns()}, p.state as _state {visibility.tasks(caller)} {STATE}"
        f" where t.id = :id and {visibility.task_visible(caller)} and {THERE}",
        id=id,
        as_of=as_of,
        **visibility.reach(caller),
    )
    (task,) = await as_then(executor, keys, [found])
    names = FULL_FIELDS if task["access"] == Access.FULL else SUMMARY_FIELDS
    return {**{name: task[name] for name in names}, "available_transitions": []}, 0


async def require_askable(executor: Executor, filters: TaskFilters, as_of: datetime) -> None:
    """Refuse the future, what is told no more, and what can't be asked of the past; raises InvalidParameter."""
    await _require_told(executor, as_of)
    wrong = [name for name in _OF_TODAY if getattr(filters, name) is not None]
    if isinstance(filters, TaskQuery) and filters.order.lstrip("-") not in _SORTS:
        wrong.append("sort")
    if wrong:
        raise InvalidParameter(errors=[_of_today(name) for name in wrong])


async def as_then(executor: Executor, keys: Keys, tasks: list[Row]) -> list[Row]:
    """Tasks with the state of then (`_state`) laid over them; words that were erased are as they are now."""
    states: list[Row] = [task["_state"] for task in tasks]
    sealing = {told for state in states for name, told in state.items() if _sealed(name, told)}
    words = await log.words(executor, keys, sealing) if sealing else {}
    return [{**task, **_UNTOLD, **_opened(task["_state"], words)} for task in tasks]


def _opened(state: Row, words: dict[str, dict[str, Any]]) -> Row:
    """The members of a state, each word from the fact that seals it, without those that were erased."""
    opened = {}
    for name, told in state.items():
        if not _sealed(name, told):
            opened[name] = datetime.fromisoformat(told) if name == "updated_at" else told
        elif words[told][name] is not None:
            opened[name] = words[told][name]
    return opened


def _sealed(name: str, told: Any) -> bool:
    """Whether a member is a word, told by the id of the fact that seals it."""
    return name in WORDS and isinstance(told, str)


async def _require_told(executor: Executor, as_of: datetime) -> None:
    if as_of > datetime.now(UTC):
        en, id_ = "It has not come yet: nobody knows how things will stand.", "Waktu itu belum tiba."
        raise InvalidParameter(errors=[Fault("in_future", en, id_, parameter="as_of")])
    told_from: datetime | None = await value(executor, "select max(told_from) from retired_year")
    if told_from is not None and as_of < told_from:
        en, id_ = (
            f"The facts of that time are retired: how things stood is told from {evidence.instant(told_from)} on.",
            f"Fakta masa itu sudah dikeluarkan: keadaan diceritakan mulai {evidence.instant(told_from)}.",
        )
        raise InvalidParameter(errors=[Fault("retired", en, id_, parameter="as_of")], told_from=told_from)


def _of_today(name: str) -> Fault:
    return Fault(
        "not_as_of",
        "Together with as_of it can't be asked; sort by effective_at or recorded_at.",
        "Tidak dapat ditanyakan bersama as_of; urutkan menurut effective_at atau recorded_at.",
        parameter=name,
    )
