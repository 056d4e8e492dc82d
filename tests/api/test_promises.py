"""What the database itself refuses, whoever writes."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from stories import Cast
from support import Agency

from app.db import Database, row
from app.outages import constraint_of
from app.rules.vocabulary import Status

BEGIN = """
    insert into assignment (id, task_id, agency, role, mandate, period)
    values (gen_random_uuid(), :task, :agency, 'accountable', 'M02', tstzrange(:at, null)) returning id
"""


@pytest.fixture
def cast(bakesbangpol: Agency, bkpsdm: Agency) -> Cast:
    return Cast(logger=bakesbangpol, owner=bkpsdm)


async def write(database: Database, *statements: str, **values: Any) -> None:
    async with database.writing() as writer:
        for statement in statements:
            named = {name: content for name, content in values.items() if f":{name}" in statement}
            assert await row(writer, statement, **named) is not None, statement


async def refused(database: Database, *statements: str, **values: Any) -> str | None:
    """The constraint that the statements break, by the time they commit."""
    with pytest.raises(IntegrityError) as error:
        await write(database, *statements, **values)
    return constraint_of(error.value)


async def accepted_at(database: Database, task: dict[str, Any]) -> Any:
    async with database.reading() as reader:
        found = await row(reader, "select accepted_at as at from task where id = :id", id=task["id"])
    assert found is not None
    return found["at"]


async def test_two_accountable_agencies_at_one_instant(cast: Cast, database: Database) -> None:
    task = await cast.bring(Status.ACCEPTED)
    at = await accepted_at(database, task)
    broken = await refused(database, BEGIN, task=task["id"], agency="BAWASLU_KOTA_MALANG", at=at)
    assert broken == "ex_assignment_one_accountable"


END = "update assignment set period = tstzrange(lower(period), now()) where task_id = :task and role = 'accountable'"
LATER = END.replace("lower(period), now()", "lower(period) + interval '1 hour', null")
HAND = "update task set accountable = :agency, holder = :agency where id = :task returning id"


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param([f"{END} returning id"], id="ended without a next"),
        pytest.param([HAND], id="another on the task than in its assignments"),
        pytest.param(
            [f"{END} returning id", BEGIN.replace(":at", "now() + interval '1 hour'"), HAND], id="a gap of an hour"
        ),
        pytest.param(
            [f"{LATER} returning id"],
            id="begun after the acceptance",
        ),
        pytest.param(["delete from assignment where task_id = :task and role = 'accountable' returning id"], id="gone"),
    ],
)
async def test_a_task_without_its_one_owner_from_acceptance_on(
    statements: list[str], cast: Cast, database: Database
) -> None:
    task = await cast.bring(Status.ACCEPTED)
    broken = await refused(database, *statements, task=task["id"], agency="BAWASLU_KOTA_MALANG")
    assert broken == "assignment_without_gaps"
    assert (await cast.owner.read(task["id"]))["accountable"] == cast.owner.code


async def test_a_hand_over_without_gap_is_not_refused(cast: Cast, database: Database) -> None:
    """Checked and taken back: a write past the services would leave readers that nobody keeps."""
    task = await cast.bring(Status.ACCEPTED)
    statements = (f"{END} returning id", BEGIN.replace(":at", "now()"), HAND)
    named = {"task": task["id"], "agency": "BAWASLU_KOTA_MALANG"}
    async with AsyncSession(database.engine) as session:
        for statement in statements:
            await session.execute(text(statement), {k: v for k, v in named.items() if f":{k}" in statement})
        await session.execute(text("set constraints all immediate"))
        await session.rollback()


async def test_an_owner_assigned_before_the_first_acceptance(cast: Cast, database: Database) -> None:
    task = await cast.bring(Status.ASSIGNED)
    begin = BEGIN.replace(":at", "now()")
    assert await refused(database, begin, task=task["id"], agency=cast.owner.code) == "assignment_without_gaps"


@pytest.mark.parametrize(
    ("status", "change", "constraint"),
    [
        (Status.ASSIGNED, "holder = 'KPU_KOTA_MALANG'", "held"),
        (Status.ACCEPTED, "holder = logged_by", "held"),
        (Status.ASSIGNED, "status = 'in_progress'", "work_has_an_owner"),
        (Status.ACCEPTED, "mandate = null", "accountable_from_acceptance"),
        (Status.ASSIGNED, "accepted_at = now()", "accountable_from_acceptance"),
        (Status.ACCEPTED, "status = 'escalated'", "status_known"),
    ],
)
async def test_a_task_with_the_wrong_holder_owner_or_status(
    status: Status, change: str, constraint: str, cast: Cast, database: Database
) -> None:
    task = await cast.bring(status)
    broken = await refused(database, f"update task set {change} where id = :id returning id", id=task["id"])
    assert broken == f"ck_task_{constraint}"


async def test_a_task_without_holder(cast: Cast, database: Database) -> None:
    task = await cast.bring(Status.ASSIGNED)
    with pytest.raises(IntegrityError, match="holder"):
        await write(database, "update task set holder = null where id = :id returning id", id=task["id"])


async def test_two_open_referrals_of_one_task(cast: Cast, database: Database) -> None:
    task = await cast.bring(Status.ASSIGNED)
    async with database.reading() as reader:
        found = await row(
            reader,
            "select string_agg(quote_ident(column_name), ', ') as names from information_schema.columns"
            " where table_name = 'referral' and column_name <> 'id'",
        )
    assert found is not None
    again = (
        f"insert into referral (id, {found['names']}) select gen_random_uuid(), {found['names']}"
        " from referral where id = :id returning id"
    )
    assert await refused(database, again, id=task["open_referral"]["id"]) == "uq_referral_open"


@pytest.mark.parametrize(
    "change",
    [
        "update event set payload = '{}' where task_id = :id returning id",
        "update event set leaf = '', agency = null where task_id = :id returning id",
        "delete from event where task_id = :id returning id",
    ],
)
async def test_a_fact_changed_or_deleted(change: str, cast: Cast, database: Database) -> None:
    task = await cast.bring(Status.ASSIGNED)
    before = (await cast.logger.get(f"/v1/tasks/{task['id']}/history")).json()
    with pytest.raises(DBAPIError, match="facts are never changed or deleted"):
        await write(database, change, id=task["id"])
    assert (await cast.logger.get(f"/v1/tasks/{task['id']}/history")).json() == before


async def test_all_facts_truncated(database: Database) -> None:
    with pytest.raises(DBAPIError, match="facts are never changed or deleted"):
        await write(database, "truncate event cascade")


# the registry, over HTTP as well

COPY = """
    insert into mandate (id, category, subcategory, function, variant, accountable, supporting, informed, legal_basis,
        resolve_at, region_code, valid_from, valid_to, source, verified, note, version)
    select 'T' || :id, category, subcategory, function, variant, 'KPU@city', supporting, informed, legal_basis,
        resolve_at, region_code, valid_from + 1, valid_to, source, verified, note, 1
    from mandate where id = :id returning id
