"""How many statements each read runs: a number that grows with the rows it shows is found here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import event
from support import Agency

from app.openapi import operations

#: One statement knows who is asking; the others are the read's own.
READS = {
    "listAgencies": ("/v1/agencies?office=KPU&limit=20", 2),
    "listClients": ("/v1/clients?limit=20", 2),
    "listElections": ("/v1/elections", 2),
    "listLegalInstruments": ("/v1/legal-instruments", 2),
    "listMandates": ("/v1/mandates", 2),
    "listMeetingDecisions": ("/v1/meetings/{meeting}/decisions", 3),
    "listMeetings": ("/v1/meetings", 2),
    "listKeys": ("/v1/clients/{client}/keys", 3),
    "listReferences": ("/v1/reference", 2),
    "listReferrals": ("/v1/referrals", 2),
    "listRegions": ("/v1/regions?parent=35.73", 2),
    "listSecrets": ("/v1/clients/{client}/secrets", 3),
    "listStages": ("/v1/elections/pilkada-2024-35.73/stages", 3),
    "listTaskComments": ("/v1/tasks/{task}/comments", 3),
    "listTaskReferrals": ("/v1/tasks/{task}/referrals", 3),
    "listTaskShares": ("/v1/tasks/{task}/shares", 3),
    "listTaskTransitions": ("/v1/tasks/{task}/transitions", 2),
    "listTasks": ("/v1/tasks", 2),
    "listVulnerabilities": ("/v1/vulnerabilities", 2),
    "listVulnerabilityEvidence": ("/v1/vulnerabilities/{vulnerability}/evidence", 3),
    "resolveMandate": ("/v1/mandates/resolution?category=asn_neutrality&function=prevention&region=35.73", 6),
    "showAgency": ("/v1/agencies/KPU_KOTA_MALANG", 2),
    "showClient": ("/v1/clients/{client}", 2),
    "showElection": ("/v1/elections/pilkada-2024-35.73", 2),
    "showLegalInstrument": ("/v1/legal-instruments/uu_1_2015", 2),
    "showMandate": ("/v1/mandates/M01", 2),
    "showMe": ("/v1/me", 1),
    "showMeeting": ("/v1/meetings/{meeting}", 3),
    "showReference": ("/v1/reference/case_outcome", 2),
    "showReferral": ("/v1/referrals/{referral}", 3),
    "showRegion": ("/v1/regions/35.73.05", 2),
    "showStage": ("/v1/elections/pilkada-2024-35.73/stages/campaign", 2),
    "showTask": ("/v1/tasks/{task}", 2),
    "showTaskHistory": ("/v1/tasks/{task}/history", 4),
    "showVulnerability": ("/v1/vulnerabilities/{vulnerability}", 3),
}
#: What an agency may not read, its operator reads.
OPERATORS = {"listClients", "showClient", "listKeys", "listSecrets"}


@contextmanager
def statements(app: FastAPI) -> Iterator[list[str]]:
    """The statements that reach the driver meanwhile."""
    seen: list[str] = []
    engine = app.state.database.engine.sync_engine

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.fixture(scope="module")
async def places(bakesbangpol: Agency, kpu: Agency) -> dict[str, str]:
    """Something to read, two rows deep wherever a list could cost a statement a row."""
    task = await bakesbangpol.log()
    for body in ("Satu", "Dua"):
        assert (await bakesbangpol.post(f"/v1/tasks/{task['id']}/comments", {"body": body})).status_code == 201
    meeting = (await kpu.get("/v1/meetings?external_reference=RAKOR-2024-08-23")).json()["items"][0]
    vulnerability = (await kpu.get("/v1/vulnerabilities?external_reference=V01")).json()["items"][0]
    return {
        "task": task["id"],
        "referral": task["open_referral"]["id"],
        "meeting": meeting["id"],
        "vulnerability": vulnerability["id"],
        "client": str(bakesbangpol.credentials["client_id"]),
    }


def test_every_read_is_counted(app: FastAPI) -> None:
    of_resources = {
        one["operationId"]
        for path, method, one in operations(app.openapi())
        if method == "get" and not path.startswith("/.well-known/")
    }
    assert of_resources == set(READS)


@pytest.mark.parametrize("operation", READS)
async def test_a_read_runs_as_many_statements_as_are_written_here(
    operation: str,
    app: FastAPI,
    bakesbangpol: Agency,
    operator: Agency,
    places: dict[str, str],
) -> None:
    path, expected = READS[operation]
    who = operator if operation in OPERATORS else bakesbangpol
    with statements(app) as seen:
        answer = await who.get(path.format_map(places))
    assert answer.status_code == 200, answer.text
    assert len(seen) == expected, "\n\n".join(seen)
