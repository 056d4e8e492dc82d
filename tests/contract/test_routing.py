"""A request is taken to its route by its path, and not by asking one route after the other."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Match, Route, Router
from starlette.types import Scope

from app.route_index import RouteIndex


class Asked(Route):
    """A route that counts how often one of its kind was asked whether it fits."""

    times = 0

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As ever, and counted."""
        Asked.times += 1
        return super().matches(scope)


async def nothing(*_: Any) -> None:
    """Serve nobody."""


def scope(path: str, method: str = "GET") -> Scope:
    return {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}


def index(kinds: int) -> RouteIndex:
    """Three routes of each of so many kinds of records."""
    paths = [f"/v1/kind{one}{rest}" for one in range(kinds) for rest in ("", "/{id}", "/{id}/moves")]
    return RouteIndex(Router([Asked(path, nothing) for path in paths]), otherwise=nothing)


@pytest.mark.parametrize(
    ("path", "asked"),
    [("/v1/kind2", 1), ("/v1/kind2/17", 1), ("/v1/kind2/17/moves", 1), ("/v1/none", 0), ("/v1/kind2/17/none", 0)],
)
def test_as_many_routes_are_asked_among_150_as_among_9(path: str, asked: int) -> None:
    found = []
    for kinds in (3, 50):
        Asked.times = 0
        hit = index(kinds).find(scope(path))
        found.append((Asked.times, hit is not None))
    assert found == [(asked, asked == 1)] * 2


def test_every_route_of_the_service_is_found_by_its_path(app: FastAPI) -> None:
    routes = [route for route in app.router.routes if isinstance(route, APIRoute)]
    known = RouteIndex(app.router, otherwise=nothing)
    for route in routes:
        for method in route.methods or ():
            path = route.path
            for name in route.param_convertors:
                path = path.replace(f"{{{name}}}", "01a204b2-ccc6-769f-89a2-7290c0260f12")
            hit = known.find(scope(path, method))
            assert hit is not None, path
            assert hit[0] is route, path
    assert len(routes) > 100
