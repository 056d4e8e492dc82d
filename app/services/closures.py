"""Closures: two operators end a row of the matrix; nothing of the row but its end is ever changed."""

from __future__ import annotations

import zlib
from collections import Counter
from datetime import UTC, date, datetime, time
from itertools import islice
from typing import Any, Final

from app.db import Executor, Row, Writer, encode, one, row, rows, value
from app.errors import Fault, InvalidParameter, TransitionNotAllowed
from app.models import MandateClosure
from app.rules import mandates as competence
from app.rules import succession
from app.rules.caller import Caller
from app.rules.facts import EventKind
from app.rules.law import WIB, Question
from app.rules.vocabulary import ClosureStatus, Instant
from app.schemas.closures import ClosureAnswerInput, ClosureInput, Fate
from app.schemas.mandates import MandateInput
from app.services import law, log, mandates, operators, records
from app.services.legal_instruments import require_instruments
from app.services.succession import question
from app.services.versions import check_version, compare_and_set

#: How many references a dry run names.
NAMED: Final = 200
_COLUMNS: Final = (
    "id, mandate, valid_to, successor, legal_basis, reason, status, proposed_by, answered_by, recorded_at, answered_at"
)
_OPEN: Final = f"select {_COLUMNS} from mandate_closure where mandate = :mandate and status = 'proposed'"
_OVERLAPPING: Final = """
    select o.id from mandate m join mandate o on o.id <> m.id and (o.category, o.subcategory, o.function, o.variant,
        o.region_code) = (m.category, m.subcategory, m.function, m.variant, m.region_code)
    where m.id = :mandate and daterange(o.valid_from, o.valid_to)
        && daterange(cast(:starts as date), cast(:ends as date)) limit 1
"""
_ANSWERED: Final = (
    "update mandate_closure set status = :status, answered_by = :by, answered_at = now()"
    f" where id = :id and status = 'proposed' returning {_COLUMNS}"
)
#: Why a row may not end on a day.
_PERIOD: Final = (
    "It must lie after valid_from, and before the end that the row has already.",
    "Harus sesudah valid_from, dan sebelum akhir yang sudah ditetapkan.",
)


async def show_closure(
    executor: Executor, id: str, *, valid_to: date | None, successor: str | None
) -> tuple[dict[str, Any], int]:
    """A dry run of closing a row, of the open proposal where no day is given, with the number that its ETag bears.

    Raises NotFound, InvalidParameter.
    """
    mandate = await mandates.show_mandate(executor, id)
    proposal = await row(executor, _OPEN, mandate=id) if valid_to is None else None
    if proposal is not None:
        return await _dry_run(executor, mandate, proposal["valid_to"], _office(proposal), proposal=proposal)
    if valid_to is not None and not _may_end(mandate, valid_to):
        raise InvalidParameter(errors=[Fault("period", *_PERIOD, parameter="valid_to")])
    if valid_to is None:
        en, id_ = "No closure is proposed; give a day.", "Belum ada usulan penutupan; berikan tanggal."
        raise InvalidParameter(errors=[Fault("missing", en, id_, parameter="valid_to")])
    return await _dry_run(executor, mandate, valid_to, successor)


async def propose_closure(
    writer: Writer, caller: Caller, id: str, version: int, input: ClosureInput
) -> tuple[dict[str, Any], int]:
    """Propose to close a row, on the dry run that the ETag names; another operator has to confirm it.

    Raises NotFound, StaleVersion when the dry run has changed, TransitionNotAllowed while another proposal is open,
    ValidationFailed.
    """
    mandate = await mandates.show_mandate(writer, id)
    await _require_closable(writer, mandate, input)
    if await row(writer, _OPEN, mandate=id):
        raise TransitionNotAllowed(action="propose", current=ClosureStatus.PROPOSED, lawful=[_answer_of(id)])
    office = input.successor.accountable if input.successor else None
    check_version((await _dry_run(writer, mandate, input.valid_to, office))[1], version)
    if caller.client_id is None:
        raise AssertionError(caller)
    closure = MandateClosure(
        mandate=id,
        valid_to=input.valid_to,
        successor=input.successor.model_dump(mode="json") if input.successor else None,
        legal_basis=input.legal_basis,
        reason=input.reason,
        status=ClosureStatus.PROPOSED,
        proposed_by=caller.client_id,
    )
    writer.add(closure)
    await writer.flush()
    said = {**_told(closure.model_dump()), "reason": input.reason}
    await _record(writer, caller, EventKind.MANDATE_CLOSURE_PROPOSED, mandate, said)
    return await show_closure(writer, id, valid_to=None, successor=None)


