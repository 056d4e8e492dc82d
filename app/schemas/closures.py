"""The closing of a mandate, which takes two operators, on the wire."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from app.rules.vocabulary import ClosureStatus
from app.schemas.mandates import BasisRef, Office, Offices
from app.schemas.types import Command, Day, MandateCode, Shown, Source, distinct

Basis = Annotated[list[BasisRef], AfterValidator(distinct), Field(min_length=1, max_length=20)]
Reason = Annotated[str, Field(min_length=1, max_length=2000)]


class Fate(StrEnum):
    """What becomes of an open task when its row ends."""

    SUCCEEDED = "succeeded"  # another agency becomes accountable
    CONTINUED = "continued"  # the same one, under another row
    KEPT = "kept"  # the row goes by the event's date
    MANDATE_ENDED = "mandate_ended"  # nobody is competent: the owner keeps it, and the task says so


class SuccessorInput(Command):
    """The row that follows, for the same matter, region and variant, from the day on which the closed one ends."""

    id: MandateCode
    accountable: Office | None = None
    supporting: Offices = []
    informed: Offices = []
    legal_basis: Basis
    valid_to: Day | None = Field(None, description="Exclusive.")
    source: Source = "unverified"
    verified: bool = Field(default=False, strict=True)
    note: Annotated[str, Field(max_length=2000)] = ""


class ClosureInput(Command):
    """A proposal to close a row: from when on it does not hold, why, on which basis, and what follows it."""

    valid_to: Day = Field(description="The first day on which it does not hold, from midnight WIB on.")
    reason: Reason
    legal_basis: Basis
    successor: SuccessorInput | None = None


class ClosureAnswerInput(Command):
    """The answer to a proposal. Another operator confirms; whoever proposed may only reject.

    Whom the first has created, or given a secret or a key, is no other one; nor is who had these from the same hands.
    """

    answer: Literal["confirmed", "rejected"]
    reason: Reason | None = None


class ExpectedFate(Shown):
    """How many open tasks, and referrals that wait for an answer, would go from whom to whom, under which row."""

    fate: Fate
    from_agency: str
    to_agency: str | None
    to_mandate: str | None
    tasks: int
    referrals: int


class Proposal(Shown):
    """What one operator proposed, and who answered."""

    id: UUID
    status: ClosureStatus
    reason: str
    legal_basis: list[str]
    successor: str | None
    proposed_by: UUID
    answered_by: UUID | None
    recorded_at: datetime
    answered_at: datetime | None


class Closure(Shown):
    """A dry run of closing a row: references and counts, no more of any task; `rahasia` shows in neither.

    `to_mandate` is the successor's id where it is proposed, else the closed row's with an apostrophe.
    """

    mandate: str
    valid_to: date
    tasks: int
    referrals: int
    fates: list[ExpectedFate]
    references: list[str] = Field(description="Of 200 tasks at most.")
    references_left_out: int
    proposal: Proposal | None
