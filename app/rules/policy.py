"""Who may do what: one table, deny by default."""

from __future__ import annotations

from collections.abc import Mapping, Set
from enum import StrEnum
from typing import Final

from app.errors import PermissionDenied
from app.rules.facts import Family
from app.rules.vocabulary import Role
from app.rules.vocabulary import Standing as S


class Permission(StrEnum):
    """One thing a caller may be allowed to do."""

    SELF_READ = "self.read"
    REGISTRY_READ = "registry.read"
    REGISTRY_WRITE = "registry.write"
    CLIENT_READ = "client.read"
    CLIENT_CREATE = "client.create"
    CLIENT_CLEAR = "client.clear"
    CLIENT_UPDATE = "client.update"
    CLIENT_SUSPEND = "client.suspend"
    CLIENT_REVOKE = "client.revoke"
    SECRET_READ = "secret.read"
    SECRET_ROTATE = "secret.rotate"
    SECRET_REVOKE = "secret.revoke"
    KEY_READ = "key.read"
    KEY_REGISTER = "key.register"
    KEY_REVOKE = "key.revoke"
    TOKENS_REVOKE = "tokens.revoke"
    TOKENS_REVOKE_ALL = "tokens.revoke_all"
    AGENCY_SUSPEND = "agency.suspend"
    VULNERABILITY_READ = "vulnerability.read"
    VULNERABILITY_MAP = "vulnerability.map"
    VULNERABILITY_UPDATE = "vulnerability.update"
    VULNERABILITY_EVIDENCE = "vulnerability.evidence"
    MEETING_READ = "meeting.read"
    MEETING_HOLD = "meeting.hold"
    MEETING_UPDATE = "meeting.update"
    MEETING_DECIDE = "meeting.decide"
    TASK_LIST = "task.list"
    TASK_READ = "task.read"
    TASK_READ_SUMMARY = "task.read_summary"
    TASK_LOG = "task.log"
    TASK_UPDATE = "task.update"
    TASK_RENUMBER = "task.renumber"
    TASK_DECLASSIFY = "task.declassify"
    TASK_SUBMIT = "task.submit"
    TASK_START = "task.start"
    TASK_AWAIT_INFO = "task.await_info"
    TASK_RESUME = "task.resume"
    TASK_RESOLVE = "task.resolve"
    TASK_CONFIRM = "task.confirm"
    TASK_REJECT_OUTCOME = "task.reject_outcome"
    TASK_REOPEN = "task.reopen"
    TASK_CANCEL_OWN = "task.cancel_own"
    TASK_CANCEL_ACCEPTED = "task.cancel_accepted"
    TASK_MOVE = "task.move"
    TASK_SHARE = "task.share"
    TASK_COMMENT = "task.comment"
    REFERRAL_READ = "referral.read"
    REFERRAL_REFER = "referral.refer"
    REFERRAL_SEND = "referral.send"
    REFERRAL_SEND_AGAIN = "referral.send_again"
    REFERRAL_ANSWER = "referral.answer"
    REFERRAL_RECEIVE = "referral.receive"
    REFERRAL_ACCEPT = "referral.accept"
    REFERRAL_RETURN = "referral.return"
    REFERRAL_RECORD_ANSWER = "referral.record_answer"
    REFERRAL_WITHDRAW = "referral.withdraw"
    DEADLINE_READ = "deadline.read"
    DEADLINE_START = "deadline.start"
    DEADLINE_AGREE = "deadline.agree"
    DEADLINE_REVISE = "deadline.revise"
    DEADLINE_MOVE = "deadline.move"
    DEADLINE_MEET = "deadline.meet"
    DEADLINE_PAUSE = "deadline.pause"
    DEADLINE_RESUME = "deadline.resume"
    DEADLINE_EXTEND = "deadline.extend"
    DEADLINE_VOID = "deadline.void"
    EVENT_READ = "event.read"
    EVENT_READ_ACCESS = "event.read_access"
    LOG_READ = "log.read"
    LOG_COSIGN = "log.cosign"
    WEBHOOK_READ = "webhook.read"
    WEBHOOK_KEEP = "webhook.keep"
    PERSON_ERASE = "person.erase"


P = Permission
_V, _O, _SUP = Role.VIEWER, Role.OFFICER, Role.SUPERVISOR
_EVERYONE: Final = frozenset({S.OUTSIDER})
_OWN: Final = frozenset({S.OWN_AGENCY})
_OWNER: Final = frozenset({S.OWNER})
_LOGGER: Final = frozenset({S.LOGGER})
_REFERRED_TO: Final = frozenset({S.REFERRED_TO})
_PARTIES: Final = frozenset(
    {S.OWNER, S.LOGGER, S.REFERRED_TO, S.SENDER, S.SUPPORTING, S.INFORMED, S.SHARED, S.RESIDENT}
)
_SUMMARY: Final = _PARTIES | {S.COORDINATOR, S.FORMER}
_JUDGES: Final = frozenset({S.JUDGE, S.COORDINATOR})

