"""Answers: JSON bytes made once, with the ETag, the Link and the preferences that go with them."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request, Response

from app.db import digest, encode
from app.services.feed import Heard
from app.services.paging import Page

_JSON: Final = "application/json"
_READ: Final = "private, no-cache"


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
    if "return=minimal" in request.headers.get("prefer", "").replace(" ", "").lower().split(","):
        headers["Preference-Applied"] = "return=minimal"
        return Response(status_code=status if status == 201 else 204, headers=headers)
    return Response(body, status, headers, _JSON)


def etag(version: int, body: bytes) -> str:
    """Version, which If-Match compares, and a digest, which tells caches of what the version does not count."""
    return f'"{version}-{digest(body)}"'
