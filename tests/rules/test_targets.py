"""Where a webhook may go, as far as its address tells."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hostile_targets import REFUSED

from app.rules.targets import Rules, TargetRefused
from app.services.webhook_targets import read_target

ANYWHERE = Rules(ports=(443, 8443))
SPELLINGS = {
    "https://simpul.kpu.go.id": "https://simpul.kpu.go.id/",
    "https://Simpul.KPU.go.id/Hook?a=1&b=%20": "https://simpul.kpu.go.id/Hook?a=1&b=%20",
    "https://simpul.kpu.go.id:443/x": "https://simpul.kpu.go.id/x",
    "https://simpul.kpu.go.id:8443/x": "https://simpul.kpu.go.id:8443/x",
    "https://simpul.kpu.go.id./x": "https://simpul.kpu.go.id/x",
    "https://8.8.8.8/x": "https://8.8.8.8/x",
    "https://[2606:4700:4700:0::1111]:8443/x": "https://[2606:4700:4700::1111]:8443/x",
    "https://bücher.example/x": "https://xn--bcher-kva.example/x",
    "https://xn--bcher-kva.example/x": "https://xn--bcher-kva.example/x",
}


@pytest.mark.parametrize(("url", "stored"), SPELLINGS.items())
def test_an_address_has_one_spelling(url: str, stored: str) -> None:
    found = read_target(url, ANYWHERE)
    assert found.url == stored
    assert read_target(stored, ANYWHERE) == found


@pytest.mark.parametrize(("code", "url"), [(code, url) for code, urls in REFUSED.items() for url in urls])
def test_a_hostile_address_is_refused_and_why(code: str, url: str) -> None:
    with pytest.raises(TargetRefused) as refused:
        read_target(url, ANYWHERE)
    assert refused.value.code == code


def test_a_list_of_hosts_holds_them_and_what_is_below_them() -> None:
    listed = Rules(hosts=("go.id", "kpu.example"))
    assert read_target("https://a.b.go.id/", listed).host == "a.b.go.id"
    assert read_target("https://kpu.example/", listed).host == "kpu.example"
    for other in ("https://logo.id/", "https://go.id.evil.example/", "https://8.8.8.8/", "https://example/"):
        with pytest.raises(TargetRefused):
            read_target(other, listed)


def test_where_networks_are_named_their_addresses_and_local_names_are_targets() -> None:
    near = Rules(networks=(ip_network("10.1.0.0/16"),))
    assert read_target("https://10.1.2.3/", near).address is not None
    assert read_target("https://receiver/", near).host == "receiver"
    with pytest.raises(TargetRefused):
        read_target("https://10.2.0.1/", near)
