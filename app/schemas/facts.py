"""The shapes of what facts say; kinds that say the same share one."""

from __future__ import annotations

from datetime import date
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.rules.succession import Because
from app.rules.vocabulary import Access, CaseOutcome, RiskLevel, Status

WORD: Final = "What somebody wrote; null where it was erased, or is no longer what the log was given."


class Said(BaseModel):
    """What a fact says beside its envelope."""

    # described to whoever asks, held to the facts by tests
    model_config = ConfigDict(extra="forbid", defer_build=True)


class Nothing(Said):
    """Nothing more."""


class Changed(Said):
    """The members that were changed; read the record for what they are now."""

    changed: list[str]


class Reasoned(Said):
    """Why."""

    reason: str | None = Field(None, description=WORD)


# tasks and referrals; `from` and `to` are the task's status


class OfTask(Said):
    """What a fact set of its task: members as the task shows them; what somebody wrote stands beside `state`."""

    state: dict[str, Any] | None = Field(
        None, description="The members that were set; `words` names those that stand beside it."
    )
    title: str | None = Field(None, description=WORD)
    description: str | None = Field(None, description=WORD)
    note: str | None = Field(None, description=WORD)
    facts: dict[str, Any] | None = Field(None, description=WORD)


class TaskChanged(OfTask):
    """The members that were changed."""

    changed: list[str]


class TaskLogged(OfTask):
    """A task as it began: its reference, and to whom the law gave it."""

    from_: Status | None = Field(None, alias="from")
    to: Status
    reference: str
    mandate: str | None = None
    competent: str | None = None


class TaskMoved(OfTask):
    """A move of a task, with what was said on the occasion."""

    from_: Status = Field(alias="from")
    to: Status
    mandate: str | None = None
    competent: str | None = None
    outcome: CaseOutcome | None = None
    reason: str | None = Field(None, description=WORD)


class TaskShared(OfTask):
    """With whom, and how much of it."""

    agency: str
    level: Access | None = None


class Commented(Said):
    """The comment's id, and what it says."""

    comment: UUID
    body: str | None = Field(None, description=WORD)


class ReferralMoved(OfTask):
    """A move of a referral: to whom it went, what was answered, what became of its task."""

    from_: Status | None = Field(None, alias="from")
    to: Status | None = None
    to_agency: str | None = None
    mandate: str | None = None
    reason: str | None = Field(None, description=WORD)
    suggested_agency: str | None = None
    letter: dict[str, Any] | None = None
    recorded_by_sender: bool | None = None
    because: Because | None = Field(None, description="Why the law itself made this move.")


# register and registry


class Mapped(Said):
    """What kind of vulnerability, and how far it is known."""

    category: str
    information_status: str


class VulnerabilityChanged(Changed):
    """The members that were changed; `from` and `to` are its information status."""

    from_: str | None = Field(None, alias="from")
    to: str | None = None


class Evidenced(Said):
    """The evidence that was brought."""

    evidence: UUID
    source_type: str


class Assessed(Said):
    """How an agency judged it: likelihood and impact from 1 to 5, and the levels that follow."""

    assessment: UUID
    likelihood: int
    impact: int
    risk_level: RiskLevel
    residual_risk: RiskLevel | None


class Held(Said):
    """When it was held."""

    held_on: date


class Decided(Said):
    """The decision that was entered."""

    decision: UUID
