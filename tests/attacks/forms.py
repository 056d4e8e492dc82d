"""Attacks on the form of a token: segments, alphabet, padding, size, and characters that only look the same."""

from __future__ import annotations

import base64
import string
from collections.abc import Iterator
from itertools import permutations
from urllib.parse import quote

from forger import Forger, compact

from app.claims import b64
from attacks.family import tokens

Made = Iterator[tuple[str, str]]
ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


def twins(segment: str) -> Iterator[str]:
    """The other spellings of the same bytes: the last character with spare bits set."""
    spare = {0: 0, 2: 4, 3: 2}[len(segment) % 4]
    last = ALPHABET.index(segment[-1])
    for bits in range(1, 1 << spare):
        yield segment[:-1] + ALPHABET[last | bits]


@tokens("padding")
def padding(forger: Forger) -> Made:
    h, p, s = forger.good.split(".")
    yield "all segments", f"{h}==.{p}==.{s}=="
    yield "header", forger.sealed(f"{h}=", p)
    for pad in ("=", "==", "===", "%3D", "%3D%3D"):
        yield f"payload {pad}", forger.sealed(h, p + pad)
        yield f"signature {pad}", forger.good + pad


@tokens("another spelling of the same bytes")
def spare_bits(forger: Forger) -> Made:
    for number, header in enumerate(twins(forger.header)):
        yield f"header {number}", forger.sealed(header, forger.payload)
    for spaces in range(3):
        for number, payload in enumerate(twins(b64(compact(forger.claims) + b" " * spaces))):
            yield f"payload {spaces}.{number}", forger.sealed(forger.header, payload)
    for number, signature in enumerate(twins(forger.signature)):
        yield f"signature {number}", forger.signed_with(signature)


@tokens("the alphabet of usual base64")
def usual_alphabet(forger: Forger) -> Made:
    raw = compact({**forger.claims, "agency": "\u00ff\u00fe?>~"})
    standard = base64.b64encode(raw + b'?>~?>~"').decode().rstrip("=")
    assert "/" in standard or "+" in standard
    yield "payload", forger.sealed(forger.header, standard)
    yield "signature", forger.signed_with("+/" * 43)
    yield "mixed", forger.signed_with("+_/-" * 21 + "+/")


@tokens("another encoding than base64url")
def other_encodings(forger: Forger) -> Made:
    raw = compact(forger.claims)
    yield "hex", forger.sealed(forger.header, raw.hex())
    yield "base32", forger.sealed(forger.header, base64.b32encode(raw).decode().rstrip("="))
    yield "base85", forger.sealed(forger.header, base64.b85encode(raw).decode())
    yield "twice", forger.sealed(forger.header, b64(b64(raw).encode()))
    yield "plain", forger.sealed(forger.header, raw.decode())


@tokens("characters that decoders skip")
def skipped_characters(forger: Forger) -> Made:
    for sign in "!*@,;'\"|~^`$#&()<>[]{}\\:?":
        yield sign, forger.sealed(forger.header, forger.payload[:9] + sign + forger.payload[9:])


@tokens("control characters")
def control_characters(forger: Forger) -> Made:
    for code in (0, 1, 8, 0x1B, 0x1C, 0x1F, 0x7F):
        sign = chr(code)
        yield f"{code:#x} inside", forger.sealed(forger.header, forger.payload[:9] + sign + forger.payload[9:])
        yield f"{code:#x} at the end", forger.good + sign
        yield f"{code:#x} at the start", sign + forger.good


@tokens("percent encoding")
def percent_encoding(forger: Forger) -> Made:
    yield "dots", forger.good.replace(".", "%2E")
    yield "small dots", forger.good.replace(".", "%2e")
    yield "twice", forger.good.replace(".", "%252E")
    yield "first letter", f"%{ord(forger.good[0]):02x}{forger.good[1:]}"
    yield "all", "".join(f"%{ord(letter):02X}" for letter in forger.good[:200])
    yield "NUL", forger.good + "%00"
    yield "line end", forger.good + quote("\r\nX: y")


@tokens("dots of other scripts")
def other_dots(forger: Forger) -> Made:
    for dot in "\uff0e\u3002\uff61\u2024\u00b7\u0701\u2e3c\ufe52":
        yield f"{ord(dot):#x}", forger.good.replace(".", dot)
        yield f"{ord(dot):#x} once more", f"{forger.good}{dot}"


@tokens("letters of other scripts")
def other_letters(forger: Forger) -> Made:
    wide = str.maketrans({letter: chr(ord(letter) + 0xFEE0) for letter in string.ascii_letters})
    yield "full width", forger.good.translate(wide)
    yield "one full width", forger.good.replace("e", "\uff45", 1)
    yield "Cyrillic", forger.good.replace("e", "\u0435", 1)
    yield "mathematical", forger.good.replace("e", "\U0001d41e", 1)
    yield "Arabic digits", forger.good.translate(str.maketrans("0123456789", "".join(map(chr, range(0x660, 0x66A)))))
    yield "Kelvin sign", forger.sealed(forger.header, forger.payload + "\u212a")


