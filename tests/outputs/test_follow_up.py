"""What came of a meeting: as JSON, and as a page that people print."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from support import Agency, SignIn, task

HOSTILE = "</td><script>alert(1)</script>\"'&amp;"


@pytest.fixture(scope="module")
async def meeting(kpu: Agency, bakesbangpol: Agency, bkpsdm: Agency) -> dict[str, Any]:
    """A meeting with two decisions, of which one made a task that has come a way, and a task that cites it alone."""
    held = await kpu.post(
        "/v1/meetings",
        {
            "title": f"Rakor {HOSTILE}",
            "title_en": "Coordination meeting",
            "held_on": "2024-08-23",
            "venue": HOSTILE,
            "region": "35.73",
            "participants": [{"agency": "BAKESBANGPOL_KOTA_MALANG", "role": "speaker"}],
            "effective_at": "2024-08-23T13:00:00+07:00",
        },
    )
    assert held.status_code == 201, held.text
    place = f"/v1/meetings/{held.json()['id']}"
    at = "2024-08-23T15:00:00+07:00"
    asked = task(title=HOSTILE, effective_at=at, due_at="2024-09-01T16:00:00+07:00")
    hidden = task(title="Hanya yang berwenang", classification="rahasia", effective_at=at)
    flood = task(category="hydrometeorological", function="monitoring", classification="terbatas", effective_at=at)
    for text_, tasks in (("Sosialisasi\nbersama", [asked, hidden]), (HOSTILE, [flood])):
        said = {"text": text_, "text_en": f"EN {text_}", "tasks": tasks, "effective_at": at}
        answer = await kpu.post(f"{place}/decisions", said)
        assert answer.status_code == 201, answer.text
    (made,) = (await kpu.get(f"{place}/decisions")).json()["items"][0]["tasks"]
    await bkpsdm.accept(await kpu.read(made))
    other = await bakesbangpol.log(title="Merujuk rapat", meeting=held.json()["id"], region="35.73.02.1002")
    return {"id": held.json()["id"], "made": made, "other": other, "place": f"{place}/follow-up"}


async def page_of(agency: Agency, meeting: dict[str, Any], language: str = "id") -> httpx.Response:
    answer = await agency.get(meeting["place"], headers={"Accept": "text/html", "Accept-Language": language})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer


class Page(HTMLParser):
    """What stands in a page: its elements, its texts."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


async def test_the_follow_up_has_each_decision_with_its_tasks_and_what_was_done_last(
    kpu: Agency, meeting: dict[str, Any]
) -> None:
    found = (await kpu.get(meeting["place"])).json()
    assert found["meeting"]["id"] == meeting["id"]
    assert [one["number"] for one in found["decisions"]] == [1, 2]
    (made,) = found["decisions"][0]["tasks"]
    assert made["id"] == meeting["made"]
    assert (made["status"], made["accountable"]) == ("accepted", "BKPSDM_KOTA_MALANG")
    assert (made["last_act"]["kind"], made["last_act"]["agency"]) == ("referral.accepted", "BKPSDM_KOTA_MALANG")
    assert [one["category"] for one in found["decisions"][1]["tasks"]] == ["hydrometeorological"]
    assert found["complete"]


async def test_a_task_that_cites_the_meeting_stands_apart_for_whoever_sees_it_whole(
    kpu: Agency, bakesbangpol: Agency, meeting: dict[str, Any]
) -> None:
    whole = (await bakesbangpol.get(meeting["place"])).json()["other_tasks"]
    assert [one["id"] for one in whole] == [meeting["other"]["id"]]
    assert whole[0]["title"] == "Merujuk rapat"
    # that a task cites a meeting, a summary does not show
    assert (await kpu.get(meeting["place"])).json()["other_tasks"] == []


async def test_what_is_seen_in_summary_stands_there_in_summary(bawaslu: Agency, meeting: dict[str, Any]) -> None:
    found = (await bawaslu.get(meeting["place"])).json()
    (made,) = found["decisions"][1]["tasks"]
    assert (made["access"], made["status"]) == ("summary", "assigned")
    assert [made[name] for name in ("title", "holder", "outcome", "last_act")] == [None] * 4
    page = await page_of(bawaslu, meeting)
    assert "(ringkasan)" in page.text
    assert "alert(1)&lt;/script&gt;" in page.text  # of the meeting's own words


