"""How a task comes to stand where a test wants it: over HTTP, by the agencies that may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from support import Agency

from app.rules.policy import GRANTS
from app.rules.vocabulary import Action, Standing, Status
from app.rules.workflow import Transition

LETTER: Final = {"number": "700/112/35.73/2024", "date": "2024-08-23"}
#: A value for each member that a move may ask for.
WORDS: Final[dict[str, Any]] = {
    "outcome": "mitigated",
    "note": "Pakta integritas ditandatangani.",
    "reason": "Bukan kewenangan kami.",
    "to_agency": "BKPSDM_KOTA_MALANG",
    "facts.participants": 642,
    "letter": LETTER,
}
ANSWERS: Final = {Action.RECEIVE: "received", Action.ACCEPT: "accepted", Action.RETURN: "returned"}
_STEPS: Final = {
    Status.RETURNED: (Status.ASSIGNED, Action.RETURN),
    Status.ACCEPTED: (Status.ASSIGNED, Action.ACCEPT),
    Status.IN_PROGRESS: (Status.ACCEPTED, Action.START),
    Status.AWAITING_INFO: (Status.IN_PROGRESS, Action.AWAIT_INFO),
    Status.RESOLVED: (Status.IN_PROGRESS, Action.RESOLVE),
    Status.CLOSED: (Status.RESOLVED, Action.CONFIRM),
    Status.CANCELLED: (Status.ASSIGNED, Action.CANCEL),
}


def words(requires: list[str] | tuple[str, ...]) -> dict[str, Any]:
    """A body that has exactly the members which a move requires."""
    body = {name: WORDS[name] for name in requires if not name.startswith("facts.")}
    facts = {name.removeprefix("facts."): WORDS[name] for name in requires if name.startswith("facts.")}
    return {**body, "facts": facts} if facts else body


def actions(task: dict[str, Any]) -> set[str]:
    """The moves that a task or referral offers its reader."""
    return {one["action"] for one in task["available_transitions"]}


@dataclass(frozen=True)
class Cast:
    """Who logs the tasks of a story and who owns them; by default the law gives them to BKPSDM.

    The logger judges the outcome, or `judge` where the case is about its own people.
    """

    logger: Agency
    owner: Agency
    judge: Agency | None = None

    async def bring(self, status: Status, **said: Any) -> dict[str, Any]:
        """A new task of which this is said, brought to a status, as its logger reads it."""
        if status in {Status.DRAFT, Status.ASSIGNED}:
            return await self.logger.log(draft=status is Status.DRAFT, **said)
        before, action = _STEPS[status]
        task = await self.bring(before, **said)
        requires = [*_REQUIRED.get(action, ())]
        movers = {Action.CONFIRM: self.judge or self.logger, Action.CANCEL: self.logger}
        mover = movers.get(action, self.owner)
        if action in ANSWERS:
            moved = await mover.answer(task["open_referral"]["id"], ANSWERS[action], **words(requires))
        else:
            moved = await mover.move(task["id"], action, **words(requires))
        assert moved.status_code == 200, moved.text
        task = await self.logger.read(task["id"])
        assert task["status"] == status
        return task

    def mover(self, row: Transition) -> Agency:
        """Who of the two may make a move, by the standings that its permission asks for."""
        standings = {standing for granted in GRANTS[row.permission].values() for standing in granted}
        return self.logger if {Standing.LOGGER, Standing.JUDGE} & standings else self.owner

    async def refer(self, task: dict[str, Any], receiver: Agency, **said: Any) -> dict[str, Any]:
        """The owner refers the monitoring of a matter to Bawaslu; the task as the owner then reads it."""
        sent = await self.owner.refer(
            task["id"], **{"to_agency": receiver.code, "function": "monitoring", "letter": LETTER, **said}
        )
        assert sent.status_code == 201, sent.text
        return await self.owner.read(task["id"])


_REQUIRED: Final = {
    Action.RETURN: ("reason",),
    Action.RESOLVE: ("outcome", "note", "facts.participants"),
    Action.CANCEL: ("reason",),
}
