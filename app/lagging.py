"""Routes whose answers may be a little old, so that a replica may give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import Depends, Request

from app.provided import Mark


class MayLag(Mark):
    """Of which requests of a route the answer may be a little old."""

    def __init__(self, when: Callable[[Request], bool]) -> None:
        self.when = when


def may_lag(when: Callable[[Request], bool] = lambda _: True) -> Any:
    """Mark a route whose answer may be as old as SIMPUL_REPLICA_LAG, because nothing is decided by it.

    `dependencies=[needs(P.TASK_LIST), may_lag()]`
    """
    return Depends(MayLag(when))
