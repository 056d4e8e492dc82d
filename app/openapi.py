"""The OpenAPI document as callers get it: one `Problem`, each refusal described once, real answers as examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI

from app import event_pages, openapi_headers
from app.problems import SCHEMA, TYPE, ProblemDocument, shown_example
from app.rules.policy import Permission
from app.rules.vocabulary import Role
from app.settings import ROOT

EXAMPLES: Final = ROOT / "openapi" / "examples"
#: The document as it was generated last, which is what callers get: a test holds it to the code.
KEPT: Final = ROOT / "openapi" / "openapi.json"

_SCHEME: Final = "client"
_LOGIN: Final = "login"
#: Shapes that are made anew for each asking: they bear no ETag, and are never 304.
_OF_ONE_INSTANT: Final = tuple(
    f"/{name}'}}" for name in ("TaskStatistics", "DeadlineStatistics", "FollowUp", "BatchReport")
)
_NOT_MODIFIED: Final = "304.not-modified"


def install(app: FastAPI) -> None:
    """Let `app` describe itself so, once it is asked: who serves shows the kept document and generates none."""
    generate = app.openapi
    app.openapi = cache(lambda: _finished(generate(), kept_examples(EXAMPLES)))  # type: ignore[method-assign]


def kept_examples(folder: Path) -> dict[str, dict[str, Any]]:
    """The real answers that were kept, by operation id."""
    return {file.stem: json.loads(file.read_bytes()) for file in sorted(folder.glob("*.json"))}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each operation of a document with its path and method."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _finished(document: dict[str, Any], examples: dict[str, dict[str, Any]]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    problem = ProblemDocument.model_json_schema(ref_template=SCHEMA + "{model}")
    components["schemas"] |= {**problem.pop("$defs"), "Problem": problem}
    event_pages.describe(document)
    _drop_titles(document["paths"], components["schemas"])
    components["securitySchemes"] = _security()
    for path, method, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _sent(parameter["schema"])
            if parameter["schema"].get("type") == "array":
                parameter["explode"] = False
        if path.startswith("/v1"):
            operation["security"] = [{_SCHEME: []}]
            _say_headers(operation, method, components.setdefault("parameters", {}))
        elif path.startswith("/oauth2"):
            _say_login(operation, components["schemas"])
        if "HTTPValidationError" in str(operation["responses"].get("422")):
            del operation["responses"]["422"]
        _say_response_headers(
            operation["responses"], path, method, components.setdefault("headers", openapi_headers.HEADERS)
        )
        _say_conditional(operation, method, components)
        if path.startswith("/v1"):
            _say_preference(operation, components)
        _share_refusals(operation["responses"], components)
        if operation["operationId"] in examples:
            _show(operation, examples[operation["operationId"]])
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    components["schemas"] = dict(sorted(components["schemas"].items()))
    return document


def _drop_titles(*parts: Any) -> None:
    """Take out the titles that only repeat a member's name."""
    for part in parts:
        if isinstance(part, dict):
            if isinstance(part.get("title"), str):
                del part["title"]
            _drop_titles(*part.values())
        elif isinstance(part, list):
            _drop_titles(*part)


def _security() -> dict[str, Any]:
    scopes = {role.value: f"Act as {role.value}, which the client must be or include." for role in Role}
    return {
        _SCHEME: {
            "type": "oauth2",
            "description": f"A token of ten minutes; {len(Permission)} permissions hang on the client's role.",
            "flows": {"clientCredentials": {"tokenUrl": "/oauth2/token", "scopes": scopes}},
        },
        _LOGIN: {
            "type": "http",
            "scheme": "basic",
            "description": "Client id and secret; or send them in the form.",
        },
    }


