"""Many operations in one request: all or nothing, or each for itself."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest
from support import Agency, SignIn, task
from words import facts_of

from app.db import Database
from app.schemas.batch import MANY

BATCH = "/v1/tasks/batch"
CANCEL = {"action": "cancel", "reason": "Salah catat"}


def logging(**more: Any) -> dict[str, Any]:
    return {"operation": "log", "input": task(**more)}


def moving(logged: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"operation": "move", "task": logged["id"], "if_match": f'"{logged["version"]}"', "input": CANCEL} | more


async def batch(agency: Agency, *operations: dict[str, Any], atomic: bool = True, **more: Any) -> httpx.Response:
    return await agency.post(BATCH, {"atomic": atomic, "operations": list(operations)}, **more)


async def status_of(agency: Agency, logged: dict[str, Any]) -> str:
    return str((await agency.get(f"/v1/tasks/{logged['id']}")).json()["status"])


async def test_operations_are_carried_out_in_order_each_with_the_answer_it_would_have_had_alone(
    bakesbangpol: Agency,
) -> None:
    logged = await bakesbangpol.log()
    answer = await batch(
        bakesbangpol,
        logging(title="Satu"),
        {"operation": "comment", "task": logged["id"], "input": {"body": "Sudah disampaikan"}},
        {
            "operation": "update",
            "task": logged["id"],
            "if_match": f'"{logged["version"]}"',
            "input": {"priority": "high"},
        },
        moving(logged, if_match=f'"{logged["version"] + 1}"'),
    )
    assert answer.status_code == 200
    made, said, changed, moved = answer.json()["results"]
    assert [one["operation"] for one in (made, said, changed, moved)] == [0, 1, 2, 3]
    assert [one["status"] for one in (made, said, changed, moved)] == [201, 201, 200, 200]
    assert made["location"] == f"/v1/tasks/{made['result']['id']}"
    assert changed["result"]["priority"] == "high"
    assert moved["result"]["status"] == "cancelled"
    shown = await bakesbangpol.get(f"/v1/tasks/{logged['id']}")
    assert shown.headers["etag"].split("-")[0] == moved["etag"].split("-")[0]
    assert (await bakesbangpol.get(made["location"])).json()["title"] == "Satu"


async def test_whole_life_of_a_referral_goes_through_batches(
    bakesbangpol: Agency, bkpsdm: Agency, bawaslu: Agency
) -> None:
    logged = await bakesbangpol.log()
    referral = logged["open_referral"]["id"]
    accepted = await batch(
        bkpsdm,
        {"operation": "answer", "referral": referral, "if_match": '"1"', "input": {"answer": "accepted"}},
        {"operation": "share", "task": logged["id"], "agency": "KODIM_0833_KOTA_MALANG", "if_match": '"2"',
         "input": {"level": "full"}},
        {"operation": "unshare", "task": logged["id"], "agency": "KODIM_0833_KOTA_MALANG", "if_match": '"3"'},
        {"operation": "refer", "task": logged["id"], "if_match": '"4"',
         "input": {"to_agency": bawaslu.code, "function": "monitoring"}},
    )  # fmt: skip
    assert accepted.status_code == 200, accepted.text
    assert [one["status"] for one in accepted.json()["results"]] == [200, 200, 204, 201]
    sent = accepted.json()["results"][3]
    taken_back = await batch(
        bkpsdm,
        {"operation": "withdraw", "referral": sent["result"]["id"], "if_match": sent["etag"], "input": {}},
    )
    assert taken_back.json()["results"][0]["result"]["status"] == "withdrawn"


async def test_all_or_nothing_changes_nothing_and_names_every_refusal(bakesbangpol: Agency) -> None:
    logged, other = await bakesbangpol.log(), await bakesbangpol.log()
    number = f"ND/{uuid4().hex[:8]}"
    answer = await batch(
        bakesbangpol,
        logging(external_reference=number),
        moving(logged, if_match='"7"'),
        moving(other),
        logging(region="99.99"),
    )
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["operation"]) == (412, "stale-version", 1)
    assert [(one["operation"], one["code"]) for one in problem["refused"]] == [
        (1, "stale-version"),
        (3, "validation-failed"),
    ]
    assert "audit-receipt" not in answer.headers
    assert await status_of(bakesbangpol, other) == "assigned"
    found = (await bakesbangpol.get(f"/v1/tasks?external_reference={number}")).json()["items"]
    assert found == []


async def test_each_for_itself_keeps_what_went_well_and_explains_what_did_not(bakesbangpol: Agency) -> None:
    logged, other = await bakesbangpol.log(), await bakesbangpol.log()
    number = f"ND/{uuid4().hex[:8]}"
    answer = await batch(
        bakesbangpol,
        logging(external_reference=number),
        logging(external_reference=number),
        moving(logged, if_match='"7"'),
        {"operation": "move", "task": logged["id"], "input": CANCEL},
        moving({"id": str(uuid4()), "version": 1}),
        logging(region="99.99"),
        {"operation": "log", "input": {"title": ""}},
        {"operation": "fly"},
        moving(other),
        atomic=False,
    )
    assert answer.status_code == 207
    results = answer.json()["results"]
    assert [one["status"] for one in results] == [201, 409, 412, 428, 404, 422, 422, 422, 200]
    assert [(one["problem"] or {}).get("code") for one in results] == [
        None,
        "duplicate-external-reference",
        "stale-version",
        "precondition-required",
        "not-found",
        "validation-failed",
        "validation-failed",
        "validation-failed",
        None,
    ]
    assert results[5]["problem"]["errors"][0]["pointer"] == "/operations/5/input/region"
    pointers = {one["pointer"] for one in results[6]["problem"]["errors"]}
    assert {"/operations/6/input/title", "/operations/6/input/region"} <= pointers
    assert results[2]["problem"]["instance"] == f"{BATCH}#/operations/2"
    assert await status_of(bakesbangpol, other) == "cancelled"
    assert await status_of(bakesbangpol, logged) == "assigned"


async def test_receipt_promises_what_stood_and_nothing_that_was_taken_back(bakesbangpol: Agency) -> None:
    alone = await batch(bakesbangpol, logging(), atomic=False)
    mixed = await batch(bakesbangpol, logging(draft=True), logging(region="99.99"), logging(), atomic=False)
    assert "audit-receipt" in alone.headers
    told = [one["result"] for one in mixed.json()["results"]]
    assert told[1] is None
    for one in (told[0], told[2]):
        history = (await bakesbangpol.get(f"/v1/tasks/{one['id']}/history")).json()["items"]
        assert history[0]["kind"] in {"task.logged", "task.drafted"}
    nothing = await batch(bakesbangpol, logging(region="99.99"), atomic=False)
    assert nothing.status_code == 207
    assert "audit-receipt" not in nothing.headers


async def test_words_written_after_a_refused_operation_on_the_same_task_can_be_read(bakesbangpol: Agency) -> None:
    """The key that the refused one made is taken back with it."""
    logged = await bakesbangpol.log()
    staff = {"Acting-User": f"staf-{uuid4().hex[:8]}"}
    answer = await batch(
        bakesbangpol,
        moving(logged, if_match='"7"'),
        {
            "operation": "log",
            "input": task(external_reference=f"ND/{uuid4().hex[:6]}", proposed_owner=bakesbangpol.code),
        },
        moving(logged),
        atomic=False,
        headers=staff,
    )
    assert [one["status"] for one in answer.json()["results"]] == [412, 409, 200]
    last = (await bakesbangpol.get(f"/v1/tasks/{logged['id']}/history")).json()["items"][-1]
    assert (last["acting_user"], last["facts"]["reason"]) == (staff["Acting-User"], CANCEL["reason"])


async def test_the_same_key_replays_the_report_and_does_nothing_again(bakesbangpol: Agency) -> None:
    number, key = f"ND/{uuid4().hex[:8]}", {"Idempotency-Key": str(uuid4())}
    first = await batch(bakesbangpol, logging(external_reference=number), headers=key)
    again = await batch(bakesbangpol, logging(external_reference=number), headers=key)
    assert (again.headers["idempotent-replayed"], again.content) == ("true", first.content)
    assert again.headers["audit-receipt"] == first.headers["audit-receipt"]
    other = await batch(bakesbangpol, logging(), headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")


async def test_outsider_finds_nothing_by_batches_and_viewer_may_not_send_one(
    bakesbangpol: Agency, sign_in: SignIn, operator: Agency
) -> None:
    logged = await bakesbangpol.log(classification="terbatas")
    outsider = await sign_in("POLRESTA_MALANG_KOTA")
    answer = await batch(outsider, moving(logged), atomic=False)
    assert answer.json()["results"][0]["problem"]["code"] == "not-found"
    made = await operator.post("/v1/clients", {"agency": bakesbangpol.code, "role": "viewer", "purpose": "Layar"})
    viewer = await Agency(bakesbangpol.http, {**made.json(), "agency": bakesbangpol.code}).sign_in()
    refused = await batch(viewer, moving(logged))
    assert (refused.status_code, refused.json()["permission"]) == (403, "task.batch")


async def test_each_refusal_by_permission_is_a_fact_even_among_others(bakesbangpol: Agency, bkpsdm: Agency) -> None:
    logged = await bakesbangpol.log()
    answer = await batch(bkpsdm, moving(logged), logging(), atomic=False)
    assert [one["status"] for one in answer.json()["results"]] == [403, 201]
    assert "audit-receipt" in answer.headers
    refused = await batch(bkpsdm, moving(logged), logging())
    assert (refused.status_code, refused.json()["operation"]) == (403, 0)


async def test_each_refusal_by_permission_is_a_fact_even_behind_another_that_is_none(
    bakesbangpol: Agency, bkpsdm: Agency, database: Database
) -> None:
    logged, other = await bakesbangpol.log(), await bakesbangpol.log()
    refused = await batch(bkpsdm, moving(logged, task=str(uuid4())), moving(logged), moving(other))
    assert (refused.status_code, refused.json()["code"]) == (404, "not-found")
    assert [one["status"] for one in refused.json()["refused"]] == [404, 403, 403]
    told = await facts_of(database, "e.request_id = :id", id=refused.json()["request_id"])
    assert [(one["kind"], one["payload"]["operation"], one["payload"]["object"]) for one in told] == [
        ("request.refused", "moveTask", one["id"]) for one in (logged, other)
    ]


@pytest.mark.parametrize("body", [{}, {"operations": []}, {"operations": [{}] * (MANY + 1)}, {"operations": "log"}])
async def test_batch_without_operations_or_with_too_many_is_refused_whole(
    bakesbangpol: Agency, body: dict[str, Any]
) -> None:
    answer = await bakesbangpol.post(BATCH, body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation-failed")


async def test_two_hundred_tasks_are_logged_at_once(bakesbangpol: Agency) -> None:
    answer = await batch(bakesbangpol, *(logging(title=f"Tugas {n}") for n in range(MANY)), atomic=False)
    assert [one["status"] for one in answer.json()["results"]] == [201] * MANY
    assert len({one["result"]["reference"] for one in answer.json()["results"]}) == MANY
    assert len(answer.headers["audit-receipt"]) < 1_000


async def test_minimum_is_preferred(bakesbangpol: Agency) -> None:
    answer = await batch(bakesbangpol, logging(), headers={"Prefer": "return=minimal"})
    result = answer.json()["results"][0]
    assert (answer.headers["preference-applied"], result["result"]) == ("return=minimal", None)
    assert (await bakesbangpol.get(result["location"])).status_code == 200


async def test_batches_that_cross_each_other_end_with_one_winner_each(bakesbangpol: Agency) -> None:
    """Each takes the same tasks in the opposite order: one waits for the other, and is refused."""
    for _ in range(5):
        first, second = await bakesbangpol.log(), await bakesbangpol.log()
        there, back = await asyncio.gather(
            batch(bakesbangpol, moving(first), moving(second)), batch(bakesbangpol, moving(second), moving(first))
        )
        assert sorted((there.status_code, back.status_code)) in ([200, 409], [200, 412])
        assert {await status_of(bakesbangpol, one) for one in (first, second)} == {"cancelled"}
