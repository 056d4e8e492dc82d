"""From any exception to application/problem+json (RFC 9457), and what OpenAPI and people read about it.

A validator with a sentence of its own raises `PydanticCustomError(code, "{en}", {"en": ..., "id": ...})`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from operator import attrgetter, itemgetter
from typing import Any, Final, Literal
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import Scope

from app import errors
from app.db import encode
from app.errors import Fault, Problem
from app.outages import problem_of
from app.parameters import known_to
from app.wire import LISTED, body_fault, fault, parameter_fault

Language = Literal["id", "en"]

TYPE: Final = "application/problem+json"
# An address refused for its length is not sent back.
_REPEATED: Final = 1_024
_REQUEST_ID: Final = "0193f2a4-7c1e-7b52-9d0a-3f6c1e8b2d47"
SCHEMA: Final = "#/components/schemas/"
_LONGEST_WISH: Final = 200  # characters; the rest of a longer header is not read
_WISH: Final = re.compile(r"\s*+(id|en|\*)(?:-[a-z0-9-]++)?\s*+(?:;\s*+q=([01](?:\.\d{1,3})?)\s*+)?")
_EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "json-depth": {"limit": 16},
    "unknown-parameter": {"known": ["limit", "status"]},
    "permission-denied": {"permission": "task.confirm"},
    "not-your-referral": {"agency": "BKN"},
    "classification-denied": {"classification": "rahasia"},
    "not-acceptable": {"available": "application/json"},
    "body-too-large": {"limit": 65_536},
    "uri-too-long": {"limit": 8_192},
    "unsupported-media-type": {"expected": "application/json"},
    "transition-not-allowed": {
        "action": "resolve",
        "current": "accepted",
        "lawful": [
            {
                "action": "start",
                "method": "POST",
                "href": "/v1/tasks/0193f2a4-7c1e-7b52-9d0a-3f6c1e8b2d47/transitions",
                "requires": [],
            }
        ],
    },
    "mandate-mismatch": {"agency": "KPU_JATIM", "refusal_kind": "out_of_mandate", "competent_agency": "BAWASLU_JATIM"},
    "mandate-gap": {"missing_office": "KASN@national"},
    "recusal": {"agency": "KPU_KOTA_MALANG", "competent_agency": "DKPP"},
    "referral-open": {"to_agency": "BAWASLU_KOTA_MALANG"},
    "duplicate-external-reference": {"reference": "35.73-2024-7K3M9Q"},
    "statutory-clock": {"clock": "report_handling", "lawful": []},
    "clock-running": {"clock": "report_handling"},
    "no-such-clock": {"clock_starts_at": "voting_day", "starts": ["report_registered", "violation_known"]},
    "stale-version": {"current_etag": '"7"'},
    "no-such-head": {"size": 4711, "next": 4718, "newest": 4720},
    "not-in-log": {"size": 4720},
    "head-mismatch": {"size": 4711},
    "no-legal-basis": {"valid_to": "2022-09-22", "mandate": "M01"},
    "classification-refused": {"classification": "sangat_rahasia"},
    "expiry-in-freeze-window": {"window": "2024-11-13/2024-12-16 (pilkada-2024-35.73)"},
}
_FAULTS: Final[Mapping[str, Fault]] = {
    "unknown-parameter": fault("extra_forbidden", parameter="statu"),
    "invalid-parameter": fault("int_parsing", parameter="limit"),
    "validation-failed": fault("missing", pointer="/title"),
    "text-encoding": fault("text", pointer="/description"),
}
_BY_STATUS: Final[Mapping[int, type[Problem]]] = {
    400: errors.MalformedJson,
    401: errors.TokenMissing,
    404: errors.NotFound,
    406: errors.NotAcceptable,
    413: errors.BodyTooLarge,
    415: errors.UnsupportedMediaType,
}


class ProblemError(BaseModel):
    """One thing wrong with the input: `pointer` (RFC 6901) into the body, or the name of a `parameter`."""

    pointer: str = Field(default_factory=str, examples=["/title"])
    parameter: str = Field(default_factory=str, examples=["limit"])
    code: str = Field(examples=["missing"], description="Stays as it is, as `detail` does not; more may come.")
    detail: str


class ProblemDocument(BaseModel):
    """A refusal (RFC 9457); further members are the facts of the case, as the example of each code shows them.

    A batch adds `operation` and `refused`, what is told of the past `told_from`, the feed of events `retired_until`.
    """

    model_config = ConfigDict(title="Problem", extra="allow")

    type: str = Field(description="`/problems/<code>`, readable by people.")
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path of the request.")
    code: str = Field(json_schema_extra={"enum": [*sorted(Problem.catalogue)]})
    request_id: str
    errors: list[ProblemError] = Field(default_factory=list, max_length=LISTED)


def install(app: FastAPI) -> None:
    """Let `app` answer every exception with a problem document."""
    for kind in (Problem, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _handle)


async def _handle(request: Request, error: Exception) -> Response:
    return answer(error, request.scope)


def answer(error: Exception, scope: Scope) -> Response:
    """The response to any exception; leaves the problem's code in the scope's state for the access log."""
    if isinstance(error, HTTPException) and error.status_code < HTTPStatus.BAD_REQUEST:
        return Response(status_code=error.status_code, headers=error.headers)
    problem = _problem(error, scope)
    language = language_of(HTTPConnection(scope))
    state = scope.setdefault("state", {})
    state["problem"] = problem.code
    path = quote(scope["path"], safe="/:@")
    instance = path if len(path) <= _REPEATED else "/"
    document = problem.document(language=language, instance=instance, request_id=state.get("request_id", ""))
    headers = {"Content-Language": language, "Vary": "Accept-Language", **_advice(problem), **problem.headers}
    return Response(encode(document), problem.status, headers, TYPE)


def language_of(request: HTTPConnection) -> Language:
    """The language a caller likes best (Accept-Language with weights); English when it names neither."""
    said = request.headers.get("accept-language", "")[:_LONGEST_WISH].lower().split(",")
    wishes = [match.groups() for one in said if (match := _WISH.fullmatch(one))]
    tag, weight = max(((tag, float(weight or 1)) for tag, weight in wishes), key=itemgetter(1), default=("en", 1))
    return "id" if tag == "id" and weight else "en"


def _advice(problem: Problem | type[Problem]) -> dict[str, str]:
    if problem.retry_after is not None:
        return {"Retry-After": str(problem.retry_after)}
    if problem.status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": 'Bearer error="invalid_token"' if problem.code == "token-invalid" else "Bearer"}
    return {}


def _problem(error: Exception, scope: Scope) -> Problem:
    match error:
        case (Problem() as refused) | HTTPException(__cause__=Problem() as refused):
            # FastAPI wraps whatever was raised while it read the body.
            return refused
        case HTTPException(status_code=405):
            # The framework names the methods of the first route with this path only.
            allowed = ", ".join(_methods(scope))
            return errors.MethodNotAllowed(headers={"Allow": allowed} if allowed else error.headers)
        case HTTPException(status_code=status):
            return _example(_BY_STATUS.get(status, errors.Internal))
        case RequestValidationError():
            return _invalid(error, scope)
        case ClientDisconnect():
            # A body that broke off; nobody reads the answer, but the log shall not say that the fault is ours.
            return errors.MalformedJson()
        case _:
            return problem_of(error) or errors.Internal()


def _invalid(error: RequestValidationError, scope: Scope) -> Problem:
    """What a failed validation amounts to: an unknown resource, a parameter, a media type, or the body."""
    found = error.errors()
    if any(one["loc"][0] == "path" and one["type"].startswith("uuid_") for one in found):
        return errors.NotFound()
    if outside := [one for one in found if one["loc"][0] != "body"]:
        faults = [parameter_fault(one) for one in outside[:LISTED]]
        if all(one["type"] == "extra_forbidden" for one in outside):
            return errors.UnknownParameter(errors=faults, known=_known(scope))
        return errors.InvalidParameter(errors=faults)
    if isinstance(error.body, bytes):
        # Only a body that does not call itself JSON stays bytes.
        return errors.UnsupportedMediaType(expected="application/json")
    if found[0]["type"] == "json_invalid":
        return errors.MalformedJson()
    return errors.ValidationFailed(errors=[body_fault(one, error.body) for one in found[:LISTED]])


def _known(scope: Scope) -> list[str]:
    route = scope.get("route")
    return sorted(known_to(route.dependant)) if isinstance(route, APIRoute) else []


def _methods(scope: Scope) -> list[str]:
    """What the path that was asked may be asked for, on any of its routes that the OpenAPI document tells of."""
    path = getattr(scope.get("route"), "path_format", None)
    routes = (one for one in scope["app"].router.routes if isinstance(one, APIRoute) and one.include_in_schema)
    return sorted(method for one in routes if one.path_format == path for method in one.methods or ())


def responses(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI `responses` of these problems, by status, one example a code; `app.openapi` adds what they name."""
    shown: dict[int | str, dict[str, Any]] = {}
    for kind in problems:
        response = shown.setdefault(
            kind.status,
            {"description": "", "content": {TYPE: {"schema": {"$ref": SCHEMA + "Problem"}, "examples": {}}}},
        )
        response["content"][TYPE]["examples"][kind.code] = {"$ref": f"#/components/examples/{kind.code}"}
        response["description"] = "; ".join(filter(None, (response["description"], kind.title[0])))
        for name in _advice(kind):
            response.setdefault("headers", {})[name] = {"schema": {"type": "string"}}
    return shown


