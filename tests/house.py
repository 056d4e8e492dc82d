"""A service with tasks of every class and state and callers of every kind, in whose texts words are planted."""

from datetime import UTC, datetime
from typing import Any

import httpx
from listener import heard
from support import Agency, scaled, task

from app.db import Database, rows

VILLAGE = "35.73.04.1011"
PARTS = ("/shares", "/history", "/comments", "/deadlines", *scaled((), ("/referrals", "/transitions")))
#: Who looks in every run; in full, everybody does.
LOOKING = (
    *("operator", "BAKESBANGPOL_KOTA_MALANG cleared", "BAKESBANGPOL_KOTA_MALANG", "BAWASLU_KOTA_MALANG cleared"),
    *("BKPSDM cleared", "nation", "neighbour", "forum member", "expert"),
)
_NEWEST = "select id from {} order by recorded_at desc limit " + str(scaled(10, 60))


class House:
    """A service over a database of its own, with tasks of every class and state, and callers of every kind."""

    def __init__(self, http: httpx.AsyncClient, credentials: list[dict[str, Any]]) -> None:
        self.http, self.credentials = http, credentials
        self.callers: dict[str, Agency] = {}
        self.words = 0
        self.furnished = ""

    async def first(self, agency: str | None, role: str) -> Agency:
        found = next(one for one in self.credentials if one["agency"] == agency and one["role"] == role)
        return await Agency(self.http, found).sign_in()

    async def client(self, name: str, agency: str, role: str, **said: str) -> None:
        made = await self.callers["operator"].post(
            "/v1/clients", {"agency": agency, "role": role, "purpose": name, **said}
        )
        assert made.status_code == 201, made.text
        self.callers[name] = await Agency(self.http, {**made.json(), "agency": agency}).sign_in()

    def word(self) -> str:
        """A word that stands nowhere else."""
        self.words += 1
        return f"kenari{self.words:04d}"

    async def furnish(self) -> None:
        self.callers["operator"] = await self.first(None, "operator")
        self.callers["admin"] = await self.first("KPU_KOTA_MALANG", "agency_admin")
        for agency in ("KPU_KOTA_MALANG", "BAWASLU_KOTA_MALANG", "POLRESTA_MALANG_KOTA", "BAKESBANGPOL_KOTA_MALANG"):
            await self.client(f"{agency} cleared", agency, "supervisor", clearance="rahasia")
            self.callers[agency] = await self.first(agency, "supervisor")
        await self.client("BKPSDM cleared", "BKPSDM_KOTA_MALANG", "supervisor", clearance="rahasia")
        self.callers["BKPSDM_KOTA_MALANG"] = await self.first("BKPSDM_KOTA_MALANG", "supervisor")
        for name, agency, role in (
            ("kodim", "KODIM_0833_KOTA_MALANG", "viewer"),
            ("nation", "KPU_RI", "viewer"),
            ("province", "BAWASLU_JATIM", "viewer"),
            ("district", "PANITIA_KECAMATAN_35_73_04", "officer"),
            ("neighbour", "KPU_KAB_MALANG", "viewer"),
            ("forum member", "KEJARI_KOTA_MALANG", "viewer"),
            ("auditor", "BKPSDM_KOTA_MALANG", "auditor"),
            ("expert", "KODIM_0833_KOTA_MALANG", "expert"),
        ):
            await self.client(name, agency, role)
        for classification in ("terbuka", "terbatas", "rahasia"):
            await self._tasks(classification)
            await self._register(classification)

    async def _tasks(self, classification: str) -> None:
        logger = self.callers["BAKESBANGPOL_KOTA_MALANG cleared"]
        shared = [
            {"agency": "KODIM_0833_KOTA_MALANG", "level": "full"},
            {"agency": "KPU_KAB_MALANG", "level": "summary"},
        ]
        for draft, shares, subject in (
            (True, shared, None),
            (False, [], None),
            (False, shared, None),
            (False, [], "city_official"),
        ):
            said = task(
                title=self.word(),
                description=self.word(),
                classification=classification,
                draft=draft,
                shares=shares,
                region=VILLAGE,
                external_reference=self.word(),
                due_at="2030-01-01T00:00:00+07:00",
                **({"subject_kind": subject} if subject else {}),
            )
            logged = await logger.post("/v1/tasks", said)
            assert logged.status_code in {201, 409}, logged.text
            if logged.status_code == 201:
                place = f"/v1/tasks/{logged.json()['id']}"
                await logger.post(f"{place}/comments", {"body": self.word()})
                agreed = {"due_at": "2030-01-01T00:00:00+07:00", "reason": self.word()}
                assert (await logger.post(f"{place}/deadlines", agreed)).status_code == 201
        for retained in (True, False):
            await self._hand_over(classification, retained=retained)

    async def _hand_over(self, classification: str, *, retained: bool) -> None:
        """A task returned, sent again, accepted, offered and withdrawn, returned by a third, accepted by it."""
        logger = self.callers["BAKESBANGPOL_KOTA_MALANG cleared"]
        first, second = self.callers["BKPSDM cleared"], self.callers["BAWASLU_KOTA_MALANG cleared"]
        logged = await logger.log(
            title=self.word(), description=self.word(), region=VILLAGE, classification=classification
        )
        await self._answer(first, logged["open_referral"]["id"], "returned")
        sent = await logger.refer(logged["id"], to_agency=first.code, note=self.word())
        await self._answer(first, sent.json()["id"], "accepted")
        await first.post(f"/v1/tasks/{logged['id']}/comments", {"body": self.word()})
        to_second = {"to_agency": second.code, "function": "monitoring", "retain_access": retained}
        for answer in ("withdrawn", "returned", "accepted"):
            sent = await first.refer(logged["id"], **to_second, note=self.word())
            assert sent.status_code == 201, sent.text
            if answer == "withdrawn":
                etag = sent.headers["etag"]
                path = f"/v1/referrals/{sent.json()['id']}/withdrawal"
                assert (await first.post(path, {"reason": self.word()}, etag=etag)).status_code == 200
            else:
                await self._answer(second, sent.json()["id"], answer)
        await second.post(f"/v1/tasks/{logged['id']}/comments", {"body": self.word()})

    async def _answer(self, receiver: Agency, referral: str, answer: str) -> None:
        reason = {"reason": self.word()} if answer == "returned" else {}
        done = await receiver.answer(referral, answer, **reason)
        assert done.status_code == 200, done.text

    async def _register(self, classification: str) -> None:
        mapper = self.callers["POLRESTA_MALANG_KOTA cleared"]
        mapped = await mapper.post(
            "/v1/vulnerabilities",
            {
                "category": "asn_neutrality",
                "description": self.word(),
                "region": VILLAGE,
                "classification": classification,
                "evidence": [{"source_type": "pileg", "year": 2024, "reference": self.word()}],
            },
        )
        assert mapped.status_code == 201, mapped.text
        held = await mapper.post(
            "/v1/meetings",
            {
                "title": self.word(),
                "held_on": "2024-08-23",
                "region": VILLAGE,
                "classification": classification,
                "participants": [{"agency": "KODIM_0833_KOTA_MALANG"}],
            },
        )
        assert held.status_code == 201, held.text
        decided = await mapper.post(f"/v1/meetings/{held.json()['id']}/decisions", {"text": self.word()})
        assert decided.status_code == 201, decided.text

    async def seen(self, ids: dict[str, list[str]]) -> dict[str, list[str]]:
        """Caller -> every planted word and every task it meets, wherever it may look."""
        looking = scaled(LOOKING, tuple(self.callers))
        self.furnished = self.furnished or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {name: await self._met(self.callers[name], ids) for name in looking}

    async def _met(self, caller: Agency, ids: dict[str, list[str]]) -> list[str]:
        paths = ["/v1/tasks?limit=200&count=exact", "/v1/referrals?limit=200", "/v1/vulnerabilities?limit=200"]
        paths += ["/v1/deadlines?limit=200", "/v1/tasks?limit=200&deadline_status=running"]
        paths += ["/v1/meetings?limit=200", "/v1/clients?limit=200", f"/v1/tasks?limit=200&region={VILLAGE}"]
        then = f"?as_of={self.furnished}"
        paths += [f"/v1/tasks{then}&limit=200&status=assigned,accepted,draft"]
        paths += [f"/v1/tasks/{one}{part}" for one in ids["task"] for part in ("", then, *PARTS)]
        paths += [f"/v1/referrals/{one}" for one in ids["referral"]]
        paths += [f"/v1/deadlines/{one}" for one in ids["deadline"]]
        paths += [f"/v1/vulnerabilities/{one}{part}" for one in ids["vulnerability"] for part in ("", "/evidence")]
        paths += [f"/v1/meetings/{one}{part}" for one in ids["meeting"] for part in ("", "/decisions")]
        paths += [f"/v1/clients/{one}" for one in ids["client"]]
        met = []
        for path in paths:
            answer = await caller.get(path)
            if answer.status_code == 200:
                met += [f"{path} {one}" for one in _words(answer.json())]
            else:
                assert answer.status_code in {403, 404}, (path, answer.text)
        met += [f"/v1/events {one}" for one in _words(await heard(caller))]
        return sorted(met)


def _words(document: Any) -> set[str]:
    """What tells something: planted words, ids, who has to do with it, how many there are."""
    if isinstance(document, dict):
        kept = {key: one for key, one in document.items() if key not in {"available_transitions", "next_cursor"}}
        return set().union(*(_words(one) if one is not None else set() for one in kept.values()))
    if isinstance(document, list):
        return set().union(*(_words(one) for one in document))
    return {str(document)}


async def ids_of(database: Database) -> dict[str, list[str]]:
    nouns = ("task", "referral", "deadline", "vulnerability", "meeting", "client")
    async with database.working() as worker:
        return {
            noun: [
                str(one["id"])
                for one in await rows(worker, f"select id from {noun} order by recorded_at desc limit 60")
            ]
            for noun in nouns
        }
