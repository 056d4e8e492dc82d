"""Clients that sign for themselves (RFC 7523): a good assertion opens once, and nothing else does at all."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from signer import Signer, compact
from support import Agency, SignIn

from app.claims import b64
from app.db import Database, execute, row, value
from app.main import create_app
from app.settings import Settings

pytestmark = pytest.mark.attack


@pytest.fixture(scope="module")
async def client(client_of: SignIn) -> Agency:
    return await client_of("KPU_KOTA_MALANG")


@pytest.fixture(scope="module")
async def other(client_of: SignIn, database: Database) -> Signer:
    """A key of another agency's client."""
    signer = Signer(str((await client_of("BAWASLU_KOTA_MALANG")).credentials["client_id"]))
    await signer.register(database)
    return signer


@pytest.fixture(scope="module")
async def signer(client: Agency, database: Database) -> Signer:
    signer = Signer(str(client.credentials["client_id"]))
    await signer.register(database)
    return signer


async def grant(http: httpx.AsyncClient, form: dict[str, str]) -> httpx.Response:
    return await http.post("/oauth2/token", data=form)


def refused(answer: httpx.Response, error: str = "invalid_client") -> bool:
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json().keys() == {"error", "error_description"}
    return (answer.status_code, answer.json()["error"]) == (401 if error == "invalid_client" else 400, error)