async def answer_closure(
    writer: Writer, caller: Caller, id: str, version: int, input: ClosureAnswerInput
) -> tuple[dict[str, Any], int]:
    """Confirm or reject the open proposal; confirmed, the row has its end and its successor stands.

    Raises NotFound, TransitionNotAllowed when nothing is proposed, StaleVersion, FourEyes, ValidationFailed.
    """
    mandate = await mandates.show_mandate(writer, id)
    proposal = await row(writer, f"{_OPEN} for update", mandate=id)
    if proposal is None:
        raise TransitionNotAllowed(action=input.answer, current="none", lawful=[_proposal_of(id)])
    shown, current = await _dry_run(writer, mandate, proposal["valid_to"], _office(proposal), proposal=proposal)
    check_version(current, version)
    if ClosureStatus(input.answer) is ClosureStatus.CONFIRMED:
        await operators.require_another(writer, first=proposal["proposed_by"], second=caller.client_id)
        await _close(writer, caller, mandate, proposal)
    else:
        said = {"closure": proposal["id"], "reason": input.reason}
        await _record(writer, caller, EventKind.MANDATE_CLOSURE_REJECTED, mandate, said)
    answered = await one(writer, _ANSWERED, id=proposal["id"], status=input.answer, by=caller.client_id)
    await writer.flush()
    return {**shown, "proposal": _shown(answered)}, current


async def _close(writer: Writer, caller: Caller, mandate: Row, proposal: Row) -> None:
    end = {"valid_to": proposal["valid_to"]}
    won = await compare_and_set(writer, "mandate", {"id": mandate["id"]}, mandate["version"], end)
    await _record(writer, caller, EventKind.MANDATE_CLOSED, mandate, _told(proposal), after=won["version"])
    if proposal["successor"] is not None:
        matter = {name: mandate[name] for name in ("category", "subcategory", "function", "variant", "region_code")}
        dated = {"resolve_at": mandate["resolve_at"], "valid_from": proposal["valid_to"].isoformat()}
        follows = MandateInput.model_validate({**matter, **proposal["successor"], **dated})
        await mandates.create_mandate(writer, caller, follows)


def _may_end(mandate: Row, day: date) -> bool:
    """Whether a row may end on a day: it stood before, and ends no later than it does already."""
    return day > mandate["valid_from"] and (mandate["valid_to"] is None or day < mandate["valid_to"])


async def _require_closable(writer: Writer, mandate: Row, input: ClosureInput) -> None:
    """Refuse an end that the row can't have, and a successor that would not stand; raises ValidationFailed."""
    if not _may_end(mandate, input.valid_to):
        raise records.refused("/valid_to", "period", *_PERIOD)
    await require_instruments(writer, [ref.partition("#")[0] for ref in input.legal_basis], pointer="/legal_basis")
    follows = input.successor
    if follows is None:
        return
    cited = [ref.partition("#")[0] for ref in follows.legal_basis]
    await require_instruments(writer, cited, pointer="/successor/legal_basis")
    if follows.valid_to is not None and follows.valid_to <= input.valid_to:
        raise records.refused("/successor/valid_to", "period", "It must lie after valid_to.", "Harus sesudah valid_to.")
    if await value(writer, "select 1 as taken from mandate where id = :id", id=follows.id):
        raise records.duplicate("/successor/id")
    if await value(writer, _OVERLAPPING, mandate=mandate["id"], starts=input.valid_to, ends=follows.valid_to):
        raise records.refused(
            "/successor",
            "overlap",
            "Another row is in force for the same matter, region and variant in part of its period.",
            "Baris lain berlaku untuk perkara, wilayah, dan varian yang sama pada sebagian masanya.",
        )


# the dry run


