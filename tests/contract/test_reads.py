"""How many statements each read runs: a number that grows with the rows it shows is found here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI
from lawful import OPERATORS, READING, places_of
from listener import sequence
from statements import heard
from support import Agency

from app.db import Database
from app.openapi import operations

#: One statement knows who is asking; the others are the read's own.
READS = {
    "countDeadlines": 2,
    "countTasks": 2,
    "computeDeadline": 3,
    "listAgencies": 2,
    "listClients": 2,
    "listCorrections": 2,
    "listCosignatures": 2,
    "listDeadlines": 2,
    "listDeliveries": 3,
    "listElections": 2,
    "listEntries": 2,
    "listEvents": 3,
    "listLegalInstruments": 2,
    "listLostHeads": 2,
    "listMandates": 2,
    "listMeetingDecisions": 3,
    "listMeetings": 2,
    "listKeys": 3,
    "listReferences": 2,
    "listReferrals": 2,
    "listRegions": 2,
    "listSecrets": 3,
    "listStages": 3,
    "listTaskComments": 3,
    "listTaskDeadlines": 3,
    "listTaskReferrals": 3,
    "listTaskShares": 3,
    "listTaskTransitions": 2,
    "listTasks": 3,
    "listVulnerabilities": 2,
    "listAssessments": 4,
    "listVulnerabilityEvidence": 3,
    "proveConsistency": 3,
    "proveInclusion": 4,
    "listWebhookKeys": 3,
    "listWebhooks": 2,
    "previewClosure": 4,
    "resolveMandate": 3,
    "showAgency": 2,
    "showCalendar": 2,
    "showClient": 2,
    "showFollowUp": 4,
    "showDeadline": 3,
    "showHead": 2,
    "showElection": 2,
    "showLegalInstrument": 2,
    "showMandate": 2,
    "showMe": 1,
    "showMeeting": 3,
    "showReference": 2,
    "showReferral": 3,
    "showRegion": 2,
    "showStage": 2,
    "showTask": 2,
    "showTaskHistory": 5,
    "showVulnerability": 3,
    "showWebhook": 2,
}


#: The past is told in one statement, and what people wrote in one more, once it is known from when on it is told.
OF_THE_PAST = {"listTasks": 5, "showTask": 4}


@pytest.fixture(autouse=True)
def forgotten(app: FastAPI) -> None:
    """Of nobody is it known how much it sees, which is asked once a minute."""
    app.state.database.breadths.clear()


@contextmanager
def statements(app: FastAPI) -> Iterator[list[str]]:
    """The statements that reach the driver meanwhile."""
    seen: list[str] = []
    with heard(app.state.database, seen.append):
        yield seen


@pytest.fixture(scope="module")
async def places(bakesbangpol: Agency, operator: Agency, database: Database) -> dict[str, str]:
    found = await places_of(bakesbangpol, operator)
    await sequence(database)
    return found


def test_every_read_is_counted(app: FastAPI) -> None:
    of_resources = {
        one["operationId"]
        for path, method, one in operations(app.openapi())
        if method == "get" and not path.startswith("/.well-known/")
    }
    assert of_resources == set(READS)


async def test_a_task_is_logged_in_eleven_statements(app: FastAPI, kpu: Agency) -> None:
    await kpu.log()  # the keys of the log's receipts are read once
    with statements(app) as seen:
        await kpu.log()
    assert len(seen) == 11, "\n\n".join(seen)


@pytest.mark.parametrize("operation", READS)
async def test_a_read_runs_as_many_statements_as_are_written_here(
    operation: str,
    app: FastAPI,
    bakesbangpol: Agency,
    operator: Agency,
    places: dict[str, str],
) -> None:
    who = operator if operation in OPERATORS else bakesbangpol
    with statements(app) as seen:
        answer = await who.get(READING[operation].format_map(places))
    assert answer.status_code == 200, answer.text
    assert len(seen) == READS[operation], "\n\n".join(seen)


@pytest.mark.parametrize("operation", OF_THE_PAST)
@pytest.mark.parametrize("limit", [1, 200])
async def test_the_past_costs_no_statement_more_for_more_tasks(
    operation: str, limit: int, app: FastAPI, bakesbangpol: Agency, places: dict[str, str]
) -> None:
    asked = {"as_of": datetime.now(UTC).isoformat()} | ({"limit": str(limit)} if operation == "listTasks" else {})
    with statements(app) as seen:
        answer = await bakesbangpol.get(READING[operation].format_map(places), params=asked)
    assert answer.status_code == 200, answer.text
    assert len(seen) == OF_THE_PAST[operation], "\n\n".join(seen)


SEARCHES = ("q=sosialisasi", "q=sosialisasii&sort=due_at", "q=qxqx", "q=netral&status=assigned")


@pytest.mark.parametrize("asked", SEARCHES)
async def test_a_search_is_one_statement_whether_it_finds_or_not(
    asked: str, app: FastAPI, bakesbangpol: Agency
) -> None:
    await bakesbangpol.log()
    with statements(app) as seen:
        answer = await bakesbangpol.get(f"/v1/tasks?{asked}&limit=1")
    assert answer.status_code == 200, answer.text
    assert len(seen) == 2, "\n\n".join(seen)
