"""What a handler may ask for: Reader, Writer, Caller, Keys, Page, IfMatch.

All of them are coroutines, though they wait for nothing: the framework runs plain functions in a thread each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Query

from app import db, security
from app.provided import Provided
from app.rules import caller as asking
from app.services.versions import version_of


async def _if_match(
    if_match: Annotated[
        str | None, Header(description="The ETag last read; required (428 without, 412 when outdated).")
    ] = None,
) -> int:
    return version_of(if_match)


@dataclass(frozen=True, slots=True)
class PageAsked:
    """How long a page and after which place."""

    limit: int
    cursor: str | None


async def _page(
    limit: Annotated[int, Query(ge=1, le=200, description="Items on a page.")] = 50,
    cursor: Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before.")] = None,
) -> PageAsked:
    return PageAsked(limit, cursor)


Reader = Annotated[db.Reader, Depends(Provided(lambda request: request.state.reader))]
Writer = Annotated[db.Writer, Depends(Provided(lambda request: request.state.writer))]
Caller = Annotated[asking.Caller, Depends(Provided(lambda request: request.state.caller))]
Keys = Annotated[security.Keys, Depends(Provided(lambda request: request.app.state.keys))]
IfMatch = Annotated[int, Depends(_if_match)]
Page = Annotated[PageAsked, Depends(_page)]
