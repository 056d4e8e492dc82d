"""When a thing happened: `effective_at`, beside the database's own `recorded_at`."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.errors import Fault, ValidationFailed


def effective(
    given: datetime | None, *, now: datetime, not_before: datetime | None = None, backdating: timedelta | None = None
) -> datetime:
    """The instant at which a fact holds: as given, else now.

    Raises ValidationFailed if it lies in the future, before the task's previous instant, or further back than allowed.
    """
    if given is None:
        return max(now, not_before) if not_before else now
    if given > now:
        raise _refused("in_future", "It lies in the future.", "Waktu itu belum terjadi.")
    if not_before is not None and given < not_before:
        raise _refused(
            "before_previous",
            f"It lies before the record's previous effective_at, {not_before.isoformat()}.",
            f"Waktu itu sebelum effective_at sebelumnya pada catatan ini, {not_before.isoformat()}.",
        )
    if backdating is not None and given < now - backdating:
        raise _refused(
            "too_far_back",
            f"It lies more than {backdating.days} days back.",
            f"Waktu itu lebih dari {backdating.days} hari yang lalu.",
        )
    return given


def _refused(code: str, en: str, id_: str) -> ValidationFailed:
    return ValidationFailed(errors=[Fault(code, en, id_, pointer="/effective_at")])
