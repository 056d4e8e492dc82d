"""One lawful request of every operation that takes a body."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from notary import witness
from support import Agency, task

from app.claims import b64


@dataclass(frozen=True)
class Case:
    """An operation with somebody who may, a place, and a body that is lawful."""

    caller: Agency
    method: str
    path: str
    body: dict[str, Any]
    etag: str | None = None

    async def send(self, content: str) -> httpx.Response:
        headers = {**self.caller.headers, "Content-Type": "application/json", "Idempotency-Key": str(uuid4())}
        if self.etag:
            headers["If-Match"] = self.etag
        return await self.caller.http.request(self.method, self.path, content=content, headers=headers)


async def cases(bakesbangpol: Agency, bkpsdm: Agency, bawaslu: Agency, operator: Agency) -> dict[str, Case]:
    """One lawful request of every operation that takes a body."""
    own = uuid4().hex[:8]
    logged, withdrawn, cancelled = [await bakesbangpol.log() for _ in range(3)]
    accepted = await bkpsdm.accept(await bakesbangpol.log())
    vulnerability = (await bawaslu.post("/v1/vulnerabilities", VULNERABILITY)).json()["id"]
    meeting = (await bawaslu.post("/v1/meetings", MEETING)).json()["id"]
    letter = {"number": "800/1/2024", "date": "2024-09-01", "classification": "terbatas", "urgency": "segera"}
    whole_task = task(
        event_at="2024-08-01T08:00:00+07:00",
        effective_at="2024-08-20T08:00:00+07:00",
        due_at="2024-12-01T08:00:00+07:00",
        polling_station="012",
        classification="terbatas",
        priority="high",
        shares=[{"agency": "KODIM_0833_KOTA_MALANG", "level": "full"}],
        vulnerabilities=[vulnerability],
        meeting=meeting,
        supporting=["INSPEKTORAT_KOTA_MALANG"],
        external_reference=f"ND/{own}",
        proposed_owner="BKPSDM_KOTA_MALANG",
        draft=False,
    )
    path = f"/v1/tasks/{logged['id']}"
    referral = f"/v1/referrals/{logged['open_referral']['id']}"
    one, election = '"1"', f"/v1/elections/uji-{own}"
    return {
        "cosign": await cosigning(operator, bakesbangpol),
        "erasePerson": await erasing(operator, bakesbangpol),
        "createClient": Case(operator, "POST", "/v1/clients", CLIENT),
        **await access(operator),
        **await hooks(operator),
        **await clocks(bakesbangpol, operator),
        "logTask": Case(bakesbangpol, "POST", "/v1/tasks", whole_task),
        "updateTask": Case(
            bakesbangpol,
            "PATCH",
            path,
            {"title": "Baru", "due_at": None, "vulnerabilities": [vulnerability], "external_reference": f"X/{own}"},
            one,
        ),
        "moveTask": Case(
            bakesbangpol,
            "POST",
            f"/v1/tasks/{cancelled['id']}/transitions",
            {"action": "cancel", "reason": "Salah catat", "facts": {"participants": 3}},
            one,
        ),
        "shareTask": Case(
            bawaslu, "PUT", f"/v1/tasks/{(await bawaslu.log())['id']}/shares/KPU_RI", {"level": "full"}, one
        ),
        "commentOnTask": Case(bakesbangpol, "POST", f"{path}/comments", {"body": "Segera"}),
        "referTask": Case(
            bkpsdm,
            "POST",
            f"/v1/tasks/{accepted['id']}/referrals",
            {
                "to_agency": "BAWASLU_KOTA_MALANG",
                "function": "handling",
                "letter": letter,
                "note": "Mohon ditangani",
                "retain_access": True,
            },
            f'"{accepted["version"]}"',
        ),
        "answerReferral": Case(
            bkpsdm,
            "POST",
            f"{referral}/response",
            {"answer": "returned", "reason": "Bukan wewenang kami", "letter": letter},
            one,
        ),
        "withdrawReferral": Case(
            bakesbangpol,
            "POST",
            f"/v1/referrals/{withdrawn['open_referral']['id']}/withdrawal",
            {"reason": "Salah kirim"},
            one,
        ),
        "mapVulnerability": Case(
            bawaslu, "POST", "/v1/vulnerabilities", {**VULNERABILITY, "external_reference": f"V/{own}"}
        ),
        "updateVulnerability": Case(
            bawaslu,
            "PATCH",
            f"/v1/vulnerabilities/{vulnerability}",
            {"information_status": "verified", "linked_to": [], "facility_owner": ["public"], "source": ["s"]},
            one,
        ),
        "addVulnerabilityEvidence": Case(bawaslu, "POST", f"/v1/vulnerabilities/{vulnerability}/evidence", EVIDENCE),
        "holdMeeting": Case(bawaslu, "POST", "/v1/meetings", {**MEETING, "external_reference": f"M/{own}"}),
        "updateMeeting": Case(
            bawaslu,
            "PATCH",
            f"/v1/meetings/{meeting}",
            {"title": "Rakor lanjutan", "experts": [{"role_id": "Akademisi"}], "participants": [{"agency": "KPU_RI"}]},
            one,
        ),
        "decide": Case(
            bawaslu,
            "POST",
            f"/v1/meetings/{meeting}/decisions",
            {"text": "Sosialisasi bersama", "text_en": "Together", "tasks": [task()]},
        ),
        "createMandate": Case(operator, "POST", "/v1/mandates", {**MANDATE, "id": f"X{own}"}),
        "createAgency": Case(
            operator, "POST", "/v1/agencies", {**AGENCY, "code": f"UJI_{own.upper()}", "office": f"UJI_{own.upper()}"}
        ),
        "updateAgency": Case(
            operator, "PATCH", "/v1/agencies/DKPP", {"name_en": "Honorary Council", "regions": []}, one
        ),
        "createLegalInstrument": Case(operator, "POST", "/v1/legal-instruments", {**INSTRUMENT, "id": f"uji_{own}"}),
        "updateLegalInstrument": Case(
            operator, "PATCH", "/v1/legal-instruments/uu_1_2015", {"url": "https://example.org/uu"}, one
        ),
        "createElection": Case(operator, "POST", "/v1/elections", {**ELECTION, "code": f"uji-{own}"}),
        "updateElection": Case(operator, "PATCH", election, {"name_id": "Uji lagi"}, one),
        "createStage": Case(operator, "POST", f"{election}/stages", STAGE),
        "updateStage": Case(operator, "PATCH", f"{election}/stages/uji", {"name_en": "Trial"}, one),
    }


async def clocks(agency: Agency, operator: Agency) -> dict[str, Case]:
    """Those that set, move and revise clocks, and the one that corrects the calendar."""
    task_ = (await agency.log(function="handling"))["id"]
    place, one = f"/v1/tasks/{task_}/deadlines", '"1"'
    revised, moved = [(await agency.post(place, AGREED)).json()["id"] for _ in range(2)]
    day = (date(2031, 1, 1) + timedelta(days=uuid4().int % 10_000)).isoformat()
    holiday = {"day": day, "name_id": "Uji", "kind": "national", "source": "uji", "verified": False}
    correction = {"reason": "Uji", "added": [holiday], "covers_from": "2024-08-01", "covers_to": "2025-04-30"}
    told = {
        "clock_starts_at": "report_registered",
        "occurred_at": "2024-08-13T10:00:00+07:00",
        "codes": ["report_handling"],
    }
    return {
        "agreeDeadline": Case(agency, "POST", place, AGREED),
        "startClocks": Case(agency, "POST", f"/v1/tasks/{task_}/clock-starts", told),
        "reviseDeadline": Case(
            agency,
            "PATCH",
            f"/v1/deadlines/{revised}",
            {"due_at": "2030-02-01T12:00:00+07:00", "reason": "Disepakati lagi"},
            one,
        ),
        "moveDeadline": Case(
            agency,
            "POST",
            f"/v1/deadlines/{moved}/transitions",
            {"action": "meet", "note": "Surat 12/2024", "effective_at": "2024-08-20T08:00:00+07:00"},
            one,
        ),
        "correctCalendar": Case(
            operator,
            "POST",
            "/v1/calendar/corrections",
            correction,
            (await operator.get("/v1/calendar")).headers["etag"],
        ),
    }


async def cosigning(operator: Agency, agency: Agency) -> Case:
    """What one client of an agency has signed of the newest head, handed in by another one."""
    client = {"agency": agency.code, "role": "viewer", "purpose": "Saksi"}
    made = (await operator.post("/v1/clients", client)).json()
    signer = await witness(await Agency(operator.http, {**made, "agency": agency.code}).sign_in())
    said = signer.says((await operator.get("/v1/log/head")).json())
    return Case(agency, "POST", "/v1/log/cosignatures", said)


async def erasing(operator: Agency, agency: Agency) -> Case:
    """A person who has acted and is to be forgotten."""
    who = f"staf-{uuid4().hex[:8]}"
    await agency.post("/v1/tasks", task(), headers={"Acting-User": who})
    said = {"acting_user": who, "agency": agency.code, "reason": "Permintaan subjek data"}
    return Case(operator, "POST", "/v1/erasures", said)


async def access(operator: Agency) -> dict[str, Case]:
    """Those that change a client, its credentials, an agency's access."""
    clients = [(await operator.post("/v1/clients", CLIENT)).json() for _ in range(4)]
    changed, suspended, reinstated, revoked = (f"/v1/clients/{one['id']}" for one in clients)
    one, two = '"1"', '"2"'
    await operator.post(f"{reinstated}/suspension", REASON, etag=one)
    secret = f"{changed}/secrets/{clients[0]['secrets'][0]['id']}"
    key = (await operator.post(f"{changed}/keys", {"jwk": public_jwk()})).json()["id"]
    agency, other = (f"UJI_{uuid4().hex[:8].upper()}" for _ in range(2))
    for code in (agency, other):
        await operator.post("/v1/agencies", {**AGENCY, "code": code, "office": code})
    await operator.post(f"/v1/agencies/{other}/suspension", REASON, etag=one)
    rotation = {"expires_at": in_days(40), "overlap_days": 3, "reason": "Berkala"}
    registered = {"jwk": public_jwk(kid="uji-1", alg="ES256", use="sig"), "expires_at": in_days(40)}
    return {
        "updateClient": Case(operator, "PATCH", changed, CLIENT_PATCH, one),
        "suspendClient": Case(operator, "POST", f"{suspended}/suspension", REASON, one),
        "reinstateClient": Case(operator, "POST", f"{reinstated}/reinstatement", REASON, two),
        "revokeClient": Case(operator, "POST", f"{revoked}/revocation", REASON, one),
        "rotateSecret": Case(operator, "POST", f"{changed}/secrets", rotation),
        "revokeSecret": Case(operator, "POST", f"{secret}/revocation", REASON),
        "registerKey": Case(operator, "POST", f"{changed}/keys", registered),
        "revokeKey": Case(operator, "POST", f"{changed}/keys/{key}/revocation", REASON),
        "revokeTokens": Case(operator, "POST", f"{changed}/token-revocation", REASON),
        "revokeAllTokens": Case(operator, "POST", "/v1/token-revocation", REASON),
        "suspendAgency": Case(operator, "POST", f"/v1/agencies/{agency}/suspension", REASON, one),
        "reinstateAgency": Case(operator, "POST", f"/v1/agencies/{other}/reinstatement", REASON, two),
    }


