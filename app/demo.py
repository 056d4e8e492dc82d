"""The stories of app/stories.py told over HTTP against the running service, each step a row of a readable table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import httpx
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.rules.law import WIB
from app.stories import STORIES, Step, Story

_MATTER: Final[Sequence[str]] = ("category", "subcategory", "function", "variant", "subject_kind", "region")
_ANSWERS: Final = {"receive": "received", "accept": "accepted", "return": "returned"}
_MEANING: Final = {
    "receive": "The referral has arrived; nobody is accountable yet.",
    "return": "Handed back to the sender.",
    "start": "The work begins.",
    "confirm": "The outcome is judged sound.",
}
_COLOURS: Final = {"refused": "red", "returned": "magenta", "accepted": "cyan", "closed": "green"}
_OVER: Final = {"closed", "cancelled"}
_PATIENCE: Final = 10.0


class _Stopped(Exception):
    """The demo can't go on; the sentence tells why."""


async def tell(url: str, clients: list[dict[str, Any]], console: Console) -> str | None:
    """Tell every story, going on with a run that was broken off; returns a sentence when it can't."""
    async with httpx.AsyncClient(base_url=url, timeout=_PATIENCE, trust_env=False) as http:
        service = _Service(http, clients)
        try:
            run = await _unfinished_run(service)
            console.print(f"Run {run} of the demo at {url}. Times are WIB, tasks are numbered DEMO-{run}-....")
            for story in STORIES:
                teller = _Teller(service, story, run)
                console.print(Text(f"\n{story.title}", "bold"), Text(story.opening), sep="\n")
                console.print(await teller.tell())
            console.print(await teller.history())
        except _Stopped as stopped:
            return str(stopped)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            return f"{url} can't be reached ({error}): start the service with `make run`, then try again."
    console.print(f"\nRead on, and try it yourself: {url}/docs")
    return None


class _Service:
    """The running service as the agencies' own clients reach it: every call says who is asking."""

    def __init__(self, http: httpx.AsyncClient, clients: Iterable[Mapping[str, Any]]) -> None:
        self._http = http
        self._clients = {one["agency"]: one for one in clients if one["role"] == "supervisor"}
        self._tokens: dict[str, str] = {}

    async def get(self, agency: str, path: str, **query: str) -> httpx.Response:
        """Read, or stop."""
        answer = await self._http.get(path, params=query, headers=await self._signed(agency))
        if answer.status_code != httpx.codes.OK:
            raise _unexpected(answer)
        return answer

    async def post(self, agency: str, path: str, body: Mapping[str, Any], **headers: str) -> httpx.Response:
        """Send; whether a refusal belongs to the story, the caller knows."""
        return await self._http.post(path, json=body, headers={**await self._signed(agency), **headers})

    async def find(self, story: Story, reference: str) -> dict[str, Any] | None:
        """The task that the logger of a story has logged under its own number, if it has."""
        found = await self.get(story.logger, "/v1/tasks", external_reference=reference, logged_by=story.logger)
        return next(iter(found.json()["items"]), None)

    async def _signed(self, agency: str) -> dict[str, str]:
        if agency not in self._tokens:
            client = self._clients.get(agency)
            if client is None:
                raise _Stopped(f"The credentials name no supervisor of {agency}.")
            form = {key: client[key] for key in ("client_id", "client_secret")}
            answer = await self._http.post("/oauth2/token", data={"grant_type": "client_credentials", **form})
            if answer.status_code != httpx.codes.OK:
                refused = f"{self._http.base_url} refused the credentials of {agency} ({answer.status_code})"
                raise _Stopped(f"{refused}: are they those of the service that runs there?")
            self._tokens[agency] = answer.json()["access_token"]
        return {"Authorization": f"Bearer {self._tokens[agency]}"}


def _unexpected(answer: httpx.Response) -> _Stopped:
    request = answer.request
    return _Stopped(f"{request.method} {request.url.path} was answered {answer.status_code}: {answer.text}")


async def _unfinished_run(service: _Service) -> int:
    """The first run whose last task is not over: one that was broken off, or a new one."""
    run = 1
    while (last := await service.find(STORIES[-1], _reference(STORIES[-1], run))) and last["status"] in _OVER:
        run += 1
    return run


def _reference(story: Story, run: int) -> str:
    return f"DEMO-{run}-{story.code}"


