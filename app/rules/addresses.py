"""Which addresses of the internet we may be sent to: unicast that is really somebody's, and nothing near us.

A table of our own: what the standard library calls global includes ways around it (NAT64, 6to4, multicast on 3.11).
Sources: the IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and its successors).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: What no public service stands on, and why.
REFUSED: Final[dict[str, str]] = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared by carriers; metadata of one cloud",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "the platform of one cloud, from inside it",
    "169.254.0.0/16": "link-local, with the metadata of most clouds",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "protocol assignments; metadata of one cloud",
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "AS112",
    "192.52.193.0/24": "AMT",
    "192.88.99.0/24": "6to4 relays",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "AS112",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved, and broadcast",
    "2001::/23": "protocol assignments: Teredo, benchmarking, ORCHID",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4: an IPv4 address inside",
    "2620:4f:8000::/48": "AS112",
    "3fff::/20": "documentation",
}
#: All other IPv6 is refused: loopback, IPv4 inside (mapped, compatible, NAT64), link-local, unique local, multicast.
_UNICAST: Final = IPv6Network("2000::/3")
_REFUSED: Final = [ip_network(one) for one in REFUSED]


def is_public(address: Address) -> bool:
    """Whether an address is that of a public service, as far as its number tells."""
    if isinstance(address, IPv6Address) and (address.scope_id is not None or address not in _UNICAST):
        return False
    return not any(address in network for network in _REFUSED)


def is_allowed(address: Address, networks: Iterable[Network]) -> bool:
    """Whether we may connect to an address: it is public, or in a network that was allowed by name."""
    return is_public(address) or any(address in network for network in networks)
