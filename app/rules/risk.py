"""The level of a risk: our own judgement of one vulnerability, never the index that Bawaslu publishes (IKP)."""

from __future__ import annotations

from typing import Final

from app.rules.vocabulary import RiskLevel

#: Likelihood and impact are each judged from 1 to this.
HIGHEST: Final = 5
#: The least product of likelihood and impact (1 to 25) at which each level begins, highest first.
LEVELS: Final = (
    (15, RiskLevel.CRITICAL),
    (10, RiskLevel.HIGH),
    (5, RiskLevel.MEDIUM),
    (1, RiskLevel.LOW),
)


def level(likelihood: int, impact: int) -> RiskLevel:
    """The level of a risk of this likelihood and impact, each 1 to 5; raises ValueError beyond."""
    if not {likelihood, impact} <= set(range(1, HIGHEST + 1)):
        raise ValueError((likelihood, impact))
    return next(level for least, level in LEVELS if likelihood * impact >= least)