async def _dry_run(
    executor: Executor, mandate: Row, valid_to: date, office: str | None, *, proposal: Row | None = None
) -> tuple[dict[str, Any], int]:
    """What closing would bring about, and a number of nine digits at most that another state does not have."""
    groups = await rows(executor, "select * from app.under_mandate(:id)", id=mandate["id"])
    tasks: Counter[tuple[Any, ...]] = Counter()
    referrals: Counter[tuple[Any, ...]] = Counter()
    named = (proposal or {}).get("successor") or {"id": f"{mandate['id']}'"}
    for group, (fate, agency, follows) in zip(
        groups, await _fates(executor, mandate, groups, valid_to, office), strict=True
    ):
        place = (fate, group["agency"], agency, named["id"] if follows == f"{mandate['id']}'" else follows)
        tasks[place] += group["tasks"]
        referrals[place] += group["referrals"]
    references = sorted({reference for group in groups for reference in group["refs"]})
    total = sum(tasks.values()) + sum(referrals.values())
    shown = {
        "mandate": mandate["id"],
        "valid_to": valid_to,
        "tasks": sum(tasks.values()),
        "referrals": sum(referrals.values()),
        "fates": [
            {
                "fate": place[0],
                "from_agency": place[1],
                "to_agency": place[2],
                "to_mandate": place[3],
                "tasks": tasks[place],
                "referrals": referrals[place],
            }
            for place in sorted(tasks, key=str)
        ],
        "references": list(islice(references, NAMED)),
        "references_left_out": max(0, total - min(len(references), NAMED)),
        "proposal": proposal and _shown(proposal),
    }
    digests = [group["digest"] for group in groups]
    state = encode([mandate["version"], valid_to, office, digests, shown["fates"], proposal and proposal["id"]])
    return shown, zlib.crc32(state) % 999_999_999 + 1


async def _fates(
    executor: Executor, mandate: Row, groups: list[Row], valid_to: date, office: str | None
) -> list[tuple[Fate, str | None, str | None]]:
    """What becomes of each group of tasks, to whom they go, and under which row."""
    if mandate["resolve_at"] == Instant.EVENT or not groups:
        return [(Fate.KEPT, group["agency"], mandate["id"]) for group in groups]
    at = succession.midnight(valid_to)
    questions = [_question(mandate, group, at) for group in groups]
    bearing = await law.load_all(executor, questions, function=mandate["function"], offices=[office] if office else [])
    bearing = succession.supposing(bearing, mandate["id"], valid_to=valid_to, successor=office)
    found: list[tuple[Fate, str | None, str | None]] = []
    for group, asked in zip(groups, questions, strict=True):
        answer = competence.resolve(bearing, asked)
        if answer.accountable is None or answer.mandate is None:
            found.append((Fate.MANDATE_ENDED, None, None))
        else:
            fate = Fate.CONTINUED if answer.accountable == group["agency"] else Fate.SUCCEEDED
            found.append((fate, answer.accountable, answer.mandate.id))
    return found


def _question(mandate: Row, group: Row, at: datetime) -> Question:
    happened = datetime.combine(group["event_on"], time(), WIB) if group["event_on"] else at
    matter = {name: mandate[name] for name in ("category", "function")}
    return question({**group, **matter, "event_at": happened}, at=at)


def _office(proposal: Row) -> str | None:
    return (proposal["successor"] or {}).get("accountable")


def _shown(proposal: Row) -> dict[str, Any]:
    members = {name: proposal[name] for name in proposal if name not in {"mandate", "valid_to", "successor"}}
    return {**members, "successor": (proposal["successor"] or {}).get("id")}


def _told(proposal: Row) -> dict[str, Any]:
    return {
        "closure": proposal["id"],
        "valid_to": proposal["valid_to"],
        "legal_basis": proposal["legal_basis"],
        "successor": (proposal["successor"] or {}).get("id"),
    }


async def _record(
    writer: Writer, caller: Caller, kind: EventKind, mandate: Row, said: dict[str, Any], *, after: int | None = None
) -> None:
    version = mandate["version"]
    await log.record(
        writer,
        caller,
        kind,
        on="mandate",
        id=mandate["id"],
        effective_at=datetime.now(UTC),
        versions=(version, after or version),
        payload={name: content for name, content in said.items() if content is not None or name == "successor"},
    )


def _proposal_of(id: str) -> dict[str, Any]:
    href = f"/v1/mandates/{id}/closure"
    return {"action": "propose", "method": "POST", "href": href, "requires": ["valid_to", "reason", "legal_basis"]}


def _answer_of(id: str) -> dict[str, Any]:
    return {
        "action": "respond",
        "method": "POST",
        "href": f"/v1/mandates/{id}/closure/response",
        "requires": ["answer"],
    }
