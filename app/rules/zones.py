"""The time zones of Indonesia: three offsets, and no summer time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta, timezone
from typing import Final

from app.rules.law import WIB

#: IANA name of a region's zone -> its offset, named as people write it behind a time.
ZONES: Final[Mapping[str, timezone]] = {
    "Asia/Jakarta": WIB,
    "Asia/Makassar": timezone(timedelta(hours=8), "WITA"),
    "Asia/Jayapura": timezone(timedelta(hours=9), "WIT"),
}
