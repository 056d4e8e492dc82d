"""Regions over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query, Request, Response

from app import answers
from app.deps import Caller, Keys, Page, Reader
from app.errors import CursorMismatch, NotFound
from app.guard import guarded, needs
from app.rules.policy import Permission as P
from app.schemas.registry import Region, RegionPage
from app.schemas.types import Line, RegionCode
from app.services import registry

router = guarded(prefix="/v1/regions", tags=["registry"])


@router.get(
    "",
    operation_id="listRegions",
    summary="List regions",
    response_model=RegionPage,
    dependencies=[needs(P.REGISTRY_READ, CursorMismatch)],
)
async def list_regions(
    request: Request,
    reader: Reader,
    caller: Caller,
    keys: Keys,
    page: Page,
    parent: Annotated[RegionCode | None, Query(description="The regions right below this one.")] = None,
    level: Literal["province", "regency", "city", "district", "village"] | None = None,
    q: Annotated[
        Line | None,
        Query(description="Names that begin so, with or without `Kabupaten`, `Kota` or `Kota Administrasi`."),
    ] = None,
) -> Response:
    """All 91,599 regions of Indonesia by Kemendagri code; the code is the tree.

    Contains information from idn-area-data, which is made available under the Open Database License (ODbL) 1.0.
    """
    found = await registry.list_regions(
        reader, caller, keys, limit=page.limit, cursor=page.cursor, parent=parent, level=level, q=q
    )
    return answers.page(request, found)


@router.get(
    "/{code}",
    operation_id="showRegion",
    summary="Show a region",
    response_model=Region,
    dependencies=[needs(P.REGISTRY_READ, NotFound)],
)
async def show_region(request: Request, reader: Reader, code: RegionCode) -> Response:
    """A region with its time zone."""
    return answers.read(request, await registry.show_region(reader, code))
