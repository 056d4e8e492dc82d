"""The words of the domain, one per thing, as they stand in code, SQL, URL and log."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a client may do for its agency; viewer, officer and supervisor include one another."""

    VIEWER = "viewer"
    OFFICER = "officer"
    SUPERVISOR = "supervisor"
    AUDITOR = "auditor"
    EXPERT = "expert"
    AGENCY_ADMIN = "agency_admin"
    OPERATOR = "operator"


class Standing(StrEnum):
    """How an agency stands to one record."""

    OWNER = "owner"
    LOGGER = "logger"
    JUDGE = "judge"  # the logger, unless the case is about its own people
    REFERRED_TO = "referred_to"
    SENDER = "sender"
    SUPPORTING = "supporting"
    INFORMED = "informed"
    SHARED = "shared"
    COORDINATOR = "coordinator"
    FORMER = "former"
    RESIDENT = "resident"
    OWN_AGENCY = "own_agency"
    SELF = "self"  # the very client that asks, in its full role
    OUTSIDER = "outsider"


class Access(StrEnum):
    """How much of a task a reader sees."""

    FULL = "full"
    SUMMARY = "summary"


class Status(StrEnum):
    """Where a task stands."""

    DRAFT = "draft"
    ASSIGNED = "assigned"
    RETURNED = "returned"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    AWAITING_INFO = "awaiting_info"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class ReferralStatus(StrEnum):
    """Where a referral (pelimpahan) stands."""

    SENT = "sent"
    RECEIVED = "received"
    ACCEPTED = "accepted"
    RETURNED = "returned"
    WITHDRAWN = "withdrawn"


class ClosureStatus(StrEnum):
    """Where the closing of a mandate stands, which takes two operators."""

    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"


class Action(StrEnum):
    """A move of a task or of its referral."""

    LOG = "log"
    SUBMIT = "submit"
    START = "start"
    AWAIT_INFO = "await_info"
    RESUME = "resume"
    RESOLVE = "resolve"
    CONFIRM = "confirm"
    REJECT_OUTCOME = "reject_outcome"
    REOPEN = "reopen"
    CANCEL = "cancel"
    REFER = "refer"
    RECEIVE = "receive"
    ACCEPT = "accept"
    RETURN = "return"
    WITHDRAW = "withdraw"


class Classification(StrEnum):
    """Security class of a record (Peraturan ANRI 17/2011); the fourth, sangat_rahasia, is refused."""

    TERBUKA = "terbuka"
    TERBATAS = "terbatas"
    RAHASIA = "rahasia"


class Clearance(StrEnum):
    """The highest class a client may read."""

    TERBATAS = "terbatas"
    RAHASIA = "rahasia"


class Instant(StrEnum):
    """Which instant picks a mandate row (`resolve_at`)."""

    CREATION = "creation"
    REFERRAL = "referral"
    EVENT = "event"


class Priority(StrEnum):
    """How soon a task wants doing."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class InformationStatus(StrEnum):
    """What is known of a piece of information; a rumour is never shown as fact."""

    RUMOUR = "rumour"
    CLAIMED = "claimed"
    UNDER_VERIFICATION = "under_verification"
    VERIFIED = "verified"
    REFUTED = "refuted"


class CaseOutcome(StrEnum):
    """How the work on a task ended."""

    PROVEN = "proven"
    NOT_PROVEN = "not_proven"
    STOPPED = "stopped"
    FORWARDED = "forwarded"
    MITIGATED = "mitigated"
    NO_INCIDENT = "no_incident"


class Function(StrEnum):
    """The kind of work that a mandate covers."""

    PREVENTION = "prevention"
    MONITORING = "monitoring"
    HANDLING = "handling"
    ADJUDICATION = "adjudication"
    SANCTION = "sanction"
    SECURITY = "security"
    LOGISTICS = "logistics"


class SubjectKind(StrEnum):
    """Whom a case is about, as far as recusals ask."""

    ANY = "any"
    CITY_OFFICIAL = "city_official"
    CITY_HEAD = "city_head"
    KPU_MEMBER = "kpu_member"
    KPU_ADHOC_MEMBER = "kpu_adhoc_member"
    BAWASLU_MEMBER = "bawaslu_member"
    POLICE_OFFICER_CITY = "police_officer_city"
    SOLDIER_KODIM = "soldier_kodim"
    KODIM_COMMANDER = "kodim_commander"


class Urgency(StrEnum):
    """Urgency of an official letter (sifat)."""

    BIASA = "biasa"
    SEGERA = "segera"
    SANGAT_SEGERA = "sangat_segera"


class RequestedClassification(StrEnum):
    """The classes of Peraturan ANRI 17/2011 as a caller may name them; sangat_rahasia is refused."""

    TERBUKA = "terbuka"
    TERBATAS = "terbatas"
    RAHASIA = "rahasia"
    SANGAT_RAHASIA = "sangat_rahasia"


class FacilityOwner(StrEnum):
    """Whose facility is misused."""

    PUBLIC = "public"
    GOVERNMENT = "government"
    MILITARY = "military"
    POLICE = "police"
    WORSHIP = "worship"
    EDUCATION = "education"


class ReachLevel(StrEnum):
    """How far a story has spread."""

    LOCAL = "local"
    REGIONAL = "regional"
    NATIONAL = "national"


class CandidatePath(StrEnum):
    """How a candidate came to run."""

    PARTY = "party"
    INDEPENDENT = "independent"


class EvidenceSource(StrEnum):
    """What kind of source a vulnerability rests on."""

    PILEG = "pileg"
    PREVIOUS_PILKADA = "previous_pilkada"
    SUPERVISOR_MAPPING = "supervisor_mapping"
    MEETING_STATEMENT = "meeting_statement"
    PRESS_REPORT = "press_report"
    COURT_DECISION = "court_decision"
    PARTY_ASSIGNMENT_LETTER = "party_assignment_letter"
    PARTY_ENDORSEMENT = "party_endorsement"
    PARTY_APPROVAL_FORM = "party_approval_form"


class Level(StrEnum):
    """Administrative level of an agency."""

    NATIONAL = "national"
    PROVINCE = "province"
    REGENCY = "regency"
    CITY = "city"
    DISTRICT = "district"
    VILLAGE = "village"
    POLLING_STATION = "polling_station"


class Tier(StrEnum):
    """Level of an office; city stands for regency or city."""

    NATIONAL = "national"
    PROVINCE = "province"
    CITY = "city"
    DISTRICT = "district"
    VILLAGE = "village"
    POLLING_STATION = "polling_station"


class RiskLevel(StrEnum):
    """How high a risk is; `app.rules.risk` says from which product of likelihood and impact."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class AssignmentRole(StrEnum):
    """What an agency has to do with a task."""

    ACCOUNTABLE = "accountable"
    SUPPORTING = "supporting"
    INFORMED = "informed"


class ClientStatus(StrEnum):
    """Whether a client may be used."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class KeyState(StrEnum):
    """Where a signing key stands in the ring: published, then signing, then verifying only, then gone."""

    NEXT = "next"
    ACTIVE = "active"
    PASSIVE = "passive"
    DEAD = "dead"


class Finality(StrEnum):
    """How far a fact is beyond dispute: under no signed head, under one, under one that enough agencies cosigned."""

    PENDING = "pending"
    SEALED = "sealed"
    WITNESSED = "witnessed"
