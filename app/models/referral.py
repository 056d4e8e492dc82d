"""Referrals (pelimpahan): the only way a task changes hands."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel

from app.models.columns import Instant, identity, one_of, recorded, texts
from app.rules.vocabulary import Classification, ReferralStatus


class Referral(SQLModel, table=True):
    """One handing-over, from the letter sent to the answer.

    The last four columns are its task's, kept by `app.keep_readers`: a referral is seen by whom its task may be hidden
    from by now.
    """

    __table_args__ = (
        one_of("status", ReferralStatus),
        # a task has one open referral at most
        Index("uq_referral_open", "task_id", unique=True, postgresql_where="status in ('sent', 'received')"),
        # the referrals of a task
        Index("ix_referral_task_id", "task_id"),
        # the list, and the inbox and outbox of an agency, newest first
        Index("ix_referral_recorded_at", "recorded_at", "id"),
        Index("ix_referral_to_agency", "to_agency", "recorded_at", "id"),
        Index("ix_referral_from_agency", "from_agency", "recorded_at", "id"),
        # what the end of a mandate, or of an agency, takes from it
        Index("ix_referral_mandate", "mandate", postgresql_where="status in ('sent', 'received')"),
        # what an agency may read: row-level security
        Index("ix_referral_readers", "readers", postgresql_using="gin"),
    )
    id: UUID = identity()
    task_id: UUID = Field(foreign_key="task.id")
    from_agency: str = Field(foreign_key="agency.code")
    to_agency: str = Field(foreign_key="agency.code")
    status: str = ReferralStatus.SENT
    function: str
    variant: str | None = None
    mandate: str = Field(foreign_key="mandate.id")
    supporting: list[str] = texts()
    informed: list[str] = texts()
    letter_number: str | None = None
    letter_date: date | None = None
    letter_classification: str | None = None
    letter_urgency: str | None = None
    note: str | None = None
    retain_access: bool = False
    reason: str | None = None
    suggested_agency: str | None = Field(default=None, foreign_key="agency.code")
    answer_letter_number: str | None = None
    answer_letter_date: date | None = None
    answer_letter_classification: str | None = None
    answer_letter_urgency: str | None = None
    recorded_by_sender: bool = False
    effective_at: Instant
    received_at: Instant | None = None
    answered_at: Instant | None = None
    recorded_at: datetime = recorded()
    updated_at: datetime = recorded()
    version: int = 1
    mandate_checked: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    task_reference: str = Field(default="", sa_column_kwargs={"server_default": ""})
    classification: str = Field(
        default=Classification.RAHASIA, sa_column_kwargs={"server_default": Classification.RAHASIA}
    )
    recused_offices: list[str] = texts(server_default="{}")
    readers: list[str] = texts(server_default="{}")
