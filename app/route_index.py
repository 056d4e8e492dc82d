"""A tree of path segments in front of the routes: finding one costs the same with ten routes as with two hundred."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from starlette.routing import Match, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass
class _Branch:
    """Where the paths that begin alike go on: by the next segment as it is spelled, or by any."""

    spelled: dict[str, _Branch] = field(default_factory=dict)
    any: _Branch | None = None
    routes: list[Route] = field(default_factory=list)

    def grow(self, segments: Sequence[str], route: Route) -> None:
        """Add a route at the end of these segments; one that begins with a brace stands for any."""
        if not segments:
            self.routes.append(route)
        elif segments[0].startswith("{"):
            self.any = self.any or _Branch()
            self.any.grow(segments[1:], route)
        else:
            self.spelled.setdefault(segments[0], _Branch()).grow(segments[1:], route)

    def find(self, segments: Sequence[str]) -> Iterator[Route]:
        """The routes that these segments may lead to, what is spelled out before what takes any."""
        if not segments:
            yield from self.routes
            return
        if (branch := self.spelled.get(segments[0])) is not None:
            yield from branch.find(segments[1:])
        if self.any is not None:
            yield from self.any.find(segments[1:])


class RouteIndex:
    """ASGI: takes a request to the route that serves its path and method, and whatever it doesn't know to `otherwise`.

    That is the framework's own way: through its middleware, and then to each route in turn until one fits. Mounts,
    unknown paths and methods go there, and routes that are added later. What a route raises is left to the caller.
    A parameter in a path is a whole segment; raises ValueError for a route of another kind.
    """

    def __init__(self, router: Router, *, otherwise: ASGIApp) -> None:
        self.app, self._router, self._root = otherwise, router, _Branch()
        for route in router.routes:
            if isinstance(route, Route):
                if _irregular(route):
                    raise ValueError(f"{route.path}: a parameter must be one whole segment")
                self._root.grow(route.path.split("/"), route)

    def find(self, scope: Scope) -> tuple[Route, Scope] | None:
        """The route of a request, and what it adds to the scope; None if the framework must look."""
        for route in self._root.find(scope["path"].split("/")):
            match, found = route.matches(scope)
            if match is Match.FULL:
                return route, found
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        found = self.find(scope) if scope["type"] == "http" else None
        if found is None:
            await self.app(scope, receive, send)
            return
        route, added = found
        scope["router"] = self._router
        scope.update(added)
        async with AsyncExitStack() as stack:
            scope["fastapi_middleware_astack"] = stack  # where the framework keeps what a form brought
            await route.handle(scope, receive, send)


def _irregular(route: Route) -> bool:
    segments = [one for one in route.path.split("/") if "{" in one]
    return any(not (one.startswith("{") and one.endswith("}")) or ":" in one for one in segments)
