"""Dependencies that nobody solves: what a route says of itself, and what the guard hands to its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import chain
from typing import Any

from fastapi import Request
from fastapi._compat import ModelField, field_annotation_is_sequence
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel


class Mark:
    """What a route says of itself among its dependencies: the guard reads it and takes it out, so no request pays."""

    async def __call__(self) -> None:
        """Nothing: nobody calls it."""


class Provided:
    """A dependency that only takes something from the request; where `handed_out` sees it, nobody solves it."""

    def __init__(self, take: Callable[[Request], Any]) -> None:
        self.take = take

    async def __call__(self, request: Request) -> Any:
        """What it takes, where the framework solves it."""
        return self.take(request)


def handed_out(dependant: Dependant) -> Dependant:
    """A route's handler with what it asks, but for what we hand to it: what is provided, and what its query says.

    Each dependency that the framework solves costs a request as much as a statement to the database, and a model of the
    query as much again: it asks anew of each of its members, for each request, whether it is a list. One that stands
    beside other parameters is left to it, so that their faults are told together.
    """
    taken = {str(one.name): one.call.take for one in dependant.dependencies if isinstance(one.call, Provided)}
    parameters = _parameters(dependant)
    model = model_of(parameters[0]) if len(parameters) == len(dependant.query_params) == 1 else None
    if model is not None:
        taken[parameters[0].name] = _reading(parameters[0], model)
    endpoint, asks_for_it = dependant.call, dependant.request_param_name is not None
    if not taken or endpoint is None:
        return dependant
    name = dependant.request_param_name or "request"
    call: Callable[..., Awaitable[Any]] = endpoint

    async def handed(**values: Any) -> Any:
        request = values[name] if asks_for_it else values.pop(name)
        return await call(**values, **{parameter: take(request) for parameter, take in taken.items()})

    left = [one for one in dependant.dependencies if not isinstance(one.call, Provided)]
    solved = dependant.query_params if model is None else []
    return replace(dependant, request_param_name=name, call=handed, dependencies=left, query_params=solved)


def model_of(field: ModelField) -> type[BaseModel] | None:
    """The model that a parameter of a handler is, if it is one."""
    kind = field.field_info.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _parameters(dependant: Dependant) -> list[ModelField]:
    own = (dependant.path_params, dependant.query_params, dependant.header_params, dependant.cookie_params)
    return [*chain(*own, dependant.body_params), *chain(*map(_parameters, dependant.dependencies))]


def _reading(field: ModelField, model: type[BaseModel]) -> Callable[[Request], Any]:
    """How a model is read from the query; that raises RequestValidationError."""
    lists = {name for name, one in model.model_fields.items() if field_annotation_is_sequence(one.annotation)}

    def read(request: Request) -> Any:
        query = request.query_params
        given = {name: query.getlist(name) if name in lists else query[name] for name in query}
        found, errors = field.validate(given, loc=("query",))
        if errors:
            raise RequestValidationError(errors)
        return found

    return read
