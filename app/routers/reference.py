"""Reference lists over HTTP."""

from __future__ import annotations

from fastapi import Request, Response

from app import answers
from app.deps import Reader
from app.errors import NotFound
from app.guard import guarded, needs
from app.rules.policy import Permission as P
from app.schemas.registry import ReferenceIndex, ReferenceList
from app.schemas.types import Code
from app.services import registry

router = guarded(prefix="/v1/reference", tags=["registry"])


@router.get(
    "",
    operation_id="listReferences",
    summary="List the reference lists",
    response_model=ReferenceIndex,
    dependencies=[needs(P.REGISTRY_READ)],
)
async def list_references(request: Request, reader: Reader) -> Response:
    """Which enumerations and lists there are."""
    return answers.read(request, await registry.list_references(reader))


@router.get(
    "/{list}",
    operation_id="showReference",
    summary="Show a reference list",
    response_model=ReferenceList,
    dependencies=[needs(P.REGISTRY_READ, NotFound)],
)
async def show_reference(request: Request, reader: Reader, list: Code) -> Response:
    """The values of a list with labels in Indonesian and English; `version` changes when the list does."""
    return answers.read(request, await registry.show_reference(reader, list))
