"""Shares on the wire."""

from __future__ import annotations

from datetime import datetime

from app.rules.vocabulary import Access
from app.schemas.types import (
    AgencyCode,
    Command,
    Shown,
)


class ShareInput(Command):
    """An agency to which a task is shown from the start."""

    agency: AgencyCode
    level: Access


class ShareLevel(Command):
    """How much an agency is shown."""

    level: Access


class Share(Shown):
    """An agency to which a task is shown."""

    agency: str
    level: Access
    shared_by: str
    recorded_at: datetime


class ShareList(Shown):
    """The agencies to which a task is shown."""

    items: list[Share]
