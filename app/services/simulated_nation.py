"""The register as a simulated nation needs it: the offices that it lacks, clients that act, and the whole of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from app.db import Executor, Writer, rows
from app.models import metadata
from app.rules.law import Law, Question
from app.rules.vocabulary import Role, SubjectKind, Tier
from app.services import calendars, law
from app.services.clock_starts import RULES
from app.services.deadline_rows import counted
from app.services.loading import copy_new
from app.services.simulated_rows import BEGAN
from app.simulation import offices
from app.simulation.dice import Dice
from app.simulation.nation import Nation, Place, voting

_ROLES: Final = (Role.OFFICER, Role.SUPERVISOR)
_ACTING: Final = """
    select a.code from agency a join agency_type y on y.code = a.type and y.may_be_accountable
    where a.tier in ('national', 'province', 'city') order by a.code
"""
_PLACES: Final = "select code, name, level, time_zone from region where level in ('province', 'regency', 'city')"
_INNER: Final = """
    select left(code, 5) as seat, array_agg(code order by code) as codes from region
    where level in ('district', 'village') group by 1
"""
_HELD: Final = "select office, tier, region_code, agency from agency_region"
_RANKS: Final = """
    select word, row_number() over (order by word) as rank from (
        select code as word from agency union all select '*'
        union all select kind || ':' || code from unnest(array['region', 'coordinator']) kind,
            (select '' as code union all select code from region) r
    ) w
"""


def _silent(*_: object) -> None:
    """Nobody waits for so few rows."""


async def raise_offices(writer: Writer) -> None:
    """Add, to each region, the agencies of `offices.OFFICES` that it lacks, as the register itself is loaded."""
    places = {one["code"]: (one["name"], one["level"]) for one in await rows(writer, _PLACES)}
    held = {(one["office"], one["tier"], one["region_code"]): one["agency"] for one in await rows(writer, _HELD)}
    agencies = list(offices.missing(places, held))
    if agencies:
        await copy_new(writer, metadata.tables["agency"], agencies, report=_silent)
    seats = [one["regions"][0] for one in agencies if one["office"] == "GAKKUMDU"]
    after = {(one["office"], one["region_code"]): one["agency"] for one in await rows(writer, _HELD)}
    members = [
        {
            "body": after["GAKKUMDU", seat],
            "agency": after[office, seat],
            "role": role,
            "source": "simulated",
            "verified": False,
        }
        for seat in seats
        for office, role in offices.MEMBERS
    ]
    if members:
        await copy_new(writer, metadata.tables["member"], members, report=_silent)


async def clients_of(executor: Executor) -> dict[str, dict[Role, str]]:
    """The ids of the clients by which each agency acts, whatever the seed: an officer, a supervisor, no secrets."""
    agencies = [one["code"] for one in await rows(executor, _ACTING)]
    return {code: {role: Dice(0, f"{role} {code}").id(BEGAN) for role in _ROLES} for code in agencies}


async def unknown(executor: Executor, clients: Mapping[str, Mapping[Role, str]]) -> dict[str, Mapping[Role, str]]:
    """Those of these clients that are not in the database yet."""
    found = await rows(executor, "select agency from client where purpose = 'Simulated'")
    known = {one["agency"] for one in found}
    return {agency: those for agency, those in clients.items() if agency not in known}


async def nation_of(executor: Executor, clients: Mapping[str, Mapping[Role, str]]) -> Nation:
    """All that tasks are made from, as the register has it."""
    places = {one["code"]: one for one in await rows(executor, _PLACES)}
    inner = {one["seat"]: tuple(one["codes"]) for one in await rows(executor, _INNER)}
    categories = await rows(executor, "select code, default_classification from category where parent_code is null")
    required = await rows(
        executor,
        "select category, function, array_agg(required_fact order by required_fact) as facts"
        " from closing_requirement group by 1, 2",
    )
    receipts: dict[tuple[str, str], tuple[str, ...]] = {}
    for one in await rows(executor, "select * from referral_clock_start order by clock_starts_at"):
        pair = one["from_office"], one["to_office"]
        receipts[pair] = (*receipts.get(pair, ()), one["clock_starts_at"])
    return Nation(
        places=[
            Place(code, places[code]["name"], places[code]["time_zone"], inner.get(code, ()))
            for code in voting(sorted(places))
        ],
        law=await _law(executor, [one["code"] for one in categories]),
        offices={one["code"]: one["office"] for one in await rows(executor, "select code, office from agency")},
        classes={one["code"]: one["default_classification"] for one in categories},
        required={(one["category"], one["function"]): tuple(one["facts"]) for one in required},
        rules=await rows(executor, f"{RULES} order by q.code", region=""),
        receipts=receipts,
        calendar=await calendars.current(executor),
        order={one["word"]: one["rank"] for one in await rows(executor, _RANKS)},
        clients=clients,
        count=counted,
    )


async def _law(executor: Executor, categories: Iterable[str]) -> Law:
    """The whole law: every row of the matrix, every recusal, every agency that holds an office named there."""
    covered = "select distinct region_code from agency_region where region_code <> '' order by 1"
    regions = [one["region_code"] for one in await rows(executor, covered)]
    offices_ = await rows(executor, "select distinct office || '@' || tier as name from agency")
    at = datetime(2024, 1, 1, tzinfo=UTC)
    found: list[Law] = []
    for category in categories:
        if found:
            found.append(await law.load_all(executor, [Question(category, "", regions[0], at, at)]))
            continue
        asked = [Question(category, "", region, at, at) for region in regions]
        asked += [Question(category, "", regions[0], at, at, subject_kind=one) for one in SubjectKind]
        found.append(await law.load_all(executor, asked, offices=[one["name"] for one in offices_]))
    return Law(
        [row for one in found for row in one.mandates],
        list({(row.subject_kind, row.excluded_office, row.function): row for row in found[0].recusals}.values()),
        found[0].holders,
    )


async def largest(executor: Executor, count: int) -> list[str]:
    """So many agencies for whom to make clients: one of the nation, one of a province, and those with most tasks."""
    busy = await rows(
        executor,
        "select a.code from agency a join task t on t.holder = a.code where a.tier = :tier"
        " group by a.code order by count(*) desc, a.code limit :count",
        tier=Tier.CITY.value,
        count=max(count - 2, 0),
    )
    above = await rows(executor, "select code from agency where code in ('KPU_RI', 'BAWASLU_JATIM') order by code desc")
    return [one["code"] for one in (*above, *busy)][:count]
