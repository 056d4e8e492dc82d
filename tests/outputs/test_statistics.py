"""Statistics: the list, counted; nothing in them that the list does not show."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from fastapi import FastAPI
from files import list_of
from support import Agency, SignIn

from app.schemas.statistics import ClockDimension, Dimension

PLACE = "35.73.02.1007"


async def counted(agency: Agency, what: str = "tasks", **params: str) -> dict[str, Any]:
    answer = await agency.get(f"/v1/statistics/{what}", params=params)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def tally(section: list[dict[str, Any]]) -> dict[Any, int]:
    assert section == sorted(section, key=lambda one: -one["count"])
    return {one["value"]: one["count"] for one in section}


def of(items: Iterable[dict[str, Any]], name: str) -> dict[Any, int]:
    return dict(Counter(one[name] for one in items))


@pytest.mark.parametrize("params", [{}, {"region": "35"}, {"status": "assigned", "party": "me"}, {"q": "tugas"}])
async def test_what_is_counted_is_the_list(nation: FastAPI, kpu_ri: Agency, params: dict[str, str]) -> None:
    assert nation
    listed, found = await list_of(kpu_ri, **params), await counted(kpu_ri, **params)
    assert found["total"] == len(listed)
    for name in ("status", "accountable", "category"):
        assert tally(found["by"][name]) == of(listed, name)
    districts = [one["region"][:8] if len(one["region"]) >= 8 else None for one in listed]
    assert tally(found["by"]["district"]) == dict(Counter(districts))
    assert sum(tally(found["by"]["age"]).values()) == len(listed)
    assert found["groups"] is None


async def test_several_dimensions_are_counted_together(nation: FastAPI, kpu_ri: Agency) -> None:
    assert nation
    listed = await list_of(kpu_ri, region="35")
    found = await counted(kpu_ri, region="35", group_by="category,status")
    expected = Counter((one["category"], one["status"]) for one in listed)
    assert {(one["values"]["category"], one["values"]["status"]): one["count"] for one in found["groups"]} == expected


async def test_operators_and_administrators_count_nothing(operator: Agency, sign_in: SignIn) -> None:
    for agency in (operator, await sign_in("KPU_KOTA_MALANG", "agency_admin")):
        for what in ("tasks", "deadlines"):
            answer = await agency.get(f"/v1/statistics/{what}")
            assert (answer.status_code, answer.json()["code"]) == (403, "permission-denied")


async def test_a_secret_task_is_in_no_count_of_who_is_not_cleared(
    kpu: Agency, kodim: Agency, client_of: SignIn
) -> None:
    cleared = await client_of("KPU_KOTA_MALANG", clearance="rahasia")
    before = [(await counted(one))["total"] for one in (kpu, kodim, cleared)]
    await kpu.log(classification="rahasia", region=PLACE)
    assert [(await counted(one))["total"] for one in (kpu, kodim, cleared)] == [before[0], before[1], before[2] + 1]


async def test_what_a_summary_does_not_show_is_not_counted_out_of_it(kpu: Agency, kodim: Agency) -> None:
    mapped = await kodim.post(
        "/v1/vulnerabilities",
        {"category": "asn_neutrality", "description": "-", "region": PLACE, "stage": "campaign"}
        | {"election": "pilkada-2024-35.73", "classification": "terbatas"},
    )
    assert mapped.status_code == 201, mapped.text
    region = "35.73.02.1008"
    await kodim.log(region=region, vulnerabilities=[mapped.json()["id"]], effective_at="2024-10-01T00:00:00Z")
    whole, summary = await counted(kodim, region=region), await counted(kpu, region=region)
    assert whole["total"] == summary["total"] == 1
    assert tally(whole["by"]["stage"])["campaign"] == 1
    assert tally(whole["by"]["age"]) == {"over_90_days": 1}
    assert tally(summary["by"]["stage"]) == tally(summary["by"]["age"]) == {None: 1}
    assert tally(summary["by"]["status"]) == {"assigned": 1}


async def test_a_task_counts_in_each_stage_that_the_list_finds_it_by(bakesbangpol: Agency) -> None:
    region = "35.73.02.1009"
    await bakesbangpol.log(region=region, effective_at="2024-10-01T00:00:00Z")
    await bakesbangpol.log(region=region, effective_at="2024-08-25T00:00:00Z")
    found = tally((await counted(bakesbangpol, region=region))["by"]["stage"])
    assert found["campaign"] == 1
    for stage in filter(None, found):
        assert found[stage] == len(await list_of(bakesbangpol, region=region, stage=stage)), stage


async def test_the_age_is_that_of_open_tasks(bakesbangpol: Agency) -> None:
    region = "35.73.02.1010"
    assert (await counted(bakesbangpol, region=region))["total"] == 0
    logged = await bakesbangpol.log(region=region)
    await bakesbangpol.log(region=region, effective_at="2024-10-01T00:00:00Z")
    assert tally((await counted(bakesbangpol, region=region))["by"]["age"]) == {"up_to_7_days": 1, "over_90_days": 1}
    then = await counted(bakesbangpol, region=region, as_of="2024-10-20T00:00:00Z")
    assert tally(then["by"]["age"]) == {"up_to_30_days": 1}
    assert (await bakesbangpol.move(logged["id"], "cancel", reason="Salah catat")).status_code == 200
    assert tally((await counted(bakesbangpol, region=region))["by"]["age"]) == {"ended": 1, "over_90_days": 1}


async def test_clocks_are_counted_by_code_status_and_lateness(bakesbangpol: Agency, kpu: Agency) -> None:
    region = "35.73.02.1011"
    logged = [await bakesbangpol.log(region=region, effective_at="2024-10-01T00:00:00Z") for _ in range(3)]
    assert (await counted(bakesbangpol, "deadlines", region=region))["total"] == 0
    for one, due in zip(logged, ("2024-10-02T00:00:00Z", "2030-01-01T00:00:00Z"), strict=False):
        said = {"due_at": due, "reason": "Disepakati dalam rapat", "started_at": "2024-10-01T08:00:00Z"}
        answer = await bakesbangpol.post(f"/v1/tasks/{one['id']}/deadlines", said)
        assert answer.status_code == 201, answer.text
    found = await counted(bakesbangpol, "deadlines", region=region, group_by="kind,lateness")
    listed = (await bakesbangpol.get("/v1/deadlines", params={"region": region})).json()["items"]
    assert found["total"] == len(listed) == 2
    for name in ("code", "kind", "status"):
        assert tally(found["by"][name]) == of(listed, name)
    assert tally(found["by"]["lateness"]) == {"over_30_days": 1, "not_late": 1}
    assert sum(one["count"] for one in found["groups"]) == 2
    by_task = tally((await counted(bakesbangpol, region=region))["by"]["deadline_status"])
    assert by_task[None] == 1
    assert sum(by_task.values()) == 3
    # who coordinates sees the tasks in summary, and so no clock of them
    assert (await counted(kpu, region=region))["total"] == 3
    assert (await counted(kpu, "deadlines", region=region))["total"] == 0


@pytest.mark.parametrize(
    ("path", "name", "code"),
    [
        ("tasks?group_by=colour", "group_by", "invalid-parameter"),
        ("tasks?group_by=status,status", "group_by", "invalid-parameter"),
        ("tasks?group_by=status,age,stage,district", "group_by", "invalid-parameter"),
        ("tasks?limit=5", "limit", "unknown-parameter"),
        ("tasks?as_of=2024-10-01T00:00:00Z&party=me", "party", "invalid-parameter"),
        ("tasks?as_of=2100-01-01T00:00:00Z", "as_of", "invalid-parameter"),
        ("deadlines?as_of=2024-10-01T00:00:00Z", "as_of", "invalid-parameter"),
        ("deadlines?group_by=stage", "group_by", "invalid-parameter"),
    ],
)
async def test_what_cannot_be_counted_is_refused_by_name(kpu: Agency, path: str, name: str, code: str) -> None:
    answer = await kpu.get(f"/v1/statistics/{path}")
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert [one["parameter"] for one in answer.json()["errors"]] == [name]


@pytest.mark.parametrize(("what", "dimensions"), [("tasks", Dimension), ("deadlines", ClockDimension)])
async def test_every_dimension_is_a_section_and_can_be_grouped_by(
    kpu: Agency, what: str, dimensions: type[Dimension] | type[ClockDimension]
) -> None:
    assert [*(await counted(kpu, what))["by"]] == [one.value for one in dimensions]
    for one in dimensions:
        found = await counted(kpu, what, group_by=one.value)
        assert {group["values"][one.value]: group["count"] for group in found["groups"]} == tally(
            found["by"][one.value]
        )
