"""Which of the forms that there are a caller likes best (RFC 9110 section 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fastapi import Request

from app.errors import NotAcceptable

JSON: Final = "application/json"


def chosen(request: Request, offered: Sequence[str]) -> str:
    """The media type that Accept weighs most, of equals the first that is offered; raises NotAcceptable."""
    wishes = weights(request)
    weighed = {one: _weight(wishes, one) for one in offered}
    best = max(offered, key=weighed.__getitem__)
    if not weighed[best]:
        raise NotAcceptable(available=", ".join(offered))
    return best


def weights(request: Request) -> dict[str, float]:
    """What Accept says of each media type and range, in lower case; without it, all are welcome."""
    given = ",".join(request.headers.getlist("accept")) or "*/*"
    return dict(_weighed(one) for one in given.lower().split(","))


def _weight(wishes: dict[str, float], offered: str) -> float:
    """The weight of the most specific range."""
    ranges = (offered, f"{offered.partition('/')[0]}/*", "*/*")
    return next((wishes[one] for one in ranges if one in wishes), 0.0)


def _weighed(one: str) -> tuple[str, float]:
    name, *parameters = (part.strip() for part in one.split(";"))
    weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    try:
        return name, float(weight)
    except ValueError:
        return name, 0.0
