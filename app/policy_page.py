"""The policy as pages to read: who may do what, in words, and every cell of role, standing, action and status.

Made from the very tables that decide, so a change of a rule shows as a change of a page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from app.openapi import operations
from app.rules import policy
from app.rules.policy import ENTRANCES, GRANTS, Permission
from app.rules.vocabulary import Action, ReferralStatus, Role, Standing, Status
from app.rules.workflow import REFERRAL_MOVES, TASK_MOVES, ReferralMove, Transition

S = Standing
#: How each standing is said of an agency.
SAID: Final[dict[S, str]] = {
    S.OWNER: "the agency accountable for the task; of a vulnerability or meeting, the one that mapped or hosts it",
    S.LOGGER: "the agency that logged the record",
    S.JUDGE: "the logger of a task, unless the case is about its own people",
    S.REFERRED_TO: "the agency that the open referral is addressed to",
    S.SENDER: "the agency that sent the open referral",
    S.SUPPORTING: "an agency that the mandate names in support",
    S.INFORMED: "an agency that the mandate or an escalation keeps informed",
    S.SHARED: "an agency with which the whole task is shared, or which kept its access when it handed the task over",
    S.COORDINATOR: "KPU or Bawaslu of the place, of what is not rahasia, unless the case is about its own people",
    S.FORMER: "an agency that owned the task or returned its referral, or with which only the summary is shared",
    S.RESIDENT: "any agency of the region, or of one above it, where the task is terbuka",
    S.OWN_AGENCY: "the agency to which the client in question belongs",
    S.SELF: "the very client in question, with a token for its full role",
    S.OUTSIDER: "everybody",
}
#: What no operation names, because it is asked once more inside one that another permission opens.
WITHIN: Final[dict[Permission, tuple[str, ...]]] = {
    Permission.CLIENT_CLEAR: ("createClient", "updateClient", "rotateSecret", "registerKey"),
    Permission.TASK_READ_SUMMARY: ("listTasks", "showTask"),
    Permission.TASK_RENUMBER: ("updateTask",),
    Permission.TASK_DECLASSIFY: ("updateTask",),
    Permission.EVENT_READ_ACCESS: ("listEvents", "listEntries"),
}
#: An answer that comes by letter is recorded by the sender; the cells of it stand in capitals.
_BY_LETTER: Final = frozenset({Action.RECEIVE, Action.ACCEPT, Action.RETURN})
#: How an agency can stand to a task: the columns of client registers are not among them.
OF_TASKS: Final = tuple(one for one in Standing if one not in {S.OWN_AGENCY, S.SELF})
#: One letter for each word, in the order of the vocabulary.
_STANDING: Final = dict(zip(Standing, "oljtsuihcframx", strict=True))
_STATUS: Final = dict(zip(Status, "darcpwvzx", strict=True))
_REFERRAL: Final = dict(zip(ReferralStatus, "srabw", strict=True))
_TASK_ACTIONS: Final = tuple(dict.fromkeys(move.action for move in TASK_MOVES))
_REFERRAL_ACTIONS: Final = tuple(move.action for move in REFERRAL_MOVES)

_HEAD: Final = """\
# Who may do what

Made by `make openapi` from `app/rules/policy.py` and `app/rules/workflow.py`. What is not here is denied. A client has
one role; a supervisor may whatever an officer may, an officer whatever a viewer may, the other roles stand alone.
Standings add up: an agency may what any one of them gives.

All {cells:,} cells of role, standing, action and status stand in [policy-cells.txt](policy-cells.txt).
"""
_HEAD_OF_CELLS: Final = """\
Every cell of the policy, {cells:,} of them, one character each; a dot is a denial. Made by `make openapi`.
policy.md says it in words, and what no cell shows: four eyes, open referrals, recusal, clearance."""


def permission_of(operation: dict[str, Any]) -> Permission | None:
    """The permission that an operation of the document names."""
    named = re.search(r"Permission: `([a-z._]+)`\.$", operation["description"])
    return Permission(named[1]) if named else None


def policy_page(document: dict[str, Any]) -> str:
    """The Markdown page: standings, permissions with their operations, moves, what the table alone does not say."""
    return "\n".join(
        [
            _HEAD.format(cells=cells()),
            *_standings(),
            *_permissions(document),
            *_moves(),
            _beside(),
        ]
    )


def _table(head: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for line in (head, ("---",) * len(head), *lines):
        yield f"| {' | '.join(line)} |"
    yield ""


def _standings() -> Iterator[str]:
    yield from ("## How an agency may stand to a record", "")
    yield from _table(("standing", "is"), [(one.value, SAID[one]) for one in Standing])


def _permissions(document: dict[str, Any]) -> Iterator[str]:
    yield from ("## Permissions", "")
    yield "`any` is any client of the role, however its agency stands to the record; `by` lists the least roles."
    yield ""
    opened: dict[Permission, list[str]] = {permission: [] for permission in Permission}
    for path, method, operation in operations(document):
        named = permission_of(operation)
        for one in (named, *ENTRANCES.get(named, ())) if named else ():
            opened[one].append(f"`{operation['operationId']}` {method.upper()} {path}")
    for permission, names in WITHIN.items():
        opened[permission].append(f"asked within {', '.join(f'`{name}`' for name in names)}")
    lines = [(f"`{one.value}`", _granted(one), "<br>".join(opened[one])) for one in Permission]
    yield from _table(("permission", "by", "opens"), lines)


def _granted(permission: Permission) -> str:
    """In words: which role may, and how its agency must stand."""
    if permission in ENTRANCES:
        return "whoever may " + ", ".join(f"`{one.value}`" for one in Permission if one in ENTRANCES[permission])
    return "; ".join(f"{role.value}: {_either(held)}" for role, held in GRANTS[permission].items())


def _either(standings: frozenset[S]) -> str:
    return "any" if S.OUTSIDER in standings else " or ".join(one.value for one in Standing if one in standings)


def _moves() -> Iterator[str]:
    yield from ("## Moves", "", "Of a task:", "")
    head = ("action", "while", "becomes", "by", "must say", "and")
    yield from _table(head, [_move(move, Status, move.target, _conditions(move)) for move in TASK_MOVES])
    yield from ("Of a referral, and of its task with it:", "")
    lines = []
    for answer in REFERRAL_MOVES:
        follows = ", ".join(f"{source} → {target}" for source, target in answer.task_target.items())
        lines.append(_move(answer, ReferralStatus, answer.target, f"the task {follows}" if follows else ""))
    yield from _table(head, lines)


def _move(
    move: Transition | ReferralMove, order: type[Status | ReferralStatus], target: str, conditions: str
) -> tuple[str, ...]:
    sources = ", ".join(one.value for one in order if one in move.sources)
    return (move.action, sources, target, _granted(move.permission), ", ".join(move.requires), conditions)


def _conditions(move: Transition) -> str:
    said = {
        "no referral is open": move.halted_by_referral,
        "never by the client that resolved": move.four_eyes,
    }
    return "; ".join(words for words, holds in said.items() if holds)


_BESIDE: Final = """\
## What no cell shows

