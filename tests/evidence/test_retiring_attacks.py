"""Who holds the database, or writes the folder, makes nobody believe that facts were retired which were not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from ledger import fresh
from listener import heard
from notary import read_jws
from retiring import YEAR, Old
from sqlalchemy import text

from app.db import execute, work
from app.log_files import Head
from app.statements import Kind, state
from app.verifying import verify

pytestmark = pytest.mark.attack

Json = dict[str, Any]
MADE_UP: Final = ("KPU_KOTA_MALANG", "BAWASLU_KOTA_MALANG")
CHANGED: Final = "What is left of the facts of 2024 is not what the log says"


async def run(old: Old, *statements: str) -> None:
    """In one transaction of who owns the server."""
    async with old.house.superuser() as connection:
        for statement in statements:
            await connection.execute(text(statement))


def lines(path: Path) -> list[Json]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def keep(path: Path, found: list[Json]) -> None:
    path.write_text("".join(json.dumps(one, separators=(",", ":")) + "\n" for one in found))


# witnesses


def made_up(folder: Path) -> list[tuple[Json, Json]]:
    """Cosignatures of the newest head by witnesses who have never seen it, each with the key in its name."""
    head = lines(folder / "heads.jsonl")[-1]
    said = Head.model_validate(read_jws(head["head"]))
    found = []
    for agency in MADE_UP:
        key = fresh()
        statement = {"iss": agency, "log": said.iss, "size": said.size, "root": said.root, "iat": said.iat}
        signed = state(key, Kind.COSIGNATURE, statement)
        line = {"agency": agency, "size": said.size, "kid": key.kid, "cosignature": signed}
        found.append((line, key.published()))
    return found


async def test_witnesses_made_up_in_the_folder_count_for_nothing(old: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMPUL_WITNESSES", "3")
    forged = made_up(old.export)
    keys = json.loads((old.export / "keys.json").read_text())
    keys["witnesses"] += [{"agency": line["agency"], "jwk": jwk} for line, jwk in forged]
    (old.export / "keys.json").write_text(json.dumps(keys))
    cosignatures = lines(old.export / "cosignatures.jsonl") + [line for line, _ in forged]
    keep(old.export / "cosignatures.jsonl", cosignatures)
    report = verify(old.export)
    assert (report.findings, report.witnessed) == ([], report.entries)
    assert "1 of 3 agencies have cosigned a head over entry" in await old.refused()


async def test_witnesses_made_up_in_the_database_count_for_nothing(old: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMPUL_WITNESSES", "3")
    async with old.house.superuser() as connection:
        for line, jwk in made_up(old.export):
            await connection.execute(
                text(
                    "insert into cosignature (agency, size, kid, jwk, signed)"
                    " values (:agency, :size, :kid, cast(:jwk as jsonb), :cosignature)"
                ),
                {**line, "jwk": json.dumps(jwk)},
            )
    assert "1 of 3 agencies have cosigned a head over entry" in await old.refused()


async def test_the_log_says_by_whose_witness_and_under_which_rule(old: Old) -> None:
    told = await old.retire()
    await old.house.seal()
    (found,) = await heard(old.house.bkpsdm, after=told["until"], types="log.retired")
    said = found["data"]["facts"]
    assert (said["retention"], said["quorum"], said["witnesses"]) == (1, 1, [old.house.bakesbangpol.code])


# what the log says, and what a table does


DECLARE: Final = (
    "insert into retired_year (year, relation, facts, until, told_from, digest, remains)"
    " values (2024, cast('years.event_2024' as regclass), {facts}, 1000000, '2025-01-01', 'x', 'x')"
)


async def test_facts_that_a_table_alone_calls_retired_are_missed(old: Old) -> None:
    await run(old, DECLARE.format(facts=old.facts), "alter table event detach partition years.event_2024")
    found = await old.house.verified("taken")
    assert any("was cut off" in one for one in found), found


async def test_a_retirement_that_no_head_covers_takes_nothing_out_of_an_export(old: Old) -> None:
    await old.retire()
    assert any("was cut off" in one for one in await old.house.verified("early"))
    await old.house.seal()
    assert await old.house.verified("later") == []


@pytest.mark.parametrize(
    "statement",
    [
        DECLARE.format(facts=1),
        "insert into retired_fact select * from app.left_over(2024)",
        "update retired_fact set state = '{}'",
        "select app.keep_year(2024, 1, 1, now(), 'x')",
        "select app.detach_year(2024)",
    ],
)
async def test_the_background_process_writes_nothing_of_it(old: Old, statement: str) -> None:
    async with old.house.app.state.database.writing() as writer:
        await work(writer)
        with pytest.raises(Exception, match=r"permission denied|does not say that 2024 is retired|must be owner"):
            await execute(writer, statement)
        await writer.rollback()


async def test_what_is_left_is_not_told_by_a_function_that_somebody_has_altered(old: Old) -> None:
    async with old.house.app.state.database.working() as writer:
        await execute(writer, "alter function app.left_over(integer) security invoker")
    ran = await old.machine(
        "log", "retire", str(YEAR), "--export", str(old.export), "--reason", "x", "--operator", "y", "--yes"
    )
    assert (ran.exit_code, "app.left_over was altered" in str(ran.exception)) == (1, True)
    assert await old.online() == old.facts


async def test_a_year_leaves_only_once_the_log_says_so(old: Old) -> None:
    with pytest.raises(Exception, match="the log does not say that 2024 is retired"):
        await run(old, "select app.detach_year(2024)")


@pytest.mark.parametrize("more", [(), ("--drop",)])
async def test_what_is_left_is_held_against_the_log(old: Old, more: tuple[str, ...]) -> None:
    await old.retire()
    await run(
        old,
        "alter table retired_fact disable trigger keep_facts",
        "update retired_fact set state = jsonb_set(state, '{status}', '\"confirmed\"') where state ? 'status'",
        "alter table retired_fact enable always trigger keep_facts",
    )
    old.facts = 0
    assert CHANGED in await old.refused(*more)
    async with old.house.superuser() as connection:
        assert await connection.scalar(text("select to_regclass('years.event_2024')")) is not None


async def test_documents_of_other_years_are_missed_where_the_retired_ones_are_there(old: Old) -> None:
    told = await old.retire()
    await old.house.seal()
    folder = await old.house.export("after")
    before = {one["index"]: one for one in lines(old.export / "entries.jsonl")}
    entries = lines(folder / "entries.jsonl")
    assert verify(folder, quorum=1).findings == []
    retired = [one for one in entries if one["document"] is None]
    others = [one for one in entries if one["document"] is not None and "log.retired" not in one["document"]]
    for one, other in zip(retired, others, strict=False):
        one["document"], other["document"] = before[one["index"]]["document"], None
    keep(folder / "entries.jsonl", entries)
    report = verify(folder, quorum=1)
    assert report.leaves <= report.retired == told["facts"]
    assert any("are none of those" in one for one in report.findings)


# the tables


def moved(*more: str) -> list[str]:
    return [*more, "alter table years.event_2024 set schema public", "drop table public.event_2024"]


RENAMED: Final = [
    "alter trigger keep_retired on years.event_2024 rename to a",
    "alter trigger keep_facts_whole on years.event_2024 rename to b",
]


@pytest.mark.parametrize(
    "statements",
    [
        moved(),
        moved("alter table years.event_2024 rename to b", "alter table years.b rename to event_2024"),
        moved(*RENAMED),
        [
            "alter table event detach partition years.event_2025",
            "alter table years.event_2025 set schema public",
            "drop table public.event_2025",
        ],
    ],
    ids=["moved", "renamed", "its triggers renamed", "another year"],
)
async def test_a_table_of_facts_is_known_wherever_it_lies(old: Old, statements: list[str]) -> None:
    await old.retire()
    with pytest.raises(Exception, match="evidence is not dropped"):
        await run(old, *statements)


async def test_another_year_is_not_dropped_under_the_name_of_one_that_was(old: Old) -> None:
    await old.retire("--drop")
    with pytest.raises(Exception, match="evidence is not dropped"):
        await run(
            old,
            "alter table event detach partition years.event_2025",
            "alter table years.event_2025 rename to event_2024",
            "drop table years.event_2024",
        )
