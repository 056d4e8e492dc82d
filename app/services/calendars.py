"""The calendar: days that are no working days, in versions that are never changed; the newest counts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert

from app.db import Executor, Row, Writer, one, row, rows
from app.errors import Fault, ValidationFailed
from app.models import metadata
from app.rules import deadlines
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.schemas.calendar import CorrectionInput
from app.services import locks, log, records
from app.services.locks import Lock
from app.services.versions import check_version

if TYPE_CHECKING:
    from holidays import HolidayBase

_SHOWN: Final = "version, covers_from, covers_to, holidays, reason, recorded_at"
_CORRECTION: Final = "version, covers_from, covers_to, added, removed, reason, recorded_at"
#: Whoever counts clocks in the last year of the table counts some that run out beyond it.
_CURRENT: Final = "select *, covers_to < current_date + 366 as ends_soon from calendar order by version desc limit 1"


@cache
def beyond() -> HolidayBase:
    """What the library knows of the public holidays and the collective leave of Indonesia, in Indonesian."""
    # it is loaded with every country's, a fifth of a second and 12 MiB: not before somebody counts as far
    from holidays import country_holidays  # noqa: PLC0415

    return country_holidays("ID", categories=("public", "government"), language="id")


class _Beyond:
    """The same, once it is asked: most clocks lie within the table."""

    def get(self, day: date, /) -> str | None:
        """The name of the holiday, or None."""
        name: str | None = beyond().get(day)
        return name


async def current(executor: Executor) -> deadlines.Calendar:
    """The newest calendar, as clocks count by it; raises NotFound where none was loaded."""
    found = await one(executor, _CURRENT)
    if found["ends_soon"] and not beyond.cache_info().currsize:
        await asyncio.to_thread(beyond)  # while others are answered
    return deadlines.Calendar(
        version=found["version"],
        first=found["covers_from"],
        last=found["covers_to"],
        days={date.fromisoformat(day["day"]): day["name_id"] for day in found["holidays"]},
        beyond=_Beyond(),
    )


async def show_calendar(executor: Executor, *, version: int | None) -> Row:
    """A version of the calendar, by default the newest; raises NotFound."""
    return await one(
        executor,
        f"select {_SHOWN} from calendar where cast(:version as integer) is null or version = :version"
        " order by version desc limit 1",
        version=version,
    )


async def list_corrections(executor: Executor) -> list[Row]:
    """Every version of the calendar, the newest first, with the days it added and removed."""
    return await rows(executor, f"select {_CORRECTION} from calendar order by version desc")


async def correct_calendar(writer: Writer, caller: Caller, version: int, input: CorrectionInput) -> Row:
    """Make a new version of the calendar; the background process recomputes every open clock by it.

    Raises StaleVersion, ValidationFailed.
    """
    await locks.wait(writer, Lock.CALENDAR)  # so that each version builds on the last
    before = await one(writer, _CURRENT)
    check_version(before["version"], version)
    days = {one["day"]: one for one in before["holidays"]}
    _require_changes(days, input)
    days = {day: content for day, content in days.items() if day not in {str(one) for one in input.removed}}
    days |= {str(one.day): one.model_dump(mode="json") for one in input.added}
    window = (input.covers_from or before["covers_from"], input.covers_to or before["covers_to"])
    if window[0] > window[1]:
        raise records.refused("/covers_to", "period", "It lies before covers_from.", "Lebih awal dari covers_from.")
    new = await _publish(
        writer,
        version + 1,
        window,
        days.values(),
        added=[one.day for one in input.added],
        removed=list(input.removed),
        reason=input.reason,
    )
    await log.record(
        writer,
        caller,
        EventKind.CALENDAR_CORRECTED,
        on="calendar",
        id=str(new["version"]),
        effective_at=datetime.now(UTC),
        versions=(version, new["version"]),
        payload={
            **{name: new[name] for name in ("covers_from", "covers_to", "added", "removed")},
            "reason": input.reason,
        },
    )
    await writer.flush()
    return new


def _require_changes(days: dict[str, Any], input: CorrectionInput) -> None:
    """Refuse to add a day as it stands, to remove one that is not there, and to change nothing."""
    wrong = [
        _fault(f"/removed/{place}", "unknown", "The calendar does not have this day.", "Hari ini tidak ada.")
        for place, day in enumerate(input.removed)
        if str(day) not in days
    ]
    wrong += [
        _fault(f"/added/{place}", "taken", "The calendar says just that already.", "Sudah tercatat demikian.")
        for place, one in enumerate(input.added)
        if days.get(str(one.day)) == one.model_dump(mode="json")
    ]
    if not (input.added or input.removed or input.covers_from or input.covers_to):
        wrong.append(_fault("", "nothing", "Say what is to be corrected.", "Sebutkan apa yang dikoreksi."))
    if wrong:
        raise ValidationFailed(errors=wrong)


def _fault(pointer: str, code: str, en: str, id_: str) -> Fault:
    return Fault(code, en, id_, pointer=pointer)


async def settle(writer: Writer, *, covers_from: date, covers_to: date) -> None:
    """Make the loaded holidays count: as the first calendar, or as a further version where the files say more.

    What operators corrected stays: a day that any version ever had is not added again.
    """
    await locks.wait(writer, Lock.CALENDAR)  # so that each version builds on the last
    loaded = {str(one["day"]): one for one in await rows(writer, "select * from holiday order by day")}
    before = await row(writer, _CURRENT)
    known = await rows(writer, "select distinct h ->> 'day' as day from calendar c, jsonb_array_elements(c.holidays) h")
    new = sorted(loaded.keys() - {one["day"] for one in known})
    window = (covers_from, covers_to)
    if before is not None:
        window = (min(covers_from, before["covers_from"]), max(covers_to, before["covers_to"]))
        if not new and window == (before["covers_from"], before["covers_to"]):
            return
    days = [*(before["holidays"] if before else ()), *({**loaded[day], "day": day} for day in new)]
    await _publish(
        writer,
        (before["version"] if before else 0) + 1,
        window,
        days,
        added=[date.fromisoformat(day) for day in new],
        removed=[],
        reason="Loaded from the files of the registry.",
    )


async def _publish(
    writer: Writer,
    version: int,
    window: tuple[date, date],
    days: Iterable[Row],
    *,
    added: list[date],
    removed: list[date],
    reason: str,
) -> Row:
    given = {"covers_from": window[0], "covers_to": window[1], "added": sorted(added), "removed": sorted(removed)}
    holidays = sorted(days, key=lambda one: str(one["day"]))
    held = metadata.tables["calendar"]
    await writer.execute(insert(held).values(version=version, holidays=holidays, reason=reason, **given))
    return await one(writer, f"select {_CORRECTION} from calendar where version = :version", version=version)
