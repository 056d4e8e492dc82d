"""The query parameters that a route knows; whoever sends others is told."""

from __future__ import annotations

from fastapi import Request
from fastapi.dependencies.models import Dependant

from app.errors import Fault, UnknownParameter
from app.provided import model_of
from app.wire import nameable


def known_to(dependant: Dependant) -> frozenset[str]:
    """The names of the query parameters that a route knows, those inside a query model included."""
    names: set[str] = set()
    for field in dependant.query_params:
        if (model := model_of(field)) is not None:
            names |= model.model_fields.keys()
        else:
            names.add(field.alias)
    return frozenset(names).union(*(known_to(one) for one in dependant.dependencies))


def refuse_unknown(request: Request, known: frozenset[str]) -> None:
    """Refuse parameters that a route does not know; raises UnknownParameter, naming 20 of them."""
    unknown = sorted(request.query_params.keys() - known)
    if unknown:
        faults = [
            Fault(
                "unknown",
                "There is no such parameter.",
                "Parameter ini tidak dikenal.",
                parameter=name if nameable(name) else "query",
            )
            for name in unknown[:20]
        ]
        raise UnknownParameter(errors=faults, known=sorted(known))
