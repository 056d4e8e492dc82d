"""Agencies on the wire."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool

from app.rules.vocabulary import Level, Tier
from app.schemas.types import (
    AgencyCode,
    Code,
    Command,
    Day,
    Line,
    RegionCode,
    Shown,
    Source,
    absent,
    distinct,
)

Regions = Annotated[list[RegionCode], AfterValidator(distinct), Field(max_length=600)]


OfficeCode = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,63}$", max_length=64, examples=["KPU"])]


class AgencyInput(Command):
    """An agency to add: it holds `office` at `tier` for its `regions`."""

    code: AgencyCode
    office: OfficeCode
    tier: Tier
    name_id: Line
    name_en: Line | None = None
    type: Code
    level: Level
    region_code: RegionCode | None = None
    regions: Regions = Field(
        [], description="What it covers; default its seat, `region_code`. None: the whole country."
    )
    coordinator: bool = Field(default=False, strict=True, description="True for KPU and Bawaslu of a regency or city.")
    command_parent: AgencyCode | None = None
    functional_parent: AgencyCode | None = None
    valid_from: Day | None = None
    valid_to: Day | None = Field(None, description="Exclusive.")
    source: Source = "unverified"
    verified: bool = Field(default=False, strict=True)


class AgencyPatch(Command):
    """Changes of an agency (JSON merge patch)."""

    name_id: Line = absent()
    name_en: Line = absent()
    regions: Regions = absent()
    coordinator: StrictBool = absent()
    command_parent: AgencyCode | None = None
    functional_parent: AgencyCode | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None
    source: Source = absent()
    verified: StrictBool = absent()


class Agency(Shown):
    """An agency; `members` are those of a joint centre or forum, whose clients act for it."""

    code: str
    office: str
    tier: Tier
    name_id: str
    name_en: str
    type: str
    level: Level
    region_code: str | None
    regions: list[str]
    coordinator: bool
    command_parent: str | None
    functional_parent: str | None
    valid_from: date | None
    valid_to: date | None
    source: str
    verified: bool
    suspended: bool
    members: list[str]
    version: int


class AgencyPage(Shown):
    """A page of agencies, by code."""

    items: list[Agency]
    next_cursor: str | None
