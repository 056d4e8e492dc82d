"""Every route names its permission, and the document knows every route."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from support import routes

from app.guard import GuardedRoute, guarded, needs
from app.openapi import operations
from app.rules.policy import Permission, effective
from app.rules.vocabulary import Role

#: Whoever must be able to ask without a token.
OPEN = {"/livez", "/readyz", "/metrics", "/problems", "/problems/{code}", "/events", "/events/{kind}", "/docs"} | {
    "/openapi.json",
    "/oauth2/token",  # these three prove the client by themselves
    "/oauth2/introspect",
    "/oauth2/revoke",
    "/.well-known/jwks.json",
    "/.well-known/log-keys.json",
    "/.well-known/oauth-authorization-server",
}


def test_every_route_but_the_open_ones_is_behind_a_permission(app: FastAPI) -> None:
    guarded_ones = {one.path for one in routes(app) if isinstance(one.original_route, GuardedRoute)}
    assert {one.path for one in routes(app)} - guarded_ones == OPEN
    assert len(guarded_ones) > 30
    assert all(path.startswith("/v1") for path in guarded_ones)
    for one in routes(app):
        if isinstance(one.original_route, GuardedRoute):
            assert one.original_route.permission in list(Permission)


def test_every_permission_of_a_route_can_be_held_by_somebody(app: FastAPI) -> None:
    held = {permission for role in Role for permission in effective(role)}
    for one in routes(app):
        if isinstance(one.original_route, GuardedRoute):
            assert one.original_route.permission in held


def test_the_walk_finds_exactly_what_the_document_says(app: FastAPI) -> None:
    walked = {
        (method.lower(), one.path) for one in routes(app) for method in one.methods or () if one.include_in_schema
    }
    assert walked == {(method, path) for path, method, _ in operations(app.openapi())}
    assert len(walked) > 50


async def _handler() -> None:
    """A handler."""


@pytest.mark.parametrize(
    "dependencies",
    [None, [], [needs(Permission.TASK_LOG), needs(Permission.TASK_LIST)]],
    ids=["none", "empty", "two"],
)
def test_a_route_without_exactly_one_permission_fails_at_import(dependencies: Any) -> None:
    router = guarded(prefix="/v1/anything")
    with pytest.raises(TypeError, match="/v1/anything"):
        router.get("", operation_id="anything", dependencies=dependencies)(_handler)
    assert router.routes == []
