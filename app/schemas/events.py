"""Events of the log on the wire: CloudEvents 1.0."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from app.rules.facts import NAMED, EventKind
from app.rules.vocabulary import Classification
from app.schemas.types import Shown, split


class EventData(Shown):
    """What an event says. A webhook sends only the first four members of a matter that is not `terbuka`."""

    object_type: str = Field(description="What kind of record the fact is about.")
    object_id: str
    task: UUID | None = Field(description="The task it belongs to.")
    request_id: str
    classification: Classification | None = Field(None, description="The class of the matter as it is now.")
    agency: str | None = Field(None, description="Whose client brought it about; null: the platform itself.")
    concerns: str | None = Field(None, description="The agency it is about where that is another one.")
    client: UUID | None = None
    acting_user: str | None = Field(
        None, description="Null also where the person was erased, and in registry events of another agency."
    )
    version_before: int | None = None
    version_after: int | None = None
    facts: dict[str, Any] | None = Field(
        None,
        description="By kind: the `facts` in the body of the webhook of that name in this document; what people wrote"
        " is null where it was erased.",
    )


class Event(Shown):
    """An entry of the log as its listeners get it (CloudEvents 1.0, structured)."""

    specversion: Literal["1.0"]
    id: UUID = Field(description="The same whenever and however this event reaches you.")
    source: str = Field(description="The issuer, as in tokens and heads.")
    type: EventKind
    subject: str = Field(examples=["tasks/0193f2a4-7c1e-7b52-9d0a-3f6c1e8b2d47"])
    time: datetime = Field(description="When it happened (effective_at).")
    recordedtime: datetime = Field(description="When the service learned of it.")
    logindex: int = Field(ge=1, description="Its place in the log, from 1, without gaps; you hear of some.")
    datacontenttype: Literal["application/json"]
    dataschema: str = Field(examples=["/events/task.logged"])
    data: EventData


class Ping(Shown):
    """What tries a receiver: an envelope that is no event, with no place in the log."""

    specversion: Literal["1.0"]
    id: UUID = Field(description="That of the delivery.")
    source: str = Field(description="The issuer, as in tokens and heads.")
    type: Literal["ping"]
    subject: str = Field(examples=["webhooks/0193f2a4-7c1e-7b52-9d0a-3f6c1e8b2d47"])
    time: datetime = Field(description="When it was asked for.")
    datacontenttype: Literal["application/json"]
    data: dict[str, Any] = Field(description="Nothing.")


class EventList(Shown):
    """What there is to hear after a place in the log; perhaps nothing although more comes: ask on after `after`."""

    items: list[Event]
    after: int = Field(description="The last place looked at: where to go on.")
    head: str | None = Field(description="The newest signed head of the log (JWS), which you may keep and check.")


def _known(names: list[str]) -> list[str]:
    """Refuse what is neither a kind nor a family of kinds."""
    if not NAMED.keys() >= set(names):
        raise PydanticCustomError(
            "unknown_type",
            "{en}",
            {
                "en": "There is no such kind of event; `/events` lists them, `task.*` is a family.",
                "id": "Tidak ada jenis peristiwa itu; `/events` memuat semuanya, `task.*` sekeluarga.",
            },
        )
    return names


EventTypes = Annotated[list[str], BeforeValidator(split), AfterValidator(_known), Field(max_length=100)]


class EventQuery(BaseModel):
    """Where to go on, and what to hear of."""

    model_config = ConfigDict(extra="forbid")

    after: int = Field(
        0,
        ge=0,
        le=10_000_000_000,
        description="The place in the log after which to go on, not beyond its end; 0 is the beginning.",
    )
    types: EventTypes | None = Field(None, description="Kinds, or families of kinds like `task.*`; comma is any of.")
    limit: int = Field(50, ge=1, le=200, description="Events on a page; a stream has no pages.")
