"""Answers: JSON bytes made once, with the ETag, the Link and the preferences that go with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from fastapi import Request, Response

from app.db import encode
from app.errors import Problem
from app.problems import language_of
from app.services.batch import Result
from app.services.feed import Heard
from app.services.paging import Page
from app.services.versions import digest

_JSON: Final = "application/json"
_READ: Final = "private, no-cache"
_MINIMUM: Final = "return=minimal"


def read(request: Request, content: dict[str, Any], *, version: int | None = None) -> Response:
    """A single record, with its ETag; 304 when the caller has it already."""
    body = encode(content)
    tag = etag(version if version is not None else content.get("version", 1), body)
    headers = {"ETag": tag, "Cache-Control": _READ}
    if tag in [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=_JSON, headers=headers)


def page(request: Request, found: Page) -> Response:
    """A page of a list, with a Link to the next one (RFC 8288)."""
    headers = {"Cache-Control": _READ}
    if found.next_cursor is not None:
        following = request.url.include_query_params(cursor=found.next_cursor)
        headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return Response(found.body, media_type=_JSON, headers=headers)


def items(found: list[Any]) -> Response:
    """A whole list."""
    return Response(encode({"items": found}), media_type=_JSON, headers={"Cache-Control": _READ})


def counted(found: dict[str, Any]) -> Response:
    """What was counted: true at one instant only, so no version of it is worth keeping."""
    return Response(encode(found), media_type=_JSON, headers={"Cache-Control": _READ})


def heard(found: Heard) -> Response:
    """What was heard of the log."""
    return Response(encode(found._asdict()), media_type=_JSON, headers={"Cache-Control": _READ})


def written(
    request: Request,
    content: dict[str, Any],
    *,
    status: int = 200,
    location: str | None = None,
    version: int | None = None,
) -> Response:
    """The new representation after a write, with its ETag; none when the caller prefers the minimum (RFC 7240)."""
    body = encode(content)
    headers = {"ETag": etag(version if version is not None else content.get("version", 1), body)}
    if location is not None:
        headers["Location"] = location
    if _wants_minimum(request):
        headers["Preference-Applied"] = _MINIMUM
        return Response(status_code=status if status == 201 else 204, headers=headers)
    return Response(body, status, headers, _JSON)


def reported(request: Request, found: Sequence[Result], *, status: int) -> Response:
    """What became of many operations, each with the answer it would have had alone."""
    minimal = _wants_minimum(request)
    results = [_result(request, place, one, minimal=minimal) for place, one in enumerate(found)]
    headers = {"Preference-Applied": _MINIMUM} if minimal else {}
    return Response(encode({"results": results}), status, headers, _JSON)


def _result(request: Request, place: int, found: Result, *, minimal: bool) -> dict[str, Any]:
    if isinstance(found, Problem):
        problem = found.document(
            language=language_of(request),
            instance=f"{request.scope['path']}#/operations/{place}",
            request_id=request.state.request_id,
        )
        none = dict.fromkeys(("etag", "location", "result"))
        return {"operation": place, "status": found.status, **none, "problem": problem}
    return {
        "operation": place,
        "status": found.status,
        "etag": etag(found.version, encode(found.content) if found.content else b""),
        "location": found.location,
        "result": None if minimal else found.content,
        "problem": None,
    }


def _wants_minimum(request: Request) -> bool:
    return _MINIMUM in request.headers.get("prefer", "").replace(" ", "").lower().split(",")


def etag(version: int, body: bytes) -> str:
    """Version, which If-Match compares, and a digest, which tells caches of what the version does not count."""
    return f'"{version}-{digest(body)}"'
