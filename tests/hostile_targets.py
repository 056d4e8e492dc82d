"""Addresses that no webhook may have, by the reason why."""

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
