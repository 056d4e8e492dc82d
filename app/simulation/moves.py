"""What is done to a task once it is logged: each act changes its rows and enters its facts, as the services do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from app.rules.facts import EventKind
from app.rules.law import Question, Resolution
from app.rules.vocabulary import AssignmentRole, CaseOutcome, ReferralStatus, Role, Status
from app.simulation import clocks, texts
from app.simulation.matters import COMMENTS, NOTES, ONWARD, REASONS
from app.simulation.nation import LawBook, Place
from app.simulation.telling import By, Row, Telling

_NO_OUTCOME: Final[Mapping[str, Any]] = {"outcome": None, "note": None, "facts": {}, "resolved_by": None}
_WAITING: Final = ("id", "from_agency", "to_agency", "status", "function", "variant", "mandate", "effective_at")
_CALM: Final = (CaseOutcome.MITIGATED, CaseOutcome.MITIGATED, CaseOutcome.NO_INCIDENT)
_OUTCOMES: Final = {
    "handling": (CaseOutcome.PROVEN, CaseOutcome.NOT_PROVEN, CaseOutcome.FORWARDED, CaseOutcome.STOPPED),
    "adjudication": (CaseOutcome.PROVEN, CaseOutcome.NOT_PROVEN, CaseOutcome.FORWARDED),
    "sanction": (CaseOutcome.PROVEN, CaseOutcome.NOT_PROVEN),
}


class Moves:
    """The acts of one task's life."""

    def __init__(self, telling: Telling, book: LawBook, place: Place) -> None:
        self.telling, self.book, self.place, self.dice = telling, book, place, telling.dice
        self.sent: Row | None = None

    @property
    def task(self) -> Row:
        """The task's row."""
        return self.telling.task

    def ask(self, category: str, function: str, variant: str, subject_kind: str, *, of: tuple[str, Any]) -> Resolution:
        """Whom the law names now; `of` are the region, and when the matter happened (None: now)."""
        asked = {"category": category, "function": function, "variant": variant, "subject_kind": subject_kind or "any"}
        at = self.telling.at
        return self.book.ask(Question(region=of[0], at=at, event_at=of[1] or at, **asked))

    # referrals

    def send(self, answer: Resolution, function: str, variant: str, sender: str) -> Row:
        """A new referral to whom the law names; the task waits for its answer."""
        now = self.telling.now
        self.sent = {
            "id": self.dice.id(now),
            "task_id": self.task["id"],
            "from_agency": sender,
            "to_agency": answer.accountable,
            "status": ReferralStatus.SENT.value,
            "function": function,
            "variant": variant or None,
            "mandate": mandate_of(answer),
            "supporting": list(answer.supporting),
            "informed": list(answer.informed),
            "retain_access": False,
            "recorded_by_sender": False,
            "reason": None,
            "effective_at": self.telling.at,
            "received_at": None,
            "answered_at": None,
            "recorded_at": now,
            "updated_at": now,
            "version": 1,
        }
        self.telling.rows["referral"].append(self.sent)
        return self.sent

    def waiting(self) -> dict[str, Any] | None:
        """The open referral as its task shows it."""
        return self.sent and {name: self.sent[name] for name in _WAITING}

    def _answered(self, by: By, kind: EventKind, status: ReferralStatus, said: dict[str, Any], **changed: Any) -> Row:
        """Move the open referral, let the task be what it is then, and enter the fact."""
        sent, task, before = self._open(), self.task, self.task["status"]
        version = sent["version"]
        sent.update(changed, status=status.value, version=version + 1, updated_at=self.telling.now)
        state: dict[str, Any] = {"open_referral": None}
        if status is ReferralStatus.ACCEPTED:
            state |= self._accepted(sent)
        elif status is ReferralStatus.RETURNED:
            state["status"] = Status.RETURNED.value
            self.telling.touch(status=state["status"], open_referral=None)
        else:
            self.telling.touch(version=False)
            state |= {"status": before, "open_referral": self.waiting()}
        state["version"] = task["version"]
        said = {"from": before, "to": task["status"], **said, "recorded_by_sender": False}
        said["to_agency"] = sent["to_agency"]
        self.telling.fact(
            by, kind, on="referral", id=sent["id"], versions=(version, version + 1), payload=said, state=state
        )
        return sent

    def _accepted(self, sent: Row) -> dict[str, Any]:
        """Hand the task over to the receiver; returns what that set of it."""
        task, at = self.task, self.telling.at
        state = {name: sent[name] for name in ("mandate", "function", "variant", "supporting", "informed")}
        state |= {"accountable": sent["to_agency"], "holder": sent["to_agency"], "mandate_ended": False}
        state["status"] = Status.ACCEPTED.value
        self.hand_over(sent["to_agency"], state["mandate"], state["supporting"], state["informed"])
        self.telling.touch(**state, accepted_at=task["accepted_at"] or at, open_referral=None)
        return state

    def receive(self) -> None:
        """Confirm the receipt of the open referral."""
        by = self.telling.by(self._open()["to_agency"])
        self._answered(by, EventKind.REFERRAL_RECEIVED, ReferralStatus.RECEIVED, {}, received_at=self.telling.at)

    def accept(self) -> None:
        """Accept it: from now on the receiver is accountable, and a clock of the law may run."""
        by = self.telling.by(self._open()["to_agency"])
        kind, status = EventKind.REFERRAL_ACCEPTED, ReferralStatus.ACCEPTED
        sent = self._answered(by, kind, status, {}, answered_at=self.telling.at)
        offices = self.telling.nation.offices
        pair = offices[sent["from_agency"]], offices[sent["to_agency"]]
        clocks.receive(self.telling, by, self.place.time_zone, sent, pair)
        self.sent = None

    def give_back(self) -> None:
        """Return it, with a reason."""
        by, reason = self.telling.by(self._open()["to_agency"]), self.dice.one_of(REASONS)
        said: dict[str, Any] = {"reason": reason}
        status = ReferralStatus.RETURNED
        self._answered(by, EventKind.REFERRAL_RETURNED, status, said, reason=reason, answered_at=self.telling.at)
        self.sent = None

    def send_again(self) -> None:
        """Send a task that was returned once more to whom the law names."""
        self._refer(self.task["function"], self.task["variant"] or "", Status.ASSIGNED)

    def hand_on(self) -> None:
        """Hand the task on for the next kind of work, where the law has one that begins and doesn't end."""
        function, variant = ONWARD.get(self.task["function"], (self.task["function"], ""))
        self._refer(function, variant, Status(self.task["status"]))

    def onward(self) -> bool:
        """Whether the law knows whom the task could be handed on to."""
        function, variant = ONWARD.get(self.task["function"], ("", ""))
        answer = self._asked(function, variant)
        return LawBook.settled(answer) and self.book.until(answer) is None

    def _asked(self, function: str, variant: str) -> Resolution:
        task = self.task
        of = (task["region_code"], task["event_at"] or task["effective_at"])
        return self.ask(task["category"], function, variant, task["subject_kind"] or "", of=of)

    def _refer(self, function: str, variant: str, target: Status) -> None:
        answer, holder, before = self._asked(function, variant), self.task["holder"], self.task["status"]
        sent = self.send(answer, function, variant, holder)
        self.telling.touch(status=target.value, open_referral=sent["id"])
        said = {"from": before, "to": target.value, "to_agency": sent["to_agency"], "mandate": sent["mandate"]}
        state = {"status": target.value, "open_referral": self.waiting(), "version": self.task["version"]}
        by, kind = self.telling.by(holder), EventKind.REFERRAL_SENT
        self.telling.fact(by, kind, on="referral", id=sent["id"], versions=(None, 1), payload=said, state=state)

    def _open(self) -> Row:
        if self.sent is None:
            raise AssertionError(self.task)
        return self.sent

    # who has a part in it

    def hand_over(self, agency: str, mandate: str, supporting: Iterable[str], informed: Iterable[str]) -> None:
        """Make an agency accountable from now on, without gap or overlap, and others supporting and informed."""
        self._end(AssignmentRole.ACCOUNTABLE, keep=())
        self._begin(AssignmentRole.ACCOUNTABLE, [agency], mandate)
        self.support(mandate, supporting, informed)

    def support(self, mandate: str, supporting: Iterable[str], informed: Iterable[str]) -> None:
        """Make these agencies supporting and informed; who stays keeps its period."""
        for role, agencies in ((AssignmentRole.SUPPORTING, supporting), (AssignmentRole.INFORMED, informed)):
            self._end(role, keep=agencies)
            self._begin(role, agencies, mandate)

    def _now(self, role: AssignmentRole) -> list[Row]:
        return [one for one in self.telling.rows["assignment"] if one["role"] == role and one["until"] is None]

    def _end(self, role: AssignmentRole, *, keep: Iterable[str]) -> None:
        for one in self._now(role):
            if one["agency"] not in keep:
                one.update(until=self.telling.at, ended_recorded_at=self.telling.now)

    def _begin(self, role: AssignmentRole, agencies: Iterable[str], mandate: str) -> None:
        there = {one["agency"] for one in self._now(role)}
        self.telling.rows["assignment"] += [
            {
                "id": self.dice.id(self.telling.now),
                "task_id": self.task["id"],
                "agency": agency,
                "role": role.value,
                "mandate": mandate,
                "since": self.telling.at,
                "until": None,
                "recorded_at": self.telling.now,
                "ended_recorded_at": None,
            }
            for agency in agencies
            if agency not in there
        ]

    # work

    def move(self, by: By, kind: EventKind, target: Status, said: Mapping[str, Any], **changed: Any) -> None:
        """One move of the task."""
        payload = {"from": self.task["status"], "to": target.value, **said}
        self.telling.moved(by, kind, payload, status=target.value, **changed)

    def work(self, kind: EventKind, target: Status) -> None:
        """A move of the owner that says nothing more; back at work, there is no outcome."""
        back = _NO_OUTCOME if target is Status.IN_PROGRESS else {}
        self.move(self.telling.by(self.task["accountable"]), kind, target, {}, **back)

    def comment(self) -> None:
        """The owner or the logger says something."""
        telling = self.telling
        by = telling.by(self.task["holder"] if self.dice.happens(0.6) else self.task["logged_by"])
        body, place = self.dice.one_of(COMMENTS), self.dice.id(telling.now)
        comment = {"id": place, "task_id": self.task["id"], "body": body, "agency": by.agency, "client_id": by.client}
        telling.rows["comment"].append({**comment, "recorded_at": telling.now})
        said = {"comment": place, "body": body}
        telling.at = telling.now + timedelta(milliseconds=2)
        telling.fact(by, EventKind.TASK_COMMENTED, on="comment", id=place, versions=(None, None), payload=said)

    def agree(self) -> None:
        """The owner agrees on when the task is to be done."""
        telling = self.telling
        due = (telling.at + timedelta(hours=24 + self.dice.about(90))).replace(minute=0, second=0, microsecond=0)
        by = telling.by(self.task["accountable"])
        clocks.agree(telling, by, self.place.time_zone, due=due, reason=self.dice.one_of(REASONS))

    def resolve(self) -> None:
        """The owner has done it: the clocks are met, the closing requirements told."""
        task, telling = self.task, self.telling
        by, note = telling.by(task["accountable"]), self.dice.one_of(NOTES)
        clocks.meet(telling, by, note)
        facts = texts.closing(self.dice, telling.nation.required.get((task["category"], task["function"]), ()))
        outcome = self.dice.one_of(_OUTCOMES.get(task["function"], _CALM)).value
        said = {"outcome": outcome, "note": note, **({"facts": facts} if facts else {})}
        changed = {"outcome": outcome, "note": note, "facts": facts, "resolved_by": by.client}
        self.move(by, EventKind.TASK_RESOLVED, Status.RESOLVED, said, **changed)

    def reject(self) -> None:
        """The logger is not content with the outcome."""
        by, said = self._judge(), {"reason": self.dice.one_of(REASONS)}
        self.move(by, EventKind.TASK_OUTCOME_REJECTED, Status.IN_PROGRESS, said, **_NO_OUTCOME)

    def confirm(self) -> None:
        """The logger confirms it, by another client than the one that resolved it."""
        self.move(self._judge(), EventKind.TASK_CONFIRMED, Status.CLOSED, {})

    def _judge(self) -> By:
        return self.telling.by(self.task["logged_by"], Role.SUPERVISOR)

    def cancel(self) -> None:
        """Whoever holds it calls it off, with the referral that waits and the clocks that run."""
        telling, sent = self.telling, self.sent
        by = telling.by(self.task["holder"], Role.SUPERVISOR)
        if sent is not None:
            version = sent["version"]
            changed = {"status": ReferralStatus.WITHDRAWN.value, "answered_at": telling.at}
            sent.update(changed, version=version + 1, updated_at=telling.now)
            kind, said = EventKind.REFERRAL_WITHDRAWN, {"to_agency": sent["to_agency"]}
            telling.fact(by, kind, on="referral", id=sent["id"], versions=(version, version + 1), payload=said)
            self.sent = None
        clocks.void(telling, by)
        reason = {"reason": self.dice.one_of(REASONS)}
        self.move(by, EventKind.TASK_CANCELLED, Status.CANCELLED, reason, open_referral=None)


def mandate_of(answer: Resolution) -> str:
    """The row of an answer that names an agency; raises AssertionError for any other."""
    if answer.mandate is None:
        raise AssertionError(answer)
    return answer.mandate.id
