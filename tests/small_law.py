"""A small law for the tests of the resolver: three agencies of one city, rows and questions with defaults."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from app.rules.law import WIB, Holder, Law, Mandate, Question, Recusal, Rejected, Resolution
from app.rules.mandates import resolve
from app.rules.vocabulary import Instant

START = date(2024, 1, 1)
DAY = datetime(2024, 8, 20, 9, tzinfo=WIB)
KPU, BAWASLU, POLRES = (
    Holder(code, f"{office}@city", ("35.73",))
    for code, office in (("KPU_KOTA", "KPU"), ("BAWASLU_KOTA", "BAWASLU"), ("POLRESTA", "POLRES"))
)


def mandate(name: str = "M1", office: str = "KPU@city", **said: Any) -> Mandate:
    known = {"category": "logistics", "function": "handling", "resolve_at": Instant.CREATION, "valid_from": START}
    return Mandate(id=name, accountable=office, **{**known, **said})


def question(**said: Any) -> Question:
    known = {"category": "logistics", "function": "handling", "region": "35.73.05", "at": DAY, "event_at": DAY}
    return Question(**{**known, **said})


def recusal(excluded: str, successor: str, **said: Any) -> Recusal:
    known = {"subject_kind": "kpu_member", "function": "handling", "reason": "own case"}
    return Recusal(excluded_office=excluded, successor=successor, **{**known, **said})


def ask(*rows: Mandate, recused: tuple[Recusal, ...] = (), holders: tuple[Holder, ...] = (), **said: Any) -> Resolution:
    return resolve(Law(rows, recused, holders or (KPU, BAWASLU, POLRES)), question(**said))


def lost(answer: Resolution) -> dict[str, Rejected]:
    return {row.mandate: row.rejected_because for row in answer.considered}
