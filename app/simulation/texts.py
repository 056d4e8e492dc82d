"""The words of tasks."""

from __future__ import annotations

from app.simulation.dice import Dice
from app.simulation.matters import ANY_SUBJECT, CLOSING, DEEDS, SENTENCES, SUBJECTS, Matter


def told(dice: Dice, matter: Matter, place: str) -> tuple[str, str]:
    """Title and description of a task."""
    deed = dice.one_of(DEEDS[matter.function].split("|"))
    subject = dice.one_of(SUBJECTS.get(matter.category, ANY_SUBJECT).split("|"))
    said = [dice.one_of(SENTENCES) for _ in range(1 + int(dice.roll() * 3))]
    return f"{deed} {subject} di {place}", " ".join(dict.fromkeys(said))


def closing(dice: Dice, required: tuple[str, ...]) -> dict[str, str | int]:
    """The facts that the closing requirements ask for."""
    return {name: _fact(dice, CLOSING[name]) for name in required}


def _fact(dice: Dice, asked: tuple[int, int] | str) -> str | int:
    return asked if isinstance(asked, str) else int(dice.between(*asked))
