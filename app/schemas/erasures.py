"""Erasures on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.schemas.types import AgencyCode, Command, Prose, Shown


class ErasureInput(Command):
    """Whose name is erased. The reason stands in the log: name nobody in it."""

    acting_user: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,100}$", max_length=100)] = Field(
        description="The staff id as it was sent in `Acting-User`."
    )
    agency: AgencyCode | None = Field(
        None, description="For whom the person acted; default your own, for an operator the operators."
    )
    reason: Prose


class Erasure(Shown):
    """A name that is gone: `id` is that of the key that was destroyed."""

    id: UUID
    agency: str | None
    erased_at: datetime
