"""The stories as data, and the questions that they ask of the law."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from scenarios.world import World
from support import Agency

Json = dict[str, Any]

STORIES: Final[list[Json]] = json.loads(Path(__file__).with_name("scenarios.json").read_text())["scenarios"]
_MATTER: Final = ("category", "subcategory", "function", "variant", "subject_kind", "event_at")
_INSTANTS: Final = ("created_at", "referred_at")
_LOGGERS: Final = ("KPU_KOTA_MALANG", "BAWASLU_KOTA_MALANG")


def expectations(story: Json, kind: str) -> Iterator[Json]:
    """What the story expects of one type."""
    return (then["expect"] for then in story["then"] if then.get("expect", {}).get("type") == kind)


def owner_of(story: Json) -> Json:
    """The first owner the story names: the matter it is about."""
    return next(expectations(story, "owner"))


def said(story: Json, name: str) -> Any:
    """A datum of the story's given or when."""
    return next(part["data"][name] for part in (*story["given"], *story["when"]) if name in part.get("data", {}))


def matter(query: Json) -> Json:
    """The members of a task that a query gives."""
    assert query.keys() <= {*_MATTER, *_INSTANTS, "region_code"}, f"unknown members in {query}"
    return {"region": query["region_code"], **{name: query[name] for name in _MATTER if name in query}}


def instant(query: Json) -> str:
    """When the task of a query was created or referred."""
    return str(next(query[name] for name in _INSTANTS if name in query))


def moment(text: str) -> datetime:
    """An RFC 3339 instant, to be compared whatever its offset."""
    return datetime.fromisoformat(text)


async def resolution(world: World, query: Json) -> Json:
    """The law's answer to a query."""
    asker = await world.agency("BAKESBANGPOL_KOTA_MALANG")
    answer = await asker.get("/v1/mandates/resolution", params={**matter(query), "at": instant(query)})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def somebody(world: World, *besides: str) -> Agency:
    """An agency that logs what is none of its own business."""
    return await world.agency(next(code for code in _LOGGERS if code not in besides))


async def owned(world: World, expect: Json, **more: Any) -> tuple[Agency, Json]:
    """Somebody logs the matter and its owner accepts; returns the logger and the task as the logger sees it."""
    logger = await somebody(world, expect["accountable"])
    at = instant(expect["query"])
    task = await logger.log(**matter(expect["query"]), effective_at=at, **more)
    return logger, await world.accept(logger, task, effective_at=at)


async def started(world: World, expect: Json) -> tuple[Agency, Agency, Json]:
    """The same, and the owner has begun; returns logger, owner and the task as the owner sees it."""
    logger, task = await owned(world, expect)
    owner = await world.agency(expect["accountable"])
    moved = await owner.move(task["id"], "start", effective_at=instant(expect["query"]))
    assert moved.status_code == 200, moved.text
    return logger, owner, moved.json()
