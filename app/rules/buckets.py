"""Into which shares statistics part a length of time."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final


class Age(StrEnum):
    """How long ago a task was logged, if it is still open."""

    WEEK = "up_to_7_days"
    MONTH = "up_to_30_days"
    QUARTER = "up_to_90_days"
    OLDER = "over_90_days"
    ENDED = "ended"


class Lateness(StrEnum):
    """How far a moment lies behind what was due."""

    NOT_LATE = "not_late"
    DAY = "up_to_1_day"
    WEEK = "up_to_7_days"
    MONTH = "up_to_30_days"
    OLDER = "over_30_days"


#: Each share with its upper bound in days; whatever is longer belongs to OLDER.
AGES: Final[Sequence[tuple[Age, int]]] = ((Age.WEEK, 7), (Age.MONTH, 30), (Age.QUARTER, 90))
LATENESS: Final[Sequence[tuple[Lateness, int]]] = ((Lateness.DAY, 1), (Lateness.WEEK, 7), (Lateness.MONTH, 30))