"""


@pytest.mark.parametrize("id", ["M01", "M14", "M52", "M13"])
async def test_two_accountable_offices_in_one_matter_at_one_instant(id: str, database: Database) -> None:
    """With an empty variant, with a variant, with a region, and where the law gives no basis."""
    assert await refused(database, COPY, id=id) == "ex_mandate_one_accountable"


ROW = {
    "category": "other",
    "function": "prevention",
    "accountable": "KPU@city",
    "legal_basis": ["uu_1_2015"],
    "resolve_at": "creation",
    "valid_from": "2024-01-01",
    "valid_to": "2024-06-01",
}


async def test_an_operator_s_row_that_overlaps_another_is_refused_and_one_that_follows_is_not(
    operator: Agency,
) -> None:
    assert (await operator.post("/v1/mandates", {"id": "P1", **ROW})).status_code == 201
    overlapping = await operator.post("/v1/mandates", {"id": "P2", **ROW, "valid_from": "2024-05-31", "valid_to": None})
    (fault,) = overlapping.json()["errors"]
    assert (overlapping.status_code, fault["pointer"], fault["code"]) == (422, "/valid_from", "overlap")
    assert (await operator.get("/v1/mandates/P2")).status_code == 404
    following = {"id": "P2", **ROW, "valid_from": "2024-06-01", "valid_to": None}
    assert (await operator.post("/v1/mandates", following)).status_code == 201
    beside = ({"variant": "crime"}, {"region_code": "35.73"}, {"function": "handling"})
    for place, other in enumerate(beside):
        assert (await operator.post("/v1/mandates", {"id": f"P3{place}", **ROW, **other})).status_code == 201


async def test_a_second_holder_of_an_office_in_one_region_is_refused(operator: Agency) -> None:
    body = {"office": "BPBD", "tier": "city", "name_id": "BPBD", "type": "local_government_unit", "level": "city"}
    first = {**body, "code": "BPBD_TERNATE", "regions": ["82.71", "82.72"], "valid_to": "2024-06-01"}
    assert (await operator.post("/v1/agencies", first)).status_code == 201
    second = {**body, "code": "BPBD_TIDORE", "regions": ["82.72"], "valid_from": "2024-05-31"}
    refused = await operator.post("/v1/agencies", second)
    (fault,) = refused.json()["errors"]
    assert (refused.status_code, fault["pointer"], fault["code"]) == (422, "/regions", "office_taken")
    later = {**second, "valid_from": "2024-06-01"}
    assert (await operator.post("/v1/agencies", later)).status_code == 201