* **Four eyes.** {judged}: never by the client that resolved, whatever its standing (422 `four-eyes`).
* **An open referral** stands in the way of {halted} of work under way (409 `referral-open`).
* **Recusal.** An office recused for the subject of a case (`app/data/recusals.csv`) is neither its judge nor its
  coordinator, and acts in it for itself only, never for a joint centre of which it is a member.
* **By letter.** `referral.record_answer` holds only while the receiver has no active client.
* **Clearance.** To a client without it what is `rahasia` is not there (404), whatever its agency's standing.
* **Drafts** are their logger's alone, whatever is shared and however open they will be.
* **An expert** stands to a task as `shared`, or not at all.
"""


def _beside() -> str:
    halted = ", ".join(dict.fromkeys(f"`{move.action}`" for move in TASK_MOVES if move.halted_by_referral))
    judged = ", ".join(dict.fromkeys(f"`{move.action}`" for move in TASK_MOVES if move.four_eyes))
    return _BESIDE.format(halted=halted, judged=judged)


def cells() -> int:
    """How many cells the full matrix has."""
    of_permissions = len(GRANTS) * len(Role) * len(Standing)
    of_tasks = len(_TASK_ACTIONS) * len(Role) * len(OF_TASKS) * len(Status)
    return of_permissions + of_tasks + len(_REFERRAL_ACTIONS) * len(Role) * len(OF_TASKS) * len(ReferralStatus)


def allowed_task_move(role: Role, standing: S, action: Action, status: Status) -> bool:
    """One cell: whether this standing alone lets the role make the move in this status."""
    return any(
        policy.may(role, move.permission, {standing})
        for move in TASK_MOVES
        if move.action is action and status in move.sources
    )


def allowed_referral_move(role: Role, standing: S, action: Action, status: ReferralStatus) -> str:
    """One cell of a referral's moves: "yes", "letter" where the answer came by letter, or nothing."""
    (move,) = [one for one in REFERRAL_MOVES if one.action is action]
    if status not in move.sources:
        return ""
    if policy.may(role, move.permission, {standing}):
        return "yes"
    by_letter = action in _BY_LETTER and policy.may(role, Permission.REFERRAL_RECORD_ANSWER, {standing})
    return "letter" if by_letter else ""


def policy_cells() -> str:
    """Every cell as one character: a dot where it is denied."""
    lines = [
        _HEAD_OF_CELLS.format(cells=cells()),
        *_legend("Standings", _STANDING),
        "",
        _row(f"{'PERMISSION':<24}", Role, cell=len(Standing)),
    ]
    for permission in GRANTS:
        marks = [
            "".join(x if policy.may(role, permission, {standing}) else "." for standing, x in _STANDING.items())
            for role in Role
        ]
        lines.append(_row(f"{permission:<24}", marks, cell=len(Standing)))
    lines += _legend("Moves of a task, by its status", _STATUS)
    for action in _TASK_ACTIONS:
        lines += ["", _row(f"{action.upper():<14}", Role)]
        for standing in OF_TASKS:
            marks = [
                "".join(x if allowed_task_move(role, standing, action, s) else "." for s, x in _STATUS.items())
                for role in Role
            ]
            lines.append(_row(f"{standing:<14}", marks))
    lines += _legend("Moves of a referral, by its status; in capitals where the answer came by letter", _REFERRAL)
    for action in _REFERRAL_ACTIONS:
        lines += ["", _row(f"{action.upper():<14}", Role)]
        for standing in OF_TASKS:
            marks = ["".join(_answer(role, standing, action, s, x) for s, x in _REFERRAL.items()) for role in Role]
            lines.append(_row(f"{standing:<14}", marks))
    return "\n".join([*lines, ""])


def _legend(what: str, letters: dict[Any, str]) -> list[str]:
    return ["", f"{what}:", "  " + "  ".join(f"{letter} {word}" for word, letter in letters.items())]


def _row(first: str, rest: Iterable[str], cell: int = 12) -> str:
    return f"{first} {' '.join(f'{one:<{cell}}' for one in rest)}".rstrip()


def _answer(role: Role, standing: S, action: Action, status: ReferralStatus, letter: str) -> str:
    return {"yes": letter, "letter": letter.upper()}.get(allowed_referral_move(role, standing, action, status), ".")
