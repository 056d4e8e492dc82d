"""What the OpenAPI document promises, and that a release's promises are kept."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from differ import broken_promises
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from app.claims import unb64
from app.documents import openapi_document, write_openapi
from app.event_pages import add_shapes
from app.openapi import KEPT, operations
from app.rules.policy import Permission
from app.settings import ROOT

RELEASED = ROOT / "openapi" / "released.json"
PROBLEM = "application/problem+json"

DOCUMENT = openapi_document()
OPERATIONS = [pytest.param(path, one, id=one["operationId"]) for path, _, one in operations(DOCUMENT)]


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """What a reference within the document stands for."""
    if "$ref" not in part:
        return part
    found: Any = DOCUMENT
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def faults(content: Any, schema: dict[str, Any]) -> list[str]:
    whole = {**schema, "components": DOCUMENT["components"]}
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(whole).iter_errors(content)]


def test_the_kept_document_is_the_generated_one(tmp_path: Any) -> None:
    write_openapi(tmp_path / "openapi.json")
    assert (tmp_path / "openapi.json").read_text() == KEPT.read_text(), "run `make openapi`"
    assert json.loads(KEPT.read_text()) == DOCUMENT


def test_the_document_is_valid_and_no_larger_than_it_need_be() -> None:
    validate(DOCUMENT)
    assert len(json.dumps(DOCUMENT)) < 640_000


def test_every_operation_has_a_name_of_its_own() -> None:
    names = Counter(one["operationId"] for _, _, one in operations(DOCUMENT))
    assert len(names) > 50
    assert [name for name, times in names.items() if times > 1 or not re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", name)] == []


def test_a_shape_has_one_name() -> None:
    names = set(DOCUMENT["components"]["schemas"])
    assert [name for name in names if re.search(r"-(Input|Output)(-\d+)?$", name)] == []
    assert {name for name in names if "Problem" in name} == {"Problem", "ProblemError"}
    assert not names & {"HTTPValidationError", "ValidationError"}
    assert "HTTPValidationError" not in json.dumps(DOCUMENT)


def test_no_two_shapes_share_a_name() -> None:
    one, other = {"Because": {"enum": ["weekend"]}}, {"Because": {"enum": ["law_changed"]}}
    add_shapes(shapes := dict(one), {"Other": {}})
    assert set(shapes) == {"Because", "Other"}
    with pytest.raises(ValueError, match="Because"):
        add_shapes(shapes, other)


def test_a_clock_says_of_each_day_why_it_counts() -> None:
    said = resolved(resolved({"$ref": "#/components/schemas/Step"})["properties"]["because"])
    assert said["enum"] == ["start", "counted", "extended", "paused", "saturday", "sunday", "holiday"]


@pytest.mark.parametrize(("path", "operation"), OPERATIONS)
def test_an_operation_says_what_it_does_and_what_it_takes(path: str, operation: dict[str, Any]) -> None:
    said = operation["description"]
    assert len(operation["summary"]) > 5
    assert len(said.split("\n\nPermission:")[0]) > 10
    if path.startswith("/v1"):
        named = re.search(r"Permission: `([a-z._]+)`\.$", said)
        assert named is not None
        assert named[1] in list(Permission)
        assert operation["security"] == [{"client": []}]


@pytest.mark.parametrize(("path", "operation"), OPERATIONS)
def test_every_refusal_is_a_problem(path: str, operation: dict[str, Any]) -> None:
    refusals = {status: resolved(one) for status, one in operation["responses"].items() if status >= "400"}
    assert refusals
    if path.startswith("/oauth2"):
        return
    always = {"500", "503"} if path.startswith("/.well-known") else {"400", "401", "403", "500", "503"}
    assert always <= set(refusals)
    for status, response in refusals.items():
        assert set(response["content"]) == {PROBLEM}, status
        assert response["content"][PROBLEM]["schema"] == {"$ref": "#/components/schemas/Problem"}
        for code, example in response["content"][PROBLEM]["examples"].items():
            value = resolved(example)["value"]
            assert (value["code"], str(value["status"])) == (code, status)
            assert faults(value, DOCUMENT["components"]["schemas"]["Problem"]) == []


@pytest.mark.parametrize(("path", "operation"), OPERATIONS)
def test_every_operation_shows_a_real_request_and_answer(path: str, operation: dict[str, Any]) -> None:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        assert faults(content["example"], content["schema"]) == []
    shown = 0
    for parameter in operation.get("parameters", ()):
        if "example" in parameter:
            assert faults(parameter["example"], parameter["schema"]) == []
            shown += 1
    assert shown >= path.count("{")
    answers = {status: one for status, one in operation["responses"].items() if status < "300"}
    answers.pop("207", None)  # the very report of 200, where not all went well
    if "200" in answers:
        answers.pop("204", None)  # the same without a body, for who prefers that
    assert len(answers) == 1
    for status, response in answers.items():
        silent = status == "204" or path == "/oauth2/revoke"  # RFC 7009 has nothing to say
        assert bool(response.get("content")) != silent
        for content in response.get("content", {}).values():
            if content["schema"].get("format") != "binary":
                assert faults(content["example"], content["schema"]) == []


def test_a_read_that_may_be_304_says_so_and_no_other_does() -> None:
    said = {
        operation["operationId"]: ({"$ref": "#/components/parameters/if-none-match"} in operation["parameters"])
        for path, _, operation in operations(DOCUMENT)
        if "304" in operation["responses"]
    }
    assert all(said.values())
    assert {"showTask", "showHead", "listEntries", "showReference"} <= said.keys()
    assert not {"listTasks", "listEvents", "showLogKeys", "logTask"} & said.keys()
    assert not {"countTasks", "countDeadlines", "showFollowUp"} & said.keys()


def test_no_example_shows_a_usable_credential() -> None:
    text = json.dumps(DOCUMENT)
    assert set(re.findall(r"smp_[a-z]+_\w+", text)) <= {
        "smp_embedded_ThisIsAnExampleAndNobodysSecretAtAll0000000_000000"
    }
    signed = [one.split(".") for one in re.findall(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", text)]
    # statements of the log are for everybody
    assert {signature for header, _, signature in signed if b"simpul-" not in unb64(header)} == {"A" * 86}


def test_nothing_that_was_released_is_broken() -> None:
    assert broken_promises(json.loads(RELEASED.read_text()), DOCUMENT) == []


def _schema(document: Any, name: str) -> Any:
    return document["components"]["schemas"][name]


BREAKS: list[tuple[str, Callable[[Any], object]]] = [
    (
        "/v1/me: path removed",
        lambda new: new["paths"].pop("/v1/me"),
    ),
    (
        "patch /v1/tasks/{id}: operation removed",
        lambda new: new["paths"]["/v1/tasks/{id}"].pop("patch"),
    ),
    (
        "get /v1/tasks: parameter ('query', 'status') removed",
        lambda new: new["paths"]["/v1/tasks"]["get"]["parameters"].pop(0),
    ),
    (
        "get /v1/tasks: answer.items[].title: removed",
        lambda new: _schema(new, "TaskListItem")["properties"].pop("title"),
    ),
    (
        "get /v1/me: answer: role no longer always there",
        lambda new: _schema(new, "Me")["required"].remove("role"),
    ),
    (
        "get /v1/me: answer.agency: may now be integer",
        lambda new: _schema(new, "Me")["properties"].update(agency={"type": "integer"}),
    ),
    (
        "post /v1/tasks: body: due_at newly required",
        lambda new: _schema(new, "TaskInput")["required"].append("due_at"),
    ),
    (
        "post /v1/tasks: body.title: maxLength lowered",
        lambda new: _schema(new, "TaskInput")["properties"]["title"].update(maxLength=99),
    ),
    (
        "post /v1/tasks: body.title: no longer takes string",
        lambda new: _schema(new, "TaskInput")["properties"]["title"].update(type="integer"),
    ),
    (
        "get /v1/tasks: ('query', 'function')[]: values prevention removed",
        lambda new: _schema(new, "Function")["enum"].remove("prevention"),
    ),
]


@pytest.mark.parametrize(("said", "harm"), BREAKS, ids=[said for said, _ in BREAKS])
def test_a_broken_promise_is_named(said: str, harm: Callable[[Any], object]) -> None:
    harmed = deepcopy(DOCUMENT)
    harm(harmed)
    assert said in broken_promises(DOCUMENT, harmed)


def test_an_addition_breaks_nothing() -> None:
    grown = deepcopy(DOCUMENT)
    grown["paths"]["/v1/new"] = grown["paths"]["/v1/me"]
    _schema(grown, "TaskInput")["properties"]["mood"] = {"type": "string"}
    _schema(grown, "Me")["properties"]["mood"] = {"type": "string"}
    _schema(grown, "Me")["required"].append("mood")
    _schema(grown, "Function")["enum"].append("prophecy")
    assert broken_promises(DOCUMENT, grown) == []