@tokens("characters that do not show")
def unseen_characters(forger: Forger) -> Made:
    for sign in "\ufeff\u200b\u200d\u2060\u00ad\u202e\u2066\u0085\u00a0\u2028\u3000\ufe0f\u0301":
        yield f"{ord(sign):#x} at the start", sign + forger.good
        yield f"{ord(sign):#x} at the end", forger.good + sign
        yield f"{ord(sign):#x} inside", forger.good[:60] + sign + forger.good[60:]


@tokens("bytes that are no text")
def no_text(forger: Forger) -> Iterator[tuple[str, bytes]]:
    for junk in (b"\xff", b"\xfe\xff", b"\xc0\xae", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xe9"):
        yield junk.hex(), forger.good.encode() + junk
        yield f"{junk.hex()} for a dot", forger.good.encode().replace(b".", junk, 1)
    yield "UTF-16", forger.good.encode("utf-16-le")


@tokens("too few segments")
def too_few(forger: Forger) -> Made:
    h, p, s = forger.good.split(".")
    yield from (
        ("header", h),
        ("payload", p),
        ("signature", s),
        ("first two", f"{h}.{p}"),
        ("last two", f"{p}.{s}"),
        ("outer two", f"{h}.{s}"),
        ("joined", h + p + s),
    )


@tokens("too many segments")
def too_many(forger: Forger) -> Made:
    h, p, s = forger.good.split(".")
    yield "signature twice", f"{h}.{p}.{s}.{s}"
    yield "header twice", f"{h}.{h}.{p}.{s}"
    yield "dot at the end", f"{forger.good}."
    yield "dot at the start", f".{forger.good}"
    yield "six", f"{forger.good}.{forger.good}"
    yield "a thousand", ".".join(["AA"] * 1_000)
    yield "dots only", "." * 1_000


@tokens("empty segments")
def empty(forger: Forger) -> Made:
    h, p, s = forger.good.split(".")
    yield from (
        ("all", ".."),
        ("header", f".{p}.{s}"),
        ("payload", f"{h}..{s}"),
        ("signature", f"{h}.{p}."),
        ("payload, signed", forger.sealed(h, "")),
        ("header, signed", forger.sealed("", p)),
        ("one dot", "."),
        ("header only", f"{h}.."),
        ("signature only", f"..{s}"),
    )


@tokens("other separators")
def separators(forger: Forger) -> Made:
    for sign in ",:;/|~-_+&":
        yield sign, forger.good.replace(".", sign)
    yield "two dots", forger.good.replace(".", "..")


@tokens("segments in another order")
def segment_order(forger: Forger) -> Made:
    h, p, s = forger.good.split(".")
    parts = {"header": h, "payload": p, "signature": s}
    for names in [*permutations(parts)][1:]:
        yield ", ".join(names), ".".join(parts[name] for name in names)


@tokens("oversized")
def oversized(forger: Forger) -> Made:
    room = 2_401 - len(forger.header) - len(forger.signature) - 2
    yield "2,401 characters, signed", forger.sealed(forger.header, forger.payload.ljust(room, "A"))
    yield "a segment of 1,401, signed", forger.sealed(forger.header, forger.payload.ljust(1_401, "A"))
    yield "a large claim, signed", forger.claiming(agency="X" * 1_500)
    yield "70 kB, signed", forger.sealed(forger.header, forger.payload + "A" * 70_000)
    yield "70 kB of signature", forger.good + "A" * 70_000
    yield "70 kB of header", "A" * 70_000 + forger.good
    yield "white space in the claims, signed", forger.saying(compact(forger.claims) + b" " * 9_000)


@tokens("junk")
def junk(forger: Forger) -> Made:
    for case in ("a.b.c", f"{'a' * 40}.{'b' * 40}.{'c' * 86}", "null", "undefined", "[object]", "%s", "{}", "-",
                 "0", "true",
                 "../../etc/passwd", "'--", "eyJ", "*", forger.kid, str(forger.claims["client_id"])):  # fmt: skip
        yield case[:20], case


@tokens("JWS as JSON")
def as_json(forger: Forger) -> Made:
    h, p, s = forger.good.split(".")
    flat = {"protected": h, "payload": p, "signature": s}
    general = {"payload": p, "signatures": [{"protected": h, "signature": s}]}
    for case, form in (("flat", flat), ("general", general), ("a list", [forger.good]), ("a string", forger.good)):
        yield case, compact(form).decode()
        yield f"{case}, in base64url", b64(compact(form))


@tokens("our other secrets for a token")
def other_secrets(forger: Forger) -> Made:
    yield "public key", forger.public_forms["PEM"].decode().replace("\n", "").replace(" ", "")
    yield "secret's form", f"smp_embedded_{'a' * 43}_aaaaaa"
    yield "signing input", f"{forger.header}.{forger.payload}.{b64(compact(forger.claims))[:86]}"
