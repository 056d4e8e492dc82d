"""SQL as text: parameters and literals, limits, instants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.dialects.postgresql.asyncpg import dialect

#: Row limits as literals: `LIMIT $n` makes PostgreSQL plan anew every time.
_LIMITS: Final = (2, 11, 26, 51, 101, 201, 501)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as the driver takes it, and the names of its parameters in their order."""

    clause: TextClause
    driver_sql: str
    names: tuple[str, ...]


def statement(sql: str, values: dict[str, Any]) -> Statement:
    """A statement for these values: parameters as `:name`, truths and words of enumerations written into it."""
    return _written(
        sql, tuple((name, literal) for name, one in values.items() if (literal := _literal(one)) is not None)
    )


@lru_cache(maxsize=1024)
def _written(sql: str, literals: tuple[tuple[str, str], ...]) -> Statement:
    written = dict(literals)
    clause = text(_PARAMETER.sub(lambda found: written.get(found[1], found[0]), sql) if written else sql)
    compiled = clause.compile(dialect=_DIALECT)
    return Statement(clause, str(compiled), tuple(compiled.positiontup or ()))


_DIALECT: Final = dialect()  # type: ignore[no-untyped-call]
_PARAMETER: Final = re.compile(r"(?<![:\\]):(\w+)")


def _literal(content: object) -> str | None:
    """SQL of a truth or of words of an enumeration, which are few; None for whatever else a parameter holds.

    Written into the statement, they are seen by a plan that is made once for all parameters: the one for a caller who
    sees the whole nation is not the one for a city, nor is what finds nobody's drafts what finds everybody's tasks.
    """
    if isinstance(content, bool):
        return "true" if content else "false"
    if isinstance(content, list) and content and all(isinstance(one, StrEnum) for one in content):
        return f"cast('{{{','.join(content)}}}' as text[])"
    return None


def quoted(content: object) -> str:
    """SQL: a text, or null, as a literal, for a statement that goes without parameters; raises ValueError for NUL."""
    if content is None:
        return "null"
    text = str(content)
    if "\0" in text:
        raise ValueError(text)
    return "'" + text.replace("'", "''") + "'"


def limit_literal(limit: int) -> int:
    """The smallest allowed literal that fetches `limit` rows and one more, which tells whether there is a next page."""
    return next(literal for literal in _LIMITS if literal > limit)


def utc(column: str) -> str:
    """SQL: an instant inside a JSON document, spelled as `encode` spells it."""
    return f"replace(to_char({column}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), '.000000', '') || 'Z'"
