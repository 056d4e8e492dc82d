"""The facts that the log knows, by name."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


class EventKind(StrEnum):
    """A fact, as the log names it."""

    TASK_DRAFTED = "task.drafted"
    TASK_LOGGED = "task.logged"
    TASK_UPDATED = "task.updated"
    TASK_SUBMITTED = "task.submitted"
    TASK_STARTED = "task.started"
    TASK_INFO_AWAITED = "task.info_awaited"
    TASK_RESUMED = "task.resumed"
    TASK_RESOLVED = "task.resolved"
    TASK_CONFIRMED = "task.confirmed"
    TASK_OUTCOME_REJECTED = "task.outcome_rejected"
    TASK_REOPENED = "task.reopened"
    TASK_CANCELLED = "task.cancelled"
    TASK_SHARED = "task.shared"
    TASK_UNSHARED = "task.unshared"
    TASK_COMMENTED = "task.commented"
    REFERRAL_SENT = "referral.sent"
    REFERRAL_RECEIVED = "referral.received"
    REFERRAL_ACCEPTED = "referral.accepted"
    REFERRAL_RETURNED = "referral.returned"
    REFERRAL_WITHDRAWN = "referral.withdrawn"
    VULNERABILITY_MAPPED = "vulnerability.mapped"
    VULNERABILITY_UPDATED = "vulnerability.updated"
    VULNERABILITY_EVIDENCED = "vulnerability.evidenced"
    MEETING_HELD = "meeting.held"
    MEETING_UPDATED = "meeting.updated"
    MEETING_DECIDED = "meeting.decided"
    AGENCY_CREATED = "agency.created"
    AGENCY_UPDATED = "agency.updated"
    INSTRUMENT_CREATED = "legal_instrument.created"
    INSTRUMENT_UPDATED = "legal_instrument.updated"
    MANDATE_CREATED = "mandate.created"
    ELECTION_CREATED = "election.created"
    ELECTION_UPDATED = "election.updated"
    STAGE_CREATED = "stage.created"
    STAGE_UPDATED = "stage.updated"
    CLIENT_CREATED = "client.created"
