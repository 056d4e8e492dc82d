"""Every way to spoil a lawful body, read from the OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CANARY = "kanari7301"
MARK = "\ue000"  # stands for raw JSON in a body until it is written out
TEXTS = (
    ("NUL", '"a\\u0000b"'),
    ("lone surrogate", '"a\\ud800b"'),
    ("bidi control", '"a\\u202eb"'),
    ("escape of a terminal", '"a\\u001bb"'),
)
TOO_MUCH = (
    ("json-number", "1" + "0" * 400),
    ("json-depth", "[" * 900 + "]" * 900),
    ("json-duplicate-key", '{"a":1,"a":2}'),
    ("json-number", "1e999"),
    ("json-depth", '{"a":' * 900 + "1" + "}" * 900),
    ("json-number", "NaN"),
    ("json-number", str(2**64)),
)


@dataclass(frozen=True)
class Spoilt:
    """A body with one thing wrong: what, where (a JSON pointer), and the code if it is one of malformed JSON."""

    what: str
    pointer: str
    content: str
    code: str | None = None


class Schemas:
    """The schemas of the document, references followed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    def body_of(self, operation_id: str) -> dict[str, Any]:
        (operation,) = (
            one
            for methods in self.document["paths"].values()
            for one in methods.values()
            if one["operationId"] == operation_id
        )
        found: dict[str, Any] = operation["requestBody"]["content"]["application/json"]["schema"]
        return found

    def parameters(self, operation: Mapping[str, Any]) -> list[dict[str, Any]]:
        shared = self.document["components"].get("parameters", {})
        return [
            shared[one["$ref"].rsplit("/", 1)[1]] if "$ref" in one else one for one in operation.get("parameters", ())
        ]

    def kinds(self, schema: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The alternatives of a schema, each without a reference."""
        if "$ref" in schema:
            return self.kinds(self.document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
        if "anyOf" in schema:
            return [kind for one in schema["anyOf"] for kind in self.kinds(one)]
        return [dict(schema)]

    def spoil(self, schema: Mapping[str, Any], body: Any) -> Iterator[Spoilt]:
        """Every single thing that can be wrong with this body."""
        for number, (pointer, kinds, value) in enumerate(self._places(schema, body, "")):
            for what, raw in wrongs(kinds):
                yield Spoilt(what, pointer, _with(body, pointer, raw))
            # Seen to before any field is looked at: each place gets one of each sort, in turn.
            what, raw = TEXTS[number % len(TEXTS)]
            yield Spoilt(what, pointer, _with(body, pointer, raw))
            code, raw = TOO_MUCH[number % len(TOO_MUCH)]
            yield Spoilt(code, pointer, _with(body, pointer, raw), code)
            if isinstance(value, dict) and "properties" in kinds[0]:
                yield Spoilt("unknown member", f"{pointer}/surprise", _with(body, f"{pointer}/surprise", f'"{CANARY}"'))
        for name in self.kinds(schema)[0].get("required", ()):
            yield Spoilt("missing", f"/{name}", json.dumps({one: body[one] for one in body if one != name}))
        yield Spoilt("unknown member", "/surprise", json.dumps({**body, "surprise": CANARY}))

    def _places(
        self, schema: Mapping[str, Any], value: Any, at: str
    ) -> Iterator[tuple[str, list[dict[str, Any]], Any]]:
        """Every place below this one, with what may stand there and what stands there now."""
        for kind in self.kinds(schema):
            if kind.get("type") == "object" and "properties" in kind and isinstance(value, dict):
                for name, member in kind["properties"].items():
                    yield f"{at}/{name}", self.kinds(member), value.get(name)
                    yield from self._places(member, value.get(name), f"{at}/{name}")
            if kind.get("type") == "array" and isinstance(value, list) and value:
                yield f"{at}/0", self.kinds(kind["items"]), value[0]
                yield from self._places(kind["items"], value[0], f"{at}/0")


def wrongs(kinds: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """What none of these alternatives allows, as raw JSON."""
    types = {kind.get("type") for kind in kinds}
    yield from ((what, raw) for kind, what, raw in _OF_TYPE if kind not in types)
    if types & {"integer", "number"}:
        yield from (("a fraction", "1.5"), ("a number too large", str(2**62)), ("a number too small", "-1"))
    else:
        yield "a huge number", str(2**62)
    strings = [kind for kind in kinds if kind.get("type") == "string"]
    if strings:
        yield from _wrong_texts(strings)


_OF_TYPE = (
    ("null", "null", "null"),
    ("object", "an object", f'{{"{CANARY}":"{CANARY}"}}'),
    ("array", "a list", f'["{CANARY}"]'),
    ("boolean", "true", "true"),
    ("string", "a number as text", '"1"'),
)
_DAYS = ("2024-02-30", "9999-12-31", "0001-01-01", "kemarin")


def _wrong_texts(strings: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    if all(_is_narrow(kind) or kind.get("minLength") for kind in strings):
        yield "empty", '""'
    if all("maxLength" in kind or _is_narrow(kind) for kind in strings):
        yield "too long", f'"{CANARY * 2000}"'
    if all(_is_narrow(kind) for kind in strings):
        yield "no such value", f'"! é {CANARY}"'
    if all(str(kind.get("format", "")).startswith("date") for kind in strings):
        clock = "T10:00:00Z" if strings[0]["format"] == "date-time" else ""
        yield from ((f"the day {day}", f'"{day}{clock}"') for day in _DAYS)
        yield "a time without its zone", '"2024-08-23T10:00:00"'


def _is_narrow(kind: Mapping[str, Any]) -> bool:
    return bool(kind.keys() & {"enum", "const", "pattern", "format"})


def _with(body: Any, pointer: str, raw: str) -> str:
    """The body as JSON with raw text at one place."""
    copied = json.loads(json.dumps(body))
    *above, last = pointer[1:].split("/")
    place = copied
    for step in above:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[int(last) if isinstance(place, list) else last] = MARK
    return json.dumps(copied).replace(json.dumps(MARK), raw)
