"""The examples of the OpenAPI document are real answers: one story, told through HTTP, that asks for every operation.

`make openapi` writes what it hears to openapi/examples; otherwise what was kept is held against what is heard.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from bodies import losing, public_jwk
from catalogued import kinds_told
from notary import Notary, witness
from scribe import Scribe
from support import Agency, Contract, task

from app.main import create_app
from app.openapi import EXAMPLES, kept_examples
from app.settings import Settings

PLACE = "35.73"


class Cast:
    """Who takes part; each answer is checked against the contract and shown to the scribe."""

    def __init__(
        self, http: httpx.AsyncClient, scribe: Scribe, notary: Notary, credentials: list[dict[str, Any]]
    ) -> None:
        self._http, self.scribe, self.notary, self._credentials = http, scribe, notary, credentials

    async def sign_in(self, agency: str | None, role: str = "supervisor") -> Agency:
        found = next(one for one in self._credentials if (one["agency"], one["role"]) == (agency, role))
        return await Agency(self._http, found).sign_in()

    async def second_operator(self) -> Agency:
        operators = [one for one in self._credentials if one["role"] == "operator"]
        return await Agency(self._http, operators[1]).sign_in()


@pytest.fixture
async def cast(
    clone: Callable[[], Awaitable[str]], settings: Settings, credentials: list[dict[str, Any]]
) -> AsyncIterator[Cast]:
    """A database of its own: the story adds to the registry, which other tests rely on."""
    app = create_app(settings, await clone())
    scribe = Scribe(app)
    hooks = {"response": [Contract(app).check, scribe.watch]}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://simpul", event_hooks=hooks
    ) as http:
        yield Cast(http, scribe, Notary(app), credentials)
    await kinds_told(app.state.database)
    await app.state.database.close()


async def test_one_story_asks_for_every_operation_and_the_kept_examples_still_hold(cast: Cast) -> None:
    await _registry_is_kept(await cast.sign_in(None, "operator"))
    await _mandate_is_closed(await cast.sign_in(None, "operator"), await cast.second_operator())
    bakesbangpol = await cast.sign_in("BAKESBANGPOL_KOTA_MALANG")
    bkpsdm = await cast.sign_in("BKPSDM_KOTA_MALANG")
    kpu = await cast.sign_in("KPU_KOTA_MALANG")
    await _clients_prove_themselves(kpu)
    await _agencies_sit_together(kpu, bakesbangpol)
    await _task_goes_from_hand_to_hand(bakesbangpol, bkpsdm)
    await _clocks_run(await cast.sign_in(None, "operator"), kpu)
    await _log_is_proven(cast.notary, kpu)
    await _person_is_forgotten(await cast.sign_in("KPU_KOTA_MALANG", "agency_admin"), kpu)
    heard = cast.scribe.seen
    assert cast.scribe.all == set(heard), "the story leaves operations out"
    if os.environ.get("SIMPUL_CAPTURE"):
        cast.scribe.write(EXAMPLES)
    kept = kept_examples(EXAMPLES)
    assert {name: _shape(one) for name, one in kept.items()} == {name: _shape(one) for name, one in heard.items()}


def _shape(example: dict[str, Any]) -> Any:
    """Status and members of an example, its first item's included: what must be the same however often it is told."""
    answer = example["response"] or {}
    items = answer.get("items") or [{}]
    return example["status"], sorted(example["request"] or ()), sorted(answer), sorted(items[0])


async def _log_is_proven(notary: Notary, kpu: Agency) -> None:
    first = await notary.seal()
    signer = await witness(kpu)
    last = await notary.seal()
    head = (await kpu.get("/v1/log/head")).json()
    assert (await signer.cosign(head)).status_code == 201
    lost = await losing(kpu)
    assert (await kpu.post(lost.path, lost.body)).status_code == 201
    for path in (
        f"events?after={last - 3}&limit=1",
        f"log/entries?after={last - 1}&limit=1",
        f"log/proofs/inclusion?index=1&size={last}",
        f"log/proofs/consistency?from={first}&to={last}",
        "log/cosignatures",
        "log/lost-heads",
    ):
        assert (await kpu.get(f"/v1/{path}")).is_success, path
    assert (await kpu.http.get("/.well-known/log-keys.json")).is_success


