"""JSON from the wire: what is read, and what is refused without being repeated."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import (
    InvalidParameter,
    JsonDepth,
    JsonDuplicateKey,
    JsonNumber,
    MalformedJson,
    Problem,
    TextEncoding,
)
from app.wire import DEPTH, LISTED, acceptable, body_fault, decode, fault, parameter_fault, pointer, refuse_text

CANARY = "kanari"
FALLBACK = "invalid", "This value is not acceptable.", "Nilai ini tidak dapat diterima."

texts = st.text().filter(acceptable)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    scalars | texts,
    lambda members: st.lists(members, max_size=5) | st.dictionaries(texts, members, max_size=5),
    max_leaves=DEPTH - 1,
)


def depth(value: Any) -> int:
    """How many containers stand inside one another."""
    match value:
        case dict():
            return 1 + max(map(depth, value.values()), default=0)
        case list():
            return 1 + max(map(depth, value), default=0)
        case _:
            return 0


@given(
    value=values.filter(lambda value: depth(value) <= DEPTH),
    write=st.sampled_from([json.dumps, partial(json.dumps, ensure_ascii=False)]),
)
def test_whatever_json_writes_within_the_limits_reads_back_equal(value: Any, write: Callable[[Any], str]) -> None:
    assert decode(write(value).encode()) == value


@given(body=st.binary())
def test_any_bytes_are_read_or_refused_by_a_problem(body: bytes) -> None:
    with suppress(Problem):
        decode(body)


@given(text=st.text(alphabet='[]{}",:\\u0 d8tn1e', max_size=60))
def test_anything_that_resembles_json_is_read_or_refused_by_a_problem(text: str) -> None:
    with suppress(Problem):
        decode(text.encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"\xef\xbb\xbf{}",
        b"{",
        b"{}{}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b"[01]",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\xc0\x80"',
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-32-le"),
        b'"raw \x00"',
        b'"raw\ttab"',
        b'"never ends',
        b"nul",
    ],
)
def test_what_is_not_utf_8_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedJson):
        decode(body)


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_sixteen_levels_are_read_and_a_thousand_are_refused(opening: str) -> None:
    closing = opening[::-1].translate(str.maketrans("[{", "]}", 'a":'))
    levels = DEPTH // len(closing)
    assert depth(decode((opening * levels + "0" + closing * levels).encode())) == DEPTH
    for more in (levels + 1, 1_000, 100_000):
        with pytest.raises(JsonDepth) as refused:
            decode((opening * more + "0" + closing * more).encode())
        assert refused.value.facts == {"limit": DEPTH}


def test_brackets_inside_text_are_no_levels() -> None:
    text = '[{"\\' * 50
    assert decode(json.dumps([text, {text: text}]).encode()) == [text, {text: text}]


@pytest.mark.parametrize(
    "body", [b'"' + b'\\"' * 32_000 + b"[" * 20, b'"\\""' * 16_000, b"[" * 65_536, b"[]," * 21_000, b"9" * 65_536]
)
def test_no_body_of_64_kib_takes_long_to_refuse(body: bytes) -> None:
    began = perf_counter()
    with pytest.raises(Problem):
        decode(body)
    assert perf_counter() - began < 1


@pytest.mark.parametrize("body", [b'{"a":1,"a":1}', b'{"a":1,"\\u0061":2}', b'[{"b":{"":1,"":2}}]'])
def test_a_key_named_twice_is_refused(body: bytes) -> None:
    with pytest.raises(JsonDuplicateKey):
        decode(body)


@pytest.mark.parametrize(
    "number",
    ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9223372036854775808", "-9223372036854775809", "9" * 5_000],
)
def test_a_number_that_cannot_be_kept_is_refused(number: str) -> None:
    with pytest.raises(JsonNumber):
        decode(b'{"a": [%s]}' % number.encode())


def test_the_ends_of_64_bits_are_read() -> None:
    assert decode(b"[9223372036854775807, -9223372036854775808]") == [2**63 - 1, -(2**63)]


@pytest.mark.parametrize(
    "mark",
    [
        *map(chr, (0, 1, 8, 0x0B, 0x0C, 0x1F, 0x7F, 0x80, 0x85, 0x9F)),
        *map(chr, (0xD800, 0xDBFF, 0xDC00, 0xDFFF)),
        *map(chr, (0x061C, 0x200E, 0x200F, 0x202A, 0x202E, 0x2066, 0x2069)),
        *map(chr, (0xFEFF, 0xFDD0, 0xFDEF, 0xFFFE, 0xFFFF, 0x1FFFE, 0x10FFFF)),
    ],
)
def test_a_character_that_hides_or_breaks_text_is_refused_where_it_stands(mark: str) -> None:
    with pytest.raises(TextEncoding) as refused:
        decode(json.dumps({"title": "fine", "notes": ["fine", f"a{mark}b"]}).encode())
    assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [("/notes/1", "text-encoding")]
    with pytest.raises(TextEncoding) as refused:
        decode(json.dumps({"facts": {f"a{mark}": 1}}).encode())
    assert [fault.pointer for fault in refused.value.errors] == ["/facts"]


def test_raw_bidirectional_controls_are_refused_as_escaped_ones() -> None:
    with pytest.raises(TextEncoding):
        decode('{"a": "\u202e"}'.encode())


def test_tab_line_feed_return_and_astral_characters_are_text() -> None:
    assert decode(rb'["\t\n\r\\b \ud83d\ude00", "Pemilih di \u00c9"]') == ["\t\n\r\\b 😀", "Pemilih di É"]


def test_faults_are_listed_up_to_a_limit() -> None:
    with pytest.raises(TextEncoding) as refused:
        decode(json.dumps(["\0"] * 500).encode())
    assert len(refused.value.errors) == LISTED


@pytest.mark.parametrize(
    "body",
    [
        b'{"kanari": "kanari\\u0000"}',
        b'{"kanari <b>\\u0000": 1}',
        b'{"kanari <b>": "\\u0000"}',
        b'{"kanari": kanari}',
        b'{"kanari": 1, "kanari": 2}',
        b'["kanari", 1e999]',
        b'"kanari' + b"[" * 99,
        b"[" * 99 + b'"kanari"',
    ],
)
def test_no_refusal_repeats_a_value(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        decode(body)
    shown = json.dumps(refused.value.document(language="en", instance="/", request_id=""))
    assert CANARY not in shown.replace("/kanari", "")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((), ""),
        (("a", 0, "b"), "/a/0/b"),
        (("a/b", "c~d"), "/a~1b/c~0d"),
        (("a", "<script>", "b"), "/a"),
        (("a", "x" * 65, "b"), "/a"),
        (("a", "", "b"), "/a"),
    ],
)
def test_a_pointer_is_escaped_and_ends_above_a_key_not_fit_to_be_repeated(
    parts: tuple[Any, ...], expected: str
) -> None:
    assert pointer(parts) == expected


def test_a_parameter_is_held_to_the_same_rule() -> None:
    refuse_text("gudang banjir\n", parameter="q")
    with pytest.raises(InvalidParameter) as refused:
        refuse_text("gudang\u202e", parameter="q")
    assert [(fault.parameter, fault.code) for fault in refused.value.errors] == [("q", "text-encoding")]


@pytest.mark.parametrize(
    ("kind", "facts", "code", "en", "local"),
    [
        ("int_from_float", {}, "integer", "This must be a whole number.", "Ini harus berupa bilangan bulat."),
        ("enum", {"expected": "'a' or 'b'"}, "choice", "This must be 'a' or 'b'.", "Ini harus 'a' atau 'b'."),
        ("mixed-script", {"en": "One script.", "id": "Satu aksara."}, "mixed-script", "One script.", "Satu aksara."),
        ("value_error", {"error": ValueError(CANARY)}, *FALLBACK),
        ("never_heard_of", {}, *FALLBACK),
    ],
)
def test_an_error_has_a_sentence_in_both_languages(
    kind: str, facts: dict[str, Any], code: str, en: str, local: str
) -> None:
    said = fault(kind, facts, pointer="/a")
    assert (said.code, said.en, said.id, said.pointer) == (code, en, local, "/a")


@pytest.mark.parametrize(
    ("loc", "kind", "expected"),
    [
        (("body", "letters", 1, "date"), "missing", "/letters/1/date"),
        (("body", "letters", 0, "Letter", "date"), "date_type", "/letters/0/date"),
        (("body", "letters", 0, "list[str]", 7), "string_type", "/letters/0"),
        (("body", "facts", "odd key", "[key]"), "string_type", "/facts"),
        (("body",), "missing", ""),
    ],
)
def test_a_body_fault_points_through_the_body_and_past_the_names_of_unions(
    loc: tuple[Any, ...], kind: str, expected: str
) -> None:
    body = {"letters": [{"date": 1}, {}], "facts": {"odd key": 1}}
    assert body_fault({"loc": loc, "type": kind}, body).pointer == expected


def test_a_parameter_fault_names_the_parameter_unless_its_name_is_odd() -> None:
    assert parameter_fault({"loc": ("query", "limit"), "type": "int_parsing"}).parameter == "limit"
    assert parameter_fault({"loc": ("query", "<script>"), "type": "extra_forbidden"}).parameter == "query"
