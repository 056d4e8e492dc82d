"""Access tokens: how they are granted, and that nothing but a token of ours opens a door."""

import base64
from uuid import uuid4

import httpx
import pytest
from support import Agency, SignIn

GRANT = {"grant_type": "client_credentials"}


def secrets_of(agency: Agency) -> dict[str, str]:
    return {name: str(agency.credentials[name]) for name in ("client_id", "client_secret")}


def basic(agency: Agency) -> str:
    return "Basic " + base64.b64encode(":".join(secrets_of(agency).values()).encode()).decode()


# granting


async def test_a_token_is_granted_by_form_and_by_basic_and_never_stored(http: httpx.AsyncClient, kpu: Agency) -> None:
    by_form = await http.post("/oauth2/token", data={**GRANT, **secrets_of(kpu)})
    by_basic = await http.post("/oauth2/token", data=GRANT, headers={"Authorization": basic(kpu)})
    for granted in (by_form, by_basic):
        assert granted.status_code == 200
        assert granted.headers["cache-control"] == "no-store"
        assert granted.headers["pragma"] == "no-cache"
        said = granted.json()
        assert (said["token_type"], said["expires_in"], said["scope"]) == ("Bearer", 600, "supervisor")
        me = await http.get("/v1/me", headers={"Authorization": f"Bearer {said['access_token']}"})
        assert (me.json()["agency"], me.json()["role"]) == ("KPU_KOTA_MALANG", "supervisor")


async def test_a_lesser_role_may_be_asked_for_and_a_greater_one_not(http: httpx.AsyncClient, kpu: Agency) -> None:
    for role in ("viewer", "officer"):
        lesser = await Agency(http, kpu.credentials).sign_in(scope=role)
        me = (await lesser.get("/v1/me")).json()
        assert me["role"] == role
        assert "task.confirm" not in me["permissions"]
    for role in ("operator", "agency_admin", "auditor", "expert", "emperor", "viewer officer"):
        refused = await http.post("/oauth2/token", data={**GRANT, **secrets_of(kpu), "scope": role})
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope"), role
        assert refused.headers["cache-control"] == "no-store"


async def test_a_client_cannot_outgrow_its_own_role(client_of: SignIn, http: httpx.AsyncClient) -> None:
    viewer = await client_of("KPU_KOTA_MALANG", "viewer")
    refused = await http.post("/oauth2/token", data={**GRANT, **secrets_of(viewer), "scope": "officer"})
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"grant_type": None}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"client_id": None}, 401, "invalid_client"),
        ({"client_secret": "smp_embedded_wrong"}, 401, "invalid_client"),
        ({"client_secret": "smp_embedded_" + "a" * 43 + "_aaaaaa"}, 401, "invalid_client"),
        ({"client_id": str(uuid4())}, 401, "invalid_client"),
        ({"client_id": "not-a-uuid"}, 401, "invalid_client"),
        ({"client_id": "'; drop table client; --"}, 401, "invalid_client"),
    ],
)
async def test_errors_of_the_token_endpoint_have_the_form_of_rfc_6749(
    http: httpx.AsyncClient, kpu: Agency, change: dict[str, str | None], status: int, error: str
) -> None:
    form = {name: value for name, value in {**GRANT, **secrets_of(kpu), **change}.items() if value is not None}
    refused = await http.post("/oauth2/token", data=form)
    assert refused.status_code == status
    assert refused.json().keys() == {"error", "error_description"}
    assert refused.json()["error"] == error
    assert refused.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in refused.headers) == (status == 401)


async def test_unknown_client_and_wrong_secret_are_told_apart_by_nothing(
    http: httpx.AsyncClient, kpu: Agency, bawaslu: Agency
) -> None:
    own, other = secrets_of(kpu), secrets_of(bawaslu)
    wrong_secret = {**own, "client_secret": other["client_secret"]}
    unknown = {**own, "client_id": str(uuid4())}
    refused = [await http.post("/oauth2/token", data={**GRANT, **form}) for form in (wrong_secret, unknown)]
    assert refused[0].content == refused[1].content


async def test_one_way_of_authentication_at_a_time(http: httpx.AsyncClient, kpu: Agency) -> None:
    refused = await http.post("/oauth2/token", data={**GRANT, **secrets_of(kpu)}, headers={"Authorization": basic(kpu)})
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
    for header in ("Basic !!!", "Basic " + base64.b64encode(b"\xff\xfe").decode(), "Digest x", "Basic"):
        refused = await http.post("/oauth2/token", data=GRANT, headers={"Authorization": header})
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client"), header


async def test_a_malformed_token_request_is_refused_in_the_same_form(http: httpx.AsyncClient, kpu: Agency) -> None:
    form = {**GRANT, **secrets_of(kpu)}
    too_long = await http.post("/oauth2/token", data={**form, "scope": "x" * 1000})
    a_file = await http.post("/oauth2/token", data=form, files={"scope": ("scope.txt", b"viewer")})
    for refused, error in ((too_long, "invalid_scope"), (a_file, "invalid_request")):
        assert (refused.status_code, refused.json()["error"]) == (400, error)
        assert refused.headers["cache-control"] == "no-store"
    as_json = await http.post("/oauth2/token", json=form)
    assert (as_json.status_code, as_json.json()["error"]) == (400, "invalid_request")


# carrying


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "Token abc", "bearerabc", "Bearer a b"])
async def test_what_is_no_bearer_token_at_all_is_missing(http: httpx.AsyncClient, header: str) -> None:
    refused = await http.get("/v1/me", headers={"Authorization": header})
    assert (refused.status_code, refused.json()["code"]) == (401, "token-missing")
    assert refused.headers["www-authenticate"] == "Bearer"