async def _person_is_forgotten(admin: Agency, kpu: Agency) -> None:
    task_ = await kpu.log()
    said = {"body": "Sudah dicek"}
    answer = await kpu.post(f"/v1/tasks/{task_['id']}/comments", said, headers={"Acting-User": "staf-17"})
    assert answer.status_code == 201
    erased = {"acting_user": "staf-17", "reason": "Permintaan subjek data"}
    assert (await admin.post("/v1/erasures", erased)).status_code == 201


async def _clients_prove_themselves(kpu: Agency) -> None:
    shown = {name: kpu.credentials[name] for name in ("client_id", "client_secret")}
    another = await Agency(kpu.http, kpu.credentials).sign_in()
    token = another.headers["Authorization"].removeprefix("Bearer ")
    for path in ("/oauth2/introspect", "/oauth2/revoke"):
        assert (await kpu.http.post(path, data={**shown, "token": token})).is_success
    for name in ("jwks.json", "oauth-authorization-server"):
        assert (await kpu.http.get(f"/.well-known/{name}")).is_success


async def _registry_is_kept(operator: Agency) -> None:
    await operator.get("/v1/me")
    await operator.get("/v1/reference")
    await operator.get("/v1/reference/case_outcome")
    await operator.get("/v1/regions?parent=35.73&level=district&limit=2")
    await operator.get("/v1/regions/35.73.05.1009")
    await operator.get("/v1/agencies?office=KPU&tier=city&limit=1")
    kesbang = {"office": "BAKESBANGPOL", "tier": "city", "type": "local_government_unit", "level": "city"}
    await _made(
        operator,
        "/v1/agencies",
        {
            **kesbang,
            "code": "BAKESBANGPOL_KOTA_SURABAYA",
            "name_id": "Badan Kesatuan Bangsa dan Politik Kota Surabaya",
            "region_code": "35.78",
            "regions": ["35.78"],
        },
        {"name_en": "National Unity and Politics Agency of Surabaya City", "verified": True},
    )
    await operator.get("/v1/legal-instruments?year=2015&limit=1")
    await _made(
        operator,
        "/v1/legal-instruments",
        {"id": "perwali_malang_7_2024", "kind": "other", "number": "7", "year": 2024, "title_id": "Uji"},
        {"title_id": "Peraturan Wali Kota Malang tentang Desk Pilkada", "in_force_from": "2024-06-01"},
    )
    await operator.get("/v1/elections?kind=pilkada_walikota&limit=1")
    await _made(
        operator,
        "/v1/elections",
        {
            "code": "pilkada-2024-35.78",
            "kind": "pilkada_walikota",
            "name_id": "Pemilihan Wali Kota Surabaya",
            "region_code": "35.78",
            "voting_date": "2024-11-27",
        },
        {"name_id": "Pemilihan Wali Kota dan Wakil Wali Kota Surabaya Tahun 2024"},
    )
    await _made(
        operator,
        "/v1/elections/pilkada-2024-35.78/stages",
        {"code": "campaign", "name_id": "Masa kampanye", "starts_on": "2024-09-25", "ends_on": "2024-11-23"},
        {"name_en": "Campaign period"},
    )
    await operator.get("/v1/elections/pilkada-2024-35.78/stages?on=2024-10-01")
    await operator.get("/v1/mandates?category=asn_neutrality&function=prevention&limit=1")
    question = f"category=asn_neutrality&function=prevention&region={PLACE}&at=2024-08-19T08:00:00%2B07:00"
    await operator.get(f"/v1/mandates/resolution?{question}")
    await _made(
        operator,
        "/v1/mandates",
        {
            "id": "M01-35.78",
            "category": "asn_neutrality",
            "function": "prevention",
            "accountable": "BAKESBANGPOL@city",
            "legal_basis": ["pp_94_2021"],
            "resolve_at": "creation",
            "region_code": "35.78",
            "valid_from": "2024-01-01",
            "note": "A local exception.",
        },
    )
    await operator.get("/v1/clients?agency=KPU_KOTA_MALANG&limit=1")
    front_end = {
        "agency": "KPU_KOTA_MALANG",
        "role": "officer",
        "purpose": "Front-end of the secretariat",
        "networks": ["10.0.0.0/8"],
    }
    patch = {"origins": ["https://simpul.kpu-malangkota.go.id"], "token_minutes": 5}
    await _webhooks_are_kept(operator)
    await _clients_come_and_go(operator, await _made(operator, "/v1/clients", front_end, patch))


