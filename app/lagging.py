"""Routes whose answers may be a little old, so that a replica may give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import Depends, Request


class MayLag:
    """Of which requests of a route the answer may be a little old; the guard reads it, and nobody calls it."""

    def __init__(self, when: Callable[[Request], bool]) -> None:
        self.when = when

    async def __call__(self) -> None:
        """Nothing: the guard takes it out, so that it costs a request nothing."""


def may_lag(when: Callable[[Request], bool] = lambda _: True) -> Any:
    """Mark a route whose answer may be as old as SIMPUL_REPLICA_LAG, because nothing is decided by it.

    `dependencies=[needs(P.TASK_LIST), may_lag()]`
    """
    return Depends(MayLag(when))


def taken_out(dependencies: list[Any]) -> tuple[MayLag | None, list[Any]]:
    """The mark among the dependencies of a route, if any, and the others."""
    marks = [one.dependency for one in dependencies if isinstance(one.dependency, MayLag)]
    return (marks[0] if marks else None), [one for one in dependencies if not isinstance(one.dependency, MayLag)]
