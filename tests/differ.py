"""What would break a caller of an earlier OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

_LEAST = {"minLength", "minItems", "minimum", "exclusiveMinimum", "minProperties"}
_MOST = {"maxLength", "maxItems", "maximum", "exclusiveMaximum", "maxProperties"}


def broken_promises(old: Json, new: Json) -> list[str]:
    """Each promise of `old` that `new` does not keep: what was removed, newly required, or narrowed."""
    return sorted(set(_Differ(old, new).paths()))


class _Differ:
    def __init__(self, old: Json, new: Json) -> None:
        self._old, self._new = old, new
        self._under_way: set[tuple[str, str, bool]] = set()

    def paths(self) -> Iterator[str]:
        for path, methods in self._old["paths"].items():
            now = self._new["paths"].get(path)
            if now is None:
                yield f"{path}: path removed"
                continue
            for method, operation in methods.items():
                where = f"{method} {path}"
                if method not in now:
                    yield f"{where}: operation removed"
                    continue
                if operation["operationId"] != now[method]["operationId"]:
                    yield f"{where}: operationId changed"
                yield from self._operation(where, operation, now[method])

    def _operation(self, where: str, old: Json, new: Json) -> Iterator[str]:
        before, after = self._parameters(old, self._old), self._parameters(new, self._new)
        for name, parameter in before.items():
            if name not in after:
                yield f"{where}: parameter {name} removed"
            else:
                yield from self._schema(f"{where}: {name}", parameter["schema"], after[name]["schema"], sent=True)
        for name, parameter in after.items():
            if parameter.get("required") and not before.get(name, {}).get("required"):
                yield f"{where}: parameter {name} newly required"
        yield from self._contents(f"{where}: body", old.get("requestBody", {}), new.get("requestBody", {}), sent=True)
        if new.get("requestBody", {}).get("required") and not old.get("requestBody", {}).get("required"):
            yield f"{where}: body newly required"
        for status, response in old["responses"].items():
            if status >= "300":
                continue
            if status not in new["responses"]:
                yield f"{where}: answer {status} removed"
            else:
                yield from self._contents(f"{where}: answer", response, new["responses"][status], sent=False)

    def _parameters(self, operation: Json, document: Json) -> dict[tuple[str, str], Json]:
        found = [_resolved(one, document) for one in operation.get("parameters", ())]
        return {(one["in"], one["name"]): one for one in found}

    def _contents(self, where: str, old: Json, new: Json, *, sent: bool) -> Iterator[str]:
        for kind, content in old.get("content", {}).items():
            if kind not in new.get("content", {}):
                yield f"{where}: {kind} removed"
            else:
                yield from self._schema(where, content["schema"], new["content"][kind]["schema"], sent=sent)

    def _schema(self, where: str, old: Json, new: Json, *, sent: bool) -> Iterator[str]:
        """Compare schemas: of what is sent nothing may be narrowed, of what is shown nothing may go or widen."""
        visit = (old.get("$ref", ""), new.get("$ref", ""), sent)
        if visit[0] and visit[1]:
            if visit in self._under_way:
                return
            self._under_way.add(visit)
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        narrow, wide = (old, new) if sent else (new, old)
        if lost := _kinds(narrow, self._old if sent else self._new) - _kinds(wide, self._new if sent else self._old):
            yield f"{where}: {'no longer takes' if sent else 'may now be'} {', '.join(sorted(lost))}"
        # A value more in an answer is no breach (callers are told to expect new ones), nor is one more that is taken.
        if "enum" in new and (gone := _values(old) - _values(new)):
            yield f"{where}: values {', '.join(sorted(gone))} removed"
        if sent:
            yield from _bounds(where, old, new)
        yield from self._members(where, old, new, sent=sent)
        if "items" in old and "items" in new:
            yield from self._schema(f"{where}[]", old["items"], new["items"], sent=sent)
        yield from self._choices(where, old, new, sent=sent)

    def _members(self, where: str, old: Json, new: Json, *, sent: bool) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, member in before.items():
            if name not in after:
                yield f"{where}.{name}: removed"
            else:
                yield from self._schema(f"{where}.{name}", member, after[name], sent=sent)
        required = set(new.get("required", ())) - set(old.get("required", ()))
        if sent and before and required:
            yield f"{where}: {', '.join(sorted(required))} newly required"
        promised = set(old.get("required", ())) - set(new.get("required", ()))
        if not sent and promised & set(after):
            yield f"{where}: {', '.join(sorted(promised & set(after)))} no longer always there"

    def _choices(self, where: str, old: Json, new: Json, *, sent: bool) -> Iterator[str]:
        """Alternatives, matched by what they refer to or are."""
        after = {_name(one): one for one in new.get("anyOf", ())}
        for one in old.get("anyOf", ()):
            if _name(one) in after:
                yield from self._schema(where, one, after[_name(one)], sent=sent)
            elif after:
                yield f"{where}: alternative {_name(one)} removed"


def _bounds(where: str, old: Json, new: Json) -> Iterator[str]:
    for bound in sorted(_LEAST & new.keys()):
        if bound not in old or new[bound] > old[bound]:
            yield f"{where}: {bound} raised"
    for bound in sorted(_MOST & new.keys()):
        if bound not in old or new[bound] < old[bound]:
            yield f"{where}: {bound} lowered"
    for form in ("pattern", "format"):
        if form in new and new[form] != old.get(form):
            yield f"{where}: {form} changed"
    if new.get("additionalProperties") is False and old.get("additionalProperties", True) is not False:
        yield f"{where}: unknown members are now refused"


def _resolved(part: Json, document: Json) -> Json:
    while "$ref" in part:
        found: Any = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


def _kinds(schema: Json, document: Json) -> set[str]:
    schema = _resolved(schema, document)
    if "anyOf" in schema:
        return set().union(*(_kinds(one, document) for one in schema["anyOf"]))
    kinds = schema.get("type", [])
    return {kinds} if isinstance(kinds, str) else set(kinds)


def _values(schema: Json) -> set[str]:
    return {str(one) for one in schema.get("enum", ["anything else"])}


def _name(schema: Json) -> str:
    return str(schema.get("$ref") or schema.get("format") or schema.get("type"))
