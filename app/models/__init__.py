"""Tables. Never sent, never received: the wire has its own classes in `app.schemas`."""

from sqlalchemy import DateTime, Text
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

from app.models import event
from app.models.access import (
    Client,
    ClientKey,
    ClientSecret,
    Epoch,
    IdempotencyRecord,
    RevokedToken,
    SigningKey,
    UsedAssertion,
)
from app.models.agency import Agency, AgencyRegion, AgencyType, Member
from app.models.assessment import Assessment, PublishedIndex
from app.models.closure import MandateClosure
from app.models.deadline import Deadline
from app.models.law import (
    Calendar,
    ClockStart,
    ClosingRequirement,
    DeadlineRelation,
    DeadlineRule,
    Escalation,
    Holiday,
    LegalInstrument,
    Mandate,
    Recusal,
    ReferralClockStart,
)
from app.models.log import (
    Cosignature,
    LogEntry,
    LogHead,
    LogKey,
    LogNode,
    LostHead,
    RetiredFact,
    RetiredYear,
    SealingKey,
    Unsequenced,
)
from app.models.meeting import Decision, Meeting
from app.models.reference import Category, Election, Enumeration, EnumerationValue, Region, Stage
from app.models.referral import Referral
from app.models.task import Assignment, Comment, Share, Task, TaskVulnerability
from app.models.vulnerability import Vulnerability, VulnerabilityEvidence
from app.models.webhook import Delivery, Webhook, WebhookSecret
from app.models.word import Word

__all__ = [
    "Agency",
    "AgencyRegion",
    "AgencyType",
    "Assessment",
    "Assignment",
    "Calendar",
    "Category",
    "Client",
    "ClientKey",
    "ClientSecret",
    "ClockStart",
    "ClosingRequirement",
    "Comment",
    "Cosignature",
    "Deadline",
    "DeadlineRelation",
    "DeadlineRule",
    "Decision",
    "Delivery",
    "Election",
    "Enumeration",
    "EnumerationValue",
    "Epoch",
    "Escalation",
    "Holiday",
    "IdempotencyRecord",
    "LegalInstrument",
    "LogEntry",
    "LogHead",
    "LogKey",
    "LogNode",
    "LostHead",
    "Mandate",
    "MandateClosure",
    "Meeting",
    "Member",
    "PublishedIndex",
    "Recusal",
    "Referral",
    "ReferralClockStart",
    "Region",
    "RetiredFact",
    "RetiredYear",
    "RevokedToken",
    "SealingKey",
    "Share",
    "SigningKey",
    "Stage",
    "Task",
    "TaskVulnerability",
    "Unsequenced",
    "UsedAssertion",
    "Vulnerability",
    "VulnerabilityEvidence",
    "Webhook",
    "WebhookSecret",
    "Word",
    "event",
    "metadata",
]

metadata = SQLModel.metadata

# SQLModel's strings become VARCHAR; ours are plain text, and instants plain timestamptz.
for _table in metadata.tables.values():
    for _column in _table.columns:
        if isinstance(_column.type, AutoString):
            _column.type = Text()
        elif isinstance(_column.type, UTCDateTime):
            _column.type = DateTime(timezone=True)
