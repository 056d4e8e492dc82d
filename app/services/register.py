"""The Malang 2024 register: what the two seed articles say, as it stood at its dates, without invented moves."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from app.db import Writer, value
from app.rules.law import WIB
from app.schemas.meetings import DecisionInput, MeetingInput
from app.schemas.tasks import TaskInput
from app.schemas.vulnerabilities import VulnerabilityInput, VulnerabilityPatch
from app.services import meetings, tasks, vulnerabilities
from app.services.callers import caller_of
from app.settings import DATA

_FILE: Final = DATA / "malang-2024.json"


@dataclass(frozen=True, slots=True)
class Story:
    """What the records share: the election, when each source was published, and the ids of what is entered."""

    election: str
    published: dict[str, str]
    ids: dict[str, UUID]


async def load_register(writer: Writer, *, path: Path = _FILE) -> int:
    """Log the register's meeting, vulnerabilities and tasks, each by its own agency on its own day.

    Known only by the day, a thing is dated to its first instant in WIB. Returns how many records were new; a record
    that is there already (by `external_reference`) is left alone.
    """
    register = json.loads(await asyncio.to_thread(path.read_text, encoding="utf-8"))
    story = Story(register["election_code"], {one["code"]: one["published_on"] for one in register["sources"]}, {})
    new = 0
    for kind, records, enter in (
        ("meeting", register["coordination_meetings"], _enter_meeting),
        ("vulnerability", register["vulnerabilities"], _enter_vulnerability),
        ("task", register["tasks"], _enter_task),
    ):
        for record in records:
            known = await _known(writer, kind, record)
            if known is None:
                known = await enter(writer, record, story)
                new += 1
            story.ids[record["id"]] = known
        if kind == "vulnerability":
            await _link(writer, records, story)
    return new


async def _known(writer: Writer, kind: str, record: dict[str, Any]) -> UUID | None:
    found: UUID | None = await value(
        writer,
        f"select id from {kind} where logged_by = :agency and external_reference = :reference",
        agency=_agency(kind, record),
        reference=record["id"],
    )
    return found


def _agency(kind: str, record: dict[str, Any]) -> str:
    return str(record[{"meeting": "host_agency", "vulnerability": "mapped_by", "task": "logged_by"}[kind]])


def _start(day: str) -> datetime:
    """The first instant of a day in WIB."""
    return datetime.combine(date.fromisoformat(day), time.min, WIB)


async def _enter_meeting(writer: Writer, record: dict[str, Any], _: Story) -> UUID:
    caller = await caller_of(writer, record["host_agency"])
    held = _start(record["held_on"])
    entered = await meetings.hold_meeting(
        writer,
        caller,
        MeetingInput.model_validate(
            {
                "title": record["title_id"],
                "title_en": record["title_en"],
                "held_on": record["held_on"],
                "time_of_day": record["time_of_day"],
                "venue": record["venue"],
                "region": record["region_code"],
                "election": record["election_code"],
                "participants": record["participants"],
                "experts": [{"role_id": one["role_id"], "role_en": one["role_en"]} for one in record["experts"]],
                "topics": record["topics"],
                "source": record["source"],
                "external_reference": record["id"],
                "effective_at": held.isoformat(),
            }
        ),
    )
    for outcome in record["outcomes"]:
        said = DecisionInput.model_validate(
            {"text": outcome["text_id"], "text_en": outcome["text_en"], "effective_at": held.isoformat()}
        )
        await meetings.decide(writer, caller, entered["id"], said)
    return UUID(str(entered["id"]))


def _told(record: dict[str, Any], story: Story) -> list[dict[str, str]]:
    """What was said of a status, and when: as the register has it, else when the first source came out."""
    published = min(story.published[source] for source in record["source"])
    told: list[dict[str, str]] = record.get("information_status_history") or [
        {"on": published, "status": record["information_status"]}
    ]
    return told


async def _enter_vulnerability(writer: Writer, record: dict[str, Any], story: Story) -> UUID:
    caller = await caller_of(writer, record["mapped_by"])
    told = _told(record, story)
    entered = await vulnerabilities.map_vulnerability(
        writer,
        caller,
        VulnerabilityInput.model_validate(
            {
                "category": record["category"],
                "subcategory": record["subcategory"],
                "description": record["description_id"],
                "description_en": record["description_en"],
                "evidence": record["evidence"],
                "information_status": told[0]["status"],
                "region": record["region_code"],
                "election": story.election,
                "raised_by_role": record["raised_by_role"],
                "locally_distinctive": record["locally_distinctive"],
                "facility_owner": record.get("facility_owner", []),
                "reach_level": record.get("reach_level"),
                "asset": record.get("asset"),
                "candidate_path": record.get("candidate_path"),
                "source": record["source"],
                "external_reference": record["id"],
                "effective_at": _start(told[0]["on"]).isoformat(),
            }
        ),
    )
    for later in told[1:]:
        patch = VulnerabilityPatch.model_validate(
            {"information_status": later["status"], "effective_at": _start(later["on"]).isoformat()}
        )
        entered = await vulnerabilities.update_vulnerability(writer, caller, entered["id"], entered["version"], patch)
    return UUID(str(entered["id"]))


async def _link(writer: Writer, records: list[dict[str, Any]], story: Story) -> None:
    """Link vulnerabilities that belong together, once all of them have an id."""
    for record in records:
        if not record["linked_to"]:
            continue
        caller = await caller_of(writer, record["mapped_by"])
        found = await vulnerabilities.show_vulnerability(writer, caller, story.ids[record["id"]])
        linked = [story.ids[one] for one in record["linked_to"]]
        if sorted(map(str, found["linked_to"])) != sorted(map(str, linked)):
            patch = VulnerabilityPatch.model_validate(
                {"linked_to": linked, "effective_at": _start(_told(record, story)[-1]["on"]).isoformat()}
            )
            await vulnerabilities.update_vulnerability(writer, caller, found["id"], found["version"], patch)


async def _enter_task(writer: Writer, record: dict[str, Any], story: Story) -> UUID:
    caller = await caller_of(writer, record["logged_by"])
    due = record["due_on"]
    entered = await tasks.log_task(
        writer,
        caller,
        TaskInput.model_validate(
            {
                "title": record["title_id"],
                "description": f"{record['title_en']}. {record['note_en'] or ''}".strip(),
                "category": record["category"],
                "subcategory": record["subcategory"],
                "function": record["function"],
                "variant": record["variant"],
                "region": record["region_code"],
                "effective_at": _start(record["created_on"]).isoformat(),
                "due_at": datetime.combine(date.fromisoformat(due), time(23, 59, 59), WIB).isoformat() if due else None,
                "vulnerabilities": [story.ids[one] for one in record["vulnerabilities"]],
                "meeting": story.ids.get(record["coordination_meeting"]),
                "supporting": record["supporting"],
                "external_reference": record["id"],
            }
        ),
    )
    return UUID(str(entered["id"]))
