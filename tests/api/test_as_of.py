"""Tasks as they stood: the state at an instant is what the facts up to then say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from stories import LETTER, Cast
from support import Agency

from app.rules.vocabulary import Status


@pytest.fixture
def cast(bakesbangpol: Agency, bkpsdm: Agency) -> Cast:
    return Cast(logger=bakesbangpol, owner=bkpsdm)


def now() -> str:
    return datetime.now(UTC).isoformat()


async def stood(agency: Agency, task_id: str, at: str) -> dict[str, Any]:
    """The task as it stood at an instant."""
    answer = await agency.get(f"/v1/tasks/{task_id}", params={"as_of": at})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_first(cast: Cast) -> None:
    task = await cast.bring(Status.RESOLVED)
    shown = await cast.logger.read(task["id"])
    past = await stood(cast.logger, task["id"], now())
    assert past == {**shown, "available_transitions": []}
