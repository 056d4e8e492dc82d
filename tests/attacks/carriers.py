"""Attacks on how a token is carried: a good token in the wrong place, by the wrong scheme, or several at once."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import urlencode

from forger import Forger, compact

from attacks.family import Attack, Case, authorization, requests, tokens

Made = Iterator[Case]
FORM = ((b"Content-Type", b"application/x-www-form-urlencoded"),)
JSON = ((b"Content-Type", b"application/json"),)


def missing(*values: str | bytes) -> Attack:
    return authorization(*values, code="token-missing")


def carried(*headers: tuple[str, str]) -> Attack:
    return Attack(tuple((name.encode(), value.encode()) for name, value in headers), code="token-missing")


@requests("token in a cookie")
def cookie(forger: Forger) -> Made:
    for name in ("access_token", "token", "Authorization", "session", "__Host-token", "Bearer"):
        yield name, carried(("Cookie", f"{name}={forger.good}"))
        yield f"{name} with its scheme", carried(("Cookie", f'{name}="Bearer {forger.good}"'))


@requests("token in the query")
def query(forger: Forger) -> Made:
    for name in ("access_token", "token", "authorization", "Authorization", "bearer", "jwt", "key", "api_key"):
        yield name, Attack(query=urlencode({name: forger.good}), code="token-missing")
    yield "with its scheme", Attack(query=urlencode({"authorization": f"Bearer {forger.good}"}), code="token-missing")


@requests("token in the body")
def body(forger: Forger) -> Made:
    for name in ("access_token", "token", "assertion"):
        form = urlencode({name: forger.good}).encode()
        yield f"form, {name}", Attack(FORM, body=form, code="token-missing")
        yield f"JSON, {name}", Attack(JSON, body=compact({name: forger.good}), code="token-missing")


@requests("token in another header")
def other_headers(forger: Forger) -> Made:
    for name in (
        "Proxy-Authorization", "X-Authorization", "X-Forwarded-Authorization", "X-Access-Token", "X-Auth-Token",
        "Authentication",
        "X-Original-Authorization", "X-Amz-Security-Token", "Authorization-Bearer", "X_Authorization",
        "Sec-WebSocket-Protocol",
        "DPoP", "X-HTTP-Authorization", "Acting-User", "From",
    ):  # fmt: skip
        yield name, carried((name, f"Bearer {forger.good}"))


@requests("a name that is believed without a token")
def believed(forger: Forger) -> Made:
    for name, value in (
        ("X-Forwarded-User", forger.claims["sub"]), ("X-Remote-User", "operator"), ("Remote-User", "operator"),
        ("X-Client-Id", forger.claims["client_id"]), ("X-Agency", forger.claims["agency"]), ("X-Role", "operator"),
        ("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1"), ("Forwarded", "for=127.0.0.1"),
        ("X-SSL-Client-Verify", "SUCCESS"),
        ("X-Original-URL", "/healthz"), ("X-Rewrite-URL", "/healthz"), ("X-HTTP-Method-Override", "OPTIONS"),
        ("Acting-User", "a"),
    ):  # fmt: skip
        yield name, carried((name, value))


@requests("another scheme")
def schemes(forger: Forger) -> Made:
    for scheme in ("Basic", "Digest", "DPoP", "Token", "JWT", "Negotiate", "NTLM", "MAC", "Hawk", "OAuth",
                   "AWS4-HMAC-SHA256",
                   "PoP", "Mutual", "HOBA", "GNAP", "PrivateToken", "ApiKey", "SCRAM-SHA-256", "Bearerx",
                   "XBearer", "Bear er",
                   "Bearer:", "Bearer,", "Bearer=", '"Bearer"', "Bearer Bearer", "Basic Bearer",
                   "MyBearer"):  # fmt: skip
        yield scheme, missing(f"{scheme} {forger.good}")


@requests("token by Basic")
def basic(forger: Forger) -> Made:
    for case, pair in (
        ("as the name", f"{forger.good}:"), ("as the password", f":{forger.good}"), ("after the client",
        f"{forger.claims['sub']}:{forger.good}"),
        ("as oauth2", f"oauth2:{forger.good}"), ("x-access-token", f"x-access-token:{forger.good}"),
    ):  # fmt: skip
        yield case, missing(f"Basic {base64.b64encode(pair.encode()).decode()}")


@requests("no scheme, or nothing else")
def no_scheme(forger: Forger) -> Made:
    for value in ("", " ", "Bearer", "Bearer ", "bearer", "Bearer" + " " * 50, ",", "null", "undefined", forger.good,
                  f"Bearer{forger.good}", f"bearer:{forger.good}", f"access_token={forger.good}"):  # fmt: skip
        yield repr(value)[:20] + str(len(value)), missing(value)
    yield "no header at all", Attack(code="token-missing")


@requests("scheme of other letters")
def other_letters(forger: Forger) -> Made:
    for scheme in ("B\u0435arer", "\uff22earer", "Bear\u0065\u0301r", "\ufeffBearer", "\u200bBearer",
                   "Be\u00adarer", "Bearer\u200b",
                   "%42earer", "=?UTF-8?Q?Bearer?="):  # fmt: skip
        yield ascii(scheme), missing(f"{scheme} {forger.good}")


@requests("other white space after the scheme")
def other_space(forger: Forger) -> Made:
    for space in ("\t", " \t", "\v", "\f", "\u00a0", "\u3000", "\u2003", "\x1c", "\0", "+", "%20", "\r\n ", "\n"):
        yield repr(space), missing(f"Bearer{space}{forger.good}")


@requests("white space within or around")
def white_space(forger: Forger) -> Made:
    good = forger.good
    for sign in (" ", "\t", "\r", "\n", "\r\n", "\v", "\f"):
        yield f"{sign!r} before the scheme", missing(f"{sign}Bearer {good}")
        yield f"{sign!r} at the end", missing(f"Bearer {good}{sign}")
        yield f"{sign!r} inside", missing(f"Bearer {good[:99]}{sign}{good[99:]}")
        yield (
            f"{sign!r} inside, signed",
            missing(f"Bearer {forger.sealed(forger.header, forger.payload[:9] + sign + forger.payload[9:])}"),
        )


@requests("several tokens in one line")
def several_tokens(forger: Forger) -> Made:
    good, bad = f"Bearer {forger.good}", "Bearer a.b.c"
    for case, value in (
        ("good, good", f"{good}, {good}"), ("bad, good", f"{bad}, {good}"), ("good, bad", f"{good}, {bad}"),
        ("without a blank", f"{good},{bad}"), ("Basic first", f"Basic YTpi, {good}"), ("Basic last",
        f"{good}, Basic YTpi"),
        ("by semicolon", f"{good}; {bad}"), ("by blank", f"{good} {forger.good}"), ("a comma at the end", f"{good}, "),
    ):  # fmt: skip
        yield case, missing(value)


@tokens("something joined to the token")
def joined(forger: Forger) -> Iterator[tuple[str, str]]:
    yield from (
        ("twice by comma", f"{forger.good},{forger.good}"),
        ("comma at the end", f"{forger.good},"),
        ("comma before", f",{forger.good}"),
        ("semicolon", f"{forger.good};"),
        ("quotes", f'"{forger.good}"'),
        ("single quotes", f"'{forger.good}'"),
        ("brackets", f"<{forger.good}>"),
        ("parameter", f"token={forger.good}"),
        ("quoted parameter", f'token="{forger.good}"'),
        ("fragment", f"{forger.good}#a"),
        ("query", f"{forger.good}?a=b"),
        ("path", f"{forger.good}/.."),
        ("scheme once more", f"Bearer:{forger.good}"),
        ("realm", f"realm=simpul,token={forger.good}"),
    )


@requests("several Authorization lines")
def several_lines(forger: Forger) -> Made:
    good, bad, basic = f"Bearer {forger.good}", "Bearer a.b.c", "Basic YTpi"
    for case, values in (
        ("good, good", (good, good)), ("good, bad", (good, bad)), ("bad, good", (bad, good)), ("good, Basic",
        (good, basic)),
        ("Basic, good", (basic, good)), ("good, empty", (good, "")), ("empty, good", ("", good)), ("good, theirs",
        (good, f"Bearer {forger.other.token}")),
        ("three", (good, good, good)), ("a token in two lines", (good[:99], good[99:])),
    ):  # fmt: skip
        yield case, missing(*values)


@requests("a header within the header")
def injection(forger: Forger) -> Made:
    for more in (
        "\r\nX-Role: operator",
        "\r\n\r\nGET /v1/me HTTP/1.1",
        "\nSet-Cookie: a=b",
        "\r\n folded",
        "\r\n\tfolded",
        "\rX: y",
    ):
        yield repr(more), missing(f"Bearer {forger.good}{more}")
        yield f"{more!r} before", missing(f"Bearer {more}{forger.good}")