def _say_login(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Say how a client shows itself where there is no token yet, and which field of the form must be there."""
    operation["security"] = [{_LOGIN: []}, {}]
    operation["parameters"] = [one for one in operation.get("parameters", ()) if one["name"] != "authorization"]
    content = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]
    form = schemas[content["schema"]["$ref"].rpartition("/")[2]]
    form["properties"] = {name: _sent(dict(one), described=True) for name, one in form["properties"].items()}
    form["required"] = ["grant_type" if "grant_type" in form["properties"] else "token"]
    operation["requestBody"]["required"] = True
    operation["responses"]["401"]["headers"] = {
        "WWW-Authenticate": {"description": "`Basic`, with our realm.", "schema": {"type": "string"}}
    }


def _sent(schema: dict[str, Any], *, described: bool = False) -> dict[str, Any]:
    """The schema of what is left out or given, never null; that of a parameter is described beside it, not in it."""
    kinds: list[dict[str, Any]] = [one for one in schema.pop("anyOf", ()) if one != {"type": "null"}]
    if not described:
        schema.pop("description", None)
    return schema | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})


def _say_headers(operation: dict[str, Any], method: str, shared: dict[str, Any]) -> None:
    """Describe each header once; those that the guard asks for are required: a problem of its own answers without."""
    parameters = operation.setdefault("parameters", [])
    headers = {one["name"]: one for one in parameters if one["in"] == "header"}
    for header in headers.values():
        parameters.remove(header)
        if header["name"] != "last-event-id":
            header.update(openapi_headers.asked(header["name"]))
    if method != "get":
        headers[openapi_headers.ACTING_USER["name"]] = openapi_headers.ACTING_USER
    shared |= headers
    parameters += [{"$ref": f"#/components/parameters/{name}"} for name in headers]


def _say_response_headers(responses: dict[str, Any], path: str, method: str, shared: dict[str, Any]) -> None:
    """Name the headers of the good answers; each is described once."""
    if not path.startswith("/v1"):
        return
    for status, response in responses.items():
        if not status.startswith("2"):
            continue
        schema = str(response.get("content", {}).get("application/json", {}).get("schema", ""))
        listed = method == "get" and not path.endswith("}") and schema.endswith(("Page'}", "List'}"))
        names = {
            "Request-Id": True,
            "RateLimit-Policy": True,
            "RateLimit": True,
            "Link": "Page'}" in schema and listed,
            "Total-Count": "text/csv" in response.get("content", {}),
            "ETag": "application/json" in response.get("content", {})
            and not listed
            and not schema.endswith(_OF_ONE_INSTANT),
            "Preference-Applied": False,
        }
        names |= {"Location": status == "201", "Idempotent-Replayed": method == "post"}
        names["Audit-Receipt"] = method != "get"
        said = {name: {"$ref": f"#/components/headers/{name}"} for name in shared if names[name]}
        response.setdefault("headers", {}).update(said)


def _say_header(operation: dict[str, Any], components: dict[str, Any], header: dict[str, Any]) -> None:
    """Say that an operation heeds a header that no handler asks for."""
    components["parameters"].setdefault(header["name"], header)
    operation["parameters"].append({"$ref": f"#/components/parameters/{header['name']}"})


def _say_conditional(operation: dict[str, Any], method: str, components: dict[str, Any]) -> None:
    """Say that who holds a record reads it again only when it has changed."""
    if method != "get" or "ETag" not in operation["responses"].get("200", {}).get("headers", {}):
        return
    _say_header(operation, components, openapi_headers.IF_NONE_MATCH)
    components.setdefault("responses", {}).setdefault(
        _NOT_MODIFIED,
        {"description": "You hold it already", "headers": {"ETag": {"$ref": "#/components/headers/ETag"}}},
    )
    operation["responses"]["304"] = {"$ref": f"#/components/responses/{_NOT_MODIFIED}"}


def _say_preference(operation: dict[str, Any], components: dict[str, Any]) -> None:
    """Say that who writes may do without the body of the answer."""
    responses = operation["responses"]
    headers = (responses.get("200") or responses.get("201") or {}).get("headers", {})
    if "Audit-Receipt" not in headers:
        return
    _say_header(operation, components, openapi_headers.PREFER)
    applied = {"Preference-Applied": {"$ref": "#/components/headers/Preference-Applied"}}
    if "200" in responses and "ETag" in headers:
        name = f"204.{'-'.join(sorted(headers))}"
        minimal = {"description": "As you preferred: without a body", "headers": headers | applied}
        components.setdefault("responses", {}).setdefault(name, minimal)
        responses["204"] = {"$ref": f"#/components/responses/{name}"}
    else:
        for status in responses.keys() & {"200", "201", "207"}:
            responses[status]["headers"] |= applied


def _share_refusals(responses: dict[str, Any], components: dict[str, Any]) -> None:
    """Move each set of problems to `components`, so that operations which refuse alike refer to the same text."""
    shared = components.setdefault("responses", {})
    for status, response in responses.items():
        content = response.get("content", {}).get(TYPE)
        if content is None:
            continue
        codes = list(content["examples"])
        name = f"{status}.{codes[0]}" if len(codes) == 1 else f"{status}.{codes[0]}.and-{len(codes) - 1}-more"
        if shared.setdefault(name, response) != response:
            name = ".".join((status, *codes))
            shared[name] = response
        components.setdefault("examples", {}).update({code: shown_example(code) for code in codes})
        responses[status] = {"$ref": f"#/components/responses/{name}"}


def _show(operation: dict[str, Any], example: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        if parameter.get("name") in example["parameters"]:
            parameter["example"] = _typed(example["parameters"][parameter["name"]], parameter["schema"].get("type"))
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["example"] = example["request"]
    for kind, content in operation["responses"][str(example["status"])].get("content", {}).items():
        if kind == "application/json":
            content["example"] = example["response"]


def _typed(text: str, kind: str | None) -> Any:
    """A parameter as its schema has it; a list is written with commas."""
    match kind:
        case "integer":
            return int(text)
        case "boolean":
            return text == "true"
        case "array":
            return text.split(",")
        case _:
            return text
