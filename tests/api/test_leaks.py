"""What a hostile reader of the source found, and finds no more."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from support import Agency, SignIn, task

from app.main import create_app
from app.settings import Settings

VILLAGE = "35.73.04.1011"


async def mapped(agency: Agency, **said: Any) -> dict[str, Any]:
    body = {"category": "asn_neutrality", "description": "-", "region": VILLAGE, **said}
    answer = await agency.post("/v1/vulnerabilities", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_link_to_a_hidden_vulnerability_is_shown_to_nobody_else_and_survives_their_changes(
    client_of: SignIn, kpu: Agency, polresta: Agency
) -> None:
    cleared = await client_of("KPU_KOTA_MALANG", clearance="rahasia")
    hidden = await mapped(cleared, classification="rahasia")
    seen = await mapped(kpu)
    linked = await mapped(cleared, classification="terbuka", linked_to=[hidden["id"], seen["id"]])
    path = f"/v1/vulnerabilities/{linked['id']}"
    assert sorted((await cleared.get(path)).json()["linked_to"]) == sorted([hidden["id"], seen["id"]])
    assert (await polresta.get(path)).json()["linked_to"] == [seen["id"]]
    listed = (await polresta.get("/v1/vulnerabilities?limit=200")).text
    assert hidden["id"] not in listed
    read = await kpu.get(path)
    changed = await kpu.patch(path, {"linked_to": []}, etag=read.headers["etag"])
    assert (changed.status_code, changed.json()["linked_to"]) == (200, [])
    assert (await cleared.get(path)).json()["linked_to"] == [hidden["id"]]


async def test_an_answer_is_not_replayed_to_a_client_that_lost_its_clearance(
    client_of: SignIn, operator: Agency
) -> None:
    client = await client_of("KPU_KOTA_MALANG", clearance="rahasia")
    headers, body = {"Idempotency-Key": str(uuid4())}, task(classification="rahasia", description="kenari")
    first = await client.post("/v1/tasks", body, headers=headers)
    assert first.status_code == 201
    place = f"/v1/clients/{client.credentials['client_id']}"
    etag = (await operator.get(place)).headers["etag"]
    assert (await operator.patch(place, {"clearance": "terbatas"}, etag=etag)).status_code == 200
    again = await client.post("/v1/tasks", body, headers=headers)
    assert (again.status_code, again.json()["code"]) == (422, "idempotency-key-reused")
    assert "kenari" not in again.text


async def test_who_acts_for_a_suspended_body_acts_for_it_no_more(operator: Agency, polresta: Agency) -> None:
    body = "/v1/agencies/GAKKUMDU_KOTA_MALANG"

    async def turn(move: str) -> None:
        etag = (await operator.get(body)).headers["etag"]
        turned = await operator.post(f"{body}/{move}", {"reason": "Uji"}, etag=etag)
        assert turned.status_code == 200, turned.text

    assert "GAKKUMDU_KOTA_MALANG" in (await polresta.get("/v1/me")).json()["acts_for"]
    await turn("suspension")
    assert "GAKKUMDU_KOTA_MALANG" not in (await polresta.get("/v1/me")).json()["acts_for"]
    await turn("reinstatement")
    assert "GAKKUMDU_KOTA_MALANG" in (await polresta.get("/v1/me")).json()["acts_for"]


@pytest.mark.parametrize(
    ("address", "token", "shown", "status"),
    [
        ("127.0.0.1", None, None, 200),
        ("203.0.113.7", None, None, 404),
        ("203.0.113.7", None, "Bearer ", 404),
        ("127.0.0.1", "scrape", None, 404),
        ("203.0.113.7", "scrape", "Bearer other", 404),
        ("203.0.113.7", "scrape", "Bearer scrape", 200),
    ],
)
async def test_how_much_others_do_is_told_to_whoever_measures_and_nobody_else(
    url: str, settings: Settings, address: str, token: str | None, shown: str | None, status: int
) -> None:
    secret = SecretStr(token) if token else None
    app: FastAPI = create_app(settings.model_copy(update={"metrics_token": secret}), url)
    transport = httpx.ASGITransport(app, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://simpul") as http:
        answer = await http.get("/metrics", headers={"Authorization": shown} if shown else {})
    await app.state.database.close()
    assert answer.status_code == status
    assert ("simpul_request_seconds" in answer.text) == (status == 200)
