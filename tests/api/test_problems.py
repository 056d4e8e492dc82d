"""Refusals: their codes never change, their words are those of the caller, and never the caller's input."""

import httpx
import pytest
from support import Agency, task

from app.errors import Problem

#: What integrators were promised: a code is never renamed.
CODES = {
    400: "malformed-json json-depth json-duplicate-key json-number unknown-parameter invalid-parameter cursor-mismatch"
    " idempotency-key-missing",
    401: "token-missing token-invalid",
    403: "permission-denied not-your-referral classification-denied agency-suspended address-not-allowed",
    404: "not-found no-such-head not-in-log",
    405: "method-not-allowed",
    406: "not-acceptable",
    409: "transition-not-allowed mandate-mismatch mandate-gap recusal referral-open duplicate-external-reference"
    " idempotency-in-progress head-mismatch statutory-clock clock-running",
    412: "stale-version",
    413: "body-too-large",
    414: "uri-too-long",
    415: "unsupported-media-type",
    422: "validation-failed idempotency-key-reused no-legal-basis classification-refused expiry-in-freeze-window"
    " text-encoding four-eyes no-such-clock",
    428: "precondition-required",
    429: "quota-exceeded",
    500: "internal",
    503: "overloaded timeout storage temporarily-unavailable",
}


def test_the_catalogue_is_the_table_of_the_api() -> None:
    table = {code: status for status, codes in CODES.items() for code in codes.split()}
    assert {code: problem.status for code, problem in Problem.catalogue.items()} == table


@pytest.mark.parametrize("code", sorted(Problem.catalogue))
def test_every_problem_speaks_both_languages(code: str) -> None:
    problem = Problem.catalogue[code]
    for words in (problem.title, problem.detail):
        assert len(words) == 2
        assert all(words)
        assert words[0] != words[1]
    if problem.status in {429, 503}:
        assert problem.retry_after is not None


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        (None, "en"),
        ("en", "en"),
        ("id", "id"),
        ("id-ID", "id"),
        ("ID", "id"),
        ("id, en;q=0.8", "id"),
        ("en;q=0.8, id", "id"),
        ("id;q=0.3, en;q=0.9", "en"),
        ("en-GB,en;q=0.9,id;q=0.8", "en"),
        ("jv, id;q=0.5", "id"),
        ("fr", "en"),
        ("*", "en"),
        ("id;q=0", "en"),
        ("id;q=0, *", "en"),
        ("id;q=2", "en"),
        ("", "en"),
        (";;;,,,", "en"),
    ],
)
async def test_a_refusal_is_in_the_language_the_caller_likes_best(
    kpu: Agency, asked: str | None, language: str
) -> None:
    titles = {"en": "Not found", "id": "Tidak ditemukan"}
    headers = {} if asked is None else {"Accept-Language": asked}
    answer = await kpu.get("/v1/agencies/NO_SUCH_AGENCY", headers=headers)
    assert (answer.json()["title"], answer.json()["code"]) == (titles[language], "not-found")
    assert answer.headers["content-language"] == language
    assert "accept-language" in answer.headers["vary"].lower()


async def test_each_fault_is_told_in_that_language_too(kpu: Agency) -> None:
    for language, words in (("en", "There is no such region."), ("id", "Tidak ada region seperti itu.")):
        refused = await kpu.post("/v1/tasks", task(region="99.99"), headers={"Accept-Language": language})
        assert refused.json()["errors"] == [{"pointer": "/region", "code": "unknown", "detail": words}]


@pytest.mark.parametrize("language", ["en", "id"])
async def test_the_catalogue_is_read_by_people_without_a_token(http: httpx.AsyncClient, language: str) -> None:
    place = 1 if language == "id" else 0
    headers = {"Accept-Language": language}
    page = await http.get("/problems", headers=headers)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f'<html lang="{language}">' in page.text
    for code, problem in Problem.catalogue.items():
        assert f'href="/problems/{code}"' in page.text
        one = await http.get(f"/problems/{code}", headers=headers)
        assert one.status_code == 200
        assert problem.title[place] in one.text
        assert "<script" not in one.text
    assert (await http.get("/problems/no-such-problem")).status_code == 404


async def test_a_refusal_names_the_problem_the_place_and_the_request(kpu: Agency) -> None:
    refused = await kpu.get("/v1/agencies/NO_SUCH_AGENCY", headers={"Request-Id": "req.0042"})
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json() == {
        "type": "/problems/not-found",
        "title": "Not found",
        "status": 404,
        "detail": "There is nothing here that you may see.",
        "instance": "/v1/agencies/NO_SUCH_AGENCY",
        "code": "not-found",
        "request_id": "req.0042",
    }


async def test_a_refusal_never_repeats_what_was_sent(kpu: Agency, http: httpx.AsyncClient) -> None:
    canary = "kanari<b>7301"
    answers = [
        await kpu.post("/v1/tasks", task(title=canary * 99)),
        await kpu.post("/v1/tasks", task(category=canary)),
        await kpu.post("/v1/tasks", task(region=canary)),
        await kpu.post("/v1/tasks", task(**{canary: 1})),
        await kpu.post("/v1/tasks", task(proposed_owner=canary)),
        await kpu.post("/v1/tasks", task(meeting=canary)),
        await kpu.post("/v1/tasks", {"title": {canary: [canary]}}),
        await kpu.post("/v1/tasks", [canary]),
        await kpu.get("/v1/tasks", params={"status": canary}),
        await kpu.get("/v1/tasks", params={"cursor": canary}),
        await kpu.get("/v1/tasks", params={canary: "1"}),
        await kpu.get("/v1/regions", params={"parent": canary}),
        await kpu.get("/v1/me", headers={"Acting-User": f"{canary} {canary}"}),
        await http.get("/v1/me", headers={"Authorization": f"Bearer {canary}"}),
        await http.post("/oauth2/token", data={"grant_type": canary, "client_id": canary, "client_secret": canary}),
    ]
    for number, answer in enumerate(answers):
        assert 400 <= answer.status_code < 500, number
        assert canary not in answer.text, number
        assert "kanari" not in answer.text, number


async def test_paths_and_methods_that_are_not_there(kpu: Agency) -> None:
    nowhere = await kpu.get("/v1/nowhere")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "not-found")
    for method, path, allowed in (
        ("DELETE", "/v1/tasks", "GET, POST"),
        ("PUT", "/v1/tasks/00000000-0000-7000-8000-000000000000", "GET, PATCH"),
        ("POST", "/v1/me", "GET"),
    ):
        refused = await kpu._send(method, path, {} if method != "DELETE" else None)
        assert (refused.status_code, refused.json()["code"]) == (405, "method-not-allowed"), path
        assert refused.headers["allow"] == allowed
