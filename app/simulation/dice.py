"""Chance by seed: what falls, falls again for the same seed and number; ids and instants made of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Final, TypeVar

T = TypeVar("T")

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# an odd factor: all numbers below that many change places
_TAILS: Final = 1 << 30
_FACTOR: Final = 0x2F6B19D5
_OFFSET: Final = 0x1D3A77C9


class Dice:
    """The chance of one thing, a task or a client, by the seed of the nation and the number of the thing."""

    def __init__(self, seed: int, of: str) -> None:
        self._random = Random(f"{seed} {of}")  # noqa: S311 - made up, and the same again for the same seed
        self.roll = self._random.random
        self._bits = self._random.getrandbits
        self._row = self._bits(10)

    def happens(self, chance: float) -> bool:
        """Whether something of this probability happens."""
        return self.roll() < chance

    def one_of(self, items: Sequence[T]) -> T:
        """Any of them, each as likely."""
        return items[int(self.roll() * len(items))]

    def weighted(self, items: Sequence[T], bounds: Sequence[float]) -> T:
        """Any of them, by cumulative weights."""
        return self._random.choices(items, cum_weights=bounds)[0]

    def between(self, least: float, most: float) -> float:
        """A number between these."""
        return least + (most - least) * self.roll()

    def about(self, typical: float) -> float:
        """A positive number with a long tail, half of them below the typical one."""
        return typical * self._random.lognormvariate(0.0, 0.7)

    def salt(self) -> str:
        """16 bytes in hex, as `app.evidence` salts what it commits to: by seed, for nothing here is to be kept."""
        return f"{self._bits(128):032x}"

    def id(self, at: datetime) -> str:
        """A UUIDv7 of an instant; those of one thing sort in the order in which they were made, too."""
        self._row += 1
        milliseconds = int(at.timestamp() * 1000)
        made = f"{milliseconds << 80 | 7 << 76 | (self._row & 0xFFF) << 64 | 2 << 62 | self._bits(62):032x}"
        return f"{made[:8]}-{made[8:12]}-{made[12:16]}-{made[16:20]}-{made[20:]}"


def tail(number: int) -> str:
    """The last part of a reference: six characters that no other number has (Crockford's base 32)."""
    left = (number * _FACTOR + _OFFSET) % _TAILS
    return "".join([_CROCKFORD[left >> shift & 31] for shift in range(25, -1, -5)])
