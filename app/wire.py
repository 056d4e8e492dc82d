"""JSON from the wire, read strictly: whatever JSON leaves open is refused, and no refusal repeats the input."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, NoReturn

from app.errors import (
    Fault,
    InvalidParameter,
    JsonDepth,
    JsonDuplicateKey,
    JsonNumber,
    MalformedJson,
    TextEncoding,
)

DEPTH: Final = 16
LISTED: Final = 20
INTEGERS: Final = range(-(2**63), 2**63)

_PLANE_ENDS: Final = "".join(rf"\U{plane:04x}fffe-\U{plane:04x}ffff" for plane in range(17))
_FORBIDDEN: Final = (
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # C0 and C1 controls, except tab, line feed and carriage return
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional controls
    r"\ud800-\udfff\ufeff\ufdd0-\ufdef" + _PLANE_ENDS + "]"  # lone surrogates, byte order mark, noncharacters
)
_UNACCEPTABLE: Final = re.compile(_FORBIDDEN)
# Only these three escapes can bring a forbidden character into text that shows none.
_SUSPECT: Final = re.compile(_FORBIDDEN + r"|\\[bfu]")
# A string is optional at its end, and possessive: an unterminated one is consumed once, not once per quote.
_BRACKETS: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)
_ENUM: Final = re.compile(r"<[A-Za-z_.]+: ('[a-z_]+')>")  # how Python spells a member of an enumeration
# A run of digits is somebody's number, no name.
_NAMEABLE: Final = re.compile(r"(?!.*\d{6})[A-Za-z0-9_.~/:-]{1,64}")

# Types of pydantic's errors, or their first words; our code; English; Indonesian. Braces take only what is ours.
_ROWS: Final = (
    ("missing union_tag_not_found", "missing", "This is required.", "Ini wajib diisi."),
    ("extra_forbidden", "unknown", "Nothing of this name is known here.", "Nama ini tidak dikenal di sini."),
    ("string", "string", "This must be text.", "Ini harus berupa teks."),
    ("string_too_short", "too-short", "At least {min_length} characters.", "Sedikitnya {min_length} karakter."),
    ("string_too_long", "too-long", "At most {max_length} characters.", "Paling banyak {max_length} karakter."),
    ("string_pattern_mismatch", "pattern", "This must match {pattern}", "Ini harus cocok dengan {pattern}"),
    ("int", "integer", "This must be a whole number.", "Ini harus berupa bilangan bulat."),
    ("float decimal finite", "number", "This must be a number.", "Ini harus berupa angka."),
    ("bool", "boolean", "This must be true or false.", "Ini harus true atau false."),
    ("list tuple set iterable", "list", "This must be a list.", "Ini harus berupa daftar."),
    ("dict mapping model", "object", "This must be an object.", "Ini harus berupa objek."),
    ("too_short", "too-few", "At least {min_length} items.", "Sedikitnya {min_length} butir."),
    ("too_long", "too-many", "At most {max_length} items.", "Paling banyak {max_length} butir."),
    ("enum literal", "choice", "This must be {expected}.", "Ini harus {expected}."),
    ("union_tag_invalid", "choice", "Choose one of {expected_tags}.", "Pilih salah satu dari {expected_tags}."),
    ("uuid", "uuid", "This must be a UUID.", "Ini harus berupa UUID."),
    ("date", "date", "This must be a date like 2024-11-27.", "Ini harus berupa tanggal seperti 2024-11-27."),
    ("datetime", "datetime", "This must be an RFC 3339 time.", "Ini harus berupa waktu RFC 3339."),
    ("date_past datetime_past", "past", "This must lie in the past.", "Ini harus sudah lewat."),
    ("date_future datetime_future", "future", "This must lie in the future.", "Ini harus di masa depan."),
    ("timezone", "timezone", "The time needs its offset, +07:00 or Z.", "Waktu perlu selisihnya, +07:00 atau Z."),
    ("greater_than", "too-small", "This must be greater than {gt}.", "Ini harus lebih besar dari {gt}."),
    ("greater_than_equal", "too-small", "This must be at least {ge}.", "Ini harus sedikitnya {ge}."),
    ("less_than", "too-large", "This must be less than {lt}.", "Ini harus kurang dari {lt}."),
    ("less_than_equal", "too-large", "This must be at most {le}.", "Ini harus paling besar {le}."),
    ("url", "url", "This must be a valid URL.", "Ini harus berupa URL yang sah."),
    ("text", "text-encoding", "Control characters are refused.", "Karakter kendali ditolak."),
    ("percent", "percent-encoding", "Send printable UTF-8, percent-encoded.", "Kirim UTF-8 dengan sandi persen."),
    ("invalid", "invalid", "This value is not acceptable.", "Nilai ini tidak dapat diterima."),
)
_SENTENCES: Final = {name: sentence for names, *sentence in _ROWS for name in names.split()}


def decode(body: bytes) -> Any:
    """The value that `body` holds as strict JSON.

    Raises MalformedJson, JsonDepth, JsonDuplicateKey, JsonNumber, TextEncoding.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedJson from None
    _refuse_depth(text)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError:
        raise MalformedJson from None
    if _SUSPECT.search(text) and (faults := tuple(islice(text_faults(value), LISTED))):
        raise TextEncoding(errors=faults)
    return value


