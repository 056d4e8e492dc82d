"""Annotated types that inputs and outputs share."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from app.rules import regions, words

_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_BLANK: Final = re.compile(r" (\d{2}:\d{2})$", re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 1945, 2100


class Command(BaseModel):
    """What a caller sends: unknown members are refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Shown(BaseModel):
    """What a caller is shown: every member is there."""

    # who serves sends bytes that the database made, and validates none: these are for documents and tests to build
    model_config = ConfigDict(extra="forbid", defer_build=True)


def _instant(value: Any) -> Any:
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise PydanticCustomError(
            "instant",
            "{en}",
            {
                "en": "Give an RFC 3339 date and time with its offset.",
                "id": "Berikan tanggal dan waktu RFC 3339 beserta selisih zonanya.",
            },
        )
    return value


def _query_instant(value: Any) -> Any:
    """In a query a bare `+` arrives as a blank: read it as it was meant."""
    return _instant(_BLANK.sub(r"+\1", value) if isinstance(value, str) else value)


def _day(value: Any) -> Any:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise PydanticCustomError(
            "day", "{en}", {"en": "Give a date as YYYY-MM-DD.", "id": "Berikan tanggal sebagai YYYY-MM-DD."}
        )
    return value


def _sane(value: date) -> date:
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise PydanticCustomError(
            "out_of_time",
            "{en}",
            {"en": "The year must lie between 1945 and 2100.", "id": "Tahun harus antara 1945 dan 2100."},
        )
    return value


def absent(description: str | None = None) -> Any:
    """A member of a merge patch that may be left out but not be null; look into `model_fields_set`."""
    return Field(default_factory=lambda: None, description=description)


def split(value: Any) -> Any:
    """Read `a,b` as two values; a repeated parameter counts as well."""
    if isinstance(value, str):
        value = [value]
    return [one for part in value for one in part.split(",")] if isinstance(value, list) else value


def distinct(values: list[Any]) -> list[Any]:
    """Refuse a list that names one thing twice."""
    if len(set(values)) != len(values):
        raise PydanticCustomError(
            "repeated", "{en}", {"en": "Name each only once.", "id": "Sebutkan masing-masing sekali saja."}
        )
    return values


def _findable(text: str) -> str:
    try:
        words.sought(text)
    except ValueError:
        said = {
            "en": f"Give one to {words.MOST_WORDS} words to look for; with - or a sign alone nothing is found.",
            "id": f"Berikan satu sampai {words.MOST_WORDS} kata yang dicari; tanda saja tidak menemukan apa pun.",
        }
        raise PydanticCustomError("nothing_to_find", "{en}", said) from None
    return text


WHEN: Final = (
    "When it happened; default now. Never in the future, nor before the record's previous one: date every step of an"
    " old story."
)

Instant = Annotated[
    AwareDatetime,
    AfterValidator(_sane),
    BeforeValidator(_instant),
    Field(examples=["2024-08-23T14:00:00+07:00"], json_schema_extra={"format": "date-time"}),
]
Limit = Annotated[int, Field(ge=1, le=200, description="Items on a page.")]
Cursor = Annotated[
    str | None,
    Field(max_length=500, description="`next_cursor` of the page before; with the same filters and `sort`."),
]
QueryInstant = Annotated[
    AwareDatetime,
    AfterValidator(_sane),
    BeforeValidator(_query_instant),
    Field(examples=["2024-08-23T14:00:00+07:00"], json_schema_extra={"format": "date-time"}),
]
Day = Annotated[date, AfterValidator(_sane), BeforeValidator(_day), Field(examples=["2024-08-23"])]
SEARCH: Final = (
    'Full text, by the stem of each Indonesian word: all words, `"a phrase"` as it stands, `-word` without it. Where no'
    " text that you may read holds them, words that are spelled alike are looked for. One to 12 words, of which one at"
    " least without `-`."
)
SearchText = Annotated[str, Field(min_length=1, max_length=200, examples=["gudang banjir"]), AfterValidator(_findable)]
Matched = Annotated[
    Literal["exactly", "nearly"] | None,
    Field(description="With `q`: `nearly` where only words that are spelled alike were found, else `exactly`."),
]
Line = Annotated[str, Field(min_length=1, max_length=200)]
Prose = Annotated[str, Field(min_length=1, max_length=10_000)]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", max_length=64)]
AgencyCode = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,63}$", max_length=64, examples=["BAWASLU_KOTA_MALANG"])]
MandateCode = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", max_length=64, examples=["M05"])]
InstrumentId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,79}$", max_length=80, examples=["uu_1_2015"])]
ElectionCode = Annotated[
    str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,63}$", max_length=64, examples=["pilkada-2024-35.73"])
]
RegionCode = Annotated[str, Field(pattern=regions.CODE, max_length=13, examples=["35.73.05"])]
ExternalReference = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\x21-\x7e]+$")]
Title = Annotated[str, Field(min_length=1, max_length=500)]
Source = Annotated[str, Field(min_length=1, max_length=1000)]
Url = Annotated[str, Field(max_length=500, pattern=r"^https?://[^\s]+$")]
