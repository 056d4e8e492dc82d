"""How far the log is beyond dispute: under no signed head, under one, under one that enough agencies cosigned."""

from __future__ import annotations

from app.db import Executor, settings_of


def standing(executor: Executor) -> str:
    """SQL: one row `s` with the sizes of the newest head (`sealed`) and of the newest that is `witnessed`, 0 for none.

    It is witnessed where so many agencies as the settings ask for have cosigned it, or a later one.
    """
    enough = settings_of(executor).witnesses
    return f"""(select (select coalesce(max(size), 0) from log_head) as sealed, coalesce((
        select w.size from agency a cross join lateral (
            select c.size from cosignature c where c.agency = a.code order by c.size desc limit 1
        ) w order by w.size desc offset {enough - 1} limit 1), 0) as witnessed) s"""


def of(index: str) -> str:
    """SQL: the finality of the entry with this index, by the `standing`; without an index it is pending."""
    return (
        f"case when {index} <= s.witnessed then 'witnessed' when {index} <= s.sealed then 'sealed' else 'pending' end"
    )
