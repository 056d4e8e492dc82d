"""What production refuses to start on."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from base64 import b64encode
from typing import Any

import pytest
from pydantic import ValidationError

from app.settings import ROOT, Settings

PEPPER = "c41f7a0be29d53886fd0a1e7b3945c2ad86f10e43b7295cc0e8f6d1a2b94730f"
FIT: dict[str, Any] = {
    "env": "production",
    "database_url": "postgresql://api:Vq8-tz0KhX3m@db.internal/kpu",
    "pepper": PEPPER,
    "issuer": "https://simpul.kpu.go.id",
}


def test_production_starts_on_what_is_fit() -> None:
    assert Settings(**FIT).env == "production"
    assert Settings(**{**FIT, "database_url": "postgresql://api@/kpu?host=/run/postgresql"}).env == "production"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("pepper", one) for one in (
            None, "changeme", "secret", "a" * 64, "ab" * 32, "0123456789abcdef" * 4, PEPPER[:31], PEPPER[:16] * 2,
            "please-change-me-please-change-it-now", "MySecretPepperForTheProductionServer", "x9" + "z" * 40,
        )),
        *(("database_url", one) for one in (
            None, "postgresql://api:@db/kpu", "postgresql://api:api@db/kpu", "postgres://api:postgres@db/kpu",
            "postgresql+asyncpg://api:changeme@db/kpu", "postgresql://api:password123@db/kpu",
            "postgresql://api:aaaa@db/kpu",
        )),
        *((f"{name}_url", f"postgresql://simpul_1:{one}@db/kpu") for name in ("owner", "worker", "replica") for one in (
            "", "simpul_1", "changeme", "password123",
        )),
        *(("issuer", one) for one in ("simpul", "http://simpul.kpu.go.id", "localhost")),
    ],
)  # fmt: skip
def test_production_refuses_what_was_made_for_a_first_try(name: str, value: str | None) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(**{**FIT, name: value})
    if value is not None and name != "issuer":
        assert value not in str(refused.value)
        assert PEPPER not in str(refused.value)


@pytest.mark.parametrize(
    "said", [*({name: FIT["database_url"]} for name in ("owner_url", "worker_url", "replica_url")), {"pooled": True}]
)
def test_further_logins_need_the_database_itself(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="need SIMPUL_DATABASE_URL"):
        Settings(**said)


def test_every_login_may_be_spelled_as_usual() -> None:
    chosen = Settings(**FIT, owner_url="postgres://boss@/kpu", worker_url="postgresql://worker@/kpu", pooled=True)
    assert chosen.owner_url is not None
    assert chosen.worker_url is not None
    assert chosen.owner_url.get_secret_value() == "postgresql+asyncpg://boss@/kpu"
    assert chosen.worker_url.get_secret_value() == "postgresql+asyncpg://worker@/kpu"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("postgresql://api@a,b:6432/kpu", "@/kpu?host=a:5432&host=b:6432&target_session_attrs={role}"),
        ("postgresql://api@a:1,b:2/kpu?ssl=require", "@/kpu?host=a:1&host=b:2&ssl=require&target_session_attrs={role}"),
        ("postgresql://api@/kpu?host=a:1&host=b:2", "@/kpu?host=a:1&host=b:2&target_session_attrs={role}"),
        ("postgresql://api@a,b/kpu?target_session_attrs=any", "@/kpu?host=a:5432&host=b:5432&target_session_attrs=any"),
        ("postgresql://api@[::1]:5432/kpu", "@[::1]:5432/kpu"),
    ],
)
def test_a_database_on_several_hosts_is_the_one_among_them_that_has_the_role(given: str, read: str) -> None:
    chosen = Settings(**{**FIT, "database_url": given}, replica_url=given)
    for url, role in ((chosen.database_url, "read-write"), (chosen.replica_url, "standby")):
        assert url is not None
        assert url.get_secret_value() == f"postgresql+asyncpg://api{read.format(role=role)}"


def test_a_random_pepper_is_never_taken_for_a_placeholder() -> None:
    for _ in range(500):
        for made in (secrets.token_hex(32), secrets.token_urlsafe(32), b64encode(secrets.token_bytes(32)).decode()):
            assert Settings(**{**FIT, "pepper": made}).pepper is not None


def test_the_embedded_default_needs_nothing() -> None:
    assert Settings(env="embedded", issuer="simpul").pepper is None


@pytest.mark.parametrize("module", [["app.cli", "serve"], ["app.worker"]])
def test_a_refused_start_ends_with_a_sentence_and_not_with_the_secret(module: list[str]) -> None:
    given = {f"SIMPUL_{name.upper()}": value for name, value in FIT.items()} | {"SIMPUL_PEPPER": "changeme-Xy7Kq"}
    started = subprocess.run(
        [sys.executable, "-m", *module], cwd=ROOT, env={**os.environ, **given}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    said = started.stdout + started.stderr
    assert started.returncode != 0
    assert "SIMPUL_PEPPER must be 32 random bytes" in said.replace("\n", " ")
    assert "changeme-Xy7Kq" not in said
    assert "Vq8-tz0KhX3m" not in said
