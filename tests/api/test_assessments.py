"""Likelihood times impact, each agency's own; and beside it what was published, as published."""

from __future__ import annotations

import csv
import json
from itertools import product
from typing import Any

import httpx
import pytest
from bodies import VULNERABILITY
from support import Agency

from app.rules import risk
from app.settings import DATA

LEVELS = json.loads((DATA / "enums.json").read_text())["enums"]["risk_level"]["values"]


async def mapped(agency: Agency, **more: Any) -> str:
    answer = await agency.post("/v1/vulnerabilities", {**VULNERABILITY, **more})
    assert answer.status_code == 201, answer.text
    return f"/v1/vulnerabilities/{answer.json()['id']}/assessments"


async def assess(agency: Agency, place: str, likelihood: int, impact: int, **more: Any) -> httpx.Response:
    return await agency.post(place, {"likelihood": likelihood, "impact": impact, **more})


@pytest.mark.parametrize(("likelihood", "impact"), list(product(range(1, 6), repeat=2)))
def test_level_is_that_of_the_enumeration_whose_scores_hold_the_product(likelihood: int, impact: int) -> None:
    found = [one["code"] for one in LEVELS if one["score_from"] <= likelihood * impact <= one["score_to"]]
    assert [risk.level(likelihood, impact)] == found


@pytest.mark.parametrize(("likelihood", "impact"), [(0, 1), (6, 1), (1, 0), (1, 6), (-1, -1)])
def test_nothing_beyond_the_scale_has_a_level(likelihood: int, impact: int) -> None:
    with pytest.raises(ValueError, match=str(likelihood)):
        risk.level(likelihood, impact)


async def test_each_agency_judges_for_itself_and_its_newest_is_current(
    bawaslu: Agency, kpu: Agency, operator: Agency
) -> None:
    place = await mapped(bawaslu)
    first = await assess(bawaslu, place, 5, 5, residual={"likelihood": 2, "impact": 5}, note="Sebelum sosialisasi")
    assert first.status_code == 201
    assert first.json()["risk_level"] == "critical"
    assert first.json()["residual_risk"] == "high"
    second = await assess(bawaslu, place, 2, 2)
    other = await assess(kpu, place, 1, 5)
    listed = (await kpu.get(place)).json()["items"]
    assert [one["id"] for one in listed] == [one.json()["id"] for one in (other, second, first)]
    assert [(one["agency"], one["risk_level"], one["current"]) for one in listed] == [
        (kpu.code, "medium", True),
        (bawaslu.code, "low", True),
        (bawaslu.code, "critical", False),
    ]
    assert (await operator.get(place)).status_code == 403


async def test_published_scores_stand_beside_as_published_and_are_never_computed(bawaslu: Agency, kpu: Agency) -> None:
    with (DATA / "indices.csv").open(encoding="utf-8", newline="") as file:
        kept = list(csv.DictReader(file))
    for region, regions in (("35.07.01", {"", "35", "35.07"}), ("35.73", {"", "35"}), ("73.71", {""})):
        agency = kpu if region == "35.73" else bawaslu
        shown = (await agency.get(await mapped(agency, region=region))).json()["published"]
        beside = [one for one in kept if one["region_code"] in regions]
        assert sorted(
            (one["edition"], one["level"], one["region"] or "", one["dimension"], one["score"], one["category"],
             one["low_below"], one["high_from"], one["source"])
            for one in shown
        ) == sorted(
            (one["edition"], one["level"], one["region_code"], one["dimension"], number(one["score"]),
             one["category"] or None, number(one["low_below"]), number(one["high_from"]), one["source"])
            for one in beside
        )  # fmt: skip


async def test_zero_that_was_published_as_medium_stays_medium(kpu: Agency) -> None:
    listed = (await kpu.get("/v1/reference/published_index")).json()["values"]
    zero = next(one for one in listed if one["code"] == "ikp_2022/regency_city/35.07/partisipasi")
    assert (zero["score"], zero["category"]) == (0, "sedang")


async def test_outsider_neither_sees_nor_judges_what_is_hidden_from_it(bawaslu: Agency, polresta: Agency) -> None:
    place, stranger = await mapped(bawaslu, classification="terbatas", region="35.07"), polresta
    assert (await stranger.get(place)).status_code == 404
    assert (await assess(stranger, place, 1, 1)).status_code == 404


@pytest.mark.parametrize(
    "body", [{"likelihood": 0, "impact": 1}, {"likelihood": 6, "impact": 1}, {"likelihood": 2.0, "impact": 1}, {}]
)
async def test_what_is_beyond_the_scale_is_refused(bawaslu: Agency, body: dict[str, Any]) -> None:
    place = await mapped(bawaslu)
    assert (await bawaslu.post(place, body)).status_code == 422
    assert (await bawaslu.get(place)).json()["items"] == []


async def test_judgement_is_not_older_than_what_it_judges(bawaslu: Agency) -> None:
    place = await mapped(bawaslu, effective_at="2024-08-20T09:00:00+07:00")
    early = await assess(bawaslu, place, 1, 1, effective_at="2024-08-19T09:00:00+07:00")
    assert (early.status_code, early.json()["errors"][0]["pointer"]) == (422, "/effective_at")
    late = await assess(bawaslu, place, 1, 1, effective_at="2024-08-21T09:00:00+07:00")
    assert late.status_code == 201


def number(text: str) -> float | None:
    return float(text) if text else None
