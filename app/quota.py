"""How much a client, an agency and an unknown address may ask for: 429, and the headers that say what is left.

Counted in the memory of this process: several processes allow several times as much.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from typing import Final

from fastapi import Request
from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from app.errors import QuotaExceeded
from app.rules.caller import Caller
from app.settings import Settings

#: Addresses and guessed client ids come from strangers: no more of them are told apart at a time.
STRANGERS: Final = 2_000
_CROWD: Final = "*"

Spent = Sequence[tuple[str, RateLimitItem, str]]  # the name of a policy, its limit, and who is counted


class Quota:
    """The counters of one process: what callers spend, and what strangers get wrong, kept apart."""

    def __init__(self, settings: Settings) -> None:
        self._client, self._agency = parse(settings.client_rate), parse(settings.agency_rate)
        self._failures, self._grants = parse(settings.failure_rate), parse(settings.grant_failure_rate)
        self._wrong = MemoryStorage()
        self._callers = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._strangers = SlidingWindowCounterRateLimiter(self._wrong)

    async def spend(self, request: Request, caller: Caller) -> None:
        """Count a request, once, for its client and its agency, and say what is left; raises QuotaExceeded."""
        if hasattr(request.state, "counted"):
            return  # the guard looks at a caller again before it lets it write
        request.state.counted = True
        await _spend(self._callers, request, self._whose(caller))

    async def spend_more(self, request: Request, caller: Caller, count: int) -> None:
        """Count what a request holds beyond the one that it is counted as; raises QuotaExceeded."""
        if count:
            await _spend(self._callers, request, self._whose(caller), cost=count)

    def _whose(self, caller: Caller) -> Spent:
        spent = [("client", self._client, str(caller.client_id))]
        if caller.agency is not None:
            spent.append(("agency", self._agency, caller.agency))
        return spent

    async def blame(self, request: Request) -> None:
        """Count a request without a good token for its address, whose good tokens are not concerned.

        Raises QuotaExceeded.
        """
        network = self._known(self._failures, network_of(request))
        await _spend(self._strangers, request, [("failures", self._failures, network)])

    async def blame_grant(self, request: Request, client_id: str) -> None:
        """Count failed credentials for the client at this address, and for the address.

        The right ones are always looked at: nobody can shut a client out by failing in its name. Raises QuotaExceeded.
        """
        pair = self._known(self._grants, _pair(request, client_id))
        await self.blame(request)
        if not await self._strangers.hit(self._grants, pair):
            raise await _exceeded(self._strangers, self._grants, pair)

    def _known(self, limit: RateLimitItem, who: str) -> str:
        """Who is counted: all strangers beyond the bound together."""
        if len(self._wrong.expirations) < STRANGERS:
            return who
        seen = self._wrong.sliding_window_keys(limit.key_for(who), limit.get_expiry(), time.time())
        return who if any(key in self._wrong.expirations for key in seen) else _CROWD


async def _spend(limiter: SlidingWindowCounterRateLimiter, request: Request, spent: Spent, *, cost: int = 1) -> None:
    exceeded = None
    for _, limit, who in spent:
        if exceeded is None and not await limiter.hit(limit, who, cost=cost):
            exceeded = await _exceeded(limiter, limit, who)
    left = [(name, await limiter.get_window_stats(limit, who)) for name, limit, who in spent]
    now = time.time()
    policies = ", ".join(f'"{name}";q={limit.amount};w={limit.get_expiry()}' for name, limit, _ in spent)
    standing = ", ".join(
        f'"{name}";r={stats.remaining};t={max(0, ceil(stats.reset_time - now))}' for name, stats in left
    )
    request.state.quota_headers = ((b"ratelimit-policy", policies.encode()), (b"ratelimit", standing.encode()))
    if exceeded is not None:
        raise exceeded


async def _exceeded(limiter: SlidingWindowCounterRateLimiter, limit: RateLimitItem, who: str) -> QuotaExceeded:
    wait = (await limiter.get_window_stats(limit, who)).reset_time - time.time()
    return QuotaExceeded(headers={"Retry-After": str(max(1, ceil(wait)))})


def _pair(request: Request, client_id: str) -> str:
    return f"{network_of(request)} {client_id[:36]}"


def network_of(request: Request) -> str:
    """The address of the caller; of IPv6 the /64, all of which one subscriber has."""
    given = request.client.host if request.client else ""
    try:
        address = ip_address(given)
    except ValueError:
        return given
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((address.packed, 64), strict=False))
    return given
