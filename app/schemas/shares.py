"""Shares on the wire."""

from __future__ import annotations

from datetime import datetime

from app.rules.vocabulary import Access
from app.schemas.types import AgencyCode, Command, Shown, distinct


class ShareInput(Command):
    """An agency to which a task is shown from the start."""

    agency: AgencyCode
    level: Access


def one_each(shares: list[ShareInput]) -> list[ShareInput]:
    """Refuse a list that names one agency twice."""
    distinct([share.agency for share in shares])
    return shares


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