#: Permissions a route may name although a row of the workflow decides the rest: any of these is enough to enter.
ENTRANCES: Final[Mapping[P, frozenset[P]]] = {
    P.TASK_MOVE: frozenset(
        {
            P.TASK_SUBMIT,
            P.TASK_START,
            P.TASK_AWAIT_INFO,
            P.TASK_RESUME,
            P.TASK_RESOLVE,
            P.TASK_CONFIRM,
            P.TASK_REJECT_OUTCOME,
            P.TASK_REOPEN,
            P.TASK_CANCEL_OWN,
            P.TASK_CANCEL_ACCEPTED,
        }
    ),
    P.REFERRAL_REFER: frozenset({P.REFERRAL_SEND, P.REFERRAL_SEND_AGAIN}),
    P.DEADLINE_MOVE: frozenset(
        {P.DEADLINE_MEET, P.DEADLINE_PAUSE, P.DEADLINE_RESUME, P.DEADLINE_EXTEND, P.DEADLINE_VOID}
    ),
    P.REFERRAL_ANSWER: frozenset({P.REFERRAL_RECEIVE, P.REFERRAL_ACCEPT, P.REFERRAL_RETURN, P.REFERRAL_RECORD_ANSWER}),
}

_ALL_ROLES: Final = dict.fromkeys((Role.VIEWER, Role.AUDITOR, Role.EXPERT, Role.AGENCY_ADMIN, Role.OPERATOR), _EVERYONE)
_READERS: Final = (Role.VIEWER, Role.AUDITOR, Role.EXPERT)
_ADMINS: Final = {Role.OPERATOR: _EVERYONE, Role.AGENCY_ADMIN: _OWN}
_ADMINS_OR_ITSELF: Final = {**dict.fromkeys(_READERS, frozenset({S.SELF})), **_ADMINS}

