"""Lawful bodies of every operation, and every way to spoil them, read from the OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from support import Agency, task

CANARY = "kanari7301"
MARK = "\ue000"  # stands for raw JSON in a body until it is written out
TEXTS = (
    ("NUL", '"a\\u0000b"'),
    ("lone surrogate", '"a\\ud800b"'),
    ("bidi control", '"a\\u202eb"'),
    ("escape of a terminal", '"a\\u001bb"'),
)
TOO_MUCH = (
    ("json-number", "1" + "0" * 400),
    ("json-depth", "[" * 900 + "]" * 900),
    ("json-duplicate-key", '{"a":1,"a":2}'),
    ("json-number", "1e999"),
    ("json-depth", '{"a":' * 900 + "1" + "}" * 900),
    ("json-number", "NaN"),
    ("json-number", str(2**64)),
)


@dataclass(frozen=True)
class Case:
    """An operation with somebody who may, a place, and a body that is lawful."""

    caller: Agency
    method: str
    path: str
    body: dict[str, Any]
    etag: str | None = None

    async def send(self, content: str) -> Any:
        headers = {**self.caller.headers, "Content-Type": "application/json", "Idempotency-Key": str(uuid4())}
        if self.etag:
            headers["If-Match"] = self.etag
        return await self.caller.http.request(self.method, self.path, content=content, headers=headers)


@dataclass(frozen=True)
class Spoilt:
    """A body with one thing wrong: what, where (a JSON pointer), and the code if it is one of malformed JSON."""

    what: str
    pointer: str
    content: str
    code: str | None = None


class Schemas:
    """The schemas of the document, references followed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    def body_of(self, operation_id: str) -> dict[str, Any]:
        (operation,) = (
            one
            for methods in self.document["paths"].values()
            for one in methods.values()
            if one["operationId"] == operation_id
        )
        found: dict[str, Any] = operation["requestBody"]["content"]["application/json"]["schema"]
        return found

    def parameters(self, operation: Mapping[str, Any]) -> list[dict[str, Any]]:
        shared = self.document["components"].get("parameters", {})
        return [
            shared[one["$ref"].rsplit("/", 1)[1]] if "$ref" in one else one for one in operation.get("parameters", ())
        ]

    def kinds(self, schema: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The alternatives of a schema, each without a reference."""
        if "$ref" in schema:
            return self.kinds(self.document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
        if "anyOf" in schema:
            return [kind for one in schema["anyOf"] for kind in self.kinds(one)]
        return [dict(schema)]

    def spoil(self, schema: Mapping[str, Any], body: Any) -> Iterator[Spoilt]:
        """Every single thing that can be wrong with this body."""
        for number, (pointer, kinds, value) in enumerate(self._places(schema, body, "")):
            for what, raw in wrongs(kinds):
                yield Spoilt(what, pointer, _with(body, pointer, raw))
            # Seen to before any field is looked at: each place gets one of each sort, in turn.
            what, raw = TEXTS[number % len(TEXTS)]
            yield Spoilt(what, pointer, _with(body, pointer, raw))
            code, raw = TOO_MUCH[number % len(TOO_MUCH)]
            yield Spoilt(code, pointer, _with(body, pointer, raw), code)
            if isinstance(value, dict) and "properties" in kinds[0]:
                yield Spoilt("unknown member", f"{pointer}/surprise", _with(body, f"{pointer}/surprise", f'"{CANARY}"'))
        for name in self.kinds(schema)[0].get("required", ()):
            yield Spoilt("missing", f"/{name}", json.dumps({one: body[one] for one in body if one != name}))
        yield Spoilt("unknown member", "/surprise", json.dumps({**body, "surprise": CANARY}))

    def _places(
        self, schema: Mapping[str, Any], value: Any, at: str
    ) -> Iterator[tuple[str, list[dict[str, Any]], Any]]:
        """Every place below this one, with what may stand there and what stands there now."""
        for kind in self.kinds(schema):
            if kind.get("type") == "object" and "properties" in kind and isinstance(value, dict):
                for name, member in kind["properties"].items():
                    yield f"{at}/{name}", self.kinds(member), value.get(name)
                    yield from self._places(member, value.get(name), f"{at}/{name}")
            if kind.get("type") == "array" and isinstance(value, list) and value:
                yield f"{at}/0", self.kinds(kind["items"]), value[0]
                yield from self._places(kind["items"], value[0], f"{at}/0")


def wrongs(kinds: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """What none of these alternatives allows, as raw JSON."""
    types = {kind.get("type") for kind in kinds}
    yield from ((what, raw) for kind, what, raw in _OF_TYPE if kind not in types)
    if types & {"integer", "number"}:
        yield from (("a fraction", "1.5"), ("a number too large", str(2**62)), ("a number too small", "-1"))
    else:
        yield "a huge number", str(2**62)
    strings = [kind for kind in kinds if kind.get("type") == "string"]
    if strings:
        yield from _wrong_texts(strings)


_OF_TYPE = (
    ("null", "null", "null"),
    ("object", "an object", f'{{"{CANARY}":"{CANARY}"}}'),
    ("array", "a list", f'["{CANARY}"]'),
    ("boolean", "true", "true"),
    ("string", "a number as text", '"1"'),
)
_DAYS = ("2024-02-30", "9999-12-31", "0001-01-01", "kemarin")


def _wrong_texts(strings: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    if all(_is_narrow(kind) or kind.get("minLength") for kind in strings):
        yield "empty", '""'
    if all("maxLength" in kind or _is_narrow(kind) for kind in strings):
        yield "too long", f'"{CANARY * 2000}"'
    if all(_is_narrow(kind) for kind in strings):
        yield "no such value", f'"! é {CANARY}"'
    if all(str(kind.get("format", "")).startswith("date") for kind in strings):
        clock = "T10:00:00Z" if strings[0]["format"] == "date-time" else ""
        yield from ((f"the day {day}", f'"{day}{clock}"') for day in _DAYS)
        yield "a time without its zone", '"2024-08-23T10:00:00"'


def _is_narrow(kind: Mapping[str, Any]) -> bool:
    return bool(kind.keys() & {"enum", "const", "pattern", "format"})


def _with(body: Any, pointer: str, raw: str) -> str:
    """The body as JSON with raw text at one place."""
    copied = json.loads(json.dumps(body))
    *above, last = pointer[1:].split("/")
    place = copied
    for step in above:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[int(last) if isinstance(place, list) else last] = MARK
    return json.dumps(copied).replace(json.dumps(MARK), raw)


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
        "createClient": Case(operator, "POST", "/v1/clients", CLIENT),
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
