"""How what happens to a task is told: its rows, the facts about them, the instants of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson

from app.rules.facts import WORDS, EventKind, told
from app.rules.vocabulary import Role
from app.simulation.dice import Dice
from app.simulation.nation import Nation

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class By:
    """Who does something: an agency by one of its clients, or the service itself."""

    agency: str | None
    client: str | None
    request: str


@dataclass
class Telling:
    """The rows of one task by table, as they fill; `now` is when the last act was recorded, `at` when it was done."""

    nation: Nation
    dice: Dice
    now: datetime
    at: datetime = field(init=False)
    rows: dict[str, list[Row]] = field(init=False)
    task: Row = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.at = self.now
        self.rows = {
            name: [] for name in ("task", "referral", "assignment", "deadline", "comment", "sealing_key", "event")
        }

    def pass_(self, gap: timedelta) -> None:
        """Let time pass; a few acts are told some hours after they were done, as with a letter."""
        before, self.now = self.at, self.now + gap
        if gap > timedelta(hours=4) and self.dice.happens(0.06):
            back = timedelta(minutes=int(self.dice.between(20, 200)))
            self.at = max(before, (self.now - back).replace(second=0, microsecond=0))
        else:
            self.at = self.now + timedelta(microseconds=int(self.dice.between(900, 9000)))

    def by(self, agency: str, role: Role = Role.OFFICER) -> By:
        """A client of an agency, with a request of its own."""
        return By(agency, self.nation.clients[agency][role], self.dice.id(self.now))

    def fact(
        self,
        by: By,
        kind: EventKind,
        *,
        on: str,
        id: str,
        versions: tuple[int | None, int | None],
        payload: Mapping[str, Any],
        state: Mapping[str, Any] | None = None,
        at: datetime | None = None,
        now: datetime | None = None,
    ) -> None:
        """Enter a fact as `services.log.record` does; what people wrote stands in `said`, yet to be sealed."""
        said = orjson.loads(orjson.dumps({**payload, **told(state)}, default=str, option=orjson.OPT_UTC_Z))
        recorded = now or self.now
        self.rows["event"].append(
            {
                "id": self.dice.id(recorded),
                "kind": kind.value,
                "object_type": on,
                "object_id": id,
                "task_id": self.task["id"],
                "agency": by.agency,
                "client_id": by.client,
                "concerns": None,
                "person": None,
                "person_key": None,
                "person_sealed": None,
                "request_id": by.request,
                "effective_at": at or self.at,
                "recorded_at": recorded,
                "version_before": versions[0],
                "version_after": versions[1],
                "payload": {name: content for name, content in said.items() if name not in WORDS},
                "said": {name: said[name] for name in sorted(WORDS & said.keys())},
                "salt": self.dice.salt(),
                "salts": [self.dice.salt() for _ in WORDS & said.keys()],
            }
        )

    def touch(self, *, version: bool = True, **changed: Any) -> None:
        """Change the task as a write of the service does."""
        at = max(self.task["last_effective_at"], self.at)
        self.task.update(changed, last_effective_at=at, updated_at=self.now)
        self.task["version"] += version

    def moved(self, by: By, kind: EventKind, payload: Mapping[str, Any], **changed: Any) -> None:
        """One move of the task itself, with its fact."""
        before = self.task["version"]
        self.touch(**changed)
        self.fact(
            by,
            kind,
            on="task",
            id=self.task["id"],
            versions=(before, before + 1),
            payload=payload,
            state=changed,
        )