async def _mandate_is_closed(operator: Agency, another: Agency) -> None:
    place, day = "/v1/mandates/M01-35.78/closure", "2024-12-01"
    seen = await operator.get(f"{place}?valid_to={day}&successor=BKPSDM@city")
    said = {
        "valid_to": day,
        "reason": "The mayor's decree was replaced.",
        "legal_basis": ["pp_94_2021"],
        "successor": {"id": "M01-35.78-b", "accountable": "BKPSDM@city", "legal_basis": ["pp_94_2021"]},
    }
    _ok(await operator.post(place, said, etag=seen.headers["etag"]))
    etag = (await another.get(place)).headers["etag"]
    _ok(await another.post(f"{place}/response", {"answer": "confirmed"}, etag=etag))


async def _clients_come_and_go(operator: Agency, client: dict[str, Any]) -> None:
    here, why = f"/v1/clients/{client['id']}", {"reason": "Kebocoran pada penyedia layanan"}
    _ok(await operator.post(f"{here}/secrets", {"overlap_days": 7, "reason": "Rotasi berkala"}))
    secret = (await operator.get(f"{here}/secrets")).json()["items"][0]["id"]
    _ok(await operator.post(f"{here}/secrets/{secret}/revocation", why))
    key = _ok(await operator.post(f"{here}/keys", {"jwk": public_jwk(kid="kpu-2026")}))["id"]
    await operator.get(f"{here}/keys")
    _ok(await operator.post(f"{here}/keys/{key}/revocation", why))
    _ok(await operator.post(f"{here}/token-revocation", why))
    for move in ("suspension", "reinstatement", "revocation"):
        _ok(await operator.post(f"{here}/{move}", why, etag=(await operator.get(here)).headers["etag"]))
    agency = "/v1/agencies/BAKESBANGPOL_KOTA_SURABAYA"
    for move in ("suspension", "reinstatement"):
        _ok(await operator.post(f"{agency}/{move}", why, etag=(await operator.get(agency)).headers["etag"]))
    _ok(await operator.post("/v1/token-revocation", why))


async def _webhooks_are_kept(operator: Agency) -> None:
    body = {
        "agency": "KPU_KOTA_MALANG",
        "url": "https://simpul.kpu-malangkota.go.id/masuk",
        "types": ["task.*", "referral.*"],
        "description": "Letter system of the secretariat",
    }
    here = f"/v1/webhooks/{(await _made(operator, '/v1/webhooks', body, {'types': []}))['id']}"
    await operator.get("/v1/webhooks?agency=KPU_KOTA_MALANG&limit=1")
    _ok(await operator.post(f"{here}/secret", {"overlap_hours": 48, "reason": "Rotasi berkala"}))
    await operator.get(f"{here}/secret")
    ping = _ok(await operator.post(f"{here}/ping"))["id"]
    await operator.get(f"{here}/deliveries")
    _ok(await operator.post(f"{here}/deliveries/{ping}/redelivery"))
    _ok(await operator.delete(here, etag=(await operator.get(here)).headers["etag"]), "request-id")


