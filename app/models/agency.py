"""Agencies: who holds which office, where and when."""

from __future__ import annotations

from datetime import date

from sqlmodel import Field, SQLModel

from app.models.columns import texts


class AgencyType(SQLModel, table=True):
    """A kind of agency; a forum may never be accountable."""

    __tablename__ = "agency_type"
    code: str = Field(primary_key=True)
    label_id: str
    label_en: str
    levels: list[str] = texts()
    may_be_accountable: bool
    notes: str


class Agency(SQLModel, table=True):
    """One agency: it holds `office` at `tier` for its regions (none: the whole country), valid half-open."""

    code: str = Field(primary_key=True)
    office: str
    tier: str
    name_id: str
    name_en: str
    type: str = Field(foreign_key="agency_type.code")
    level: str
    region_code: str | None = Field(default=None, foreign_key="region.code")
    regions: list[str] = texts()
    coordinator: bool = False
    command_parent: str | None = Field(default=None, foreign_key="agency.code")
    functional_parent: str | None = Field(default=None, foreign_key="agency.code")
    valid_from: date | None = None
    valid_to: date | None = None
    source: str
    verified: bool
    suspended: bool = False
    epoch: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    version: int = 1


class AgencyRegion(SQLModel, table=True):
    """One region an agency covers, empty for the whole country.

    An exclusion constraint of the migration allows an office one holder for a region at an instant; its index tells
    every resolution who that is.
    """

    __tablename__ = "agency_region"
    agency: str = Field(primary_key=True, foreign_key="agency.code")
    region_code: str = Field(primary_key=True)
    office: str
    tier: str
    valid_from: date | None = None
    valid_to: date | None = None


class Member(SQLModel, table=True):
    """A member of a joint centre or forum; its clients act for the body."""

    body: str = Field(primary_key=True, foreign_key="agency.code")
    # for whom may this agency act? asked with every token
    agency: str = Field(primary_key=True, foreign_key="agency.code", index=True)
    role: str
    source: str
    verified: bool
