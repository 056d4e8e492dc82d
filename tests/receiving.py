"""A receiver of webhooks on this machine: HTTPS under an authority of its own, as well or ill behaved as one likes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from time import monotonic
from typing import Any

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = ("localhost", "hook.example", "other.example")


@dataclass
class Post:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=monotonic)
    name: str | None = None

    @property
    def event(self) -> dict[str, Any]:
        return dict(orjson.loads(self.body))

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


Behaviour = Callable[[Post, asyncio.StreamWriter], Awaitable[None]]


def status(code: int, **headers: str) -> Behaviour:
    """Answer with a status."""

    async def answer(_: Post, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {code} -", "content-length: 0", *(f"{name}: {held}" for name, held in headers.items())]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await writer.drain()

    return answer


async def silent(_: Post, __: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.sleep(3600)


async def dripping(_: Post, writer: asyncio.StreamWriter) -> None:
    """Answer well, but never to the end."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.2)


async def endless(_: Post, writer: asyncio.StreamWriter) -> None:
    """Answer well, with more than anybody reads."""
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    await flood(writer, b"10000\r\n" + b"x" * 65_536 + b"\r\n")


async def informing(_: Post, writer: asyncio.StreamWriter) -> None:
    """Announce an answer for ever."""
    await flood(writer, b"HTTP/1.1 102 Processing\r\n\r\n" * 2000)


async def flood(writer: asyncio.StreamWriter, part: bytes) -> None:
    for _ in range(100_000):
        writer.write(part)
        await writer.drain()


async def lying(_: Post, writer: asyncio.StreamWriter) -> None:
    """Answer what is no HTTP."""
    writer.write(b"\x00\xff SSH-2.0-OpenSSH\r\n\r\n")
    await writer.drain()


async def hanging_up(_: Post, writer: asyncio.StreamWriter) -> None:
    """Hang up instead of an answer."""
    writer.close()


@dataclass
class Receiver:
    """Everything that came in, by path; each path may have a behaviour of its own."""

    port: int
    closed_port: int
    authority: Path
    posts: list[Post] = field(default_factory=list)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    accepted: int = 0

    def url(self, path: str, host: str = "localhost") -> str:
        return f"https://{host}:{self.port}{path}"

    def at(self, path: str) -> list[Post]:
        return [one for one in self.posts if one.path == path]

    def events(self, path: str) -> list[dict[str, Any]]:
        return [one.event for one in self.at(path)]

    async def until(self, path: str, count: int, patience: float = 15.0) -> list[Post]:
        """What came in at a path, once there is so much of it."""
        end = monotonic() + patience
        while len(self.at(path)) < count:
            assert monotonic() < end, f"{path}: {len(self.at(path))} of {count}"
            await asyncio.sleep(0.02)
        return self.at(path)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        name = getattr(writer.get_extra_info("ssl_object"), "simpul_name", None)
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {key.lower(): held for key, _, held in (line.partition(": ") for line in head[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                post = Post(head[0].split()[1], headers, body, name=name)
                self.posts.append(post)
                await self.behaviours.get(post.path, status(204))(post, writer)
        writer.close()


@asynccontextmanager
async def receiving(folder: Path) -> AsyncIterator[Receiver]:
    """A receiver until the block ends."""
    context = trusted(folder)

    def note(connection: Any, name: str | None, _: Any) -> None:
        connection.simpul_name = name

    context.sni_callback = note
    spare = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    closed = spare.sockets[0].getsockname()[1]
    spare.close()
    receiver = Receiver(0, closed, folder / "authority.pem")
    lines: list[tuple[asyncio.Task[None], asyncio.StreamWriter]] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append((asyncio.create_task(receiver.serve(reader, writer)), writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for serving, writer in lines:  # some behave so that they never end by themselves
            serving.cancel()
            with suppress(AttributeError):  # 3.11: of a line that the other end has left, nothing is there to abort
                writer.transport.abort()
        ended = await asyncio.gather(*(serving for serving, _ in lines), return_exceptions=True)
        failed = [one for one in ended if isinstance(one, Exception)]
        assert not failed, failed


def trusted(folder: Path) -> ssl.SSLContext:
    """A server's TLS under an authority of its own, whose certificate is left in the folder."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = certificate(authority_key, "Uji", signed_by=(authority_key, "Uji"), names=())
    own = certificate(key, "localhost", signed_by=(authority_key, "Uji"), names=NAMES)
    (folder / "authority.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    (folder / "own.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + own.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem")
    return context


def certificate(
    key: ec.EllipticCurvePrivateKey,
    name: str,
    *,
    signed_by: tuple[ec.EllipticCurvePrivateKey, str],
    names: tuple[str, ...],
) -> x509.Certificate:
    now = datetime.now(UTC)
    signer, issuer = signed_by
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if names:
        found: list[x509.GeneralName] = [x509.DNSName(one) for one in names]
        found.append(x509.IPAddress(IPv4Address("127.0.0.1")))
        built = built.add_extension(x509.SubjectAlternativeName(found), critical=False)
    return built.sign(signer, hashes.SHA256())
