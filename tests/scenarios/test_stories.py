"""Every story of scenarios.json comes true over HTTP, and none without the mandate rows on which it rests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from scenarios import clocks, fields, ownership, tellings
from scenarios.story import STORIES
from scenarios.world import World
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

Json = dict[str, Any]
Check = Callable[[World, Json, Json], Awaitable[None]]

CHECKS: Final[Mapping[str, Check]] = {
    "owner": ownership.check_owner,
    "due": clocks.check_due,
    "agreed_due": clocks.check_agreed,
    "refusal": ownership.check_refusal,
    "stage": tellings.check_stage,
    "instrument": tellings.check_instrument,
    "informed": tellings.check_informed,
    "conflict": tellings.check_conflict,
    "visibility hidden_from": tellings.check_hidden,
    "field category": fields.check_category,
    "field status": fields.check_status,
    "field priority": fields.check_priority,
    "field required_to_close": fields.check_required_fact,
    "field required_to_resolve": fields.check_required_fact,
    "field information_status": fields.check_information_status,
    "field assignment_role informed": fields.check_informed_role,
    "field assignment_role supporting": fields.check_supporting_role,
    "idempotent task_count": tellings.check_polled_twice,
    "idempotent task_count_max": tellings.check_sent_twice,
    "SC-07 Evidence: minutes, photos with hash. Bawaslu may add a finding but cannot edit the count of KPU.": (
        tellings.check_finding
    ),
    "SC-12 The take-down does not end the violation case.": tellings.check_case_goes_on,
}

#: What waits for a later issue, and for what.
WAITS: Final[Mapping[str, str]] = {
    "reassign": "closing a mandate and succession",
    "region_match": "weather warnings: matching their text with regions",
    "margin": "result disputes: the margin as a flag",
    "visibility public": "the public view",
    "field reporter_visible_status": "public reports: what a reporter is told",
    "field confirmation_required": "weather warnings: updates and expiry",
    "field source_attribution": "weather warnings: naming their source",
    "SC-23 Partial failure is reported per row.": "the batch endpoint",
}

#: What is checked as far as it goes, and what of it waits.
IN_PART: Final[Mapping[str, str]] = {
    "field priority": "the owner raises it; weather warnings do not yet",
    "idempotent task_count": "whoever polls the feed logs the tasks; the service does not yet poll",
    "SC-07 Evidence: minutes, photos with hash. Bawaslu may add a finding but cannot edit the count of KPU.": (
        "files of a task with their hash"
    ),
}


def _kinds(story: Json, then: Json) -> Iterator[str]:
    """The names under which an expectation may stand in a table."""
    expect = then.get("expect")
    if expect is None:
        yield f"{story['id']} {then['text']}"
        return
    kind = expect["type"]
    if kind == "field":
        yield f"field {expect['field']}"
        yield f"field {expect['field']} {expect['value']}"
    elif kind in {"visibility", "idempotent"}:
        yield from (f"{kind} {member}" for member in expect if member != "type")
    else:
        yield kind


EVERYTHING: Final = [(story, then, tuple(_kinds(story, then))) for story in STORIES for then in story["then"]]


def _check_of(kinds: tuple[str, ...]) -> Check | None:
    return next((CHECKS[kind] for kind in kinds if kind in CHECKS), None)


CHECKED: Final = [
    pytest.param(story, then.get("expect", {}), check, id=f"{story['id']}-{story['then'].index(then)}-{kinds[0]}"[:60])
    for story, then, kinds in EVERYTHING
    if (check := _check_of(kinds))
]


def test_every_expectation_of_every_story_is_checked_or_says_what_it_waits_for() -> None:
    named = [(kinds, [*(CHECKS.keys() & {*kinds}), *(WAITS.keys() & {*kinds})]) for _, _, kinds in EVERYTHING]
    assert [kinds for kinds, tables in named if len(tables) != 1] == []
    used = {kind for kinds, _ in named for kind in kinds}
    assert {*CHECKS, *WAITS} - used == set()
    assert IN_PART.keys() <= CHECKS.keys()


@pytest.mark.parametrize(("story", "expect", "check"), CHECKED)
async def test_the_story_comes_true(world: World, story: Json, expect: Json, check: Check) -> None:
    await check(world, story, expect)
    if "enum" in expect:
        reader = await world.agency("KPU_KOTA_MALANG")
        values = (await reader.get(f"/v1/reference/{expect['enum']}")).json()["values"]
        assert expect["value"] in {one["code"] for one in values}


#: What rests on the registry's other tables or on the workflow alone.
_RESTS_ON_NO_ROW: Final = {"stage", "instrument", "field information_status", "conflict", "due", "agreed_due"}
#: What rests on a row that its story does not name.
_RESTS_ON: Final = {"SC-10": {"field assignment_role supporting": ["M02"]}}


def _resting() -> Iterator[Any]:
    for story, then, kinds in EVERYTHING:
        expect, check = then.get("expect", {}), _check_of(kinds)
        named = [one["expect"].get("mandate_id") for one in story["then"] if "expect" in one]
        unnamed = next((rows for kind in kinds if (rows := _RESTS_ON.get(story["id"], {}).get(kind))), named)
        rows = [expect["mandate_id"]] if "mandate_id" in expect else unnamed
        rows = sorted({row for row in rows if row is not None})
        if check and rows and not _RESTS_ON_NO_ROW & {*kinds}:
            yield pytest.param(story, expect, check, rows, id=f"{story['id']}-{story['then'].index(then)}")


@pytest.mark.parametrize(("story", "expect", "check", "rows"), list(_resting()))
async def test_without_its_mandate_rows_the_story_turns_red(
    lawless: World, story: Json, expect: Json, check: Check, rows: list[str]
) -> None:
    async with _taken_away(lawless, rows):
        with pytest.raises(AssertionError):
            await check(lawless, story, expect)
        if check is ownership.check_owner:
            with pytest.raises(AssertionError):
                await ownership.logged(lawless, expect)
    if check is ownership.check_owner:
        await ownership.asked(lawless, expect)


@asynccontextmanager
async def _taken_away(world: World, rows: list[str]) -> AsyncIterator[None]:
    """Delete mandate rows, and put them back after the block. What cites them is let go for good."""
    engine = create_async_engine(world.url)
    try:
        async with engine.begin() as connection:
            await _let_go(connection)
            taken = await connection.execute(
                text("delete from mandate where id = any(:rows) returning to_jsonb(mandate)::text"), {"rows": rows}
            )
            kept = taken.scalars().all()
        assert len(kept) == len(rows)
        yield
        async with engine.begin() as connection:
            for row in kept:
                put_back = "insert into mandate select * from jsonb_populate_record(null::mandate, cast(:row as jsonb))"
                await connection.execute(text(put_back), {"row": row})
    finally:
        await engine.dispose()


async def _let_go(connection: AsyncConnection) -> None:
    citing = (
        "select conrelid::regclass, conname from pg_constraint where contype = 'f' and confrelid = 'mandate'::regclass"
    )
    for table, name in (await connection.execute(text(citing))).all():
        await connection.execute(text(f"alter table {table} drop constraint {name}"))