async def test_an_assertion_is_exchanged_for_a_token_that_carries_its_key(
    http: httpx.AsyncClient, client: Agency, database: Database
) -> None:
    signer = Signer(str(client.credentials["client_id"]))
    key = await signer.register(database)
    granted = await grant(http, signer.form(scope="viewer"))
    assert granted.status_code == 200, granted.text
    headers = {"Authorization": f"Bearer {granted.json()['access_token']}"}
    assert (await http.get("/v1/me", headers=headers)).json()["role"] == "viewer"
    async with database.writing() as writer:
        await execute(writer, f"update client_key set revoked_at = now() where id = '{key}'")
    assert (await http.get("/v1/me", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("claims", "header"),
    [
        ({"aud": ["simpul"]}, {}),
        ({"iat": None}, {}),
        ({"nbf": 0}, {}),
        ({"anything": "else"}, {}),
        ({}, {"typ": None}),
        ({}, {"typ": "client-authentication+jwt"}),
    ],
)
async def test_what_the_rfc_leaves_to_the_client_is_accepted(
    claims: dict[str, Any], header: dict[str, Any], http: httpx.AsyncClient, signer: Signer
) -> None:
    assertion = signer.assertion(signer.claims(**claims), signer.header(**header))
    assert (await grant(http, signer.form(assertion, client_id=signer.client_id))).status_code == 200


async def test_an_assertion_opens_once_whichever_door_comes_first(http: httpx.AsyncClient, signer: Signer) -> None:
    doors = ("/oauth2/token", "/oauth2/introspect", "/oauth2/revoke")
    for first in doors:
        form = signer.form(token="no token")
        assert (await http.post(first, data=form)).status_code == 200
        for second in doors:
            assert refused(await http.post(second, data=form)), (first, second)


async def test_of_many_who_bring_one_assertion_at_once_one_is_let_in(http: httpx.AsyncClient, signer: Signer) -> None:
    form = signer.form()
    answers = await asyncio.gather(*(grant(http, form) for _ in range(12)))
    assert sorted(one.status_code for one in answers) == [200] + [401] * 11


async def test_an_assertion_is_spent_though_the_request_was_refused(http: httpx.AsyncClient, signer: Signer) -> None:
    form = signer.form()
    assert refused(await grant(http, {**form, "scope": "operator"}), "invalid_scope")
    assert refused(await grant(http, form))


async def test_two_clients_may_use_one_jti(http: httpx.AsyncClient, signer: Signer, other: Signer) -> None:
    for one in (signer, other):
        assert (await grant(http, one.form(one.assertion(one.claims(jti="the-same"))))).status_code == 200


def headed(signer: Signer, other: Signer) -> Iterator[tuple[str, str]]:
    """Headers that would have us verify in another way, or with another key."""

    def headed(**said: Any) -> str:
        return signer.assertion(header=signer.header(**said))

    yield "alg none, signed", headed(alg="none")
    yield "alg None", headed(alg="None")
    yield "HS256 with the public PEM", signer.with_public_key_as_secret(signer.public_pem)
    yield "HS256 with the public JWK", signer.with_public_key_as_secret(json.dumps(signer.jwk).encode())
    yield "HS256 with the client id", signer.with_public_key_as_secret(signer.client_id.encode())
    yield "RS256", headed(alg="RS256")
    yield "ES384", headed(alg="ES384")
    yield "ES256K", headed(alg="ES256K")
    yield "alg in small letters", headed(alg="es256")
    yield "alg a list", headed(alg=["ES256"])
    yield "alg a number", headed(alg=256)
    yield "no alg", headed(alg=None)
    yield "no kid", headed(kid=None)
    yield "unknown kid", headed(kid="nobody")
    yield "kid of another client's key", headed(kid=other.kid)
    yield "kid a path", headed(kid="../../dev/null")
    yield "kid SQL", headed(kid="' or true --")
    yield "kid with a NUL", headed(kid="a\0b")
    yield "kid a list", headed(kid=[signer.kid])
    yield "jku", headed(jku="https://evil.test/jwks.json")
    yield "jwk in the header", headed(jwk=Signer(signer.client_id).jwk)
    yield "x5u", headed(x5u="https://evil.test/x")
    yield "x5c", headed(x5c=["MIIB"])
    yield "crit", headed(crit=["exp"])
    yield "b64 false", headed(b64=False)
    yield "zip", headed(zip="DEF")
    yield "cty: a JWT within", headed(cty="JWT")
    yield "typ of our own tokens", headed(typ="at+jwt")
    yield "typ a list", headed(typ=["JWT"])
    once = f'"kid":"{signer.kid}"'
    yield "a header that says alg twice", signer.assertion(header=f'{{"alg":"none","alg":"ES256",{once}}}'.encode())
    yield "a header that says kid twice", signer.assertion(header=f'{{"alg":"ES256","kid":"x",{once}}}'.encode())
    yield "a header that is no object", signer.assertion(header=b'["ES256", "and something more"]')


def shaped(signer: Signer, other: Signer) -> Iterator[tuple[str, str]]:
    """Signatures that are none, and forms that are no compact JWS."""
    good = signer.assertion()
    head, payload, signature = good.split(".")
    yield "alg none without a signature", f"{compact({'alg': 'none', 'kid': signer.kid})}.{payload}."
    yield "nested: an assertion as the payload", signer.assertion(good.encode())
    yield "signed by another key", Signer(signer.client_id, kid=signer.kid).assertion()
    yield "signed by another client in its own name", other.assertion(signer.claims())
    yield "of another client, as the first", signer.assertion(other.claims())
    yield "altered payload", f"{head}.{compact(signer.claims(jti='another'))}.{signature}"
    yield "signature of zeros", f"{head}.{payload}.{b64(bytes(64))}"
    yield "signature in DER", f"{head}.{payload}.{b64(b'0E' + bytes(68))}"
    yield "no signature", f"{head}.{payload}."
    yield "no signature and no dot", f"{head}.{payload}"
    yield "a fourth part", f"{good}.{signature}"
    yield "padding", f"{head}==.{payload}.{signature}"
    yield "empty", " "


def claimed(signer: Signer, other: Signer) -> Iterator[tuple[str, str]]:
    """Claims that are for somebody else, from somebody else, or no claims."""

    def claiming(**said: Any) -> str:
        return signer.assertion(signer.claims(**said))

    yield "a list of audiences", claiming(aud=["simpul", "https://elsewhere.test"])
    yield "audience elsewhere", claiming(aud="https://elsewhere.test/oauth2/token")
    yield "audience of the address it came to", claiming(aud="http://simpul/oauth2/token")
    yield "audience in capitals", claiming(aud="SIMPUL")
    yield "audience an object", claiming(aud={"simpul": 1})
    yield "no audience", claiming(aud=None)
    yield "issuer is not subject", claiming(sub=other.client_id)
    yield "no subject", claiming(sub=None)
    yield "issued by us", claiming(iss="simpul", sub="simpul")
    yield "no jti", claiming(jti=None)
    yield "empty jti", claiming(jti="")
    yield "jti a number", claiming(jti=7)
    yield "jti without end", claiming(jti="j" * 256)
    yield "jti with a NUL", claiming(jti="a\0b")
    twice = json.dumps(signer.claims())[:-1]
    yield "claims that say exp twice", signer.assertion(f'{twice},"exp":{10**9}}}'.encode())
    yield "claims that say iss twice", signer.assertion(f'{twice},"iss":"{other.client_id}"}}'.encode())
    yield "claims in Latin-1", signer.assertion(json.dumps(signer.claims()).encode()[:-1] + b',"x":"\xe9"}')
    yield "claims too deep", signer.assertion(b"[" * 1500)
    yield "claims without end", claiming(pad="x" * 5000)
    yield "no claims", signer.assertion(b"[]" + b" " * 30)


def timed(signer: Signer) -> Iterator[tuple[str, str]]:
    """Not now, or for too long."""
    now = int(time.time())

    def claiming(**said: Any) -> str:
        return signer.assertion(signer.claims(**said))

    yield "no exp", claiming(exp=None)
    yield "exp too far", claiming(exp=now + 302)
    yield "exp much too far", claiming(exp=now + 10**9)
    yield "lived too long", claiming(iat=now - 299, exp=now + 100)
    yield "expired", claiming(iat=now - 200, exp=now - 31)
    yield "exp a float", claiming(exp=now + 60.5)
    yield "exp a text", claiming(exp=str(now + 60))
    yield "exp true", claiming(exp=True)
    yield "exp huge", claiming(exp=10**400)
    yield "exp negative", claiming(exp=-1)
    yield "exp NaN", signer.assertion(json.dumps(signer.claims(exp=float("nan"))).encode())
    yield "issued in the future", claiming(iat=now + 90)
    yield "not before the future", claiming(nbf=now + 90)


async def test_no_forged_assertion_opens_anything_and_all_are_refused_alike(
    http: httpx.AsyncClient, signer: Signer, other: Signer
) -> None:
    tried = dict([*headed(signer, other), *shaped(signer, other), *claimed(signer, other), *timed(signer)])
    assert len(tried) >= 75
    bodies = set()
    for name, assertion in tried.items():
        answer = await grant(http, signer.form(assertion))
        assert refused(answer), (name, answer.text)
        bodies.add(answer.content)
    assert len(bodies) == 1
    assert (await grant(http, signer.form())).status_code == 200


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_assertion_type": None}, "invalid_request"),
        ({"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, "invalid_client"),
        ({"client_assertion": None}, "invalid_request"),
        ({"client_secret": "smp_embedded_x"}, "invalid_request"),
        ({"client_id": str(uuid4())}, "invalid_client"),
        ({"client_id": "nobody"}, "invalid_client"),
    ],
)
async def test_an_assertion_stands_alone_and_whole(
    change: dict[str, str | None], error: str, http: httpx.AsyncClient, signer: Signer
) -> None:
    form = {name: said for name, said in {**signer.form(), **change}.items() if said is not None}
    assert refused(await grant(http, form), error)


async def test_an_assertion_beside_basic_is_refused(http: httpx.AsyncClient, signer: Signer) -> None:
    answer = await http.post("/oauth2/token", data=signer.form(), headers={"Authorization": "Basic YTpi"})
    assert refused(answer, "invalid_request")


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "EC", "crv": "P-384"},
        {"use": "enc"},
        {"alg": "ES384"},
        {"d": "AAAA"},
        {"x": "AAAA"},
        {"x": None},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
    ],
)
async def test_a_registered_key_that_is_unfit_opens_nothing_and_breaks_nothing(
    jwk: dict[str, Any], http: httpx.AsyncClient, client: Agency, database: Database
) -> None:
    unfit = Signer(str(client.credentials["client_id"]))
    key = await unfit.register(database)
    async with database.writing() as writer:
        await value(
            writer,
            "update client_key set jwk = jwk || cast(:change as jsonb) where id = :id returning id",
            change=json.dumps(jwk),
            id=key,
        )
    assert refused(await grant(http, unfit.form()))


