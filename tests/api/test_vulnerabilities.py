"""The register of vulnerabilities (kerawanan): what is known, on which evidence, and what is only said."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from support import Agency, task

from app.db import Database, rows
from app.rules.vocabulary import EvidenceSource

ClientOf = Callable[..., Awaitable[Agency]]
KINDS = list(EvidenceSource)[:3]
PILEG = {"source_type": KINDS[0], "year": 2019, "reference": "Laporan Bawaslu 2019, hal. 12"}


async def map_(agency: Agency, **said: Any) -> dict[str, Any]:
    body = {
        "category": "asn_neutrality",
        "description": "Pegawai memasang baliho calon.",
        "region": "35.73.05",
        "election": "pilkada-2024-35.73",
        "asset": "warehouse",
        "url": "https://example.test/1",
        **said,
    }
    mapped = await agency.post("/v1/vulnerabilities", body)
    assert mapped.status_code == 201, mapped.text
    return dict(mapped.json())


async def patch(agency: Agency, one: dict[str, Any], **said: Any) -> Any:
    path = f"/v1/vulnerabilities/{one['id']}"
    etag = (await agency.get(path)).headers["etag"]
    return await agency.patch(path, said, etag=etag)


async def test_several_agencies_bring_evidence_and_each_piece_carries_its_agency(
    bakesbangpol: Agency, bawaslu: Agency, polresta: Agency
) -> None:
    pieces = [{**PILEG, "source_type": kind, "year": 2018 + place} for place, kind in enumerate(KINDS)]
    mapped = await map_(bakesbangpol, evidence=[pieces[0]])
    path = f"/v1/vulnerabilities/{mapped['id']}"
    for agency, piece in ((bawaslu, pieces[1]), (polresta, pieces[2])):
        brought = await agency.post(f"{path}/evidence", piece)
        assert (brought.status_code, brought.json()["agency"]) == (201, agency.code)
    listed = (await bakesbangpol.get(f"{path}/evidence")).json()["items"]
    assert [one["agency"] for one in listed] == [bakesbangpol.code, bawaslu.code, polresta.code]
    assert [{name: one[name] for name in PILEG} for one in listed] == pieces
    shown = (await bawaslu.get(path)).json()
    assert (shown["evidence"], shown["version"], shown["logged_by"]) == (listed, 1, bakesbangpol.code)


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"year": 1944}, "/year"),
        ({"year": "2019"}, "/year"),
        ({"year": True}, "/year"),
        ({"reference": ""}, "/reference"),
        ({"source_type": "gossip"}, "/source_type"),
        ({"agency": "KPU_KOTA_MALANG"}, "/agency"),
    ],
)
async def test_evidence_names_its_source_and_a_real_year_and_nobody_else_s_agency(
    wrong: dict[str, Any], pointer: str, bakesbangpol: Agency
) -> None:
    mapped = await map_(bakesbangpol)
    path = f"/v1/vulnerabilities/{mapped['id']}/evidence"
    refused = await bakesbangpol.post(path, {**PILEG, **wrong})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)
    assert (await bakesbangpol.get(path)).json() == {"items": []}


async def test_a_rumour_is_claimed_and_then_refuted_and_the_log_keeps_every_step(
    bakesbangpol: Agency, kpu: Agency, database: Database
) -> None:
    mapped = await map_(bakesbangpol, information_status="rumour")
    assert mapped["information_status"] == "rumour"
    for status in ("claimed", "refuted"):
        moved = await patch(bakesbangpol, mapped, information_status=status)
        assert moved.json()["information_status"] == status
        assert (await kpu.get(f"/v1/vulnerabilities/{mapped['id']}")).json()["information_status"] == status
    async with database.reading() as reader:
        facts = await rows(
            reader,
            "select payload ->> 'from' as before, payload ->> 'to' as after, version_after from event"
            " where object_id = :id and kind = 'vulnerability.updated' order by id",
            id=mapped["id"],
        )
    assert [tuple(one.values()) for one in facts] == [("rumour", "claimed", 2), ("claimed", "refuted", 3)]


async def test_what_is_not_said_to_be_more_is_a_claim(bakesbangpol: Agency) -> None:
    assert (await map_(bakesbangpol))["information_status"] == "claimed"


async def test_a_patch_sets_what_it_names_clears_what_is_null_and_leaves_the_rest(bakesbangpol: Agency) -> None:
    mapped = await map_(bakesbangpol)
    after = (await patch(bakesbangpol, mapped, asset=None, locally_distinctive=True)).json()
    assert (after["asset"], after["locally_distinctive"]) == (None, True)
    same = ("url", "description", "election", "region", "information_status", "effective_at")
    assert {name: after[name] for name in same} == {name: mapped[name] for name in same}
    assert after["version"] == 2


@pytest.mark.parametrize(
    "member", ["description", "information_status", "locally_distinctive", "facility_owner", "linked_to", "source"]
)
async def test_what_must_be_there_is_not_cleared(member: str, bakesbangpol: Agency) -> None:
    mapped = await map_(bakesbangpol)
    refused = await patch(bakesbangpol, mapped, **{member: None})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, f"/{member}")
    assert (await bakesbangpol.get(f"/v1/vulnerabilities/{mapped['id']}")).json() == mapped


@pytest.mark.parametrize("member", ["category", "region", "mapped_by", "classification", "version"])
async def test_what_a_vulnerability_is_does_not_change(member: str, bakesbangpol: Agency) -> None:
    mapped = await map_(bakesbangpol)
    refused = await patch(bakesbangpol, mapped, **{member: mapped[member]})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, f"/{member}")


async def test_only_who_mapped_or_logged_it_changes_it(bakesbangpol: Agency, kpu: Agency, bawaslu: Agency) -> None:
    mapped = await map_(bakesbangpol, mapped_by="BAWASLU_KOTA_MALANG")
    refused = await patch(kpu, mapped, information_status="verified")
    assert (refused.status_code, refused.json()["permission"]) == (403, "vulnerability.update")
    assert (await patch(bawaslu, mapped, information_status="verified")).status_code == 200


async def test_a_change_holds_not_before_the_entry(bakesbangpol: Agency) -> None:
    mapped = await map_(bakesbangpol, effective_at="2024-08-23T09:00:00+07:00")
    early = await patch(bakesbangpol, mapped, information_status="refuted", effective_at="2024-08-23T08:00:00+07:00")
    assert (early.status_code, early.json()["errors"][0]["code"]) == (422, "before_previous")


async def test_a_task_names_the_vulnerabilities_that_it_mitigates_and_only_those_its_logger_sees(
    bakesbangpol: Agency, kpu: Agency, client_of: ClientOf
) -> None:
    mapped = await map_(bakesbangpol)
    hidden = await map_(await client_of(kpu.code, clearance="rahasia"), classification="rahasia")
    logged = await bakesbangpol.log(vulnerabilities=[mapped["id"]])
    assert logged["vulnerabilities"] == [mapped["id"]]
    for stranger in (hidden["id"], str(uuid4())):
        refused = await bakesbangpol.post("/v1/tasks", task(vulnerabilities=[mapped["id"], stranger]))
        assert [one["pointer"] for one in refused.json()["errors"]] == ["/vulnerabilities/1"]
    cleared = await bakesbangpol.patch(f"/v1/tasks/{logged['id']}", {"vulnerabilities": []}, etag='"1"')
    assert cleared.json()["vulnerabilities"] == []


async def test_one_number_of_an_agency_is_one_vulnerability(bakesbangpol: Agency, kpu: Agency) -> None:
    number = f"K-{uuid4()}"
    first = await map_(bakesbangpol, external_reference=number)
    body = {"category": "asn_neutrality", "description": "x", "region": "35.73", "external_reference": number}
    refused = await bakesbangpol.post("/v1/vulnerabilities", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "duplicate-external-reference")
    assert refused.json()["reference"] == first["id"]
    assert (await kpu.post("/v1/vulnerabilities", body)).status_code == 201
