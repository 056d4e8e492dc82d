"""Webhooks in words, and when a delivery is tried again."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

#: One agency's webhooks.
MOST: Final = 20
#: Of one agency's webhooks, how many are served at once, by however many processes.
AT_ONCE: Final = 4
#: Of one webhook, how many deliveries may be asked for out of order and not yet have been tried.
MOST_ASKED: Final = 50


class WebhookStatus(StrEnum):
    """Whether a webhook is delivered to: paused by its agency, or parked by us because nobody answered for days."""

    ACTIVE = "active"
    PAUSED = "paused"
    PARKED = "parked"


class SignatureScheme(StrEnum):
    """How deliveries are signed (Standard Webhooks): Ed25519, or HMAC-SHA-256 under a shared secret."""

    V1A = "v1a"
    V1 = "v1"


class DeliveryStatus(StrEnum):
    """Where a delivery stands: asked for, delivered, to be tried again in its turn, or tried once and failed."""

    ASKED = "asked"
    DELIVERED = "delivered"
    FAILING = "failing"
    FAILED = "failed"


class Failure(StrEnum):
    """Why a delivery failed, in our words; a receiver's own are never kept."""

    TARGET_NOT_ALLOWED = "target_not_allowed"
    DNS = "dns"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    REFUSED = "refused"
    TLS = "tls"
    TIMEOUT = "timeout"
    BROKEN = "broken"
    PROTOCOL = "protocol"
    REDIRECT = "redirect"
    GONE = "gone"
    STATUS = "status"
    NOT_HEARD = "not_heard"
    SECRET = "secret"  # noqa: S105 - the word for a key that does not open


def failure_of(status: int) -> Failure | None:
    """What a receiver's status amounts to; None: delivered."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return Failure.REDIRECT
    return Failure.GONE if status == 410 else Failure.STATUS


class Patience(NamedTuple):
    """How a receiver that fails is tried again: the first delay, the longest one, and when it is given up."""

    first: timedelta
    longest: timedelta
    whole: timedelta


def next_try(
    patience: Patience, *, attempts: int, since: datetime, at: datetime, failure: Failure, chance: float
) -> datetime | None:
    """When to try again after so many failed attempts, the first of them at `since`; None: park it.

    The delay is drawn evenly (`chance`, 0 to 1) from nothing to a bound that doubles (full jitter), and the last try
    falls at the end of the patience, not after it.
    """
    end = since + patience.whole
    if failure is Failure.GONE or at >= end:
        return None
    bound = min(patience.longest, patience.first * (1 << min(attempts - 1, 30)))
    return min(at + chance * bound, max(end, at))