async def test_an_rsa_key_opens_nothing_however_well_it_signs(
    http: httpx.AsyncClient, client: Agency, database: Database
) -> None:
    signer = Signer(str(client.credentials["client_id"]))
    key = await signer.register(database)
    pair = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = {"kty": "RSA", "n": compact(pair.public_key().public_numbers().n.to_bytes(256)), "e": "AQAB"}
    async with database.writing() as writer:
        await execute(writer, f"update client_key set jwk = '{json.dumps(public)}' where id = '{key}'")
    assert refused(await grant(http, signer.form()))
    for said in ("RS256", "ES256"):
        content = f"{compact(signer.header(alg=said))}.{compact(signer.claims())}"
        signature = pair.sign(content.encode(), padding.PKCS1v15(), hashes.SHA256())
        assert refused(await grant(http, signer.form(f"{content}.{compact(signature)}")))


async def test_the_token_endpoint_of_the_metadata_is_an_audience(http: httpx.AsyncClient, signer: Signer) -> None:
    metadata = await http.get("/.well-known/oauth-authorization-server", headers={"Host": "evil.example"})
    endpoint = metadata.json()["token_endpoint"]
    assert endpoint == "http://127.0.0.1:8000/oauth2/token"
    form = signer.form(signer.assertion(signer.claims(aud=endpoint)))
    assert (await http.post("/oauth2/token", data=form)).status_code == 200


async def test_the_token_endpoint_is_an_audience_where_it_is_configured(
    url: str, settings: Settings, signer: Signer
) -> None:
    app = create_app(settings.model_copy(update={"public_url": "https://simpul.example.go.id"}), url)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://wherever") as http:
        own = "https://simpul.example.go.id/oauth2/token"
        for audience, status in ((own, 200), ("simpul", 200), ("http://wherever/oauth2/token", 401)):
            form = signer.form(signer.assertion(signer.claims(aud=audience)))
            assert (await grant(http, form)).status_code == status, audience
        metadata = (await http.get("/.well-known/oauth-authorization-server")).json()
    await app.state.database.close()
    assert metadata["token_endpoint"] == own


async def test_an_ended_key_opens_nothing_and_its_use_is_a_fact_once_a_minute(
    http: httpx.AsyncClient, client: Agency, database: Database
) -> None:
    ended = Signer(str(client.credentials["client_id"]))
    key = await ended.register(database, ends_in=timedelta(seconds=-1))
    for _ in range(3):
        assert refused(await grant(http, ended.form()))
    assert refused(await grant(http, Signer(ended.client_id, kid=ended.kid).form()))
    async with database.reading() as reader:
        found = await row(
            reader,
            "select count(*) as often, max(payload ->> 'ended') as ended from event"
            " where kind = 'key.misused' and payload ->> 'credential' = :id",
            id=str(key),
        )
    assert found == {"often": 1, "ended": "expired"}