def _example(kind: type[Problem]) -> Problem:
    faults = [_FAULTS[kind.code]] if kind.code in _FAULTS else []
    return kind(errors=faults, **_EXAMPLES.get(kind.code, {}))


def _document(kind: type[Problem], language: Language) -> dict[str, Any]:
    return _example(kind).document(language=language, instance="/v1/tasks", request_id=_REQUEST_ID)


def shown_example(code: str) -> dict[str, Any]:
    """The OpenAPI example of a problem."""
    kind = Problem.catalogue[code]
    return {"summary": kind.title[0], "value": _document(kind, "en")}


def catalogue_page(language: Language) -> str:
    """The catalogue of problems as HTML."""
    heading, place = ("Katalog masalah", 1) if language == "id" else ("Problem catalogue", 0)
    items = (
        f'<dt>{kind.status} <a href="/problems/{kind.code}">{kind.code}</a></dt><dd>{escape(kind.title[place])}</dd>'
        for kind in sorted(Problem.catalogue.values(), key=attrgetter("status", "code"))
    )
    return page(heading, f"<dl>{''.join(items)}</dl>", language=language)


def problem_page(code: str, language: Language) -> str:
    """One problem as HTML, with an example; raises NotFound."""
    if code not in Problem.catalogue:
        raise errors.NotFound
    shown = _document(Problem.catalogue[code], language)
    example = escape(json.dumps(shown, indent=2, ensure_ascii=False))
    return page(shown["title"], f"<p>{escape(shown['detail'])}</p><pre>{example}</pre>", language=language)


def page(heading: str, content: str, *, language: Language) -> str:
    """A plain page of HTML."""
    return (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8"><title>{escape(heading)}</title>'
        f"<h1>{escape(heading)}</h1>{content}</html>"
    )