async def test_a_secret_task_is_on_no_page_of_who_is_not_cleared(
    kpu: Agency, client_of: SignIn, meeting: dict[str, Any]
) -> None:
    cleared = await client_of("KPU_KOTA_MALANG", clearance="rahasia")
    assert "Hanya yang berwenang" in (await page_of(cleared, meeting)).text
    assert "Hanya yang berwenang" not in (await page_of(kpu, meeting)).text
    assert "Hanya yang berwenang" not in (await kpu.get(meeting["place"])).text


async def test_who_does_not_see_the_meeting_finds_no_follow_up(kpu: Agency, client_of: SignIn) -> None:
    stranger = await client_of("POLRES_BATU")
    said = {"title": "Tertutup", "held_on": "2024-08-23", "region": "35.73", "classification": "terbatas"}
    held = (await kpu.post("/v1/meetings", said)).json()
    for accept in ("application/json", "text/html"):
        answer = await stranger.get(f"/v1/meetings/{held['id']}/follow-up", headers={"Accept": accept})
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


async def test_the_page_runs_nothing_and_loads_nothing(kpu: Agency, meeting: dict[str, Any]) -> None:
    answer = await page_of(kpu, meeting)
    page = Page(answer.text)
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "link", "img", "iframe", "object", "form", "a"})
    names = {name for _, attributes in page.elements for name in attributes}
    assert names <= {"lang", "charset", "class"}
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert f"style-src 'sha256-{digest}';" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert "@page" in style
    assert HOSTILE in page.texts
    assert "<script>" not in answer.text


async def test_the_page_is_in_the_language_of_the_caller(kpu: Agency, meeting: dict[str, Any]) -> None:
    local, english = [(await page_of(kpu, meeting, language)).text for language in ("id", "en")]
    for words, page in (
        (('lang="id"', "Tindak lanjut rapat", "Keputusan 1", "Sosialisasi\nbersama", "diterima"), local),
        (('lang="en"', "Follow-up of the meeting", "Decision 1", "EN Sosialisasi", "accepted"), english),
    ):
        for word in words:
            assert word in page, word
    assert "2024-09-01 16:00 WIB" in local
    assert "Badan Kepegawaian" in local
    assert "BKPSDM_KOTA_MALANG" not in local


@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [
        ("*/*", 200, "application/json"),
        ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", 200, "text/html"),
        ("text/html;q=0.1, application/json", 200, "application/json"),
        ("text/csv", 406, None),
    ],
)
async def test_the_form_is_the_one_that_accept_likes_best(
    kpu: Agency, meeting: dict[str, Any], accept: str, status: int, kind: str | None
) -> None:
    answer = await kpu.get(meeting["place"], headers={"Accept": accept})
    assert answer.status_code == status
    if kind is not None:
        assert answer.headers["content-type"].partition(";")[0] == kind


async def test_a_page_that_ends_early_says_so(nation: FastAPI, kpu_ri: Agency) -> None:
    said = {"title": "Rakornas", "held_on": "2024-08-23", "region": "35.73"}
    held = (await kpu_ri.post("/v1/meetings", said)).json()["id"]
    engine = create_async_engine(nation.state.database.engine.url)
    cite = "update task set meeting = :id where reference like 'NAT-%' and classification = 'terbuka'"
    async with engine.begin() as connection:
        assert (await connection.execute(text(cite), {"id": held})).rowcount > 500
    await engine.dispose()
    found = (await kpu_ri.get(f"/v1/meetings/{held}/follow-up")).json()
    assert len(found["other_tasks"]) == 500
    assert not found["complete"]
    page = await kpu_ri.get(f"/v1/meetings/{held}/follow-up", headers={"Accept": "text/html"})
    assert f"/v1/tasks?meeting={held}" in page.text
