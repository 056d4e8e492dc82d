"""The operations of the contest: what is asked of whom, and that all give the same answer."""

from __future__ import annotations

import asyncio
import difflib
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx
from benchmarks.contest import ground, load, peer, processes
from benchmarks.contest.ground import CITY, NATION, OWNER, Ground, Tokens
from benchmarks.contest.load import Asked, replay
from benchmarks.contest.measure import Case
from benchmarks.contest.processes import Served

SINGLES, DEEP, CALLS, LISTENERS = 100, 200, 20, 40
TASK = {
    "title": "Bandingkan",
    "description": "Dugaan ketidaknetralan aparatur sipil negara di sebuah kelurahan.",
    "category": "asn_neutrality",
    "function": "prevention",
    "region": "35.73",
}
NEWEST = "/v1/tasks?limit=50"
KIND = {"status": "closed", "category": "asn_neutrality"}
FILTERS = {**KIND, "region": "35.73"}
OF_KIND, FILTERED = (f"{NEWEST}&{urlencode(filters)}" for filters in (KIND, FILTERS))
WORD = "hujan"
SEARCH = f"{NEWEST}&q={WORD}"
STATISTICS = "/v1/statistics/tasks"


class Differs(RuntimeError):
    """Two contestants gave different answers to the same question."""


