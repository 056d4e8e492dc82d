"""Dependencies that nobody solves: what a route says of itself, and what the guard hands to its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request
from fastapi.dependencies.models import Dependant


class Mark:
    """What a route says of itself among its dependencies: the guard reads it and takes it out, so no request pays."""

    async def __call__(self) -> None:
        """Nothing: nobody calls it."""


class Provided:
    """A dependency that only takes something from the request; where `hand_out` sees it, nobody solves it."""

    def __init__(self, take: Callable[[Request], Any]) -> None:
        self.take = take

    async def __call__(self, request: Request) -> Any:
        """What it takes, where the framework solves it."""
        return self.take(request)


def hand_out(dependant: Dependant) -> None:
    """Let a handler be called with what is provided, and the framework solve only what is left.

    Each dependency that the framework solves costs a request as much as a statement to the database.
    """
    taken = {str(one.name): one.call.take for one in dependant.dependencies if isinstance(one.call, Provided)}
    endpoint, asks = dependant.call, dependant.request_param_name
    if not taken or endpoint is None:
        return
    name = asks or "request"
    call: Callable[..., Awaitable[Any]] = endpoint

    async def handed(**values: Any) -> Any:
        request = values[name] if asks else values.pop(name)
        return await call(**values, **{parameter: take(request) for parameter, take in taken.items()})

    dependant.request_param_name = name
    dependant.call = handed
    dependant.dependencies[:] = [one for one in dependant.dependencies if not isinstance(one.call, Provided)]
