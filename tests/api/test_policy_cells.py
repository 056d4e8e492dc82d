"""Standing by standing, role by role, status by status: the API gives what the cells of the policy say and no more.

How an agency stands to a task is told here, by the story; what it may then see and do is read off the policy itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from stories import Cast, actions
from support import Agency, SignIn

from app.policy_page import OF_TASKS, allowed_referral_move, allowed_task_move
from app.rules import workflow
from app.rules.policy import Permission, may
from app.rules.vocabulary import ReferralStatus, Role, Status
from app.rules.vocabulary import Standing as S
from app.rules.workflow import ACTIVE, REFERRAL_MOVES

LOGGER, OWNER, SECOND = "BAKESBANGPOL_KOTA_MALANG", "BKPSDM_KOTA_MALANG", "BAWASLU_KOTA_MALANG"
SUPPORTER, LEADER, COORDINATOR = "INSPEKTORAT_KOTA_MALANG", "PEMKOT_MALANG", "KPU_KOTA_MALANG"
GUEST, HINTED, RESIDENT, STRANGER = "DIKBUD_KOTA_MALANG", "KPU_KAB_MALANG", "DISHUB_KOTA_MALANG", "POLRES_BATU"
AGENCIES = (LOGGER, OWNER, SECOND, SUPPORTER, LEADER, COORDINATOR, GUEST, HINTED, RESIDENT, STRANGER)
ELSEWHERE = {HINTED, STRANGER}
ROLES = (Role.VIEWER, Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR, Role.EXPERT)


@dataclass(frozen=True)
class Scene:
    """A task as the story leaves it; `passed_on` to Bawaslu: offered, taken, or taken with access kept."""

    status: Status
    classification: str = "terbatas"
    passed_on: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.status, self.classification, self.passed_on)))

    def standings(self) -> dict[str, set[S]]:
        """How each agency stands to it, as the story has it."""
        held: dict[str, set[S]] = {agency: set() for agency in AGENCIES}
        held[LOGGER] = {S.LOGGER, S.JUDGE}
        if self.status is Status.DRAFT:
            return held
        held[SUPPORTER] = {S.SUPPORTING}
        held[LEADER] = {S.INFORMED}  # a member of the leaders' forum, which is informed of what goes viral
        held[GUEST], held[HINTED] = {S.SHARED}, {S.FORMER}
        held[COORDINATOR] = {S.COORDINATOR}
        held[SECOND] = {S.COORDINATOR, S.SUPPORTING}
        if self.status is Status.ASSIGNED:
            held[LOGGER] |= {S.SENDER}
        held[OWNER] = {
            Status.ASSIGNED: {S.REFERRED_TO},
            Status.RETURNED: {S.FORMER},
            Status.CANCELLED: set[S](),  # before it was accepted
        }.get(self.status, {S.OWNER})
        if self.passed_on == "offered":
            held[OWNER] |= {S.SENDER}
            held[SECOND] |= {S.REFERRED_TO}
        elif self.passed_on:
            held[SUPPORTER] = set()  # the other mandate names it no more
            held[SECOND] = {S.OWNER, S.COORDINATOR}
            held[OWNER] = {S.SHARED if self.passed_on == "kept" else S.FORMER}
        if self.classification == "terbuka":
            for agency in set(AGENCIES) - ELSEWHERE:
                held[agency] |= {S.RESIDENT}
        return held

    def of(self, agency: str, role: Role) -> set[S]:
        """How a client of this role stands to it: an expert by what is shared with its agency alone."""
        held = self.standings()[agency]
        if role is Role.EXPERT:
            return held & {S.SHARED} if agency == GUEST else set()
        return held

    @property
    def referred(self) -> bool:
        return self.status is Status.ASSIGNED or self.passed_on == "offered"

    def moves(self, role: Role, held: set[S]) -> set[str]:
        """What the cells allow, with an open referral standing in the way of some."""
        allowed = {
            move.action.value
            for move, standing in product(workflow.lawful(self.status), held)
            if allowed_task_move(role, standing, move.action, self.status)
            and not (self.referred and move.halted_by_referral)
        }
        if self.referred:
            allowed |= {
                move.action.value
                for move, standing in product(REFERRAL_MOVES, held)
                if allowed_referral_move(role, standing, move.action, ReferralStatus.SENT) == "yes"
            }
        return allowed


SCENES = [
    *(Scene(status, classification) for classification in ("terbatas", "terbuka") for status in Status),
    *(Scene(status, "terbatas", "offered") for status in sorted(ACTIVE)),
    *(Scene(Status.ACCEPTED, *one) for one in product(("terbatas", "terbuka"), ("taken", "kept"))),
]
TRIED = {standing for scene in SCENES for held in scene.standings().values() for standing in held}


@pytest.fixture(scope="module")
async def clients(client_of: SignIn) -> dict[tuple[str, Role], Agency]:
    """One of each role for each agency."""
    made: dict[tuple[str, Role], Agency] = {}
    for agency in AGENCIES:
        made[agency, Role.SUPERVISOR] = supervisor = await client_of(agency)
        for lesser in (Role.VIEWER, Role.OFFICER):
            made[agency, lesser] = await Agency(supervisor.http, supervisor.credentials).sign_in(scope=lesser)
        for role in (Role.AUDITOR, Role.EXPERT):
            made[agency, role] = await client_of(agency, role)
    return made


@pytest.fixture(scope="module")
async def viral(clients: dict[tuple[str, Role], Agency]) -> str:
    """A vulnerability that has reached so far that the leaders' forum is informed."""
    said = {"category": "asn_neutrality", "description": "Viral", "region": "35.73", "reach_level": "national"}
    mapped = await clients[LOGGER, Role.SUPERVISOR].post("/v1/vulnerabilities", said)
    assert mapped.status_code == 201, mapped.text
    return str(mapped.json()["id"])