class Questions:
    """What is asked, once each contestant is known; `many` requests are enough for a block of writes."""

    def __init__(self, on: Ground, contestants: Mapping[str, Served], tokens: Tokens, *, many: int, tries: int) -> None:
        self.on, self.contestants, self.tokens, self.many, self.tries = on, contestants, tokens, many, tries
        self.hand = httpx.Client(base_url=contestants["b"].address, timeout=60)
        #: What ours answered, by agency and path, for a to answer it from memory.
        self.kept: dict[str, str] = {}
        #: The first and the late page of the nation's list.
        self.pages = (NEWEST, NEWEST)

    # reads

    def reads(self) -> list[Case]:
        """The reads that several contestants answer."""
        whole = [one["id"] for one in self._tasks() if one["access"] == "full"][:SINGLES]
        singles, records = [f"/v1/tasks/{one}" for one in whole], [f"{peer.RECORDS}/{one}" for one in whole]
        deep, deeper, number = self._deep()
        self.pages = (NEWEST, deep)
        return [
            self._read("single read", CITY, singles, singles, records),
            self._read("newest 50, city", CITY, [NEWEST], [NEWEST]),
            self._read("newest 50, nation", NATION, [NEWEST], [NEWEST], [peer.newest()]),
            self._read("filtered list, city", CITY, [FILTERED], [FILTERED]),
            self._read("filtered list, nation", NATION, [OF_KIND], [OF_KIND], [peer.newest(KIND)]),
            self._read(f"deep page ({number})", NATION, [deep], [deeper], self._deep_of_peer(number)),
            self._read("search", CITY, [SEARCH], [f"/search?q={WORD}"]),
            self._read("statistics", CITY, [STATISTICS], ["/statistics"]),
        ]

    def _tasks(self) -> list[dict[str, Any]]:
        return list(self.tokens.get(CITY, "/v1/tasks?limit=200").json()["items"])

    def _read(
        self, name: str, agency: str, ours: list[str], hands: list[str], peers: Sequence[str] | None = None
    ) -> Case:
        answers = {path: self.tokens.get(agency, path) for path in ours}
        self.kept |= {_of_bare(agency, path): answer.text for path, answer in answers.items()}
        told_ = [answer.json() for answer in answers.values()]
        forms = ("rows",) if name == "statistics" else ("rows", "json")
        for form in forms:
            for one, path in zip(told_, hands, strict=True):
                self._same(f"{name}, {form}", one, self.hand.get(of_hand(form, agency, path)))
        form = self._faster([[of_hand(form, agency, path) for path in hands] for form in forms], forms)
        asked: dict[str, Callable[[], Sequence[Asked]]] = {
            "a": lambda: [Asked(_of_bare(agency, path), {}) for path in ours],
            "b": lambda: [Asked(of_hand(form, agency, path), {}) for path in hands],
            "c": lambda: [Asked(path, self.tokens.headers(agency)) for path in ours],
        }
        if peers and "d" in self.contestants:
            self._alike(name, told_, peers)
            asked["d"] = lambda: [Asked(path, peer.HEADERS) for path in peers]
        return Case(name, asked, note=f"b: {'rows, orjson' if form == 'rows' else 'JSON by PostgreSQL'}")

    def _faster(self, paths: Sequence[list[str]], forms: Sequence[str]) -> str:
        """Which of its ways is the fastest for b, asked in turns."""
        rates: dict[str, list[float]] = {form: [] for form in forms}
        for _ in range(self.tries if len(forms) > 1 else 0):
            for form, asked in zip(forms, paths, strict=True):
                load = [Asked(path, {}) for path in asked]
                rates[form].append(replay(self.contestants["b"].port, load, connections=8, seconds=1)["requests"])
        return max(forms, key=lambda form: statistics.median(rates[form] or [0]))

    def _same(self, name: str, ours: dict[str, Any], theirs: httpx.Response) -> None:
        """The answer by hand is ours; raises Differs."""
        theirs.raise_for_status()
        one, other = comparable(ours), comparable(theirs.json())
        if one != other:
            first, second = (json.dumps(told, indent=0, sort_keys=True).splitlines() for told in (one, other))
            raise Differs("\n".join([name, *islice(difflib.unified_diff(first, second, "ours", "by hand"), 60)]))

    def _alike(self, name: str, ours: Sequence[dict[str, Any]], paths: Sequence[str]) -> None:
        """A record of the peer is our task but for its moves, a page as long as ours; raises Differs."""
        with self._peer() as http:
            for one, path in zip(ours, paths, strict=True):
                answer = http.get(path)
                answer.raise_for_status()
                if "items" in one:
                    alike = len(one["items"]) == len(peer.items(answer)) > 0
                else:
                    alike = {**one, "available_transitions": None} == {
                        **peer.document(answer.json()["data"]), "available_transitions": None,
                    }  # fmt: skip
                if not alike:
                    raise Differs(f"{name}: {path}")

    def _deep(self) -> tuple[str, str, int]:
        """Page 200 of the nation's list, or the last full one, as ours and b name it."""
        ours, hands, number = NEWEST, "/v1/tasks", 1
        while number < DEEP:
            following = self.tokens.get(NATION, ours).json()["next_cursor"]
            other = self.hand.get(of_hand("rows", NATION, hands)).json()["next_cursor"]
            if following is None:
                break
            further = f"{NEWEST}&cursor={following}"
            if len(self.tokens.get(NATION, further).json()["items"]) < 50:
                break
            ours, hands, number = further, f"/v1/tasks?cursor={other}", number + 1
        return ours, hands, number

    # the peer

    def _peer(self) -> httpx.Client:
        return httpx.Client(base_url=self.contestants["d"].address, headers=peer.HEADERS, timeout=60)

    def _records(self, count: int) -> list[str] | None:
        if "d" not in self.contestants:
            return None
        with self._peer() as http:
            return [f"{peer.RECORDS}/{one['id']}" for one in peer.items(http.get(peer.newest(limit=count)))]

    def _deep_of_peer(self, number: int) -> list[str] | None:
        if "d" not in self.contestants:
            return None
        path = peer.newest()
        with self._peer() as http:
            for _ in range(number - 1):
                path = http.get(path).headers["next-page"].removeprefix(self.contestants["d"].address)
        return [path]

    # writes

    def writes(self) -> list[Case]:
        """The writes that several contestants make."""
        body = json.dumps(TASK).encode()
        asked: dict[str, Callable[[], Sequence[Asked]]] = {
            "b": lambda: [self._post("b", CITY, "/v1/tasks", body) for _ in range(self.many)],
            "c": lambda: [self._post("c", CITY, "/v1/tasks", body) for _ in range(self.many)],
        }
        moves: dict[str, Callable[[], Sequence[Asked]]] = {"b": lambda: self._moves("b"), "c": lambda: self._moves("c")}
        if "d" in self.contestants:
            record = json.dumps({"data": TASK}).encode()
            asked["d"] = lambda: [Asked(peer.RECORDS, peer.HEADERS, "POST", record)] * self.many
            patched = self._records(1000) or []
            moves["d"] = lambda: [self._patch(path, place) for place, path in enumerate(patched * 20)][: self.many]
        return [Case("create", asked, writes=True), Case("transition", moves, writes=True)]

    def _post(self, letter: str, agency: str, path: str, body: bytes, **more: str) -> Asked:
        headers = {**self.tokens.headers(agency), "Idempotency-Key": str(uuid4()), **more}
        return Asked(path if letter == "c" else of_hand("rows", agency, path), headers, "POST", body)

    def _moves(self, letter: str) -> list[Asked]:
        found = asyncio.run(ground.in_work(self.on.url, mark="WRK"))
        return [
            self._post(letter, OWNER, f"/v1/tasks/{task}/transitions", _move(status), **{"If-Match": f'"{version}"'})
            for task, version, status in found
        ]

    def _patch(self, path: str, place: int) -> Asked:
        body = json.dumps({"data": {"status": "in_progress" if place % 2 else "awaiting_info"}}).encode()
        return Asked(path, peer.HEADERS, "PATCH", body)

    # what ours alone does

    def alone(self) -> list[Case]:
        """What has no counterpart elsewhere."""
        feed, told_ = self._feed()

        def caught_up(served: Served, seconds: float) -> dict[str, float]:
            asked = [Asked(path, self.tokens.headers(CITY)) for path in feed]
            return replay(served.port, asked, connections=1, seconds=seconds, generator=load.OURS)

        return [
            Case("referral, there and accepted", runners={"c": self._trips}, writes=True, note="read, refer, accept"),
            Case("batch of 200 logged", runners={"c": self._batches}, writes=True, note="one transaction"),
            Case("feed of events, a call", runners={"c": caught_up}, note=told_),
            Case(f"an event to {LISTENERS} listeners", runners={"c": self._told}, note="rate: events all have heard"),
        ]

    def _trips(self, served: Served, seconds: float) -> dict[str, float]:
        tasks = [task for task, _, _ in asyncio.run(ground.in_work(self.on.url, mark="TRP"))]
        agencies = (OWNER, "BAWASLU_KOTA_MALANG")
        tokens = {agency: self.tokens.headers(agency)["Authorization"] for agency in agencies}
        told = {"port": served.port, "tasks": tasks, "tokens": tokens, "seconds": seconds}
        return _said("benchmarks.contest.trips", [json.dumps(told)], seconds)

    def _batches(self, served: Served, seconds: float) -> dict[str, float]:
        operations = [{"operation": "log", "input": TASK}] * 200
        body = json.dumps({"operations": operations}).encode()
        asked = [self._post("c", CITY, "/v1/tasks/batch", body) for _ in range(100)]
        return replay(served.port, asked, connections=1, seconds=seconds, once=True, generator=load.OURS)

    def _told(self, served: Served, seconds: float) -> dict[str, float]:
        token = self.tokens.headers(CITY)["Authorization"]
        told = {"port": served.port, "token": token, "listeners": LISTENERS, "seconds": seconds}
        return _said("benchmarks.contest.fanout", [json.dumps(told)], seconds)

    def _feed(self) -> tuple[list[str], str]:
        """Calls from places all over the log, as one who catches up makes them, and what a call brings."""
        size = self.tokens.get(CITY, "/v1/log/head").json()["size"]
        places = [size * place // CALLS for place in range(CALLS)]
        paths = [f"/v1/events?after={after}&limit=200" for after in places]
        pages = [self.tokens.get(CITY, path).json() for path in paths]
        passed = sum(page["after"] - after for page, after in zip(pages, places, strict=True)) / CALLS
        heard = sum(len(page["items"]) for page in pages) / CALLS
        return paths, f"one reader; a call passes {passed:,.0f} entries, hears {heard:,.0f}"


def _move(status: str) -> bytes:
    return json.dumps({"action": "await_info" if status == "in_progress" else "resume"}).encode()


def comparable(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without the instant at which it was made; of a cursor, each one's own, only whether there is one."""
    found = {name: content for name, content in answer.items() if name != "at"}
    return found | ({"next_cursor": found["next_cursor"] is not None} if "next_cursor" in found else {})


def _of_bare(agency: str, path: str) -> str:
    return f"/{agency}{path}"


def of_hand(form: str, agency: str, path: str) -> str:
    return f"/{form}/{agency}{path.removeprefix('/v1').replace('limit=50&', '').replace('?limit=50', '')}"


def _said(module: str, arguments: list[str], seconds: float) -> dict[str, float]:
    """What a load process of our own printed."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        timeout=seconds + load.PATIENCE,
        env={"PYTHONPATH": f"{processes.ROOT / 'tests'}:{processes.ROOT}"},
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found