async def hooks(operator: Agency) -> dict[str, Case]:
    """Those that keep webhooks."""
    made = (await operator.post("/v1/webhooks", WEBHOOK)).json()
    path = f"/v1/webhooks/{made['id']}"
    rotation = {"overlap_hours": 3, "reason": "Berkala"}
    return {
        "createWebhook": Case(operator, "POST", "/v1/webhooks", {**WEBHOOK, "signature": "v1", "after": 0}),
        "updateWebhook": Case(operator, "PATCH", path, WEBHOOK_PATCH, '"1"'),
        "rotateWebhookKey": Case(operator, "POST", f"{path}/secret", rotation),
    }


def in_days(days: float) -> str:
    """The instant that lies so many days ahead, as it is sent."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def public_jwk(**said: Any) -> dict[str, Any]:
    """The public half of a fresh key."""
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    place = {name: b64(number.to_bytes(32)) for name, number in (("x", numbers.x), ("y", numbers.y))}
    return {"kty": "EC", "crv": "P-256", **place, **said}


AGREED = {
    "started_at": "2024-08-19T12:00:00+07:00",
    "due_at": "2030-01-01T12:00:00+07:00",
    "reason": "Rakor 23 Agustus 2024",
}
REASON = {"reason": "Kebocoran pada penyedia layanan"}
EVIDENCE = {"source_type": "pileg", "year": 2024, "reference": "Putusan 1/2024", "note": "Catatan"}
VULNERABILITY = {
    "category": "candidate_eligibility",
    "subcategory": "ex_convict",
    "description": "Bakal calon mantan terpidana",
    "evidence": [EVIDENCE],
    "information_status": "claimed",
    "region": "35.73",
    "election": "pilkada-2024-35.73",
    "stage": "campaign",
    "mapped_by": "BAWASLU_KOTA_MALANG",
    "facility_owner": ["public"],
    "url": "https://example.org/berita",
    "first_seen_at": "2024-08-01T08:00:00+07:00",
    "linked_to": [],
    "source": ["seed:000"],
    "classification": "terbuka",
}
MEETING = {
    "title": "Rakor",
    "host": "BAWASLU_KOTA_MALANG",
    "held_on": "2024-08-23",
    "time_of_day": "morning",
    "region": "35.73",
    "election": "pilkada-2024-35.73",
    "participants": [{"agency": "KPU_KOTA_MALANG", "role": "speaker"}],
    "experts": [{"role_id": "Akademisi", "role_en": "Academic"}],
    "topics": ["asn_neutrality"],
    "source": ["seed:000"],
}
CLIENT = {
    "agency": "KPU_KOTA_MALANG",
    "role": "viewer",
    "purpose": "Uji",
    "clearance": "terbatas",
    "networks": ["10.0.0.0/8"],
    "origins": ["https://simpul.example.go.id"],
    "token_minutes": 5,
}
CLIENT_PATCH = {
    "purpose": "Uji lagi",
    "contact": "pengelola",
    "networks": ["10.0.0.0/8"],
    "origins": ["https://simpul.example.go.id:8443", "http://localhost:3000"],
    "token_minutes": 5,
    "clearance": "terbatas",
    "role": "officer",
}
WEBHOOK = {
    "agency": "BAWASLU_KAB_MALANG",
    "url": "https://simpul.example.go.id/masuk",
    "types": ["task.*", "referral.accepted"],
    "description": "Sistem surat",
    "clearance": "terbatas",
}
WEBHOOK_PATCH: dict[str, Any] = {
    "url": "https://simpul.example.go.id/lain",
    "types": [],
    "description": None,
    "clearance": "terbatas",
    "status": "paused",
}
MANDATE = {
    "category": "other",
    "function": "monitoring",
    "variant": "uji",
    "accountable": "BAWASLU@city",
    "supporting": ["KPU@city"],
    "informed": ["POLRES@city"],
    "legal_basis": ["uu_1_2015#30"],
    "resolve_at": "creation",
    "region_code": "35.73",
    "valid_from": "2024-01-01",
    "valid_to": "2030-01-01",
}
AGENCY = {
    "tier": "city",
    "name_id": "Uji",
    "type": "election_organizer",
    "level": "city",
    "region_code": "35.79",
    "regions": ["35.79"],
    "command_parent": "KPU_JATIM",
    "valid_from": "2024-01-01",
    "valid_to": "2030-01-01",
}
INSTRUMENT = {
    "kind": "law",
    "number": "1",
    "year": 2024,
    "title_id": "Undang-Undang Uji",
    "in_force_from": "2024-01-01",
    "amends": ["uu_1_2015"],
    "url": "https://example.org/",
}
ELECTION = {"kind": "pilkada", "name_id": "Uji", "region_code": "35.73", "voting_date": "2029-11-27"}
STAGE = {"code": "uji", "name_id": "Uji", "starts_on": "2029-01-01", "ends_on": "2029-02-01"}
