"""Attacks on what is signed, all signed with our own key: claims, types, times, spellings, JSON, encodings."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from forger import Forger, compact

from app.claims import b64
from attacks.family import tokens

Made = Iterator[tuple[str, str]]
TEXTS = ("iss", "sub", "aud", "client_id", "agency", "role", "credential", "epoch", "jti")
TIMES = ("iat", "nbf", "exp")
LONGEST = 900


def spellings(id: str) -> dict[str, str]:
    """The same id as lenient readers accept it, and what is none."""
    one = UUID(id)
    letters = next((letter for letter in id if letter.isalpha()), "a")
    return {
        "capitals": id.upper() if id.upper() != id else id.replace(id[0], "A", 1),
        "one capital": id.replace(letters, letters.upper(), 1),
        "braces": f"{{{id}}}",
        "urn": f"urn:uuid:{id}",
        "no hyphens": one.hex,
        "hyphens elsewhere": f"{one.hex[:4]}-{one.hex[4:]}",
        "underscores": id.replace("-", "_"),
        "full width digit": id.translate({ord(d): ord(d) + 0xFEE0 for d in "0123456789"}),
        "Arabic digits": id.translate({0x30 + n: 0x660 + n for n in range(10)}),
        "line end": f"{id}\n",
        "blank before": f" {id}",
        "NUL": f"{id}\u0000",
        "cut off": id[:-1],
        "one more": f"{id}0",
        "no hexadecimal": id[:-1] + "g",
        "number": str(one.int),
        "empty": "",
        "null": "null",
        "SQL": "' or true --",
        "lone surrogate": id[:-1] + "\ud800",
    }


@tokens("a claim missing")
def missing(forger: Forger) -> Made:
    yield from ((name, forger.without(name)) for name in (*TEXTS, *TIMES))
    yield "all", forger.saying(b"{}" + b" " * 20)


@tokens("a claim null")
def null(forger: Forger) -> Made:
    yield from ((name, forger.claiming(**{name: None})) for name in (*TEXTS, *TIMES))


@tokens("a text that is none")
def text_types(forger: Forger) -> Made:
    for name in TEXTS:
        value = forger.claims[name]
        for kind in ([value], {"value": value}, 0, True):
            yield f"{name} {type(kind).__name__}", forger.claiming(**{name: kind})


@tokens("a time that is no whole number")
def time_types(forger: Forger) -> Made:
    for name in TIMES:
        value = forger.claims[name]
        for kind in (True, str(value), float(value), value + 0.5, [value], {"value": value}, ""):
            yield f"{name} {kind!r}"[:30], forger.claiming(**{name: kind})


@tokens("a list of audiences")
def audiences(forger: Forger) -> Made:
    for aud in ([forger.issuer], [forger.issuer, "other"], [], [[forger.issuer]], {forger.issuer: True}):
        yield repr(aud), forger.claiming(aud=aud)


@tokens("a claim too many")
def extra(forger: Forger) -> Made:
    for name, value in (("scope", "operator"), ("admin", True), ("permissions", ["*"]), ("cnf", {}), ("act",
                        {"sub": "x"}),
                        ("__proto__", {"role": "operator"}), ("", ""), ("roles", ["operator"]), ("amr", []),
                        ("crit", ["exp"]),
                        ("Role", "operator"), ("role ", "operator")):  # fmt: skip
        yield repr(name), forger.claiming(**{name: value})


@tokens("a claim twice")
def twice(forger: Forger) -> Made:
    text = compact(forger.claims).decode()
    for name in (*TEXTS, *TIMES):
        value = compact(forger.claims[name]).decode()
        yield f"{name}, the same", forger.saying(f'{text[:-1]},"{name}":{value}}}'.encode())
    for more in ('"role":"operator"', '"\\u0072ole":"operator"', '"exp":9999999999', '"agency":""'):
        yield f"{more} last", forger.saying(f"{text[:-1]},{more}}}".encode())
        yield f"{more} first", forger.saying(f"{{{more},{text[1:]}".encode())


@tokens("numbers that are none")
def no_numbers(forger: Forger) -> Made:
    for name in TIMES:
        for number in (
            "NaN",
            "Infinity",
            "-Infinity",
            "nan",
            "+1",
            "0x7fffffff",
            "1_000",
            "01",
            "1e",
            ".5",
            "1.",
            "--1",
        ):
            yield f"{name} {number}", forger.numbered(name, number)


@tokens("numbers out of measure")
def out_of_measure(forger: Forger) -> Made:
    for name in TIMES:
        for number in ("1e999", "-1e999", "1e3", "1E9", "1.0", "-0", "-1", "-0.0", "9" * 25, "9" * 400, f"-{'9' * 400}",
                       f"{2**31}", f"{2**63}", f"{2**64}"):  # fmt: skip
            yield f"{name} {number[:20]} {len(number)}", forger.numbered(name, number)
    huge = 10**300
    yield "all huge", forger.claiming(iat=huge, nbf=huge, exp=huge + 600)
    yield "all negative", forger.claiming(iat=-600, nbf=-600, exp=-1)
    yield "all zero", forger.claiming(iat=0, nbf=0, exp=0)
    yield "in milliseconds", forger.claiming(**{name: forger.claims[name] * 1000 for name in TIMES})


@tokens("no life, or one too long")
def lives(forger: Forger) -> Made:
    start = forger.claims["iat"]
    for life in (0, -1, -600, LONGEST + 1, 86_400, 31_536_000, 10**9):
        yield str(life), forger.claiming(exp=start + life)
    yield "from long ago", forger.claiming(iat=start - 86_400, nbf=start - 86_400)


@tokens("times in another order")
def time_order(forger: Forger) -> Made:
    iat, exp = forger.claims["iat"], forger.claims["exp"]
    for case, nbf in (("before it was issued", iat - 1), ("negative", -1), ("zero", 0), ("very negative", -(10**200)),
                      ("as it ends", exp), ("after it ends", exp + 1)):  # fmt: skip
        yield f"begins {case}", forger.claiming(nbf=nbf)


@tokens("expired")
def expired(forger: Forger) -> Made:
    for ago in (30, 31, 60, 600, 86_400, 10**9):
        end = forger.now - ago
        yield f"{ago} s ago", forger.claiming(iat=end - 600, nbf=end - 600, exp=end)


@tokens("not yet")
def not_yet(forger: Forger) -> Made:
    for ahead in (90, 600, 86_400, 10**9):
        start = forger.now + ahead
        yield f"in {ahead} s", forger.claiming(iat=start, nbf=start, exp=start + 600)
        yield f"issued in {ahead} s", forger.claiming(iat=start, nbf=forger.now, exp=start + 600)
    yield "begins in 90 s", forger.claiming(nbf=forger.now + 90)


def near(text: str) -> Iterator[str]:
    yield from ("", "*", "https://example.org", text.upper(), f"{text} ", f" {text}", f"{text}/", f"{text}\u0000",
                f"{text}\n",
                f"{text},{text}", f"{text}.example.org", text.replace("i", "\u0456"),
                text[:-1], f"https://{text}")  # fmt: skip


@tokens("another issuer")
def issuers(forger: Forger) -> Made:
    yield from ((repr(iss), forger.claiming(iss=iss)) for iss in near(forger.issuer))


@tokens("another audience")
def other_audiences(forger: Forger) -> Made:
    yield from ((repr(aud), forger.claiming(aud=aud)) for aud in near(forger.issuer))


@tokens("a subject that is not the client")
def subjects(forger: Forger) -> Made:
    for sub in (str(uuid4()), forger.other.claims["sub"], forger.claims["agency"], "", "x", forger.claims["jti"]):
        yield f"sub {sub}"[:20], forger.claiming(sub=sub)
        yield f"client_id {sub}"[:26], forger.claiming(client_id=sub)


@tokens("a client id spelled otherwise")
def client_spellings(forger: Forger) -> Made:
    for case, one in spellings(forger.claims["client_id"]).items():
        yield case, forger.claiming(client_id=one, sub=one)


@tokens("a token id spelled otherwise")
def jti_spellings(forger: Forger) -> Made:
    yield from ((case, forger.claiming(jti=one)) for case, one in spellings(forger.claims["jti"]).items())


@tokens("a credential spelled otherwise")
def credential_spellings(forger: Forger) -> Made:
    yield from ((case, forger.claiming(credential=one)) for case, one in spellings(forger.claims["credential"]).items())


@tokens("an agency that is no code")
def agencies(forger: Forger) -> Made:
    code = forger.claims["agency"]
    for agency in (code.lower(), f"{code}\u0000", f"{code}\n", f" {code}", f"{code}' or true --", code.replace("K",
                   "\u041a"),
                   f"{code},BAWASLU_KOTA_MALANG", "*", "%", "X" * 65, "X", "9A", "null", "\ud800",
                   "\u202e" + code):  # fmt: skip
        yield ascii(agency)[:40], forger.claiming(agency=agency)


@tokens("a role that there is not")
def roles(forger: Forger) -> Made:
    for role in ("", "admin", "root", "system", "Supervisor", "OPERATOR", "operator ", "viewer officer",
                 "viewer,operator", "*",
                 "operator\u0000", "\u043eperator", "agency-admin", "null", "owner"):  # fmt: skip
        yield repr(role), forger.claiming(role=role)


@tokens("an epoch that is none")
def epochs(forger: Forger) -> Made:
    for epoch in ("", "0", "0.0", "0.0.0.", "1.1.1.1", "-1.0.0", "a.b.c", "0,0,0", "*.*.*", "0.0.\u0660", "0..0",
                  " 0.0.0", "0.0.0\n",
                  "1e3.0.0", f"{'9' * 20}.0.0", "0x0.0.0", "null", "0.0.0; --", "0.0.0\u0000"):  # fmt: skip
        yield repr(epoch), forger.claiming(epoch=epoch)


@tokens("a claim's name that only looks the same")
def names(forger: Forger) -> Made:
    for name, looks in (("role", "r\u043ele"), ("role", "Role"), ("role", "role "), ("role", " role"), ("role",
                        "role\u0000"),
                        ("exp", "e\u0445p"), ("exp", "EXP"), ("exp", "exp\u200b"), ("jti", "j\uff54i"), ("aud",
                        "a\u0075d\u0301"),
                        ("agency", "agencY"), ("sub", "\u017fub")):  # fmt: skip
        claims = {looks if claim == name else claim: value for claim, value in forger.claims.items()}
        yield ascii(looks), forger.saying(compact(claims))


@tokens("depth")
def depth(forger: Forger) -> Made:
    for size in (30, 300, 500, 1_000):
        yield f"{size} lists", forger.saying(b"[" * (size // 2) + b"]" * (size // 2))
        yield f"{size} lists left open", forger.saying(b"[" * size)
        yield f"{size} objects", forger.saying(b'{"a":' * (size // 6) + b"1" + b"}" * (size // 6))
    for name in ("role", "exp", "aud"):
        deep: Any = forger.claims[name]
        for _ in range(200):
            deep = [deep]
        yield f"inside {name}", forger.claiming(**{name: deep})


@tokens("claims that are no object")
def no_object(forger: Forger) -> Made:
    claims = forger.claims
    pairs = [[*one] for one in claims.items()]
    for value in ([], [claims], pairs, compact(claims).decode(), 1, None, True, "", [*claims]):
        yield repr(value)[:20], forger.saying(compact(value).ljust(20))
    yield "nothing", forger.saying(b" " * 30)
    yield "inside another", forger.saying(compact({"claims": forger.claims}))


@tokens("claims that are not UTF-8")
def not_utf8(forger: Forger) -> Made:
    text = compact(forger.claims)
    for junk in (
        b"\xff",
        b"\xc0\xae",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xed\xa0\x80\xed\xb0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe9",
    ):
        yield f"{junk.hex()} in a value", forger.saying(text.replace(b"KOTA", b"KO" + junk, 1))
        yield f"{junk.hex()} before", forger.saying(junk + text)
    yield "only bytes", forger.saying(b"\xff" * 40)
    yield "zeros", forger.saying(bytes(40))


@tokens("claims in another encoding")
def encodings(forger: Forger) -> Made:
    text = compact(forger.claims).decode()
    for codec in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "cp037", "cp1140"):
        yield codec, forger.saying(text.encode(codec) if codec != "utf-7" else text.replace('"', "+ACI-").encode())
    small = json.dumps({"exp": 1}).ljust(30)
    yield "utf-32, short", forger.saying(small.encode("utf-32"))
    yield "gzip", forger.saying(gzip.compress(text.encode()))
    yield "deflate", forger.saying(zlib.compress(text.encode()))
    yield "a bomb", forger.saying(gzip.compress(b" " * 500_000))


@tokens("something after the claims")
def after(forger: Forger) -> Made:
    text = compact(forger.claims)
    for more in (
        b"{}",
        b"\0",
        b"//",
        b",",
        b"}",
        b"]",
        text[:30],
        b'{"role":"operator"}',
        b"\x1a",
        b";",
        b"\xef\xbb\xbf",
        b"\x0b",
    ):
        yield repr(more)[:30], forger.saying(text + more)


@tokens("something before the claims")
def before(forger: Forger) -> Made:
    text = compact(forger.claims)
    for more in (b"\0", b"{}", b")]}'\n", b"while(1);", b"\xef\xbb\xbf", b"\xc2\xa0", b"\x0b", b"//\n", b"/**/", b","):
        yield repr(more)[:30], forger.saying(more + text)


@tokens("JSON of another dialect")
def dialects(forger: Forger) -> Made:
    text = compact(forger.claims).decode()
    for case, form in (
        ("comment", text[:-1] + "/* */}"), ("line comment", text[:-1] + "//\n}"), ("hash", text[:-1] + "#\n}"),
        ("trailing comma", text[:-1] + ",}"), ("single quotes", text.replace('"', "'")), ("no quotes",
        text.replace('"', "")),
        ("equals", text.replace(":", "=")), ("Python", repr(forger.claims)), ("form", urlencode(forger.claims)),
        ("True", text[:-1] + ',"a":True}'), ("hexadecimal", text[:-1] + ',"a":0xff}'), ("raw line end",
        text.replace("KOTA", "KO\nTA", 1)),
        ("bad escape", text.replace("KOTA", "K\\x4fTA", 1)), ("undefined", text[:-1] + ',"a":undefined}'),
        ("YAML", "\n".join(f"{name}: {value}" for name, value in forger.claims.items())),
        ("XML", f"<role>{forger.claims['role']}</role>" * 3), ("base64 once more", b64(text.encode())),
    ):  # fmt: skip
        yield case, forger.saying(form.encode())