GRANTS: Final[Mapping[P, Mapping[Role, frozenset[S]]]] = {
    P.SELF_READ: _ALL_ROLES,
    P.REGISTRY_READ: _ALL_ROLES,
    P.REGISTRY_WRITE: {Role.OPERATOR: _EVERYONE},
    P.CLIENT_READ: _ADMINS,
    P.CLIENT_CREATE: _ADMINS,
    P.CLIENT_CLEAR: {Role.OPERATOR: _EVERYONE},
    P.CLIENT_UPDATE: _ADMINS,
    P.CLIENT_SUSPEND: _ADMINS,
    P.CLIENT_REVOKE: _ADMINS,
    P.SECRET_READ: _ADMINS_OR_ITSELF,
    P.SECRET_ROTATE: _ADMINS_OR_ITSELF,
    P.SECRET_REVOKE: _ADMINS,
    P.KEY_READ: _ADMINS_OR_ITSELF,
    P.KEY_REGISTER: _ADMINS_OR_ITSELF,
    P.KEY_REVOKE: _ADMINS,
    P.TOKENS_REVOKE: _ADMINS,
    P.TOKENS_REVOKE_ALL: {Role.OPERATOR: _EVERYONE},
    P.AGENCY_SUSPEND: {Role.OPERATOR: _EVERYONE},
    P.VULNERABILITY_READ: dict.fromkeys((Role.VIEWER, Role.AUDITOR), _EVERYONE),
    P.VULNERABILITY_MAP: {_O: _EVERYONE},
    P.VULNERABILITY_UPDATE: {_O: frozenset({S.OWNER, S.LOGGER})},
    P.VULNERABILITY_EVIDENCE: {_O: _EVERYONE},
    P.MEETING_READ: dict.fromkeys((Role.VIEWER, Role.AUDITOR), _EVERYONE),
    P.MEETING_HOLD: {_O: _EVERYONE},
    P.MEETING_UPDATE: {_O: frozenset({S.OWNER, S.LOGGER})},
    P.MEETING_DECIDE: {_O: frozenset({S.OWNER, S.LOGGER})},
    P.TASK_LIST: dict.fromkeys(_READERS, _EVERYONE),
    P.TASK_READ: {_V: _PARTIES, Role.AUDITOR: _PARTIES, Role.EXPERT: frozenset({S.SHARED})},
    P.TASK_READ_SUMMARY: {_V: _SUMMARY, Role.AUDITOR: _SUMMARY, Role.EXPERT: frozenset({S.SHARED})},
    P.TASK_LOG: {_O: _EVERYONE},
    P.TASK_UPDATE: {_O: frozenset({S.OWNER, S.LOGGER})},
    P.TASK_RENUMBER: {_O: _LOGGER},
    P.TASK_DECLASSIFY: {_O: _LOGGER},
    P.TASK_SUBMIT: {_O: _LOGGER},
    P.TASK_START: {_O: _OWNER},
    P.TASK_AWAIT_INFO: {_O: _OWNER},
    P.TASK_RESUME: {_O: _OWNER},
    P.TASK_RESOLVE: {_O: _OWNER},
    P.TASK_CONFIRM: {_SUP: _JUDGES},
    P.TASK_REJECT_OUTCOME: {_SUP: _JUDGES},
    P.TASK_REOPEN: {_SUP: _JUDGES | _OWNER},
    P.TASK_CANCEL_OWN: {_O: _LOGGER},
    P.TASK_CANCEL_ACCEPTED: {_SUP: _OWNER},
    P.TASK_SHARE: {_O: frozenset({S.OWNER, S.LOGGER})},
    P.TASK_COMMENT: {_O: _PARTIES, Role.EXPERT: frozenset({S.SHARED})},
    P.REFERRAL_READ: dict.fromkeys((Role.VIEWER, Role.AUDITOR), _EVERYONE),
    P.REFERRAL_SEND: {_O: _OWNER},
    P.REFERRAL_SEND_AGAIN: {_O: _LOGGER},
    P.REFERRAL_RECEIVE: {_O: _REFERRED_TO},
    P.REFERRAL_ACCEPT: {_O: _REFERRED_TO},
    P.REFERRAL_RETURN: {_O: _REFERRED_TO},
    P.REFERRAL_RECORD_ANSWER: {_SUP: frozenset({S.SENDER})},
    P.REFERRAL_WITHDRAW: {_O: frozenset({S.SENDER})},
    P.DEADLINE_READ: dict.fromkeys(_READERS, _EVERYONE),
    P.DEADLINE_START: {_O: _OWNER | _LOGGER},
    P.DEADLINE_AGREE: {_O: _OWNER | _LOGGER},
    P.DEADLINE_REVISE: {_O: _OWNER | _LOGGER},
    P.DEADLINE_MEET: {_O: _OWNER | _LOGGER},
    P.DEADLINE_PAUSE: {_O: _OWNER | _LOGGER},
    P.DEADLINE_RESUME: {_O: _OWNER | _LOGGER},
    P.DEADLINE_EXTEND: {_SUP: _OWNER | _LOGGER},
    P.DEADLINE_VOID: {_SUP: _OWNER | _LOGGER},
    P.EVENT_READ: _ALL_ROLES,
    P.EVENT_READ_ACCESS: {**_ADMINS_OR_ITSELF, Role.AUDITOR: _OWN | {S.SELF}},
    P.LOG_READ: _ALL_ROLES,
    P.LOG_COSIGN: dict.fromkeys((_SUP, Role.AGENCY_ADMIN), _OWN),
    P.WEBHOOK_READ: _ADMINS,
    P.WEBHOOK_KEEP: _ADMINS,
    P.PERSON_ERASE: _ADMINS,
}

_INCLUDES: Final[Mapping[Role, tuple[Role, ...]]] = {
    Role.OFFICER: (Role.OFFICER, Role.VIEWER),
    Role.SUPERVISOR: (Role.SUPERVISOR, Role.OFFICER, Role.VIEWER),
}


def included(role: Role) -> tuple[Role, ...]:
    """The role and every lesser role that it includes."""
    return _INCLUDES.get(role, (role,))


def may(role: Role, permission: P, standings: Set[S]) -> bool:
    """Whether a role with these standings holds the permission; everyone stands at least as outsider."""
    grants = GRANTS[permission]
    return any(S.OUTSIDER in granted or granted & standings for name in included(role) if (granted := grants.get(name)))


def may_enter(role: Role, permission: P) -> bool:
    """Whether some standing could give this role the permission: what a route checks before it reads the body."""
    wanted = ENTRANCES.get(permission, {permission})
    return any(GRANTS[one].get(name) for one in wanted for name in included(role))


#: The permission to hear of the facts of a family.
HEARING: Final[Mapping[Family, P]] = {
    Family.WORK: P.TASK_READ,
    Family.VULNERABILITY: P.VULNERABILITY_READ,
    Family.MEETING: P.MEETING_READ,
    Family.REGISTRY: P.REGISTRY_READ,
    Family.ACCESS: P.EVENT_READ_ACCESS,
}


def hears(role: Role) -> frozenset[Family]:
    """The families of facts that some standing lets this role hear of."""
    return frozenset(one for one, permission in HEARING.items() if may_enter(role, permission))


def require(role: Role, permission: P, standings: Set[S]) -> None:
    """Refuse unless `may`; raises PermissionDenied."""
    if not may(role, permission, standings):
        raise PermissionDenied(permission=permission.value)


def effective(role: Role) -> list[str]:
    """The permissions that some standing can give this role, sorted: what `/v1/me` shows."""
    return sorted(p.value for p in Permission if may_enter(role, p))
