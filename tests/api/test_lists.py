"""Lists: the grammar of their queries, and cursors that neither miss nor repeat."""

from datetime import datetime
from typing import Any, get_args
from uuid import uuid4

import httpx
import pytest
from bodies import AGREED
from support import Agency, SignIn

from app.schemas.tasks import SortKey, TaskQuery

HERE = "35.73.03.1012"
SORTS: tuple[str, ...] = get_args(SortKey)


@pytest.fixture(scope="module")
async def known(bakesbangpol: Agency, bkpsdm: Agency, bawaslu: Agency, kodim: Agency) -> dict[str, dict[str, Any]]:
    """Three tasks that differ in everything that can be asked about."""
    mapped = await bakesbangpol.post(
        "/v1/vulnerabilities",
        {
            "category": "asn_neutrality",
            "description": "Grup percakapan ASN",
            "region": HERE,
            "election": "pilkada-2024-35.73",
            "stage": "campaign",
        },
    )
    meeting = await bakesbangpol.post("/v1/meetings", {"title": "Rakor", "held_on": "2024-08-23", "region": HERE})
    first = await bakesbangpol.log(
        region=HERE,
        priority="high",
        vulnerabilities=[mapped.json()["id"]],
        meeting=meeting.json()["id"],
        external_reference=f"ND/{uuid4()}",
        due_at="2031-01-01T00:00:00Z",
        effective_at="2024-08-20T00:00:00Z",
    )
    second = await bawaslu.log(region=HERE, effective_at="2024-09-20T00:00:00Z", due_at="2031-03-01T00:00:00Z")
    second = await bkpsdm.accept(second)
    third = await kodim.log(
        region=HERE,
        category="hydrometeorological",
        function="monitoring",
        priority="low",
        shares=[{"agency": bakesbangpol.code, "level": "full"}, {"agency": bawaslu.code, "level": "full"}],
        effective_at="2024-10-20T00:00:00Z",
    )
    clock = await bakesbangpol.post(f"/v1/tasks/{first['id']}/deadlines", AGREED)
    assert clock.status_code == 201, clock.text
    return {"first": first, "second": second, "third": third}


def filters(known: dict[str, dict[str, Any]]) -> dict[str, list[tuple[str, set[str]]]]:
    first, second = known["first"], known["second"]
    return {
        "status": [("assigned", {"first", "third"}), ("assigned,accepted", {*known}), ("closed", set())],
        "accountable": [("BKPSDM_KOTA_MALANG", {"second"}), ("KPU_RI", set())],
        "holder": [
            ("BAKESBANGPOL_KOTA_MALANG", {"first"}),
            ("BKPSDM_KOTA_MALANG,KODIM_0833_KOTA_MALANG", {"second", "third"}),
        ],
        "logged_by": [
            ("BAWASLU_KOTA_MALANG", {"second"}),
            ("BAWASLU_KOTA_MALANG,BAKESBANGPOL_KOTA_MALANG", {"first", "second"}),
        ],
        "supporting": [("INSPEKTORAT_KOTA_MALANG", {"first", "second"}), ("BMKG,INSPEKTORAT_KOTA_MALANG", {*known})],
        "referred_to": [("BKPSDM_KOTA_MALANG", {"first"}), ("BPBD_KOTA_MALANG", {"third"})],
        "party": [("me", {*known})],
        "category": [("asn_neutrality", {"first", "second"}), ("asn_neutrality,hydrometeorological", {*known})],
        "function": [("monitoring", {"third"}), ("monitoring,prevention", {*known})],
        "priority": [("high", {"first"}), ("low,medium", {"second", "third"})],
        "classification": [("terbuka", {"third"}), ("terbatas,rahasia", {"first", "second"})],
        "vulnerability": [(first["vulnerabilities"][0], {"first"}), (str(uuid4()), set())],
        "meeting": [(first["meeting"], {"first"}), (str(uuid4()), set())],
        "stage": [("campaign", {"first", "third"}), ("voting", set())],
        "q": [("sosialisasi", {*known}), (f'netralitas "{first["external_reference"]}"', {"first"}), ("qxqx", set())],
        "external_reference": [(first["external_reference"], {"first"}), ("ND/0", set())],
        "region": [(HERE, {*known}), ("35.73.03", {*known}), ("35", {*known}), ("35.73.01", set())],
        "created_after": [("2024-09-20T00:00:00Z", {"second", "third"}), ("2024-09-20T07:00:01+07:00", {"third"})],
        "created_before": [("2024-09-20T00:00:00Z", {"first"}), ("2024-09-20T07:00:01+07:00", {"first", "second"})],
        "updated_after": [(second["updated_at"], {"second", "third"}), ("2100-01-01T00:00:00Z", set())],
        "due_before": [("2031-02-01T00:00:00Z", {"first"}), ("2031-01-01T00:00:00Z", set())],
        "as_of": [
            ("2024-09-20T00:00:00Z", {"first", "second"}),
            ("2024-09-20T06:59:59+07:00", {"first"}),
            ("2024-08-19T23:59:59Z", set()),
        ],
        "deadline_status": [("running,paused", {"first"}), ("met,breached,void", set())],
        "due_after": [("2031-02-01T00:00:00Z", {"second"}), ("2031-01-01T00:00:00Z", {"first", "second"})],
    }


