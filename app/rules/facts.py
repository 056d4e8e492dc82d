"""The facts that the log knows, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final


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
    TASK_SUCCEEDED = "task.succeeded"
    TASK_MANDATE_ENDED = "task.mandate_ended"
    TASK_SHARED = "task.shared"
    TASK_UNSHARED = "task.unshared"
    TASK_COMMENTED = "task.commented"
    REFERRAL_SENT = "referral.sent"
    REFERRAL_RECEIVED = "referral.received"
    REFERRAL_ACCEPTED = "referral.accepted"
    REFERRAL_RETURNED = "referral.returned"
    REFERRAL_WITHDRAWN = "referral.withdrawn"
    DEADLINE_STARTED = "deadline.started"
    DEADLINE_APPROACHING = "deadline.approaching"
    DEADLINE_BREACHED = "deadline.breached"
    DEADLINE_MET = "deadline.met"
    DEADLINE_PAUSED = "deadline.paused"
    DEADLINE_RESUMED = "deadline.resumed"
    DEADLINE_EXTENDED = "deadline.extended"
    DEADLINE_REVISED = "deadline.revised"
    DEADLINE_RECOMPUTED = "deadline.recomputed"
    DEADLINE_VOIDED = "deadline.voided"
    VULNERABILITY_MAPPED = "vulnerability.mapped"
    VULNERABILITY_UPDATED = "vulnerability.updated"
    VULNERABILITY_EVIDENCED = "vulnerability.evidenced"
    VULNERABILITY_ASSESSED = "vulnerability.assessed"
    MEETING_HELD = "meeting.held"
    MEETING_UPDATED = "meeting.updated"
    MEETING_DECIDED = "meeting.decided"
    AGENCY_CREATED = "agency.created"
    AGENCY_UPDATED = "agency.updated"
    INSTRUMENT_CREATED = "legal_instrument.created"
    INSTRUMENT_UPDATED = "legal_instrument.updated"
    MANDATE_CREATED = "mandate.created"
    MANDATE_CLOSURE_PROPOSED = "mandate.closure_proposed"
    MANDATE_CLOSURE_REJECTED = "mandate.closure_rejected"
    MANDATE_CLOSED = "mandate.closed"
    CALENDAR_CORRECTED = "calendar.corrected"
    ELECTION_CREATED = "election.created"
    ELECTION_UPDATED = "election.updated"
    STAGE_CREATED = "stage.created"
    STAGE_UPDATED = "stage.updated"
    CLIENT_CREATED = "client.created"
    CLIENT_UPDATED = "client.updated"
    CLIENT_SUSPENDED = "client.suspended"
    CLIENT_REINSTATED = "client.reinstated"
    CLIENT_REVOKED = "client.revoked"
    SECRET_CREATED = "secret.created"
    SECRET_ROTATED = "secret.rotated"
    SECRET_REVOKED = "secret.revoked"
    SECRET_MISUSED = "secret.misused"
    KEY_REGISTERED = "key.registered"
    KEY_REVOKED = "key.revoked"
    KEY_MISUSED = "key.misused"
    TOKEN_REVOKED = "token.revoked"
    TOKENS_REVOKED = "tokens.revoked"
    CREDENTIAL_EXPIRING = "credential.expiring"
    AGENCY_SUSPENDED = "agency.suspended"
    AGENCY_REINSTATED = "agency.reinstated"
    SIGNING_KEY_ADDED = "signing_key.added"
    SIGNING_KEY_ACTIVATED = "signing_key.activated"
    SIGNING_KEY_ENDED = "signing_key.ended"
    LOG_KEY_ADDED = "log_key.added"
    LOG_KEY_RETIRED = "log_key.retired"
    LOG_COSIGNED = "log.cosigned"
    LOG_HEAD_LOST = "log.head_lost"
    LOG_RESUMED = "log.resumed"
    LOG_RETIRED = "log.retired"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_UPDATED = "webhook.updated"
    WEBHOOK_DELETED = "webhook.deleted"
    WEBHOOK_SECRET_ROTATED = "webhook.secret_rotated"
    WEBHOOK_PARKED = "webhook.parked"
    WEBHOOK_RESUMED = "webhook.resumed"
    REQUEST_REFUSED = "request.refused"
    AUTHENTICATION_FAILED = "authentication.failed"
    PERSON_ERASED = "person.erased"
    RECORD_ERASED = "record.erased"


#: The members of a fact that people wrote: they enter the log as commitments, and are kept sealed beside it.
WORDS: Final = frozenset({"reason", "note", "facts", "title", "description", "body"})

#: The members of a task that its facts set, so that its past can be told from them. Its links to the register are not
#: among them: who hears of a task need not see what it is linked to.
STATE: Final = (
    *("title", "description", "category", "subcategory", "function", "variant", "subject_kind", "region"),
    *("polling_station", "event_at", "due_at", "classification", "priority", "external_reference", "logged_by"),
    *("holder", "accountable", "mandate", "mandate_ended", "supporting", "informed", "status", "outcome", "note"),
    *("facts", "open_referral"),
)


def told(state: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a fact that set these columns of a task says of its state; None: it left the task alone.

    Words that are there stand beside the state, to be sealed, and the state's own `words` names them.
    """
    if state is None:
        return {}
    members = {name: _in_utc(state[name]) for name in (*STATE, "version") if name in state}
    words = {name: members.pop(name) for name in sorted(WORDS) if members.get(name)}
    return {**words, "state": {**members, **({"words": [*words]} if words else {})}}


def _in_utc(content: Any) -> Any:
    return content.astimezone(UTC) if isinstance(content, datetime) else content


class Family(StrEnum):
    """Facts that the same callers hear of."""

    WORK = "work"  # who sees the whole task
    VULNERABILITY = "vulnerability"  # who sees the vulnerability
    MEETING = "meeting"  # who sees the meeting
    REGISTRY = "registry"  # everybody
    ACCESS = "access"  # the agency they are of or about, and operators


_OF_WORK: Final = frozenset({"task", "referral", "deadline"})
_OF_REGISTRY: Final = frozenset({"legal_instrument", "mandate", "calendar", "election", "stage", "log_key", "log"})
_OF_ITSELF: Final = {"vulnerability": Family.VULNERABILITY, "meeting": Family.MEETING}
_PUBLIC: Final = frozenset({EventKind.AGENCY_CREATED, EventKind.AGENCY_UPDATED})


def family(kind: EventKind) -> Family:
    """Which facts this kind is one of."""
    first = kind.partition(".")[0]
    if first in _OF_WORK:
        return Family.WORK
    if first in _OF_REGISTRY or kind in _PUBLIC:
        return Family.REGISTRY
    return _OF_ITSELF.get(first, Family.ACCESS)


#: The kinds of each family.
KINDS: Final[Mapping[Family, frozenset[EventKind]]] = {
    one: frozenset(kind for kind in EventKind if family(kind) is one) for one in Family
}

#: What a filter may name, and the kinds that it then means: one by itself, or all about one noun (`task.*`).
NAMED: Final[Mapping[str, frozenset[EventKind]]] = {
    **{kind: frozenset({kind}) for kind in EventKind},
    **{
        f"{noun}.*": frozenset(kind for kind in EventKind if kind.startswith(f"{noun}."))
        for noun in dict.fromkeys(kind.partition(".")[0] for kind in EventKind)
    },
}


def kinds(names: Iterable[str] | None) -> frozenset[EventKind] | None:
    """The kinds that a filter of these names (`NAMED`) lets through; None, for all, where it names none."""
    return frozenset[EventKind]().union(*(NAMED[name] for name in names)) if names else None