async def _agencies_sit_together(kpu: Agency, bakesbangpol: Agency) -> None:
    await kpu.get("/v1/vulnerabilities?category=hydrometeorological&limit=1")
    mapped = await _made(
        kpu,
        "/v1/vulnerabilities",
        {
            "category": "hydrometeorological",
            "description": "Gudang logistik di Kedungkandang tergenang pada musim hujan.",
            "description_en": "The logistics warehouse in Kedungkandang floods in the rainy season.",
            "evidence": [{"source_type": "pileg", "year": 2024, "reference": "pemilu-2024"}],
            "region": "35.73.03",
            "election": "pilkada-2024-35.73",
            "effective_at": "2024-08-20T09:00:00+07:00",
        },
        {"information_status": "verified", "effective_at": "2024-08-22T09:00:00+07:00"},
    )
    evidence = f"/v1/vulnerabilities/{mapped['id']}/evidence"
    flood = {"source_type": "previous_pilkada", "year": 2018, "reference": "pilkada-2018-35.73", "note": "Banjir."}
    _ok(await bakesbangpol.post(evidence, flood))
    await kpu.get(evidence)
    judged = f"/v1/vulnerabilities/{mapped['id']}/assessments"
    after = {"likelihood": 2, "impact": 4}
    _ok(await bakesbangpol.post(judged, {"likelihood": 4, "impact": 4, "residual": after, "note": "Gudang dipindah."}))
    await kpu.get(judged)
    await kpu.get(f"/v1/meetings?host=KPU_KOTA_MALANG&region={PLACE}&limit=1")
    held = await _made(
        kpu,
        "/v1/meetings",
        {
            "title": "Rapat Koordinasi Kesiapan Logistik",
            "held_on": "2024-08-23",
            "time_of_day": "afternoon",
            "venue": "Kantor KPU Kota Malang",
            "region": PLACE,
            "participants": [{"agency": "KPU_KOTA_MALANG", "role": "host"}, {"agency": "BAKESBANGPOL_KOTA_MALANG"}],
            "effective_at": "2024-08-23T13:00:00+07:00",
        },
        {"title_en": "Coordination meeting on the readiness of logistics"},
    )
    decision = {
        "text": "BKPSDM diminta menyosialisasikan netralitas ASN.",
        "text_en": "BKPSDM is asked to hold outreach on the neutrality of civil servants.",
        "tasks": [task(effective_at="2024-08-23T15:00:00+07:00", meeting=held["id"])],
        "effective_at": "2024-08-23T15:00:00+07:00",
    }
    _ok(await kpu.post(f"/v1/meetings/{held['id']}/decisions", decision))
    await kpu.get(f"/v1/meetings/{held['id']}/decisions")
    await kpu.get(f"/v1/meetings/{held['id']}/follow-up")


