"""Elections and their stages over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from app import answers
from app.deps import Caller, IfMatch, Keys, Page, Reader, Writer
from app.errors import CursorMismatch, NotFound, PreconditionRequired, StaleVersion
from app.guard import guarded, needs
from app.rules.policy import Permission as P
from app.schemas.elections import (
    Election,
    ElectionInput,
    ElectionPage,
    ElectionPatch,
    Stage,
    StageInput,
    StageList,
    StagePatch,
)
from app.schemas.types import Code, Day, ElectionCode, RegionCode
from app.services import elections

router = guarded(prefix="/v1/elections", tags=["registry"])


@router.get(
    "",
    operation_id="listElections",
    summary="List elections",
    response_model=ElectionPage,
    dependencies=[needs(P.REGISTRY_READ, CursorMismatch)],
)
async def list_elections(
    request: Request,
    reader: Reader,
    caller: Caller,
    keys: Keys,
    page: Page,
    kind: Code | None = None,
    region: Annotated[RegionCode | None, Query(description="Elections of this region and those above it.")] = None,
) -> Response:
    """Elections, each with its own stages."""
    found = await elections.list_elections(
        reader, caller, keys, limit=page.limit, cursor=page.cursor, kind=kind, region=region
    )
    return answers.page(request, found)


@router.post(
    "",
    operation_id="createElection",
    summary="Add an election",
    status_code=201,
    response_model=Election,
    dependencies=[needs(P.REGISTRY_WRITE)],
)
async def create_election(
    request: Request,
    writer: Writer,
    caller: Caller,
    input: ElectionInput,
) -> Response:
    """Add an election."""
    found = await elections.create_election(writer, caller, input)
    return answers.written(request, found, status=201, location=f"/v1/elections/{found['code']}")


@router.get(
    "/{code}",
    operation_id="showElection",
    summary="Show an election",
    response_model=Election,
    dependencies=[needs(P.REGISTRY_READ, NotFound)],
)
async def show_election(request: Request, reader: Reader, code: ElectionCode) -> Response:
    """An election."""
    return answers.read(request, await elections.show_election(reader, code))


@router.patch(
    "/{code}",
    operation_id="updateElection",
    summary="Change an election",
    response_model=Election,
    dependencies=[needs(P.REGISTRY_WRITE, NotFound, PreconditionRequired, StaleVersion)],
)
async def update_election(
    request: Request, writer: Writer, caller: Caller, code: ElectionCode, version: IfMatch, patch: ElectionPatch
) -> Response:
    """A merge patch: name, voting date, source."""
    return answers.written(request, await elections.update_election(writer, caller, code, version, patch))


@router.get(
    "/{code}/stages",
    operation_id="listStages",
    summary="List the stages of an election",
    response_model=StageList,
    dependencies=[needs(P.REGISTRY_READ, NotFound)],
)
async def list_stages(
    reader: Reader,
    code: ElectionCode,
    on: Annotated[Day | None, Query(description="The stages in which this day lies.")] = None,
) -> Response:
    """Stages (tahapan), both dates inclusive. They overlap: a day may lie in several."""
    return answers.items(await elections.list_stages(reader, code, on=on))


@router.post(
    "/{code}/stages",
    operation_id="createStage",
    summary="Add a stage",
    status_code=201,
    response_model=Stage,
    dependencies=[needs(P.REGISTRY_WRITE, NotFound)],
)
async def create_stage(
    request: Request,
    writer: Writer,
    caller: Caller,
    code: ElectionCode,
    input: StageInput,
) -> Response:
    """Add a stage to an election."""
    found = await elections.create_stage(writer, caller, code, input)
    return answers.written(request, found, status=201, location=f"/v1/elections/{code}/stages/{found['code']}")


@router.get(
    "/{code}/stages/{stage}",
    operation_id="showStage",
    summary="Show a stage",
    response_model=Stage,
    dependencies=[needs(P.REGISTRY_READ, NotFound)],
)
async def show_stage(request: Request, reader: Reader, code: ElectionCode, stage: Code) -> Response:
    """A stage of an election."""
    return answers.read(request, await elections.show_stage(reader, code, stage))


@router.patch(
    "/{code}/stages/{stage}",
    operation_id="updateStage",
    summary="Change a stage",
    response_model=Stage,
    dependencies=[needs(P.REGISTRY_WRITE, NotFound, PreconditionRequired, StaleVersion)],
)
async def update_stage(
    request: Request,
    writer: Writer,
    caller: Caller,
    code: ElectionCode,
    stage: Code,
    version: IfMatch,
    patch: StagePatch,
) -> Response:
    """A merge patch: names, dates, source."""
    return answers.written(request, await elections.update_stage(writer, caller, code, stage, version, patch))
