"""Events over HTTP: a page of the log, or a stream of it."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Header, Query, Request, Response

from app import answers, streams
from app.deps import Caller, Keys, Reader
from app.errors import NotAcceptable
from app.guard import guarded, needs
from app.lagging import may_lag
from app.rules.facts import kinds
from app.rules.policy import Permission as P
from app.schemas.events import EventList, EventQuery
from app.services import feed

router = guarded(prefix="/v1/events", tags=["events"])

_STREAM: Final = (
    'retry: 3000\n\nevent: task.logged\ndata: {"specversion":"1.0",...}\nid: 7\n\n'
    ': heartbeat\nid: 9\n\nevent: log.head\ndata: {"head":"eyJ..."}\n\n'
)


@router.get(
    "",
    operation_id="listEvents",
    summary="Hear of changes",
    response_model=EventList,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}, "example": _STREAM}}}},
    dependencies=[needs(P.EVENT_READ, NotAcceptable), may_lag()],
)
async def list_events(
    request: Request,
    reader: Reader,
    caller: Caller,
    keys: Keys,
    query: Annotated[EventQuery, Query()],
    last_event_id: Annotated[
        int | None,
        Header(ge=0, le=10_000_000_000, description="Of a stream: the place after which to go on; wins over `after`."),
    ] = None,
) -> Response:
    """What changed after a place in the log, of all that concerns you, in the one order of the log.

    Keep what a page brought together with its `after`, and ask on after that: nothing is lost and nothing comes twice.
    A page whose `after` is the one that you sent is the last for now. A place beyond the end of the log is refused: it
    is of another log. Refused too is a place after which facts were retired with their year. Both are 400
    `invalid-parameter`; the second has the code `retired` in `errors` and, as a number, `retired_until`: read up to
    there in an export of the log, and send it as `after`.

    With `Accept: text/event-stream` the same as Server-Sent Events, as it comes: `id` is the place in the log, `event`
    the kind, `data` the envelope. Comments say that the stream lives, every 15 seconds unless the service is set
    otherwise, with an `id` that moves on; `log.head`, without an `id`, brings the newest signed head as `{"head"}`.
    The stream ends with its token: come back with `Last-Event-ID`. A client has 50 streams at once (429).
    """
    types = kinds(query.types)
    if streams.wanted(request):
        after = query.after if last_event_id is None else last_event_id
        await feed.require_place(reader, after)
        return streams.EventStream(request, after=after, types=types)
    return answers.heard(await feed.read(reader, caller, keys, feed.Part(query.after, types, query.limit)))