class _Teller:
    """One story of one run, as it becomes a table."""

    def __init__(self, service: _Service, story: Story, run: int) -> None:
        self._service, self._story = service, story
        self._reference = _reference(story, run)
        self._path = ""
        self._table = Table(box=box.ROUNDED, show_lines=True)
        for name in ("who", "does", "what follows, and why", "status"):
            self._table.add_column(name, overflow="fold", no_wrap=name in {"does", "status"})

    async def tell(self) -> Table:
        """Do what is left to do, and show it; what stands already is said to stand."""
        standing = await self._standing()
        for place, step in enumerate(self._story.steps):
            if standing and step.does not in {"ask", "read"}:
                standing -= step.leaves_fact
                self._show(step, ["Stands already, from the time before."])
            elif not await self._take(step, f"{self._reference}-{place}"):
                break
        return self._table

    async def _standing(self) -> int:
        """How many steps of the story have left their fact; a referral sent in logging is no step of its own."""
        task = await self._service.find(self._story, self._reference)
        if task is None:
            return 0
        self._path = f"/v1/tasks/{task['id']}"
        facts = (await self._service.get(self._story.logger, f"{self._path}/history")).json()["items"]
        return len(facts) - int(facts[0]["to_status"] == "assigned")

    async def _take(self, step: Step, key: str) -> bool:
        """Take a step; False if it is not open, which ends the story."""
        match step.does:
            case "ask":
                self._show(step, await self._law(step))
            case "read":
                task = (await self._service.get(step.by, self._path)).json()
                lines = [f"Sees it in {task['access']}: {task.get('title', task['reference'])}"]
                self._show(step, lines, task["status"])
            case "log":
                await self._log(step, key)
            case _:
                return await self._move(step, key)
        return True

    async def _log(self, step: Step, key: str) -> None:
        body = {**self._story.task, **step.members, "external_reference": self._reference}
        answer = await self._service.post(step.by, "/v1/tasks", body, **{"Idempotency-Key": key})
        if not self._is_refused(step, answer):
            task = answer.json()
            self._path = f"/v1/tasks/{task['id']}"
            lines = [f"{task['reference']} ({self._reference}): {task['title']}", *await self._law(step)]
            self._show(step, lines, task["status"])

    async def _move(self, step: Step, key: str) -> bool:
        """Make the move by the href that the task itself offers to this caller; False if it offers none."""
        task = (await self._service.get(step.by, self._path)).json()
        offers = {one["action"]: one["href"] for one in task["available_transitions"]}
        if step.does not in offers:
            self._show(step, [f"Not open to this client now; open: {', '.join(offers) or 'nothing'}."], task["status"])
            return False
        resource, _, kind = offers[step.does].rpartition("/")
        etag = (await self._service.get(step.by, resource)).headers["etag"]
        verbs: dict[str, Any] = {"transitions": {"action": step.does}, "response": {"answer": _ANSWERS.get(step.does)}}
        body = {**verbs.get(kind, {}), **step.members}
        headers = {"Idempotency-Key": key, "If-Match": etag}
        answer = await self._service.post(step.by, offers[step.does], body, **headers)
        if self._is_refused(step, answer):
            return True
        task = (await self._service.get(step.by, self._path)).json()
        lines = [_MEANING[step.does]] if step.does in _MEANING else []
        if step.does == "accept":
            lines.append(f"Accountable from now on: {task['accountable']}")
        lines += _told(step.said)
        if step.does == "refer":
            lines += await self._law(step)
        self._show(step, lines, task["status"])
        return True

    def _is_refused(self, step: Step, answer: httpx.Response) -> bool:
        """Whether the step was refused as the story has it; any answer that it has not stops the demo."""
        problem = answer.json() if answer.headers["content-type"] == "application/problem+json" else {}
        if problem.get("code") != step.refused or (answer.is_error and not problem):
            raise _unexpected(answer)
        if not problem:
            return False
        because = f"By mandate {problem['mandate']}: {'; '.join(_articles(problem))}"
        self._show(step, [*_told(step.said), f"{problem['code']}: {problem['detail']}", because], "refused")
        return True

    async def _law(self, step: Step) -> list[str]:
        """Who is competent for what this step asks, and why."""
        matter = {**self._story.task, **step.said}
        query = {name: matter[name] for name in _MATTER if name in matter}
        if step.effective_at is not None:
            query["at"] = step.effective_at
        answer = (await self._service.get(step.by, "/v1/mandates/resolution", **query)).json()
        owner, asked = answer["accountable"], f"{matter['category']}/{matter['function']}"
        if owner is None:
            return [f"Competent for {asked}: nobody ({answer['outcome']})"]
        period = (
            f"{owner['valid_from']} to {owner['valid_to']}" if owner["valid_to"] else f"since {owner['valid_from']}"
        )
        basis = zip(_articles(owner), owner["legal_basis"], strict=True)
        return [
            f"Competent for {asked}: {owner['agency']}",
            f"By mandate {owner['mandate']} ({period}, {'verified' if owner['verified'] else 'not verified yet'}):",
            *(f"- {cited}: {one['title']}" for cited, one in basis),
            f"Supporting: {', '.join(answer['supporting']) or 'nobody'}",
        ]

    def _show(self, step: Step, lines: Iterable[str], status: str = "") -> None:
        who = f"{step.by}\n{step.at.replace('T', ' ')}" if step.at else step.by
        shown = (Text(who), Text(f"{step.does}s"), Text("\n".join(lines)), Text(status, _COLOURS.get(status, "")))
        self._table.add_row(*shown)

    async def history(self) -> Table:
        """Every fact of the task, as the service tells it."""
        facts = (await self._service.get(self._story.logger, f"{self._path}/history")).json()["items"]
        table = Table("when", "recorded", "fact", "by", "status", box=box.ROUNDED)
        table.title, table.title_justify = f"History of {self._reference}", "left"
        for fact in facts:
            times = (
                f"{datetime.fromisoformat(fact[at]).astimezone(WIB):%Y-%m-%d %H:%M}"
                for at in ("effective_at", "recorded_at")
            )
            table.add_row(*map(Text, (*times, fact["kind"], fact["agency"], fact["to_status"] or "")))
        return table


def _told(said: Mapping[str, Any]) -> list[str]:
    """The members that were sent, one a line."""
    shown = ((name, ", ".join(_told(one)) if isinstance(one, Mapping) else one) for name, one in said.items())
    return [f"{name}: {one}" for name, one in shown]


def _articles(facts: Mapping[str, Any]) -> list[str]:
    """Instruments and articles of a legal basis."""
    cited = ((one["instrument"], one["article"]) for one in facts["legal_basis"])
    return [f"{instrument} Art. {article}" if article else instrument for instrument, article in cited]
