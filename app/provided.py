"""Dependencies that nobody solves: what a route says of itself, and what the guard hands to its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, get_args, get_origin

from fastapi import Request
from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel


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


def handed_out(dependant: Dependant) -> Dependant:
    """What is left for the framework to solve: a handler is called with what is provided, and with what its query says.

    Each dependency that the framework solves costs a request as much as a statement to the database, and a model of the
    query as much again: it asks anew of each of its members, for each request, whether it is a list.
    """
    taken = {str(one.name): one.call.take for one in dependant.dependencies if isinstance(one.call, Provided)}
    models = [] if dependant.body_params else [one for one in dependant.query_params if _is_model(one)]
    taken |= {one.name: _reading(one) for one in models}
    endpoint, asks = dependant.call, dependant.request_param_name
    if not taken or endpoint is None:
        return dependant
    name = asks or "request"
    call: Callable[..., Awaitable[Any]] = endpoint

    async def handed(**values: Any) -> Any:
        request = values[name] if asks else values.pop(name)
        return await call(**values, **{parameter: take(request) for parameter, take in taken.items()})

    left = [one for one in dependant.dependencies if not isinstance(one.call, Provided)]
    asked = [one for one in dependant.query_params if one not in models]
    return replace(dependant, request_param_name=name, call=handed, dependencies=left, query_params=asked)


def _is_model(field: ModelField) -> bool:
    kind = field.field_info.annotation
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _reading(field: ModelField) -> Callable[[Request], Any]:
    """How a model is read from the query; that raises RequestValidationError."""
    model: Any = field.field_info.annotation
    lists = {name for name, one in model.model_fields.items() if _several(one.annotation)}

    def read(request: Request) -> Any:
        query = request.query_params
        found, errors = field.validate(
            {name: query.getlist(name) if name in lists else query[name] for name in query}, loc=("query",)
        )
        if errors:
            raise RequestValidationError(errors)
        return found

    return read


def _several(annotation: Any) -> bool:
    """Whether a member may be given several times."""
    return any(get_origin(one) in {list, set, frozenset, tuple} for one in (annotation, *get_args(annotation)))