async def ids(agency: Agency, params: dict[str, Any] | list[tuple[str, str]]) -> list[str]:
    """Every id of a list, page by page."""
    found: list[str] = []
    answer = await agency.get("/v1/tasks", params=params)
    while True:
        assert answer.status_code == 200, answer.text
        found += [one["id"] for one in answer.json()["items"]]
        if answer.json()["next_cursor"] is None:
            return found
        answer = await agency.get("/v1/tasks", params={**dict(params), "cursor": answer.json()["next_cursor"]})


@pytest.mark.parametrize("name", sorted(TaskQuery.model_fields.keys() - {"sort", "limit", "cursor", "fields", "count"}))
async def test_each_filter_finds_what_it_says(
    bakesbangpol: Agency, known: dict[str, dict[str, Any]], name: str
) -> None:
    for value, expected in filters(known)[name]:
        found = await ids(bakesbangpol, {name: value, "limit": "200"})
        assert {letter for letter, one in known.items() if one["id"] in found} == expected, value


async def test_different_filters_are_all_of_and_a_repeated_one_is_any_of(
    bakesbangpol: Agency, known: dict[str, dict[str, Any]]
) -> None:
    both = await ids(bakesbangpol, {"region": HERE, "category": "asn_neutrality", "status": "accepted"})
    assert both == [known["second"]["id"]]
    repeated = [("region", HERE), ("priority", "high"), ("priority", "low")]
    assert set(await ids(bakesbangpol, repeated)) == {known["first"]["id"], known["third"]["id"]}


@pytest.mark.parametrize("sort", SORTS)
async def test_each_sort_orders_all_tasks_and_its_pages_hold_each_once(bakesbangpol: Agency, sort: str) -> None:
    whole = await bakesbangpol.get("/v1/tasks", params={"sort": sort, "limit": "200"})
    items = whole.json()["items"]
    assert len(items) > 5
    name = sort.lstrip("-")
    if name != "due_at":
        whole_items = [one for one in items if one["access"] == "full"]
        moments = [datetime.fromisoformat(one[name]) for one in whole_items]
    else:
        moments = [datetime.fromisoformat(one["due_at"] or "9999-01-01T00:00:00+00:00") for one in items]
    assert moments == sorted(moments, reverse=sort.startswith("-"))
    in_pages = await ids(bakesbangpol, {"sort": sort, "limit": "3"})
    assert len(in_pages) == len(set(in_pages))
    assert in_pages[: len(items)] == [one["id"] for one in items]


@pytest.mark.parametrize("sort", ["-updated_at", "updated_at", "-recorded_at", "due_at"])
async def test_pages_miss_and_repeat_nothing_while_others_log(bakesbangpol: Agency, bawaslu: Agency, sort: str) -> None:
    for number in range(3):
        await bawaslu.log(region="35.73.02.1001", due_at=f"2030-01-0{number + 1}T00:00:00Z")
    there = set(await ids(bakesbangpol, {"region": "35.73.02", "limit": "200"}))
    found: list[str] = []
    params = {"region": "35.73.02", "sort": sort, "limit": "1"}
    cursor: str | None = ""
    logged = 0
    while cursor is not None and len(found) < 100:
        page = (await bakesbangpol.get("/v1/tasks", params=params)).json()
        found += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is not None:
            params["cursor"] = cursor
        if logged < 3:
            logged += 1
            await bawaslu.log(region="35.73.02.1001", due_at="2030-01-02T00:00:00Z")
    assert len(found) == len(set(found))
    assert there <= set(found)


# cursors


@pytest.fixture(scope="module")
async def cursor(bakesbangpol: Agency, known: dict[str, dict[str, Any]]) -> str:
    assert known
    page = await bakesbangpol.get("/v1/tasks", params={"limit": "1", "region": HERE})
    return str(page.json()["next_cursor"])


def refused(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()["code"]) == (400, "cursor-mismatch")


async def test_a_cursor_is_bound_to_filter_sort_agency_and_list(
    bakesbangpol: Agency, bawaslu: Agency, client_of: SignIn, cursor: str
) -> None:
    bound = {"region": HERE, "cursor": cursor}
    assert (await bakesbangpol.get("/v1/tasks", params={**bound, "limit": "2"})).status_code == 200
    for other in ({"region": "35.73"}, {"sort": "due_at"}, {"priority": "low"}, {"sort": "updated_at"}):
        assert refused(await bakesbangpol.get("/v1/tasks", params={**bound, **other})), other
    cleared = await client_of(bakesbangpol.code, clearance="rahasia")
    expert = await client_of(bakesbangpol.code, "expert")
    for other_caller in (bawaslu, cleared, expert):
        assert refused(await other_caller.get("/v1/tasks", params=bound))
    for path in ("/v1/referrals", "/v1/vulnerabilities", "/v1/meetings", "/v1/agencies", "/v1/regions"):
        assert refused(await bakesbangpol.get(path, params={"cursor": cursor})), path


