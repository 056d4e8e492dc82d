"""The catalogue of events: complete, true, and readable by people and machines."""

import json
from typing import Any

import httpx
import pytest
from bodies import cases
from catalogued import kinds_told
from fastapi import FastAPI
from listener import heard, sequence
from pydantic import TypeAdapter, create_model
from support import Agency

from app.db import Database
from app.rules.facts import EventKind
from app.schemas.catalogue import CATALOGUE
from app.schemas.events import Event

ALL_TOKENS = "revokeAllTokens"


def test_every_kind_of_event_has_its_row_with_a_sentence_in_both_languages() -> None:
    assert set(CATALOGUE) == set(EventKind)
    for kind, row in CATALOGUE.items():
        for sentence in (row.en, row.id):
            assert sentence.endswith("."), kind
        assert row.en != row.id
        assert row.shape.model_json_schema()["additionalProperties"] is False, kind


async def test_every_operation_says_what_the_catalogue_promises(
    database: Database, bakesbangpol: Agency, bkpsdm: Agency, bawaslu: Agency, operator: Agency
) -> None:
    for name, case in (await cases(bakesbangpol, bkpsdm, bawaslu, operator)).items():
        if name != ALL_TOKENS:
            await case.send(json.dumps(case.body))
    told = await kinds_told(database)
    assert len(told) >= 20, sorted(told)


async def test_what_is_heard_is_what_openapi_says_of_it(app: FastAPI, database: Database, kpu: Agency) -> None:
    await kpu.log()
    await sequence(database)
    hooks = app.openapi()["webhooks"]
    assert hooks.keys() == {*map(str, EventKind), "ping"}
    schemas, bodies = (app.openapi()["components"][part] for part in ("schemas", "requestBodies"))
    adapter = TypeAdapter(create_model("Heard", __base__=Event))
    for envelope in await heard(kpu):
        adapter.validate_json(json.dumps(envelope))
        body = hooks[envelope["type"]]["post"]["requestBody"]["$ref"].rpartition("/")[2]
        schema = bodies[body]["content"]["application/cloudevents+json"]["schema"]
        facts = schema["allOf"][1]["properties"]["data"]["properties"]["facts"]["$ref"].rpartition("/")[2]
        assert envelope["data"]["facts"].keys() <= schemas[facts].get("properties", {}).keys()


async def test_the_catalogue_is_a_page_in_both_languages(http: httpx.AsyncClient) -> None:
    for language, heading in (("en", "Event catalogue"), ("id", "Katalog peristiwa")):
        page = await http.get("/events", headers={"Accept-Language": language})
        assert page.headers["content-type"].startswith("text/html")
        assert heading in page.text
        for kind in EventKind:
            assert f'href="/events/{kind}"' in page.text


@pytest.mark.parametrize("kind", [EventKind.TASK_LOGGED, EventKind.REFERRAL_RETURNED, EventKind.SECRET_ROTATED])
async def test_each_kind_has_a_page_and_a_schema(http: httpx.AsyncClient, kind: EventKind) -> None:
    page = await http.get(f"/events/{kind}")
    assert CATALOGUE[kind].en in page.text
    shown = await http.get(f"/events/{kind}", headers={"Accept": "application/schema+json"})
    assert shown.headers["content-type"] == "application/schema+json"
    schema: dict[str, Any] = shown.json()
    assert schema["title"] == kind
    members = CATALOGUE[kind].shape.model_json_schema()["properties"].keys()
    assert schema["properties"]["facts"]["properties"].keys() == members


async def test_a_kind_that_there_is_not_has_no_page(http: httpx.AsyncClient) -> None:
    answer = await http.get("/events/task.nope")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
