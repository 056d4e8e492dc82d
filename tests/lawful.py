"""One lawful request of every operation behind a permission."""

from __future__ import annotations

from bodies import AGREED, WEBHOOK, Case, cases
from support import Agency

#: Where each read is asked for; the names stand for what places_of() finds.
READING = {
    "countDeadlines": "/v1/statistics/deadlines?group_by=code,lateness",
    "countTasks": "/v1/statistics/tasks?group_by=accountable,status",
    "computeDeadline": "/v1/deadlines/computation?code=mk_decision&region=35.73&started_at=2025-01-03T10:00:00Z",
    "listAgencies": "/v1/agencies?office=KPU&limit=20",
    "listClients": "/v1/clients?limit=20",
    "listCorrections": "/v1/calendar/corrections",
    "listCosignatures": "/v1/log/cosignatures",
    "listDeadlines": "/v1/deadlines",
    "listDeliveries": "/v1/webhooks/{webhook}/deliveries",
    "listElections": "/v1/elections",
    "listEntries": "/v1/log/entries?limit=20",
    "listLostHeads": "/v1/log/lost-heads",
    "listLegalInstruments": "/v1/legal-instruments",
    "listMandates": "/v1/mandates",
    "listMeetingDecisions": "/v1/meetings/{meeting}/decisions",
    "listMeetings": "/v1/meetings",
    "listEvents": "/v1/events",
    "listKeys": "/v1/clients/{client}/keys",
    "listReferences": "/v1/reference",
    "listReferrals": "/v1/referrals",
    "listRegions": "/v1/regions?parent=35.73",
    "listSecrets": "/v1/clients/{client}/secrets",
    "listStages": "/v1/elections/pilkada-2024-35.73/stages",
    "listTaskComments": "/v1/tasks/{task}/comments",
    "listTaskDeadlines": "/v1/tasks/{task}/deadlines",
    "listTaskReferrals": "/v1/tasks/{task}/referrals",
    "listTaskShares": "/v1/tasks/{task}/shares",
    "listTaskTransitions": "/v1/tasks/{task}/transitions",
    "listTasks": "/v1/tasks",
    "listVulnerabilities": "/v1/vulnerabilities",
    "listAssessments": "/v1/vulnerabilities/{vulnerability}/assessments",
    "listVulnerabilityEvidence": "/v1/vulnerabilities/{vulnerability}/evidence",
    "proveConsistency": "/v1/log/proofs/consistency?from={head}",
    "proveInclusion": "/v1/log/proofs/inclusion?index=1&size={head}",
    "listWebhookKeys": "/v1/webhooks/{webhook}/secret",
    "listWebhooks": "/v1/webhooks?limit=20",
    "previewClosure": "/v1/mandates/M01/closure?valid_to=2030-01-01",
    "resolveMandate": "/v1/mandates/resolution?category=asn_neutrality&function=prevention&region=35.73",
    "showAgency": "/v1/agencies/KPU_KOTA_MALANG",
    "showCalendar": "/v1/calendar",
    "showClient": "/v1/clients/{client}",
    "showFollowUp": "/v1/meetings/{meeting}/follow-up",
    "showDeadline": "/v1/deadlines/{deadline}",
    "showHead": "/v1/log/head",
    "showElection": "/v1/elections/pilkada-2024-35.73",
    "showLegalInstrument": "/v1/legal-instruments/uu_1_2015",
    "showMandate": "/v1/mandates/M01",
    "showMe": "/v1/me",
    "showMeeting": "/v1/meetings/{meeting}",
    "showReference": "/v1/reference/case_outcome",
    "showReferral": "/v1/referrals/{referral}",
    "showRegion": "/v1/regions/35.73.05",
    "showStage": "/v1/elections/pilkada-2024-35.73/stages/campaign",
    "showTask": "/v1/tasks/{task}",
    "showTaskHistory": "/v1/tasks/{task}/history",
    "showVulnerability": "/v1/vulnerabilities/{vulnerability}",
    "showWebhook": "/v1/webhooks/{webhook}",
}
#: What an agency may not read, its operator reads.
OPERATORS = {
    *("listClients", "showClient", "listKeys", "listSecrets"),
    *("listWebhooks", "showWebhook", "listWebhookKeys", "listDeliveries"),
    "previewClosure",
}


async def places_of(agency: Agency, operator: Agency) -> dict[str, str]:
    """Something to read, two rows deep wherever a list could cost a statement a row."""
    task = await agency.log()
    for body in ("Satu", "Dua"):
        assert (await agency.post(f"/v1/tasks/{task['id']}/comments", {"body": body})).status_code == 201
    clocks = [await agency.post(f"/v1/tasks/{task['id']}/deadlines", AGREED) for _ in range(2)]
    meeting = (await agency.get("/v1/meetings?external_reference=RAKOR-2024-08-23")).json()["items"][0]
    vulnerability = (await agency.get("/v1/vulnerabilities?external_reference=V01")).json()["items"][0]
    webhook = (await operator.post("/v1/webhooks", WEBHOOK)).json()["id"]
    await operator.post(f"/v1/webhooks/{webhook}/secret", {})
    pings = [(await operator.post(f"/v1/webhooks/{webhook}/ping")).json()["id"] for _ in range(2)]
    return {
        "webhook": webhook,
        "delivery": pings[0],
        "task": task["id"],
        "deadline": clocks[0].json()["id"],
        "referral": task["open_referral"]["id"],
        "meeting": meeting["id"],
        "vulnerability": vulnerability["id"],
        "client": str(agency.credentials["client_id"]),
        "head": str((await agency.get("/v1/log/head")).json()["size"]),
    }


async def lawful(
    bakesbangpol: Agency, bkpsdm: Agency, bawaslu: Agency, operator: Agency
) -> tuple[dict[str, Case], dict[str, str]]:
    """A request of each operation by somebody who may; and the ids of what is read."""
    places = await places_of(bakesbangpol, operator)
    found = {
        name: Case(operator if name in OPERATORS else bakesbangpol, "GET", path.format_map(places), {})
        for name, path in READING.items()
    }
    found |= await cases(bakesbangpol, bkpsdm, bawaslu, operator)
    shared = await bakesbangpol.log(shares=[{"agency": "KODIM_0833_KOTA_MALANG", "level": "full"}])
    place = f"/v1/tasks/{shared['id']}/shares/KODIM_0833_KOTA_MALANG"
    found["unshareTask"] = Case(bakesbangpol, "DELETE", place, {}, '"1"')
    webhook = f"/v1/webhooks/{places['webhook']}"
    found["pingWebhook"] = Case(operator, "POST", f"{webhook}/ping", {})
    found["redeliver"] = Case(operator, "POST", f"{webhook}/deliveries/{places['delivery']}/redelivery", {})
    ended = (await operator.post("/v1/webhooks", WEBHOOK)).json()["id"]
    found["deleteWebhook"] = Case(operator, "DELETE", f"/v1/webhooks/{ended}", {}, '"1"')
    return found, places
