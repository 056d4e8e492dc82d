"""What we may connect to: every address that leads near us, or in disguise, is refused."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.addresses import REFUSED, is_allowed, is_public

PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "36.66.1.1", "93.184.216.34", "100.63.255.255", "100.128.0.1", "126.255.255.255"),
    *("128.0.0.1", "169.253.255.255", "172.15.255.255", "172.32.0.1", "192.0.1.1", "192.167.255.255", "198.17.255.255"),
    *("198.20.0.1", "203.0.112.255", "203.0.114.1", "223.255.255.255", "9.255.255.255", "11.0.0.1", "168.63.129.17"),
    *("2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450::1", "2404:6800::1", "2001:200::1", "2003::1"),
]
HIDDEN = [
    *(str(IPv4Address(0)), "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255"),
    *("127.0.0.1", "127.255.255.255", "168.63.129.16", "169.254.169.254", "169.254.170.2", "172.16.0.1"),
    *("172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255"),
    *("198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
    *("255.255.255.255", "233.252.0.1", "192.31.196.1", "192.52.193.1", "192.175.48.1"),
    *("::", "::1", "::127.0.0.1", "::10.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:7f00:1"),
    *("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378::1", "2001:2::1"),
    *("2001:10::1", "2001:20::1", "2001:1ff::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1"),
    *("5f00::1", "fc00::1", "fd00:ec2::254", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1", "ff0e::1", "4000::1"),
    *("2620:4f:8000::1", "2606:4700:4700::1111%eth0"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", HIDDEN)
def test_an_address_near_us_or_in_disguise_is_not(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("network", REFUSED)
def test_each_network_is_refused_from_its_first_address_to_its_last(network: str) -> None:
    refused = ip_network(network)
    assert not is_public(refused[0])
    assert not is_public(refused[-1])


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_what_python_calls_private_multicast_or_reserved_is_never_public(address: IPv4Address | IPv6Address) -> None:
    near = (
        address.is_private
        or address.is_multicast
        or address.is_reserved
        or address.is_loopback
        or address.is_link_local
        or address.is_unspecified
    )
    assert not (near and is_public(address))


@given(st.ip_addresses(v=4), st.sampled_from(["::ffff:0:0", "::", "64:ff9b::", "64:ff9b:1::"]))
def test_no_ipv4_address_is_reached_in_the_clothes_of_ipv6(inside: IPv4Address, clothes: str) -> None:
    assert not is_public(IPv6Address(int(IPv6Address(clothes)) | int(inside)))


def test_a_network_that_is_named_is_allowed_and_nothing_beside_it() -> None:
    networks = (ip_network("10.20.0.0/16"), ip_network("fd00:1::/32"))
    assert is_allowed(ip_address("10.20.255.1"), networks)
    assert is_allowed(ip_address("fd00:1::7"), networks)
    assert is_allowed(ip_address("8.8.8.8"), networks)
    assert not is_allowed(ip_address("10.21.0.1"), networks)
    assert not is_allowed(ip_address("::ffff:10.20.0.1"), networks)
    assert not is_allowed(ip_address("::1"), networks)
