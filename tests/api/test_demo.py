"""The demo, told over a real socket: every step is shown, and it can be told as often as one likes."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pytest
import uvicorn
from rich.console import Console

from app.demo import tell
from app.main import create_app
from app.settings import Settings
from app.stories import STORIES

Clients = list[dict[str, Any]]


@dataclass(frozen=True)
class Telling:
    """What the demo returned, and what it showed, on lines wide enough not to be broken."""

    failure: str | None
    text: str

    def lines(self, *words: str) -> list[str]:
        """The lines that hold all of these words."""
        return [line for line in self.text.splitlines() if all(word in line for word in words)]


Tellings = tuple[Telling, Telling, Telling]


async def told(address: str, clients: Clients) -> Telling:
    console = Console(file=StringIO(), width=500, record=True)
    async with asyncio.timeout(60):
        failure = await tell(address, clients, console)
    return Telling(failure, console.export_text())


@pytest.fixture(scope="module")
async def address(clone: Callable[[], Awaitable[str]], settings: Settings) -> AsyncIterator[str]:
    """The service on a loopback port of its own, over a database in which nobody has told anything yet."""
    bound = socket.create_server(("127.0.0.1", 0))
    app = create_app(settings, await clone())
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=5))
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    server.should_exit = True
    async with asyncio.timeout(20):
        await serving


@pytest.fixture(scope="module")
async def tellings(address: str, credentials: Clients) -> Tellings:
    """One that breaks off where BKPSDM should act, the same once more with BKPSDM, and the next."""
    broken_off = await told(address, [one for one in credentials if one["agency"] != "BKPSDM_KOTA_MALANG"])
    return broken_off, await told(address, credentials), await told(address, credentials)


async def test_a_run_broken_off_says_why_and_is_taken_up_where_it_stands(
    tellings: Tellings,
) -> None:
    broken_off, taken_up, _ = tellings
    assert broken_off.failure == "The credentials name no supervisor of BKPSDM_KOTA_MALANG."
    assert taken_up.failure is None
    assert len(taken_up.lines("Stands already")) == 1
    assert taken_up.lines("BAKESBANGPOL_KOTA_MALANG", "logs", "Stands already")
    assert taken_up.lines("BKPSDM_KOTA_MALANG", "accepts", "accepted")
    assert taken_up.lines("task.confirmed", "closed")


async def test_the_next_run_tells_every_story_in_full_under_new_numbers(tellings: Tellings, address: str) -> None:
    _, before, told_again = tellings
    assert told_again.failure is None
    assert before.lines("DEMO-1-RETURNED")
    assert told_again.lines("DEMO-2-RETURNED")
    assert not told_again.lines("DEMO-1-")
    assert not told_again.lines("Stands already")
    assert all(story.title in told_again.text for story in STORIES)
    assert f"{address}/docs" in told_again.text


async def test_it_shows_who_logged_who_was_competent_and_why_who_accepted_and_who_closed(
    tellings: Tellings,
) -> None:
    *_, shown = tellings
    assert shown.lines("BAKESBANGPOL_KOTA_MALANG", "logs", "DEMO-2-OUTREACH", "assigned")
    assert shown.lines("Competent for asn_neutrality/prevention: BKPSDM_KOTA_MALANG")
    assert shown.lines("By mandate M01 (since 2022-09-22, verified)")
    assert shown.lines("BKPSDM_KOTA_MALANG", "accepts", "Accountable from now on: BKPSDM_KOTA_MALANG", "accepted")
    assert shown.lines("participants: 642")
    assert shown.lines("BAKESBANGPOL_KOTA_MALANG", "confirms", "closed")


async def test_it_shows_owners_that_the_law_refuses_and_whom_it_names_instead(
    tellings: Tellings,
) -> None:
    *_, shown = tellings
    assert shown.lines("mandate-mismatch: KODIM_0833_KOTA_MALANG", "competent is BAWASLU_KOTA_MALANG")
    assert shown.lines("recusal: BAKESBANGPOL_KOTA_MALANG", "competent is BAWASLU_KOTA_MALANG")
    assert shown.lines("By mandate M03: uu_1_2015 Art. 134-135")


async def test_it_shows_the_law_change_at_midnight_and_an_answer_by_letter(
    tellings: Tellings,
) -> None:
    *_, shown = tellings
    before, after = shown.lines("BAWASLU_KOTA_MALANG", "asks")
    assert "adjudication: KASN" in before
    assert "adjudication: BKN" in after
    assert shown.lines("mandate-mismatch: KASN", "competent is BKN")
    assert shown.lines("letter: number: B-1187/BKN/2024")
    assert shown.lines("Accountable from now on: BKN")


async def test_it_shows_an_open_task_with_its_supporters_to_agencies_of_the_region(
    tellings: Tellings,
) -> None:
    *_, shown = tellings
    assert shown.lines("Supporting: BPBD_KOTA_MALANG, POLRESTA_MALANG_KOTA, KODIM_0833_KOTA_MALANG")
    assert shown.lines("POLRESTA_MALANG_KOTA", "reads", "Sees it in full")
    assert shown.lines("BKPSDM_KOTA_MALANG", "reads", "Sees it in full")


async def test_it_shows_a_return_with_its_reason_and_ends_with_the_history(
    tellings: Tellings,
) -> None:
    *_, shown = tellings
    assert shown.lines("BAKESBANGPOL_KOTA_MALANG", "returns", "returned")
    assert shown.lines("reason: The clip is about ballots")
    assert shown.lines("By mandate M59b")
    history = shown.text.partition("History of DEMO-2-RETURNED")[2]
    assert re.findall(r"(?:task|referral)\.\w+", history) == [
        "task.logged",
        "referral.sent",
        "referral.returned",
        "referral.sent",
        "referral.accepted",
        "task.started",
        "task.resolved",
        "task.confirmed",
    ]


async def test_a_service_that_is_not_there_is_said_in_a_sentence(credentials: Clients) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    telling = await told(address, credentials)
    assert telling.failure is not None
    assert telling.failure.startswith(f"{address} can't be reached")


async def test_credentials_of_another_service_are_said_to_be_refused(address: str, credentials: Clients) -> None:
    telling = await told(address, [{**one, "client_secret": "smp_wrong"} for one in credentials])
    assert telling.failure is not None
    assert "refused the credentials of POLRESTA_MALANG_KOTA (401)" in telling.failure
