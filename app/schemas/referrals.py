"""Referrals on the wire."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.rules.vocabulary import Classification, Function, ReferralStatus, RequestedClassification, Urgency
from app.schemas.transitions import AvailableTransition
from app.schemas.types import WHEN, AgencyCode, Code, Command, Day, Instant, Line, Prose, Shown

LetterNumber = Annotated[str, Field(min_length=1, max_length=100)]


class LetterInput(Command):
    """An official letter (surat)."""

    number: LetterNumber
    date: Day
    classification: RequestedClassification | None = None
    urgency: Urgency | None = None


class ReferralInput(Command):
    """A task to hand over; the resolver checks `to_agency` at `effective_at`."""

    to_agency: AgencyCode
    function: Function | None = Field(None, description="The work asked for; default the task's.")
    variant: Code | None = Field(None, description="Default the task's, if `function` is not given.")
    letter: LetterInput | None = None
    note: Prose | None = None
    retain_access: bool = Field(default=False, strict=True, description="Keep full sight of the task afterwards.")
    effective_at: Instant | None = Field(None, description=WHEN)


class ResponseInput(Command):
    """The receiver's answer. A sender's supervisor who records one for a receiver without a client gives its letter."""

    answer: Literal[ReferralStatus.RECEIVED, ReferralStatus.ACCEPTED, ReferralStatus.RETURNED]
    reason: Prose | None = Field(None, description="Required when `answer` is `returned`.")
    suggested_agency: AgencyCode | None = Field(None, description="Who may be competent instead; checked.")
    letter: LetterInput | None = None
    effective_at: Instant | None = Field(None, description=WHEN)


class WithdrawalInput(Command):
    """The sender takes the referral back."""

    reason: Prose | None = None
    effective_at: Instant | None = Field(None, description=WHEN)


class Letter(Shown):
    """An official letter."""

    number: LetterNumber | None
    date: date | None
    classification: Classification | None
    urgency: Urgency | None


class ReferralFields(Shown):
    """A handing-over of a task: the letter sent and the answer."""

    id: UUID
    task: UUID
    task_reference: Line
    from_agency: str
    to_agency: str
    status: ReferralStatus
    function: Function
    variant: str | None
    mandate: str
    letter: Letter | None
    note: str | None
    retain_access: bool
    reason: str | None
    suggested_agency: str | None
    answer_letter: Letter | None
    recorded_by_sender: bool
    effective_at: datetime
    received_at: datetime | None
    answered_at: datetime | None
    recorded_at: datetime
    updated_at: datetime
    version: int


class Referral(ReferralFields):
    """A referral, with the moves that are open to this caller."""

    available_transitions: list[AvailableTransition]


class ReferralListItem(ReferralFields):
    """A referral in a list; read it alone for its moves."""


class ReferralPage(Shown):
    """A page of referrals, newest first."""

    items: list[ReferralListItem]
    next_cursor: str | None
