"""The registry on the wire: regions, reference lists, agencies, instruments, mandates, elections."""

from __future__ import annotations

from typing import Any

from app.schemas.types import (
    Shown,
)


class Region(Shown):
    """An administrative area. Contains information from idn-area-data, made available under the ODbL 1.0."""

    code: str
    name: str
    level: str
    parent: str | None
    time_zone: str
    source: str


class RegionPage(Shown):
    """A page of regions, by code."""

    items: list[Region]
    next_cursor: str | None


class ReferenceList(Shown):
    """One list of `/v1/reference`: its values with labels in Indonesian and English, and whatever else they carry."""

    values: list[dict[str, Any]]
    list: str
    description_en: str
    version: str


class ReferenceName(Shown):
    """One list, and where it is."""

    list: str
    description_en: str
    href: str


class ReferenceIndex(Shown):
    """The lists there are."""

    items: list[ReferenceName]
