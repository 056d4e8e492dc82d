"""Events over HTTP: a page of the log, or a stream of it."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Header, Query, Request, Response

from app import answers, streams
from app.deps import Caller, Keys, Reader
from app.errors import NotAcceptable
from app.guard import guarded, needs
from app.rules.policy import Permission as P
from app.schemas.events import EventList, EventQuery, kinds
from app.services import feed

router = guarded(prefix="/v1/events", tags=["events"])

_STREAM: Final = "event: task.logged\ndata: {...}\nid: 7\n\n: heartbeat\nid: 9\n\n"


@router.get(
    "",
    operation_id="listEvents",
    summary="Hear of changes",
    response_model=EventList,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}, "example": _STREAM}}}},
    dependencies=[needs(P.EVENT_READ, NotAcceptable)],
)
async def list_events(
    request: Request,
    reader: Reader,
    caller: Caller,
    keys: Keys,
    query: Annotated[EventQuery, Query()],
    last_event_id: Annotated[
        int | None, Header(ge=0, le=10_000_000_000, description="Of a stream: where to go on; wins over `after`.")
    ] = None,
) -> Response:
    """What changed after a place in the log, of all that concerns you, in the one order of the log.

    With `Accept: text/event-stream` the same as Server-Sent Events, as it comes: `id` is the place in the log, `event`
    the kind, `data` the envelope. Comments say that the stream lives, with an `id` that moves on; `log.head` brings the
    newest signed head. The stream ends with its token: come back with `Last-Event-ID`.
    """
    types = kinds(query.types)
    if streams.wanted(request):
        after = query.after if last_event_id is None else last_event_id
        return streams.EventStream(request, after=after, types=types)
    return answers.heard(await feed.read(reader, caller, keys, after=query.after, types=types, limit=query.limit))
