"""Where a webhook may go, as far as its address tells."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

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
REFUSED = {
    "form": [
        *("", "https://", "http://kpu.go.id/", "ftp://kpu.go.id/", "HTTPS://kpu.go.id/", "//kpu.go.id/", "kpu.go.id"),
        *("file:///etc/passwd", "gopher://kpu.go.id/", "javascript:alert(1)", "https:kpu.go.id", "https:/kpu.go.id/"),
        *(
            "https://user@kpu.go.id/",
            "https://user:word@kpu.go.id/",
            "https://kpu.go.id@10.0.0.1/",
            "https://@kpu.go.id",
        ),
        *("https://kpu.go.id/#part", "https://kpu.go.id#", "https://kpu.go.id/a b", "https://kpu.go.id/\r\nX: y"),
        *("https://kpu.go.id\\@10.0.0.1/", "https://kpu.go.id/\u00e9", "https://kpu.go.id?x", "https://kpu.go.id:/"),
        *("https://kpu.go.id:0/", "https://kpu.go.id:99999999/", "https://kpu.go.id:8443x/", "https://kpu.go.id:+443/"),
        *("https://[::1/", "https://::1/", "https://[fe80::1%25eth0]/", "https://kpu%2ego.id/", " https://kpu.go.id/"),
        *("https://kpu.go.id/ ", "https://kpu.go.id/\x00", "https:///x", "https://kpu.go.id/" + "a" * 500),
    ],
    "port": ["https://kpu.go.id:80/", "https://kpu.go.id:22/", "https://kpu.go.id:65536/", "https://8.8.8.8:5432/"],
    "host": [
        *("https://localhost/", "https://LOCALHOST/", "https://localhost./", "https://a.localhost/", "https://db/"),
        *(
            "https://metadata.google.internal/",
            "https://printer.local/",
            "https://router.home.arpa/",
            "https://x.onion/",
        ),
        *(
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.0.0.1/",
            "https://017700000001/",
        ),
        *("https://127.0.0.01/", "https://010.0.0.1/", "https://1.2.3/", "https://kpu..id/", "https://-kpu.go.id/"),
        *("https://kpu-.go.id/", "https://k_p.go.id/", "https://a.b.c.0x1/", "https://[127.0.0.1]/", "https://[:::]/"),
        *("https://" + "a" * 64 + ".id/", "https://.kpu.go.id/", "https://kpu.go.id../", "https://a\u202eb.id/"),
        *("https://\u217cocalhost/", "https://\uff11\uff12\uff17.1/", "https://*.go.id/"),
    ],
    "address": [
        *("https://127.0.0.1/", "https://10.0.0.1/", "https://169.254.169.254/latest/meta-data/", "https://0.0.0.0/"),
        *("https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/"),
        *(
            "https://[fd00:ec2::254]/",
            "https://[fe80::1]/",
            "https://224.0.0.1/",
            "https://\uff11\uff12\uff17.0.0.1/",
            "https://[::]/",
        ),
        *(
            "https://[::127.0.0.1]/",
            "https://100.100.100.200/",
            "https://192.0.0.192/",
            "https://127\u30020\u30020\u30021/",
        ),
    ],
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
