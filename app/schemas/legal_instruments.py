"""Legal instruments on the wire."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool

from app.schemas.types import (
    Code,
    Command,
    Day,
    InstrumentId,
    Shown,
    Title,
    Url,
    absent,
    distinct,
)


class LegalInstrumentInput(Command):
    """A law, regulation, ruling or circular."""

    id: InstrumentId
    kind: Code
    number: Annotated[str, Field(max_length=100)] = ""
    year: int | None = Field(None, strict=True, ge=1900, le=2100)
    title_id: Title
    in_force_from: Day | None = None
    in_force_to: Day | None = None
    amends: Annotated[list[InstrumentId], AfterValidator(distinct), Field(max_length=20)] = []
    url: Url | None = None
    verified: bool = Field(default=False, strict=True)


class LegalInstrumentPatch(Command):
    """Changes of a legal instrument (JSON merge patch)."""

    number: Annotated[str, Field(max_length=100)] = absent()
    title_id: Title = absent()
    in_force_from: Day | None = None
    in_force_to: Day | None = None
    url: Url | None = None
    verified: StrictBool = absent()


class LegalInstrument(Shown):
    """A legal instrument and the half-open period in which it is in force (null: unknown or open)."""

    id: str
    kind: str
    number: str
    year: int | None
    title_id: str
    in_force_from: date | None
    in_force_to: date | None
    amends: list[str]
    url: str | None
    verified: bool
    version: int


class LegalInstrumentPage(Shown):
    """A page of legal instruments, by id."""

    items: list[LegalInstrument]
    next_cursor: str | None