async def _task_goes_from_hand_to_hand(bakesbangpol: Agency, bkpsdm: Agency) -> None:
    logged = await bakesbangpol.log(effective_at="2024-08-19T08:00:00+07:00", due_at="2024-08-26T16:00:00+07:00")
    here = f"/v1/tasks/{logged['id']}"
    etag = (await bakesbangpol.get(here)).headers["etag"]
    _ok(await bakesbangpol.patch(here, {"priority": "high"}, etag=etag))
    first = logged["open_referral"]["id"]
    etag = (await bakesbangpol.get(f"/v1/referrals/{first}")).headers["etag"]
    withdrawal = {"reason": "Surat menyusul.", "effective_at": "2024-08-19T09:00:00+07:00"}
    _ok(await bakesbangpol.post(f"/v1/referrals/{first}/withdrawal", withdrawal, etag=etag))
    letter = {"number": "200.1.4/812/35.73.502/2024", "date": "2024-08-19", "urgency": "segera"}
    sent = {"to_agency": "BKPSDM_KOTA_MALANG", "letter": letter, "effective_at": "2024-08-19T10:00:00+07:00"}
    again = _ok(await bakesbangpol.refer(logged["id"], **sent))
    await bkpsdm.get("/v1/referrals?status=sent&to_agency=BKPSDM_KOTA_MALANG&limit=1")
    _ok(await bkpsdm.answer(again["id"], "accepted", effective_at="2024-08-20T09:00:00+07:00"))
    await bkpsdm.get(f"{here}/referrals")
    await bkpsdm.get(f"{here}/transitions")
    _ok(await bkpsdm.move(logged["id"], "start", effective_at="2024-08-21T08:00:00+07:00"))
    share, etag = f"{here}/shares/INSPEKTORAT_KOTA_MALANG", (await bkpsdm.get(here)).headers["etag"]
    etag = _ok(await bkpsdm.put(share, {"level": "summary"}, etag=etag), "etag")
    await bkpsdm.get(f"{here}/shares")
    _ok(await bkpsdm.delete(share, etag=etag), "etag")
    _ok(await bkpsdm.post(f"{here}/comments", {"body": "Sosialisasi dijadwalkan 26 Agustus 2024."}))
    await bkpsdm.get(f"{here}/comments")
    await bakesbangpol.get(f"{here}/history")
    told = {"operation": "comment", "task": logged["id"], "input": {"body": "Diteruskan ke dinas."}}
    _ok(await bakesbangpol.post("/v1/tasks/batch", {"atomic": True, "operations": [told]}))
    await bakesbangpol.get("/v1/statistics/tasks?region=35.73&group_by=accountable,status")
    await bakesbangpol.get("/v1/statistics/deadlines?region=35.73&group_by=code,lateness")
    await bakesbangpol.get("/v1/tasks?status=in_progress&holder=BKPSDM_KOTA_MALANG&limit=1&count=exact")


async def _clocks_run(operator: Agency, kpu: Agency) -> None:
    etag = (await kpu.get("/v1/calendar")).headers["etag"]
    leave = {"day": "2025-05-12", "name_id": "Hari Raya Waisak 2569 BE", "kind": "national"}
    decree = {"reason": "SKB 3 Menteri, perpanjangan tabel", "added": [leave], "covers_to": "2025-05-12"}
    _ok(await operator.post("/v1/calendar/corrections", decree, etag=etag))
    await kpu.get("/v1/calendar/corrections")
    asked = "code=report_handling&region=35.73&started_at=2024-08-13T10:00:00%2B07:00&extended=true"
    await kpu.get(f"/v1/deadlines/computation?{asked}")
    logged = await kpu.log(function="handling", effective_at="2024-08-12T10:00:00+07:00")
    here = f"/v1/tasks/{logged['id']}"
    told = {"clock_starts_at": "report_registered", "occurred_at": "2024-08-13T10:00:00+07:00"}
    (clock,) = _ok(await kpu.post(f"{here}/clock-starts", told))["deadlines"]
    place = f"/v1/deadlines/{clock['id']}"
    etag = (await kpu.get(place)).headers["etag"]
    met = {"action": "meet", "note": "Diteruskan dengan surat 120/PM.00.02/2024"}
    _ok(await kpu.post(f"{place}/transitions", {**met, "effective_at": "2024-08-15T14:00:00+07:00"}, etag=etag))
    agreed = {"due_at": "2024-08-20T12:00:00+07:00", "started_at": "2024-08-19T09:00:00+07:00", "reason": "Rakor"}
    await _made(kpu, f"{here}/deadlines", agreed, {"due_at": "2024-08-21T12:00:00+07:00", "reason": "Ditunda"})
    await kpu.get(f"{here}/deadlines")
    await kpu.get("/v1/deadlines?status=met&code=report_handling&limit=1")


async def _made(who: Agency, path: str, body: Any, patch: Any = None) -> dict[str, Any]:
    """Create a record, read it where it is said to lie, and change it."""
    answer = await who.post(path, body)
    made: dict[str, Any] = _ok(answer)
    place = answer.headers["location"]
    read = await who.get(place)
    if patch is not None:
        _ok(await who.patch(place, patch, etag=read.headers["etag"]))
    return made


def _ok(answer: httpx.Response, header: str | None = None) -> Any:
    assert answer.is_success, answer.text
    return answer.headers[header] if header else answer.json()