def text_faults(value: Any, *at: str | int) -> Iterator[Fault]:
    """One fault for each text, key or value, in `value` that may not be stored; `at` is where `value` itself stands."""
    match value:
        case str() if not acceptable(value):
            yield fault("text", pointer=pointer(at))
        case dict():
            for key, member in value.items():
                if acceptable(key):
                    yield from text_faults(member, *at, key)
                else:
                    yield fault("text", pointer=pointer(at))
        case list():
            for index, member in enumerate(value):
                yield from text_faults(member, *at, index)


def refuse_text(text: str, *, parameter: str) -> None:
    """Hold a query, path or header parameter to the rule for text in bodies; raises InvalidParameter."""
    if not acceptable(text):
        raise InvalidParameter(errors=[fault("text", parameter=parameter)])


def acceptable(text: str) -> bool:
    """Whether `text` is free of control characters, bidirectional controls, surrogates and noncharacters."""
    return _UNACCEPTABLE.search(text) is None


def pointer(parts: Iterable[str | int]) -> str:
    """The JSON pointer (RFC 6901) to `parts`, ending above the first key too long or too odd to be repeated."""
    steps = []
    for part in map(str, parts):
        if not nameable(part):
            break
        steps.append("/" + part.replace("~", "~0").replace("/", "~1"))
    return "".join(steps)


def nameable(name: str) -> bool:
    """Whether a name chosen by the caller is plain, short and free of numbers enough to be repeated in an answer."""
    return _NAMEABLE.fullmatch(name) is not None


def fault(
    kind: str, facts: Mapping[str, Any] | None = None, *, pointer: str | None = None, parameter: str | None = None
) -> Fault:
    """What to say of one `kind` of error, a type of pydantic's with its `ctx`, at a place in the input.

    Where the facts hold `en` and `id`, these are the sentences and the kind is the code.
    """
    facts = {name: _ENUM.sub(r"\1", fact) if isinstance(fact, str) else fact for name, fact in (facts or {}).items()}
    if "en" in facts and "id" in facts:
        return Fault(code=kind, en=facts["en"], id=facts["id"], pointer=pointer, parameter=parameter)
    family, _, _ = kind.partition("_")
    code, en, local = _SENTENCES.get(kind) or _SENTENCES.get(family) or _SENTENCES["invalid"]
    local = local.format_map(facts).replace("' or '", "' atau '")
    return Fault(code=code, en=en.format_map(facts), id=local, pointer=pointer, parameter=parameter)


def parameter_fault(error: Mapping[str, Any]) -> Fault:
    """The fault behind an error of pydantic's about a query, path, header or cookie parameter."""
    source, *names = map(str, error["loc"])
    return fault(error["type"], error.get("ctx"), parameter=names[0] if names and nameable(names[0]) else source)


def body_fault(error: Mapping[str, Any], body: Any) -> Fault:
    """The fault behind an error of pydantic's about `body`; of its `loc` only steps that lead through the body count.

    The other steps name members of unions and the like; a missing member is the one step that leads nowhere.
    """
    _, *loc = error["loc"]
    steps: list[str | int] = []
    for left, step in zip(reversed(range(len(loc))), loc, strict=True):
        match body:
            case Mapping() if step in body:
                body = body[step]
            case list() if isinstance(step, int) and step < len(body):
                body = body[step]
            case _ if left or error["type"] != "missing":
                continue
        steps.append(step)
    return fault(error["type"], error.get("ctx"), pointer=pointer(steps))


def _refuse_depth(text: str) -> None:
    """Count brackets before anything recurses; raises JsonDepth."""
    if text.count("[") + text.count("{") <= DEPTH:
        return
    depth = 0
    for token in _BRACKETS.finditer(text):
        mark = text[token.start()]
        if mark in "[{":
            depth += 1
            if depth > DEPTH:
                raise JsonDepth(limit=DEPTH)
        elif mark in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise JsonDuplicateKey
    return members


def _integer(digits: str) -> int:
    # Twenty characters hold every 64-bit integer; longer texts would cost quadratic time to convert.
    if len(digits) > len(str(INTEGERS.start)) or (number := int(digits)) not in INTEGERS:
        raise JsonNumber
    return number


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise JsonNumber
    return number


def _constant(_: str) -> NoReturn:
    raise JsonNumber


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_finite, parse_constant=_constant
)
