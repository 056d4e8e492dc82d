"""Agencies on the wire."""

from __future__ import annotations

import unicodedata
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool
from pydantic_core import PydanticCustomError

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


def _latin(name: str) -> str:
    """Refuse a name with a letter or digit that only looks like one of ours."""
    if any(one.isalnum() and not (one.isascii() or unicodedata.name(one, "").startswith("LATIN ")) for one in name):
        raise PydanticCustomError(
            "script",
            "{en}",
            {"en": "Write the name in Latin letters only.", "id": "Tulis nama dengan huruf Latin saja."},
        )
    return name


Name = Annotated[Line, AfterValidator(_latin)]
Regions = Annotated[list[RegionCode], AfterValidator(distinct), Field(max_length=600)]


OfficeCode = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,63}$", max_length=64, examples=["KPU"])]


class AgencyInput(Command):
    """An agency to add: it holds `office` at `tier` for its `regions`."""

    code: AgencyCode
    office: OfficeCode
    tier: Tier
    name_id: Name
    name_en: Name | None = None
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

    name_id: Name = absent()
    name_en: Name = absent()
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
