"""The OpenAPI document as callers get it: one `Problem`, each refusal described once, real answers as examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI

from app import event_pages
from app.claims import b64
from app.problems import SCHEMA, TYPE, ProblemDocument, shown_example
from app.rules.policy import Permission
from app.rules.vocabulary import Role
from app.settings import ROOT
from app.statements import Kind

_RECEIPT: Final[dict[str, Any]] = {
    "iat": 1_795_326_630,
    "iss": "simpul",
    "leaves": ["8592003fcf7a749dd9516e74da01d279e741df9c18c04dc882ab656faee5c449"],
    "request_id": "01a201ce-5ba2-75e8-9b88-37558a95c7a8",
    "within": 3600,
}


def _unsigned(kind: Kind, said: dict[str, Any]) -> str:
    """What a statement looks like, under a signature that nobody made."""
    header = {"alg": "ES256", "kid": "QfdAVh52_1VMDaPy", "typ": kind}
    return ".".join((*(b64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, said)), "A" * 86))


EXAMPLES: Final = ROOT / "openapi" / "examples"
#: The document as it was generated last, which is what callers get: a test holds it to the code.
KEPT: Final = ROOT / "openapi" / "openapi.json"

_SCHEME: Final = "client"
_ACTING_USER: Final[dict[str, Any]] = {
    "name": "acting-user",
    "in": "header",
    "required": False,
    "description": "The person who acts, an opaque staff id of your own: recorded, never a source of rights.",
    "schema": {"type": "string", "maxLength": 100},
}


#: Shapes that are counted anew for each asking: they bear no ETag, and are never 304.
_OF_ONE_INSTANT: Final = tuple(f"/{name}'}}" for name in ("TaskStatistics", "DeadlineStatistics", "FollowUp"))
_HEADERS: Final[dict[str, Any]] = {
    "Request-Id": {"description": "Yours, or ours: name it when you ask for help.", "schema": {"type": "string"}},
    "ETag": {
        "description": "The version you see and a digest of it, for If-Match and If-None-Match; it may differ between"
        ' agencies. If-Match needs the version alone (`"7"`), as a 412 names it; `*` fits nothing.',
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "Where the new record is, or the list that it is in; absent where there is nothing to read.",
        "schema": {"type": "string"},
    },
    "Idempotent-Replayed": {"description": "`true` on the kept answer to a retry.", "schema": {"type": "string"}},
    "RateLimit-Policy": {
        "description": "The quotas of the client and of its agency: `q` requests in `w` seconds.",
        "schema": {"type": "string"},
        "example": '"client";q=6000;w=60, "agency";q=12000;w=60',
    },
    "RateLimit": {
        "description": "What is left of each: `r` requests, more in `t` seconds.",
        "schema": {"type": "string"},
        "example": '"client";r=5999;t=42, "agency";r=11998;t=42',
    },
    "Audit-Receipt": {
        "description": "A signed promise (compact JWS, ES256, `typ` `simpul-receipt+jwt`, a key of"
        " `/.well-known/log-keys.json`) that the facts of this request will stand in the log `within` so many seconds"
        " of `iat`. Its payload is `{iss, iat, request_id, within, leaves}`: `leaves` are their hashes (hex), each to"
        " be looked for in `/v1/log/proofs/inclusion?leaf=`. Of more than ten, which stand one after another, there are"
        " in place of `leaves` only the `first`, the `count`, and the `root` of the tree (RFC 6962) that they make."
        " Absent where nothing was entered.",
        "schema": {"type": "string"},
        "example": _unsigned(Kind.RECEIPT, _RECEIPT),
    },
    "Total-Count": {
        "description": "Of a file, where `count` asks for it: how many tasks it holds; `;relation=at_least` when"
        " counting stopped early.",
        "schema": {"type": "string"},
        "example": "10000;relation=at_least",
    },
    "Link": {"description": 'The next page, `rel="next"`, if there is one.', "schema": {"type": "string"}},
}


_IF_NONE_MATCH: Final[dict[str, Any]] = {
    "name": "if-none-match",
    "in": "header",
    "required": False,
    "description": "ETags of what you hold, with commas: where one still holds, the answer is 304.",
    "schema": {"type": "string"},
}
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
    components["securitySchemes"] = {_SCHEME: _security()}
    for path, method, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _sent(parameter["schema"])
            if parameter["schema"].get("type") == "array":
                parameter["explode"] = False
        if path.startswith("/v1"):
            operation["security"] = [{_SCHEME: []}]
            _say_headers(operation, method, components.setdefault("parameters", {}))
        if "HTTPValidationError" in str(operation["responses"].get("422")):
            del operation["responses"]["422"]
        _say_response_headers(operation["responses"], path, method, components.setdefault("headers", _HEADERS))
        _say_conditional(operation, method, components)
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
        "type": "oauth2",
        "description": f"A token of ten minutes; {len(Permission)} permissions hang on the client's role.",
        "flows": {"clientCredentials": {"tokenUrl": "/oauth2/token", "scopes": scopes}},
    }


def _sent(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter: left out or given, never null; its description stands beside it already."""
    kinds: list[dict[str, Any]] = [one for one in schema.pop("anyOf", ()) if one != {"type": "null"}]
    schema.pop("description", None)
    return schema | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})


def _say_headers(operation: dict[str, Any], method: str, shared: dict[str, Any]) -> None:
    """Describe each header once; those that the guard asks for are required: a problem of its own answers without."""
    parameters = operation.setdefault("parameters", [])
    headers = {one["name"]: one for one in parameters if one["in"] == "header"}
    for header in headers.values():
        parameters.remove(header)
        if header["name"] != "last-event-id":
            header |= {"required": True, "schema": {"type": "string", "maxLength": 255}}
    if method != "get":
        headers[_ACTING_USER["name"]] = _ACTING_USER
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
            "ETag": not listed and not schema.endswith(_OF_ONE_INSTANT),
        }
        names |= {"Location": status == "201", "Idempotent-Replayed": method == "post"}
        names["Audit-Receipt"] = method != "get"
        said = {name: {"$ref": f"#/components/headers/{name}"} for name in shared if names[name]}
        response.setdefault("headers", {}).update(said)


def _say_conditional(operation: dict[str, Any], method: str, components: dict[str, Any]) -> None:
    """Say that who holds a record reads it again only when it has changed."""
    if method != "get" or "ETag" not in operation["responses"].get("200", {}).get("headers", {}):
        return
    components["parameters"].setdefault(_IF_NONE_MATCH["name"], _IF_NONE_MATCH)
    components.setdefault("responses", {}).setdefault(
        _NOT_MODIFIED,
        {"description": "You hold it already", "headers": {"ETag": {"$ref": "#/components/headers/ETag"}}},
    )
    operation["parameters"].append({"$ref": f"#/components/parameters/{_IF_NONE_MATCH['name']}"})
    operation["responses"]["304"] = {"$ref": f"#/components/responses/{_NOT_MODIFIED}"}


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
