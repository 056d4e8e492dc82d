"""The shapes of what facts say of mandates that end: closures, successions, gaps."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from pydantic import Field

from app.rules.law import Outcome
from app.rules.succession import Because
from app.rules.vocabulary import Status
from app.schemas.facts import WORD, OfTask, Reasoned, Said


class TaskSucceeded(OfTask):
    """By law another agency became accountable, or the same one under another row; `from` and `to` do not differ."""

    from_: Status = Field(alias="from")
    to: Status
    from_agency: str
    to_agency: str
    from_mandate: str
    to_mandate: str
    because: Because


class MandateEnded(OfTask):
    """The row that ended, and how the law answers since; the owner keeps the task."""

    from_: Status = Field(alias="from")
    to: Status
    mandate: str
    because: Because
    outcome: Outcome
    missing_office: str | None = None


class ClosureProposed(Said):
    """When a row of the matrix would end, on which basis, and which row would follow."""

    closure: UUID
    valid_to: date
    legal_basis: list[str]
    successor: str | None
    reason: str | None = Field(None, description=WORD)


class ClosureRejected(Reasoned):
    """Which proposal was rejected."""

    closure: UUID


class MandateClosed(Said):
    """When the row ends, and which row follows; open tasks are resolved again at that instant."""

    closure: UUID
    valid_to: date
    legal_basis: list[str]
    successor: str | None
