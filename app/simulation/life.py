"""The life of one task, from its logging to its end, as the services would have written it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from app.rules import mandates, regions
from app.rules.facts import EventKind
from app.rules.law import WIB, Resolution
from app.rules.vocabulary import Priority, Status
from app.simulation import clocks, texts
from app.simulation.dice import Dice, tail
from app.simulation.matters import LOGGERS, Matter
from app.simulation.moves import Moves, mandate_of
from app.simulation.nation import Chances, LawBook, Nation, Place
from app.simulation.offices import tier_of
from app.simulation.plans import HOURS, Act, plan
from app.simulation.readers import keep_readers
from app.simulation.telling import Row, Telling

_PRIORITIES: Final = ((Priority.MEDIUM, Priority.HIGH, Priority.LOW, Priority.CRITICAL), (60, 80, 95, 100))
#: How often whom the law names logs the task itself.
_OWN: Final = 0.6
#: What is left of a mandate must be longer for a task to be logged under it.
_ROOM: Final = timedelta(days=2)
#: When the nation is left: clocks that nobody met by then have run out.
END: Final = datetime(2025, 6, 30, tzinfo=UTC)


class Town:
    """What all lives of one nation, seed and count share."""

    def __init__(self, nation: Nation, *, seed: int, first: int, count: int) -> None:
        self.nation, self.seed, self.first, self.count = nation, seed, first, count
        self.book, self.chances = LawBook(nation.law), Chances(nation, seed)

    def live(self, number: int) -> dict[str, list[Row]]:
        """The rows of the task with this number, by table; numbers begin at `first`, higher ones later in the year."""
        dice = Dice(self.seed, f"task {number}")
        place = self.chances.place(dice)
        now = self.chances.moment(dice, (number - self.first + dice.roll()) / self.count)
        return Life(self, Telling(self.nation, dice, now), place).tell(tail(number))


class Life(Moves):
    """One task while it lives."""

    def __init__(self, town: Town, telling: Telling, place: Place) -> None:
        super().__init__(telling, town.book, place)
        self._chances = town.chances
        self._acts: Mapping[Act, Callable[[], None]] = {
            Act.RECEIVE: self.receive,
            Act.ACCEPT: self.accept,
            Act.RETURN: self.give_back,
            Act.SEND_AGAIN: self.send_again,
            Act.START: partial(self.work, EventKind.TASK_STARTED, Status.IN_PROGRESS),
            Act.COMMENT: self.comment,
            Act.AGREE: self.agree,
            Act.AWAIT: partial(self.work, EventKind.TASK_INFO_AWAITED, Status.AWAITING_INFO),
            Act.RESUME: partial(self.work, EventKind.TASK_RESUMED, Status.IN_PROGRESS),
            Act.HAND_ON: self.hand_on,
            Act.RESOLVE: self.resolve,
            Act.REJECT: self.reject,
            Act.CONFIRM: self.confirm,
            Act.CANCEL: self.cancel,
        }

    def tell(self, tail: str) -> dict[str, list[Row]]:
        """Live it, and return its rows."""
        self.telling.pass_(timedelta())
        region, event_at = self._where(), self._when()
        matter, answer = self._question(region, event_at)
        end = self.book.until(answer)
        logger = self._logger(matter, answer)
        self._log(matter, region, event_at, answer, logger, tail)
        own, day = logger == answer.accountable, mandates.day_of(self.telling.now)
        acts = plan(self.dice, own=own, day=day, bounded=end is not None)
        gaps = [timedelta(hours=0.05 + self.dice.about(HOURS[act])) for act in acts]
        if end is not None:  # over before the law would be asked again
            left = end - self.telling.now - timedelta(hours=6)
            gaps = [gap * min(1.0, left / sum(gaps, timedelta())) for gap in gaps]
        self._live(acts, gaps, bounded=end is not None)
        clocks.leave(self.telling, until=END)
        keep_readers(self.telling)
        return self.telling.rows

    def _live(self, acts: list[Act], gaps: list[timedelta], *, bounded: bool) -> None:
        course = iter(zip(acts, gaps, strict=True))
        for act, gap in course:
            self.telling.pass_(gap)
            if act is Act.HAND_ON and (bounded or not self.onward()):
                next(course, None), next(course, None)  # nobody accepts it, nobody starts anew
                continue
            self._acts[act]()

    def _where(self) -> str:
        inner = self.place.inner
        return self.dice.one_of(inner) if inner and self.dice.happens(0.5) else self.place.code

    def _when(self) -> datetime | None:
        """When the matter happened, where that is told."""
        if self.dice.happens(0.75):
            return None
        before = self.telling.at - timedelta(hours=self.dice.between(1, 60))
        return before.replace(second=0, microsecond=0)

    def _question(self, region: str, event_at: datetime | None) -> tuple[Matter, Resolution]:
        """A matter of this region that the law gives to somebody now, and for a while."""
        while True:
            matter = self._chances.matter(self.dice, self.place)
            asked = matter.category, matter.function, matter.variant, matter.subject_kind
            answer = self.ask(*asked, of=(region, event_at))
            end = self.book.until(answer)
            if LawBook.settled(answer) and (end is None or end - self.telling.now > _ROOM):
                return matter, answer

    def _logger(self, matter: Matter, answer: Resolution) -> str:
        """Who logs it: often whom the law names, else an office of the region that is not recused from it."""
        if self.dice.happens(_OWN) and answer.accountable:
            return answer.accountable
        tier = tier_of(self.place.code)
        recused, day = self._recused(matter.subject_kind), mandates.day_of(self.telling.at)
        while True:
            office = f"{self.dice.weighted(*LOGGERS[tier])}@{tier}"
            found = None if office in recused else self.book.holder(office, self.place.code, day)
            if found is not None:
                return found

    def _recused(self, subject_kind: str) -> list[str]:
        rows = self.telling.nation.law.recusals if subject_kind else ()
        return sorted({row.excluded_office for row in rows if row.subject_kind == subject_kind})

    def _log(
        self, matter: Matter, region: str, event_at: datetime | None, answer: Resolution, logger: str, tail: str
    ) -> None:
        """Log it: accepted at once where the logger is competent, else referred to whom the law names."""
        telling, mandate = self.telling, mandate_of(answer)
        telling.rows["task"].append(telling.task)
        telling.rows["sealing_key"].append({"id": self.dice.id(telling.now), "recorded_at": telling.now})
        self.task.update(self._begun(matter, region, logger))
        self.task["reference"] = f"{regions.seat(region)}-{telling.at.astimezone(WIB).year}-{tail}"
        self.task.update(event_at=event_at, supporting=list(answer.supporting), informed=list(answer.informed))
        if logger == answer.accountable:
            status, owner = Status.ACCEPTED, {"accountable": logger, "mandate": mandate, "accepted_at": telling.at}
            self.task.update(owner)
            self.hand_over(logger, mandate, answer.supporting, answer.informed)
        else:
            status = Status.ASSIGNED
            self.task["open_referral"] = self.send(answer, matter.function, matter.variant, logger)["id"]
            self.support(mandate, answer.supporting, answer.informed)
        self.task["status"] = status.value
        by = telling.by(logger)
        said = {"from": None, "to": status.value, "mandate": mandate, "competent": answer.accountable}
        said["reference"] = self.task["reference"]
        state = {**self.task, "region": region, "open_referral": self.waiting()}
        kind = EventKind.TASK_LOGGED
        telling.fact(by, kind, on="task", id=self.task["id"], versions=(None, 1), payload=said, state=state)
        if self.sent is not None:
            referred = {"to_agency": self.sent["to_agency"], "mandate": mandate}
            sent, kind = self.sent["id"], EventKind.REFERRAL_SENT
            telling.fact(by, kind, on="referral", id=sent, versions=(None, 1), payload=referred)

    def _begun(self, matter: Matter, region: str, logger: str) -> dict[str, Any]:
        """The columns of a task that is being logged."""
        dice, at, now = self.dice, self.telling.at, self.telling.now
        title, description = texts.told(dice, matter, self.place.name)
        classification = self.telling.nation.classes[matter.category]
        if dice.happens(0.12):
            classification = dice.weighted(("terbuka", "rahasia"), (80, 100))
        village = region.count(".") == 3
        return {
            "id": dice.id(now),
            "title": title,
            "description": description,
            "category": matter.category,
            "subcategory": None,
            "function": matter.function,
            "variant": matter.variant or None,
            "subject_kind": matter.subject_kind or None,
            "region_code": region,
            "polling_station": f"{int(dice.between(1, 40)):03d}" if village and dice.happens(0.3) else None,
            "due_at": at + timedelta(hours=int(dice.between(48, 900))) if dice.happens(0.4) else None,
            "classification": classification,
            "priority": dice.weighted(*_PRIORITIES).value,
            "external_reference": None,
            "logged_by": logger,
            "holder": logger,
            "accountable": None,
            "mandate": None,
            "accepted_at": None,
            "mandate_ended": False,
            "recused_offices": self._recused(matter.subject_kind),
            "outcome": None,
            "note": None,
            "facts": {},
            "resolved_by": None,
            "open_referral": None,
            "effective_at": at,
            "last_effective_at": at,
            "recorded_at": now,
            "updated_at": now,
            "version": 1,
        }
