"""Kemendagri region codes: the code is the tree."""

from __future__ import annotations

import re
from typing import Final

CODE: Final = r"^[0-9]{2}(\.[0-9]{2}(\.[0-9]{2}(\.[123][0-9]{3})?)?)?$"
_CODE: Final = re.compile(CODE)


def is_code(text: str) -> bool:
    """Whether the text has the form of a region code."""
    return _CODE.fullmatch(text) is not None


def path(code: str) -> tuple[str, ...]:
    """The region and all above it, widest first: 35.73.05 gives 35, 35.73, 35.73.05."""
    parts = code.split(".")
    return tuple(".".join(parts[:n]) for n in range(1, len(parts) + 1))


def covers(region: str, incident: str) -> bool:
    """Whether a region holds the incident's region; the empty region is the whole country."""
    return not region or incident == region or incident.startswith(region + ".")


def seat(code: str) -> str:
    """The regency or city in which a region lies, or the province itself."""
    return path(code)[:2][-1]
