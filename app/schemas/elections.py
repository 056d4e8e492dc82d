"""Elections and their stages on the wire."""

from __future__ import annotations

from datetime import date

from pydantic import Field, StrictBool

from app.schemas.types import (
    Code,
    Command,
    Day,
    ElectionCode,
    Line,
    RegionCode,
    Shown,
    Source,
    absent,
)


class ElectionInput(Command):
    """An election; without a region it is national."""

    code: ElectionCode
    kind: Code
    name_id: Line
    region_code: RegionCode | None = None
    voting_date: Day
    source: Source = "unverified"


class ElectionPatch(Command):
    """Changes of an election (JSON merge patch)."""

    name_id: Line = absent()
    voting_date: Day = absent()
    source: Source = absent()


class Election(Shown):
    """An election."""

    code: str
    kind: str
    name_id: str
    region_code: str | None
    voting_date: date
    source: str
    version: int


class ElectionPage(Shown):
    """A page of elections, by code."""

    items: list[Election]
    next_cursor: str | None


class StageInput(Command):
    """A stage; both dates inclusive. Stages overlap."""

    code: Code
    name_id: Line
    name_en: Line | None = None
    starts_on: Day | None = None
    ends_on: Day | None = None
    source: Source = "unverified"
    verified: bool = Field(default=False, strict=True)


class StagePatch(Command):
    """Changes of a stage (JSON merge patch)."""

    name_id: Line = absent()
    name_en: Line = absent()
    starts_on: Day | None = None
    ends_on: Day | None = None
    source: Source = absent()
    verified: StrictBool = absent()


class Stage(Shown):
    """A stage (tahapan) of an election; both dates inclusive, null when no source gives them."""

    election: str
    code: str
    name_id: str
    name_en: str
    starts_on: date | None
    ends_on: date | None
    source: str
    verified: bool
    version: int


class StageList(Shown):
    """The stages of an election, by their start; a date may lie in several."""

    items: list[Stage]