async def test_an_altered_cursor_is_refused(bakesbangpol: Agency, cursor: str) -> None:
    altered = [
        cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :] for place in range(0, 60, 7)
    ]
    for one in (*altered, cursor[:-1], cursor + "A", cursor + "=", "", "x", "a.b.c", "%2e%2e", "A" * 500):
        assert refused(await bakesbangpol.get("/v1/tasks", params={"region": HERE, "cursor": one})), one
    too_long = await bakesbangpol.get("/v1/tasks", params={"region": HERE, "cursor": "A" * 501})
    assert (too_long.status_code, too_long.json()["errors"][0]["parameter"]) == (400, "cursor")


@pytest.mark.parametrize("path", ["/v1/agencies", "/v1/mandates", "/v1/legal-instruments", "/v1/vulnerabilities"])
async def test_the_pages_of_other_lists_hold_each_item_once(kpu: Agency, path: str) -> None:
    found: list[str] = []
    params = {"limit": "7"}
    while True:
        page = await kpu.get(path, params=params)
        found += [one.get("id") or one["code"] for one in page.json()["items"]]
        if page.json()["next_cursor"] is None:
            break
        assert len(page.json()["items"]) == 7
        params["cursor"] = page.json()["next_cursor"]
    assert len(found) == len(set(found)) > 7


# grammar


@pytest.mark.parametrize("limit", ["0", "-1", "201", "1.5", "abc", "", "1e2", "9" * 40])
async def test_a_limit_out_of_bounds_is_refused_never_capped(kpu: Agency, limit: str) -> None:
    for path in ("/v1/tasks", "/v1/referrals", "/v1/agencies", "/v1/regions"):
        answer = await kpu.get(path, params={"limit": limit})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter"), path
        assert answer.json()["errors"][0]["parameter"] == "limit"


async def test_both_ends_of_the_limit_are_allowed(kpu: Agency) -> None:
    for limit in (1, 200):
        page = await kpu.get("/v1/regions", params={"limit": str(limit)})
        assert len(page.json()["items"]) == limit


@pytest.mark.parametrize("path", ["/v1/tasks", "/v1/referrals", "/v1/agencies", "/v1/me", "/v1/mandates/resolution"])
async def test_an_unknown_parameter_is_named_with_the_known_ones(kpu: Agency, path: str) -> None:
    answer = await kpu.get(path, params={"statuss": "assigned"})
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown-parameter")
    assert [one["parameter"] for one in answer.json()["errors"]] == ["statuss"]
    assert ("limit" in answer.json()["known"]) == (path in {"/v1/tasks", "/v1/referrals", "/v1/agencies"})
    assert "statuss" not in answer.json()["known"]


async def test_fields_choose_the_members_of_each_item(bakesbangpol: Agency, known: dict[str, dict[str, Any]]) -> None:
    page = await bakesbangpol.get("/v1/tasks", params={"region": HERE, "fields": "id,reference,status"})
    assert [one.keys() for one in page.json()["items"]] == [{"id", "reference", "status"}] * len(known)
    wrong = await bakesbangpol.get("/v1/tasks", params={"fields": "id,readers"})
    assert (wrong.status_code, wrong.json()["errors"][0]["parameter"]) == (400, "fields")


async def test_a_count_is_given_when_asked_for(bakesbangpol: Agency, known: dict[str, dict[str, Any]]) -> None:
    for asked, count in (
        ({}, None),
        ({"count": "none"}, None),
        ({"count": "exact"}, {"value": len(known), "relation": "exact"}),
        ({"count": "estimate"}, {"value": len(known), "relation": "exact"}),
    ):
        page = await bakesbangpol.get("/v1/tasks", params={"region": HERE, "limit": "1", **asked})
        assert page.json()["count"] == count
    wrong = await bakesbangpol.get("/v1/tasks", params={"count": "all"})
    assert (wrong.status_code, wrong.json()["errors"][0]["parameter"]) == (400, "count")


async def test_the_link_header_leads_to_the_next_page(bakesbangpol: Agency, known: dict[str, dict[str, Any]]) -> None:
    found: list[str] = []
    path = f"/v1/tasks?region={HERE}&limit=1&count=exact&fields=id"
    while True:
        page = await bakesbangpol.get(path)
        found += [one["id"] for one in page.json()["items"]]
        link = page.headers.get("link")
        assert (link is None) == (page.json()["next_cursor"] is None)
        if link is None:
            break
        assert link.endswith('>; rel="next"')
        path = link[1 : link.index(">")]
    assert set(found) == {one["id"] for one in known.values()}
