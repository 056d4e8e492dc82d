"""The plans of the very statements that a request runs, as PostgreSQL tells them while it runs them (auto_explain).

So a plan is that of production: of this statement with these parameters, as this role, with this sight, in a
prepared statement that may have been planned for somebody else; and of each statement inside a function.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from growth import GROWING
from sqlalchemy import event
from statements import heard

from app import turns
from app.db import Database

_TOLD: Final = {
    "log_min_duration": "0",
    "log_analyze": "on",
    "log_buffers": "on",
    "log_timing": "off",
    "log_nested_statements": "on",
    "log_level": "notice",
    "log_format": "json",
}
_GROWING: Final = re.compile(rf"({'|'.join(GROWING)})(_p?\d\w*)?")
_FEW: Final = 5
_SORTS: Final = ("Sort", "Incremental Sort")


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A node and all below it."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


@dataclass(frozen=True, slots=True)
class Ran:
    """One statement that ran, and how."""

    statement: str
    plan: dict[str, Any]

    @property
    def buffers(self) -> int:
        """Pages that it looked at, wherever they were."""
        return int(self.plan.get("Shared Hit Blocks", 0) + self.plan.get("Shared Read Blocks", 0))

    @property
    def used(self) -> list[dict[str, Any]]:
        """The nodes that did anything."""
        return [one for one in nodes(self.plan) if one["Actual Loops"]]

    @property
    def indexes(self) -> set[str]:
        return {one["Index Name"] for one in self.used if "Index Name" in one}

    @property
    def read_whole(self) -> set[str]:
        """The growing tables, and partitions of such, that it read from the first row to the last."""
        return {
            one["Relation Name"]
            for one in self.used
            if one["Node Type"] == "Seq Scan"
            and _GROWING.fullmatch(one["Relation Name"])
            and one["Actual Rows"] + one.get("Rows Removed by Filter", 0) > _FEW  # a year that is all but empty
        }

    @property
    def sorted(self) -> float:
        """How many rows the largest sort took in, a sort that ends with its page (top-N) likewise."""
        sorts = [one for one in self.used if one["Node Type"] in _SORTS]
        return max((_entering(one) for one in sorts), default=0)


def _entering(sort: dict[str, Any]) -> float:
    return max(float(one["Actual Rows"]) for one in sort["Plans"])


@dataclass
class Plans:
    """What ran since it was last cleared: all of it, and what was asked for by the service itself."""

    ran: list[Ran] = field(default_factory=list)
    sent: set[str] = field(default_factory=set)

    def clear(self) -> None:
        self.ran.clear()
        self.sent.clear()

    @property
    def asked(self) -> list[Ran]:
        """The statements of the service; what they look at includes what the functions in them do."""
        return [one for one in self.ran if one.statement.endswith(tuple(self.sent))]  # some begin a transaction too

    @property
    def buffers(self) -> int:
        return sum(one.buffers for one in self.asked)

    @property
    def indexes(self) -> set[str]:
        return set().union(*(one.indexes for one in self.ran))

    @property
    def read_whole(self) -> set[str]:
        return set().union(*(one.read_whole for one in self.ran))

    @property
    def sorted(self) -> float:
        return max((one.sorted for one in self.ran), default=0)

    def told(self) -> str:
        """All of it, for whoever has to find out why."""
        return "\n".join(
            f"{one.buffers} pages, {one.sorted:.0f} sorted, {sorted(one.indexes)}: {one.statement[:200]}"
            for one in self.ran
        )


@contextmanager
def explained(database: Database) -> Iterator[Plans]:
    """Have every statement of a database explained that is not yet connected."""
    plans = Plans()
    engine = database.engine.sync_engine

    def note(_: Any, message: Any) -> None:
        _, found, told = message.message.partition("plan:\n")
        if found:
            document = json.loads(told)
            plans.ran.append(Ran(document["Query Text"], document["Plan"]))

    def listen(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("load 'auto_explain'")
        for name, told in _TOLD.items():
            cursor.execute(f"set auto_explain.{name} = '{told}'")
        cursor.close()
        connection.commit()  # a transaction that was begun here would be taken for somebody else's
        connection.driver_connection.add_log_listener(note)

    event.listen(engine, "connect", listen)
    rest, turns.REST = (
        turns.REST,
        0.0,
    )  # one connection for all: what a page costs depends on what it has made plans for
    try:
        with heard(database, plans.sent.add):
            yield plans
    finally:
        turns.REST = rest
        event.remove(engine, "connect", listen)
