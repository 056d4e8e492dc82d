"""Regions, enumerations, categories, elections: what everything else refers to."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from app.models.columns import one_of
from app.rules.vocabulary import Classification


class Region(SQLModel, table=True):
    """One administrative area; the Kemendagri code is the tree. Data under ODbL 1.0."""

    __table_args__ = (
        # GET /v1/regions?q= finds by the beginning of a name; ?parent= walks the tree
        Index("ix_region_name", text("lower(name) text_pattern_ops")),
        Index("ix_region_parent_code", "parent_code", "code"),
    )
    code: str = Field(primary_key=True)
    name: str
    level: str
    parent_code: str | None = None
    time_zone: str
    source: str


class Enumeration(SQLModel, table=True):
    """One list of `/v1/reference`."""

    name: str = Field(primary_key=True)
    description_en: str
    section: str


class EnumerationValue(SQLModel, table=True):
    """One value of a list, with its labels."""

    __tablename__ = "enumeration_value"
    enumeration: str = Field(primary_key=True, foreign_key="enumeration.name")
    code: str = Field(primary_key=True)
    position: int
    label_id: str
    label_en: str


class Category(SQLModel, table=True):
    """A category of vulnerability, or a sub-category where `parent_code` is set."""

    __table_args__ = (one_of("default_classification", Classification),)
    code: str = Field(primary_key=True)
    parent_code: str | None = Field(default=None, foreign_key="category.code")
    label_id: str
    label_en: str
    description_en: str
    default_classification: str
    locally_distinctive: bool
    source: str


class Election(SQLModel, table=True):
    """One election; `region_code` empty is the whole country."""

    code: str = Field(primary_key=True)
    kind: str
    name_id: str
    region_code: str | None = Field(default=None, foreign_key="region.code")
    voting_date: date
    source: str
    version: int = 1


class Stage(SQLModel, table=True):
    """A stage (tahapan); both dates inclusive, empty when no source gives them. Stages overlap."""

    election_code: str = Field(primary_key=True, foreign_key="election.code")
    code: str = Field(primary_key=True)
    name_id: str
    name_en: str
    starts_on: date | None = None
    ends_on: date | None = None
    source: str
    verified: bool
    version: int = 1