async def set_up(scene: Scene, clients: dict[tuple[str, Role], Agency], viral: str) -> str:
    """The id of a task that stands so."""
    cast = Cast(clients[LOGGER, Role.SUPERVISOR], clients[OWNER, Role.SUPERVISOR])
    shares = [{"agency": GUEST, "level": "full"}, {"agency": HINTED, "level": "summary"}]
    said = {"classification": scene.classification, "shares": shares, "vulnerabilities": [viral]}
    task = await cast.bring(scene.status, **said)
    if scene.passed_on:
        second = clients[SECOND, Role.SUPERVISOR]
        task = await cast.refer(task, second, retain_access=scene.passed_on == "kept")
        if scene.passed_on != "offered":
            await second.accept(task)
    return str(task["id"])


def access(role: Role, held: set[S]) -> str | None:
    """How much of the task the policy grants to these standings."""
    if may(role, Permission.TASK_READ, held):
        return "full"
    return "summary" if may(role, Permission.TASK_READ_SUMMARY, held) else None


def test_the_scenes_bring_about_every_standing_to_a_task() -> None:
    assert TRIED | {S.OUTSIDER} == set(OF_TASKS)
    assert {scene.status for scene in SCENES} == set(Status)
    granted = {access(role, scene.of(agency, role)) for scene, agency, role in product(SCENES, AGENCIES, ROLES)}
    assert granted == {"full", "summary", None}


@pytest.mark.parametrize("scene", SCENES, ids=str)
async def test_each_standing_sees_and_may_do_what_its_cells_say(
    scene: Scene, clients: dict[tuple[str, Role], Agency], viral: str
) -> None:
    path = f"/v1/tasks/{await set_up(scene, clients, viral)}"
    found: dict[tuple[str, str], Any] = {}
    said: dict[tuple[str, str], Any] = {}
    for agency, role in product(AGENCIES, ROLES):
        held = scene.of(agency, role)
        level = access(role, held)
        said[agency, role] = (200, level, scene.moves(role, held)) if level else (404, None, set())
        answer = await clients[agency, role].get(path)
        task = answer.json()
        shown = actions(task) if answer.status_code == 200 else set()
        found[agency, role] = (answer.status_code, task.get("access"), shown)
    assert found == said


# whose own people the case is about

CASE = {"category": "organizer_integrity", "function": "handling", "variant": "subject_kpu"}
JUDGING = ("confirm", "reject_outcome", "reopen")


@pytest.mark.parametrize("status", Status)
async def test_a_body_recused_judges_in_no_status_what_it_logged_and_sees_in_none_what_it_did_not(
    status: Status, clients: dict[tuple[str, Role], Agency], client_of: SignIn
) -> None:
    recused, bawaslu = clients[COORDINATOR, Role.SUPERVISOR], clients[SECOND, Role.SUPERVISOR]
    about = {**CASE, "subject_kind": "kpu_member", "classification": "terbatas"}
    judge = await client_of(SECOND)
    task = await Cast(recused, bawaslu, judge).bring(status, **about)
    assert not actions(task) & set(JUDGING)
    for action in JUDGING:
        refused = await recused.move(task["id"], action, reason="x")
        assert (refused.status_code, refused.json()["code"]) == (403, "permission-denied"), action
    assert (await recused.read(task["id"]))["version"] == task["version"]

    hidden = await Cast(clients[LOGGER, Role.SUPERVISOR], bawaslu, judge).bring(status, **about)
    for action in JUDGING:
        body = {"action": action, "reason": "x"}
        refused = await recused.post(f"/v1/tasks/{hidden['id']}/transitions", body, etag=f'"{hidden["version"]}"')
        assert (refused.status_code, refused.json()["code"]) == (404, "not-found"), action
